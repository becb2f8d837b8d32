"""What was left unsaved is offered, and each class is put on its own cell."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt

from napari_interpdisc.cells import CellTable
from napari_interpdisc.pipeline import classify
from napari_interpdisc.widgets.canvas.annotation_layer import find_annotations
from napari_interpdisc.widgets.discover.annotating import annotating_of
from napari_interpdisc.widgets.discover.unsaved import check_folder, left_files
from napari_interpdisc.widgets.discover.unsaved_panel import UnsavedPanel
from napari_interpdisc.widgets.session import session_of

from ..conftest import CELLS, DIAMETER

NAMES = {0: "round", 3: "long", 4: "round"}


@pytest.fixture
def scene(make_scene: Callable[..., SimpleNamespace]) -> SimpleNamespace:
    return make_scene(window=False)


@pytest.fixture
def open_panel(scene: SimpleNamespace, qtbot: Any) -> Any:
    """Return a function that opens the movie in another viewer, with some cells, and a panel."""
    joined = []

    def open_it(cells: np.ndarray | None = CELLS, movie: Any = None) -> SimpleNamespace:
        viewer = ViewerModel()
        image = viewer.add_image(scene.image.data if movie is None else movie, name="again")
        session = session_of(viewer)
        if cells is not None:
            table = CellTable.from_arrays(cells[:, 0], cells[:, 1:3], cells[:, 3], source="x")
            result = classify(scene.frames, table, session.model, DIAMETER)
            session.set_result(image, None, None, scene.frames, result)
        shared = annotating_of(viewer, session)
        shared.join()
        joined.append(shared)
        panel = UnsavedPanel(viewer, session, shared)
        qtbot.addWidget(panel)
        said: list[str] = []
        panel.said.connect(lambda text, fault: said.append(text))
        qtbot.waitUntil(lambda: not panel._soon.isActive() and not panel.work.running)
        return SimpleNamespace(
            viewer=viewer, session=session, shared=shared, panel=panel, said=said, image=image
        )

    yield open_it
    for shared in joined:
        shared.leave()


@pytest.fixture
def closed(scene: SimpleNamespace) -> None:
    """A window in which three cells were annotated, and which was closed."""
    shared = annotating_of(scene.viewer, scene.session)
    shared.join()
    shared.annotations.replace_all(("round", "long"), ())
    shared.annotations.annotate(scene.session.encoding.cells, NAMES)
    shared.leave()


def classes_at(opened: SimpleNamespace) -> dict[tuple[float, ...], str]:
    """Class by frame and place of the cell that has it."""
    cells = opened.session.encoding.cells
    return {
        (int(cells.t[row]), *cells.yx[row].tolist()): name
        for row, name in opened.shared.annotations.by_row.items()
    }


WANTED = {tuple(CELLS[row, :3]): name for row, name in NAMES.items()}


def test_it_is_offered_restored_and_undone(closed: None, open_panel: Any, qtbot: Any) -> None:
    opened = open_panel()
    panel, annotations = opened.panel, opened.shared.annotations
    assert not panel.isHidden()
    assert panel.told.text().startswith("3 annotations of 'movie' of ")
    assert panel.told.text().endswith(" were left unsaved.")
    assert panel.told.textFormat() == Qt.TextFormat.PlainText, "an image may be called <b>"
    assert not annotations.marks, "nothing is put in unasked"
    panel.restore_button.click()
    assert opened.said == ["3 of 3 annotations were restored."]
    assert panel.isHidden()
    assert classes_at(opened) == WANTED
    assert annotations.classes == ("round", "long")
    layer = find_annotations(opened.viewer)
    assert layer is not None
    assert layer.features["class"].tolist() == ["round", "long", "round"]
    assert left_files([opened.image.data.shape]) == [], "the window has it now"
    annotations.undo()
    assert not annotations.marks
    assert annotations.classes == ("class 1", "class 2")
    qtbot.waitUntil(lambda: not panel.isHidden())
    assert panel.told.text().startswith("3 annotations")


def test_cells_in_another_order_and_number(closed: None, open_panel: Any) -> None:
    """Rows of before mean other cells now."""
    others = np.array([[0, 60.4, 89, 9], [1, 20, 110, 4]])
    cells = np.vstack([CELLS[::-1][:4], others, CELLS[[0]] + (0, 0.5, -0.25, 50)])
    opened = open_panel(cells)
    opened.panel.restore_button.click()
    assert classes_at(opened) == {
        (0, 30.5, 29.75): "round",
        (1, 61, 92): "long",
        (1, 88, 40): "round",
    }
    assert opened.said == ["3 of 3 annotations were restored."]


def test_a_cell_that_is_not_found_is_told(closed: None, open_panel: Any) -> None:
    opened = open_panel(CELLS[[0, 1, 5]])
    opened.panel.restore_button.click()
    assert opened.said == ["1 of 3 annotations were restored; 2 near no cell of now are not used."]
    assert classes_at(opened) == {(0, 30, 30): "round"}
    assert len(opened.shared.annotations.marks) == 3, "they are kept"


def test_without_cells_it_says_what_to_do(closed: None, open_panel: Any) -> None:
    opened = open_panel(None)
    assert opened.panel.told.text().endswith("left unsaved. Run Cells to restore them.")
    assert not opened.panel.restore_button.isEnabled()


def test_another_image_of_that_shape_is_not_offered_any(
    closed: None, open_panel: Any, scene: SimpleNamespace
) -> None:
    opened = open_panel(None, scene.image.data + 1)
    assert opened.panel.isHidden()


def test_discarded_is_discarded(closed: None, open_panel: Any, qtbot: Any) -> None:
    opened = open_panel()
    opened.panel.discard_button.click()
    assert opened.panel.isHidden()
    assert left_files([opened.image.data.shape]) == []
    assert not opened.shared.annotations.marks


def test_while_there_are_annotations_nothing_is_offered(closed: None, open_panel: Any) -> None:
    opened = open_panel()
    opened.shared.annotations.annotate(opened.session.encoding.cells, {1: "class 1"})
    opened.panel.look()
    assert opened.panel.isHidden()
    opened.shared.annotations.undo()


def test_a_layer_that_is_deleted_is_offered_again(open_panel: Any, qtbot: Any) -> None:
    opened = open_panel()
    annotations = opened.shared.annotations
    annotations.annotate(opened.session.encoding.cells, {2: "class 2"})
    opened.viewer.layers.remove(find_annotations(opened.viewer))
    assert not annotations.marks
    qtbot.waitUntil(lambda: not opened.panel.isHidden())
    assert opened.panel.told.text().startswith("1 annotation of 'again'")
    opened.panel.restore()
    assert annotations.by_row == {2: "class 2"}
    assert find_annotations(opened.viewer) is not None


def test_two_viewers_of_one_image_do_not_take_each_others(open_panel: Any, qtbot: Any) -> None:
    one, two = open_panel(), open_panel()
    one.shared.annotations.annotate(one.session.encoding.cells, {0: "class 1"})
    two.shared.annotations.annotate(two.session.encoding.cells, {1: "class 2"})
    assert one.shared.saver.flush()
    assert two.shared.saver.flush()
    three = open_panel()
    assert three.panel.isHidden(), "both windows are open"
    one.shared.saver.leave()
    two.shared.saver.leave()
    four = open_panel()
    four.panel.restore()
    assert set(four.shared.annotations.by_row.values()) == {"class 2"}
    (other,) = left_files([four.image.data.shape])
    assert "left" in other.name, "the other window's is still there"


def test_a_damaged_file_is_one_sentence(open_panel: Any, scene: SimpleNamespace) -> None:
    shape = "x".join(map(str, scene.image.data.shape))
    (check_folder() / f"{shape}.{'a' * 12}.left.json").write_text("{")
    opened = open_panel()
    assert opened.panel.isHidden()
    (told,) = opened.said
    assert told.endswith("it was passed over.")
