"""Many points as one picture, so that a hundred thousand of them are drawn at once. No Qt here."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def stamp(size: int) -> npt.NDArray[np.intp]:
    """Offsets (n, 2) of y and x of the pixels of a disc, ``size`` px wide."""
    at = np.arange(size) - size // 2
    inside = np.hypot(*np.meshgrid(at, at, indexing="ij")) <= size / 2
    return np.argwhere(inside) - size // 2


def raster(
    yx: npt.NDArray[np.floating],
    colors: npt.NDArray[np.uint8],
    shape: tuple[int, int],
    size: int,
    seed: int = 0,
) -> npt.NDArray[np.uint8]:
    """Draw points into a transparent picture.

    Parameters
    ----------
    yx
        (n, 2) places in px; those outside are left out.
    colors
        (n, 4) red, green, blue and opacity.
    shape
        (H, W) of the picture, px.
    size
        Width of a point, px.
    seed
        Of the order in which points cover each other, so that no class lies above another.

    Returns
    -------
    (H, W, 4) uint8.
    """
    height, width = shape
    picture = np.zeros((height, width, 4), np.uint8)
    order = np.random.default_rng(seed).permutation(len(yx))
    # pale points never cover full ones
    order = order[np.argsort(colors[order, 3], kind="stable")]
    at, ink = np.rint(yx[order]).astype(np.intp), colors[order]
    for offset in stamp(size):
        y, x = (at + offset).T
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        picture[y[inside], x[inside]] = ink[inside]
    return picture
