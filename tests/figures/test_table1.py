"""The figure of Table 1: a panel for each task, a point or a line for each scheme."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure

from napari_interpdisc.discovery.table1_summary import SCHEMES, aggregate
from napari_interpdisc.figures.table1 import draw_table1

from .conftest import whole_picture

SIZED = ("dense", "sparse", "formula")


def unit(task: str, seed: int) -> dict[str, Any]:
    target = [0] * 10 + [1] * 10
    schemes: dict[str, Any] = {
        name: {"predicted": target[:-k] + [0] * k, "size": 10.0**k, "size_without_biases": 9.0}
        for k, name in enumerate(SIZED, 1)
    }
    schemes |= {name: {"predicted": [0] * 5 + target[5:]} for name in ("forest", "hog")}
    return {"task": task, "seed": seed, "target": target, "schemes": schemes}


@pytest.fixture
def table() -> pd.DataFrame:
    return aggregate([unit(task, seed) for task in ("a vs b", "b vs c") for seed in range(2)])


def test_every_scheme_of_every_task_is_shown(
    table: pd.DataFrame, tmp_path: Path, drawn: list[Figure]
) -> None:
    draw_table1(tmp_path / "t.png", table)
    whole_picture(tmp_path / "t.png")
    (figure,) = drawn
    assert [axes.get_title() for axes in figure.axes] == ["a vs b", "b vs c"]
    for axes in figure.axes:
        assert axes.get_xscale() == "log"
        # a size is a place on the x axis; what has none is a line across
        assert len(axes.containers) == len(SIZED)
        sizes = sorted(float(c.lines[0].get_xdata()[0]) for c in axes.containers)
        assert sizes == [10, 100, 1000]
        assert len([line for line in axes.lines if line.get_linestyle() == "--"]) == 2
        names = {text.get_text() for text in axes.texts}
        assert names == {" + ".join(SCHEMES[name]) for name in ("forest", "hog")}
    (legend,) = figure.legends
    shown = {text.get_text() for text in legend.get_texts()}
    assert shown == {" + ".join(SCHEMES[name]) for name in SIZED}


def test_one_task_is_one_panel(table: pd.DataFrame, tmp_path: Path, drawn: list[Figure]) -> None:
    draw_table1(tmp_path / "t.png", table[table["task"] == "b vs c"])
    assert [axes.get_title() for axes in drawn[0].axes] == ["b vs c"]
