"""Pairs of latents that rotate together when the cell is rotated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float64Array, Progress, silent
from napari_interpdisc.crops import normalise
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.patches import diagonal_middle, middle

ROTATIONS = 8
"""Crops are rotated in steps of 360° / 8 = 45°."""

ROTATED_CELLS = 400
"""Cells that are rotated, drawn at random if there are more."""

ORDERS = (1, 2, 3)
"""Times that a pair of latents can go round while the cell rotates once; 45° tell no more."""

PAIR_SCORE = 0.7
"""Two latents are a rotating pair from this score on."""

WOBBLE = 0.25
"""A pair whose sum of squares changes more than this, when cells rotate, is not stored as one."""


@dataclass(frozen=True)
class RotatingPair:
    """Two latents that rotate together when the cell rotates.

    Attributes
    ----------
    a, b
        Their numbers, a < b.
    order
        Times that (z_a, z_b) goes round while the cell rotates once: 2 for an axis (an orientation
        pair), 1 for a direction.
    score
        Agreement with such a rotation, the mean over 45° to 180°: at most 1, 0 for unrelated
        latents.
    wobble
        Variance of z_a² + z_b² when a cell is rotated, relative to its variance over cells: 0 where
        the sum of squares does not change at all.
    cells
        Cells that were rotated.
    """

    a: int
    b: int
    order: int
    score: float
    wobble: float
    cells: int


def find_rotating_pairs(
    model: CellModel,
    crops: npt.NDArray[Any],
    least: float = PAIR_SCORE,
    cells: int = ROTATED_CELLS,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[RotatingPair, ...]:
    """Find pairs of latents that rotate together when crops are rotated about their centre.

    Rotations by 90° are exact; those by 45° interpolate between pixels, once. All eight rotated
    pictures of a cell count alike, so that it does not matter how the cells happen to lie.

    Parameters
    ----------
    model
        Whose encoder is looked into.
    crops
        (N, P, P) or (N, 1, P, P) pictures of cells at the model's diameter, of any range. Wider
        ones than the model's crops (P ≥ √2 S) have real pixels in their corners when they are
        rotated; of others the corners show their mean.
    least
        Lowest score of a pair, 0–1.
    cells, seed
        Crops that are rotated at most, drawn at random, and the seed of that.
    progress
        Called with (rotations done, rotations in all).

    Returns
    -------
    Pairs of any order, by falling score; no latent is in two of them.

    Raises
    ------
    InvalidInput
        If there are fewer than two crops, or they are not square or smaller than the model's.
    """
    pictures = np.asarray(crops)
    if pictures.ndim == 4 and pictures.shape[1] == 1:
        pictures = pictures[:, 0]
    if pictures.ndim != 3 or pictures.shape[1] != pictures.shape[2] or len(pictures) < 2:
        raise InvalidInput(
            f"The crops have the shape {pictures.shape}; (number, side, side) was expected."
        )
    if pictures.shape[1] < model.crop_size or (pictures.shape[1] - model.crop_size) % 2:
        raise InvalidInput(
            f"The crops are {pictures.shape[1]} px wide; the model's are {model.crop_size} px: "
            "give crops of that side, or wider ones by an even number of pixels."
        )
    if len(pictures) > cells:
        rows = np.random.default_rng(seed).choice(len(pictures), cells, replace=False)
        pictures = pictures[np.sort(rows)]
    rotated = _rotated_latents(model, pictures.astype(np.float32), progress)
    return rotating_pairs_of(rotated, least)


def _rotated_latents(
    model: CellModel, pictures: npt.NDArray[np.float32], progress: Progress
) -> Float64Array:
    """Latents (ROTATIONS, N, L) of pictures rotated by 0°, 45°, …."""
    straight = middle(pictures, model.crop_size)
    diagonal = diagonal_middle(pictures, model.crop_size)
    found = []
    for step in range(ROTATIONS):
        crops = np.rot90(diagonal if step % 2 else straight, step // 2, axes=(1, 2))
        found.append(model.encode(normalise(np.ascontiguousarray(crops))[:, None])[0])
        progress(step + 1, ROTATIONS)
    return np.asarray(found, np.float64)


def rotating_pairs_of(
    rotated: npt.NDArray[Any], least: float = PAIR_SCORE
) -> tuple[RotatingPair, ...]:
    """Pairs of latents that rotate together, from latents of rotated pictures.

    C(α) is the correlation between the latents of pictures that are α apart. A pair of order k that
    rotates in the sense s = ±1 has C_aa = C_bb = cos kα and C_ab = −C_ba = s · sin kα. Its score is
    the mean over α = 45°, 90°, 135°, 180° of cos kα (C_aa + C_bb) / 2 + s sin kα (C_ab − C_ba) / 2.

    Parameters
    ----------
    rotated
        (8, N, L) latents of N cells rotated by 0°, 45°, … 315°.
    least
        Lowest score of a pair.
    """
    z = np.asarray(rotated, np.float64)
    rotates, cells, n = z.shape
    flat = z.reshape(-1, n)
    spread = flat.std(0)
    alive = spread > 1e-9
    unit = (z - flat.mean(0)) / np.where(alive, spread, 1)
    best = np.full((n, n), -np.inf)
    order = np.zeros((n, n), np.int64)
    steps = range(1, rotates // 2 + 1)
    shifted = [
        np.einsum("tni,tnj->ij", np.roll(unit, -k, 0), unit) / (rotates * cells) for k in steps
    ]
    for k in ORDERS:
        angles = [2 * np.pi * k * step / rotates for step in steps]
        own = np.mean(
            [np.cos(a) * np.diag(c) for a, c in zip(angles, shifted, strict=True)], axis=0
        )
        cross = np.mean(
            [np.sin(a) * (c - c.T) / 2 for a, c in zip(angles, shifted, strict=True)], axis=0
        )
        score = (own[:, None] + own[None, :]) / 2 + np.abs(cross)
        better = score > best
        best, order = np.where(better, score, best), np.where(better, k, order)
    best[~alive] = -np.inf
    best[:, ~alive] = -np.inf
    found: list[RotatingPair] = []
    first, second = np.triu_indices(n, 1)
    taken: set[int] = set()
    for at in np.argsort(-best[first, second], kind="stable"):
        a, b = int(first[at]), int(second[at])
        if best[a, b] < least:
            break
        if taken & {a, b}:
            continue
        taken |= {a, b}
        squares = z[:, :, a] ** 2 + z[:, :, b] ** 2
        wobble = float(squares.var(0).mean() / max(float(squares.mean(0).var()), 1e-12))
        found.append(RotatingPair(a, b, int(order[a, b]), float(best[a, b]), wobble, cells))
    return tuple(found)
