from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.layer_tables import (
    axis_names,
    fits_note,
    layer_to_table,
    read_note,
    read_typed,
    table_to_layer,
)

DATA = np.array([[1, 0, 5, 6.5], [1, 1, 7, 1 / 3], [2, 1, 3, 4]])


def features() -> pd.DataFrame:
    """A feature of every type that a layer may have, with the values that go wrong most easily."""
    return pd.DataFrame(
        {
            "class": pd.Categorical(["b", None, "a"], categories=["b", "a", "c"], ordered=True),
            "state": pd.Categorical([3, 1, 3]),
            "ok": [True, False, True],
            "small": np.array([1, 2, 3], np.int32),
            "big": np.array([2**63 + 1, 2, 3], np.uint64),
            "single": np.array([0.1, np.nan, np.inf], np.float32),
            "double": [1 / 3, np.nan, 1e300],
            "text": ["", "a,b", '"q"\n'],
            "objects": pd.Series(["NA", None, ""], dtype=object),
            "maybe": pd.array([1, None, 3], dtype="Int64"),
            "when": pd.to_datetime(["2020-01-01", None, "2020-01-03"]),
            "t": [9, 8, 7],
            "a/b": [0.5, 1.5, 2.5],
        }
    )


def as_text(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    table.to_csv(folder / "a.csv", index=False)
    return read_typed(folder / "a.csv")


def test_coordinates_have_names() -> None:
    assert axis_names("points", 2) == ["y", "x"]
    assert axis_names("tracks", 3) == ["t", "y", "x"]
    assert axis_names("tracks", 4) == ["t", "z", "y", "x"]
    assert axis_names("points", 4) == ["axis-0", "axis-1", "axis-2", "axis-3"]


@pytest.mark.parametrize("text", [False, True])
def test_every_type_comes_back(tmp_path: Path, text: bool) -> None:
    given: dict[str, Any] = {
        "name": "cells",
        "features": features(),
        "graph": {2: [1]},
        "scale": [np.float64(1), np.float64(0.5), np.float64(0.25)],
        "affine": np.eye(4),
        "metadata": {"interpdisc": {"model": "m"}, "other": object()},
    }
    table, note = layer_to_table("tracks", DATA, given)
    assert list(table)[:4] == ["track_id", "t", "y", "x"]
    assert table["t_feature"].tolist() == [9, 8, 7]
    if text:
        table = as_text(table, tmp_path)
    assert fits_note(table, note)
    data, arguments, kind = table_to_layer(table, note)
    assert kind == "tracks"
    np.testing.assert_array_equal(data, DATA)
    pd.testing.assert_frame_equal(arguments["features"], features())
    assert arguments["graph"] == {2: [1]}
    assert arguments["scale"] == [1, 0.5, 0.25]
    assert arguments["affine"] == np.eye(4).tolist()
    assert arguments["metadata"] == {"interpdisc": {"model": "m"}}


def test_naparis_own_track_ids_are_stored_once() -> None:
    table, note = layer_to_table(
        "tracks", DATA, {"features": {"track_id": np.array([1, 1, 2], np.uint32)}}
    )
    assert list(table) == ["track_id", "t", "y", "x"]
    _, arguments, _ = table_to_layer(table, note)
    assert arguments["features"]["track_id"].dtype == np.uint32


def test_features_that_no_file_keeps_are_refused() -> None:
    for values in (pd.interval_range(0, 3), [1, "a", 2], [(1,), (2,), (3,)]):
        table = pd.DataFrame({"f": pd.Series(list(values), dtype=object)})
        with pytest.raises(InvalidInput, match="Feature 'f' holds values of type"):
            layer_to_table("tracks", DATA, {"features": table})


def test_tables_may_be_edited(tmp_path: Path) -> None:
    given = {"features": features()[["class", "ok", "small", "double"]]}
    table, note = layer_to_table("tracks", DATA, given)
    table = as_text(table, tmp_path).drop(columns="double")
    table["ok"] = ["TRUE", "FALSE", "TRUE"]
    table["small"] = ["1.0", "2.0", "4.0"]
    table["class"] = ["dead", "", "a"]
    table["note"] = ["x", "", "y"]
    table["size"] = ["1", "2", "3.5"]
    found = table_to_layer(table, note)[1]["features"]
    assert list(found) == ["class", "ok", "small", "note", "size"]
    assert found["class"].cat.categories.tolist() == ["b", "a", "c", "dead"]
    assert found["class"].tolist()[::2] == ["dead", "a"]
    assert found["ok"].tolist() == [True, False, True]
    assert found["small"].tolist() == [1, 2, 4]
    assert found["size"].tolist() == [1, 2, 3.5]
    table["small"] = ["1.5", "2", "4"]
    with pytest.raises(InvalidInput, match="Column 'small' of the table of layer"):
        table_to_layer(table, note)
    assert not fits_note(table.iloc[1:], note)
    assert not fits_note(table.drop(columns="y"), note)


def test_notes_are_in_the_parquet_file_or_beside_the_csv(tmp_path: Path) -> None:
    table, note = layer_to_table("tracks", DATA, {"features": {}})
    table.attrs["layer"] = note
    table.to_parquet(tmp_path / "a.parquet")
    assert read_note(tmp_path / "a.parquet") == note
    assert read_note(tmp_path / "a.csv") is None
    for text in ("[]", "no json", '{"layer": 1}', "{}"):
        (tmp_path / "a.json").write_text(text)
        assert read_note(tmp_path / "a.csv") is None
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "a.parquet")
    assert read_note(tmp_path / "a.parquet") is None
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    assert read_note(tmp_path / "a.parquet") is None
    with pytest.raises(InvalidInput, match="cannot be read as a table"):
        read_typed(tmp_path / "a.parquet")
