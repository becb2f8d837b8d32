"""The dock: axes, boundary, and choosing that is shared with all views."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_interpdisc.widgets.canvas.picking import frame_shown
from napari_interpdisc.widgets.linked_plot import widget as module
from napari_interpdisc.widgets.linked_plot.widget import shaded

Scene = SimpleNamespace
Make = Callable[..., Scene]


def put(scene: Scene, x: str, y: str) -> None:
    labels = [one.label for one in scene.widget.columns]
    scene.widget.x.setCurrentIndex(labels.index(x))
    scene.widget.y.setCurrentIndex(labels.index(y))
    scene.widget._draw()


def test_the_rule_is_drawn_over_what_it_reads(make_dock: Make) -> None:
    scene = make_dock()
    widget = scene.widget
    assert [one.label for one in widget.axes()] == [
        "z2 granularity_coarse",
        "r(z18, z19 elongation)",
    ]
    assert widget.boundary.text() in {
        "Line: where 'formula-strict' changes its mind. It reads nothing else.",
        "'formula-strict' gives one class throughout, all else as in the median cell.",
    }
    put(scene, "z2 granularity_coarse", "z4 unevenness")
    scene.session.select(2)
    widget._show_boundary()
    assert "all else as in the selected cell" in widget.boundary.text()
    put(scene, "z4 unevenness", "z5 granularity_fine_2")
    assert widget.boundary.text() == "'formula-strict' reads neither of the two: no boundary."
    put(scene, "PC 1", "PC 2")
    assert widget.boundary.text().startswith("No boundary: it is drawn over two latents")
    assert not widget.plot.lines


def test_what_is_chosen_here_is_chosen_everywhere(make_dock: Make) -> None:
    scene = make_dock()
    widget, session = scene.widget, scene.session
    told: list[Any] = []
    session.chosen_changed.connect(told.append)
    widget._lassoed(np.array([1, 4]), "")
    widget._lassoed(np.array([2]), "add")
    widget._lassoed(np.array([1, 6]), "toggle")
    assert session.chosen.tolist() == [2, 4, 6]
    assert told == [widget] * 3
    assert widget.chosen.text() == "3 cells are chosen."
    assert any(layer.name == "chosen cells" for layer in scene.viewer.layers)
    session.choose([5], by="gallery")
    assert widget.plot.chosen.tolist() == [5]
    widget.none.click()
    assert not len(session.chosen)


def test_a_click_goes_to_the_cell_and_one_beside_chooses_none(make_dock: Make) -> None:
    scene = make_dock()
    widget, session = scene.widget, scene.session
    widget._clicked(5, "")
    assert session.selected == 5
    assert frame_shown(scene.viewer, session) == 2
    assert widget.plot.selected == 5
    widget._clicked(3, "toggle")
    assert session.chosen.tolist() == [3]
    widget._clicked(-1, "")
    assert not len(session.chosen)


def test_colours_are_those_of_the_classes_or_of_a_number(make_dock: Make) -> None:
    scene = make_dock()
    widget = scene.widget
    assert "Interphase" in widget.legend.text()
    by_class = widget.plot.colors.copy()
    labels = [widget.color.itemText(i) for i in range(widget.color.count())]
    widget.color.setCurrentIndex(labels.index("score"))
    widget._draw()
    assert widget.legend.text().startswith("score: ")
    assert (widget.plot.colors != by_class).any()
    colors, low, high = shaded(np.array([0.0, 1.0, 2.0, np.nan]))
    assert low < high
    assert colors[3].tolist() == [89, 89, 89, 255]
    assert len({tuple(color) for color in colors.tolist()}) == 4
    shaded(np.full(3, np.nan))


def test_axes_stay_when_the_head_changes(make_dock: Make) -> None:
    scene = make_dock()
    put(scene, "z4 unevenness", "confidence")
    scene.session.set_model(scene.session.model, "states")
    assert [one.label for one in scene.widget.axes()] == ["z4 unevenness", "confidence"]
    measured = replace(scene.session.encoding, properties={"area": np.arange(7.0)})
    scene.session.set_measured(measured)
    assert "area (px²)" in [one.label for one in scene.widget.columns]


def test_without_cells_it_says_so(make_dock: Make) -> None:
    scene = make_dock(finished=False)
    widget = scene.widget
    assert widget.plot.empty == "No cells yet: run the Cells widget first."
    assert not widget.umap.isEnabled()
    scene.finish()
    assert widget.columns
    assert widget.umap.isEnabled()
    scene.session.clear()
    assert not widget.columns
    assert not widget.plot.has_data()


def test_umap_is_found_beside_the_window_and_becomes_the_axes(make_dock: Make, qtbot: Any) -> None:
    pytest.importorskip("umap", reason="the extra 'umap' is not installed")
    scene = make_dock()
    widget = scene.widget
    widget.umap.click()
    qtbot.waitUntil(lambda: not widget.work.running)
    assert [one.label for one in widget.axes()] == ["UMAP 1", "UMAP 2"]
    assert widget.status.text().startswith("UMAP of 7 cells, 6 neighbours, seed 0")


def test_umap_that_is_cancelled_leaves_the_button_free(
    make_dock: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(module, "check_umap", lambda: None)
    monkeypatch.setattr(module, "umap_embedding", lambda _: go_on.wait(60))
    scene = make_dock()
    widget = scene.widget
    widget.umap.click()
    assert not widget.umap.isEnabled()
    widget.cancel.click()
    assert widget.umap.isEnabled()
    assert widget.status.text() == "Cancelled. UMAP cannot be stopped midway: it ends unseen."
    go_on.set()
    widget.work.stop()
    assert module.UMAP not in widget.embeddings


def test_umap_without_its_package_is_told(make_dock: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_interpdisc.errors import InvalidInput

    def missing() -> None:
        raise InvalidInput("UMAP needs umap-learn")

    monkeypatch.setattr(module, "check_umap", missing)
    scene = make_dock()
    scene.widget.umap.click()
    assert scene.widget.status.is_fault
    assert not scene.widget.work.running


def test_the_key_of_a_class_is_for_all_chosen_cells(make_dock: Make, qtbot: Any) -> None:
    scene = make_dock()
    widget, annotations = scene.widget, scene.widget.shared.annotations
    qtbot.keyClick(widget.plot, "1")
    assert widget.status.text().startswith("Choose cells first")
    widget._lassoed(np.array([1, 4]), "")
    qtbot.keyClick(widget.plot, "2")
    assert [mark.name for mark in annotations.marks] == ["class 2", "class 2"]
    qtbot.keyClick(widget.plot, "0")
    assert not annotations.marks
