from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.simulate.movie import SimulationSettings, simulate_movie
from napari_interpdisc.training.encoder.sources import read_sources

FRAMES = """
[[source]]
name = "frames"
frames = "frames/*.tif"
small_often = 3.0
"""
CROPS = """
[[source]]
name = "crops"
crops = "crops.npz"
diameter = 26.8
group = "plate"
leave_out = ["Hole"]
often = ["Metaphase"]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of two frames with instance masks, one with hardly any, and of crops."""
    root = tmp_path_factory.mktemp("sources")
    movie = simulate_movie(SimulationSettings(shape=(2, 200, 200), cells=9, seed=1))
    (root / "frames").mkdir()
    for t in range(2):
        both = np.stack([movie.image[t], movie.labels[t].astype(np.uint16)])
        tifffile.imwrite(root / f"frames/f{t}.tif", both, metadata={"axes": "CYX"}, imagej=True)
    lonely = np.where(movie.labels[0] == movie.labels[0].max(), 1, 0).astype(np.uint16)
    tifffile.imwrite(
        root / "frames/f2.tif", np.stack([movie.image[0], lonely]), metadata={"axes": "CYX"},
        imagej=True,
    )  # fmt: skip
    draw = np.random.default_rng(0)
    label = np.array(["Interphase"] * 30 + ["Metaphase"] * 6 + ["Hole"] * 4)
    images = draw.integers(0, 255, (40, 64, 64)).astype(np.uint8)
    np.savez(root / "crops.npz", images=images, label=label, plate=np.arange(40) // 8)
    (root / "sources.toml").write_text(FRAMES + CROPS)
    return root


def test_frames_give_every_nucleus_and_small_ones_more_often(folder: Path) -> None:
    frames, _ = read_sources(folder / "sources.toml", folder, 28.0, 64)
    masks = [tifffile.imread(folder / f"frames/f{t}.tif")[1] for t in range(2)]
    areas = [np.bincount(mask.ravel())[1:] for mask in masks]
    areas = [a[a > 30] for a in areas]
    # the frame with one nucleus tells no typical diameter
    assert len(frames.patches) == sum(map(len, areas))
    assert frames.group.tolist() == [0] * len(areas[0]) + [1] * len(areas[1])
    assert frames.group_name == "frame"
    assert frames.weight is not None
    small = np.concatenate([a < 0.75 * np.median(a) for a in areas])
    rare = np.concatenate([np.full(len(a), 1 / np.sqrt(len(a))) for a in areas])
    np.testing.assert_allclose(frames.weight, np.where(small, 3.0, 1.0) * rare)


def test_crops_are_drawn_equally_often_of_each_label(folder: Path) -> None:
    _, crops = read_sources(folder / "sources.toml", folder, 28.0, 64)
    assert len(crops.patches) == 36
    assert crops.group_name == "plate"
    assert crops.weight is not None
    interphase, metaphase = crops.weight[:30].sum(), crops.weight[30:].sum()
    assert metaphase == pytest.approx(2 * interphase)


def test_a_source_is_left_out(folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = read_sources(
        folder / "sources.toml", folder, 28.0, 64, ["frames"], lambda *p: seen.append(p)
    )
    assert [source.name for source in found] == ["crops"]
    assert seen == [(1, 1)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[source]]\nname = "x"\n', "source 'x' needs either crops or frames"),
        ('[[source]]\nname = "x"\ncrops = "crops.npz"\n', "source 'x' need a diameter"),
        ('[[source]]\nname = "x"\nframes = "none/*.tif"\n', "No file fits 'none/"),
        ("[[source]]\nname = 'x'\nframe = 'y'\n", "setting 'source.0.frame'"),
        ("source = 3 =", "is not a TOML file"),
    ],
)
def test_files_that_cannot_be_used(folder: Path, tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(text)
    with pytest.raises(InvalidInput, match=told):
        read_sources(file, folder, 28.0, 64)


def test_a_name_to_leave_out_must_be_known(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="has no source 'other'; it has frames, crops"):
        read_sources(folder / "sources.toml", folder, 28.0, 64, ["other"])


def test_masks_are_found_where_they_are_asked_for(folder: Path) -> None:
    plain = read_sources(folder / "sources.toml", folder, 28.0, 64)
    assert all(source.masks is None for source in plain)
    frames, crops = read_sources(folder / "sources.toml", folder, 28.0, 64, masks=True)
    for source, bare in zip((frames, crops), plain, strict=True):
        assert source.masks is not None
        assert source.masks.shape == source.patches.shape
        np.testing.assert_array_equal(source.patches, bare.patches)
    # the instance masks of the frames: one nucleus each, of about 28 px and a rim
    assert frames.masks is not None
    areas = (frames.masks > 127).sum((1, 2))
    assert np.median(areas) == pytest.approx(np.pi * (14 + 3) ** 2, rel=0.25)
    centre = frames.masks[:, 44:52, 44:52]
    assert np.median(centre) == 255


def test_shares_are_read_and_1_if_they_are_not_named(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(FRAMES + "share = 0.5\n" + CROPS)
    assert [s.share for s in read_sources(file, folder, 28.0, 64)] == [0.5, 1.0]
    file.write_text(CROPS + "share = 0\n")
    with pytest.raises(InvalidInput, match=r"'source\.0\.share' that cannot be used"):
        read_sources(file, folder, 28.0, 64)


def test_without_groups_each_cell_is_its_own(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(CROPS.replace('group = "plate"', 'group = ""'))
    (crops,) = read_sources(file, folder, 28.0, 64)
    assert crops.group_name == "cell"
    assert sorted(crops.group) == list(range(36))
    (plates,) = read_sources(folder / "sources.toml", folder, 28.0, 64, ["frames"])
    np.testing.assert_array_equal(crops.patches, plates.patches)
    np.testing.assert_array_equal(crops.weight, plates.weight)


def test_sources_know_which_outlines_are_known(folder: Path, tmp_path: Path) -> None:
    frames, crops = read_sources(folder / "sources.toml", folder, 28.0, 64, masks=True)
    assert frames.outlined is not None
    # the frames' instance masks are believed
    assert frames.outlined.shape == (len(frames.patches),)
    assert frames.outlined.all()
    # noise has no outline, a disc has
    assert crops.outlined is not None
    assert not crops.outlined.any()
    images = np.random.default_rng(1).integers(0, 255, (20, 64, 64)).astype(np.float32)
    rows, cols = np.mgrid[:64, :64] - 31.5
    images[::2] = ndimage.gaussian_filter(200.0 * (np.hypot(rows, cols) < 13), 1)
    np.savez(tmp_path / "half.npz", images=images, label=np.array(["any"] * 20))
    file = tmp_path / "sources.toml"
    file.write_text('[[source]]\nname = "half"\ncrops = "half.npz"\ndiameter = 26.8\ngroup = ""\n')
    (half,) = read_sources(file, tmp_path, 28.0, 64, masks=True)
    assert half.outlined is not None
    assert half.outlined.tolist() == [True, False] * 10
    (plain,) = read_sources(file, tmp_path, 28.0, 64)
    assert plain.outlined is plain.masks is None


@pytest.mark.parametrize("pattern", ["", "/a/*.tif", "a**/b.tif"])
def test_a_pattern_that_is_none_is_refused(tmp_path: Path, pattern: str) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(f'[[source]]\nname = "one"\nframes = "{pattern}"\n', "utf-8")
    with pytest.raises(InvalidInput, match="The frames of 'one' are no pattern of files"):
        read_sources(path, tmp_path, 28.0, 64)
