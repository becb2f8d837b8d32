"""A picture of what the latents follow: |ρ| of every latent with every property."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from napari_interpdisc.figures.canvas import save_figure
from napari_interpdisc.models.cell_model import LatentMeaning
from napari_interpdisc.number_text import signed
from napari_interpdisc.scrutiny.naming import title_of
from napari_interpdisc.scrutiny.relations import Relations

WRITTEN = 0.3
"""|ρ| from which on the figure stands in its field."""


def draw_latent_map(
    path: Path,
    relations: Relations,
    latent_kl: npt.ArrayLike,
    meanings: Sequence[LatentMeaning] = (),
) -> None:
    """Draw |ρ| of latents (rows) and properties (columns) as a PNG file.

    Latents stand by falling mean KL, the sums of squares of pairs below them; a property that could
    not be ranked is grey.

    Parameters
    ----------
    path
        Where to; the file is whole or not there.
    relations
        What was found.
    latent_kl
        (L,) mean posterior KL of each latent, nats.
    meanings
        (L,) names to write beside the latents; none if left out.

    Raises
    ------
    InvalidInput
        If the file cannot be written.
    """
    kl = np.asarray(latent_kl, np.float64)
    n = len(kl)
    rows = [*np.argsort(-kl, kind="stable"), *range(n, len(relations.quantities))]
    rho = relations.rho[rows]
    height, width = 2.6 + 0.24 * len(rows), 3.4 + 0.52 * len(relations.properties)
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.set_facecolor("0.85")
    image = axes.imshow(
        np.ma.masked_invalid(np.abs(rho)), vmin=0, vmax=1, cmap="viridis", aspect="auto"
    )
    for y, x in np.argwhere(np.nan_to_num(np.abs(rho)) >= WRITTEN):
        ink = "black" if abs(rho[y, x]) > 0.6 else "white"
        axes.text(x, y, signed(float(rho[y, x])), ha="center", va="center", fontsize=7, color=ink)
    if len(rows) > n:
        axes.axhline(n - 0.5, color="white", linewidth=2)
    axes.set_xticks(
        range(len(relations.properties)),
        [title_of(name) for name in relations.properties],
        rotation=40,
        ha="right",
        rotation_mode="anchor",
        fontsize=8,
    )
    axes.set_yticks(range(len(rows)), [_label(relations, i, kl, meanings) for i in rows])
    axes.tick_params(axis="y", labelsize=8)
    axes.set_title(
        f"Rank correlation ρ of latents and properties, {int(relations.cells.max())} cells\n"
        "colour: |ρ|; latents by falling KL (nats, in brackets)",
        fontsize=9,
    )
    figure.colorbar(image, ax=axes, label="|ρ|", fraction=0.04)
    save_figure(figure, path, dpi=130)


def _label(
    relations: Relations,
    row: int,
    kl: npt.NDArray[np.float64],
    meanings: Sequence[LatentMeaning],
) -> str:
    name = relations.quantities[row]
    if row >= len(kl):
        return name
    told = f" {meanings[row].name}" if meanings else ""
    return f"{name}{told.rstrip()} ({kl[row]:.2f})"
