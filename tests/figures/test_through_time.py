"""Figures of cells through time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex

from napari_interpdisc.figures.palette import ON_WHITE
from napari_interpdisc.figures.through_time import (
    aligned_figure,
    counts_figure,
    draw_through_time,
    survival_figure,
)
from napari_interpdisc.through_time.result import ThroughTime, through_time

from ..through_time.conftest import seen
from .conftest import whole_picture


@pytest.fixture(scope="module")
def found() -> ThroughTime:
    tracks = {1: (0, "IIMMMA"), 2: (0, "IMMAI"), 3: (2, "IMMMM")}
    return through_time(seen(tracks), interval=120.0)


def test_counts_are_drawn_by_state_and_by_class(found: ThroughTime) -> None:
    (axes,) = counts_figure(found).axes
    thick = [line for line in axes.lines if line.get_linewidth() > 1]
    assert [line.get_label() for line in thick] == ["Interphase", "Metaphase", "Anaphase"]
    assert [to_hex(line.get_color()) for line in thick] == [c.lower() for c in ON_WHITE[:3]]
    np.testing.assert_allclose(thick[0].get_xdata(), np.arange(7) * 2.0)
    np.testing.assert_allclose(thick[1].get_ydata()[:3], [0, 0.5, 2 / 3])
    assert axes.get_xlabel() == "time (min)"


def test_survival_has_a_panel_for_each_state(found: ThroughTime) -> None:
    figure = survival_figure(found)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == [
        "Interphase",
        "Metaphase\nmedian 6 min; 3 phases, 1 open",
        "Anaphase\nmedian 2 min; 2 phases, 1 open",
    ]
    (empty,) = figure.axes[0].texts
    assert empty.get_text().startswith("no phase was")
    curve = figure.axes[1].lines[0]
    np.testing.assert_allclose(curve.get_xdata(), [0, 4, 6])
    np.testing.assert_allclose(curve.get_ydata(), [1, 2 / 3, 1 / 3])


def test_alignment_is_drawn_around_its_event(found: ThroughTime, tmp_path: Path) -> None:
    figure = aligned_figure(found, [found.aligned("Metaphase", c, 2) for c in ("p_M", "t")])
    assert [axes.get_ylabel() for axes in figure.axes] == ["p_M", "t"]
    assert figure.axes[0].get_title() == "3 tracks, mean ± standard deviation"
    assert figure.axes[1].get_xlabel() == "min from the start of Metaphase"
    mean = figure.axes[0].lines[1]
    np.testing.assert_allclose(mean.get_xdata(), [-4, -2, 0, 2, 4])
    np.testing.assert_allclose(mean.get_ydata()[2], 0.95)
    draw_through_time(tmp_path / "a.png", figure)
    whole_picture(tmp_path / "a.png")
    draw_through_time(tmp_path / "a.svg", figure)
    assert "<svg" in (tmp_path / "a.svg").read_text("utf-8")
