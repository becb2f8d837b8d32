"""Ready-made crops with labels: NumPy archives such as ``mitocheck_crops.npz``."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.errors import InvalidInput


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
    file = Path(path)
    try:
        # opened here, because np.load leaves a broken file open
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            missing = [name for name in ("images", label, group) if name not in archive]
            if missing:
                raise InvalidInput(
                    f"{file} has no array '{missing[0]}'; it has {', '.join(archive) or 'none'}."
                )
            images, labels, groups = archive["images"], archive[label], archive[group]
    except FileNotFoundError:
        raise InvalidInput(f"{file} does not exist.") from None
    except InvalidInput:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as fault:
        raise InvalidInput(f"{file} is no archive of plain NumPy arrays ({fault}).") from None
    if images.ndim != 3 or not len(images):
        raise InvalidInput(
            f"'images' in {file} has the shape {images.shape}; (crops, rows, columns) is expected."
        )
    for name, values in ((label, labels), (group, groups)):
        if values.shape != (len(images),):
            raise InvalidInput(
                f"'{name}' in {file} has the shape {values.shape}; one value for each of the "
                f"{len(images)} images is expected."
            )
    if not np.issubdtype(images.dtype, np.number) or not np.isfinite(images).all():
        raise InvalidInput(f"'images' in {file} holds values that are no finite numbers.")
    return images, labels, groups
