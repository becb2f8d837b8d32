from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QColor

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.scrutiny.anatomy import Anatomy
from napari_interpdisc.scrutiny.anatomy_parts import HeadInput, Part
from napari_interpdisc.scrutiny.anatomy_response import ground_of, real_cells, response
from napari_interpdisc.widgets.anatomy.part_view import PartView
from napari_interpdisc.widgets.anatomy.response_plot import (
    ResponsePlot,
    arrows,
    coloured,
    pieces,
    reach_of,
    runs,
)

LEFT = Qt.MouseButton.LeftButton
TWO = (HeadInput("z0", (0,)), HeadInput("z1", (1,)))
PLANE = Part("plane", "", TWO, lambda x: x[:, 0] + 0 * x[:, 1], decides=True)


def at(place: QPointF) -> QPoint:
    return QPoint(round(place.x()), round(place.y()))


@pytest.fixture
def plot(qtbot: Any) -> ResponsePlot:
    made = ResponsePlot()
    qtbot.addWidget(made)
    made.resize(400, 300)
    made.show()
    return made


def shown(plot: ResponsePlot, view: PartView, row: int = 0, colored: bool = True) -> np.ndarray:
    """Show a part at a cell, and return the cell's latents."""
    z = view.cells.latents[row]
    colors = [QColor("red")] * len(view.cells) if colored else []
    plot.show_response(view, view.response(z), colors)
    plot.show_dot(view.place(z))
    plot.grab()
    return z


@pytest.fixture
def whole(formula: Anatomy, bundled_model: CellModel) -> PartView:
    return PartView(formula.wholes[0], formula.cells, bundled_model, (0, 1))


@pytest.fixture
def term(formula: Anatomy, bundled_model: CellModel) -> PartView:
    return PartView(formula.parts[0], formula.cells, bundled_model)


def test_the_dot_is_where_the_cell_is(plot: ResponsePlot, whole: PartView, term: PartView) -> None:
    z = shown(plot, whole, 4)
    place = plot.place_of_dot()
    assert place is not None
    assert plot.point_at(place) == pytest.approx((z[2], z[7]))
    z = shown(plot, term, 4)
    place = plot.place_of_dot()
    assert place is not None
    assert plot.point_at(place) == pytest.approx((z[2], term.place(z)[1]))


def test_a_drag_tells_places_on_the_axes(plot: ResponsePlot, whole: PartView, qtbot: Any) -> None:
    shown(plot, whole)
    dragged: list[np.ndarray] = []
    clicked: list[int] = []
    plot.dragged.connect(dragged.append)
    plot.clicked.connect(clicked.append)
    dot, port = plot.place_of_dot(), plot.viewport()
    assert dot is not None
    qtbot.mousePress(port, LEFT, pos=at(dot))
    to = at(dot) + QPoint(30, -20)
    qtbot.mouseMove(port, to)
    assert dragged[-1] == pytest.approx(plot.point_at(to))
    qtbot.mouseMove(port, QPoint(2000, 5))
    x = whole.ground.points[0]
    assert dragged[-1][0] == pytest.approx(x[-1]), "no farther than the axis"
    qtbot.mouseRelease(port, LEFT, pos=to)
    n = len(dragged)
    qtbot.mouseMove(port, at(dot))
    assert len(dragged) == n
    assert not clicked, "a drag is no click"


def test_a_press_elsewhere_does_not_take_hold(
    plot: ResponsePlot, whole: PartView, qtbot: Any
) -> None:
    shown(plot, whole)
    dragged: list[Any] = []
    plot.dragged.connect(dragged.append)
    dot, port = plot.place_of_dot(), plot.viewport()
    assert dot is not None
    qtbot.mousePress(port, LEFT, pos=at(dot) + QPoint(40, 40))
    qtbot.mouseMove(port, at(dot))
    qtbot.mouseRelease(port, LEFT, pos=at(dot))
    assert not dragged


def test_a_click_on_a_cell_tells_which(plot: ResponsePlot, whole: PartView, qtbot: Any) -> None:
    shown(plot, whole)
    plot.show_dot(None)
    clicked: list[int] = []
    plot.clicked.connect(clicked.append)
    far = int(whole.points[:, 0].argmax())  # alone, to the right
    inside = whole.inside(whole.points[far])
    if not np.allclose(inside, whole.points[far]):
        far = int(np.argmin(np.linalg.norm(whole.points - np.median(whole.points, 0), axis=1)))
    place = plot.place_of(*whole.points[far])
    qtbot.mouseClick(plot.viewport(), LEFT, pos=at(place))
    (found,) = clicked
    near = plot.place_of(*whole.points[found])
    assert np.hypot(near.x() - place.x(), near.y() - place.y()) <= 8
    shown(plot, whole, colored=False)
    qtbot.mouseClick(plot.viewport(), LEFT, pos=at(place) + QPoint(0, 1))
    assert len(clicked) == 1, "draws are no cells to go to"


def test_the_mouse_tells_where_it_points_until_it_leaves(
    plot: ResponsePlot, whole: PartView, qtbot: Any
) -> None:
    shown(plot, whole)
    told: list[Any] = []
    plot.pointed.connect(told.append)
    middle = at(plot.place_of(*(float(np.mean(line)) for line in whole.ground.points)))
    qtbot.mouseMove(plot.viewport(), middle)
    # the pointer of the screen is elsewhere, so that Qt may tell that it has left
    (place, *_) = [one for one in told if one is not None]
    assert place == pytest.approx(plot.point_at(middle))
    qtbot.mouseMove(plot.viewport(), QPoint(3, 3))
    assert told[-1] is None, "beside the axes"


def test_a_neuron_on_an_axis_cannot_be_dragged(
    plot: ResponsePlot, sparse: Anatomy, bundled_model: CellModel, qtbot: Any
) -> None:
    trunk = PartView(sparse.parts[-1], sparse.cells, bundled_model)
    shown(plot, trunk)
    dragged: list[Any] = []
    plot.dragged.connect(dragged.append)
    dot = plot.place_of_dot()
    assert dot is not None
    qtbot.mousePress(plot.viewport(), LEFT, pos=at(dot))
    qtbot.mouseMove(plot.viewport(), at(dot) + QPoint(20, 0))
    assert not dragged


def test_moving_the_dot_draws_it_alone(plot: ResponsePlot, whole: PartView) -> None:
    z = shown(plot, whole).copy()
    n, before = plot.drawn, plot.grab().toImage()
    z[2] += 0.5
    plot.show_response(whole, whole.response(z), plot._colors)
    plot.show_dot(whole.place(z), whole.place(whole.cells.latents[0])[0])
    assert plot.drawn == n
    assert plot.grab().toImage() != before


def test_places_on_other_axes_are_forgotten(
    plot: ResponsePlot, whole: PartView, term: PartView
) -> None:
    z = shown(plot, whole)
    plot.show_dot(whole.place(z), whole.place(z)[0])
    plot.show_response(term, term.response(z), [])
    assert plot.dot is None
    plot.grab()
    plot.show_response(None, None, [])
    assert not plot.has_data()
    plot.grab()


def plane() -> Any:
    z = np.random.default_rng(0).normal(size=(300, 2))
    z = z[np.abs(z[:, 1]) < 0.3]
    z[:, 1] *= 10
    ground = ground_of(PLANE, (0, 1), real_cells(z), points=41)
    return response(PLANE, ground, [0.0, 0.0])


def test_a_map_is_purple_below_zero_and_orange_above_and_grey_without_cells() -> None:
    found = plane()
    picture = coloured(found)
    assert picture.shape == (41, 41, 4)
    filled = ~found.ground.empty
    values = found.values[filled]
    red, _, blue = picture[filled][:, :3].astype(int).T
    assert (blue > red)[values < -0.5].all()
    assert (red > blue)[values > 0.5].all()
    white = picture[filled][np.abs(values) < 0.1][:, :3]
    assert white.min() > 220
    spread = np.ptp(picture[found.ground.empty][:, :3].astype(int), axis=1)
    assert spread.max() < np.ptp(picture[filled][:, :3].astype(int), axis=1).max() / 2
    assert reach_of(found) == pytest.approx(np.quantile(np.abs(values), 0.98))


def test_where_a_formula_is_undefined_the_map_is_open() -> None:
    found = plane()
    found.values[3, 4] = np.nan
    assert coloured(found)[3, 4, 3] == 0
    assert coloured(found)[3, 5, 3] == 255


def test_arrows_point_to_higher_values() -> None:
    x, y = arrows(plane(), 0.5)
    tails, tips = x.reshape(-1, 6)[:, 0], x.reshape(-1, 6)[:, 1]
    assert (tips > tails).all()
    rises = y.reshape(-1, 6)
    np.testing.assert_allclose(rises[:, 0], rises[:, 1])


def test_pieces_are_kept_apart() -> None:
    x, y = pieces((np.zeros((2, 2)), np.ones((3, 2))))
    assert np.isnan(x).tolist() == [False, False, True, False, False, False, True]
    assert np.isnan(pieces(())[1]).all()
    assert len(x) == len(y)


def test_runs_of_true() -> None:
    assert runs(np.array([1, 1, 0, 0, 1], bool)) == [(0, 1), (4, 4)]
    assert runs(np.zeros(3, bool)) == []
