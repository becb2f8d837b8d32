"""The Anatomy dock: plots at once, a dot that moves with the latents, and sentences later."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QAbstractButton, QComboBox, QFileDialog, QLabel, QListWidget

from napari_interpdisc.models.cell_model import NamedHead
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.number_text import with_sign
from napari_interpdisc.widgets.anatomy import widget as module
from napari_interpdisc.widgets.anatomy.widget import MIDDLE, AnatomyWidget
from napari_interpdisc.widgets.canvas.picking import frame_shown
from napari_interpdisc.widgets.explorer.widget import ExplorerWidget
from napari_interpdisc.widgets.parts.pictures import grey_picture

from ..conftest import IN_WINDOW, put_up
from .conftest import ROW, Scene

MakeDock = Callable[..., Scene]


@pytest.fixture
def dock(make_dock: MakeDock) -> Scene:
    """A formula, with a cell selected."""
    scene = make_dock("formula")
    scene.session.select(ROW)
    return scene


def score(widget: AnatomyWidget, z: np.ndarray) -> str:
    session = widget.session
    return with_sign(float(session.model.score(z[None], session.head_name)[0, 0]))


def with_head(scene: Scene, texts: list[str], classes: tuple[str, ...]) -> None:
    """Give the session's model a formula, and choose it."""
    head = FormulaHead([parse_formula(text) for text in texts])
    model = scene.session.model
    heads = {**model.heads, "mine": NamedHead("mine", head, classes)}
    scene.session.set_model(replace(model, heads=heads), "mine")


def test_the_whole_head_is_drawn_first_at_the_selected_cell(dock: Scene) -> None:
    widget, own = dock.widget, dock.session.encoding.latents[ROW]
    assert widget.head.currentText() == "formula (formula)"
    assert widget.about.text() == "Looked at with 7 cells."
    assert widget.view.part.name == "score of Metaphase"
    assert widget.whose.text().startswith("Cell 3, frame 1")
    assert not widget.graph.isVisible(), "a formula has none"
    assert widget.choice.list.count() == 5
    np.testing.assert_allclose(widget.plot.dot, widget.view.place(own)[0])
    assert score(widget, own) in widget.pictures.told[0].text()
    assert "Thick line: 0, the decision boundary" in widget.legend.text()
    assert "Interphase" in widget.legend.text()


def test_a_drag_edits_the_latents_everywhere(dock: Scene, qtbot: Any) -> None:
    widget, session = dock.widget, dock.session
    explorer = ExplorerWidget(dock.viewer)
    put_up(dock.viewer, explorer, "Latent explorer", qtbot)
    qtbot.waitUntil(explorer.isVisible)
    picture = widget.pictures.pictures[0].picture
    to = [float(np.quantile(line, 0.8)) for line in widget.view.ground.points]
    widget.plot.dragged.emit(np.array(to))
    z = session.encoding.latents[ROW].copy()
    latents = [widget.view.part.inputs[axis].latents[0] for axis in widget.view.axes]
    z[latents] = to
    np.testing.assert_array_equal(session.edited, z)
    qtbot.waitUntil(lambda: score(widget, z) in widget.pictures.told[0].text())
    assert widget.pictures.pictures[0].picture != picture
    np.testing.assert_allclose(widget.plot.dot, to, atol=1e-6)
    assert widget.rule.bars.total.value == pytest.approx(
        float(session.model.score(z[None], "formula")[0, 0]), abs=1e-3
    )
    for latent, value in zip(latents, to, strict=True):
        slider = explorer.sliders.latents[latent].slider
        assert slider.value() == pytest.approx(value * 100, abs=1)
    np.testing.assert_array_equal(explorer.cell.edited, z)
    widget.reset.click()
    qtbot.waitUntil(lambda: not widget.reset.isEnabled())
    np.testing.assert_array_equal(session.edited, session.encoding.latents[ROW])
    assert not explorer.cell.is_edited


def test_sliders_of_the_explorer_move_the_dot(dock: Scene, qtbot: Any) -> None:
    widget = dock.widget
    explorer = ExplorerWidget(dock.viewer)
    put_up(dock.viewer, explorer, "Latent explorer", qtbot)
    qtbot.waitUntil(lambda: explorer.cell is not None)
    latent = widget.view.part.inputs[widget.view.axes[0]].latents[0]
    explorer.sliders.latents[latent].slider.setValue(37)
    qtbot.waitUntil(lambda: abs(widget.plot.dot[0] - 0.37) < 1e-6)
    assert explorer.sliders.latents[latent].slider.value() == 37
    assert widget.plot._own is not None, "a ring marks where it was"
    explorer.sliders.latents[latent].slider.setValue(700)
    qtbot.waitUntil(lambda: "beyond the axes" in widget.whose.text())


def test_many_moves_are_drawn_once(
    dock: Scene, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget, calls = dock.widget, []
    show = widget.pictures.show_cell
    monkeypatch.setattr(widget.pictures, "show_cell", lambda *z: calls.append(1) or show(*z))
    qtbot.wait(100)  # the dock finds its size, with which arrows are drawn
    calls.clear()
    drawn, computed = widget.plot.drawn, widget.view.n_responses
    places = [np.quantile(line, [0.2, 0.8]) for line in widget.view.ground.points]
    for k in range(40):
        widget.plot.dragged.emit(np.array([low + k / 40 * (high - low) for low, high in places]))
    qtbot.waitUntil(lambda: bool(calls))
    qtbot.wait(50)
    assert len(calls) == 1
    assert widget.plot.drawn == drawn, "the map is that of the other inputs"
    assert widget.view.n_responses == computed


def test_a_click_on_another_cell_goes_to_it(dock: Scene) -> None:
    widget, session = dock.widget, dock.session
    widget.plot.clicked.emit(6)
    assert session.selected == 6
    assert frame_shown(dock.viewer, session) == session.encoding.cells.t[6] == 2
    assert widget.whose.text().startswith("Cell 2, frame 2")
    np.testing.assert_allclose(
        widget.plot.dot, widget.view.place(session.encoding.latents[6])[0], rtol=1e-6
    )


def test_what_is_under_the_pointer_is_decoded(dock: Scene, qtbot: Any) -> None:
    widget, session = dock.widget, dock.session
    middle = np.array([float(np.median(line)) for line in widget.view.ground.points])
    widget.plot.pointed.emit(middle)
    z = widget.view.moved(session.edited, middle)
    qtbot.waitUntil(lambda: score(widget, z) in widget.pictures.told[1].text())
    wanted = grey_picture(session.model.decode(z[None])[0, 0], widget.pictures._limits)
    assert widget.pictures.pictures[1].picture == wanted
    assert not session.is_edited, "pointing edits nothing"
    widget.plot.pointed.emit(None)
    qtbot.waitUntil(lambda: widget.pictures.pictures[1].picture is None)


def test_a_term_and_other_inputs_can_be_chosen(dock: Scene) -> None:
    widget = dock.widget
    widget.choice.list.setCurrentRow(0)
    assert widget.view.part.name == "term 1"
    assert not widget.view.is_map
    assert not widget.choice.axes.isVisible()
    assert "The cells are below the curve" in widget.legend.text()
    widget.choice.list.setCurrentRow(3)
    assert "is a constant" in widget.status.text()
    assert widget.view.part.name == "term 1"
    widget.choice.list.setCurrentRow(4)
    widget.choice.axes_chosen.emit((2, 0))
    assert widget.view.labels == ("z11 (both axes: prior SD)", "z2 granularity_coarse")
    own = dock.session.encoding.latents[ROW]
    np.testing.assert_allclose(widget.plot.dot, own[[11, 2]], rtol=1e-6)


def test_what_was_tested_is_said_of_the_part_that_is_drawn(dock: Scene, qtbot: Any) -> None:
    widget = dock.widget
    qtbot.waitUntil(lambda: len(widget.found) == 5)
    told = [label.text() for label in widget.findings.lines]
    assert any(text.startswith("<b>Monotone in z7: holds</b> (1.00)") for text in told)
    widget.choice.list.setCurrentRow(2)
    told = [label.text() for label in widget.findings.lines]
    assert any("Monotone in z11" in text for text in told)
    assert not widget.test.isVisible()


def test_tests_can_be_cancelled_and_taken_up(
    make_dock: MakeDock, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr(module, "find_in_turn", lambda *given: started.append(given))
        widget = make_dock("formula").widget
        widget.tests.stop()
        widget.found.clear()
        widget._show_running()
        assert widget.test.isVisible()
        assert widget.findings.lines[0].text() == module.NOT_TESTED
        assert widget.plot.has_data(), "plots need no tests"
        assert started[0][0][0] is widget.view.part, "that which is drawn comes first"
    widget.test.click()
    assert widget.cancel.isVisible()
    widget.cancel.click()
    qtbot.waitUntil(lambda: not widget.tests.running)
    widget.run_tests()
    qtbot.waitUntil(lambda: len(widget.found) == 5)


def test_a_neuron_that_is_clicked_shows_its_sub_network(make_dock: MakeDock, qtbot: Any) -> None:
    scene = make_dock("sparse")
    widget = scene.widget
    assert widget.graph.isVisible()
    one = widget.anatomy.cut.sub_networks[1]
    widget.graph.picked.emit(one.place)
    assert widget.view.part is one.part
    assert widget.graph.chosen == one.place
    assert widget.choice.list.currentRow() == 1
    trunk = widget.anatomy.cut.trunk[0]
    widget.graph.picked.emit(trunk)
    assert widget.view.part.name == widget.anatomy.graph.label(trunk)
    assert widget.choice.list.currentRow() == -1
    qtbot.waitUntil(lambda: widget.view.part.name in widget.found)
    widget.choice.list.setCurrentRow(3)
    assert "cannot be dragged here" in widget.legend.text()
    scene.session.select(ROW)
    widget.plot.pointed.emit(np.zeros(2))
    qtbot.wait(30)
    assert widget.pictures.pictures[1].picture is None


def test_another_head_is_taken_apart_and_a_dense_one_says_why_not(dock: Scene) -> None:
    widget, session = dock.widget, dock.session
    at = widget.head.findData("dense")
    widget.head.setCurrentIndex(at)
    widget.head.activated.emit(at)
    assert session.head_name == "dense"
    assert "'dense' has no sparse form" in widget.about.text()
    assert not widget.apart.isVisible()
    assert widget.rule.bars.bars, "what weighs most"
    assert not widget.save.isEnabled()
    assert widget.report.isEnabled()
    session.set_model(session.model, "sparse")
    assert widget.head.currentData() == "sparse"
    assert widget.apart.isVisible()
    assert widget.graph.has_data()


def test_without_cells_axes_come_from_the_stored_density(make_dock: MakeDock) -> None:
    scene = make_dock("formula", finished=False)
    widget = scene.widget
    assert "No cells yet" in widget.about.text()
    assert "There is no dot" in widget.whose.text()
    assert widget.plot.has_data()
    assert widget.plot.dot is None
    assert widget.pictures.pictures[0].picture is not None
    widget.plot.dragged.emit(np.zeros(2))
    widget.plot.clicked.emit(0)
    scene.finish()
    scene.session.set_model(scene.session.model, "formula")
    assert widget.about.text() == "Looked at with 7 cells."
    assert widget.whose.text() == MIDDLE
    scene.session.select(0)
    assert widget.plot.dot is not None


def test_a_formula_over_one_latent_is_a_curve(dock: Scene) -> None:
    with_head(dock, ["z2 - 0.1"], ("A", "B"))
    widget = dock.widget
    assert not widget.view.is_map
    assert widget.view.part.name == "score of B"
    widget.plot.dragged.emit(np.array([0.25]))
    assert dock.session.edited[2] == np.float32(0.25)


def test_a_constant_formula_and_a_class_without_cells_are_told(dock: Scene) -> None:
    with_head(dock, ["z2", "z7", "z11 - 9"], ("A", "B", "C"))
    assert [one.name for one in dock.widget.anatomy.wholes] == [
        "lead of A", "lead of B", "lead of C",
    ]  # fmt: skip
    assert "No present cell is called" in dock.widget.legend.text()
    assert "C" in dock.widget.legend.text().rsplit("called", 1)[1]
    with_head(dock, ["0.5"], ("A", "B"))
    assert "is a constant: it reads no latent" in dock.widget.about.text()
    assert not dock.widget.apart.isVisible()


@IN_WINDOW
def test_nothing_is_drawn_while_hidden(make_dock: MakeDock, in_window: bool, qtbot: Any) -> None:
    scene = make_dock("formula", in_window)
    widget, session = scene.widget, scene.session
    session.select(ROW)
    qtbot.waitUntil(lambda: widget.plot.painted > 0)
    widget.parent().hide()
    before = widget.plot.drawn, widget.plot.painted, widget.view.n_responses
    view = widget.view
    session.select(0)
    z = session.edited.copy()
    z[7] += 0.5
    session.edit(z)
    session.set_model(session.model, "formula-plain")
    qtbot.wait(50)
    assert widget.view is view
    assert (widget.plot.drawn, widget.plot.painted, view.n_responses) == before
    assert not widget.tests.running
    widget.parent().show()
    qtbot.waitUntil(lambda: widget.anatomy is not None and widget.anatomy.head == "formula-plain")
    qtbot.waitUntil(lambda: widget.plot.painted > before[1])
    np.testing.assert_allclose(widget.plot.dot, widget.view.place(z)[0], rtol=1e-6)
    qtbot.waitUntil(lambda: not widget.tests.running)


@IN_WINDOW
def test_it_fits_a_laptop(make_dock: MakeDock, in_window: bool) -> None:
    widget = make_dock("sparse", in_window).widget
    assert max(widget.minimumHeight(), widget.minimumSizeHint().height()) <= 400
    assert widget.minimumSizeHint().width() < 460


def test_the_plot_is_saved_as_the_file_says(
    dock: Scene, tmp_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget = dock.widget
    answers = iter([(str(tmp_path / "mine"), "CSV (*.csv)"), ("", "")])
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: next(answers))
    widget.save.click()
    qtbot.waitUntil(lambda: widget.status.text().startswith("Written:"))
    assert (tmp_path / "mine.csv").exists()
    widget.save.click()
    widget.save_plot_to(tmp_path / "mine.bmp")
    assert widget.status.is_fault
    assert "let it end with .png, .svg, .csv" in widget.status.text()
    assert sorted(tmp_path.iterdir()) == [tmp_path / "mine.csv"]


def test_the_graph_is_saved(make_dock: MakeDock, tmp_path: Path, qtbot: Any) -> None:
    widget = make_dock("sparse").widget
    assert widget.save_net.isVisible()
    widget.save_graph_to(tmp_path / "graph.csv")
    qtbot.waitUntil(lambda: widget.status.text().startswith("Written:"))
    assert (tmp_path / "graph.csv").exists()


def test_a_report_is_written_on_a_thread(
    dock: Scene, tmp_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget, runs = dock.widget, []

    def write(path: Path, run: Any, progress: Any) -> Path:
        progress(1, 2)
        runs.append(run)
        return path

    monkeypatch.setattr(module, "write_head_report", write)
    widget.report_to(tmp_path / "report.html")
    qtbot.waitUntil(lambda: "was written" in widget.status.text())
    assert runs[0].head == "formula"
    assert len(runs[0].rows) == 7
    widget.report_to(tmp_path / "report.pdf")
    assert "let its name end with .html" in widget.status.text()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "named"), ""))
    widget.report.click()
    qtbot.waitUntil(lambda: "named.html" in widget.status.text())


def test_another_head_does_not_hide_that_a_report_is_being_written(
    dock: Scene, tmp_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget, go_on = dock.widget, threading.Event()

    def write(path: Path, _run: Any, _progress: Any) -> Path:
        go_on.wait(20)
        return path

    monkeypatch.setattr(module, "write_head_report", write)
    widget.report_to(tmp_path / "report.html")
    try:
        widget.head.setCurrentIndex(widget.head.findData("sparse"))
        widget.head.activated.emit(widget.head.currentIndex())
        assert "Writing the report" in widget.status.text()
    finally:
        go_on.set()
    qtbot.waitUntil(lambda: "was written" in widget.status.text())


@IN_WINDOW
def test_a_report_is_written_to_its_end_when_the_dock_is_closed(
    make_dock: MakeDock,
    in_window: bool,
    tmp_path: Path,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene, go_on, told = make_dock("formula", in_window), threading.Event(), []

    def write(path: Path, _run: Any, progress: Any) -> Path:
        go_on.wait(20)
        progress(1, 2)
        return path

    monkeypatch.setattr(module, "write_head_report", write)
    monkeypatch.setattr(module, "show_info", told.append)
    widget = scene.widget
    widget.report_to(tmp_path / "report.html")
    scene.viewer.window.remove_dock_widget(widget)
    go_on.set()
    qtbot.waitUntil(lambda: bool(told))
    assert told == [f"The report was written to {tmp_path / 'report.html'}."]
    qtbot.addWidget(widget)


def test_every_control_says_what_it_does(make_dock: MakeDock) -> None:
    widget = make_dock("sparse").widget
    kinds = (QAbstractButton, QComboBox, QListWidget, QLabel)
    parts = [part for kind in kinds for part in widget.findChildren(kind)]
    shown = [one for one in parts if one.isVisible() and getattr(one, "text", lambda: "")()]
    assert [one for one in shown if not one.toolTip() and not one.parent().toolTip()] == []
