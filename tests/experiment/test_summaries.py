"""Tracks, phases and counts of an image, of scores that were set by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from napari_interpdisc.batch.inputs import Item
from napari_interpdisc.batch.plan import Tracks
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.experiment.summaries import (
    columns_of,
    csv_text,
    mitotic,
    order_of,
    summarise,
    summary_rows,
)

CLASSES = ("Interphase", "Metaphase")
ITEM = Item("a", Path("a.tif"), well="A1")
NOTE = {
    "graph": [], "timed": True, "tracked": True, "diameter": 20.0, "frame_interval": 120.0,
    "shape": [8, 50, 50],
}  # fmt: skip


def parts(folder: Path, states: dict[int, str]) -> list[Path]:
    """Parts of tracks whose classes are I, M or - for none, frame by frame, in two blocks."""
    rows = [(t, track, s) for track, text in states.items() for t, s in enumerate(text) if s != " "]
    rows.sort()
    score = np.array([{"I": -5, "M": 5, "-": np.nan}[s] for _, _, s in rows], np.float32)
    names = [{"I": "Interphase", "M": "Metaphase", "-": None}[s] for _, _, s in rows]
    n = len(rows)
    table = pa.table({
        "t": [t for t, _, _ in rows], "y": [10.0 * track for _, track, _ in rows],
        "x": np.full(n, 5.0), "track_id": [track for _, track, _ in rows], "row": range(n),
        "class": pa.array(names, pa.string()), "unfamiliar": np.arange(n) < 2,
        "touches_edge": np.zeros(n, bool), "score": score,
    })  # fmt: skip
    files = [folder / "0.parquet", folder / "1.parquet"]
    pq.write_table(table.slice(0, n // 2), files[0])
    pq.write_table(table.slice(n // 2), files[1])
    return files


def test_tracks_with_their_states_and_mitoses(tmp_path: Path) -> None:
    files = parts(tmp_path, {1: "IIIMMIII", 2: "IIIIIIMM", 3: "  II-II "})
    found = summarise(files, ITEM, NOTE, CLASSES, Tracks())
    names = columns_of("tracks", CLASSES)
    one, two, three = (dict(zip(names, row, strict=True)) for row in found.tracks)
    assert one["states"] == "Interphase 3 > Metaphase 2 > Interphase 3"
    assert (one["changes"], one["share_Interphase"], one["share_Metaphase"]) == (2, 0.75, 0.25)
    assert (one["mitoses"], one["mitoses_whole"]) == (1, 1)
    assert (one["mitosis_frames"], one["mitosis_minutes"]) == (2, 4)
    assert (two["mitoses"], two["mitoses_whole"]) == (1, 0)  # its end was not seen
    assert np.isnan(two["mitosis_frames"])
    assert (three["first_frame"], three["last_frame"], three["cells"]) == (2, 6, 5)
    assert three["states"] == "Interphase 5"
    assert (three["share_Interphase"], three["mitoses"]) == (1, 0)
    assert found.counts == {
        "cells": 21, "tracks": 3, "n_Interphase": 16, "n_Metaphase": 4, "n_without_class": 1,
        "n_unfamiliar": 2, "n_touches_edge": 0,
    }  # fmt: skip
    phases = [dict(zip(columns_of("phases", CLASSES), row, strict=True)) for row in found.phases]
    assert [(p["track_id"], p["state"], p["minutes"]) for p in phases][1] == (1, "Metaphase", 4)


def test_a_mitosis_that_a_division_ends_or_goes_through(tmp_path: Path) -> None:
    states = {1: "IIMM    ", 2: "    MIII", 3: "    IIII"}
    found = summarise(
        parts(tmp_path, states), ITEM, NOTE | {"graph": [[2, [1]], [3, [1]]]}, CLASSES, Tracks()
    )
    names = columns_of("tracks", CLASSES)
    mother, two, three = (dict(zip(names, row, strict=True)) for row in found.tracks)
    assert (two["parent"], three["parent"], mother["parent"]) == (1, 1, "")
    assert (mother["mitoses"], two["mitoses_whole"], two["mitosis_frames"]) == (0, 1, 3)
    assert three["mitoses"] == 0


def test_states_of_one_class_at_a_time_have_a_price(tmp_path: Path) -> None:
    files = parts(tmp_path, {1: "IIIMIIII", 2: "IIIIIIII"})
    dear = summarise(files, ITEM, NOTE, CLASSES, Tracks(change_cost=20))
    assert dear.tracks[0][7] == "Interphase 8"


def test_cells_that_are_not_on_tracks(tmp_path: Path) -> None:
    files = parts(tmp_path, {1: "I", 2: "M", 3: "M"})
    still = summarise(files, ITEM, NOTE | {"shape": [1, 9, 9]}, CLASSES, Tracks())
    assert (still.tracks, still.notes, still.counts["tracks"]) == ([], (), 0)
    movie = summarise(files, ITEM, NOTE, CLASSES, Tracks())
    assert movie.notes[0].startswith("No states along tracks: 'a' has cells of one frame only")
    assert movie.counts["n_Metaphase"] == 2


def test_which_classes_are_mitotic() -> None:
    assert mitotic(("Interphase", "Metaphase", "Apoptosis")).tolist() == [False, True, False]
    assert not mitotic(("Metaphase", "Anaphase")).any()
    assert not mitotic(("A", "B")).any()


def test_orders() -> None:
    assert order_of(Tracks(order="any"), CLASSES)[0].is_free
    assert "Order by the names" in order_of(Tracks(), CLASSES)[1]
    with pytest.raises(InvalidInput, match="names 'Anaphase'"):
        order_of(Tracks(order="Interphase > Anaphase"), CLASSES)


def test_text_of_rows() -> None:
    rows = [["a,b", np.float32(0.1), np.nan, np.int64(3), True, np.inf]]
    assert csv_text(rows) == '"a,b",0.1,,3,True,inf\n'


def test_rows_have_no_header(tmp_path: Path) -> None:
    found = summarise(parts(tmp_path, {1: "II", 2: "MM"}), ITEM, NOTE, CLASSES, Tracks())
    lines = summary_rows(found, "tracks").splitlines()
    assert lines[0].startswith("a,A1,1,,0,1,2,Interphase 2,0,1.0,0.0,0,0,,")
    assert len(lines) == 2
