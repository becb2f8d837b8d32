"""How far heads generalise: one data set left out, and faults of the image.

``python experiments/generalisation.py matrix --of nothing=FILE --of hela_ctc=FILE …``
    The heads of ``experiments/bundle/heads.toml`` where an encoder, and the heads, never saw the
    named data set. A file is what ``experiments/encoder_seeds.py`` found of such a run,
    ``RUN/TAG.csv``; several of one name are put together. Baselines are made anew.
``python experiments/generalisation.py faults --model FOLDER``
    The heads of a model on the same cells as the diameter is mis-set, and as blur and noise rise.
``python experiments/generalisation.py second --model FOLDER``
    The heads of a model on the second test set, which nothing is chosen or tuned on, and the share
    of nuclei of many cell types, nearly all in interphase, that they call something else.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score

from bundle import other_laboratories, test_cells
from napari_interpdisc import load_model
from napari_interpdisc.crop_measures import spectra
from napari_interpdisc.crops import CROP_SIZE
from napari_interpdisc.discovery.baselines import forest, shape_features
from napari_interpdisc.discovery.labelled import LabelledCells
from napari_interpdisc.discovery.quality import group_bootstrap
from napari_interpdisc.discovery.tasks import HeadTasks
from napari_interpdisc.figures.canvas import save_figure
from napari_interpdisc.io.settings import read_settings
from napari_interpdisc.models.cell_model import class_index
from napari_interpdisc.number_text import mean_sd
from napari_interpdisc.patches import middle
from napari_interpdisc.training.folds import grouped_folds
from other_movies import (
    DATA,
    SECOND,
    SOURCES,
    LabelledPatches,
    mitocheck,
    other_cells,
    other_nuclei,
)

MITOSIS = {name: (name,) for name in ("Prometaphase", "Metaphase", "Anaphase")}
HEADS = Path(__file__).parent / "bundle" / "heads.toml"
QUESTIONS = {
    "Interphase of any shape vs Metaphase, aligned or not": ("dense", "sparse", "formula"),
    "Interphase vs aligned Metaphase": ("dense-strict", "sparse-strict", "formula-strict"),
    "four states": ("states", "states-sparse"),
}
"""Heads of the matrix; the first of each gives the question."""

PLACES = {
    "by plate": "mitocheck",
    "hela_ctc": "hela_ctc",
    "hela_20x": "hela_20x",
    "jurkat, held out": "jurkat",
    "dsb2018, held out": "nuclei_frames",
}
"""Columns of the matrix, and the source of the cells of each."""

COLOURS = {"dense": "#0072B2", "sparse": "#D55E00", "formula": "#009E73", "mitosis": "#CC79A7"}
RESULTS = Path(__file__).parents[1] / "docs" / "results"
BASELINE, NO_ENCODER = "regionprops + forest", "– (no encoder)"


def target_of(labels: np.ndarray, classes: dict[str, tuple[str, ...]]) -> np.ndarray:
    """Class position of each cell of another movie, −1 for cells of other classes."""
    names = list(classes)
    return np.array([names.index(n) if n in names else -1 for n in labels])


def interval(y: np.ndarray, predicted: np.ndarray, groups: np.ndarray) -> str:
    """95 % bootstrap interval of the balanced accuracy over groups."""
    place = np.unique(groups, return_inverse=True)[1]
    # a head may call cells something that none of them is
    n = int(max(y.max(), predicted.max())) + 1
    low, high = group_bootstrap(y, predicted, place, n, seed=0)
    return f"[{low:.2f}, {high:.2f}]"


def score(target: np.ndarray, called: np.ndarray, groups: np.ndarray) -> tuple[float, str]:
    """Balanced accuracy on the cells of known classes, and its interval."""
    known = target >= 0
    with warnings.catch_warnings():
        # a class that a head calls and no cell has counts as an error, and for no recall
        warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")
        accuracy = float(balanced_accuracy_score(target[known], called[known]))
    return accuracy, interval(target[known], called[known], groups[known])


def baseline_rows(data: Path, seeds: int) -> list[tuple[str, str, str, float]]:
    """(question, head, place, balanced accuracy) of shape features and a random forest.

    It learns from the same laboratories as the first head of each question, each as much.
    """

    def features(cells: LabelledPatches) -> np.ndarray:
        return shape_features(middle(cells.patches.pixels, CROP_SIZE)).astype(np.float32)

    tasks = read_settings(HEADS, HeadTasks).task
    also = other_laboratories(data)
    own = mitocheck(data, sorted({v for t in tasks for of in t.classes.values() for v in of}))
    x, group = features(own), np.unique(own.groups, return_inverse=True)[1]
    x_also = {name: features(cells) for name, cells in also.items()}
    places = {n: c for n, c in test_cells(data, False, ()).items() if n in PLACES}
    seen = {place: features(cells) for place, cells in places.items()}
    rows = []
    for question, heads in QUESTIONS.items():
        task = next(task for task in tasks if heads[0] in task.names.values())
        wanted = [name for name in also if task.also is None or name in task.also]
        parts = [(x, own.labels), *((x_also[name], also[name].labels) for name in wanted)]
        every = np.concatenate([part for part, _ in parts])
        cells = LabelledCells(
            every,
            every[None],
            task.target(np.concatenate([labels for _, labels in parts])),
            np.concatenate([group, group.max() + 1 + np.arange(len(every) - len(group))]),
            tuple(task.classes),
            laboratory=np.repeat(np.arange(len(parts)), [len(part) for part, _ in parts]),
        )
        cells = cells.take(cells.known)
        tested = np.flatnonzero(cells.tested)
        for seed in range(seeds):

            def fitted(to: LabelledCells, seed: int = seed) -> RandomForestClassifier:
                even = to.evened(seed)
                return forest(seed).fit(even.latents, even.target)

            called = np.empty(len(tested), np.int64)
            y = cells.target[tested]
            for train, test in grouped_folds(y, cells.group[tested], 5, seed):
                rest = np.flatnonzero(~cells.tested)
                fold = cells.take(np.concatenate([tested[train], rest]))
                called[test] = fitted(fold).predict(cells.latents[tested[test]])
            rows.append((question, BASELINE, "by plate", balanced_accuracy_score(y, called)))
            model = fitted(cells)
            for place, elsewhere in places.items():
                target = target_of(elsewhere.labels, {name: () for name in task.classes})
                accuracy, _ = score(target, model.predict(seen[place]), elsewhere.groups)
                rows.append((question, BASELINE, place, accuracy))
    return rows


def matrix(files: list[tuple[str, Path]], data: Path, seeds: int, out: Path) -> None:
    """Write ``matrix.csv`` and ``matrix.md``."""
    tables = []
    for without, file in files:
        table = pd.read_csv(file)
        for question, heads in QUESTIONS.items():
            kept = table[table["head"].isin(heads) & table["what"].isin(PLACES)]
            tables.append(kept.assign(question=question, without=without, file=file.parent.name))
    columns = ["question", "head", "what", "value"]
    baseline = pd.DataFrame(baseline_rows(data, seeds), columns=columns)
    tables.append(baseline.assign(without=NO_ENCODER, file=""))
    found = pd.concat(tables, ignore_index=True)[["without", *columns, "file"]]
    out.mkdir(parents=True, exist_ok=True)
    found.to_csv(out / "matrix.csv", index=False, float_format="%.4f")
    lines = []
    for question in QUESTIONS:
        part = found[found["question"] == question]
        lines += [f"**{question}**", ""]
        lines += ["| without | head | MitoCheck, by plate | " + " | ".join(list(PLACES)[1:]) + " |"]
        lines += ["|---" * (2 + len(PLACES)) + "|"]
        for (without, head), some in part.groupby(["without", "head"], sort=False):
            told = []
            for place, source in PLACES.items():
                values = some[some["what"] == place]["value"].tolist()
                value = mean_sd(values) if values else "–"
                unseen = source in ("hela_20x", without)
                told.append(f"*{value}*" if unseen and without != NO_ENCODER else value)
            shown = without if without in (NO_ENCODER, "nothing") else f"`{without}`"
            own = head if head == BASELINE else f"`{head}`"
            lines.append(f"| {shown} | {own} | {' | '.join(told)} |")
        lines.append("")
    (out / "matrix.md").write_text("\n".join(lines), "utf-8")
    print("\n".join(lines))


STEPS = {
    "diameter": [0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3],
    "blur": [0.0, 0.5, 1.0, 1.5, 2.0, 3.0],
    "noise": [0.0, 0.1, 0.2, 0.3, 0.5, 0.8],
}
AXES = {
    "diameter": "diameter given ÷ right diameter",
    "blur": "blur (σ, crop pixels)",
    "noise": "noise (σ, standard deviations of the patch)",
}


def fault_rows(folder: str, data: Path) -> pd.DataFrame:
    """Score of each head of a model on mis-set, blurred and noisy cells."""
    model = load_model(folder, device="cpu")
    rows = []
    for fault, values in STEPS.items():
        for value in values:
            for source in SOURCES:
                cells = other_cells(data, source, **{fault: value})
                crops = cells.patches.crops()
                z, _ = model.encode(crops)
                flagged = float(np.nan)
                if model.familiarity is not None:
                    strange = model.familiarity.out_of_distribution(z, spectra(crops))
                    flagged = float(strange.mean())
                for name, head in model.heads.items():
                    target = target_of(cells.labels, {c: (c,) for c in head.classes})
                    accuracy, _ = score(target, class_index(model.score(z, name)), cells.groups)
                    rows.append((fault, value, source, name, accuracy, flagged))
    columns = ["fault", "value", "source", "head", "balanced accuracy", "flagged"]
    return pd.DataFrame(rows, columns=columns)


def faults(folder: str, data: Path, out: Path) -> None:
    """Write ``faults.csv``, ``faults.md`` and ``faults.png``."""
    table = fault_rows(folder, data)
    out.mkdir(parents=True, exist_ok=True)
    table.to_csv(out / "faults.csv", index=False, float_format="%.4f")
    shown = [name for name in table["head"].unique() if name in COLOURS]
    draw_faults(table, shown, out / "faults.png")
    lines = []
    for fault, axis in AXES.items():
        some = table[(table["fault"] == fault) & table["head"].isin(shown)]
        wide = some.pivot_table(
            index=["source", "head"], columns="value", values="balanced accuracy", sort=False
        )
        lines += [f"**{axis}**", ""]
        lines += ["| cells | head | " + " | ".join(f"{v:g}" for v in wide.columns) + " |"]
        lines += ["|---|---|" + "---|" * len(wide.columns)]
        for (source, name), values in wide.iterrows():
            told = " | ".join(f"{v:.2f}" for v in values)
            lines.append(f"| {source} | `{name}` | {told} |")
        for source in SOURCES:
            line = some[(some["source"] == source) & (some["head"] == shown[0])]
            told = " | ".join(f"{v:.2f}" for v in line["flagged"])
            lines.append(f"| {source} | *flagged* | {told} |")
        lines.append("")
    (out / "faults.md").write_text("\n".join(lines))
    print("\n".join(lines))


def second(folder: str, data: Path, out: Path) -> None:
    """Write ``second.md``: balanced accuracy and recall of every head on the second test set."""
    model, cells = load_model(folder, device="cpu"), other_cells(data, SECOND)
    z = model.encode(cells.patches.crops())[0]
    states = ("Interphase", "Prometaphase", "Metaphase", "Anaphase", "Apoptosis")
    counts = [f"{name} {(cells.labels == name).sum()}" for name in states]
    lines = [f"| head | balanced accuracy [95 %] | {' | '.join(counts)} | other nuclei |"]
    lines += ["|---" * 8 + "|"]
    others = model.encode(other_nuclei(data, 1).patches.crops())[0]
    for name, head in model.heads.items():
        target = target_of(cells.labels, {c: (c,) for c in head.classes})
        called = class_index(model.score(z, name))
        accuracy, between = score(target, called, cells.groups)
        recall = [
            f"{(called[cells.labels == c] == head.classes.index(c)).mean():.2f}"
            if c in head.classes
            else "–"
            for c in states
        ]
        first = head.classes.index("Interphase")
        false = (class_index(model.score(others, name)) != first).mean()
        lines.append(
            f"| `{name}` | {accuracy:.3f} {between} | {' | '.join(recall)} | {false:.1%} |"
        )
    out.mkdir(parents=True, exist_ok=True)
    (out / "second.md").write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))


def draw_faults(table: pd.DataFrame, shown: list[str], path: Path) -> None:
    """Draw balanced accuracy, and the share of flagged cells, against each fault."""
    figure = Figure(figsize=(11, 6), layout="constrained")
    grid = figure.subplots(2, 3, sharey=True)
    for axes_row, source in zip(grid, SOURCES, strict=True):
        for axes, fault in zip(axes_row, AXES, strict=True):
            some = table[(table["fault"] == fault) & (table["source"] == source)]
            for name in shown:
                line = some[some["head"] == name]
                axes.plot(
                    line["value"], line["balanced accuracy"], "o-", ms=4,
                    color=COLOURS[name], label=name,
                )  # fmt: skip
            line = some[some["head"] == shown[0]]
            axes.plot(
                line["value"], line["flagged"], "s--", ms=3, color="0.5",
                label="share flagged as unlike the training data",
            )  # fmt: skip
            axes.set(ylim=(-0.03, 1.03), xlabel=AXES[fault])
            axes.set_title(source, fontsize=9)
            axes.grid(alpha=0.3)
        axes_row[0].set_ylabel("balanced accuracy")
    grid[0, 0].legend(fontsize=7, loc="lower center")
    save_figure(figure, path)


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("matrix")
    first.add_argument("--of", action="append", required=True, metavar="SOURCE=FILE")
    first.add_argument("--seeds", type=int, default=3)
    others = [commands.add_parser(name) for name in ("faults", "second")]
    for one in others:
        one.add_argument("--model", default="h2b")
    for one in (first, *others):
        one.add_argument("--data", type=Path, default=DATA)
        one.add_argument("--out", type=Path, default=RESULTS / "generalisation")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.command == "matrix":
        files = [(name, Path(file)) for name, file in (item.split("=", 1) for item in args.of)]
        matrix(files, args.data, args.seeds, args.out)
    elif args.command == "faults":
        faults(args.model, args.data, args.out)
    else:
        second(args.model, args.data, args.out)


if __name__ == "__main__":
    main()
