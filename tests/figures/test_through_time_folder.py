"""The folder of cells through time."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.figures.through_time_folder import with_states, write_through_time
from napari_interpdisc.through_time.result import ThroughTime, through_time

from ..through_time.conftest import seen


@pytest.fixture(scope="module")
def found() -> ThroughTime:
    return through_time(seen({1: (0, "IIMIIII"), 2: (0, "IM?A")}, sure=0.9), interval=60.0)


def cells(found: ThroughTime, **more: object) -> pd.DataFrame:
    names = [*found.observed.classes, None]
    called = [names[k] for k in found.observed.index]
    return pd.DataFrame({"t": found.observed.t, "class": called, "z_0": 0.0, **more})


def test_class_stays_and_state_stands_beside_it(found: ThroughTime) -> None:
    before = cells(found, state="mine")
    table = with_states(before, found)
    assert list(table) == ["t", "class", "state", "state_filled", "z_0", "state_in_file"]
    pd.testing.assert_series_equal(table["class"], before["class"])
    assert table["state"].tolist()[:3] == ["Interphase"] * 3
    assert table["class"][2] == "Metaphase"
    assert table["state"].tolist()[7:] == ["Interphase", "Metaphase", "Metaphase", "Anaphase"]
    assert table["state_filled"].tolist()[7:] == [False, False, True, False]
    assert list(before) == ["t", "class", "z_0", "state"]  # what was given is as it was


def test_tables_and_figures_are_written(found: ThroughTime, tmp_path: Path) -> None:
    aligned = [found.aligned("Metaphase", "p_M", 2)]
    out = write_through_time(tmp_path / "out", found, cells(found), aligned, {"image": "a.tif"})
    names = {path.name for path in out.iterdir()}
    tables = ("phases", "medians", "survival", "counts", "divisions", "aligned")
    drawn = {f"{n}.{s}" for n in ("counts", "survival", "aligned") for s in ("png", "svg")}
    assert names == {"cells.csv", "cells.json", *(f"{n}.csv" for n in tables), *drawn}
    phases = pd.read_csv(out / "phases.csv")
    assert phases.loc[phases["state"] == "Metaphase", "minutes"].tolist() == [1.5]
    assert pd.read_csv(out / "phases.csv")["frames_high"].isna().any()
    note = json.loads((out / "cells.json").read_text())
    assert note["order"] == "Interphase >> Metaphase >> Anaphase >> Interphase"
    assert (note["change_cost"], note["frame_interval"], note["image"]) == (2.0, 60.0, "a.tif")
    assert (note["event"], note["aligned"]) == ("Metaphase", ["p_M"])
    assert note["sentences"] == found.sentences()
    with pytest.raises(InvalidInput, match="not empty"):
        write_through_time(out, found, cells(found))


def test_without_an_event_nothing_is_aligned(found: ThroughTime, tmp_path: Path) -> None:
    out = write_through_time(tmp_path / "out", found, cells(found))
    assert not list(out.glob("aligned.*"))
