"""The scorecard of domain constraints: does a model look at what matters (paper §3.1).

Every test changes something that must not matter, and counts how often the class changes: what
surrounds the cell, how it is rotated, noise, where the crop lies, and how the image was stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from scipy import ndimage

from napari_interpdisc._types import BoolArray, Float32Array, Float64Array, Progress, silent
from napari_interpdisc.crops import normalise
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel, class_index
from napari_interpdisc.patches import Patches, middle
from napari_interpdisc.scrutiny.attacks import AttackSettings, signed_margin, smallest_flip
from napari_interpdisc.scrutiny.composites import (
    Segmentation,
    SegmentedCells,
    among_others,
    backgrounds,
    on_background,
    with_neighbour,
)

if TYPE_CHECKING:
    import pandas as pd

TARGET, ORIENTATION, NOISE, PLACE, STORAGE = (
    "only the target cell",
    "orientation",
    "noise",
    "position and scale",
    "how the image was stored",
)
"""The constraints."""

DRAWS = 1000
WORST = 6
"""Cells that are kept of each test, those whose score changes most."""

SURROUNDINGS = 0.1
"""Share of a latent's variance that new surroundings make, from which it follows them."""


class ScorecardSettings(BaseModel):
    """Strength of the changes, and the share of changed classes that is allowed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    brightness: tuple[float, ...] = Field((0.5, 1.0, 2.0), title="Brightness of other surroundings")
    distances: tuple[float, ...] = Field((1.0, 4.0, 8.0), title="Gap to a pasted neighbour (px)")
    angles: int = Field(24, title="Rotations by any angle", ge=1)
    snr: tuple[float, ...] = Field(
        (20.0, 10.0, 5.0), title="Height of the nucleus over the standard deviation of noise"
    )
    shifts: tuple[float, ...] = Field((1.0, 2.0, 4.0), title="Errors of the centroid (px)")
    diameters: tuple[float, ...] = Field(
        (0.7, 0.8, 0.9, 1.1, 1.2, 1.3), title="Factors on the diameter"
    )
    blurs: tuple[float, ...] = Field((0.5, 1.0, 1.5), title="Blur (σ, px)")
    gradients: tuple[float, ...] = Field((0.2, 0.4), title="Change of illumination over the crop")
    shortcut: bool = Field(True, title="Attack the latents of cell and surroundings apart")
    target_limit: float = Field(0.01, title="Allowed for other surroundings", ge=0, le=1)
    orientation_limit: float = Field(0.01, title="Allowed for rotations and mirrors", ge=0, le=1)
    noise_limit: float = Field(
        0.01, title="Allowed for noise at an SNR of 10 and above", ge=0, le=1
    )
    place_limit: float = Field(
        0.02, title="Allowed for ± 2 px, ± 10 %, blur of 1 px, light of ± 20 %", ge=0, le=1
    )
    seed: int = Field(0, title="Seed")


@dataclass(frozen=True)
class Test:
    """One change that must not matter.

    Attributes
    ----------
    constraint, name
        What it belongs to, and what is changed.
    limit
        Share of changed classes that is allowed; None where nothing is asked.
    variants
        Makes the changed crops, each (N, 1, S, S) and normalised.
    """

    constraint: str
    name: str
    limit: float | None
    variants: Sequence[Callable[[], Float32Array]]


@dataclass(frozen=True)
class ScoreRow:
    """What one change did to N cells.

    Attributes
    ----------
    constraint, name, limit
        As in :class:`Test`.
    changed
        Share of cells, 0–1, whose class changes, over all variants.
    interval
        Its 95 % bootstrap interval, groups drawn again.
    of_class
        The same for the cells of each class, by the class before; NaN where there are none.
    clean, crowded
        The same for cells with room around them and for crowded ones; NaN where there are none.
    score_change
        Mean |Δ| of the score on the side of the class before.
    worst
        Rows of the cells whose score falls most, worst first.
    worst_crops
        (W, 1, S, S) the changed crops of these.
    """

    constraint: str
    name: str
    limit: float | None
    changed: float
    interval: tuple[float, float]
    of_class: dict[str, float]
    clean: float
    crowded: float
    score_change: float
    worst: tuple[int, ...]
    worst_crops: Float32Array

    @property
    def passed(self) -> bool | None:
        """Whether it is within its limit; None if nothing is asked."""
        return None if self.limit is None else self.changed <= self.limit

    def sentence(self) -> str:
        """Verdict in a sentence."""
        told = f"{self.name}: {self.changed:.1%} of the classes change"
        told += f" [{self.interval[0]:.1%}, {self.interval[1]:.1%}]"
        if self.limit is None:
            return told + "."
        word = "at most" if self.passed else "but at most"
        return f"{told}, {word} {self.limit:.0%} may: {'passed' if self.passed else 'failed'}."


@dataclass(frozen=True)
class Shortcut:
    """Whether the class can change while the latents of the cell stay (paper, Fig. 10).

    Attributes
    ----------
    surroundings
        Latents that follow the surroundings.
    frozen_cell, free_cell
        (N,) smallest ε that changes the class with only these free, and with only the others free;
        inf where none up to 3 does.
    """

    surroundings: tuple[int, ...]
    frozen_cell: Float64Array
    free_cell: Float64Array

    @property
    def index(self) -> float:
        """Share of cells, 0–1, whose class changes at ε ≤ 1 while the cell's latents stay."""
        return float((self.frozen_cell <= 1).mean())


@dataclass(frozen=True)
class Scorecard:
    """All tests of one head.

    Attributes
    ----------
    model, head, classes
        What was tested.
    rows
        The tests, in order.
    cells, left_out, groups
        Numbers of cells that were tested, of those without a reliable mask, and of groups.
    calls
        Number of cells of each class.
    shortcut
        Attacks on the latents of cell and surroundings; None if they were not asked for.
    remark
        What makes the whole meaningless, such as a head that calls all cells alike; or empty.
    """

    model: str
    head: str
    classes: tuple[str, ...]
    rows: tuple[ScoreRow, ...]
    cells: int
    left_out: int
    groups: int
    calls: dict[str, int]
    shortcut: Shortcut | None
    remark: str = ""

    @property
    def failed(self) -> list[ScoreRow]:
        """Tests beyond their limit, worst first."""
        return sorted((r for r in self.rows if r.passed is False), key=lambda r: -r.changed)

    def to_frame(self) -> pd.DataFrame:
        """One row per test, its figures as plain columns."""
        import pandas as pd

        return pd.DataFrame([_plain(self, row) for row in self.rows])

    def sentences(self) -> list[str]:
        """What was found, worst first."""
        asked = [row for row in self.rows if row.passed is not None]
        told = [self.remark] if self.remark else []
        told += [
            f"{self.head} of {self.model}: {len(asked) - len(self.failed)} of {len(asked)} tests "
            f"passed on {self.cells} cells ({self.left_out} without a reliable mask left out)."
        ]
        told += [f"{row.constraint}: {row.sentence()}" for row in self.failed]
        if self.shortcut is not None:
            told.append(_shortcut_sentence(self.shortcut))
        return told


def markdown(cards: Sequence[Scorecard]) -> str:
    """Table of changed classes, %, with 95 % intervals: tests by heads; bold beyond the limit."""
    lines = [
        "| constraint | what is changed | allowed | " + " | ".join(c.head for c in cards) + " |",
        "|---" * (3 + len(cards)) + "|",
    ]
    for n, row in enumerate(cards[0].rows):
        allowed = "–" if row.limit is None else f"{100 * row.limit:g}"
        told = [_share(card.rows[n]) for card in cards]
        lines.append(f"| {row.constraint} | {row.name} | {allowed} | {' | '.join(told)} |")
    return "\n".join(lines) + "\n"


def _share(row: ScoreRow) -> str:
    low, high = row.interval
    told = f"{100 * row.changed:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
    return f"**{told}**" if row.passed is False else told


def _plain(card: Scorecard, row: ScoreRow) -> dict[str, Any]:
    of_class = {f"changed_{name}": value for name, value in row.of_class.items()}
    return {
        "head": card.head,
        "constraint": row.constraint,
        "test": row.name,
        "changed": row.changed,
        "low": row.interval[0],
        "high": row.interval[1],
        "limit": row.limit,
        "passed": row.passed,
        **of_class,
        "clean": row.clean,
        "crowded": row.crowded,
        "score_change": row.score_change,
    }


def _shortcut_sentence(found: Shortcut) -> str:
    if not found.surroundings:
        return "No latent follows the surroundings, so that they cannot change a class."
    names = ", ".join(f"z{i}" for i in found.surroundings)
    return (
        f"Latents that follow the surroundings ({names}) change {found.index:.0%} of the classes "
        f"at ε ≤ 1 while those of the cell stay; the others alone change "
        f"{float((found.free_cell <= 1).mean()):.0%}."
    )


def score_head(
    segmentation: Segmentation,
    groups: npt.NDArray[Any],
    model: CellModel,
    head: str | None = None,
    settings: ScorecardSettings | None = None,
    progress: Progress = silent,
) -> Scorecard:
    """Test one head against the domain constraints, on cells whose nucleus is known.

    Parameters
    ----------
    segmentation
        The cells, from :func:`napari_interpdisc.scrutiny.composites.segment_cells`.
    groups
        (N,) track, frame or plate of all cells that were segmented.
    model, head
        The model and the name of its head (the default one if None).
    settings
        Strength of the changes, and limits.
    progress
        Called with (variants tested, variants in all).

    Raises
    ------
    InvalidInput
        If there is one cell alone.
    """
    options = settings or ScorecardSettings()
    cells = segmentation.cells
    if len(cells) < 2:
        raise InvalidInput("The scorecard needs two cells at least; give more cells.")
    named = model.head(head)
    group = np.unique(np.asarray(groups)[segmentation.rows], return_inverse=True)[1]
    plain = cells.patches.crops(model.crop_size)
    before = model.score(model.encode(plain)[0], named.name)
    tests = list(all_tests(cells, model.crop_size, options))
    total, done = sum(len(test.variants) for test in tests), 0
    rows = []
    for test in tests:
        after = []
        for make in test.variants:
            crops = make()
            after.append((crops, model.score(model.encode(crops)[0], named.name)))
            done += 1
            progress(done, total)
        rows.append(_row(test, before, after, cells.crowded, group, named.classes, options.seed))
    called = class_index(before)
    calls = {name: int((called == k).sum()) for k, name in enumerate(named.classes)}
    shortcut = _shortcut(cells, model, named.name, options) if options.shortcut else None
    return Scorecard(
        model=model.name,
        head=named.name,
        classes=named.classes,
        rows=tuple(rows),
        cells=len(cells),
        left_out=segmentation.left_out,
        groups=int(group.max()) + 1,
        calls=calls,
        shortcut=shortcut,
        remark=_remark(calls, before),
    )


def _remark(calls: dict[str, int], scores: Float32Array) -> str:
    """A head that calls all cells alike passes everything, and is useless."""
    if len([n for n in calls.values() if n]) > 1:
        return ""
    name = next(name for name, n in calls.items() if n)
    same = " with the same score" if float(np.ptp(scores, axis=0).max()) < 1e-6 else ""
    return (
        f"The head calls every cell {name}{same}: what it passes here says nothing, so that on "
        "these cells it is useless."
    )


def _row(
    test: Test,
    before: Float32Array,
    after: Sequence[tuple[Float32Array, Float32Array]],
    crowded: BoolArray,
    group: npt.NDArray[np.int64],
    classes: tuple[str, ...],
    seed: int,
) -> ScoreRow:
    called = class_index(before)

    def margin(scores: Float32Array) -> Float32Array:
        chosen = torch.from_numpy(np.asarray(called, np.int64))
        return np.asarray(signed_margin(torch.from_numpy(scores), chosen).numpy())

    own = margin(before)
    flips = np.stack([class_index(scores) != called for _, scores in after])
    changes = np.stack([margin(scores) - own for _, scores in after])
    share = flips.mean(0)
    falls = changes.min(0)
    worst = np.argsort(falls, kind="stable")[:WORST]
    which = changes.argmin(0)
    return ScoreRow(
        constraint=test.constraint,
        name=test.name,
        limit=test.limit,
        changed=float(share.mean()),
        interval=mean_interval(share, group, seed),
        of_class={name: _mean(share[called == k]) for k, name in enumerate(classes)},
        clean=_mean(share[~crowded]),
        crowded=_mean(share[crowded]),
        score_change=float(np.abs(changes).mean()),
        worst=tuple(int(i) for i in worst),
        worst_crops=np.stack([after[which[i]][0][i] for i in worst]),
    )


def _mean(values: npt.NDArray[np.floating]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def mean_interval(
    values: npt.NDArray[np.floating], group: npt.NDArray[np.int64], seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of the mean of (N,) values when whole groups are drawn again."""
    n = int(group.max()) + 1
    sums, counts = np.bincount(group, values, n), np.bincount(group, minlength=n)
    times = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), DRAWS)
    means = (times @ sums) / np.maximum(times @ counts, 1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def all_tests(cells: SegmentedCells, size: int, options: ScorecardSettings) -> Iterator[Test]:
    """Every test of the settings, on crops of ``size`` px."""
    yield from _target_tests(cells, size, options)
    yield from _orientation_tests(cells, size, options)
    yield from _noise_tests(cells, size, options)
    yield from _place_tests(cells, size, options)
    yield from _storage_tests(cells, size)


def _target_tests(cells: SegmentedCells, size: int, options: ScorecardSettings) -> Iterator[Test]:
    limit, seed = options.target_limit, options.seed
    yield Test(
        TARGET, "surroundings replaced by background", limit,
        [lambda: on_background(cells, seed).crops(size)],
    )  # fmt: skip
    for factor in options.brightness:

        def others(factor: float = factor) -> Float32Array:
            return among_others(cells, factor, seed).crops(size)

        name = f"surroundings of another cell, {factor:g} × as bright"
        yield Test(TARGET, name, limit, [others])
    for distance in options.distances:

        def neighbour(distance: float = distance) -> Float32Array:
            return with_neighbour(cells, distance, seed).crops(size)

        yield Test(TARGET, f"another nucleus {distance:g} px away", limit, [neighbour])


def _orientation_tests(
    cells: SegmentedCells, size: int, options: ScorecardSettings
) -> Iterator[Test]:
    crops = cells.patches.crops(size)

    def rotated(quarters: int, mirror: bool) -> Float32Array:
        shown = crops[:, :, ::-1] if mirror else crops
        return np.ascontiguousarray(np.rot90(shown, quarters, (2, 3)))

    exact = [(k, mirror) for mirror in (False, True) for k in range(4)][1:]
    yield Test(
        ORIENTATION, "quarter rotations and mirror images", options.orientation_limit,
        [partial(rotated, k, mirror) for k, mirror in exact],
    )  # fmt: skip
    angles = [360 * (k + 0.5) / options.angles for k in range(options.angles)]
    yield Test(
        ORIENTATION, f"{options.angles} rotations by any angle", options.orientation_limit,
        [partial(_resampled, cells.patches, size, angle=a) for a in angles],
    )  # fmt: skip


def _noise_tests(cells: SegmentedCells, size: int, options: ScorecardSettings) -> Iterator[Test]:
    draw = np.random.default_rng(options.seed)
    plain = np.median(backgrounds(cells, draw), (1, 2))
    masses = cells.nucleus.sum((1, 2))
    mean = (cells.patches.pixels * cells.nucleus).sum((1, 2)) / masses
    height = (mean - plain)[:, None, None]

    def noisy(snr: float, signs: bool) -> Float32Array:
        rng = np.random.default_rng(options.seed)
        pixels = middle(cells.patches.pixels, size)
        noise = rng.standard_normal(pixels.shape)
        noise = np.sign(noise) if signs else noise
        return normalise(pixels + height / snr * noise)[:, None]

    for snr in options.snr:
        limit = options.noise_limit if snr >= 10 else None
        yield Test(NOISE, f"noise at an SNR of {snr:g}", limit, [partial(noisy, snr, False)])
        yield Test(
            NOISE, f"random signs at an SNR of {snr:g} (control)", None,
            [partial(noisy, snr, True)],
        )  # fmt: skip


def _place_tests(cells: SegmentedCells, size: int, options: ScorecardSettings) -> Iterator[Test]:
    patches, limit = cells.patches, options.place_limit
    for shift in options.shifts:
        moves = [(shift, 0.0), (-shift, 0.0), (0.0, shift), (0.0, -shift)]
        yield Test(
            PLACE, f"centroid ± {shift:g} px", limit if shift <= 2 else None,
            [partial(_resampled, patches, size, move=m) for m in moves],
        )  # fmt: skip
    for factor in options.diameters:
        yield Test(
            PLACE, f"diameter × {factor:g}", limit if 0.9 <= factor <= 1.1 else None,
            [partial(_resampled, patches, size, zoom=1 / factor)],
        )  # fmt: skip
    for blur in options.blurs:

        def blurred(blur: float = blur) -> Float32Array:
            pixels = ndimage.gaussian_filter(patches.pixels, (0, blur, blur))
            return replace(patches, pixels=pixels).crops(size)

        yield Test(PLACE, f"blur of {blur:g} px", limit if blur <= 1 else None, [blurred])
    for change in options.gradients:

        def lit(angle: float, change: float) -> Float32Array:
            at = np.linspace(-1, 1, size)
            slope = np.cos(angle) * at[None, :] + np.sin(angle) * at[:, None]
            pixels = middle(patches.pixels, size)
            low = pixels.min((1, 2), keepdims=True)
            return normalise((pixels - low) * (1 + change * slope))[:, None]

        yield Test(
            PLACE, f"light that changes by ± {change:.0%} over the crop",
            limit if change <= 0.2 else None,
            [partial(lit, a, change) for a in np.arange(4) * np.pi / 2],
        )  # fmt: skip


def _storage_tests(cells: SegmentedCells, size: int) -> Iterator[Test]:
    pixels = middle(cells.patches.pixels, size).astype(np.float64)

    def stored(gain: float, offset: float) -> Float32Array:
        return normalise(gain * pixels + offset)[:, None]

    scales = [partial(stored, gain, 0.0) for gain in (1e-6, 1e6)]
    yield Test(STORAGE, "intensity × 1e-6 and × 1e6", 0.0, scales)
    far = partial(stored, 1.0, 10 * float(np.ptp(pixels)))
    yield Test(STORAGE, "intensity plus ten times its range", 0.0, [far])


def _resampled(
    patches: Patches,
    size: int,
    angle: float = 0.0,
    zoom: float = 1.0,
    move: tuple[float, float] = (0.0, 0.0),
) -> Float32Array:
    """Crops (N, 1, size, size) from patches, rotated (degrees), magnified and moved (px)."""
    side = patches.pixels.shape[-1]
    half = (np.arange(size) - (size - 1) / 2) / zoom
    y, x = half[:, None], half[None, :]
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    centre = (side - 1) / 2
    at = [centre + move[0] + cos * y + sin * x, centre + move[1] - sin * y + cos * x]
    crops = np.empty((len(patches), size, size), np.float32)
    for i, picture in enumerate(patches.pixels):
        crops[i] = ndimage.map_coordinates(picture, at, order=1, mode="nearest")
    return normalise(crops)[:, None]


def surroundings_share(cells: SegmentedCells, model: CellModel, seed: int = 0) -> Float64Array:
    """Share (L,) of each latent's variance over cells that new surroundings alone make."""
    z = model.encode(cells.patches.crops(model.crop_size))[0].astype(np.float64)
    changed = model.encode(among_others(cells, 1.0, seed).crops(model.crop_size))[0]
    return np.asarray((0.5 * (changed - z) ** 2).mean(0) / np.maximum(z.var(0), 1e-12))


def _shortcut(
    cells: SegmentedCells, model: CellModel, head: str, options: ScorecardSettings
) -> Shortcut:
    share = surroundings_share(cells, model, options.seed)
    active = model.latent_kl > 0.1
    around = tuple(int(i) for i in np.flatnonzero((share > SURROUNDINGS) & active))
    others = tuple(i for i in range(model.n_latents) if i not in around)
    crops = cells.patches.crops(model.crop_size)
    nothing = np.full(len(cells), np.inf)
    attack = AttackSettings(space="latent", epsilon=1.0)
    return Shortcut(
        around,
        _smallest(model, crops, attack, others, head) if around else nothing,
        _smallest(model, crops, attack, around, head) if others else nothing,
    )


def _smallest(
    model: CellModel,
    crops: Float32Array,
    attack: AttackSettings,
    frozen: tuple[int, ...],
    head: str,
) -> Float64Array:
    return smallest_flip(model, crops, attack.model_copy(update={"frozen_latents": frozen}), head)
