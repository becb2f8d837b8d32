import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from napari.layers import Points
from qtpy.QtWidgets import QFileDialog

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.cell_model import NamedHead
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.store import load_model, replace_heads
from napari_interpdisc.widgets.canvas.annotation_home import set_aside
from napari_interpdisc.widgets.canvas.annotation_layer import write_layer
from napari_interpdisc.widgets.canvas.layers import frames_from_layer
from napari_interpdisc.widgets.canvas.overlay import find_overlay
from napari_interpdisc.widgets.cells.widget import CellsWidget
from napari_interpdisc.widgets.columns_form import ColumnsForm
from napari_interpdisc.widgets.discover.annotations import Mark
from napari_interpdisc.widgets.session import session_of

from ...conftest import known_within
from ..conftest import IN_WINDOW, PATIENCE, put_up

CENTRES = [(t, y, x) for t in range(3) for y in (30, 70) for x in (30, 70, 110)]


TRACKS = np.array([(i % 6 + 1, *c) for i, c in enumerate(CENTRES)], float)


Settled = Callable[[], None]


@pytest.fixture(scope="module")
def movie() -> np.ndarray:
    """Three frames of six round nuclei, 20 px wide, in noise."""
    rows, cols = np.mgrid[:100, :140]
    pixels = np.random.default_rng(0).normal(100, 2, (3, 100, 140))
    for t, y, x in CENTRES:
        pixels[t] += 400 * (np.hypot(rows - y, cols - x) <= 10)
    return pixels.astype(np.uint16)


@pytest.fixture
def viewer(make_viewer: Any, movie: np.ndarray) -> Any:
    made = make_viewer()
    made.add_image(movie, name="movie", axis_labels=("t", "y", "x"))
    return made


@pytest.fixture
def widget(viewer: Any, qtbot: Any) -> CellsWidget:
    made = CellsWidget(viewer)
    put_up(viewer, made, "Cells", qtbot)
    return made


@pytest.fixture
def settled(widget: CellsWidget, qtbot: Any) -> Settled:
    return lambda: qtbot.waitUntil(lambda: not widget.work.running)


def fault(widget: CellsWidget) -> str:
    assert widget.status.is_fault
    assert not widget.work.running
    assert session_of(widget._viewer).classification is None
    return str(widget.status.text())


def test_a_run_writes_features_metadata_session_and_overlay(
    viewer: Any, widget: CellsWidget, settled: Settled
) -> None:
    tracks = viewer.add_tracks(TRACKS[::-1], name="tracks", features={"mine": range(18)})
    widget.diameter.setValue(20)
    widget.run.click()
    assert widget.cancel.isEnabled()
    settled()
    session = session_of(viewer)
    result = session.classification
    assert result is not None
    table = tracks.features
    wanted = ["class", "score", "confidence", "latent_norm", "z_0", "z_31"]
    assert {*wanted, "mine", "surprise", "unfamiliar", "touches_edge", "flag"} <= set(table)
    np.testing.assert_array_equal(table["z_0"], result.encoding.latents[:, 0])
    np.testing.assert_array_equal(result.encoding.cells.yx, tracks.data[:, 2:])
    note = tracks.metadata["interpdisc"]
    assert note["model_sha256"] == session.model.sha256
    assert note["diameter"] == 20
    assert {"napari", "torch", "numpy"} <= set(note["versions"])
    assert session.image is viewer.layers["movie"]
    overlay = find_overlay(viewer)
    assert overlay is not None
    assert overlay.data[1, 30, 30] > 0
    assert "18 cells" in widget.status.text()
    assert not widget.status.is_fault
    # The overlay is a Labels layer, and no segmentation of the user's.
    assert overlay not in [value for _, value in widget._segmentations()]


def test_a_run_tells_of_cells_at_the_edge_and_unlike_the_training_data(
    viewer: Any, widget: CellsWidget, settled: Settled
) -> None:
    centres = [(t, 2.0, 10.0 + 5 * i) for t in range(3) for i in range(2)] + CENTRES * 2
    points = viewer.add_points(centres, name="cells")
    session = session_of(viewer)
    none_known = known_within(1e-6)
    session.set_model(replace(session.model, familiarity=none_known))
    widget.cells.value = points
    widget.diameter.setValue(20)
    widget.run.click()
    settled()
    assert "6 may be cut by the edge of the image." in widget.status.text()
    assert "100 % of the cells inside the image look unlike" in widget.warned.text()
    assert widget.warned.tone == "warning"
    assert "(20 px was used)" in widget.warned.text()


def test_a_wrong_diameter_is_told_beside_it_until_it_is_changed(
    viewer: Any, widget: CellsWidget, settled: Settled
) -> None:
    viewer.add_tracks(TRACKS)
    widget.diameter.setValue(30)  # nuclei are 20 px wide
    widget.run.click()
    settled()
    assert "(30 px was used) and run again" in widget.diameter_warned.text()
    assert widget.diameter_warned.tone == "warning"
    assert widget.form.isRowVisible(widget.diameter_warned)
    assert "30 px" not in widget.warned.text()
    widget.diameter.setValue(20)
    assert not widget.form.isRowVisible(widget.diameter_warned)
    assert widget.warned.text() == "", "of another diameter"


def test_another_head_changes_what_the_layer_says(
    viewer: Any, widget: CellsWidget, settled: Settled
) -> None:
    points = viewer.add_points(TRACKS[:, 1:], name="cells", features={"mine": range(18)})
    widget.cells.value = points
    widget.diameter.setValue(20)
    widget.run.click()
    settled()
    session = session_of(viewer)
    before = points.features.copy()
    formulas = [parse_formula(text) for text in ("z0 - 100", "z1 + 100", "z2 - 100")]
    head = NamedHead("three", FormulaHead(formulas), ("a", "b", "c"))
    session.set_model(replace_heads(session.model, "mine", {"three": head}, "# mine"))
    table = points.features
    assert set(table["class"]) == {"b"}
    assert {"score_a", "score_b", "score_c", "mine"} <= set(table)
    assert "score" not in table
    pd.testing.assert_series_equal(table["z_5"], before["z_5"])
    note = points.metadata["interpdisc"]
    assert (note["head"], note["model_sha256"]) == ("three", session.model.sha256)
    assert note["diameter"] == 20
    assert note["image"] == "movie"
    assert not points.features["touches_edge"].any()
    none_known = known_within(1e-6)
    session.set_model(replace(load_model(), familiarity=none_known), "dense-plain")
    assert points.features["unfamiliar"].all()
    pd.testing.assert_series_equal(points.features["latent_norm"], before["latent_norm"])
    assert points.metadata["interpdisc"]["unfamiliar_share"] == 1
    assert "score_a" not in points.features
    assert points.metadata["interpdisc"]["head"] == "dense-plain"


def test_objects_of_a_segmentation_as_cells(
    viewer: Any, widget: CellsWidget, settled: Settled, movie: np.ndarray
) -> None:
    from skimage.measure import label

    planes = np.stack([label(frame > 300) for frame in movie]).astype(np.int32)
    layer = viewer.add_labels(planes, name="masks")
    assert widget.cells.value is layer
    widget.run.click()
    settled()
    table = layer.features
    assert len(table) == 18
    assert table["label"].tolist() == [1, 2, 3, 4, 5, 6] * 3
    assert (table["index"] < 0).all()  # napari shows no row of another frame
    assert table["t"].tolist() == [0] * 6 + [1] * 6 + [2] * 6
    assert widget.diameter.value() == pytest.approx(20, abs=1)
    assert session_of(viewer).labels is layer


def test_pieces_of_a_mask_become_objects_of_a_layer(
    viewer: Any, widget: CellsWidget, settled: Settled, movie: np.ndarray
) -> None:
    mask = viewer.add_labels((movie > 300).astype(np.uint8), name="mask")
    assert widget.cells.value is mask
    widget.run.click()
    settled()
    assert not widget.status.is_fault, widget.status.text()
    told = "'mask objects' is a binary mask: each connected piece is an object."
    assert told in widget.status.text()
    objects = viewer.layers["mask objects"]
    assert session_of(viewer).labels is objects
    assert session_of(viewer).cells_layer is objects
    assert widget.cells.value is objects
    assert len(objects.features) == 18
    assert "class" not in mask.features
    np.testing.assert_array_equal(np.asarray(objects.data[1]) > 0, movie[1] > 300)
    assert len(np.unique(np.asarray(objects.data[0]))) == 7


def test_labels_that_are_no_segmentation_are_refused_as_files_are(
    viewer: Any, widget: CellsWidget, settled: Settled, movie: np.ndarray
) -> None:
    widget.cells.value = viewer.add_tracks(TRACKS)
    inverted = viewer.add_labels(np.where(movie > 300, 0, 255).astype(np.uint8), name="inverted")
    widget.labels.value = inverted
    for press in (widget.run, widget.estimate):
        press.click()
        settled()
        assert "The value 255 fills more than half of a frame of 'inverted'" in fault(widget)
    assert session_of(viewer).encoding is None


def test_cells_are_opened_from_a_file_and_chosen(
    viewer: Any, widget: CellsWidget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "found.csv"
    pd.DataFrame(TRACKS, columns=["track_id", "t", "y", "x"]).to_csv(path, index=False)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    viewer.add_points(np.zeros((1, 3)))
    table, store = widget.open.menu().actions()
    table.trigger()
    assert widget.cells.value is viewer.layers["found"]
    path.write_text("a,b\n1,2\n")
    monkeypatch.setattr(ColumnsForm, "exec", lambda form: False)  # the form is closed
    table.trigger()
    assert "no column for y and x" in widget.status.text()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    store.trigger()
    assert len(viewer.layers) == 3


def test_estimate_then_detect(viewer: Any, widget: CellsWidget, settled: Settled) -> None:
    widget.estimate.click()
    settled()
    assert widget.diameter.value() == pytest.approx(20, abs=3)
    widget.detect.click()
    settled()
    points = widget.cells.value
    assert isinstance(points, Points)
    assert len(points.data) == 18
    assert np.abs(np.sort(points.data[:, 1]) - np.sort(TRACKS[:, 2])).max() < 2
    widget.run.click()
    settled()
    encoding = session_of(viewer).encoding
    assert encoding is not None
    assert encoding.measured == "detection", "an estimate is not given by hand"
    widget.diameter.setValue(widget.diameter.value() + 1)
    widget.run.click()
    settled()
    assert session_of(viewer).encoding.measured == "given"  # type: ignore[union-attr]


@pytest.mark.parametrize("channels", [False, True])
def test_points_are_linked_to_tracks(
    viewer: Any, widget: CellsWidget, settled: Settled, movie: np.ndarray, channels: bool
) -> None:
    """On a scaled image too, whose channels stand before time."""
    data = np.stack([movie, movie]) if channels else movie
    placed = {"scale": (2, 0.5, 0.5), "translate": (3, 10, 20)}
    if channels:
        placed = {name: (1, *values) for name, values in placed.items()}
    image = viewer.add_image(data, name="scaled", **placed)
    widget.image.value = image
    if channels:
        widget.channel_axis.value = 0
    world = np.array(CENTRES) * (2, 0.5, 0.5) + (3, 10, 20)
    points = viewer.add_points(world[::-1], name="dots", features={"n": np.arange(18)})
    widget.cells.value = points
    widget.first_axis.value = "t"
    assert widget.links.isVisible()
    widget.link.click()
    settled()
    assert not widget.status.is_fault, widget.status.text()
    tracks = widget.cells.value
    assert tracks.name == "dots linked"
    assert widget.status.text().startswith("18 cells on 6 tracks, 3 frames in the median.")
    assert not points.visible
    found = np.array([tracks.data_to_world(row)[-3:] for row in tracks.data[:, 1:]])
    key = np.lexsort(found.T)
    np.testing.assert_allclose(found[key], world[np.lexsort(world.T)], atol=1e-6)
    first = tracks.data[:, 0] == tracks.data[0, 0]
    assert np.ptp(found[first], axis=0).tolist() == [4, 0, 0]
    assert tracks.features["n"].nunique() == 18
    assert not widget.links.isVisible()  # tracks are not linked again


def test_divisions_are_linked_if_asked(viewer: Any, widget: CellsWidget, settled: Settled) -> None:
    more = [(1, 26, 30), (1, 36, 30), (2, 24, 30), (2, 38, 30)]
    dots = [c for c in CENTRES if c[0] == 0 or c[1:] != (30, 30)] + more
    widget.cells.value = viewer.add_points(np.array(dots, float), name="dots")
    widget.divisions.setChecked(True)
    widget.link.click()
    settled()
    assert not widget.status.is_fault, widget.status.text()
    assert "1 divide" in widget.status.text()
    assert sorted(widget.cells.value.graph.values()) == [[1], [1]]
    tracks = widget.cells.value
    assert session_of(viewer).classification is None
    widget.run.click()
    settled()
    assert set(session_of(viewer).encoding.cells.graph) == set(tracks.graph)


def test_labels_are_linked_and_stay_the_segmentation(
    viewer: Any, widget: CellsWidget, settled: Settled, movie: np.ndarray
) -> None:
    """Objects of each frame are numbered anew, so that their numbers are no tracks."""
    planes = np.zeros(movie.shape, np.int32)
    for i, (t, y, x) in enumerate(CENTRES):
        planes[t, y - 8 : y + 9, x - 8 : x + 9] = (i * 5 + 3 * t) % 6 + 1
    layer = viewer.add_labels(planes, name="masks")
    widget.cells.value, widget.labels.value = layer, None
    widget.link.click()
    settled()
    assert widget.status.text().startswith("18 cells on 6 tracks")
    assert widget.cells.value.name == "masks linked"
    assert widget.labels.value is layer


def test_what_cannot_be_linked_is_told(
    viewer: Any, widget: CellsWidget, settled: Settled, movie: np.ndarray
) -> None:
    widget.cells.value = viewer.add_points(np.array(CENTRES, float)[:6], name="dots")
    widget.link.click()
    settled()
    assert "cells of one frame only" in fault(widget)
    still = viewer.add_image(movie[0], name="still")
    widget.image.value = still
    widget.cells.value = viewer.add_points([[3.0, 4.0]], name="flat")
    widget.link.click()
    assert "'still' has one frame: there is nothing to link" in fault(widget)


def test_detected_points_lie_on_a_scaled_image(
    viewer: Any, widget: CellsWidget, settled: Settled
) -> None:
    image = viewer.layers["movie"]
    image.scale, image.translate = (2, 0.5, 0.5), (0, 10, 20)
    widget.diameter.setValue(20)
    widget.detect.click()
    settled()
    widget.run.click()
    settled()
    result = session_of(viewer).classification
    assert result is not None
    assert result.encoding.cells.yx.max() < 115


def test_channels(viewer: Any, widget: CellsWidget, settled: Settled, movie: np.ndarray) -> None:
    assert not widget.form.isRowVisible(widget.channel.native)
    empty = np.zeros_like(movie)
    image = viewer.add_image(np.stack([empty, movie], 1), name="two channels")
    widget.image.value = image
    assert widget.form.isRowVisible(widget.channel_axis.native)
    viewer.add_tracks(TRACKS)
    widget.run.click()
    assert "nor its file says which are channels" in fault(widget)
    widget.channel_axis.value = 1
    assert widget.status.text() == "", "it was answered"
    image.axis_labels = ("t", "c", "y", "x")
    widget.image.reset_choices()
    widget._image_changed()
    assert [value for _, value in widget._axes()] == [1, 0], "the layer says so"
    widget.diameter.setValue(20)
    widget.run.click()
    settled()
    assert "no pixels: blank frame" in fault(widget)
    widget.channel.value = 1
    widget.run.click()
    settled()
    assert not widget.status.is_fault
    overlay = find_overlay(viewer)
    assert overlay is not None
    assert overlay.ndim == 4


# napari itself stumbles over NaN when it draws the points.
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
def test_every_fault_is_one_sentence_and_changes_nothing(viewer: Any, widget: CellsWidget) -> None:
    widget.run.click()
    assert fault(widget).startswith("There are no cells: open tracks")
    cases = {
        "holds no cells": np.empty((0, 3)),
        "lie outside the image of 100 by 140 px": np.array([[0, 30, 30], [0, 300, 30]]),
        "at times up to 7": np.array([[0, 30, 30], [7, 30, 30]]),
        "have NaN": np.array([[0, 30, 30], [0, np.nan, 30]]),
    }
    for sentence, data in cases.items():
        widget.cells.value = points = viewer.add_points(data, ndim=3, name=sentence)
        widget.run.click()
        assert sentence in fault(widget)
        assert list(points.features) == []
        assert "interpdisc" not in points.metadata
    widget.cells.value = viewer.add_points([[0, 30, 30]])
    for diameter in (1, 5000):
        widget.diameter.setValue(diameter)
        widget.run.click()
        assert f"A nuclear diameter of {diameter} px cannot be used" in fault(widget)
    widget.diameter.setValue(20)
    viewer.add_labels(np.zeros((2, 100, 140), int), name="short")
    widget.labels.value = viewer.layers["short"]
    widget.run.click()
    assert "'short' has shape (2, 100, 140)" in fault(widget)
    widget.labels.value = None
    for name, pixels, sentence in (
        ("colour", np.zeros((100, 140, 3), np.uint8), "is an RGB image"),
        ("stack", np.zeros((2, 2, 2, 100, 140)), "take one plane of a 3D stack"),
    ):
        widget.image.value = viewer.add_image(pixels, name=name, rgb=name == "colour")
        widget.run.click()
        assert sentence in fault(widget)
    assert find_overlay(viewer) is None


def test_cells_without_pixels_have_no_class(
    viewer: Any, widget: CellsWidget, settled: Settled, movie: np.ndarray
) -> None:
    holed = movie.astype(np.float32)
    holed[1] = np.nan
    viewer.layers.remove("movie")
    viewer.add_image(holed, name="holed", contrast_limits=(0, 500))
    tracks = viewer.add_tracks(TRACKS)
    widget.diameter.setValue(20)
    widget.run.click()
    settled()
    assert not widget.status.is_fault
    assert "6 have no pixels and no class." in widget.status.text()
    without = tracks.features["class"].isna()
    assert without.tolist() == (tracks.data[:, 1] == 1).tolist()
    assert set(tracks.features["flag"][without]) == {"no pixels: NaN or infinite values"}
    overlay = find_overlay(viewer)
    assert overlay is not None
    grey = np.asarray(overlay.data[1])
    assert grey[30, 30] == len(session_of(viewer).classification.classes) + 2  # type: ignore[union-attr]


def test_a_stack_that_may_be_time_or_z_is_asked_about(
    viewer: Any, widget: CellsWidget, settled: Settled, movie: np.ndarray
) -> None:
    stack = viewer.add_image(movie[[0, 0, 0]], name="stack")
    points = viewer.add_points([c for c in CENTRES if c[0] == 1], name="spots")
    widget.image.value, widget.cells.value = stack, points
    widget.diameter.setValue(20)
    assert widget.form.isRowVisible(widget.first_axis.native)
    assert widget.first_axis.value is None
    widget.run.click()
    assert "whether axis 0 of 'stack' (3 long) is time or z" in fault(widget)
    widget.first_axis.value = "centroid"
    widget.detect.click()
    assert "Nuclei are found in one plane and have no z" in fault(widget)
    widget.run.click()
    settled()
    assert not widget.status.is_fault
    assert set(session_of(viewer).encoding.cells.extra["z"]) == {1}  # type: ignore[union-attr]
    widget.first_axis.value = "mid"
    widget.run.click()
    settled()
    assert not widget.status.is_fault
    result = session_of(viewer).classification
    assert result is not None
    assert set(result.encoding.cells.t) == {0}
    assert len(points.features["class"]) == 6
    overlay = find_overlay(viewer)
    assert overlay is not None
    assert overlay.data.shape == stack.data.shape


def test_layers_tell_what_the_first_axis_is(
    viewer: Any, widget: CellsWidget, movie: np.ndarray
) -> None:
    stack = viewer.add_image(movie, name="stack", axis_labels=("z", "y", "x"))
    widget.image.value = stack
    assert [value for _, value in widget._first_axes()] == [None, "max", "mid", "centroid"]
    assert widget.form.isRowVisible(widget.first_axis.native)
    plain = viewer.add_image(movie, name="plain")
    widget.image.value = plain
    assert widget.form.isRowVisible(widget.first_axis.native)
    widget.cells.value = viewer.add_tracks(TRACKS)  # through time
    assert not widget.form.isRowVisible(widget.first_axis.native)


def test_tracks_that_come_later_win_and_that_is_said(
    viewer: Any, widget: CellsWidget, movie: np.ndarray
) -> None:
    masks = viewer.add_labels((movie > 300).astype(int), name="masks")
    assert widget.cells.value is masks
    viewer.add_tracks(np.add(TRACKS, [0, 9, 0, 0]), name="of another movie")
    assert widget.cells.value is masks
    assert widget.status.text() == ""
    tracks = viewer.add_tracks(TRACKS, name="tracks")
    assert widget.cells.value is tracks
    assert widget.labels.value is masks
    told = "The tracks 'tracks' are now chosen as cells, in place of 'masks'."
    assert widget.status.text() == told


def test_a_choice_by_hand_is_kept_when_tracks_come(
    viewer: Any, widget: CellsWidget, movie: np.ndarray
) -> None:
    masks = viewer.add_labels((movie > 300).astype(int), name="masks")
    box = widget.cells.native
    box.activated.emit(box.currentIndex())
    viewer.add_tracks(TRACKS, name="tracks")
    assert widget.cells.value is masks


def test_the_boxes_follow_the_layer_list(viewer: Any, widget: CellsWidget) -> None:
    points = viewer.add_points([[0, 1, 1]], name="spots")
    assert widget.cells.value is points
    points.name = "renamed"
    assert widget.cells.native.currentText() == "renamed"
    viewer.layers.remove(points)
    viewer.layers.remove("movie")
    assert widget.cells.value is None
    assert widget.image.value is None
    assert not widget.detect.isEnabled()
    widget.run.click()
    assert fault(widget).startswith("There is no image")


def test_annotations_are_no_cells_for_a_run_to_write_its_classes_over(
    viewer: Any, widget: CellsWidget
) -> None:
    points = viewer.add_points(CENTRES, name="detected cells")
    image = viewer.layers["movie"]
    marks = [Mark("round", 0, 30.0, 30.0, 1)]
    layer = write_layer(viewer, image, frames_from_layer(image), 20.0, ["round"], marks)
    assert widget.cells.choices == (points,)
    set_aside(layer)
    again = CellsWidget(viewer)
    assert again.cells.choices == (points,)
    assert again.cells.value is points


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Make reading a frame take its time; the event is set once reading began."""
    begun, read = threading.Event(), Frames.picture

    def picture(self: Frames, t: int, plane: int | None = None) -> Any:
        begun.set()
        time.sleep(0.3)
        return read(self, t, plane)

    monkeypatch.setattr(Frames, "picture", picture)
    return begun


def test_cancel_leaves_all_as_it_was(
    viewer: Any, widget: CellsWidget, settled: Settled, slow: threading.Event
) -> None:
    tracks = viewer.add_tracks(TRACKS)
    widget.diameter.setValue(20)
    widget.run.click()
    assert slow.wait(PATIENCE)
    widget.cancel.click()
    settled()
    assert "Cancelled" in widget.status.text()
    assert "class" not in tracks.features
    assert widget.run.isEnabled()


def test_linking_is_left_where_it_cannot_be_stopped(
    viewer: Any, widget: CellsWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def deaf(*_: Any) -> None:
        begun.set()
        go_on.wait(PATIENCE)

    monkeypatch.setattr("napari_interpdisc.nuclei.linking.link_cells", deaf)
    widget.cells.value = viewer.add_points(np.array(CENTRES, float), name="dots")
    widget.diameter.setValue(20)
    widget.link.click()
    assert begun.wait(PATIENCE)
    widget.cancel.click()
    assert "Linking cannot be stopped midway" in widget.status.text()
    assert widget.link.isEnabled()
    assert len(viewer.layers) == 2
    go_on.set()
    widget.work.stop()


def test_cells_that_were_edited_meanwhile_are_not_written(
    viewer: Any, widget: CellsWidget, settled: Settled, slow: threading.Event
) -> None:
    points = viewer.add_points(TRACKS[:, 1:], name="spots")
    widget.diameter.setValue(20)
    widget.run.click()
    points.data = np.add(points.data, (0, 1, 1))
    settled()
    assert "'spots' was changed meanwhile" in fault(widget)
    widget.run.click()
    viewer.layers.remove(points)
    settled()
    assert "was removed meanwhile" in fault(widget)


@IN_WINDOW
def test_closing_the_viewer_mid_run_leaves_nothing(
    viewer: Any, widget: CellsWidget, slow: threading.Event, capfd: pytest.CaptureFixture[str]
) -> None:
    viewer.add_tracks(TRACKS)
    widget.diameter.setValue(20)
    widget.run.click()
    assert slow.wait(PATIENCE)
    viewer.close()
    assert "interpdisc-work" not in [t.name for t in threading.enumerate()]
    assert "Traceback" not in capfd.readouterr().err


def test_the_result_on_a_real_movie(
    viewer: Any, widget: CellsWidget, settled: Settled, microscopy: Callable[[str], Path]
) -> None:
    folder, frames = microscopy("hela_ctc"), (31, 32)
    stack = np.stack([tifffile.imread(folder / f"seq01_t{t:03d}.tif") for t in frames])
    table = pd.read_csv(folder / "seq01_tracks.csv")
    table = table[table.t.isin(frames)]
    viewer.layers.clear()
    viewer.add_image(stack[:, 0])
    masks = viewer.add_labels(stack[:, 1].astype(np.int32), name="masks")
    tracks = table.assign(t=table.t - 31)[["track_id", "t", "y", "x"]].to_numpy(float)
    widget.cells.value = viewer.add_tracks(tracks)
    assert widget.labels.value is masks  # the only one that fits
    widget.run.click()
    settled()
    assert widget.diameter.value() == pytest.approx(26, abs=3)
    result = session_of(viewer).classification
    assert result is not None
    assert 0.7 < (result.index == 0).mean() < 1
    overlay = find_overlay(viewer)
    assert overlay is not None
    shown, labels = np.asarray(overlay.data[0]), stack[0, 1]
    assert (shown[labels > 0] > 0).mean() > 0.9


def test_a_table_that_is_not_known_is_asked_about(
    make_napari_viewer: Callable[[], Any],
    movie: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = pd.DataFrame(TRACKS, columns=["Spur", "Bild", "Zeile", "Spalte"]).assign(kind="a")
    table.to_csv(tmp_path / "cells.csv", index=False)
    viewer = make_napari_viewer()
    viewer.add_image(movie, scale=(1, 0.5, 0.5), translate=(0, 7, 3))
    widget = CellsWidget(viewer)

    def answered(form: ColumnsForm) -> bool:
        for role, name in {"t": "Bild", "y": "Zeile", "x": "Spalte", "track_id": "Spur"}.items():
            form.columns[role].setCurrentText(name)
        return True

    monkeypatch.setattr(ColumnsForm, "exec", answered)
    widget.first_axis.value = "t"
    widget.add_table(str(tmp_path / "cells.csv"))
    layer = widget.cells.value
    np.testing.assert_array_equal(layer.data, TRACKS[np.lexsort((TRACKS[:, 1], TRACKS[:, 0]))])
    np.testing.assert_array_equal(layer.scale, [1, 0.5, 0.5])
    np.testing.assert_array_equal(layer.translate, [0, 7, 3])
    assert set(layer.features["kind"]) == {"a"}
    assert "t from 'Bild' (0…2, counted from 0)" in widget.status.text()
    monkeypatch.setattr(ColumnsForm, "exec", lambda form: False)
    with pytest.raises(InvalidInput, match="no column for y and x"):
        widget.add_table(str(tmp_path / "cells.csv"))


def test_properties_are_features_in_px_and_um(
    viewer: Any, widget: CellsWidget, settled: Settled
) -> None:
    image = viewer.layers["movie"]
    image.scale = (*image.scale[:-2], 0.5, 0.5)
    image.units = (*["pixel"] * (image.ndim - 2), "um", "um")
    tracks = viewer.add_tracks(TRACKS[::-1], name="tracks", scale=image.scale, units=image.units)
    widget.diameter.setValue(20)
    widget.properties.setChecked(True)
    widget.run.click()
    settled()
    assert not widget.status.is_fault, widget.status.text()
    table = tracks.features
    zoom = 28 / 20
    np.testing.assert_allclose(
        table["nucleus_area_um2"], table["nucleus_area_px2"] / zoom**2 * 0.25
    )
    assert np.isfinite(table["nucleus_area_px2"]).any()
    assert "Properties were measured in nuclei found" in widget.status.text()
    assert tracks.metadata["interpdisc"]["properties"]["nucleus_area_um2"] == "µm²"


def test_other_images_of_the_same_places_are_measured_too(
    viewer: Any, widget: CellsWidget, settled: Settled, movie: np.ndarray
) -> None:
    image = viewer.layers["movie"]
    scale = image.scale
    viewer.add_image(np.full_like(image.data, 9), name="marker (488)", scale=scale)
    viewer.add_image(image.data[:1], name="fewer frames", scale=scale)
    viewer.add_image(image.data, name="elsewhere", scale=scale, translate=[0, 1, 0][-image.ndim :])
    viewer.add_image(image.data, name="a result", scale=scale, metadata={"interpdisc": {}})
    tracks = viewer.add_tracks(TRACKS, name="tracks", scale=scale)
    widget.image.value = image
    widget.cells.value = tracks
    widget.diameter.setValue(20)
    widget.properties.setChecked(True)
    widget.run.click()
    settled()
    assert not widget.status.is_fault, widget.status.text()
    means = [name for name in tracks.features if "mean_of" in name]
    assert means == ["nucleus_mean_of_movie", "nucleus_mean_of_marker_488"]
    known = tracks.features["nucleus_mean_of_marker_488"].dropna()
    assert len(known) > 2
    np.testing.assert_allclose(known, 9, atol=1e-4)
