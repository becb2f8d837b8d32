"""What hides metaphases of other laboratories: blur, haze, glow, overexposure.

``python experiments/glow.py --data ../shared/data`` prints the mean of guided latents for
interphase and metaphase: of MitoCheck's cells as they are, with one fault of the image after
another, and of Jurkat cells. It also prints the share that heads call metaphase. Metaphases of
MitoCheck and of still frames are shown apart by whether they are overexposed; ``dense`` learned
from one half of these frames. Two more tables have, for Jurkat cells and for still frames that no
head was fitted on, how well the scores of each head of two classes order them (area under the ROC
curve), and the recall of both classes. Tables are written to ``glow.md``, ``jurkat.md`` and
``dsb2018.md`` in ``docs/results/cell_encoder``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from napari_interpdisc import load_model
from napari_interpdisc.discovery.card import table
from napari_interpdisc.models.cell_model import CellModel, class_index
from napari_interpdisc.patches import Patches
from other_movies import DATA, DSB2018, LabelledPatches, dsb2018, jurkat, mitocheck

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "cell_encoder"
SHOWN = ("size", "granularity_fine", "granularity_coarse", "edge_sharpness", "unevenness")
BODY, RIM = 15.0, 2.0
"""Radius of the cell's body, and how soft its rim is, px."""

AT_THE_TOP, OVEREXPOSED = 0.02, 0.15
"""How close to the brightest a pixel at the top is, relative to the range, and the share of a
nucleus, of what is above half its height, that is at the top if it is overexposed."""

MOST = 74
"""Cells of each class: as many as MitoCheck has metaphases."""


def worsened(pixels: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Patches (N, P, P) as they are, and as worse microscopes would show them."""
    background = np.percentile(pixels, 5, axis=(1, 2), keepdims=True)
    height = np.percentile(pixels, 99.5, axis=(1, 2), keepdims=True) - background
    at = np.arange(pixels.shape[-1]) - (pixels.shape[-1] - 1) / 2
    away = np.hypot(at[:, None], at[None]) - BODY
    body = height / (1 + np.exp(away / RIM))
    blurred = ndimage.gaussian_filter(pixels, (0, 2, 2))
    broad = ndimage.gaussian_filter(pixels, (0, 6, 6))
    yield "as they are", pixels
    yield "blur of 2 px", blurred
    yield "haze of 0.5", 0.5 * pixels + 0.5 * broad
    yield "glow of 0.7", pixels + 0.7 * body
    yield "glow of 0.7, blur of 2 px", blurred + 0.7 * body
    yield "brightest 0.5 cut off", np.minimum(pixels, background + 0.5 * height)


def overexposed(patches: Patches) -> np.ndarray:
    """Which nuclei (N,) have a flat top."""
    crops = patches.crops()[:, 0]
    middle = crops[:, 16:48, 16:48]
    top, ground = middle.max((1, 2)), np.percentile(crops, 5, axis=(1, 2))
    at_top = middle >= (top - AT_THE_TOP * (top - ground))[:, None, None]
    nucleus = middle >= ((top + ground) / 2)[:, None, None]
    return np.asarray(at_top.sum((1, 2)) > OVEREXPOSED * nucleus.sum((1, 2)))


def order(model: CellModel, cells: LabelledPatches) -> list[list[str]]:
    """Rows of a table: how well heads of two classes order and call cells."""
    z = model.encode(cells.patches.crops(model.crop_size))[0]
    known = np.isin(cells.labels, ("Interphase", "Metaphase"))
    positive = cells.labels[known] == "Metaphase"
    rows = []
    for name, head in model.heads.items():
        if head.classes != ("Interphase", "Metaphase"):
            continue
        scores = model.score(z, name)[known]
        called = class_index(scores) == 1
        area = roc_auc_score(positive, scores[:, 0])
        recalls = (~called[~positive]).mean(), called[positive].mean()
        rows.append([f"`{name}`", *(f"{v:.2f}" for v in (area, *recalls))])
    return rows


def main() -> None:
    """Encode, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--model", default="h2b")
    parser.add_argument("--head", action="append", help="dense and dense-strict if left out")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(args.model, device="cpu")
    names = [model.latent_name(i) for i in range(model.n_latents)]
    columns = [names.index(name) for name in SHOWN]
    heads = args.head or ["dense", "dense-strict"]
    rows = []

    def tell(label: str, what: str, patches: Patches) -> None:
        z = model.encode(patches.crops(model.crop_size))[0]
        shares = [(class_index(model.score(z, head)) == 1).mean() for head in heads]
        rows.append([label, what, *(f"{v:.2f}" for v in (*z[:, columns].mean(0), *shares))])

    home, away = mitocheck(args.data), jurkat(args.data, 1)
    for label in ("Interphase", "Metaphase"):
        patches = home.patches.take(np.flatnonzero(home.labels == label)[:MOST])
        for what, pixels in worsened(patches.pixels.astype(np.float64)):
            tell(f"MitoCheck, {label}", what, replace(patches, pixels=pixels.astype(np.float32)))
    for label in ("Interphase", "Metaphase"):
        some = away.patches.take(np.flatnonzero(away.labels == label))
        tell(f"Jurkat, {label}", "as they are", some)
    frames = dsb2018(args.data, None)
    for place, cells in (("MitoCheck", home), (DSB2018, frames)):
        own = cells.patches.take(np.flatnonzero(cells.labels == "Metaphase"))
        flat = overexposed(own)
        for what, some in (("overexposed", flat), ("others", ~flat)):
            told = f"{what}: {some.sum()}"
            tell(f"{place}, Metaphase", told, own.take(np.flatnonzero(some)))
    own = np.flatnonzero(frames.labels == "Interphase")
    tell(f"{DSB2018}, Interphase", "as they are", frames.patches.take(own))
    args.out.mkdir(parents=True, exist_ok=True)
    header = ("cells", "image", *SHOWN, *(f"`{head}`" for head in heads))
    ordered = ("head", "area under the curve", "recall of Interphase", "recall of Metaphase")
    for name, lines in (
        ("glow", table(header, rows)),
        ("jurkat", table(ordered, order(model, away))),
        (DSB2018, table(ordered, order(model, dsb2018(args.data, 1)))),
    ):
        told = "\n".join(lines) + "\n"
        print(told)
        (args.out / f"{name}.md").write_text(told, "utf-8")


if __name__ == "__main__":
    main()
