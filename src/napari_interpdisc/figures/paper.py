"""Figures 7 to 10 of the paper, and a table of its findings (§5.5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from napari_interpdisc._types import Float32Array
from napari_interpdisc.discovery.paper import (
    IMAGE_EPSILON,
    LATENT_EPSILON,
    Attacked,
    SchemeFindings,
)
from napari_interpdisc.figures.canvas import GREYS
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.number_text import with_sign
from napari_interpdisc.scrutiny.attacks import Perturbation


def picture_rows(
    rows: Sequence[tuple[str, Float32Array, bool]],
    scores: npt.ArrayLike | None = None,
    title: str = "",
) -> Figure:
    """Draw rows of pictures below each other.

    Parameters
    ----------
    rows
        Name, pictures (n, S, S), and whether they are differences, drawn around 0.
    scores
        (n,) scores that stand above the first row.
    title
        Of all.
    """
    n = len(rows[0][1])
    figure = Figure(figsize=(1.35 * n + 0.7, 1.45 * len(rows) + 0.6), layout="constrained")
    grid = figure.subplots(len(rows), n, squeeze=False)
    told = None if scores is None else np.asarray(scores, np.float64)
    for place, (line, (name, pictures, signed)) in enumerate(zip(grid, rows, strict=True)):
        far = float(np.abs(pictures).max()) or 1.0
        how = {"cmap": "RdBu_r", "vmin": -far, "vmax": far} if signed else GREYS
        for k, axes in enumerate(line):
            axes.imshow(pictures[k], **how)
            axes.set(xticks=[], yticks=[])
            if told is not None and not place:
                axes.set_title(with_sign(float(told[k]), 1), fontsize=9)
        line[0].set_ylabel(name, fontsize=8)
    figure.suptitle(title, fontsize=10)
    return figure


def unperturbed(crops: Float32Array, model: CellModel) -> Figure:
    """Figure 7: crops (n, 1, S, S), and their reconstructions with what is around them."""
    seen = model.reconstruct(model.encode(crops)[0], crops, whole=True)
    return picture_rows(
        [("image", crops[:, 0], False), ("reconstruction", seen[:, 0], False)],
        title="Three cells of each class, not perturbed",
    )


def attacked_cnn(found: Attacked, rows: npt.NDArray[np.intp]) -> Figure:
    """Figure 8: an image-space attack on scheme 1."""
    return picture_rows(
        [
            ("perturbed", found.perturbed[rows, 0], False),
            ("seen by the β-TCVAE", found.seen[rows, 0], False),
            ("perturbation", found.perturbation[rows, 0], True),
        ],
        found.after[rows, -1],
        f"Scheme 1 (CNN), image space, ε = {IMAGE_EPSILON:g}; above: score after the attack",
    )


def attacked_latents(found: Perturbation, title: str, original: bool) -> Figure:
    """Figures 9 and 10: an attack in latent space; ``original`` shows the decoding before too."""
    rows = [("before", found.reconstruction[:, 0], False)] if original else []
    rows += [
        ("decoded", found.perturbed[:, 0], False),
        ("change", found.perturbation[:, 0], True),
    ]
    return picture_rows(
        rows,
        found.perturbed_scores[:, -1],
        f"{title}, latent space, ε = {LATENT_EPSILON:g}; above: score after the attack",
    )


def _last(one: SchemeFindings) -> tuple[float, ...]:
    return one.noise, one.background, one.neighbour, one.frozen, one.frozen_cell


def findings_table(found: Sequence[SchemeFindings]) -> str:
    """The numbers of all schemes as Markdown."""

    def share(value: float, spread: float = 0.0) -> str:
        if np.isnan(value):
            return "–"
        return f"{100 * value:.1f}" + (f" ± {100 * spread:.1f}" if spread else "")

    head = (
        "scheme", "head", "flips at ε = 0.5", "captured by the β-TCVAE", "left by a blur",
        "gradient in the nucleus", "noise, SNR 10", "background", "nucleus 1 px away",
        "latents of the shape frozen", "latents of the cell frozen",
    )  # fmt: skip
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for one in found:
        cells = [str(one.scheme), f"`{one.name}`"]
        cells += [share(*pair) for pair in (one.flips, one.captured, one.structure, one.inside)]
        cells += [share(v) for v in _last(one)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
