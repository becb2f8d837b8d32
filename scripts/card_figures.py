"""Pictures of the card: ``python scripts/card_figures.py --run RUN --model FOLDER``.

Writes ``reconstructions.png``, ``traversals.png`` and ``losses.png`` into the model folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

from napari_interpdisc.crops import normalise
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.store import load_model
from nuclei_patches import labelled_crops

mpl.use("Agg")
from matplotlib import pyplot as plt

DATA = Path(__file__).parents[2] / "shared" / "data"
GREYS = (-1.2, 4.0)
STATES = ("Interphase", "Prometaphase", "Metaphase", "MetaphaseAlignment", "Anaphase", "Apoptosis")


def grid(tiles: np.ndarray) -> np.ndarray:
    """Tiles (rows, columns, S, S) as one picture."""
    rows, columns, s, _ = tiles.shape
    return tiles.transpose(0, 2, 1, 3).reshape(rows * s, columns * s)


def show(picture: np.ndarray, labels: list[str], title: str, path: Path) -> None:
    """Save a grid of crops with a label per row."""
    height, width = picture.shape
    figure, axes = plt.subplots(figsize=(width / 80 + 1.6, height / 80 + 0.5))
    axes.imshow(picture, cmap="gray", vmin=GREYS[0], vmax=GREYS[1])
    step = height / len(labels)
    axes.set_yticks([step * (i + 0.5) for i in range(len(labels))], labels, fontsize=9)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.set_title(title, fontsize=10)
    figure.savefig(path, dpi=80, bbox_inches="tight", pil_kwargs={"optimize": True})
    plt.close(figure)


def as_grey(texture: np.ndarray) -> np.ndarray:
    """Local contrast (N, 1, S/2, S/2) as pictures (N, S, S) in the range that is shown."""
    return GREYS[0] + (texture[:, 0] / 1.6 * (GREYS[1] - GREYS[0])).repeat(2, 1).repeat(2, 2)


def reconstructions(model: CellModel, path: Path, n: int = 8) -> None:
    """Crops above their reconstructions, for each state; picked by a fixed seed."""
    crops, labels, _ = labelled_crops(DATA)
    draw = np.random.default_rng(0)
    rows, names = [], []
    for state in STATES:
        some = normalise(crops[draw.choice(np.flatnonzero(labels == state), n, replace=False)])
        z = model.encode(some[:, None])[0]
        whole = [some, model.decode(z)[:, 0]]
        grain = [as_grey(model.texture_of(some[:, None])), as_grey(model.decode_texture(z))]
        rows += [np.concatenate(pair) for pair in zip(whole, grain, strict=True)]
        names += [state, "reconstruction"]
    title = "MitoCheck crops and their reconstructions; right: local contrast"
    show(grid(np.array(rows)), names, title, path)


def traversals(model: CellModel, path: Path, n: int = 16) -> None:
    """Decode latents from -3 to 3, the others at 0: those that stay as a cell turns, then others.

    Of the others one of each pair is enough.
    """
    values = np.linspace(-3, 3, 7)
    first = model.encoder.config.n_invariant
    order = [i for i in model.by_importance() if i < first or (i - first) % 2 == 0]
    order = sorted(order[:n], key=lambda i: i >= first)
    z = np.zeros((n, len(values), model.n_latents), np.float32)
    for row, latent in enumerate(order):
        z[row, :, latent] = values
    points = z.reshape(-1, model.n_latents)
    shape = (n, len(values), 64, 64)
    tiles = model.decode(points).reshape(shape)
    grain = as_grey(model.decode_texture(points)).reshape(shape)
    names = [f"{model.latent_label(i)}  (KL {model.latent_kl[i]:.2f})" for i in order]
    title = "latent from −3 to 3, all others 0; right: local contrast"
    show(grid(np.concatenate([tiles, grain], 1)), names, title, path)


def losses(run: Path, path: Path) -> None:
    """Loss terms against steps, on logarithmic axes."""
    log = pd.read_csv(run / "log.csv")
    figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
    for name in ("reconstruction", "texture", "drift", "kl", "total_correlation"):
        axes.loglog(log["step"], log[name], label=name.replace("_", " "))
    axes.set(xlabel="step", ylabel="nats per crop", title="training loss terms")
    axes.legend()
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main() -> None:
    """Parse and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    args = parser.parse_args()
    model = load_model(args.model, device="cpu")
    reconstructions(model, args.model / "reconstructions.png")
    traversals(model, args.model / "traversals.png")
    losses(args.run, args.model / "losses.png")


if __name__ == "__main__":
    main()
