from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import zarr

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.geff_files import write_geff
from napari_interpdisc.io.images import read_frames
from napari_interpdisc.io.ome_zarr import plate_fields
from napari_interpdisc.io.tracks import read_cells
from napari_interpdisc.io.zarr_guard import check_node, check_store

PICKLE = {"id": "pickle"}


class Opens:
    """What opens a file for writing when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> Any:
        return open, (self.mark, "w")


def version_2(path: Path, mark: Path, **changed: Any) -> Path:
    path.mkdir(parents=True)
    meta = {
        "zarr_format": 2, "shape": [8, 8], "chunks": [8, 8], "dtype": "<u2", "order": "C",
        "compressor": None, "filters": None, "fill_value": 0, **changed,
    }  # fmt: skip
    (path / ".zarray").write_text(json.dumps(meta))
    (path / "0.0").write_bytes(pickle.dumps(Opens(mark)))
    return path


def version_3(path: Path, mark: Path, codecs: list[Any]) -> Path:
    (path / "c" / "0").mkdir(parents=True)
    meta = {
        "zarr_format": 3, "node_type": "array", "shape": [8, 8], "data_type": "uint16",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [8, 8]}},
        "chunk_key_encoding": {"name": "default"}, "fill_value": 0, "codecs": codecs,
        "attributes": {},
    }  # fmt: skip
    (path / "zarr.json").write_text(json.dumps(meta))
    (path / "c" / "0" / "0").write_bytes(pickle.dumps(Opens(mark)))
    return path


def test_the_stores_would_run(tmp_path: Path) -> None:
    """What the guard refuses here does run where the codec is let."""
    pickle.loads((version_2(tmp_path / "a", tmp_path / "ran") / "0.0").read_bytes()).close()
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"filters": [PICKLE]},
        {"filters": [PICKLE], "dtype": "|O"},
        {"compressor": PICKLE},
        {"filters": [PICKLE, {"id": "delta", "dtype": "<u2"}]},
        {"filters": [{"id": "vlen-utf8"}, PICKLE], "dtype": "|O", "fill_value": ""},
        {"filters": [{"id": "vlen-utf8"}], "compressor": PICKLE, "dtype": "|O"},
        {"filters": [{"id": "json2"}], "dtype": "|O"},
        {"filters": [{"id": "vlen-array", "dtype": "<u2"}], "dtype": "|O"},
        {"dtype": "|O"},
        {"dtype": [["a", "<u2"], ["b", "|O"]]},
    ],
)
def test_objects_of_version_2_are_refused_before_a_chunk_is_read(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    path = version_2(tmp_path / "image.zarr", tmp_path / "ran", **changed)
    with pytest.raises(InvalidInput, match=r"Python objects .* may run a program"):
        read_frames(path).frame(0)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "codecs",
    [
        [{"name": "numcodecs.pickle", "configuration": {}}],
        ["pickle"],
        [
            {
                "name": "sharding_indexed",
                "configuration": {"chunk_shape": [8, 8], "codecs": [{"name": "pickle"}]},
            }
        ],
    ],
)
def test_objects_of_version_3_are_refused(tmp_path: Path, codecs: list[Any]) -> None:
    path = version_3(tmp_path / "image.zarr", tmp_path / "ran", codecs)
    with pytest.raises(InvalidInput, match="'pickle'"):
        read_frames(path)


def test_a_level_of_an_image_is_looked_at(tmp_path: Path) -> None:
    group = zarr.open_group(str(tmp_path / "image.zarr"), mode="w", zarr_format=2)
    group.attrs["multiscales"] = [{"datasets": [{"path": "0"}], "axes": ["y", "x"]}]
    version_2(tmp_path / "image.zarr" / "0", tmp_path / "ran", filters=[PICKLE])
    with pytest.raises(InvalidInput, match="'pickle'"):
        read_frames(tmp_path / "image.zarr")


def test_consolidated_metadata_are_looked_at(tmp_path: Path) -> None:
    """They are what zarr goes by, whatever the array's own file says."""
    path = tmp_path / "image.zarr"
    group = zarr.open_group(str(path), mode="w", zarr_format=2)
    group.attrs["multiscales"] = [{"datasets": [{"path": "0"}], "axes": ["y", "x"]}]
    version_2(path / "0", tmp_path / "ran")
    array = json.loads((path / "0" / ".zarray").read_text())
    told = {"0/.zarray": {**array, "filters": [PICKLE]}, ".zgroup": {"zarr_format": 2}}
    told[".zattrs"] = json.loads((path / ".zattrs").read_text())
    (path / ".zmetadata").write_text(json.dumps({"zarr_consolidated_format": 1, "metadata": told}))
    with pytest.raises(InvalidInput, match="'pickle'"):
        read_frames(path)


def test_consolidated_metadata_of_version_3_are_looked_at(tmp_path: Path) -> None:
    array = {"node_type": "array", "data_type": "uint16", "codecs": [{"name": "pickle"}]}
    inner = {"kind": "inline", "metadata": {"attributes": array}}
    told = {"zarr_format": 3, "node_type": "group", "consolidated_metadata": inner}
    (tmp_path / "zarr.json").write_text(json.dumps(told))
    with pytest.raises(InvalidInput, match="'pickle'"):
        check_node(tmp_path)


def test_words_of_attributes_are_no_codecs(tmp_path: Path) -> None:
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=3)
    group.attrs["filters"] = [PICKLE]
    group.create_array("0", shape=(4, 4), dtype="uint16")
    check_store(tmp_path / "a.zarr")


def test_a_table_may_have_texts_and_no_pickles(tmp_path: Path) -> None:
    table = pd.DataFrame({"t": [0, 1], "y": [1.0, 2.0], "x": [3.0, 4.0], "name": ["a", "b"]})
    path = write_geff(tmp_path / "cells.geff", table, ["t", "y", "x"], [[0, 1]], {})
    assert read_cells(path).extra["name"].tolist() == ["a", "b"]
    version_2(path / "nodes" / "props" / "evil" / "values", tmp_path / "ran", filters=[PICKLE])
    with pytest.raises(InvalidInput, match=r"evil.values stores .*pickle"):
        read_cells(path)
    assert not (tmp_path / "ran").exists()


def test_a_plate_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / ".zarray").write_text(json.dumps({"dtype": "|O", "filters": [PICKLE]}))
    with pytest.raises(InvalidInput, match="'pickle'"):
        plate_fields(tmp_path)


def test_chunks_that_fill_the_memory_are_refused(tmp_path: Path) -> None:
    path = version_2(tmp_path / "a.zarr", tmp_path / "ran", shape=[1, 1], chunks=[10**6, 10**6])
    with pytest.raises(InvalidInput, match=r"chunks of .* GiB; at most 4 GiB .* smaller chunks"):
        read_frames(path)


@pytest.mark.parametrize(
    ("text", "told"), [("{", "no JSON"), ('{"a":' + "[" * 10**5, "nested"), ("\xff", "no JSON")]
)
def test_metadata_that_cannot_be_read_are_one_sentence(
    tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "zarr.json").write_text(text, "latin-1")
    with pytest.raises(InvalidInput, match=told):
        check_node(tmp_path)
