"""Flags of the bundled model: what they see, what they miss, and how often they speak for nothing.

``python experiments/flags.py store --out FOLDER``
    Measure anew what a model's training data looks like, and write the model with it. The encoder
    and the heads stay as they are.
``python experiments/flags.py measure``
    The out-of-distribution score of Jurkat cells against HeLa cells that neither the density nor,
    for the 20x movie, the encoder has seen; and the named checks on subsamples of movies, at the
    right settings and at wrong ones. Writes ``flags.csv`` and ``flags.md``.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from napari_interpdisc import CellTable, Frames, load_model, read_frames, save_model
from napari_interpdisc.checks import check_movie
from napari_interpdisc.crop_measures import measure_crops, spectra
from napari_interpdisc.crops import normalise
from napari_interpdisc.models.cell_model import CellModel, class_index
from napari_interpdisc.models.store import resolve
from napari_interpdisc.nuclei.detection import detect_nuclei
from napari_interpdisc.number_text import mean_sd
from napari_interpdisc.patches import patches_of_cells, patches_of_crops
from napari_interpdisc.pipeline import Encoding, movie_warnings
from napari_interpdisc.training.encoder.data import EncoderSource, hold_out
from napari_interpdisc.training.encoder.report import plain_crops
from napari_interpdisc.training.encoder.settings import PatchSource
from napari_interpdisc.training.encoder.sources import read_sources
from napari_interpdisc.training.encoder.statistics import STATISTICS_CROPS, familiarity_of
from other_movies import DATA, DIAMETER

HERE = Path(__file__).parent
RESULTS = HERE.parent / "docs" / "results" / "flags"
JURKAT_DIAMETER = 17.7
"""Median G1 nucleus in the Jurkat crops, px."""

DRAWS, CELLS = 20, 300
"""Subsamples of each source, and cells in each."""

FAULTS: dict[str, dict[str, float]] = {
    "right": {},
    "diameter 20 % too small": {"diameter": 0.8},
    "diameter 10 % too small": {"diameter": 0.9},
    "diameter 10 % too large": {"diameter": 1.1},
    "diameter 20 % too large": {"diameter": 1.2},
    "blur of 1 px": {"blur": 1.0},
    "blur of 1.5 px": {"blur": 1.5},
    "blur of 4 px": {"blur": 4.0},
    "noise of 0.3": {"noise": 0.3},
    "noise of 0.5": {"noise": 0.5},
    "inverted": {"invert": 1.0},
    "1 % of the pixels saturated": {"saturate": 0.01},
    "10 % of the pixels saturated": {"saturate": 0.1},
}
"""What is done to a movie: blur in px of a crop, noise in standard deviations of a patch."""


def sources_of(data: Path, without: Sequence[str] = ()) -> list[EncoderSource]:
    """Data sets that an encoder was trained on."""
    return read_sources(HERE / "bundle" / "sources.toml", data, 28.0, 64, without)


def at_most(source: PatchSource) -> PatchSource:
    """As many patches as the statistics of a training are measured on, drawn with seed 0."""
    rows = np.random.default_rng(0).permutation(len(source.patches))[:STATISTICS_CROPS]
    return replace(source, patches=source.patches[rows], weight=source.weight[rows])


def known_model(model: CellModel, sources: list[EncoderSource], seed: int) -> CellModel:
    """The model, knowing what the training part of each source looks like."""
    train = [at_most(hold_out(source, seed)[0]) for source in sources]
    return replace(model, familiarity=familiarity_of(model, train))


def movie(data: Path, source: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Some frames of a movie, and the centroids of their nuclei, px."""
    found = []
    if source == "hela_20x":
        frames = read_frames(data / "hela_20x_movie.tif")
        some = [frames.frame(t) for t in range(0, len(frames), 3)]
        return [(frame, detect_nuclei(frame, DIAMETER[source])) for frame in some]
    for file in sorted((data / "hela_ctc").glob("*.tif"))[::8]:
        masks = np.asarray(read_frames(file, 1).data)[1]
        labels = np.unique(masks[masks > 0])
        if len(labels) > CELLS / 10:
            yx = np.array(ndimage.center_of_mass(masks > 0, masks, labels))
            found.append((read_frames(file, 0).frame(0), yx))
    return found


def faulty(
    frames: list[tuple[np.ndarray, np.ndarray]],
    px: float,
    diameter: float = 1.0,
    blur: float = 0.0,
    noise: float = 0.0,
    invert: float = 0.0,
    saturate: float = 0.0,
) -> np.ndarray:
    """Crops (N, 1, 64, 64) of all cells of a movie that something was done to."""
    crops = []
    for frame, yx in frames:
        pixels = ndimage.gaussian_filter(frame, blur * px / 28) if blur else frame
        if saturate:
            pixels = np.minimum(pixels, np.quantile(pixels, 1 - saturate))
        pixels = pixels.max() - pixels if invert else pixels
        # cells at the edge have a flag of their own, and are not counted for the movie
        inside = (np.minimum(yx, np.array(frame.shape) - 1 - yx) > px / 2).all(1)
        cells = CellTable.from_arrays(np.zeros(inside.sum()), yx[inside])
        patches = patches_of_cells(Frames(pixels), cells, px * diameter).pixels
        if noise:
            draw = np.random.default_rng(0)
            spread = patches.std((1, 2), keepdims=True)
            patches = patches + noise * spread * draw.standard_normal(patches.shape)
        crops.append(normalise(patches[:, 16:80, 16:80]))
    return np.concatenate(crops)[:, None]


def encoded(model: CellModel, crops: np.ndarray, diameter: float) -> Encoding:
    """What the pipeline makes of crops: latents, spectra, checks."""
    z = model.encode(crops)[0]
    n = len(crops)
    return Encoding(
        CellTable.from_arrays(np.zeros(n), np.ones((n, 2))), z,
        np.zeros(n, np.float32), diameter, model.name, model.encoder_sha256, np.zeros(n, bool),
        model.familiarity, spectra(crops),
        check_movie(measure_crops(crops), model.model_diameter, diameter, model.familiarity),
    )  # fmt: skip


def alarms(model: CellModel, crops: np.ndarray, diameter: float) -> dict[str, float]:
    """Number of subsamples in which each check, and anything at all, speaks."""
    draw = np.random.default_rng(0)
    counts: dict[str, float] = dict.fromkeys(
        ("any", "diameter", "blur", "noise", "channel", "saturation", "unlike"), 0
    )
    for _ in range(DRAWS):
        rows = draw.choice(len(crops), min(CELLS, len(crops)), replace=False)
        found = encoded(model, crops[rows], diameter)
        spoke = {check.name for check in found.checks if check.advice}
        for name in spoke:
            counts[name] += 1
        told = movie_warnings(found)
        counts["unlike"] += len(told) > len(spoke)
        counts["any"] += bool(told)
    flagged = float(encoded(model, crops, diameter).out_of_distribution.mean())
    return {**counts, "flagged cells": flagged}


def flagged_by_class(model: CellModel, places: dict[str, np.ndarray]) -> str:
    """Markdown table: flagged cells at the right settings, by what the default head calls them."""
    named = model.head()
    lines = ["| cells | " + " | ".join(f"called {name}" for name in named.classes) + " |"]
    lines += ["|---" * (1 + len(named.classes)) + "|"]
    for place, crops in places.items():
        found = encoded(model, crops, model.model_diameter)
        called = class_index(model.score(found.latents, named.name))
        strange = found.out_of_distribution
        told = [
            f"{strange[called == k].sum()} of {(called == k).sum()}"
            for k in range(len(named.classes))
        ]
        lines.append(f"| {place} | {' | '.join(told)} |")
    return "\n".join(lines) + "\n"


def jurkat(data: Path) -> np.ndarray:
    """Crops of Jurkat cells."""
    with np.load(data / "jurkat_crops.npz") as archive:
        return patches_of_crops(archive["images"], JURKAT_DIAMETER).crops()


def score_rows(
    model: CellModel, sources: list[EncoderSource], strangers: np.ndarray, unseen: np.ndarray
) -> pd.DataFrame:
    """AUC of each score for Jurkat cells against each kind of HeLa cells, over three splits."""
    rows = []
    scores: dict[str, Callable[[Encoding], np.ndarray]] = {
        "latents": lambda e: e.surprises[:, 0],
        "sharpness and grain": lambda e: e.surprises[:, 1],
        "the larger of both (the score)": lambda e: e.surprise,
    }
    for seed in range(3):
        known = known_model(model, sources, seed)
        strange = encoded(known, strangers, JURKAT_DIAMETER)
        held = {
            f"{source.name}, held-out": plain_crops([hold_out(source, seed)[1]], 64)
            for source in sources
        }
        for place, crops in {**held, "hela_20x, never seen": unseen}.items():
            home = encoded(known, crops, 28.0)
            truth = np.r_[np.zeros(len(crops)), np.ones(len(strangers))]
            for name, score in scores.items():
                area = roc_auc_score(truth, np.r_[score(home), score(strange)])
                rows.append((name, place, seed, area, home.out_of_distribution.mean()))
        rows.append(("flagged", "Jurkat", seed, np.nan, strange.out_of_distribution.mean()))
    return pd.DataFrame(rows, columns=["score", "against", "split", "auc", "flagged"])


def measure(folder: str, data: Path, out: Path, without: Sequence[str]) -> None:
    """Write ``flags.csv`` and ``flags.md``."""
    model, sources = load_model(folder, device="cpu"), sources_of(data, without)
    movies = {name: movie(data, name) for name in DIAMETER}
    strangers = jurkat(data)
    unseen = faulty(movies["hela_20x"], DIAMETER["hela_20x"])
    scored = score_rows(model, sources, strangers, unseen)
    known = known_model(model, sources, 0)
    rows = []
    for name, frames in movies.items():
        for fault, settings in FAULTS.items():
            crops = faulty(frames, DIAMETER[name], **settings)
            given = DIAMETER[name] * settings.get("diameter", 1.0)
            rows.append((name, fault, len(crops), *alarms(known, crops, given).values()))
            print(*rows[-1], flush=True)
    more = {s.name: plain_crops([hold_out(s, 0)[1]], 64) for s in sources if s.name != "hela_ctc"}
    for name, crops in {**more, "jurkat": strangers}.items():
        rows.append((name, "right", len(crops), *alarms(known, crops, 28.0).values()))
    columns = ["source", "fault", "cells", "any", "diameter", "blur", "noise", "channel"]
    columns += ["saturation", "unlike", "flagged"]
    table = pd.DataFrame(rows, columns=columns)
    out.mkdir(parents=True, exist_ok=True)
    table.to_csv(out / "flags.csv", index=False, float_format="%.4f")
    scored.to_csv(out / "score.csv", index=False, float_format="%.4f")
    right = {name: faulty(frames, DIAMETER[name]) for name, frames in movies.items()}
    by_class = flagged_by_class(known, {**right, **more})
    told = f"Flagged cells by class, head `{known.head().name}`:"
    text = f"{report(scored, table)}\n{told}\n\n{by_class}"
    (out / "flags.md").write_text(text, "utf-8")
    print(text)


def report(scored: pd.DataFrame, table: pd.DataFrame) -> str:
    """Both tables as Markdown."""
    places = list(dict.fromkeys(scored["against"]))[:-1]
    lines = ["| score | " + " | ".join(places) + " |", "|---" * (1 + len(places)) + "|"]
    for name, part in scored[scored["auc"].notna()].groupby("score", sort=False):
        told = [mean_sd(part[part["against"] == p]["auc"].tolist()) for p in places]
        lines.append(f"| {name} | {' | '.join(told)} |")
    of_score = scored[scored["score"].isin(["latents", "flagged"])]
    told = [f"{of_score[of_score['against'] == p]['flagged'].mean():.1%}" for p in places]
    lines.append(f"| *cells that are flagged* | {' | '.join(told)} |")
    strange = of_score[of_score["against"] == "Jurkat"]["flagged"].mean()
    lines += ["", f"Of the Jurkat cells {strange:.1%} are flagged.", ""]
    shown = ["any", "diameter", "blur", "noise", "channel", "saturation", "unlike"]
    lines += ["| cells | settings | " + " | ".join(shown) + " | cells flagged |"]
    lines += ["|---" * (3 + len(shown)) + "|"]
    for _, row in table.iterrows():
        counts = " | ".join(f"{row[name]:.0f}" if row[name] else "–" for name in shown)
        lines.append(f"| {row['source']} | {row['fault']} | {counts} | {row['flagged']:.1%} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("store")
    first.add_argument("--out", type=Path, required=True, help="model folder to write")
    first.add_argument("--preface", type=Path, help="text that begins the card, Markdown")
    second = commands.add_parser("measure")
    second.add_argument("--out", type=Path, default=RESULTS)
    for one in (first, second):
        one.add_argument("--model", default="h2b")
        one.add_argument("--data", type=Path, default=DATA)
        one.add_argument(
            "--without", action="append", default=[], help="source that the encoder never saw"
        )
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.command == "store":
        model = load_model(args.model, device="cpu")
        known = known_model(model, sources_of(args.data, args.without), 0)
        if args.preface is not None:
            # what the training wrote of itself begins with its data
            own = model.card[model.card.index("## Data") :]
            known = replace(known, card=f"{args.preface.read_text('utf-8').rstrip()}\n\n{own}")
        save_model(known, args.out)
        for picture in resolve(args.model).glob("*.png"):
            shutil.copyfile(picture, args.out / picture.name)
        print("wrote", args.out)
    else:
        measure(args.model, args.data, args.out, args.without)


if __name__ == "__main__":
    main()
