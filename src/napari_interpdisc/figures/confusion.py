"""A confusion matrix with pictures: what is called what."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from napari_interpdisc._types import Float32Array
from napari_interpdisc.figures.canvas import GREYS

ACROSS = 2
"""Pictures side by side in a field; it has as many below each other."""


def confusion_figure(
    crops: Float32Array,
    target: npt.NDArray[np.int64],
    called: npt.NDArray[np.int64],
    sureness: npt.NDArray[np.floating],
    classes: Sequence[str],
) -> Figure:
    """Draw up to four cells of each field of a confusion matrix, those called most surely.

    Parameters
    ----------
    crops
        (N, S, S) normalised crops.
    target, called
        (N,) labelled and called class position.
    sureness
        (N,) how sure each call is.
    classes
        Names of the K classes.
    """
    n = len(classes)
    figure = Figure(figsize=(1.75 * n + 0.8, 1.85 * n + 0.5), layout="constrained")
    grid = figure.subplots(n, n, squeeze=False)
    side = crops.shape[-1]
    for i in range(n):
        for j in range(n):
            axes = grid[i, j]
            rows = np.flatnonzero((target == i) & (called == j))
            shown = rows[np.argsort(-sureness[rows], kind="stable")][: ACROSS**2]
            field = np.full((ACROSS * side, ACROSS * side), np.nan)
            for place, row in enumerate(shown):
                y, x = divmod(place, ACROSS)
                field[y * side : (y + 1) * side, x * side : (x + 1) * side] = crops[row]
            axes.imshow(np.ma.masked_invalid(field), **GREYS)
            axes.set(xticks=[], yticks=[])
            axes.set_title(f"{len(rows)}", fontsize=8, pad=2)
            edge = "0.6" if i == j else "#D55E00"
            for spine in axes.spines.values():
                spine.set(color=edge, linewidth=1 if i == j else 2)
            if j == 0:
                axes.set_ylabel(classes[i], fontsize=8)
            if i == n - 1:
                axes.set_xlabel(classes[j], fontsize=8)
    figure.supxlabel("called", fontsize=9)
    figure.supylabel("labelled", fontsize=9)
    return figure
