from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_interpdisc.cells import CellTable
from napari_interpdisc.discovery.rashomon import Member, rashomon_set
from napari_interpdisc.figures.palette import (
    DISAGREEMENT,
    class_colors,
    disagreement_colors,
)
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.paint import MOST_VALUES
from napari_interpdisc.pipeline import UNSURE, Classification, Encoding
from napari_interpdisc.widgets.canvas.layers import frames_from_layer
from napari_interpdisc.widgets.canvas.overlay import (
    NO_CLASS_COLOR,
    STRIPE_COLOR,
    find_overlay,
    follow_session,
    is_overlay,
    shown,
    update_overlay,
)
from napari_interpdisc.widgets.session import Session, session_of

from ...conftest import known_within


def classified(cells: CellTable, scores: Any, diameter: float = 10.0) -> Classification:
    n = len(cells)
    z = np.zeros((n, 2), np.float32)
    encoding = Encoding(cells, z, np.zeros(n, np.float32), diameter, "m", "sha")
    column = np.asarray(scores, np.float32).reshape(-1, 1)
    return Classification(
        encoding,
        "dense",
        ("Interphase", "Metaphase"),
        column,
        {"classes": ["Interphase", "Metaphase"]},
    )


def with_result(image: Any, labels: Any, cells: CellTable, scores: Any) -> tuple[Any, Session]:
    viewer = ViewerModel()
    image = viewer.add_image(image, name="image")
    layer = None if labels is None else viewer.add_labels(labels, name="masks")
    session = session_of(viewer)
    axis = 1 if image.ndim == 4 else None
    session.set_result(
        image, None, layer, frames_from_layer(image, axis), classified(cells, scores)
    )
    return viewer, session


@pytest.fixture
def movie(rng: np.random.Generator) -> np.ndarray:
    return rng.random((2, 40, 50))


TWO = CellTable.from_arrays([0, 1], [[20, 20], [20, 20]], [1, 1])


def flagged(session: Session, strange: list[bool], cut: list[bool]) -> None:
    """Give the cells of a session these flags."""
    result = session.classification
    assert result is not None
    latents = np.zeros_like(result.encoding.latents)
    latents[strange, 0] = 9
    encoding = replace(
        result.encoding,
        latents=latents,
        touches_edge=np.array(cut),
        familiarity=known_within(5.0, latents.shape[1]),
    )
    session.set_classification(replace(result, encoding=encoding))


@pytest.mark.parametrize("segmented", [False, True])
def test_flagged_cells_are_striped_in_discs_and_objects(movie: np.ndarray, segmented: bool) -> None:
    labels = np.zeros((2, 40, 50), np.int32)
    labels[:, 12:28, 12:28] = 7
    viewer, session = with_result(movie, labels if segmented else None, TWO, [-3, 3])
    flagged(session, [True, False], [False, False])
    overlay = update_overlay(viewer, session)
    first, second = np.asarray(overlay.data)
    said = overlay.features.set_index("index")
    values = set(np.unique(first)) - {0}
    assert len(values) == 2
    assert set(said.loc[list(values), "class"]) == {"Interphase"}
    assert set(said.loc[list(values), "flag"]) == {"unlike the training data"}
    colors = [tuple(overlay.get_color(int(v))) for v in values]
    assert STRIPE_COLOR in colors
    assert any(
        color == pytest.approx(class_colors(["Interphase"])["Interphase"]) for color in colors
    )
    assert set(np.unique(second)) == {0, 2}
    endings = "class: Interphase, flag: unlike the training data", "class: Metaphase"
    for t, ending in enumerate(endings):
        viewer.dims.set_current_step(0, t)
        assert overlay.get_status((t, 20, 20), world=True)["value"].endswith(ending)
    assert (first > 0).sum() == (second > 0).sum()


def test_no_class_is_lost_where_there_are_more_than_can_be_hatched(movie: np.ndarray) -> None:
    classes = tuple(f"class {k}" for k in range(MOST_VALUES + 3))
    viewer, session = with_result(movie, None, TWO, [-3, 3])
    flagged(session, [False, False], [True, True])
    assert session.classification is not None
    scores = np.eye(len(classes), dtype=np.float32)[[0, -1]]
    session.set_classification(replace(session.classification, classes=classes, scores=scores))
    overlay = update_overlay(viewer, session)
    assert set(np.unique(np.asarray(overlay.data))) == {0, 1, len(classes)}
    assert overlay.features["class"].iloc[len(classes)] == classes[-1]


def test_a_label_has_its_own_colour_in_each_frame(movie: np.ndarray) -> None:
    """The one cell, with the one label, is in interphase first and in metaphase then."""
    labels = np.zeros((2, 40, 50), np.int32)
    labels[:, 15:25, 15:25] = 7
    before = labels.copy()
    viewer, session = with_result(movie, labels, TWO, [-3, 3])
    overlay = update_overlay(viewer, session)
    shown = np.asarray(overlay.data)
    assert (shown[0][labels[0] == 7] == 1).all()
    assert (shown[1][labels[1] == 7] == 2).all()
    assert not shown[labels == 0].any()
    assert viewer.layers["masks"].data is labels
    np.testing.assert_array_equal(labels, before)
    assert not overlay.editable


def test_frames_are_painted_only_when_they_are_seen(movie: np.ndarray) -> None:
    class Counting:
        """A segmentation that counts the frames read from it."""

        def __init__(self) -> None:
            self.read: list[int] = []

        shape, ndim, dtype = (2, 40, 50), 3, np.dtype(np.int32)

        def __getitem__(self, t: int) -> np.ndarray:
            self.read.append(t)
            return np.ones((40, 50), np.int32)

    from napari_interpdisc.widgets.canvas.overlay import ClassPlanes

    labels = Counting()
    planes = ClassPlanes(TWO.t, TWO.yx, np.array([1, 2], np.uint8), 5, (2, 40, 50), labels).movie()
    assert not labels.read
    assert (np.asarray(planes[1]) == 2).all()
    assert labels.read == [1]


def test_the_unsure_are_greyed_and_the_layer_is_used_again(movie: np.ndarray) -> None:
    viewer, session = with_result(movie, None, TWO, [-0.1, 3])
    follow_session(viewer, session)
    follow_session(viewer, session)
    overlay = update_overlay(viewer, session)
    assert np.asarray(overlay.data)[:, 20, 20].tolist() == [1, 2]
    session.set_threshold(0.8)
    assert find_overlay(viewer) is overlay
    assert np.asarray(overlay.data)[:, 20, 20].tolist() == [3, 2]
    assert overlay.colormap.map(3).tolist() == pytest.approx(class_colors([])[UNSURE])
    assert sum(map(is_overlay, viewer.layers)) == 1


def test_hovering_tells_the_class(movie: np.ndarray) -> None:
    viewer, session = with_result(movie, None, TWO, [-3, 3])
    overlay = update_overlay(viewer, session)
    viewer.dims.set_current_step(0, 1)
    status = overlay.get_status((1, 20, 20), view_direction=None, dims_displayed=[1, 2], world=True)
    assert "class: Metaphase" in status["value"]
    status = overlay.get_status((1, 1, 1), view_direction=None, dims_displayed=[1, 2], world=True)
    assert "class" not in status["value"]


def test_a_still_image_is_painted_at_once(movie: np.ndarray) -> None:
    viewer, session = with_result(movie[0], None, TWO.take([0]), [3])
    assert isinstance(update_overlay(viewer, session).data, np.ndarray)


def test_the_overlay_lies_on_its_image(movie: np.ndarray) -> None:
    viewer, session = with_result(movie, None, TWO, [-3, 3])
    session.image.scale, session.image.translate = (3, 0.5, 0.5), (0, 10, 20)
    overlay = update_overlay(viewer, session)
    np.testing.assert_array_equal(overlay.scale, session.image.scale)
    np.testing.assert_array_equal(overlay.translate, session.image.translate)


def test_a_segmentation_may_have_pixels_of_its_own(movie: np.ndarray) -> None:
    reduced = np.zeros((2, 20, 25), np.int32)
    reduced[:, 8:12, 8:12] = 5
    viewer, session = with_result(movie, reduced, TWO, [-3, 3])
    viewer.layers["masks"].scale = (1, 2, 2)
    overlay = update_overlay(viewer, session)
    assert np.asarray(overlay.data)[:, 10, 10].tolist() == [1, 2]
    np.testing.assert_array_equal(overlay.scale, (1, 2, 2))


def test_an_image_with_channels_shows_the_overlay_in_each(rng: np.random.Generator) -> None:
    viewer, session = with_result(rng.random((2, 3, 40, 50)), None, TWO, [-3, 3])
    overlay = update_overlay(viewer, session)
    assert overlay.data.shape == (2, 3, 40, 50)
    assert np.asarray(overlay.data[:, :, 20, 20]).tolist() == [[1, 1, 1], [2, 2, 2]]


def test_another_image_gets_another_overlay(movie: np.ndarray) -> None:
    viewer, session = with_result(movie, None, TWO, [-3, 3])
    first = update_overlay(viewer, session)
    image = viewer.add_image(movie[0])
    session.set_result(image, None, None, frames_from_layer(image), classified(TWO.take([0]), [1]))
    second = update_overlay(viewer, session)
    assert first not in viewer.layers
    assert second.ndim == 2


def test_the_overlay_is_hidden_when_its_cells_are_dropped(movie: np.ndarray) -> None:
    viewer, session = with_result(movie, None, TWO, [-3, 3])
    follow_session(viewer, session)
    overlay = update_overlay(viewer, session)
    viewer.layers.remove("image")
    assert session.classification is None
    assert not overlay.visible


def compare(session: Session, *texts: str) -> None:
    """Compare formulas of two latents on the cells of a session."""
    result = session.classification
    assert result is not None
    members = [Member(text, FormulaHead([parse_formula(text, 2)]), 0.9) for text in texts]
    session.set_compared(rashomon_set(members, result.classes, result.encoding.latents, 1))


@pytest.mark.parametrize("segmented", [False, True])
def test_cells_in_the_colour_of_the_disagreement_of_heads(
    movie: np.ndarray, segmented: bool
) -> None:
    labels = np.zeros((2, 40, 50), np.int32)
    labels[:, 12:28, 12:28] = 7
    viewer, session = with_result(movie, labels if segmented else None, TWO, [-3, 3])
    result = session.classification
    assert result is not None
    result.encoding.latents[:] = [[0, 0], [5, 0]]
    follow_session(viewer, session)
    overlay = update_overlay(viewer, session)
    session.set_colouring("disagreement")
    assert list(overlay.features)[1] == "class", "as long as no heads are compared"
    compare(session, "1", "2", "1 - z0")
    assert overlay is find_overlay(viewer)
    values = [int(np.asarray(overlay.data[t])[20, 20]) for t in (0, 1)]
    assert overlay.features["disagreement"][values].tolist() == [DISAGREEMENT[0], DISAGREEMENT[4]]
    colors = disagreement_colors(2)
    for value, level in zip(values, (0, 4), strict=True):
        np.testing.assert_allclose(overlay.get_color(value), colors[DISAGREEMENT[level]], atol=0.01)
    if segmented:
        np.testing.assert_array_equal(session.labels.data, labels)
    session.set_colouring("class")
    values = [int(np.asarray(overlay.data[t])[20, 20]) for t in (0, 1)]
    assert overlay.features["class"][values].tolist() == ["Interphase", "Metaphase"]
    np.testing.assert_allclose(
        overlay.get_color(values[1]), class_colors(result.classes)["Metaphase"], atol=0.01
    )


def test_cells_in_the_colour_of_their_state_are_of_the_same_colours(movie: np.ndarray) -> None:
    viewer, session = with_result(movie, None, TWO, [-3, 3])
    follow_session(viewer, session)
    overlay = update_overlay(viewer, session)
    session.set_colouring("state")
    assert list(overlay.features)[1] == "class", "as long as states are not known"
    session.set_states(np.array([1, 0]))
    values = [int(np.asarray(overlay.data[t])[20, 20]) for t in (0, 1)]
    assert overlay.features["state"][values].tolist() == ["Metaphase", "Interphase"]
    colors = class_colors(("Interphase", "Metaphase"))
    for value, name in zip(values, ("Metaphase", "Interphase"), strict=True):
        np.testing.assert_allclose(overlay.get_color(value), colors[name], atol=0.01)
    session.set_classification(session.classification)
    values = [int(np.asarray(overlay.data[t])[20, 20]) for t in (0, 1)]
    assert overlay.features["class"][values].tolist() == ["Interphase", "Metaphase"]


def test_cells_without_pixels_have_no_disagreement(movie: np.ndarray) -> None:
    viewer, session = with_result(movie, None, TWO, [-3, 3])
    result = session.classification
    assert result is not None
    result.encoding.latents[1] = np.nan
    result.encoding.no_pixels[1] = "no pixels"
    session.set_colouring("disagreement")
    compare(session, "1", "1 - z0")
    own = shown(session)
    assert own.values.tolist() == [1, len(own.colors) + 1]
    flagged_overlay = update_overlay(viewer, session)
    value = int(np.asarray(flagged_overlay.data[1])[20, 20])
    np.testing.assert_allclose(flagged_overlay.get_color(value), NO_CLASS_COLOR, atol=0.01)


def test_the_image_of_a_later_run_does_not_hide_it(movie: np.ndarray) -> None:
    viewer, session = with_result(movie, None, TWO, [-3, 3])
    overlay = update_overlay(viewer, session)
    later = viewer.add_image(movie, name="later")
    viewer.add_points([[0, 1, 1]], name="cells")
    update_overlay(viewer, session)
    assert [layer.name for layer in viewer.layers] == ["image", overlay.name, "later", "cells"]
    session.set_result(later, None, None, frames_from_layer(later), session.classification)
    assert update_overlay(viewer, session) is overlay
    assert [layer.name for layer in viewer.layers] == ["image", "later", overlay.name, "cells"]
