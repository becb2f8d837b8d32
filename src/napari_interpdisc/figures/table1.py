"""The figure of Table 1: accuracy against expression size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from napari_interpdisc.discovery.table1_summary import SCHEMES
from napari_interpdisc.figures.canvas import save_figure

if TYPE_CHECKING:
    import pandas as pd


def draw_table1(path: Path, table: pd.DataFrame) -> None:
    """Draw balanced accuracy against expression size, one panel for each task, as a PNG file.

    ``table`` is that of :class:`napari_interpdisc.discovery.table1.Table1`.
    """
    tasks = list(dict.fromkeys(table["task"]))
    figure = Figure(figsize=(5.2 * len(tasks), 4.8), layout="constrained")
    markers = dict(zip(SCHEMES, "sDo^vPX*hdp<>", strict=False))
    every = figure.subplots(1, len(tasks), squeeze=False)[0]
    for axes, task in zip(every, tasks, strict=True):
        own = table[table["task"] == task]
        # lines lie close together: their names take turns to the right and to the left
        lines = own[own["size"].isna()].sort_values("balanced_accuracy")["scheme"].tolist()
        for _, row in own.iterrows():
            name = f"{row['encoder']} + {row['head']}"
            if np.isnan(row["size"]):
                axes.axhline(row["balanced_accuracy"], color="0.6", lw=0.8, ls="--", zorder=0)
                left = lines.index(row["scheme"]) % 2
                axes.annotate(
                    name, (1 - left, row["balanced_accuracy"]),
                    xycoords=("axes fraction", "data"), textcoords="offset points",
                    xytext=(6 * left - 3, 2), ha="left" if left else "right",
                    fontsize=7, color="0.4",
                )  # fmt: skip
                continue
            axes.errorbar(
                row["size"], row["balanced_accuracy"], row["balanced_accuracy_sd"],
                fmt=markers[row["scheme"]], capsize=3, label=name,
            )  # fmt: skip
        axes.set_xscale("log")
        axes.margins(x=0.25, y=0.15)
        axes.set_xlabel("expression size (nodes)")
        axes.set_ylabel("balanced accuracy, held-out groups")
        axes.set_title(task, fontsize=10)
    handles, names = every[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(3, len(names)), fontsize=9)
    save_figure(figure, path, dpi=130)
