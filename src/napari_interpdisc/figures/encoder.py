"""Pictures of an encoder: reconstructions, traversals of latents, loss curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from napari_interpdisc._types import Float32Array
from napari_interpdisc.figures.canvas import BRIGHTEST, DARKEST, GREYS, save_figure
from napari_interpdisc.models.cell_model import CellModel

STRONGEST_CONTRAST = 1.6
"""Local contrast that is shown white."""

TRAVERSAL = np.linspace(-3, 3, 7)

LOSSES = ("reconstruction", "texture", "around", "guided", "drift", "kl", "total_correlation")
"""Columns of a training's log that are drawn, where it has them."""


def draw_reconstructions(
    path: Path,
    model: CellModel,
    crops: Float32Array,
    labels: npt.NDArray[Any],
    n: int = 8,
    seed: int = 0,
) -> None:
    """Draw crops above their reconstructions, ``n`` of each label; at the right, local contrast.

    Where the encoder tells the cell from its surroundings, a third row shows both together, and at
    the right the light from around the cell.

    Parameters
    ----------
    path
        PNG file to write.
    model
        Whose encoder and decoder are used.
    crops, labels
        (N, 1, S, S) normalised crops, and their (N,) labels, in the order of first occurrence.
    n, seed
        Crops of each label at most, and the seed of the draw.
    """
    draw = np.random.default_rng(seed)
    rows, names = [], []
    for label in dict.fromkeys(labels.tolist()):
        members = np.flatnonzero(labels == label)
        some = crops[draw.choice(members, n, replace=len(members) < n)]
        z = model.encode(some)[0]
        pairs = [[model.seen(some)[:, 0]], [model.decode(z)[:, 0]]]
        if model.has_texture:
            pairs[0].append(_as_grey(model.texture_of(some)))
            pairs[1].append(_as_grey(model.decode_texture(z)))
        names += [str(label), "reconstruction"]
        if model.describes_cell:
            whole = model.decode_whole(z)[:, 0]
            light = DARKEST + (whole - pairs[1][0])
            pairs.append([whole, light][: len(pairs[0])])
            names.append("with surroundings")
        rows += [np.concatenate(pair) for pair in pairs]
    title = "crops and their reconstructions" + ("; right: local contrast" * model.has_texture)
    _draw_grid(path, np.array(rows), names, title)


def draw_traversals(path: Path, model: CellModel, n: int = 16) -> None:
    """Decode the ``n`` most important latents from −3 to 3, the others at 0.

    Invariant latents come first. Of a rotating pair one member is enough.
    """
    first = model.encoder.config.n_invariant
    second = {b for _, b in model.encoder.rotating_pairs}
    order = [i for i in model.by_importance() if i not in second]
    order = sorted(order[:n], key=lambda i: i >= first)
    z = np.zeros((len(order), len(TRAVERSAL), model.n_latents), np.float32)
    for row, latent in enumerate(order):
        z[row, :, latent] = TRAVERSAL
    points = z.reshape(-1, model.n_latents)
    shape = (len(order), len(TRAVERSAL), model.crop_size, model.crop_size)
    tiles = [model.decode_whole(points).reshape(shape)]
    if model.has_texture:
        tiles.append(_as_grey(model.decode_texture(points)).reshape(shape))
    names = [f"{model.latent_label(i)}  (KL {model.latent_kl[i]:.2f})" for i in order]
    title = "latent from −3 to 3, all others 0" + ("; right: local contrast" * model.has_texture)
    _draw_grid(path, np.concatenate(tiles, 1), names, title)


def draw_losses(path: Path, lines: Sequence[dict[str, float]]) -> None:
    """Draw the loss terms of a training's log against steps, on logarithmic axes."""
    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.subplots()
    for name in LOSSES:
        if name in lines[0]:
            axes.loglog(
                [row["step"] for row in lines],
                [row[name] for row in lines],
                label=name.replace("_", " "),
            )
    axes.set(xlabel="step", ylabel="nats per crop", title="training loss terms")
    axes.legend()
    save_figure(figure, path, dpi=90)


def _as_grey(texture: Float32Array) -> Float32Array:
    """Local contrast (N, 1, S/2, S/2) as pictures (N, S, S) in the range that is shown."""
    grey = DARKEST + texture[:, 0] / STRONGEST_CONTRAST * (BRIGHTEST - DARKEST)
    return np.asarray(grey.repeat(2, 1).repeat(2, 2), dtype=np.float32)


def _draw_grid(path: Path, tiles: Float32Array, labels: Sequence[str], title: str) -> None:
    """Draw tiles (rows, columns, S, S) as one picture, with a label for each row."""
    rows, columns, side, _ = tiles.shape
    picture = tiles.transpose(0, 2, 1, 3).reshape(rows * side, columns * side)
    height, width = picture.shape
    figure = Figure(figsize=(width / 80 + 2.1, height / 80 + 0.5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(picture, **GREYS)
    axes.set_yticks([side * (i + 0.5) for i in range(rows)], labels, fontsize=9)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.set_title(title, fontsize=10)
    save_figure(figure, path, dpi=80)
