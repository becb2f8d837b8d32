"""``interpdisc through-time``: of a movie, of a table of results, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import tifffile

from napari_interpdisc.simulate.movie import SimulationSettings, simulate_movie

from .conftest import Run, refused


@pytest.fixture
def movie(tmp_path: Path) -> Path:
    """A movie of 90 s between frames, its tracks with parents, and a table of results."""
    made = simulate_movie(SimulationSettings(shape=(9, 130, 240), cells=7, dividing=0.6, seed=4))
    about = {"axes": "TYX", "finterval": 90.0, "tunit": "s"}
    tifffile.imwrite(tmp_path / "movie.tif", made.image, imagej=True, metadata=about)
    table = made.cells.to_frame()
    parent = [made.cells.graph.get(int(k), (0,))[0] for k in made.cells.track_id]
    table.assign(parent_id=parent).to_csv(tmp_path / "tracks.csv", index=False)
    return tmp_path


def test_a_movie_and_its_results_tell_the_same(run: Run, movie: Path) -> None:
    given = (movie / "movie.tif", "--tracks", movie / "tracks.csv", "--diameter", 28)
    given += ("--head", "states")
    done = run("through-time", *given, "--out", movie / "a")
    assert done.code == 0, done.err
    assert "Order by the names of the classes: Interphase >> Prometaphase >> Meta" in done.out
    assert "divisions." in done.out
    assert run("classify", *given, "--out", movie / "cells.csv").code == 0
    strict = run("through-time", "--results", movie / "cells.csv", "--strict", "--out", movie / "c")
    assert "Interphase > Prometaphase > Metaphase > Anaphase > Interphase." in strict.out
    again = run("through-time", "--results", movie / "cells.csv", "--out", movie / "b")
    assert again.code == 0, again.err
    assert "by the scores" in again.out
    tables = [pd.read_csv(movie / which / "phases.csv") for which in "ab"]
    pd.testing.assert_frame_equal(*tables)
    assert tables[0].loc[0, "minutes"] == tables[0].loc[0, "frames"] * 1.5
    cells = pd.read_csv(movie / "b" / "cells.csv")
    assert cells["class"].tolist() == pd.read_csv(movie / "cells.csv")["class"].tolist()
    assert {"state", "state_filled", "state_in_file"} <= set(cells)
    assert len(pd.read_csv(movie / "a" / "divisions.csv")) >= 2
    aligned = pd.read_csv(movie / "a" / "aligned.csv")
    assert set(aligned["event"]) == {"Metaphase"}
    assert set(aligned["column"]) == {
        f"score_{name}" for name in ("Interphase", "Prometaphase", "Metaphase", "Anaphase")
    }
    note = json.loads((movie / "b" / "cells.json").read_text())
    assert (note["frame_interval"], note["head"]) == (90.0, "states")


def results(folder: Path, labels: str, **more: object) -> Path:
    """A table of labels of one track, a letter for each frame."""
    names = {"I": "Interphase", "M": "Metaphase"}
    columns = {"track_id": 1, "y": 5.0, "x": 5.0, "class": [names[k] for k in labels]}
    table = pd.DataFrame({"t": range(len(labels)), **columns, **more})
    table.to_csv(folder / "cells.csv", index=False)
    return folder / "cells.csv"


def test_choices_are_taken(run: Run, tmp_path: Path) -> None:
    path = results(tmp_path, "IIMMMII", area=range(7))
    words = ("--order", "Interphase > Metaphase > Interphase", "--minutes-per-frame", 4)
    words += ("--align", "area", "--reach", 1, "--change-cost", 0.5)
    done = run("through-time", "--results", path, *words, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert "each taken for certain" in done.out
    assert "Metaphase: 1 phases" not in done.out
    assert "Metaphase: 1 phase; median 12 min" in done.out
    aligned = pd.read_csv(tmp_path / "out" / "aligned.csv")
    assert aligned["mean"].tolist() == [1, 2, 3]
    assert aligned["minutes"].tolist() == [-4, 0, 4]


def test_an_event_that_does_not_happen_is_told(run: Run, tmp_path: Path) -> None:
    path = results(tmp_path, "IIMM")
    done = run(
        "through-time", "--results", path, "--event", "division", "--out", tmp_path / "out"
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "No track shows 'division'" in done.err
    assert "Give --minutes-per-frame" in done.err
    assert not (tmp_path / "out" / "aligned.csv").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "Give an image and --tracks, or --results"),
        (("--results", "cells.csv", "--tracks", "a.csv"), "leave the image, --tracks and"),
        (("--results", "cells.csv", "--minutes-per-frame", 0), "0 must be above 0"),
        (("--results", "cells.csv", "--order", "Interphase > Dead"), "names 'Dead', which is no"),
        (("--results", "cells.csv", "--order", "any", "--strict"), "leave --strict out"),
        (("--results", "cells.csv", "--event", "Lunch"), "--event 'Lunch' is none of"),
        (("--results", "cells.csv", "--align", "z_9"), "'z_9', which is no column of numbers"),
        (("movie.tif", "--tracks", "a.csv", "--event", "Lunch"), "--event 'Lunch' is none of"),
        (("movie.tif", "--tracks", "a.csv", "--order", "A>B"), "names 'A', which is no class"),
    ],
)
def test_refuses(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...], told: str
) -> None:
    results(tmp_path, "IIMM")
    monkeypatch.chdir(tmp_path)
    code, _, err = run("through-time", *words, "--out", tmp_path / "out")
    assert code == 1
    assert told in " ".join(err.split())
    assert err.strip().count("\n") == 0
    assert not (tmp_path / "out").exists()


def test_cells_without_tracks_are_refused(run: Run, tmp_path: Path) -> None:
    path = results(tmp_path, "IIMM", track_id=range(4))
    refused_call = ("through-time", "--results", path, "--out", tmp_path / "out")
    refused(run, "are not linked: every track has one cell", *refused_call)
