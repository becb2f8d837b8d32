"""How far a head trained on MitoCheck travels: leave one source out, and faults of the image.

``python scripts/travel.py matrix --run all=RUN --run hela_ctc=RUN … --out docs/encoder``
    Heads are fitted on MitoCheck's labels, on latents of an encoder that never saw the named source
    ("all": it saw every source but the 20x movie, which none ever saw). Tested on MitoCheck, by
    plate (seed 0 alone: it takes long), and on the cells of ``scripts/labels``.
``python scripts/travel.py faults --model FOLDER --out docs/encoder``
    The heads of a model folder on the same cells as the diameter is mis-set, and as blur and noise
    rise.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold

from napari_interpdisc.crops import normalise
from napari_interpdisc.discovery.baselines import forest, shape_features
from napari_interpdisc.discovery.quality import group_bootstrap
from napari_interpdisc.models.cell_model import class_index
from napari_interpdisc.models.store import load_model
from nuclei_patches import labelled_crops
from other_sources import SOURCES, OtherCells, other_cells
from shipped_heads import (
    DATA,
    FOUR,
    FOUR_PLAIN,
    PLAIN,
    LabelledNuclei,
    Recipe,
    encode,
    encoder_of,
    fitted_head,
    labelled_nuclei,
    logits_of,
)

TWO_CLASSES = ("dense", "sparse", "formula")
TASKS = {
    "Interphase vs Metaphase": (PLAIN, TWO_CLASSES),
    "four classes": (FOUR_PLAIN, ("dense", "sparse")),
    "four classes, interphase of any shape": (FOUR, ("dense", "sparse")),
}
"""Classes, and kinds of heads that are tested on them."""
COLOURS = {"dense": "#0072B2", "sparse": "#D55E00", "formula": "#009E73", "mitosis": "#CC79A7"}


def recipes() -> list[tuple[str, str, Recipe]]:
    """Task, kind and recipe of every head that is tested."""
    return [
        (task, kind, Recipe(kind, classes))
        for task, (classes, kinds) in TASKS.items()
        for kind in kinds
    ]


def truth(cells: OtherCells, classes: dict[str, tuple[str, ...]]) -> np.ndarray:
    """Class position of each cell, −1 for cells of other classes."""
    names = list(classes)
    return np.array([names.index(n) if n in names else -1 for n in cells.labels])


def interval(y: np.ndarray, predicted: np.ndarray, groups: np.ndarray) -> str:
    """95 % bootstrap interval of the balanced accuracy over cells' groups."""
    place = np.unique(groups, return_inverse=True)[1]
    low, high = group_bootstrap(y, predicted, place, len(np.unique(y)), seed=0)
    return f"[{low:.2f}, {high:.2f}]"


def by_plate(recipe: Recipe, nuclei: LabelledNuclei, seed: int) -> float:
    """Balanced accuracy on MitoCheck plates that the head was not fitted on."""
    target = recipe.target(nuclei.labels)
    rows = np.flatnonzero(target >= 0)
    predicted = np.empty(len(target), int)
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    for train, test in folds.split(rows, target[rows], nuclei.plates[rows]):
        head = fitted_head(recipe, nuclei, rows[train], seed)
        predicted[rows[test]] = class_index(logits_of(head, nuclei.latents[rows[test]]))
    return float(balanced_accuracy_score(target[rows], predicted[rows]))


def matrix_rows(name: str, run: Path, seeds: int) -> list[dict[str, object]]:
    """Everything that is tested on one encoder."""
    encoder = encoder_of(run)
    nuclei = labelled_nuclei(encoder)
    abroad = {source: other_cells(DATA, source) for source in SOURCES}
    latents = {source: encode(encoder, cells.crops) for source, cells in abroad.items()}
    rows: list[dict[str, object]] = []
    for task, kind, recipe in recipes():
        for seed in range(seeds):
            head = fitted_head(recipe, nuclei, np.arange(len(nuclei.labels)), seed)
            row = {"encoder without": name, "task": task, "head": kind, "seed": seed}
            row["mitocheck"] = by_plate(recipe, nuclei, seed) if seed == 0 else np.nan
            for source, cells in abroad.items():
                y = truth(cells, recipe.classes)
                p = class_index(logits_of(head, latents[source]))
                known = y >= 0
                row[source] = balanced_accuracy_score(y[known], p[known])
                row[f"{source} interval"] = interval(y[known], p[known], cells.groups[known])
            rows.append(row)
            print(row, flush=True)
    return rows


def baseline_rows() -> list[dict[str, object]]:
    """Shape features and a random forest, the same way."""
    crops, labels, plates = labelled_crops(DATA)
    rows: list[dict[str, object]] = []
    features = shape_features(crops)
    abroad = {source: other_cells(DATA, source) for source in SOURCES}
    seen = {source: shape_features(cells.crops) for source, cells in abroad.items()}
    for task, (classes, _) in TASKS.items():
        recipe = Recipe("forest", classes)
        target = recipe.target(labels)
        known = target >= 0
        x, y, groups = features[known], target[known], plates[known]
        for seed in range(3):
            predicted = np.empty_like(y)
            folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
            for train, test in folds.split(x, y, groups):
                predicted[test] = forest(seed).fit(x[train], y[train]).predict(x[test])
            fitted = forest(seed).fit(x, y)
            row = {"encoder without": "no encoder", "task": task, "head": "regionprops + forest"}
            row |= {"seed": seed, "mitocheck": balanced_accuracy_score(y, predicted)}
            for source, cells in abroad.items():
                wanted = truth(cells, classes)
                some = wanted >= 0
                p = fitted.predict(seen[source])
                row[source] = balanced_accuracy_score(wanted[some], p[some])
                row[f"{source} interval"] = interval(wanted[some], p[some], cells.groups[some])
            rows.append(row)
    return rows


def matrix(runs: dict[str, Path], seeds: int, out: Path) -> None:
    """Write ``travel.csv`` and ``travel.md``; what was found of a run is kept in its folder."""
    tables = []
    for name, run in runs.items():
        kept = run / f"travel-{seeds}.csv"
        if not kept.exists():
            found = pd.DataFrame(matrix_rows(name, run, seeds))
            found.to_csv(kept.with_suffix(".partial"), index=False)
            kept.with_suffix(".partial").replace(kept)
        tables.append(pd.read_csv(kept))
    table = pd.concat([*tables, pd.DataFrame(baseline_rows())], ignore_index=True)
    out.mkdir(parents=True, exist_ok=True)
    table.to_csv(out / "travel.csv", index=False, float_format="%.4f")
    lines = [
        "| encoder trained without | head | MitoCheck, by plate | hela_ctc | hela_20x |",
        "|---|---|---|---|---|",
    ]
    text = []
    for task, part in table.groupby("task", sort=False):
        text += [f"**{task}**", "", *lines]
        for (name, kind), some in part.groupby(["encoder without", "head"], sort=False):
            told = []
            for source in ("mitocheck", *SOURCES):
                mark = "*" if source in (name, "hela_20x") else ""
                if name == "no encoder":
                    mark = ""
                value = f"{some[source].mean():.3f}"
                if some[source].count() > 1:
                    value += f" ± {some[source].std():.3f}"
                told.append(f"{mark}{value}{mark}")
            shown = {"all": "nothing", "no encoder": "– (no encoder)"}.get(name, f"`{name}`")
            text.append(f"| {shown} | {kind} | " + " | ".join(told) + " |")
        text.append("")
    (out / "travel.md").write_text("\n".join(text))
    print("\n".join(text))


def fault_rows(folder: str) -> pd.DataFrame:
    """Score of each head of a model on mis-set, blurred and noisy cells."""
    model = load_model(folder, device="cpu")
    steps = {
        "diameter": [0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3],
        "blur": [0.0, 0.5, 1.0, 1.5, 2.0, 3.0],
        "noise": [0.0, 0.1, 0.2, 0.3, 0.5, 0.8],
    }
    rows = []
    for fault, values in steps.items():
        for value in values:
            for source in SOURCES:
                cells = other_cells(DATA, source, **{fault: value})
                crops = normalise(cells.crops)[:, None]
                z, _ = model.encode(crops)
                error = ((model.decode(z) - crops) ** 2).mean((1, 2, 3))
                flagged = float(np.nan)
                if model.familiarity is not None:
                    flagged = float(model.familiarity.out_of_distribution(error, z).mean())
                for name, named in model.heads.items():
                    position = {c: k for k, c in enumerate(named.classes)}
                    y = np.array([position.get(label, -1) for label in cells.labels])
                    p = class_index(model.score(z, name))
                    score = balanced_accuracy_score(y[y >= 0], p[y >= 0])
                    rows.append((fault, value, source, name, score, flagged))
    return pd.DataFrame(
        rows, columns=["fault", "value", "source", "head", "balanced accuracy", "flagged"]
    )


def faults(folder: str, out: Path) -> None:
    """Write ``faults.csv``, ``faults.md`` and ``faults.png``."""
    mpl.use("agg")
    from matplotlib import pyplot as plt

    table = fault_rows(folder)
    out.mkdir(parents=True, exist_ok=True)
    table.to_csv(out / "faults.csv", index=False, float_format="%.4f")
    shown = [name for name in table["head"].unique() if name in COLOURS]
    figure, grid = plt.subplots(2, 3, figsize=(11, 6), sharey=True, layout="constrained")
    labels = {
        "diameter": "diameter given ÷ right diameter",
        "blur": "blur (σ, crop pixels)",
        "noise": "noise (σ, standard deviations of the crop)",
    }
    for axes_row, source in zip(grid, SOURCES, strict=True):
        for axes, fault in zip(axes_row, labels, strict=True):
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
            axes.set(ylim=(-0.03, 1.03), xlabel=labels[fault])
            axes.set_title(source, fontsize=9)
            axes.grid(alpha=0.3)
        axes_row[0].set_ylabel("balanced accuracy")
    grid[0, 0].legend(fontsize=7, loc="lower center")
    figure.savefig(out / "faults.png", dpi=110)
    lines = []
    for fault, axis in labels.items():
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


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("matrix")
    first.add_argument("--run", action="append", required=True, metavar="SOURCE=FOLDER")
    first.add_argument("--seeds", type=int, default=3)
    second = commands.add_parser("faults")
    second.add_argument("--model", default="h2b")
    for one in (first, second):
        one.add_argument("--out", type=Path, default=Path("docs/encoder"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.command == "matrix":
        runs = dict(item.split("=", 1) for item in args.run)
        matrix({name: Path(run) for name, run in runs.items()}, args.seeds, args.out)
    else:
        faults(args.model, args.out)


if __name__ == "__main__":
    main()
