"""The table of Table 1: aggregation over seeds, and Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_interpdisc.models.cell_model import CellModel

if TYPE_CHECKING:
    import pandas as pd


SCHEMES: dict[str, tuple[str, str]] = {
    "cnn": ("CNN", "dense, BatchNorm"),
    "dense": ("β-TCVAE", "dense"),
    "sparse": ("β-TCVAE", "sparse (RigL)"),
    "formula": ("β-TCVAE", "formula"),
    "large": ("β-TCVAE", "dense, 8 × wider"),
    "l1": ("β-TCVAE", "L1 logistic, with squares"),
    "tree": ("β-TCVAE", "decision tree, depth 3"),
    "ebm": ("β-TCVAE", "explainable boosting machine"),
    "figs": ("β-TCVAE", "FIGS, 8 rules"),
    "probe": ("β-TCVAE", "logistic (linear probe)"),
    "forest": ("regionprops", "random forest"),
    "shape": ("regionprops", "logistic"),
    "hog": ("HOG + PCA", "logistic"),
}
"""Encoder and head of each row of the table.

The paper's four schemes, a control, glass boxes on the inputs of the heads, and baselines.
"""


def aggregate(results: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Table of units: predictions of a seed's folds are pooled, then mean and sd over seeds.

    Returns
    -------
    Columns task, scheme, encoder, head, weights, size, size_without_biases, accuracy,
    balanced_accuracy, ``abroad PLACE`` (balanced accuracy on cells of another laboratory, mean over
    folds), each measure with ``_sd`` (NaN for one seed), of_dense (ratio of the accuracy to the
    dense head's), and seeds.
    """
    import pandas as pd
    from sklearn.metrics import balanced_accuracy_score

    per_seed = []
    schemes = results[0]["schemes"]
    abroad = list(next(iter(schemes.values())).get("abroad", {}))
    for task, seed in dict.fromkeys((r["task"], r["seed"]) for r in results):
        folds = [r for r in results if (r["task"], r["seed"]) == (task, seed)]
        target = np.concatenate([r["target"] for r in folds])
        for name in folds[0]["schemes"]:
            parts = [r["schemes"][name] for r in folds]
            predicted = np.concatenate([p["predicted"] for p in parts])
            row = {
                "task": task,
                "scheme": name,
                "accuracy": float((predicted == target).mean()),
                "balanced_accuracy": float(balanced_accuracy_score(target, predicted)),
            }
            for measure in ("weights", "size", "size_without_biases"):
                known = [p[measure] for p in parts if measure in p]
                row[measure] = float(np.mean(known)) if known else float("nan")
            for place in abroad:
                row[f"abroad {place}"] = float(np.mean([p["abroad"][place] for p in parts]))
            per_seed.append(row)
    measures = ["weights", "size", "size_without_biases", "accuracy", "balanced_accuracy"]
    measures += [f"abroad {place}" for place in abroad]
    grouped = pd.DataFrame(per_seed).groupby(["task", "scheme"], sort=False)[measures]
    table = grouped.mean().join(grouped.std().add_suffix("_sd")).reset_index()
    table.insert(2, "encoder", [SCHEMES[name][0] for name in table["scheme"]])
    table.insert(3, "head", [SCHEMES[name][1] for name in table["scheme"]])
    dense = table[table["scheme"] == "dense"].set_index("task")
    for measure in ("accuracy", "balanced_accuracy", "weights", "size"):
        table[f"{measure}_of_dense"] = table[measure] / table["task"].map(dense[measure])
    table["seeds"] = grouped.size().to_numpy()
    order = {name: place for place, name in enumerate(SCHEMES)}
    tasks = {task: place for place, task in enumerate(dict.fromkeys(table["task"]))}
    place = [(tasks[t], order[s]) for t, s in zip(table["task"], table["scheme"], strict=True)]
    return table.iloc[sorted(range(len(table)), key=place.__getitem__)].reset_index(drop=True)


def markdown(table: pd.DataFrame) -> str:
    """Return the table as Markdown, one for each task, in the columns of the paper."""

    def told(row: Any, measure: str, digits: int) -> str:
        value, spread = row[measure], row[f"{measure}_sd"]
        if np.isnan(value):
            return "–"
        if np.isnan(spread) or (spread == 0 and digits == 0):
            return f"{value:.{digits}f}"
        return f"{value:.{digits}f} ± {spread:.{digits}f}"

    names = [str(name) for name in table]
    places = [n for n in names if n.startswith("abroad ") and not n.endswith("_sd")]
    titles = "".join(f" {place.removeprefix('abroad ')} |" for place in places)
    lines = []
    for task in dict.fromkeys(table["task"]):
        rows = table[table["task"] == task]
        lines += [
            f"**{task}** ({int(rows['seeds'].iloc[0])} seeds)",
            "",
            "| encoder | head | weights | size | size without biases | accuracy | "
            f"balanced accuracy |{titles}",
            "|---|---|---|---|---|---|---|" + "---|" * len(places),
        ]
        for _, row in rows.iterrows():
            weights = "–" if row["scheme"] == "formula" else told(row, "weights", 0)
            cells = [row["encoder"], row["head"], weights]
            cells += [told(row, m, 0) for m in ("size", "size_without_biases")]
            cells += [told(row, m, 3) for m in ("accuracy", "balanced_accuracy", *places)]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def latent_use(results: Sequence[Mapping[str, Any]], model: CellModel) -> str:
    """Tell, in Markdown, how many of the sparse heads and formulas use each latent of a model."""

    def label(latent: int) -> str:
        name = model.latent_name(latent)
        return f"z{latent} ({name})" if name else f"z{latent}"

    lines = []
    for task in dict.fromkeys(r["task"] for r in results):
        units = [r["schemes"] for r in results if r["task"] == task]
        for name in ("sparse", "formula"):
            counts = Counter(latent for unit in units for latent in unit[name]["latents"])
            told = ", ".join(f"{label(latent)} {n}" for latent, n in counts.most_common(8))
            lines.append(f"- {task}, {name}, of {len(units)}: {told}")
    return "\n".join(["Latents that most heads use:", "", *lines, ""])
