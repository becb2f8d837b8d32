"""Labels to look at again: each row is its cell, and each decision an annotation like others."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_interpdisc.discovery.movies import LabelledMovie
from napari_interpdisc.patches import Patches, patch_side
from napari_interpdisc.widgets.canvas.picking import frame_shown
from napari_interpdisc.widgets.discover.audit_view import TITLE, AuditView

from .conftest import TRACKS, Settled, annotate_all, fault, trained

WRONG = TRACKS + 5
"""A long cell of the second frame, which is annotated as a round one."""


def told(view: AuditView, place: int) -> list[str]:
    return [view.table.item(place, column).text() for column in range(4)]


@pytest.fixture
def view(scene: SimpleNamespace, settled: Settled, truthful: None) -> AuditView:
    """Return the labels of a training on all cells, one of which is wrong."""
    widget = scene.widget
    annotate_all(scene)
    widget.annotations.annotate(scene.session.encoding.cells, {WRONG: "class 1"})
    again(scene, settled)
    widget.results.labels_part.expand(animate=False)
    return widget.results.audit  # type: ignore[no-any-return]


def again(scene: SimpleNamespace, settled: Settled) -> None:
    widget = scene.widget
    widget.training.engine.setCurrentIndex(widget.training.engine.findData("operon"))
    widget.training.augmented.setValue(6)
    widget.train()
    settled()
    assert not widget.status.is_fault, widget.status.text()


def test_the_wrong_label_comes_first_and_its_row_goes_to_the_cell(
    scene: SimpleNamespace, view: AuditView
) -> None:
    assert view.table.rowCount() == 36
    assert told(view, 0) == ["⚠ Cell 5, frame 1", "0.05", "class 1", "class 2"]
    assert view.told.text().startswith("1 of 36 labels is contradicted")
    assert view.told.text().endswith("Asked were dense heads.")
    assert scene.widget.results.labels_part.text().endswith(f"{TITLE} (1)")
    assert scene.session.selected is None
    assert not view.relabel.isEnabled()
    view.table.setCurrentCell(0, 1)
    assert scene.session.selected == WRONG
    assert frame_shown(scene.viewer, scene.session) == 1
    assert view.relabel.isEnabled()
    for place in range(1, 36):
        view.table.setCurrentCell(place, 0)
        track, frame = scene.table[scene.session.selected, :2].astype(int)
        assert told(view, place)[0] == f"Cell {track}, frame {frame}"
    scene.session.select(None)
    view.table.cellClicked.emit(0, 1)
    assert scene.session.selected == WRONG


def test_a_label_is_changed_as_suggested_and_brought_back(
    scene: SimpleNamespace, view: AuditView
) -> None:
    annotations = scene.widget.annotations
    view.table.setCurrentCell(0, 0)
    view.relabel.click()
    assert annotations.by_row[WRONG] == "class 2"
    assert told(view, 0)[::2] == ["✓ Cell 5, frame 1", "class 2"]
    assert view.table.item(0, 2).toolTip() == "class 2 (was class 1)"
    assert view.table.currentRow() == 1, "the next row is shown"
    assert scene.widget.results.labels_part.text().endswith(TITLE)
    assert not view.relabel.isEnabled(), "held-out heads say the same of it"
    scene.widget.undo.click()
    assert annotations.by_row[WRONG] == "class 1"
    assert told(view, 0)[::2] == ["⚠ Cell 5, frame 1", "class 1"]


def test_a_label_that_was_kept_is_not_asked_about_again(
    scene: SimpleNamespace, view: AuditView, settled: Settled
) -> None:
    annotations, cells = scene.widget.annotations, scene.session.encoding.cells
    view.table.setCurrentCell(0, 0)
    view.keep.click()
    assert annotations.by_row[WRONG] == "class 1"
    assert told(view, 0)[0] == "✓ Cell 5, frame 1"
    scene.widget.undo.click()
    assert told(view, 0)[0] == "⚠ Cell 5, frame 1"
    view.table.setCurrentCell(0, 0)
    view.keep.click()
    again(scene, settled)
    assert told(view, 0)[0] == "✓ Cell 5, frame 1"
    annotations.annotate(cells, {WRONG: "class 2", WRONG + 1: "class 2"})
    again(scene, settled)
    assert told(view, 0)[0] == "⚠ Cell 6, frame 1"


def test_cells_of_another_movie_come_first_and_cannot_be_gone_to(
    scene: SimpleNamespace, settled: Settled, truthful: None
) -> None:
    """Four cells of a kept movie, the second of which is wrong, before those of the window."""
    model = scene.session.model
    side = patch_side(model.crop_size)
    patches = Patches(np.zeros((4, side, side), np.float32), float(side))
    labels = np.array(["class 1", "class 1", "class 1", "class 2"])
    own = LabelledMovie(
        "x/kept.tif", patches, labels, np.array(list("abcd")), 20.0, "given", model.model_diameter
    )
    scene.widget.kept.show_file(Path("kept.npz"), [own])
    results = trained(scene, settled)
    results.labels_part.expand(animate=False)
    view = results.audit
    assert told(view, 0)[0] == "⚠ Cell b of kept.tif"
    view.table.setCurrentCell(0, 0)
    assert "is of x/kept.tif: open that movie" in fault(scene)
    view.relabel.click()
    assert "is of x/kept.tif: open that movie" in fault(scene)
    assert view.table.currentRow() == 0
    names = []
    for place in range(40):
        view.table.setCurrentCell(place, 0)
        names.append(told(view, place)[0].removeprefix("⚠ "))
        if "kept.tif" not in names[-1]:
            track, frame = scene.table[scene.session.selected, :2].astype(int)
            assert names[-1] == f"Cell {track}, frame {frame}"
    assert len(set(names)) == 40


def test_a_label_that_was_removed_is_not_asked_about(
    scene: SimpleNamespace, view: AuditView
) -> None:
    scene.widget.annotations.remove(WRONG)
    assert told(view, 0)[::2] == ["✓ Cell 5, frame 1", "no label"]
    view.table.setCurrentCell(0, 0)
    view.relabel.click()
    assert "not among the annotations here" in fault(scene)
    scene.widget.undo.click()
    assert told(view, 0)[::2] == ["⚠ Cell 5, frame 1", "class 1"]
    scene.session.clear()
    assert told(view, 0)[2] == "class 1"
    scene.finish()
    view.table.setCurrentCell(1, 0)
    view.table.setCurrentCell(0, 0)
    assert scene.session.selected == WRONG
