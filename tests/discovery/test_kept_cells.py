"""Files of labelled cells that were kept for training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.discovery.kept_cells import is_kept, read_kept, with_movie, write_kept
from napari_interpdisc.discovery.movies import LabelledMovie
from napari_interpdisc.discovery.origins import Origins
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.patches import Patches


def movie(name: str, n: int, rng: np.random.Generator) -> LabelledMovie:
    return LabelledMovie(
        name,
        Patches(rng.random((n, 96, 96)).astype(np.float32), 96.0),
        np.resize(["mitotic", "not"], n),
        np.arange(n).astype(str),
        24.5,
        "detection",
        28.0,
    )


def test_what_is_kept_comes_back(tmp_path: Path, rng: np.random.Generator) -> None:
    movies = [movie("a.tif", 3, rng), replace(movie("ö b", 4, rng), measured="given")]
    path = write_kept(tmp_path / "kept.npz", movies)
    assert is_kept(path)
    assert [p.name for p in tmp_path.iterdir()] == ["kept.npz"]
    for before, after in zip(movies, read_kept(path), strict=True):
        assert after.summary == before.summary
        assert after.model_diameter == 28.0
        np.testing.assert_array_equal(after.patches.pixels, before.patches.pixels)
        np.testing.assert_array_equal(after.labels, before.labels)
        np.testing.assert_array_equal(after.groups, before.groups)


def test_where_cells_are_is_kept_if_it_is_known(tmp_path: Path, rng: np.random.Generator) -> None:
    cells = CellTable.from_arrays([4, 0], [[1.5, 2.0], [3.0, 4.0]], [7, 9])
    placed = replace(movie("b", 2, rng), places=Origins.of_cells("b", cells))
    without, found = read_kept(write_kept(tmp_path / "kept.npz", [movie("a", 1, rng), placed]))
    assert (found.origins.t.tolist(), found.origins.track.tolist()) == ([4, 0], ["7", "9"])
    np.testing.assert_array_equal(found.origins.yx, cells.yx)
    assert (without.origins.t.tolist(), without.origins.track.tolist()) == ([-1], ["0"])
    assert read_kept(write_kept(tmp_path / "old.npz", [movie("a", 1, rng)]))[0].places is None


def test_a_movie_takes_the_place_of_one_of_its_name(rng: np.random.Generator) -> None:
    first, again, other = movie("a", 2, rng), movie("a", 5, rng), movie("b", 3, rng)
    assert [m.name for m in with_movie([first], other)[0]] == ["a", "b"]
    movies, replaced = with_movie([first, other], again)
    assert replaced
    assert [len(m) for m in movies] == [3, 5]


def test_files_that_are_no_kept_cells(tmp_path: Path, rng: np.random.Generator) -> None:
    with pytest.raises(InvalidInput, match="There is no file"):
        read_kept(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", images=np.zeros((2, 4, 4)), label=["a", "b"])
    assert not is_kept(tmp_path / "other.npz")
    with pytest.raises(InvalidInput, match="no file of cells kept for training"):
        read_kept(tmp_path / "other.npz")
    path = write_kept(tmp_path / "kept.npz", [movie("a", 3, rng)])
    arrays = dict(np.load(path))
    for name, value, told in (
        ("label", arrays["label"][:2], "'label' has 2 rows"),
        ("measured", np.array(["by eye"]), "said to be 'by eye'"),
        ("images", np.full_like(arrays["images"], np.nan), "NaN"),
    ):
        np.savez(tmp_path / "bad.npz", **{**arrays, name: value})
        with pytest.raises(InvalidInput, match=f"is damaged .*{told}"):
            read_kept(tmp_path / "bad.npz")
    with pytest.raises(InvalidInput, match=r"end the file name in .npz"):
        write_kept(tmp_path / "kept.csv", [movie("a", 3, rng)])
    small = replace(movie("b", 3, rng), model_diameter=20.0)
    with pytest.raises(InvalidInput, match="models of different crops"):
        write_kept(tmp_path / "kept.npz", [movie("a", 3, rng), small])
    assert len(read_kept(path)) == 1, "what was there is there"


def test_segmentations_are_kept_for_the_movies_that_have_some(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    regions = rng.integers(0, 3, (2, 64, 64)).astype(np.int32)
    movies = [movie("a", 1, rng), replace(movie("b", 2, rng), regions=regions)]
    without, found = read_kept(write_kept(tmp_path / "kept.npz", movies))
    assert without.regions is None
    assert found.regions is not None
    np.testing.assert_array_equal(found.regions, regions)
