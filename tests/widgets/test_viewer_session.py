"""What is in the viewer is saved as a folder, and comes back."""

from __future__ import annotations

import gc
import shutil
from pathlib import Path
from typing import Any

import napari_builtins
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Labels
from npe2 import PluginManifest
from qtpy.QtWidgets import QFileDialog

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.store import replace_heads
from napari_interpdisc.pipeline import classify
from napari_interpdisc.simulate.movie import SimulationSettings, simulate_movie
from napari_interpdisc.widgets.canvas import annotation_layer
from napari_interpdisc.widgets.canvas.annotation_home import note_home
from napari_interpdisc.widgets.canvas.image_identity import identify
from napari_interpdisc.widgets.canvas.layers import frames_from_layer
from napari_interpdisc.widgets.cells.run import result_columns
from napari_interpdisc.widgets.discover.annotating import annotating_of
from napari_interpdisc.widgets.discover.annotations import Mark
from napari_interpdisc.widgets.discover.unsaved import find_left
from napari_interpdisc.widgets.session import session_of
from napari_interpdisc.widgets.viewer_session import (
    open_saved_session,
    open_viewer,
    save_session_as,
    save_viewer,
)


@pytest.fixture(autouse=True)
def _napari_opens_tiff(npe2pm: Any) -> None:
    npe2pm.register(
        PluginManifest.from_file(Path(napari_builtins.__file__).parent / "builtins.yaml")
    )


@pytest.fixture
def scene(tmp_path: Path) -> Any:
    """A viewer with a classified movie from a file, a segmentation, and two annotations."""
    made = simulate_movie(SimulationSettings(shape=(2, 120, 160), cells=4, dividing=0, seed=1))
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "movie.tif"
    tifffile.imwrite(path, made.image, photometric="minisblack", metadata={"axes": "TYX"})
    viewer = ViewerModel()
    (image,) = viewer.open(str(path), plugin="napari")
    image.scale = (1, 0.5, 0.5)
    masks = viewer.add_labels(np.asarray(made.labels), name="masks", scale=image.scale)
    table = np.column_stack([made.cells.track_id, made.cells.t, made.cells.yx])
    order = np.lexsort((table[:, 1], table[:, 0]))
    tracks = viewer.add_tracks(table[order], name="tracks", scale=image.scale)
    session, frames = session_of(viewer), frames_from_layer(image)
    cells = CellTable.from_arrays(table[order, 1], table[order, 2:], table[order, 0])
    result = classify(frames, cells, session.model, 28.0, "formula")
    tracks.features = result_columns(result, session.model)
    session.set_result(image, tracks, masks, frames, result)
    session.set_threshold(0.6)
    marks = [Mark("mine", 0, *cells.yx[0], 1), Mark("other", 1, *cells.yx[1], 2)]
    annotation_layer.write_layer(viewer, image, frames, 28.0, ["mine", "other"], marks)
    return viewer


def test_a_session_comes_back_in_another_viewer(scene: Any, tmp_path: Path) -> None:
    told = save_viewer(scene, tmp_path / "saved")
    assert "head 'formula'" in told
    viewer = ViewerModel()
    assert "2 annotations" in open_viewer(viewer, tmp_path / "saved")
    before, after = session_of(scene), session_of(viewer)
    assert before.classification is not None
    assert after.classification is not None
    np.testing.assert_allclose(after.classification.scores, before.classification.scores)
    assert (after.head_name, after.threshold) == ("formula", 0.6)
    assert after.image.name == "movie"
    np.testing.assert_array_equal(after.image.scale, [1, 0.5, 0.5])
    np.testing.assert_array_equal(after.image.data, before.image.data)
    np.testing.assert_array_equal(after.cells_layer.data, before.cells_layer.data)
    assert after.cells_layer.features["class"].tolist() == (
        before.cells_layer.features["class"].tolist()
    )
    assert isinstance(after.labels, Labels)
    np.testing.assert_array_equal(np.asarray(after.labels.data), before.labels.data)
    layer = annotation_layer.find_annotations(viewer)
    assert layer is not None
    assert layer.features["class"].tolist() == ["mine", "other"]
    np.testing.assert_allclose(layer.data, annotation_layer.find_annotations(scene).data)
    np.testing.assert_array_equal(after.crop(0), before.crop(0))  # the image is at work


@pytest.mark.parametrize("open_dock", [True, False], ids=["with a dock", "after it closed"])
def test_annotations_of_a_window_and_of_a_session_that_is_opened_there(
    scene: Any, tmp_path: Path, open_dock: bool
) -> None:
    session = session_of(scene)
    save_viewer(scene, tmp_path / "saved")
    shared = annotating_of(scene, session)
    shared.join()
    assert session.encoding is not None
    shared.annotations.annotate(session.encoding.cells, {2: "mine"})
    image = identify(session.image)
    if not open_dock:
        shared.leave()
    open_viewer(scene, tmp_path / "saved")
    if not open_dock:
        shared = annotating_of(scene, session)
        shared.join()
    assert sorted(shared.annotations.by_row.values()) == ["mine", "other"]
    shared.annotations.remove(*shared.annotations.by_row)
    assert not len(annotation_layer.find_annotations(scene).data), "its layer is followed"
    aside = scene.layers["Annotations of 'movie'"]
    assert (len(aside.data), aside.visible) == (3, False)
    assert len(find_left([image])[0][0].marks) == 3
    shared.leave()


@pytest.mark.parametrize("open_dock", [True, False], ids=["with a dock", "after it closed"])
def test_annotations_that_are_saved_are_not_offered(
    scene: Any, tmp_path: Path, open_dock: bool
) -> None:
    session = session_of(scene)
    shared = annotating_of(scene, session)
    shared.join()
    assert session.encoding is not None
    shared.annotations.annotate(session.encoding.cells, {2: "mine"})
    image = identify(session.image)
    if not open_dock:
        shared.leave()
        assert len(find_left([image])[0][0].marks) == 3
        del shared
        gc.collect()
    save_viewer(scene, tmp_path / "saved")
    if open_dock:
        shared.leave()
    assert find_left([image]) == ([], [])


def test_annotations_of_another_movie_are_not_saved_with_this_one(
    scene: Any, tmp_path: Path
) -> None:
    session, image = session_of(scene), scene.layers["movie"]
    layer = annotation_layer.find_annotations(scene)
    assert layer is not None
    other = scene.add_image(image.data + 1, name="other")
    note_home(layer, other, None, frames_from_layer(other))
    told = save_viewer(scene, tmp_path / "saved")
    assert told.startswith("The session was saved")
    viewer = ViewerModel()
    assert ", 0 annotations," in open_viewer(viewer, tmp_path / "saved")
    assert session.image is image


def test_a_moved_image_is_asked_for(scene: Any, tmp_path: Path) -> None:
    save_viewer(scene, tmp_path / "saved")
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.move(tmp_path / "data" / "movie.tif", tmp_path / "elsewhere" / "m.tif")
    viewer = ViewerModel()
    with pytest.raises(InvalidInput, match="is not there"):
        open_viewer(viewer, tmp_path / "saved")
    with pytest.raises(InvalidInput, match="was not chosen"):
        open_viewer(viewer, tmp_path / "saved", lambda *_: None)
    tifffile.imwrite(tmp_path / "wrong.tif", np.zeros((5, 6), np.uint8))
    with pytest.raises(InvalidInput, match="holds no image of the shape"):
        open_viewer(viewer, tmp_path / "saved", lambda *_: tmp_path / "wrong.tif")
    assert not viewer.layers
    open_viewer(viewer, tmp_path / "saved", lambda *_: Path(moved))
    assert session_of(viewer).image is not None


def test_a_model_of_ones_own_is_in_the_folder(scene: Any, tmp_path: Path) -> None:
    session = session_of(scene)
    heads = {"formula": session.model.heads["formula"]}
    mine = replace_heads(session.model, "mine", heads, "# mine")
    session.set_model(mine, "formula")
    save_viewer(scene, tmp_path / "saved")
    viewer = ViewerModel()
    open_viewer(viewer, tmp_path / "saved")
    assert session_of(viewer).model.name == "mine"
    note = tmp_path / "saved" / "session.json"
    note.write_text(note.read_text().replace(mine.sha256, "0" * 64))
    with pytest.raises(InvalidInput, match="another version of the model 'mine'"):
        open_viewer(ViewerModel(), tmp_path / "saved")


def test_what_cannot_be_saved(scene: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no result to save"):
        save_viewer(ViewerModel(), tmp_path / "saved")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    with pytest.raises(InvalidInput, match="not empty"):
        save_viewer(scene, tmp_path / "full")
    session = session_of(scene)
    session.image = scene.add_image(np.asarray(session.image.data), name="made")
    with pytest.raises(InvalidInput, match="'made' was not opened from a file"):
        save_viewer(scene, tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_the_commands_of_the_menu_ask(
    scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("getSaveFileName", "getExistingDirectory")
    answers: dict[str, Any] = {names[0]: ("", ""), names[1]: ""}
    for name in names:
        monkeypatch.setattr(QFileDialog, name, lambda *_, name=name: answers[name])
    viewer = ViewerModel()
    save_session_as(scene)
    open_saved_session(viewer)
    assert not viewer.layers
    folder = str(tmp_path / "saved")
    answers |= {"getSaveFileName": (folder, ""), "getExistingDirectory": folder}
    save_session_as(scene)
    open_saved_session(viewer)
    assert session_of(viewer).classification is not None
