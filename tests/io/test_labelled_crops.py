from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.labelled_crops import array_names, read_labelled_crops, read_number

IMAGES = np.zeros((3, 8, 8), np.uint8)
LABELS = np.array(["a", "b", "a"])


def stored(folder: Path, **arrays: np.ndarray) -> Path:
    path = folder / "crops.npz"
    np.savez(path, **arrays)
    return path


def test_arrays_come_back(tmp_path: Path) -> None:
    path = stored(tmp_path, images=IMAGES, state=LABELS, well=np.arange(3))
    images, labels, groups = read_labelled_crops(path, "state", "well")
    assert images.shape == (3, 8, 8)
    assert labels.tolist() == ["a", "b", "a"]
    assert groups.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"images": IMAGES, "plate": np.arange(3)}, "no array 'label'; it has images, plate"),
        ({"images": IMAGES, "label": LABELS[:2], "plate": np.arange(3)}, "3 images"),
        ({"images": IMAGES[0], "label": LABELS, "plate": np.arange(3)}, "shape (8, 8)"),
        ({"images": np.full((3, 8, 8), np.nan), "label": LABELS, "plate": LABELS}, "NaN"),
        ({"images": np.full((3, 8, 8), "x"), "label": LABELS, "plate": LABELS}, "type <U1"),
        ({"images": IMAGES.astype(complex), "label": LABELS, "plate": LABELS}, "type complex"),
        ({"images": IMAGES, "label": LABELS.astype(object), "plate": LABELS}, "plain NumPy"),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, arrays: dict[str, np.ndarray], told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_labelled_crops(stored(tmp_path, **arrays))
    assert told in str(caught.value)


def test_images_of_two_values_are_read(tmp_path: Path) -> None:
    path = stored(tmp_path, images=IMAGES > 0, label=LABELS, plate=np.arange(3))
    assert read_labelled_crops(path)[0].dtype == bool


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="does not exist"):
        read_labelled_crops(tmp_path / "none.npz")
    for content in (b"", b"no archive", b"PK\x03\x04 broken"):
        (tmp_path / "odd.npz").write_bytes(content)
        with pytest.raises(InvalidInput, match="cannot be read as an archive"):
            read_labelled_crops(tmp_path / "odd.npz")
    np.save(tmp_path / "plain.npy", IMAGES)
    with pytest.raises(InvalidInput, match="cannot be read as an archive"):
        read_labelled_crops(tmp_path / "plain.npy")


def test_the_number_of_an_archive(tmp_path: Path) -> None:
    path = stored(tmp_path, diameter=np.float32(28), two=np.zeros(2), text=np.array("x"))
    assert read_number(path, "diameter") == 28.0
    for name in ("two", "text"):
        with pytest.raises(InvalidInput, match=f"'{name}' in .* is no single number"):
            read_number(path, name)
    path.write_bytes(path.read_bytes()[:90])
    with pytest.raises(InvalidInput, match="cannot be read as an archive"):
        read_number(path, "diameter")


@pytest.mark.skipif(os.name != "posix", reason="devices are files on POSIX alone")
def test_a_device_is_no_archive() -> None:
    assert array_names("/dev/zero") == []
    with pytest.raises(InvalidInput, match="/dev/zero is a device, where an archive is expected"):
        read_labelled_crops("/dev/zero")
