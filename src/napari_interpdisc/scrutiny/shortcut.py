"""The shortcut index: can surroundings change a class more easily than the cell (paper, Fig. 10).

The paper freezes the latents of the cell and attacks the others. Here both sides are attacked, one
at a time, and the smallest ε that changes the class is compared cell by cell.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import BoolArray, Float64Array
from napari_interpdisc.bootstrap import mean_interval
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.scrutiny.attacks import smallest_latent_flips
from napari_interpdisc.scrutiny.composites import among_others
from napari_interpdisc.scrutiny.segmented import SegmentedCells

MAJORITY = 0.5
"""Share of a latent's variance, made by surroundings alone, from which it belongs to them: what
explains most of it."""

LEAST_KL = 0.1
"""Latents with a smaller KL on the training data, in nats, say nothing, and belong to neither."""

RANDOM_SPLITS = 10
"""Random splits of the latents that the index is compared with."""

WORST = 6

FEWEST = 20
"""Cells that it takes: which latents follow the surroundings is chance with fewer."""


@dataclass(frozen=True)
class Shortcut:
    """How the latents of cell and surroundings change the class, each with the others frozen.

    Attributes
    ----------
    surroundings
        Latents that follow the surroundings more than the cell.
    frozen_cell, free_cell
        (N,) smallest ε that changes the class with only these free, and with only the cell's free;
        inf where none up to 3 does.
    cell
        Latents that follow the cell more.
    share
        (L,) share of each latent's variance, 0–1 but for chance, that surroundings alone make.
    interval
        95 % interval of the index, groups drawn again.
    chance
        The index for random splits of the same latents into as many, on average: where the number
        of free latents alone decides.
    limit
        Index that is allowed.
    """

    surroundings: tuple[int, ...]
    frozen_cell: Float64Array
    free_cell: Float64Array
    cell: tuple[int, ...] = ()
    share: Float64Array = field(default_factory=lambda: np.zeros(0))
    interval: tuple[float, float] = (float("nan"), float("nan"))
    chance: float = float("nan")
    limit: float = 0.05

    @property
    def first(self) -> BoolArray:
        """(N,) whether surroundings change the class at a smaller ε than the cell."""
        return np.asarray(self.frozen_cell < self.free_cell)

    @property
    def index(self) -> float:
        """Share of cells, 0–1, whose class surroundings change at a smaller ε than the cell."""
        return float(self.first.mean())

    @property
    def reached(self) -> float:
        """Share of cells, 0–1, whose class surroundings change at ε ≤ 1, the cell frozen."""
        return float((self.frozen_cell <= 1).mean())

    @property
    def mixed(self) -> float:
        """Largest share of variance that surroundings make of a latent of the cell; 0 for none."""
        return float(self.share[list(self.cell)].max()) if self.cell and len(self.share) else 0.0

    @property
    def medians(self) -> tuple[float, float]:
        """Median ε of surroundings and of the cell."""
        return float(np.median(self.frozen_cell)), float(np.median(self.free_cell))

    @property
    def passed(self) -> bool:
        """Whether the index is within its limit."""
        return self.index <= self.limit

    @property
    def worst(self) -> tuple[int, ...]:
        """Rows of the cells whose class surroundings change at the smallest ε, smallest first."""
        rows = np.argsort(self.frozen_cell, kind="stable")[:WORST]
        return tuple(int(i) for i in rows if np.isfinite(self.frozen_cell[i]))

    def sentence(self) -> str:
        """Verdict in a sentence."""
        if not self.surroundings:
            return "shortcut: no latent follows the surroundings more than the cell: passed."
        around, own = (f"{e:.2f}" if np.isfinite(e) else "above 3" for e in self.medians)
        told = f"shortcut: surroundings change {100 * self.index:.1f} % of the classes"
        if np.isfinite(self.interval[0]):
            told += f" [{100 * self.interval[0]:.1f} %, {100 * self.interval[1]:.1f} %]"
        word = "at most" if self.passed else "but at most"
        return (
            f"{told} at a smaller ε than the cell does, {word} {100 * self.limit:g} % may: "
            f"{'passed' if self.passed else 'failed'} (median ε {around} for the "
            f"{len(self.surroundings)} latents of the surroundings, {own} for the {len(self.cell)} "
            f"of the cell; a random split of these latents gives {100 * self.chance:.1f} %). "
            f"Surroundings alone change {100 * self.reached:.1f} % at ε ≤ 1. Of a latent of the "
            f"cell, surroundings make up to {100 * self.mixed:.0f} % of the variance."
        )


def surroundings_share(cells: SegmentedCells, model: CellModel, seed: int = 0) -> Float64Array:
    """Share (L,) of each latent's variance over cells that surroundings alone make.

    Each cell is shown among two others' surroundings. Half of the mean squared difference of a
    latent is its variance for a given cell; the share is of its variance over all composites.

    Raises
    ------
    InvalidInput
        If there is one cell alone.
    """
    one, other = (
        model.encode(among_others(cells, 1.0, s).crops(model.crop_size))[0].astype(np.float64)
        for s in (seed, seed + 1)
    )
    whole = np.concatenate([one, other]).var(0)
    return np.asarray((0.5 * (one - other) ** 2).mean(0) / np.maximum(whole, 1e-12))


def measure_shortcut(
    cells: SegmentedCells,
    group: npt.NDArray[np.integer],
    model: CellModel,
    heads: list[str],
    limit: float,
    seed: int = 0,
) -> list[Shortcut]:
    """Attack the latents of cell and surroundings apart, for some heads of a model.

    Parameters
    ----------
    cells, group
        N cells whose nuclei are known, and the group (N,) of each.
    model, heads
        The model, and names of its heads.
    limit
        Index that is allowed.
    seed
        Decides which surroundings are shown, and the random splits.

    Raises
    ------
    InvalidInput
        If there is one cell alone.
    """
    share = surroundings_share(cells, model, seed)
    active = np.asarray(model.latent_kl) > LEAST_KL
    around, own = active & (share > MAJORITY), active & (share <= MAJORITY)
    draw = np.random.default_rng(seed)
    splits = [around, own]
    for _ in range(RANDOM_SPLITS):
        mixed = np.zeros_like(active)
        mixed[draw.choice(np.flatnonzero(active), int(around.sum()), replace=False)] = True
        splits += [mixed, active & ~mixed]
    z = model.encode(cells.patches.crops(model.crop_size))[0]
    found = []
    for head in heads:
        smallest = smallest_latent_flips(model, z, np.stack(splits), head)
        first = smallest[::2] < smallest[1::2]
        found.append(
            Shortcut(
                surroundings=tuple(int(i) for i in np.flatnonzero(around)),
                frozen_cell=smallest[0],
                free_cell=smallest[1],
                cell=tuple(int(i) for i in np.flatnonzero(own)),
                share=share,
                interval=mean_interval(first[0], group, seed),
                chance=float(first[1:].mean()),
                limit=limit,
            )
        )
    return found
