"""What a training may take over from the one before, and what would leak."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_interpdisc.discovery import cross_validation
from napari_interpdisc.discovery.cross_validation import discover
from napari_interpdisc.discovery.earlier import (
    Earlier,
    folds_like,
    left_by,
    question_of,
    starts_of,
    usable,
)
from napari_interpdisc.discovery.labelled import LabelledCells
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.models.formula import Formula, parse_formula
from napari_interpdisc.training.folds import Fold, grouped_folds

from .conftest import labelled


def keyed(n: int) -> LabelledCells:
    """Labelled cells on n / 4 tracks that can be known again."""
    return replace(labelled(n), keys=np.array([f"cell {i}" for i in range(n)]))


def rule(text: str) -> tuple[tuple[Formula, ...], ...]:
    return ((parse_formula(text, 8),),)


@pytest.fixture
def before() -> tuple[Earlier, list[Fold]]:
    """What a training on 40 cells of 10 tracks in two folds left, and its folds."""
    cells = keyed(40)
    folds = grouped_folds(cells.target, cells.group, 2, 0)
    found = left_by(cells, folds, [rule("z0"), rule("z1")], rule("z2"), "encoder")
    assert found is not None
    return found, folds


def test_another_question_starts_anew(before: tuple[Earlier, list[Fold]]) -> None:
    earlier, cells = before[0], keyed(40)
    assert usable(earlier, cells, "encoder") is earlier
    assert usable(earlier, replace(cells, unread=(1,)), "encoder") is None
    assert usable(earlier, cells, "another encoder") is None
    assert usable(earlier, replace(cells, classes=("a", "b")), "encoder") is None
    assert usable(earlier, replace(cells, keys=None), "encoder") is None
    assert usable(None, cells, "encoder") is None
    assert question_of(cells, "encoder") == question_of(keyed(60), "encoder")


def test_known_groups_stay_in_their_folds_and_new_ones_join(
    before: tuple[Earlier, list[Fold]],
) -> None:
    earlier, folds = before
    more = keyed(52)
    found = folds_like(earlier, more, 2)
    assert found is not None
    for (train, test), (_, old) in zip(found, folds, strict=True):
        assert set(old.tolist()) <= set(test.tolist())
        assert not set(more.group[train].tolist()) & set(more.group[test].tolist())
        assert len(train) + len(test) == 52
    # three new tracks: not all of them in one fold
    assert all(any(row >= 40 for row in test) for _, test in found)


def test_folds_are_drawn_anew_where_the_old_ones_do_not_serve(
    before: tuple[Earlier, list[Fold]],
) -> None:
    earlier, folds = before
    assert folds_like(earlier, keyed(40), 3) is None
    assert folds_like(earlier, keyed(120), 2) is None  # most tracks are new
    only_one = keyed(40).take(folds[0][1])
    assert folds_like(earlier, only_one, 2) is None  # the other fold would be empty
    assert folds_like(earlier, replace(keyed(40), keys=None), 2) is None


def test_a_fold_begins_with_formulas_that_did_not_see_its_groups(
    before: tuple[Earlier, list[Fold]],
) -> None:
    earlier, folds = before
    cells = keyed(40)
    assert starts_of(earlier, cells, folds[0][1], 0) == rule("z0")
    assert starts_of(earlier, cells, folds[1][1], 1) == rule("z1")
    # the formulas of fold 1 saw what fold 0 holds out
    assert starts_of(earlier, cells, folds[0][1], 1) == ()
    # a new cell of a track that was trained on is held out: its track gives it away
    seen_track = cells.group[folds[0][0][0]]
    more = keyed(41)
    more.group[40] = seen_track
    assert starts_of(earlier, more, np.append(folds[0][1], 40), 0) == ()
    # the track of a cell that is gone is not known
    gone = cells.take(np.setdiff1d(np.arange(40), folds[0][0][:1]))
    assert (
        starts_of(earlier, gone, np.flatnonzero(np.isin(gone.keys, cells.keys[folds[0][1]])), 0)
        == ()
    )
    assert starts_of(earlier, replace(cells, keys=None), folds[0][1], 0) == ()


def test_nothing_is_left_without_formulas_or_names_of_cells() -> None:
    cells = keyed(40)
    folds = grouped_folds(cells.target, cells.group, 2, 0)
    assert left_by(cells, folds, [(), ()], (), "encoder") is None
    assert left_by(replace(cells, keys=None), folds, [rule("z0")] * 2, rule("z0"), "e") is None


def test_noise_stays_at_chance_through_retraining(
    quick: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels without any rule, trained twice: a start that peeked would do better than chance."""
    draw = np.random.default_rng(3)
    noise = replace(keyed(160), target=draw.integers(0, 2, 160))
    only = quick.model_copy(update={"curve": False, "kinds": ("formula",)})
    first = discover(noise.take(np.arange(140)), only)
    assert first.earlier is not None
    used = []
    real = cross_validation.starts_of

    def spied(*given: object) -> object:
        used.append(real(*given))  # type: ignore[arg-type]
        return used[-1]

    monkeypatch.setattr(cross_validation, "starts_of", spied)
    again = discover(noise, only, earlier=first.earlier)
    assert all(used)
    assert len(used) == 3
    for row in (*again.front, *again.dominated):
        assert 0.3 < row.quality.balanced_accuracy < 0.67
