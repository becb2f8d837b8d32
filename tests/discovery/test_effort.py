from __future__ import annotations

from pathlib import Path

import pytest

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


def test_the_guide_has_the_same_numbers() -> None:
    guide = Path(__file__).parents[2] / "docs" / "how-to" / "train-heads.md"
    if not guide.exists():
        pytest.skip("the guides are not here")
    table = guide.read_text("utf-8").split("| | quick | thorough |")[1].split("\n\n")[0]
    quick, thorough = EFFORTS["quick"], EFFORTS["thorough"]
    for row in (
        *(f"{getattr(quick, name)} | {getattr(thorough, name)}" for name in (
            "augmented", "dense_steps", "trials", "search_augmented", "search_cells", "max_size",
            "iterations",
        )),
        " | ".join(f"{one.restarts} × {one.sparse_steps}" for one in (quick, thorough)),
        " | ".join(f"{one.generations} × {one.individuals}" for one in (quick, thorough)),
        " | ".join("yes" if one.curve else "no" for one in (quick, thorough)),
    ):  # fmt: skip
        assert f"| {row} |" in table, row
