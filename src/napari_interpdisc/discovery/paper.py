"""The paper's attacks and its three findings (§5.5), on public data and a stored model.

Scheme 1 is a CNN on pixels, schemes 2 to 4 are a dense, a sparse and a formula head on latents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor

from napari_interpdisc._types import Float32Array, Float64Array, Progress, silent
from napari_interpdisc.discovery.controls import fit_control
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel, class_changed, class_index
from napari_interpdisc.patches import Patches, scaled_to_unit
from napari_interpdisc.scrutiny.attacks import AttackSettings, perturb, signed_margin
from napari_interpdisc.scrutiny.score_tests import ScorecardSettings
from napari_interpdisc.scrutiny.scorecard import score_heads
from napari_interpdisc.scrutiny.segmented import Segmentation
from napari_interpdisc.training.cnn import CNNTraining, train_cnn
from napari_interpdisc.training.folds import grouped_folds

IMAGE_EPSILON, LATENT_EPSILON = 0.5, 1.0
"""The paper's, in standard deviations of the crop and of the prior (§5.5)."""

SMOOTH = 2.0
"""σ, px, of the blur that tells structure from noise in a perturbation."""

FOLDS = 5

NOISE_TEST = "noise at an SNR of 10"
BACKGROUND_TEST = "surroundings replaced by background"
NEIGHBOUR_TEST = "another nucleus 1 px away"

Score = Callable[[Tensor], Tensor]
"""Logits (N, K) of crops (N, 1, S, S)."""


@dataclass(frozen=True)
class Attacked:
    """Cells before and after an attack in image space.

    Attributes
    ----------
    crops, perturbed
        (N, 1, S, S) normalised crops.
    seen
        (N, 1, S, S) reconstructions of the perturbed crops by the β-TCVAE.
    before, after, seen_after
        (N, K) scores of the crops, of the perturbed crops, and of reconstructions of these.
    structure
        (N,) share of the perturbation's energy that a blur of 2 px leaves: 0 for noise.
    inside
        (N,) share of the gradient's size that lies in the nucleus.
    """

    crops: Float32Array
    perturbed: Float32Array
    seen: Float32Array
    before: Float32Array
    after: Float32Array
    seen_after: Float32Array
    structure: Float64Array
    inside: Float64Array

    @property
    def perturbation(self) -> Float32Array:
        """(N, 1, S, S) what was added."""
        return self.perturbed - self.crops

    @property
    def flips(self) -> npt.NDArray[np.bool_]:
        """(N,) whether the class changed."""
        return class_changed(self.before, self.after)

    @property
    def captured(self) -> float:
        """Share of the flipped cells whose reconstruction is called otherwise as well.

        That is, whose change is one that the β-TCVAE captures. NaN if none flipped.
        """
        flipped = self.flips
        if not flipped.any():
            return float("nan")
        return float((class_index(self.seen_after) != class_index(self.before))[flipped].mean())


def attack_pixels(
    score: Score, model: CellModel, crops: Float32Array, masks: npt.NDArray[np.bool_]
) -> Attacked:
    """FGSM in image space against any score of crops (paper eq. 1).

    Parameters
    ----------
    score
        What is attacked.
    model
        Whose β-TCVAE looks at the result.
    crops
        (N, 1, S, S) normalised crops.
    masks
        (N, S, S) the nucleus of each.
    """
    x = torch.from_numpy(np.ascontiguousarray(crops)).requires_grad_()
    before = score(x)
    chosen = torch.from_numpy(class_index(before.detach().numpy()))
    (gradient,) = torch.autograd.grad(signed_margin(before, chosen).sum(), x)
    step = -IMAGE_EPSILON * gradient.sign()
    with torch.no_grad():
        moved = (x + step).detach()
        z = model.encoder.encode(moved)[0]
        mean, spread = model.encoder.scale(moved)
        spread = spread.masked_fill(spread.isinf(), 0)
        seen = model.encoder.decode(z) + model.encoder.decode_around(z)
        seen = seen * spread + mean
        after, seen_after = score(moved), score(seen)
    eta = step[:, 0].numpy()
    smooth = np.stack([ndimage.gaussian_filter(one, SMOOTH) for one in eta])
    energy = (eta.astype(np.float64) ** 2).sum((1, 2)).clip(1e-12)
    size = np.abs(gradient[:, 0].numpy().astype(np.float64))
    return Attacked(
        np.asarray(crops),
        moved.numpy(),
        seen.numpy(),
        before.detach().numpy(),
        after.numpy(),
        seen_after.numpy(),
        (smooth.astype(np.float64) ** 2).sum((1, 2)) / energy,
        (size * masks).sum((1, 2)) / size.sum((1, 2)).clip(1e-12),
    )


@dataclass(frozen=True)
class SchemeFindings:
    """What is asked of one scheme in §5.5, in numbers.

    Attributes
    ----------
    scheme, name
        Number in the paper, and head.
    cells
        Number of cells that were attacked.
    flips, captured, structure, inside
        Of the image-space attack, mean and standard deviation over seeds (0 for a stored head):
        share of cells that flip, share of these whose change the β-TCVAE captures, structure of
        the perturbation, and share of the gradient in the nucleus.
    nucleus
        Share of a crop that the nucleus covers.
    noise, background, neighbour
        Share of calls that change with noise (SNR 10), with surroundings replaced by background,
        and with another nucleus 1 px away.
    frozen, frozen_cell
        Share of cells that an attack in latent space flips with the latents of the shape frozen,
        and with all latents of the cell frozen, where the encoder tells them from those of the
        surroundings; NaN otherwise, and for scheme 1.
    """

    scheme: int
    name: str
    cells: int
    flips: tuple[float, float]
    captured: tuple[float, float]
    structure: tuple[float, float]
    inside: tuple[float, float]
    nucleus: float
    noise: float
    background: float
    neighbour: float
    frozen: float
    frozen_cell: float


@dataclass(frozen=True)
class PaperAttacks:
    """All attacks of one model, for the paper's Figures 8 to 10.

    Attributes
    ----------
    rows
        (6,) cells that are shown: three of the first class, three of the second.
    cnn
        Image-space attack on scheme 1, of the first seed; rows in ``cnn_rows``.
    cnn_rows
        (6,) rows of ``cnn`` that are shown.
    findings
        One for each scheme.
    shape_latents
        Latents that are frozen in Figure 10.
    """

    rows: npt.NDArray[np.intp]
    cnn: Attacked
    cnn_rows: npt.NDArray[np.intp]
    findings: tuple[SchemeFindings, ...]
    shape_latents: tuple[int, ...]


def study_attacks(
    model: CellModel,
    heads: Sequence[str],
    segmentation: Segmentation,
    labels: npt.NDArray[Any],
    groups: npt.NDArray[Any],
    seeds: int = 3,
    progress: Progress = silent,
    shape_latents: Sequence[int] | None = None,
    cnn: CNNTraining | None = None,
) -> PaperAttacks:
    """Attack schemes 1 to 4, and count what changes their calls.

    Parameters
    ----------
    model, heads
        A stored model, and its dense, sparse and formula head of one question of two classes.
    segmentation
        Cells with their nuclei.
    labels, groups
        Label and plate of all cells that were segmented; two labels, those of the heads.
    seeds
        CNNs of scheme 1, each trained without a fifth of the plates and tested on it.
    progress
        Called with (steps done, steps in all).
    shape_latents
        Latents that encode the shape of the cell, frozen in the latent attack; those that the
        sparse and the formula head use, if left out.
    cnn
        Settings of the trainings of scheme 1; their seeds and crop size are replaced.

    Raises
    ------
    InvalidInput
        If the heads tell more than two classes apart, or a class has too few cells.
    """
    classes = model.head(heads[0]).classes
    if len(classes) != 2 or any(model.head(name).classes != classes for name in heads):
        raise InvalidInput("The paper's attacks are on heads that tell the same two classes apart.")
    patches = segmentation.cells.patches
    crops = patches.crops(model.crop_size)
    own, plates = labels[segmentation.rows].astype(str), groups[segmentation.rows]
    target = np.array([classes.index(name) for name in own], np.int64)
    if min(np.bincount(target, minlength=2)) < 3:
        raise InvalidInput("Three cells of each class are shown; there are fewer.")
    masks = _masks(segmentation, model.crop_size)
    options = cnn or CNNTraining()
    steps = seeds + len(heads) + 3
    done = 0

    def one_more() -> None:
        nonlocal done
        done += 1
        progress(done, steps)

    cards = {
        card.head: {row.name: row.changed for row in card.rows}
        for card in score_heads(
            segmentation, groups, model, heads, ScorecardSettings(simulated=0),
            controls=[fit_control("cnn", patches, own, classes, plates, model.crop_size, cnn=cnn)],
        )
    }  # fmt: skip
    one_more()
    one_more()
    of_cnn, attacked = [], None
    for seed in range(seeds):
        found = _cnn_attack(model, patches, crops, masks, target, plates, options, seed)
        attacked = attacked or found
        of_cnn.append(found)
        one_more()
    assert attacked is not None
    shape = tuple(shape_latents) if shape_latents is not None else _shape_of(model, heads)
    of_cell = tuple(range(model.n_cell_latents)) if model.describes_cell else ()
    findings = [
        _findings(1, "CNN", of_cnn, masks, cards["cnn"], float("nan"), float("nan")),
    ]
    for scheme, name in enumerate(heads, start=2):
        head = model.head(name).head

        def score(pixels: Tensor, head: Any = head) -> Tensor:
            return head(model.encoder.encode(pixels)[0])  # type: ignore[no-any-return]

        found = attack_pixels(score, model, crops, masks)
        shares = [_flips_without(model, crops, frozen, name) for frozen in (shape, of_cell)]
        findings.append(_findings(scheme, name, [found], masks, cards[name], *shares))
        one_more()
    rows = _shown(target, model.score(model.encode(crops)[0], heads[-1]))
    one_more()
    return PaperAttacks(
        rows,
        attacked,
        _shown_of(attacked),
        tuple(findings),
        shape,
    )


def _flips_without(
    model: CellModel, crops: Float32Array, frozen: tuple[int, ...], head: str
) -> float:
    """Share of cells that an attack in latent space flips with latents frozen; NaN for none."""
    if not frozen:
        return float("nan")
    settings = AttackSettings(space="latent", epsilon=LATENT_EPSILON, frozen_latents=frozen)
    return float(perturb(model, crops, settings, head).flipped.mean())


def _shape_of(model: CellModel, heads: Sequence[str]) -> tuple[int, ...]:
    """Latents that the sparse and the formula head use: what they find worth looking at."""
    return tuple(sorted({i for name in heads[1:] for i in model.head(name).head.used_latents}))


def _masks(segmentation: Segmentation, size: int) -> npt.NDArray[np.bool_]:
    """Nuclei (N, S, S) of the crops."""
    side = segmentation.cells.patches.pixels.shape[-1]
    start = (side - size) // 2
    middle = slice(start, start + size)
    return np.asarray(segmentation.cells.soft[:, middle, middle] > 0.5)


def _cnn_attack(
    model: CellModel,
    patches: Patches,
    crops: Float32Array,
    masks: npt.NDArray[np.bool_],
    target: npt.NDArray[np.int64],
    plates: npt.NDArray[Any],
    options: CNNTraining,
    seed: int,
) -> Attacked:
    """Attack a CNN on the plates that it was not trained on."""
    group = np.unique(plates, return_inverse=True)[1].astype(np.int64)
    train, test = grouped_folds(target, group, FOLDS, seed)[0]
    network = options.network.model_copy(update={"crop_size": model.crop_size})
    cnn = train_cnn(
        scaled_to_unit(patches.pixels)[train], target[train], 2, patches.field,
        options.model_copy(update={"network": network, "seed": seed}),
    )  # fmt: skip
    cnn.eval().requires_grad_(False)
    return attack_pixels(cnn, model, crops[test], masks[test])


def _findings(
    scheme: int,
    name: str,
    found: Sequence[Attacked],
    masks: npt.NDArray[np.bool_],
    tests: dict[str, float],
    frozen: float,
    frozen_cell: float,
) -> SchemeFindings:
    def over_seeds(values: Sequence[float]) -> tuple[float, float]:
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        return float(np.mean(values)), spread

    return SchemeFindings(
        scheme,
        name,
        sum(len(one.crops) for one in found),
        over_seeds([float(one.flips.mean()) for one in found]),
        over_seeds([one.captured for one in found]),
        over_seeds([float(one.structure.mean()) for one in found]),
        over_seeds([float(one.inside.mean()) for one in found]),
        float(masks.mean()),
        tests[NOISE_TEST],
        tests[BACKGROUND_TEST],
        tests[NEIGHBOUR_TEST],
        frozen,
        frozen_cell,
    )


def _shown(target: npt.NDArray[np.int64], scores: Float32Array) -> npt.NDArray[np.intp]:
    """Three typical cells of each class that occurs: right, and of middling score."""
    rows: list[int] = []
    for k in (0, 1):
        own = np.flatnonzero((target == k) & (class_index(scores) == k))
        own = own if len(own) >= 3 else np.flatnonzero(target == k)
        if not len(own):
            continue
        ranked = own[np.argsort(scores[own, 0], kind="stable")]
        rows += ranked[np.linspace(0, len(ranked) - 1, 5).astype(int)[1:4]].tolist()
    return np.array(rows)


def _shown_of(found: Attacked) -> npt.NDArray[np.intp]:
    """The same of an attack."""
    return _shown(class_index(found.before), found.before)


def told_findings(found: PaperAttacks, other: PaperAttacks | None = None) -> list[str]:
    """Whether the three findings of §5.5 hold here, a sentence each, with numbers.

    ``other`` is of a second model, such as one whose encoder sees the whole crop.
    """
    cnn, dense, *short = found.findings

    def share(value: float) -> str:
        return "–" if np.isnan(value) else f"{value:.1%}".replace("%", " %")

    told = [
        f"1. Scheme 1 (CNN): FGSM at ε = {IMAGE_EPSILON:g} flips {share(cnn.flips[0])} of cells; "
        f"the β-TCVAE captures {share(cnn.captured[0])} of these changes, and a blur of "
        f"{SMOOTH:g} px leaves {share(cnn.structure[0])} of the perturbation. Of schemes 2 to 4 it "
        f"captures {', '.join(share(one.captured[0]) for one in (dense, *short))}. Plain noise "
        f"(SNR 10) changes {share(cnn.noise)} of the CNN's calls.",
        f"2. Schemes 3 and 4: {', '.join(share(one.inside[0]) for one in short)} of the gradient "
        f"lies in the nucleus, which covers {share(cnn.nucleus)} of the crop; of the CNN's "
        f"{share(cnn.inside[0])}.",
        f"3. Scheme 2: with the latents of the shape frozen, an attack of ε = {LATENT_EPSILON:g} "
        f"flips {share(dense.frozen)}; schemes 3 and 4: "
        f"{', '.join(share(one.frozen) for one in short)}. With all latents of the cell frozen: "
        f"{', '.join(share(one.frozen_cell) for one in (dense, *short))}. Another nucleus 1 px "
        f"away changes {share(dense.neighbour)} of the calls of scheme 2, "
        f"{', '.join(share(one.neighbour) for one in short)} of schemes 3 and 4, and "
        f"{share(cnn.neighbour)} of scheme 1.",
    ]
    if other is not None:
        _, theirs, *others = other.findings
        short_ones = ", ".join(share(one.neighbour) for one in others)
        told.append(
            f"With the other model: {share(theirs.frozen)} and {share(theirs.neighbour)} of scheme "
            f"2; {short_ones} of schemes 3 and 4 change with another nucleus 1 px away."
        )
    return told
