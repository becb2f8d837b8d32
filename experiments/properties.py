"""What measured properties bring beside latents: heads that read either, or both.

``python experiments/properties.py --data FOLDER --out FOLDER --seeds 3``
    Two, four and five classes of MitoCheck, tested by plate and on the cells of
    ``experiments/labels``; and micronucleated against intact nuclei, tested by experiment. Each is
    asked of latents, of measured properties and of both, with dense, sparse and formula heads and
    with logistic regression on the same inputs and their squares. What is found is kept in
    ``OUT/properties.csv`` row by row: a run that was stopped goes on.

All kinds of inputs see the same cells: those in which a whole nucleus was found.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from generalisation import MITOSIS, target_of
from napari_interpdisc import CellTable, Frames, load_model, read_frames
from napari_interpdisc.discovery.augmented import PatchLatents, pairs_within, patch_latents
from napari_interpdisc.discovery.cross_validation import discover
from napari_interpdisc.discovery.labelled import LabelledCells
from napari_interpdisc.discovery.recipe import Recipe, predicted_by, read_as_radii
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.heads import head_inputs
from napari_interpdisc.models.properties import DEFAULT_PROPERTIES, missing_properties
from napari_interpdisc.patches import Patches, label_crops, patches_of_cells
from napari_interpdisc.symbolic.settings import SearchSettings
from napari_interpdisc.training.folds import grouped_folds
from napari_interpdisc.training.heads import HeadTraining
from napari_interpdisc.training.rigl import SparseTraining
from other_movies import DATA, MICRONUCLEI_DIAMETER, SOURCES, mitocheck, other_cells

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "properties"
READS = ("latents", "properties", "both")
TASKS = {
    "two classes": {"Interphase": ("Interphase",), "Metaphase": ("Metaphase",)},
    "four classes": {"Interphase": ("Interphase",), **MITOSIS},
    "five classes": {"Interphase": ("Interphase",), **MITOSIS, "Apoptosis": ("Apoptosis",)},
}
SATELLITE = (*DEFAULT_PROPERTIES, "satellite")
QUICK = Recipe(
    curve=False,
    augmented=8,
    formula_size=17,
    dense=HeadTraining(steps=800, weight_decay=0.1),
    sparse=SparseTraining(steps=1000, restarts=2),
    search=SearchSettings(engine="operon", max_size=17, generations=12, individuals=300, cells=600),
)
"""Shorter trainings than the defaults, so that all fits into an hour of one core."""

DENSITY = 0.1
"""Density of sparse heads for more than two classes, as in the bundled model."""


@dataclass(frozen=True)
class Question:
    """Cells of one question, with latents and properties, and those it is tested on besides."""

    name: str
    cells: LabelledCells
    abroad: dict[str, LabelledCells]
    given: int
    group_name: str
    folds: int


def read_cells(
    found: PatchLatents, target: np.ndarray, groups: np.ndarray, classes: Sequence[str],
    names: tuple[str, ...], model: CellModel,
) -> LabelledCells:  # fmt: skip
    """Cells with a class and a whole nucleus."""
    n = found.plain.shape[1] - len(names)
    group = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    cells = LabelledCells(
        found.plain, found.augmented, target, group, tuple(classes), pairs_within(model, n),
        properties=names, way=found.way,
    )  # fmt: skip
    return cells.take(np.flatnonzero((target >= 0) & ~missing_properties(found.plain[:, n:])))


def reading(cells: LabelledCells, what: str) -> LabelledCells:
    """The same cells with latents, properties or both to read."""
    n = cells.n_latents
    if what == "both":
        return cells
    if what == "latents":
        return replace(
            cells, latents=cells.latents[:, :n], augmented=cells.augmented[..., :n], properties=()
        )
    return replace(
        cells, latents=cells.latents[:, n:], augmented=cells.augmented[..., n:], pairs=()
    )


def mitosis(data: Path, model: CellModel, seed: int) -> Iterator[Question]:
    """Two, four and five classes of MitoCheck, and of two other sources."""
    wanted = {label for classes in TASKS.values() for own in classes.values() for label in own}
    home = mitocheck(data, sorted(wanted))
    recipe = QUICK.model_copy(update={"seed": seed, "properties": DEFAULT_PROPERTIES})
    plain = recipe.model_copy(update={"augmented": 0})
    found = patch_latents(home.patches, model, recipe)
    away = {source: other_cells(data, source) for source in SOURCES}
    seen = {source: patch_latents(own.patches, model, plain) for source, own in away.items()}
    for name, classes in TASKS.items():
        target = target_of(home.labels, classes)
        yield Question(
            name,
            read_cells(found, target, home.groups, tuple(classes), DEFAULT_PROPERTIES, model),
            {
                source: read_cells(
                    seen[source], target_of(own.labels, classes), own.groups, tuple(classes),
                    DEFAULT_PROPERTIES, model,
                )
                for source, own in away.items()
            },
            int((target >= 0).sum()),
            "plate",
            5,
        )  # fmt: skip


def micronucleated(data: Path, model: CellModel, seed: int) -> Iterator[Question]:
    """Micronucleated against intact nuclei, with the published masks and without."""
    table = pd.read_csv(data / "micronuclei" / "cells.csv").sort_values("file", kind="stable")
    pixels, regions = [], []
    for file, rows in table.groupby("file"):
        both = np.asarray(read_frames(data / "micronuclei" / str(file), 0).data)
        inside = CellTable.from_arrays(np.zeros(len(rows)), rows[["y", "x"]].to_numpy())
        pixels.append(patches_of_cells(Frames(both[0]), inside, MICRONUCLEI_DIAMETER).pixels)
        regions.append(label_crops(both[1].astype(np.int32), inside, MICRONUCLEI_DIAMETER))
    patches = Patches(np.concatenate(pixels), float(pixels[0].shape[-1]))
    target = (table["label"] == "micronucleated").to_numpy(np.int64)
    groups = table["experiment"].to_numpy(str)
    recipe = QUICK.model_copy(update={"seed": seed})
    masks = np.concatenate(regions)
    for name, names, own, around in (
        ("micronuclei, masks given, with satellite", SATELLITE, masks, False),
        ("micronuclei, masks given", DEFAULT_PROPERTIES, masks, False),
        ("micronuclei, masks found, with satellite", SATELLITE, None, False),
        ("micronuclei, latents of surroundings too", DEFAULT_PROPERTIES, masks, True),
    ):
        asked = recipe.model_copy(update={"properties": names, "surroundings": around})
        found = patch_latents(patches, model, asked, regions=own)
        cells = read_cells(found, target, groups, ("intact", "micronucleated"), names, model)
        yield Question(name, cells, {}, len(target), "experiment", 6)


def recall(target: np.ndarray, called: np.ndarray) -> float:
    """Balanced accuracy: mean recall of the classes that some cell has."""
    return float(np.mean([(called[target == k] == k).mean() for k in np.unique(target)]))


def inputs_of(cells: LabelledCells) -> np.ndarray:
    """What a plain classifier reads: invariant latents, radii of pairs, properties."""
    pairs = read_as_radii(cells)
    latents = torch.from_numpy(cells.own_latents)
    read = head_inputs(latents, latents.shape[1] - len(pairs), pairs).numpy()
    return np.concatenate([read, cells.latents[:, cells.n_latents :]], 1)


def logistic_rows(question: Question, what: str, seed: int) -> dict[str, float]:
    """Balanced accuracy of logistic regression on the inputs and their squares, by place."""
    cells = reading(question.cells, what)
    x, y = inputs_of(cells), cells.target
    scale = StandardScaler().fit(x)  # of inputs, before squares are taken

    def terms(values: np.ndarray) -> np.ndarray:
        z = scale.transform(values)
        return np.concatenate([z, z**2], 1)

    def fitted(rows: np.ndarray) -> object:
        model = LogisticRegression(C=0.3, class_weight="balanced", max_iter=3000)
        return make_pipeline(StandardScaler(), model).fit(terms(x[rows]), y[rows])

    predicted = np.empty_like(y)
    for train, test in grouped_folds(y, cells.group, question.folds, seed):
        predicted[test] = fitted(train).predict(terms(x[test]))
    found = {"held out": recall(y, predicted)}
    whole = fitted(np.arange(len(y)))
    for source, own in question.abroad.items():
        told = whole.predict(terms(inputs_of(reading(own, what))))
        found[source] = recall(own.target, told)
    return found


def rows_of(question: Question, what: str, seed: int, model: CellModel) -> list[dict[str, object]]:
    """Figures of all heads that read one kind of input."""
    cells = reading(question.cells, what)
    recipe = QUICK.model_copy(update={"seed": seed, "folds": question.folds})
    if len(cells.classes) > 2:
        sparse = recipe.sparse.model_copy(update={"density": DENSITY})
        recipe = recipe.model_copy(update={"sparse": sparse})
    about = {"question": question.name, "reads": what, "seed": seed}
    about |= {"cells": len(cells), "given": question.given}
    rows: list[dict[str, object]] = [
        {**about, "head": "logistic", **logistic_rows(question, what, seed)}
    ]
    found = discover(cells, recipe, encoder_sha256=model.encoder_sha256)
    for kind, fitted in found.heads.items():
        row = {**about, "head": kind, "held out": fitted.quality.balanced_accuracy}
        for source, own in question.abroad.items():
            called = predicted_by(fitted.head, reading(own, what))
            row[source] = recall(own.target, called)
        row["size"] = fitted.head.expression_size
        if kind == "formula":
            texts = [formula.show(aliases=model.aliases) for formula in fitted.head.formulas]
            row["text"] = "; ".join(texts)
        rows.append(row)
    return rows


def summary(table: pd.DataFrame) -> str:
    """Tables in Markdown: mean ± standard deviation over seeds."""
    lines = []
    for name, part in table.groupby("question", sort=False):
        first = part.iloc[0]
        lines += [f"**{name}** ({first['cells']} of {first['given']} cells measured)", ""]
        places = [p for p in ("held out", *SOURCES) if p in part and part[p].notna().any()]
        lines += [f"| reads | head | {' | '.join(places)} | nodes | seeds |"]
        lines += ["|---" * (4 + len(places)) + "|"]
        for (what, head), some in part.groupby(["reads", "head"], sort=False):
            told = [_mean_sd(some[place]) for place in places]
            nodes = "–" if some["size"].isna().all() else f"{some['size'].mean():.0f}"
            lines.append(f"| {what} | {head} | {' | '.join(told)} | {nodes} | {len(some)} |")
        lines.append("")
    return "\n".join(lines)


def _mean_sd(values: pd.Series) -> str:
    spread = f" ± {values.std():.3f}" if values.count() > 1 else ""
    return f"{values.mean():.3f}{spread}"


def report(data: Path, out: Path, seeds: Sequence[int], model_name: str, until: float) -> None:
    """Fit what is missing, write ``properties.csv`` and ``.md``, and print the tables."""
    torch.set_num_threads(1)
    model = load_model(model_name, device="cpu")
    out.mkdir(parents=True, exist_ok=True)
    path = out / "properties.csv"
    table = pd.read_csv(path) if path.exists() else pd.DataFrame()
    done = set()
    if len(table):
        done = set(table[["question", "reads", "seed"]].itertuples(index=False, name=None))
    for seed in seeds:
        for ask in (micronucleated, mitosis):
            for question in ask(data, model, seed):
                for what in READS:
                    if (question.name, what, seed) in done or time.time() > until:
                        continue
                    start = time.time()
                    rows = pd.DataFrame(rows_of(question, what, seed, model))
                    table = pd.concat([table, rows], ignore_index=True)
                    table.to_csv(path, index=False, float_format="%.4f")
                    took = f"{time.time() - start:.0f} s"
                    print(question.name, what, seed, took, flush=True)
    text = summary(table)
    (out / "properties.md").write_text(text + "\n", "utf-8")
    print(text)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--model", default="h2b")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=np.inf, help="begin nothing after these")
    asked = parser.parse_args()
    until = time.time() + 60 * asked.minutes
    report(asked.data, asked.out, range(asked.seeds), asked.model, until)


if __name__ == "__main__":
    main()
