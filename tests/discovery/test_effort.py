from __future__ import annotations

from napari_interpdisc.discovery.effort import EFFORTS, effort_of, settings_of, with_effort
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.training.tuning import SparsityTuning


def test_thorough_is_the_recipe_as_it_is() -> None:
    assert settings_of(Recipe()) == EFFORTS["thorough"]
    assert with_effort(Recipe(), "thorough") == Recipe()


def test_quick_does_less_of_everything_and_tests_in_the_same_way() -> None:
    quick = with_effort(Recipe(folds=4, seed=7, tuning=SparsityTuning()), "quick")
    assert settings_of(quick) == EFFORTS["quick"]
    less, more = (EFFORTS[name].model_dump() for name in ("quick", "thorough"))
    assert all(less[name] < more[name] for name in less)
    assert (quick.folds, quick.seed, quick.kinds) == (4, 7, Recipe().kinds)


def test_an_effort_is_told_by_its_settings() -> None:
    quick = with_effort(Recipe(), "quick")
    assert effort_of(quick) == "quick"
    assert effort_of(quick.model_copy(update={"curve": True})) == "quick"
    assert effort_of(quick.model_copy(update={"augmented": 9})) == "own settings"
    tuned = Recipe(tuning=SparsityTuning())
    assert effort_of(tuned) == "thorough"
    assert effort_of(with_effort(tuned, "quick")) == "quick"
    assert "8 augmented crops a cell" in EFFORTS["quick"].told()
    assert "no learning curve" in EFFORTS["quick"].told()
