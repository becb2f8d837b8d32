"""The Discover dock widget in a real viewer."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtWidgets import QWidget

from napari_interpdisc.discovery.rashomon import Member, rashomon_set
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.widgets.canvas.annotation_layer import find_annotations
from napari_interpdisc.widgets.canvas.compat import camera_of
from napari_interpdisc.widgets.cells.widget import CellsWidget
from napari_interpdisc.widgets.discover.run import NO_CELLS
from napari_interpdisc.widgets.discover.widget import DiscoverWidget

from ..conftest import IN_WINDOW
from .conftest import (
    TRACKS,
    Settled,
    annotate_all,
    click,
    fault,
    trained,
    world,
)


def test_classes_are_added_renamed_and_removed(scene: SimpleNamespace, qtbot: Any) -> None:
    widget = scene.widget
    widget.annotations.annotate(scene.session.encoding.cells, {0: "class 1", 1: "class 2"})
    widget.add.click()
    assert widget.annotations.classes[2] == widget.annotator.chosen == "class 3"
    field = widget.classes.names[0]
    field.setText("round")
    field.editingFinished.emit()
    assert widget.annotations.by_row[0] == "round"
    widget.classes.names[1].setText("round")
    widget.classes.names[1].editingFinished.emit()
    assert "There is a class 'round' already" in fault(scene)
    assert widget.classes.names[1].text() == "class 2"
    widget.classes.removers[0].click()
    assert widget.status.text() == "'round' and its 1 annotation removed; Undo brings it back."
    assert widget.annotations.classes == ("class 2", "class 3")
    widget.undo.click()
    assert widget.annotations.by_row[0] == "round"


def test_without_cells_it_says_what_to_do(scene: SimpleNamespace) -> None:
    widget = scene.widget
    widget.annotate.setChecked(True)
    scene.session.clear()
    assert widget.status.text() == NO_CELLS
    assert not widget.annotate.isEnabled()
    assert not widget.annotator.is_on
    widget.train()
    assert fault(scene) == NO_CELLS
    scene.finish()
    annotate_all(scene)
    scene.session.clear()
    assert "36 annotations are kept" in widget.status.text()
    assert len(find_annotations(scene.viewer).data) == 36  # type: ignore[union-attr]
    scene.finish()
    assert len(widget.annotations.by_row) == 36


def test_export(scene: SimpleNamespace, tmp_path: Path) -> None:
    annotate_all(scene, 2)
    scene.widget.export_to(tmp_path / "marks.csv")
    table = pd.read_csv(tmp_path / "marks.csv")
    assert list(table) == ["t", "y", "x", "track_id", "class"]
    assert table["class"].tolist() == ["class 1", "class 2"] * 3
    scene.widget.export_to(tmp_path / "no such folder" / "marks.csv")
    assert "does not exist" in fault(scene)


@IN_WINDOW
def test_another_widget_finds_the_annotations(scene: SimpleNamespace) -> None:
    annotate_all(scene, 3)
    scene.widget.annotations.rename_class("class 1", "round")
    scene.viewer.window.remove_dock_widget(scene.widget)
    again = DiscoverWidget(scene.viewer)
    scene.viewer.window.add_dock_widget(again, name="Discover")
    assert again.annotations.classes == ("round", "class 2")
    assert again.annotations.counts() == {"round": (6, 2), "class 2": (3, 1)}
    assert "9 annotations were found again" in again.status.text()


def test_suggestions_are_the_least_certain_one_per_track(
    scene: SimpleNamespace, settled: Settled
) -> None:
    widget, session = scene.widget, scene.session
    unsure = int(session.classification.confidence.argmin())
    annotated = {unsure: "class 1"}
    widget.annotations.annotate(session.encoding.cells, annotated)
    seen = []
    for _ in range(TRACKS):
        widget.suggest.click()
        seen.append(session.selected)
    assert unsure not in seen
    tracks = session.encoding.cells.track_id[seen]
    assert len(set(tracks.tolist())) == TRACKS
    sure = session.classification.confidence[seen]
    assert (np.diff(sure) >= 0).all()
    assert scene.viewer.dims.current_step[0] == session.encoding.cells.t[seen[-1]]
    np.testing.assert_allclose(camera_of(scene.viewer).center[-2:], world(scene, seen[-1])[1:])
    widget.suggest.click()
    assert "begins anew" in widget.status.text()


@IN_WINDOW
def test_it_fits_a_narrow_dock_and_every_control_has_a_tooltip(
    scene: SimpleNamespace, settled: Settled, quick: list[Any], qtbot: Any
) -> None:
    results = trained(scene, settled)
    widget = scene.widget
    page = results.parentWidget()
    assert page.minimumSizeHint().width() <= 400
    controls = [
        *widget.classes.radios,
        *widget.classes.names,
        *widget.classes.removers,
        *(getattr(widget, name) for name in ("add", "undo", "annotate", "suggest", "export")),
        *(getattr(widget.training, n) for n in ("engine", "folds", "seed", "augmented", "start")),
        results.quality.heads,
        results.quality.confusion,
        results.quality.curve,
        results.front.table,
        results.front.plot,
        results.save_button,
    ]
    assert all(control.toolTip() for control in controls if isinstance(control, QWidget))


@IN_WINDOW
def test_the_widget_goes_while_the_session_stays(scene: SimpleNamespace) -> None:
    annotate_all(scene)
    scene.widget.annotate.setChecked(True)
    scene.viewer.window.remove_dock_widget(scene.widget)
    scene.session.select(2)
    click(scene, 3)
    scene.viewer.layers.remove(find_annotations(scene.viewer))
    scene.session.clear()
    scene.finish()


@pytest.mark.parametrize("kind", [DiscoverWidget, CellsWidget])
def test_the_garbage_collector_may_take_a_closed_widget(
    make_napari_viewer: Callable[..., Any], kind: Callable[[Any], QWidget]
) -> None:
    viewer = make_napari_viewer()
    closed = kind(viewer)
    gone = weakref.ref(closed)
    del closed
    gc.collect()  # the slots of its last signal must still be whole, or the process ends
    assert gone() is None


def test_suggestions_where_heads_disagree(scene: SimpleNamespace) -> None:
    widget, session = scene.widget, scene.session
    widget.order.setCurrentIndex(1)
    widget.suggest.click()
    assert widget.status.text().startswith("Heads were not compared yet: train some")
    latents = session.encoding.latents
    heads = [
        Member(t, FormulaHead([parse_formula(t, 32)]), 0.9)
        for t in ("1", "2", f"z0 - {np.median(latents[:, 0])}")
    ]
    session.set_compared(rashomon_set(heads, ("no", "yes"), latents, 1))
    apart = set(session.encoding.cells.track_id[session.disagreement > 0].tolist())
    assert 0 < len(apart) < TRACKS
    seen = []
    for _ in apart:
        widget.suggest.click()
        assert widget.status.text().startswith("33 % of the heads disagree with the others on the")
        seen.append(session.selected)
    assert (session.disagreement[seen] > 0).all()
    assert set(session.encoding.cells.track_id[seen].tolist()) == apart
    widget.suggest.click()
    assert "No track is left" in widget.status.text()
