"""Maxima of a landscape that are no ripples: seeds of a watershed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_interpdisc._types import Float64Array, Int32Array

_EIGHT = np.ones((3, 3))
"""Pixels that touch by a corner belong together."""


def lasting_peaks(landscape: Float64Array, mask: npt.NDArray[np.bool_], depth: float) -> Int32Array:
    """Label the maxima inside a mask from which one must go down to reach a higher one.

    In each piece of the mask, the h-maxima of the landscape (the highest always counts). The
    pixels are flooded once and the basins joined at their passes, in the order of height: a
    grey reconstruction of the whole frame finds the same in five times as long.

    Parameters
    ----------
    landscape
        (Y, X) float.
    mask
        (Y, X) where maxima are looked for.
    depth
        How far one must go down, in the landscape's units.

    Returns
    -------
    (Y, X) int32, 0 outside of the maxima, 1 … n inside.
    """
    from skimage.morphology import local_maxima
    from skimage.segmentation import watershed

    inside = np.pad(mask, 1)  # so that a neighbour of a pixel inside is never past an edge
    ground = np.pad(landscape, 1)
    tops, n = ndimage.label(local_maxima(ground) & inside, _EIGHT)
    if n < 2:
        return np.asarray(tops[1:-1, 1:-1], dtype=np.int32)
    basins = watershed(-ground, tops, mask=inside).ravel()
    one, other, level = _passes(basins, ground.ravel(), inside.shape[1])
    summit = np.zeros(n + 1)
    summit[tops[tops > 0]] = ground[tops > 0]  # a maximum is level
    root = list(range(n + 1))

    def of(k: int) -> int:
        while root[k] != k:
            root[k] = root[root[k]]
            k = root[k]
        return k

    lasts = np.ones(n + 1, dtype=bool)
    lasts[0] = False
    for a, b, pass_level in zip(one.tolist(), other.tolist(), level.tolist(), strict=True):
        high, low = of(a), of(b)
        if high == low:
            continue
        if summit[high] < summit[low]:
            high, low = low, high
        root[low] = high
        lasts[low] = summit[low] - pass_level >= depth
    return np.asarray(ndimage.label(lasts[tops], _EIGHT)[0][1:-1, 1:-1], dtype=np.int32)


def _passes(
    basins: npt.NDArray[np.integer], ground: Float64Array, width: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Float64Array]:
    """Pairs of neighbouring basins and the highest pass between them, from high to low.

    Basins and ground are flattened pictures of that width whose border is 0.
    """
    inside = np.flatnonzero(basins)
    n = int(basins.max()) + 1
    pairs, levels = [], []
    for step in (1, width - 1, width, width + 1):
        here, there = basins[inside], basins[inside + step]
        border = (here != there) & (there > 0)
        low, high = np.minimum(here, there)[border], np.maximum(here, there)[border]
        pairs.append(low.astype(np.int64) * n + high)
        levels.append(np.minimum(ground[inside[border]], ground[inside[border] + step]))
    pair, level = np.concatenate(pairs), np.concatenate(levels)
    order = np.lexsort((-level, pair))
    pair, first = np.unique(pair[order], return_index=True)
    level = level[order][first]
    falling = np.argsort(-level, kind="stable")
    return pair[falling] // n, pair[falling] % n, level[falling]
