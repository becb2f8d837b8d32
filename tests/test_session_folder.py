from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc import guarded_files
from napari_interpdisc.cells import CellTable, Taken
from napari_interpdisc.checks import Check
from napari_interpdisc.crop_measures import BANDS
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.store import load_model
from napari_interpdisc.pipeline import Encoding, classify_encoding
from napari_interpdisc.session_folder import SavedSession, open_session, save_session


@pytest.fixture
def session(tmp_path: Path, rng: np.random.Generator) -> SavedSession:
    model = load_model()
    cells = CellTable.from_arrays(
        [0, 1, 1], rng.random((3, 2)), [5, 5, 6], [2, 0, 1], "cells.csv", {"state": ["a", "", "b"]},
        {6: (5,)}, Taken("t from 't'", ("1 row is left out.",), True, True, ("t",), {"Frame": "t"}),
    )  # fmt: skip
    encoding = Encoding(
        cells,
        rng.normal(size=(3, 32)).astype(np.float32),
        rng.random(3).astype(np.float32),
        25.5,
        model.name,
        model.encoder_sha256,
        np.array([True, False, False]),
        spectra=rng.random((3, len(BANDS))).astype(np.float32),
        checks=(Check("diameter", 25.5, 20.0, np.inf, "look"),),
        measured="detection",
        saturated=np.array([False, True, False]),
        no_pixels=np.array(["", "", "no pixels: blank frame"], object),
    )
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "movie.tif").touch()
    marks = pd.DataFrame({"t": [0], "y": [1.5], "x": [2.5], "track_id": [5], "class": ["mine"]})
    files = {"image": tmp_path / "here" / "movie.tif"}
    return SavedSession(encoding, model.sha256, "dense", files, marks, {"threshold": 0.7})


def test_a_session_comes_back_and_classifies_as_before(
    session: SavedSession, tmp_path: Path
) -> None:
    found = open_session(save_session(tmp_path / "saved", session))
    cells, before = found.encoding.cells, session.encoding.cells
    for name in ("t", "yx", "track_id", "row"):
        np.testing.assert_array_equal(getattr(cells, name), getattr(before, name))
    assert cells.extra["state"].tolist() == ["a", "", "b"]
    assert cells.source == "cells.csv"
    assert (cells.graph, cells.taken) == (before.graph, before.taken)
    assert (found.encoding.measured, found.encoding.checks) == (
        session.encoding.measured,
        session.encoding.checks,
    )
    for name in (
        "latents", "reconstruction_error", "touches_edge", "spectra", "saturated",
        "no_pixels", "flags",
    ):  # fmt: skip
        got, wanted = getattr(found.encoding, name), getattr(session.encoding, name)
        np.testing.assert_array_equal(got, wanted)
        assert got.dtype == wanted.dtype
    pd.testing.assert_frame_equal(found.annotations, session.annotations)
    assert (found.head, found.settings, found.files) == ("dense", {"threshold": 0.7}, session.files)
    model = load_model()
    assert found.model_sha256 == model.sha256
    scores = classify_encoding(session.encoding, model, "dense").scores
    np.testing.assert_array_equal(classify_encoding(found.encoding, model, "dense").scores, scores)
    suffixes = {path.suffix for path in (tmp_path / "saved").iterdir()}
    assert suffixes == {".json", ".parquet", ".csv"}


def test_spectra_and_annotations_may_be_missing(session: SavedSession, tmp_path: Path) -> None:
    none = np.zeros((0, len(BANDS)), np.float32)
    given = replace(session, encoding=replace(session.encoding, spectra=none), annotations=None)
    found = open_session(save_session(tmp_path / "saved", given))
    assert found.encoding.spectra.shape == none.shape
    assert found.annotations is None


def test_files_are_found_beside_the_folder_or_asked_for(
    session: SavedSession, tmp_path: Path
) -> None:
    save_session(tmp_path / "here" / "saved", session)
    shutil.move(tmp_path / "here", tmp_path / "there")
    folder = tmp_path / "there" / "saved"
    assert open_session(folder).files == {"image": tmp_path / "there" / "movie.tif"}
    (tmp_path / "there" / "movie.tif").rename(tmp_path / "other.tif")
    with pytest.raises(InvalidInput, match="The image of this session"):
        open_session(folder)
    asked: list[tuple[str, str]] = []

    def ask(role: str, old: Path) -> Path:
        asked.append((role, old.name))
        return tmp_path / "other.tif"

    assert open_session(folder, ask).files == {"image": tmp_path / "other.tif"}
    assert asked == [("image", "movie.tif")]
    assert open_session(folder, lambda role, old: None).files == {}


def test_other_and_damaged_folders_are_refused(session: SavedSession, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is not a session that can be opened"):
        open_session(tmp_path)
    folder = save_session(tmp_path / "saved", session)
    with pytest.raises(InvalidInput, match="is not empty"):
        save_session(folder, session)
    text = (folder / "session.json").read_text()
    (folder / "session.json").write_text(text.replace('"session": 1', '"session": 9'))
    with pytest.raises(InvalidInput, match="of another version"):
        open_session(folder)
    (folder / "session.json").write_text(text)
    pd.DataFrame({"t": [0]}).to_parquet(folder / "cells.parquet")
    with pytest.raises(InvalidInput, match="other numbers of rows"):
        open_session(folder)


def test_measured_properties_come_back(session: SavedSession, tmp_path: Path) -> None:
    measured = {"area": np.array([1.5, np.nan, 3.0]), "solidity": np.array([0.5, np.nan, 0.9])}
    encoding = replace(session.encoding, properties=measured, way="labels")
    found = open_session(
        save_session(tmp_path / "saved", replace(session, encoding=encoding))
    ).encoding
    assert found.way == "labels"
    assert list(found.properties) == ["area", "solidity"]
    for name, values in measured.items():
        np.testing.assert_array_equal(found.properties[name], values)
    plain = open_session(save_session(tmp_path / "plain", session)).encoding
    assert plain.properties == {}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"diameter": -1}, r"greater than 0, at 'diameter'"),
        ({"measured": "x"}, "at 'measured'"),
        ({"checks": [{"name": "a", "measured": 1, "low": 0, "high": " "}]}, r"'checks\.0\.high'"),
        ({"taken": {"sentence": 3}}, r"'taken\.sentence'"),
        ({"graph": [[1, "x"]]}, r"'graph\.0\.1'"),
        ({"files": {"image": "x"}}, r"'files\.image'"),
        ({"model": None}, "'model'"),
    ],
)
def test_values_of_other_kinds_are_refused(
    session: SavedSession, tmp_path: Path, change: dict[str, object], told: str
) -> None:
    folder = save_session(tmp_path / "saved", session)
    path = folder / "session.json"
    note = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**note, **change}), "utf-8")
    with pytest.raises(InvalidInput, match=told):
        open_session(folder)


def test_tables_that_grow_without_measure_are_refused(
    session: SavedSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_session(tmp_path / "saved", session)
    monkeypatch.setattr(guarded_files, "GROWS_FROM", 8)
    monkeypatch.setattr(guarded_files, "MOST_GROWTH", 0)
    with pytest.raises(InvalidInput, match=r"cells\.parquet has .* and asks for"):
        open_session(folder)
