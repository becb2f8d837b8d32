from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from napari_interpdisc.errors import InvalidInput, MissingExtra
from napari_interpdisc.io.images import read_frames

MOVIE = np.random.default_rng(0).integers(0, 999, (3, 8, 10)).astype(np.uint16)


def test_without_the_extra_its_name_is_told(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "bioio", None)
    (tmp_path / "m.nd2").write_bytes(b"x")
    with pytest.raises(MissingExtra, match=r'pip install "napari-interpdisc\[formats\]"'):
        read_frames(tmp_path / "m.nd2")


def test_scenes_are_chosen(tmp_path: Path, monkeypatch: Any) -> None:
    """A stand-in with the two attributes of bioio that are used."""

    class Image:
        scenes = ("A", "B")

        def __init__(self, path: Path) -> None:
            self.dims = type("Dimensions", (), {"order": "TCZYX"})
            self.dask_data: Any = None

        def set_scene(self, scene: int) -> None:
            self.dask_data = (MOVIE + scene)[:, None, None]

    bioio, base = ModuleType("bioio"), ModuleType("bioio_base.exceptions")
    bioio.BioImage = Image  # type: ignore[attr-defined]
    base.UnsupportedFileFormatError = KeyError  # type: ignore[attr-defined]
    for name, module in (("bioio", bioio), ("bioio_base", ModuleType("bioio_base"))):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "bioio_base.exceptions", base)
    path = tmp_path / "m.lif"
    path.write_bytes(b"x")
    with pytest.raises(InvalidInput, match=r"holds 2 scenes \(0 \(A\), 1 \(B\)\)"):
        read_frames(path)
    frames = read_frames(path, series=1)
    np.testing.assert_array_equal(frames.frame(2), MOVIE[2] - MOVIE[2].min())
    assert "scene 1 of 2" in frames.taken
