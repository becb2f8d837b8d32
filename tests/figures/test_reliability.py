"""Reliability diagrams: a panel for each head, a curve for each set of cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from napari_interpdisc.discovery.reliability import Reliability, reliability
from napari_interpdisc.figures.canvas import figure_pixels
from napari_interpdisc.figures.palette import ON_WHITE
from napari_interpdisc.figures.reliability import draw_reliability, reliability_panel

from .conftest import whole_picture


def made(n: int, n_classes: int = 2, groups: int = 30, seed: int = 0) -> Reliability:
    draw = np.random.default_rng(seed)
    p = draw.dirichlet(np.ones(n_classes), n)
    return reliability(p, draw.integers(0, n_classes, n), draw.integers(0, groups, n))


@pytest.fixture
def found() -> dict[str, dict[str, Reliability]]:
    """Return six heads; the last was not tested on the second movie."""
    sets = {"by plate": made(400), "one movie": made(80), "another": made(60, groups=1)}
    five = {"by plate": made(400, 5), "one movie": made(80, 5)}
    return {**{f"head {k}": sets for k in range(5)}, "five": five}


def test_a_panel_for_each_head_a_curve_for_each_set(
    found: dict[str, dict[str, Reliability]], tmp_path: Path, drawn: list[Figure]
) -> None:
    draw_reliability(tmp_path / "r.png", found)
    height, width = whole_picture(tmp_path / "r.png").shape[:2]
    assert max(height, width) < 1400, "a picture of the card is seen at once"
    (figure,) = drawn
    shown = [axes for axes in figure.axes if axes.axison]
    curves = [axes for axes in shown if axes.get_title()]
    assert [axes.get_title() for axes in curves] == list(found)
    assert len(shown) == 2 * len(found)
    for axes, own in zip(curves, found.values(), strict=True):
        lines = [c for c in axes.containers if isinstance(c, ErrorbarContainer)]
        assert [line.get_label() for line in lines] == list(own)
        for line, one in zip(lines, own.values(), strict=True):
            np.testing.assert_allclose(line.lines[0].get_ydata(), one.right)
            np.testing.assert_allclose(line.lines[0].get_xdata(), one.confidence)
            segments = np.array([np.ravel(s[:, 1]) for s in line.lines[2][0].get_segments()])
            # without an interval there is a point alone
            known = np.isfinite(one.right_interval)
            expected = np.where(known, one.right_interval, one.right[:, None])
            np.testing.assert_allclose(segments, expected)
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["confidence is right", "by plate", "one movie", "another"]


def test_held_out_groups_have_one_colour_and_all_else_another(
    found: dict[str, dict[str, Reliability]], tmp_path: Path, drawn: list[Figure]
) -> None:
    draw_reliability(tmp_path / "r.png", found)
    axes = next(axes for axes in drawn[0].axes if axes.get_title() == "head 0")
    lines = [c.lines[0] for c in axes.containers if isinstance(c, ErrorbarContainer)]
    assert [to_hex(line.get_color()).upper() for line in lines] == [
        ON_WHITE[0], ON_WHITE[1], ON_WHITE[1],
    ]  # fmt: skip
    assert lines[1].get_marker() != lines[2].get_marker()


def test_bars_are_shares_of_the_cells_from_the_lowest_confidence_on(
    found: dict[str, dict[str, Reliability]], tmp_path: Path, drawn: list[Figure]
) -> None:
    draw_reliability(tmp_path / "r.png", found)
    shown = [axes for axes in drawn[0].axes if axes.axison]
    bars = [axes for axes in shown if not axes.get_title()]
    for axes, own in zip(bars, found.values(), strict=True):
        for patch, one in zip(axes.patches, own.values(), strict=True):
            np.testing.assert_allclose(patch.get_data().values, one.histogram / one.n_cells)  # type: ignore[attr-defined]
        assert axes.get_xlim()[1] == pytest.approx(1.02)
    assert bars[0].get_xlim()[0] == pytest.approx(0.48)
    assert 0.15 < bars[-1].get_xlim()[0] < 0.35


def test_one_head_is_one_panel(tmp_path: Path, drawn: list[Figure]) -> None:
    draw_reliability(tmp_path / "r.png", {"dense": {"by plate": made(100)}})
    assert [axes.get_title() for axes in drawn[0].axes] == ["dense", ""]


def test_a_panel_for_a_window_is_seen_through_and_has_its_size() -> None:
    pixels = figure_pixels(reliability_panel(made(200), "#00ff00", 360, 240, 96))
    assert pixels.shape == (240, 360, 4)
    assert pixels[0, 0, 3] == 0
    ink = (pixels[..., 1] > 200) & (pixels[..., 0] < 80) & (pixels[..., 3] > 200)
    assert ink.sum() > 300, "texts and axes are in the ink of the window"
