from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_interpdisc.cells import CellTable
from napari_interpdisc.widgets.canvas.hover import CellUnderCursor, cell_text
from napari_interpdisc.widgets.canvas.layers import label_columns
from napari_interpdisc.widgets.canvas.overlay import follow_session, update_overlay
from napari_interpdisc.widgets.session import Session

from .test_overlay import TWO, compare, flagged, with_result

INTERPHASE = "track 1: Interphase, score −3.00, confidence 95 %"
METAPHASE = "track 1: Metaphase, score 3.00, confidence 95 %"


@pytest.fixture
def movie(rng: np.random.Generator) -> np.ndarray:
    return rng.random((2, 40, 50))


def hover(viewer: ViewerModel, *position: float) -> str:
    """What the status bar says of a place in world coordinates."""
    viewer.dims.set_point(0, position[0])
    viewer.mouse_over_canvas = True
    viewer.cursor.position = position
    viewer.update_status_from_cursor()
    status = viewer.status
    return status if isinstance(status, str) else str(status["coordinates"])


def masks(values: tuple[int, int] = (7, 7)) -> np.ndarray:
    planes = np.zeros((2, 40, 50), np.int32)
    for t, value in enumerate(values):
        planes[t, 12:28, 12:28] = value
    return planes


@pytest.mark.parametrize("segmented", [False, True])
def test_this_frames_result_is_told_whatever_layer_is_active(
    movie: np.ndarray, segmented: bool
) -> None:
    viewer, session = with_result(movie, masks() if segmented else None, TWO, [-3, 3])
    flagged(session, [False, False], [False, True])
    follow_session(viewer, session)
    viewer.add_points(np.zeros((1, 3)), name="points")
    viewer.add_tracks(np.array([[1, 0, 20, 20], [1, 1, 20, 20]]), name="tracks")
    update_overlay(viewer, session)
    for active in [*viewer.layers, None]:
        viewer.layers.selection = set() if active is None else {active}
        viewer.layers.selection.active = active
        assert hover(viewer, 0, 20, 22).endswith(INTERPHASE), active
        assert hover(viewer, 1, 20, 22).endswith(f"{METAPHASE}, flagged: cut by the edge"), active
        assert "track" not in hover(viewer, 0, 36, 45), active


def test_a_label_of_many_frames_shows_the_frame_that_is_shown(movie: np.ndarray) -> None:
    viewer, session = with_result(movie, masks(), TWO, [-3, 3])
    layer = viewer.layers["masks"]
    assert isinstance(layer, Labels)
    layer.features = label_columns([7, 7], [0, 1]).assign(
        **{"class": ["Interphase", "Metaphase"], "z_0": [0.0, 1.0]}
    )
    layer.metadata["interpdisc"] = {}
    session.cells_layer = layer
    follow_session(viewer, session)
    viewer.layers.selection.active = layer
    # napari's own features, those of one frame or none at all, make room
    assert hover(viewer, 0, 20, 22).endswith(f"]: 7; {INTERPHASE}")
    assert hover(viewer, 1, 20, 22).endswith(f"]: 7; {METAPHASE}")


def test_it_is_told_where_napari_has_nothing_to_tell(movie: np.ndarray) -> None:
    """Without an active layer, napari's status is the same everywhere, and no event."""
    viewer, session = with_result(movie, None, TWO, [-3, 3])
    follow_session(viewer, session)
    viewer.layers.selection.active = None
    viewer.mouse_over_canvas, viewer.status = True, "Ready"
    viewer.dims.set_point(0, 0)
    viewer.cursor.position = (0, 20, 20)
    assert viewer.status == INTERPHASE


def test_the_tooltip_tells_it_too(movie: np.ndarray) -> None:
    viewer, session = with_result(movie, None, TWO, [-3, 3])
    follow_session(viewer, session)
    viewer.tooltip.visible = True
    viewer.layers.selection.active = viewer.add_points(
        np.array([[0, 20, 20]]), features={"class": ["theirs"]}
    )
    hover(viewer, 0, 20, 20)
    assert viewer.tooltip.text == INTERPHASE


def test_nothing_is_told_without_a_result_or_beside_the_canvas(movie: np.ndarray) -> None:
    viewer, session = with_result(movie, None, TWO, [-3, 3])
    follow_session(viewer, session)
    hover(viewer, 0, 20, 20)
    viewer.mouse_over_canvas = False
    viewer.status = "Saved"
    assert viewer.status == "Saved"
    viewer.mouse_over_canvas = True
    viewer.dims.ndisplay = 3
    viewer.status = "Ready"
    assert viewer.status == "Ready"
    viewer.dims.ndisplay = 2
    session.set_classification(None)
    assert "track" not in hover(viewer, 0, 20, 20)


def test_objects_decide_where_there_are_some(movie: np.ndarray) -> None:
    """An object is its cell's as far as it reaches; a cell without an object is a disc."""
    planes = masks((7, 0))
    planes[0, 12:16, 12:48] = 7
    planes[0, 30:38, 30:38] = 9  # nobody's
    cells = CellTable.from_arrays([0, 0, 1], [[20, 20], [22, 33], [20, 20]], [1, 2, 3])
    _, session = with_result(movie, planes, cells, [-3, 3, 3])
    under = CellUnderCursor(session)
    assert under.row((0, 14, 46)) == 0
    assert under.row((0, 33, 33)) is None
    assert under.row((0, 22, 35)) == 1  # within its disc
    assert under.row((0, 22, 39)) is None
    assert under.row((1, 20, 22)) == 2
    assert under.row((0, 99, 99)) is None
    assert CellUnderCursor(Session()).row((0, 1, 1)) is None


def test_the_score_of_the_class_is_told_where_there_are_several(movie: np.ndarray) -> None:
    _, session = with_result(movie, None, TWO, [-3, 3])
    result: Any = session.classification
    object.__setattr__(result, "classes", ("a", "b", "c"))
    object.__setattr__(result, "scores", np.float32([[0, 2, 1], [5, 0, 0]]))
    assert cell_text(result, 0, 0.0).startswith("track 1: b, score 2.00")
    assert cell_text(result, 0, 0.9).startswith("track 1: unsure, score 2.00")


def test_how_many_heads_disagree_is_told_where_it_is_known(movie: np.ndarray) -> None:
    _, session = with_result(movie, None, TWO, [-3, 3])
    under = CellUnderCursor(session)
    assert "disagree" not in under.tell((0, 20, 20))
    compare(session, "1", "2", "-1")
    assert "confidence 95 %, 33 % of heads disagree" in under.tell((0, 20, 20))


def test_a_cell_without_a_score_says_why(movie: np.ndarray) -> None:
    _, session = with_result(movie, None, TWO, [-3, np.nan])
    result = session.classification
    assert result is not None
    assert cell_text(result, 1, 0.0, "no class: nothing to measure") == (
        "track 1: no class: nothing to measure"
    )
    assert cell_text(result, 1, 0.0) == "track 1: no class"
    assert "flagged" not in cell_text(result, 0, 0.0)
