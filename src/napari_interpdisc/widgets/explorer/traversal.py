"""What the strip of the explorer goes through: a latent, or one part of a pair. No Qt here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_interpdisc._types import Float32Array
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.number_text import with_sign
from napari_interpdisc.widgets.explorer.polar import cartesian

STEPS = 7
"""Pictures in the strip."""

VALUES = np.linspace(-3, 3, STEPS)
"""Of a latent."""

RADII = np.linspace(0, 3, STEPS)
ANGLES = np.linspace(-180, 180, STEPS)
"""Of an orientation pair; angles in degrees."""

Pair = tuple[int, int]


@dataclass(frozen=True)
class Traversal:
    """Values that some latents take one after the other, while all others are kept.

    Attributes
    ----------
    title
        What is gone through, with the name in bold.
    latents
        The latents that change.
    values
        (:data:`STEPS`, number of latents) what they become.
    labels
        How each step is written below its picture.
    """

    title: str
    latents: list[int]
    values: Float32Array
    labels: list[str]


def of_latent(model: CellModel, latent: int) -> Traversal:
    """One latent from −3 to 3."""
    return Traversal(
        f"Traversal of <b>{model.latent_label(latent)}</b>",
        [latent],
        VALUES.astype(np.float32)[:, None],
        [with_sign(value, 0) for value in VALUES],
    )


def of_pair(model: CellModel, pair: Pair, part: str, r: float, angle: float) -> Traversal:
    """The r of a pair from 0 to 3 at its ``angle``, or its α all around at its ``r``."""
    title = f"<b>{part}</b> of <b>{model.pair_label(*pair)}</b>"
    if part == "r":
        return Traversal(title, list(pair), cartesian(RADII, angle), [f"{r:g}" for r in RADII])
    rotated = cartesian(np.full(STEPS, r), ANGLES)
    return Traversal(title, list(pair), rotated, [f"{with_sign(a, 0)}°" for a in ANGLES])
