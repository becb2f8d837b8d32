from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from napari_interpdisc.errors import InvalidInput, MissingExtra
from napari_interpdisc.io.calibration import read_calibration
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


@pytest.mark.filterwarnings("ignore")  # of packages that only this reads
def test_a_movie_of_a_czi_file(tmp_path: Path) -> None:
    pytest.importorskip("bioio_czi", reason="the extra 'formats' is not installed")
    czi = pytest.importorskip("pylibCZIrw.czi", reason="no writer of CZI is installed")
    path = tmp_path / "m.czi"
    with czi.create_czi(str(path)) as file:
        for t, frame in enumerate(MOVIE):
            file.write(data=frame[..., None], plane={"T": t, "C": 0, "Z": 0})
        file.write_metadata("m", scale_x=0.65e-6, scale_y=0.5e-6)
    frames = read_frames(path)
    assert frames.shape == MOVIE.shape
    for t, frame in enumerate(MOVIE):
        np.testing.assert_array_equal(frames.frame(t), frame - frame.min())
    assert read_calibration(path).pixel_size == pytest.approx((0.5, 0.65))
    with pytest.raises(InvalidInput, match="has no scene 1"):
        read_frames(path, series=1)
