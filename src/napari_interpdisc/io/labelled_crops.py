"""Ready-made crops with labels: NumPy archives such as ``mitocheck_crops.npz``."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.guarded_files import check_archive, one_sentence


def read_labelled_crops(
    path: str | Path, label: str = "label", group: str = "plate"
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Images (N, H, W), labels (N,) and groups (N,) of an ``.npz`` archive.

    Parameters
    ----------
    path
        Archive with the arrays ``images``, ``label`` and ``group``.
    label, group
        Names of the arrays that hold the class and the group (plate, track) of each crop.

    Raises
    ------
    InvalidInput
        If the file cannot be read, lacks an array, or its arrays do not fit each other.
    """
    images, labels, groups = _read_arrays(Path(path), ("images", label, group))
    return images, labels, groups


def read_crops(path: str | Path, group: str | None = None) -> tuple[npt.NDArray[Any], ...]:
    """Images (N, H, W) of an ``.npz`` archive, and the groups (N,) if ``group`` names them.

    Raises
    ------
    InvalidInput
        As :func:`read_labelled_crops`.
    """
    return _read_arrays(Path(path), ("images",) if group is None else ("images", group))


def read_number(path: str | Path, name: str) -> float:
    """The one number of an array of an ``.npz`` archive.

    Raises
    ------
    InvalidInput
        If the file cannot be read, or the array is no single number.
    """
    file = Path(path)
    with _opened(file) as archive:
        value = archive[name]
    if value.size != 1 or value.dtype.kind not in "buif":
        raise InvalidInput(f"'{name}' in {file} is no single number; store one.")
    return float(value.reshape(-1)[0])


def array_names(path: str | Path) -> list[str]:
    """Names of the arrays in an ``.npz`` archive; none if it cannot be read as one."""
    if not Path(path).is_file():
        return []
    try:
        with Path(path).open("rb") as stream, zipfile.ZipFile(stream) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return []


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """An ``.npz`` archive whose arrays are read within; any fault there is one sentence."""
    if not file.exists():
        raise InvalidInput(f"{file} does not exist.")
    with one_sentence(file, "an archive of plain NumPy arrays"):
        check_archive(file)
        # opened here, because np.load leaves a broken file open
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            yield archive


def _read_arrays(file: Path, names: tuple[str, ...]) -> tuple[npt.NDArray[Any], ...]:
    """Read ``images`` and arrays of one value for each of them."""
    with _opened(file) as archive:
        missing = [name for name in names if name not in archive]
        if missing:
            raise InvalidInput(
                f"{file} has no array '{missing[0]}'; it has {', '.join(archive) or 'none'}."
            )
        images, *others = (archive[name] for name in names)
    if images.ndim != 3 or not len(images):
        raise InvalidInput(
            f"'images' in {file} has the shape {images.shape}; (crops, rows, columns) is expected."
        )
    for name, values in zip(names[1:], others, strict=True):
        if values.shape != (len(images),):
            raise InvalidInput(
                f"'{name}' in {file} has the shape {values.shape}; one value for each of the "
                f"{len(images)} images is expected."
            )
    if images.dtype.kind not in "buif":
        raise InvalidInput(
            f"'images' in {file} has values of type {images.dtype}; give integers or floats."
        )
    if not np.isfinite(images).all():
        raise InvalidInput(f"'images' in {file} holds NaN or infinite pixels; replace them first.")
    return images, *others
