"""Cells of each class and state per frame, and divisions."""

from __future__ import annotations

from napari_interpdisc.through_time.counts import Division, count_cells, divisions_of
from napari_interpdisc.through_time.order import order_of_text
from napari_interpdisc.through_time.viterbi import decode, states_of_cells

from .conftest import CLASSES, seen

CYCLE = order_of_text("Interphase > Metaphase > Anaphase > Interphase", CLASSES)


def test_cells_are_counted_by_class_and_by_state() -> None:
    found = seen({1: (2, "IIMI"), 5: (3, "M?M")}, sure=0.8)
    counts = count_cells(found, states_of_cells(found, decode(found, CYCLE)))
    assert counts.t.tolist() == [2, 3, 4, 5]
    assert counts.cells.tolist() == [1, 2, 2, 2]
    assert counts.by_class.tolist() == [[1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 1, 0]]
    # the flicker is smoothed, and a cell without a class is in no state either
    assert counts.by_state.tolist() == [[1, 0, 0], [1, 1, 0], [1, 0, 0], [1, 1, 0]]


def test_divisions_are_tracks_with_two_daughters() -> None:
    found = seen(
        {1: (0, "MM"), 2: (2, "AI"), 3: (3, "I"), 4: (0, "II"), 5: (2, "II")}, {2: 1, 3: 1, 5: 4}
    )
    assert divisions_of(found, decode(found, CYCLE)) == (Division(1, (2, 3), 2, 1, (2, 0)),)
