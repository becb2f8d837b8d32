"""How far heads fitted on MitoCheck generalise: one data set left out, and faults of the image.

``python experiments/generalisation.py matrix --run all=RUN --run hela_ctc=RUN …``
    Heads are fitted on MitoCheck's labels, on latents of an encoder that never saw the named data
    set ("all": it saw every data set but the 20x movie, which none ever saw). They are tested on
    held-out plates of MitoCheck, and on the cells of ``experiments/labels``. A run is a folder of
    ``interpdisc train-encoder --sources … --without NAME``.
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
from sklearn.metrics import balanced_accuracy_score

from napari_interpdisc import load_model
from napari_interpdisc.crop_measures import spectra
from napari_interpdisc.crops import CROP_SIZE
from napari_interpdisc.discovery.baselines import forest, shape_features
from napari_interpdisc.discovery.quality import group_bootstrap
from napari_interpdisc.discovery.recipe import Recipe, head_logits
from napari_interpdisc.discovery.tasks import HeadTask, HeadTasks, answer_tasks
from napari_interpdisc.figures.canvas import save_figure
from napari_interpdisc.models.cell_model import class_index
from napari_interpdisc.patches import middle
from napari_interpdisc.symbolic.settings import SearchSettings
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

ANY_SHAPE = ("Interphase", "Elongated", "Large", "Binuclear", "Folded", "Polylobed")
MITOSIS = {name: (name,) for name in ("Prometaphase", "Metaphase", "Anaphase")}
TASKS = {
    "Interphase vs Metaphase": {"Interphase": ("Interphase",), "Metaphase": ("Metaphase",)},
    "four classes": {"Interphase": ("Interphase",), **MITOSIS},
    "four classes, interphase of any shape": {"Interphase": ANY_SHAPE, **MITOSIS},
}
KINDS = {2: ("dense", "sparse", "formula"), 4: ("dense", "sparse")}
"""Kinds of heads that are tested, by the number of classes."""

COLOURS = {"dense": "#0072B2", "sparse": "#D55E00", "formula": "#009E73", "mitosis": "#CC79A7"}
RESULTS = Path(__file__).parents[1] / "docs" / "results"


def asked(seed_recipe: Recipe) -> HeadTasks:
    """All questions, answered by the recipe."""
    tasks = [
        HeadTask(names={kind: kind for kind in KINDS[len(classes)]}, classes=classes)
        for classes in TASKS.values()
    ]
    return HeadTasks(recipe=seed_recipe, task=tuple(tasks))


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


def matrix_rows(
    name: str, run: Path, data: Path, seeds: int, recipe: Recipe
) -> list[dict[str, object]]:
    """Everything that is tested on one encoder."""
    model = load_model(run / "model", device="cpu")
    wanted = {label for classes in TASKS.values() for own in classes.values() for label in own}
    home = mitocheck(data, sorted(wanted))
    abroad = {source: other_cells(data, source) for source in SOURCES}
    latents = {s: model.encode(cells.patches.crops())[0] for s, cells in abroad.items()}
    results = answer_tasks(
        home.patches, home.labels, home.groups, model, asked(recipe), range(seeds)
    )
    rows: list[dict[str, object]] = []
    for (task, classes), result in zip(TASKS.items(), results, strict=True):
        for seed, found in enumerate(result.found):
            for kind, fitted in found.heads.items():
                row = {"encoder without": name, "task": task, "head": kind, "seed": seed}
                row["mitocheck"] = fitted.quality.balanced_accuracy
                for source, cells in abroad.items():
                    called = class_index(head_logits(fitted.head, latents[source]))
                    row[source], row[f"{source} interval"] = score(
                        target_of(cells.labels, classes), called, cells.groups
                    )
                rows.append(row)
                print(row, flush=True)
    return rows


def baseline_rows(data: Path, seeds: int) -> list[dict[str, object]]:
    """Shape features and a random forest, the same way."""

    def features(cells: LabelledPatches) -> np.ndarray:
        return shape_features(middle(cells.patches.pixels, CROP_SIZE))

    home = mitocheck(data)
    abroad = {source: other_cells(data, source) for source in SOURCES}
    x = features(home)
    seen = {source: features(cells) for source, cells in abroad.items()}
    rows: list[dict[str, object]] = []
    for task, classes in TASKS.items():
        labels = HeadTask(names={"dense": "forest"}, classes=classes).target(home.labels)
        known = labels >= 0
        own, y = x[known], labels[known]
        group = np.unique(home.groups[known], return_inverse=True)[1]
        for seed in range(seeds):
            predicted = np.empty_like(y)
            for train, test in grouped_folds(y, group, 5, seed):
                predicted[test] = forest(seed).fit(own[train], y[train]).predict(own[test])
            fitted = forest(seed).fit(own, y)
            row = {"encoder without": "no encoder", "task": task, "head": "regionprops + forest"}
            row |= {"seed": seed, "mitocheck": balanced_accuracy_score(y, predicted)}
            for source, cells in abroad.items():
                row[source], row[f"{source} interval"] = score(
                    target_of(cells.labels, classes), fitted.predict(seen[source]), cells.groups
                )
            rows.append(row)
    return rows


def matrix(runs: dict[str, Path], data: Path, seeds: int, recipe: Recipe, out: Path) -> None:
    """Write ``generalisation.csv`` and ``.md``; what was found of a run is kept in its folder."""
    tables = []
    for name, run in runs.items():
        kept = run / f"generalisation-{seeds}.csv"
        if not kept.exists():
            found = pd.DataFrame(matrix_rows(name, run, data, seeds, recipe))
            found.to_csv(kept.with_suffix(".partial"), index=False)
            kept.with_suffix(".partial").replace(kept)
        tables.append(pd.read_csv(kept))
    table = pd.concat([*tables, pd.DataFrame(baseline_rows(data, seeds))], ignore_index=True)
    out.mkdir(parents=True, exist_ok=True)
    table.to_csv(out / "generalisation.csv", index=False, float_format="%.4f")
    text = []
    for task, part in table.groupby("task", sort=False):
        text += [f"**{task}**", ""]
        text += ["| encoder trained without | head | MitoCheck, by plate | hela_ctc | hela_20x |"]
        text += ["|---|---|---|---|---|"]
        for (name, kind), some in part.groupby(["encoder without", "head"], sort=False):
            told = []
            for source in ("mitocheck", *SOURCES):
                unseen = name != "no encoder" and source in (name, "hela_20x")
                value = f"{some[source].mean():.3f}"
                if some[source].count() > 1:
                    value += f" ± {some[source].std():.3f}"
                told.append(f"*{value}*" if unseen else value)
            shown = {"all": "nothing", "no encoder": "– (no encoder)"}.get(name, f"`{name}`")
            text.append(f"| {shown} | {kind} | {' | '.join(told)} |")
        text.append("")
    (out / "generalisation.md").write_text("\n".join(text))
    print("\n".join(text))


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
    first.add_argument("--run", action="append", required=True, metavar="SOURCE=FOLDER")
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
        runs = {name: Path(run) for name, run in (item.split("=", 1) for item in args.run)}
        recipe = Recipe(curve=False, search=SearchSettings(engine="operon", max_size=17))
        matrix(runs, args.data, args.seeds, recipe, args.out)
    elif args.command == "faults":
        faults(args.model, args.data, args.out)
    else:
        second(args.model, args.data, args.out)


if __name__ == "__main__":
    main()
