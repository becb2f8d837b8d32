"""Pictures of the card: ``python scripts/card_figures.py --run RUN [RUN ...] --model FOLDER``.

Writes ``reconstructions.png``, ``traversals.png`` and ``losses.png`` into the model folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

from napari_interpdisc.crops import normalise
from napari_interpdisc.models.classifier import Classifier
from napari_interpdisc.models.store import load_model
from nuclei_patches import labelled_crops

mpl.use("Agg")
from matplotlib import pyplot as plt

DATA = Path(__file__).parents[2] / "shared" / "data"
STATES = ("Interphase", "Prometaphase", "Metaphase", "MetaphaseAlignment", "Anaphase", "Apoptosis")


def grid(tiles: np.ndarray) -> np.ndarray:
    """Tiles (rows, columns, S, S) as one picture."""
    rows, columns, s, _ = tiles.shape
    return tiles.transpose(0, 2, 1, 3).reshape(rows * s, columns * s)


def show(picture: np.ndarray, labels: list[str], title: str, path: Path) -> None:
    """Save a grid of crops with a label per row."""
    height, width = picture.shape
    figure, axes = plt.subplots(figsize=(width / 80 + 1.6, height / 80 + 0.5))
    axes.imshow(picture, cmap="gray", vmin=-1.2, vmax=4)
    step = height / len(labels)
    axes.set_yticks([step * (i + 0.5) for i in range(len(labels))], labels, fontsize=9)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.set_title(title, fontsize=10)
    figure.savefig(path, dpi=80, bbox_inches="tight", pil_kwargs={"optimize": True})
    plt.close(figure)


def reconstructions(model: Classifier, path: Path, n: int = 8) -> None:
    """Crops above their reconstructions, for each state; picked by a fixed seed."""
    crops, labels, _ = labelled_crops(DATA)
    draw = np.random.default_rng(0)
    rows, names = [], []
    for state in STATES:
        some = normalise(crops[draw.choice(np.flatnonzero(labels == state), n, replace=False)])
        rows += [some, model.decode(model.encode(some[:, None])[0])[:, 0]]
        names += [state, "reconstruction"]
    show(grid(np.array(rows)), names, "MitoCheck crops and their reconstructions", path)


def traversals(model: Classifier, path: Path, n: int = 12) -> None:
    """Decode the ``n`` most important latents from -3 to 3, the others at 0."""
    values = np.linspace(-3, 3, 9)
    order = model.by_importance()[:n]
    z = np.zeros((n, len(values), model.n_latents), np.float32)
    for row, latent in enumerate(order):
        z[row, :, latent] = values
    tiles = model.decode(z.reshape(-1, model.n_latents)).reshape(n, len(values), 64, 64)
    names = [f"{model.latent_label(i)}  (KL {model.latent_kl[i]:.2f})" for i in order]
    show(grid(tiles), names, "latent from −3 to 3, all others 0", path)


def losses(runs: list[Path], path: Path) -> None:
    """Loss terms against steps, one stage of the training after the other, on logarithmic axes."""
    logs, before = [], 0
    for run in runs:
        stage = pd.read_csv(run / "log.csv")
        stage["step"] += before
        before = stage["step"].max()
        logs.append(stage)
    log = pd.concat(logs)
    figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
    for name in ("reconstruction", "kl", "total_correlation"):
        axes.loglog(log["step"], log[name], label=name.replace("_", " "))
    axes.set(xlabel="step", ylabel="nats per crop", title="training loss terms")
    axes.legend()
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main() -> None:
    """Parse and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, nargs="+", required=True)
    parser.add_argument("--model", type=Path, required=True)
    args = parser.parse_args()
    model = load_model(args.model, device="cpu")
    reconstructions(model, args.model / "reconstructions.png")
    traversals(model, args.model / "traversals.png")
    losses(args.run, args.model / "losses.png")


if __name__ == "__main__":
    main()
