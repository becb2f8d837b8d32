"""Cells from masks of the Cell Tracking Challenge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.tracks import read_cells


def masks() -> np.ndarray:
    """Track 1 divides into 2 and 3 after its first frame."""
    planes = np.zeros((2, 10, 20), np.uint16)
    planes[0, 2:5, 2:5] = 1
    planes[1, 2:5, 2:5] = 2
    planes[1, 6:9, 12:15] = 3
    return planes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of masks and their table."""
    made = tmp_path / "TRA"
    made.mkdir()
    for t, plane in enumerate(masks()):
        tifffile.imwrite(made / f"man_track{t:03d}.tif", plane)
    (made / "man_track.txt").write_text("1 0 0 0\n2 1 1 1\n3 1 1 1\n")
    return made


@pytest.mark.parametrize("what", ["", "man_track.txt", ".."])
def test_the_folder_and_its_table_are_the_same(folder: Path, what: str) -> None:
    cells = read_cells(folder / what)
    np.testing.assert_array_equal(cells.t, [0, 1, 1])
    np.testing.assert_array_equal(cells.track_id, [1, 2, 3])
    np.testing.assert_array_equal(cells.yx, [[3, 3], [3, 3], [7, 13]])
    np.testing.assert_array_equal(cells.extra["parent_id"], [0, 1, 1])
    assert cells.graph == {2: (1,), 3: (1,)}
    assert "masks of the Cell Tracking Challenge" in cells.taken.sentence


def test_the_masks_of_a_tracker_and_a_stack(tmp_path: Path) -> None:
    (tmp_path / "res_track.txt").write_text("1 0 0 0\n2 1 1 1\n")
    tifffile.imwrite(tmp_path / "masks.tif", masks(), metadata={"axes": "TYX"})
    cells = read_cells(tmp_path / "res_track.txt")
    np.testing.assert_array_equal(cells.track_id, [1, 2, 3])
    assert cells.graph == {2: (1,)}
    assert "1 labels that the table does not list" in cells.taken.sentence


def test_masks_without_a_table(folder: Path) -> None:
    (folder / "man_track.txt").unlink()
    cells = read_cells(folder)
    np.testing.assert_array_equal(cells.track_id, [1, 2, 3])
    assert "no table of tracks, so labels are taken for tracks" in cells.taken.sentence


def test_what_is_missing_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"mask of one frame; give the folder .*TRA, or its"):
        read_cells(folder / "man_track001.tif")
    (folder / "man_track.txt").write_text("1 0 0\n")
    with pytest.raises(InvalidInput, match="each line has four numbers"):
        read_cells(folder)
    alone = tmp_path / "man_track.txt"
    alone.write_text("1 0 0 0\n")
    with pytest.raises(InvalidInput, match="are no masks, one for each frame"):
        read_cells(alone)
    tifffile.imwrite(tmp_path / "mask000.tif", np.zeros((2, 4, 4), np.uint8))
    with pytest.raises(InvalidInput, match=r"has shape \(2, 4, 4\) .* in two axes"):
        read_cells(alone)
    tifffile.imwrite(tmp_path / "mask000.tif", np.zeros((4, 4), np.uint8))
    with pytest.raises(InvalidInput, match="hold no cells"):
        read_cells(alone)


def test_a_damaged_mask_costs_its_cells_only(tmp_path: Path) -> None:
    for t in range(3):
        tifffile.imwrite(tmp_path / f"mask{t:03}.tif", np.eye(9, dtype=np.uint16), compression=8)
    (tmp_path / "res_track.txt").write_text("1 0 2 0\n")
    (tmp_path / "mask001.tif").write_bytes((tmp_path / "mask001.tif").read_bytes()[:200])
    cells = read_cells(tmp_path)
    assert cells.t.tolist() == [0, 2]
    assert "1 mask is damaged" in cells.taken.notes[-1]
    for t in (0, 2):
        (tmp_path / f"mask{t:03}.tif").write_bytes(b"")
    with pytest.raises(InvalidInput, match=r"mask002.tif is empty"):
        read_cells(tmp_path)
