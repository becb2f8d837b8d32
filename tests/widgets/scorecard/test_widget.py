"""The Scorecard widget: what it finds is what the library finds, and nothing of it is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QApplication, QWidget

from napari_interpdisc.models.cell_model import NamedHead
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.store import replace_heads
from napari_interpdisc.patches import patches_of_cells
from napari_interpdisc.scrutiny.composites import segment_cells
from napari_interpdisc.scrutiny.scorecard import score_head
from napari_interpdisc.widgets.canvas.compat import camera_of
from napari_interpdisc.widgets.canvas.picking import frame_shown
from napari_interpdisc.widgets.scorecard import widget as scorecard_widget
from napari_interpdisc.widgets.scorecard.run import NO_CELLS, ScorecardResult, key_of
from napari_interpdisc.widgets.scorecard.table import FIRST_HEAD, NAME
from napari_interpdisc.widgets.scorecard.widget import ScorecardWidget, sentences_of, summary_of

from ..conftest import DIAMETER, IN_WINDOW, PATIENCE, put_up
from .conftest import HEADS, QUICK, masks

Scene = SimpleNamespace
Run = Callable[[ScorecardWidget], None]
World = Callable[[Any, Any], np.ndarray]


def tick(widget: ScorecardWidget, *names: str) -> None:
    """Tick these heads and no others."""
    for name in widget.session.model.heads:
        widget.choice.tick(name, name in names)


@pytest.fixture
def shown(scene: Scene, found: ScorecardResult, run: Run, monkeypatch: Any) -> Scene:
    """The scene, and what was found of two heads, as a run of the scene's own cells found it."""

    def at_once(run: Any, progress: Any) -> ScorecardResult:
        return replace(found, run=replace(run, heads=HEADS))

    monkeypatch.setattr(scorecard_widget, "carry_out", at_once)
    run(scene.widget)
    monkeypatch.undo()
    return scene


def test_a_run_shows_what_the_library_finds(scene: Scene, run: Run) -> None:
    widget, session = scene.widget, scene.session
    tick(widget, *HEADS)
    run(widget)
    model, cells = session.model, session.encoding.cells
    patches = patches_of_cells(scene.frames, cells, DIAMETER, model.model_diameter)
    segmentation = segment_cells(patches, None, model.model_diameter)
    table = widget.table
    assert [table.horizontalHeaderItem(FIRST_HEAD + k).text() for k in (0, 1)] == list(HEADS)
    names = [table.item(i, NAME).text() for i in range(table.rowCount())]
    for k, head in enumerate(HEADS):
        direct = score_head(segmentation, cells.track_id, model, head, QUICK)
        # two heads at once are encoded in other batches than one alone, which round otherwise
        pd.testing.assert_frame_equal(
            widget.result.cards[k].to_frame(), direct.to_frame(), atol=1e-4
        )
        for row in direct.rows:
            text = table.item(names.index(row.name), FIRST_HEAD + k).text()
            assert text.split()[-2:] == [f"{100 * row.changed:.1f}", "%"]
        for sentence in direct.sentences():
            assert sentence in widget.sentences.toPlainText()
    assert f"{len(cells)} cells of 3 tracks were tested; none left out." in widget.summary.text()
    assert widget.save_button.isEnabled()
    assert not widget.status.is_fault
    assert not widget.options.isExpanded(), "the results have the room"
    assert widget.worst.buttons, "the worst test is picked"


def test_a_segmentation_of_the_user(scene: Scene, run: Run) -> None:
    planes = masks()
    planes[planes == 2] = 0
    widget = scene.widget
    widget.choice.labels.value = scene.viewer.add_labels(planes, name="masks")
    run(widget)
    assert widget.result.cards[0].left_out == 2
    assert widget.result.run.about["segmentation"] == "masks"


def test_a_picture_leads_to_its_cell(shown: Scene, to_world: World, qtbot: Any) -> None:
    widget, session, viewer = shown.widget, shown.session, shown.viewer
    card = widget.result.cards[1]
    names = [widget.table.item(i, NAME).text() for i in range(widget.table.rowCount())]
    row = card.rows[2]
    widget.table.setCurrentCell(names.index(row.name), FIRST_HEAD + 1)
    cells = widget.result.worst[key_of(card, row)]
    t_of = session.encoding.cells.t
    place = next(i for i, cell in enumerate(cells) if t_of[cell.row] == 2)
    assert frame_shown(viewer, session) == 0
    qtbot.mouseClick(widget.worst.buttons[place], Qt.MouseButton.LeftButton)
    chosen = cells[place].row
    assert session.selected == chosen
    assert frame_shown(viewer, session) == 2
    world = to_world(2, session.encoding.cells.yx[chosen])
    np.testing.assert_allclose(camera_of(viewer).center[-2:], world[1:])
    checked = [button.isChecked() for button in widget.worst.buttons]
    assert checked == [cell.row == chosen for cell in cells]
    session.select(None)
    assert not any(button.isChecked() for button in widget.worst.buttons)


def test_tab_goes_from_the_table_to_the_pictures(shown: Scene) -> None:
    widget = shown.widget
    after, reached = widget.table, []
    while len(reached) < len(widget.worst.buttons):
        after = after.nextInFocusChain()
        if after.focusPolicy() & Qt.FocusPolicy.TabFocus and not widget.table.isAncestorOf(after):
            reached.append(after)
    assert reached == widget.worst.buttons


def test_bad_input_is_one_sentence_and_starts_no_work(
    make_scene: Callable[..., Scene], qtbot: Any
) -> None:
    scene = make_scene(finished=False, window=False)
    widget = ScorecardWidget(scene.viewer)
    put_up(scene.viewer, widget, "Scorecard", qtbot)
    assert widget.status.text() == NO_CELLS

    def fault() -> str:
        widget.run_button.click()
        assert widget.status.is_fault
        assert not widget.work.running
        assert widget.result is None
        return str(widget.status.text())

    assert fault() == NO_CELLS
    scene.finish()
    tick(widget)
    assert fault() == "Choose at least one head to test."
    tick(widget, "dense")
    widget.choice.labels.value = scene.viewer.add_labels(masks()[:2], name="short")
    assert "'short' has shape" in fault()
    widget.choice.labels.reset_choices()
    encoding = scene.session.encoding
    scene.session.encoding = replace(
        encoding,
        cells=encoding.cells.take([0]),
        latents=encoding.latents[:1],
        no_pixels=np.array([""]),
    )
    widget.choice.labels.value = None
    assert "two cells at least" in fault()
    assert not widget.results.isVisible()


def test_no_reliable_mask_keeps_the_results_of_before(shown: Scene, run: Run) -> None:
    widget, before = shown.widget, shown.widget.result
    empty = shown.viewer.add_labels(np.zeros((3, 120, 130), int), name="empty")
    widget.choice.labels.value = empty
    run(widget)
    assert widget.status.is_fault
    assert "None of 7 cells has a reliable mask" in widget.status.text()
    assert widget.result is before
    assert widget.table.rowCount()
    assert widget.save_button.isEnabled()


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Work that only ends when it is cancelled."""
    started = threading.Event()

    def carry_out(run: Any, report: Callable[[int, int], None]) -> None:
        while True:
            report(1, 10)
            started.set()
            time.sleep(0.01)

    monkeypatch.setattr(scorecard_widget, "carry_out", carry_out)
    return started


def test_cancel_leaves_the_results_of_before(
    shown: Scene, endless: threading.Event, qtbot: Any
) -> None:
    widget, before = shown.widget, shown.widget.result
    widget.run_button.click()
    assert endless.wait(PATIENCE)
    assert not widget.run_button.isEnabled()
    assert not widget.save_button.isEnabled()
    qtbot.waitUntil(lambda: widget.progress.maximum() == 10)
    widget.cancel_button.click()
    qtbot.waitUntil(lambda: not widget.work.running)
    assert widget.status.text() == "Cancelled; nothing was changed."
    assert widget.result is before
    assert widget.table.rowCount()
    assert widget.save_button.isEnabled()


def test_a_real_run_can_be_cancelled(scene: Scene, qtbot: Any) -> None:
    widget = scene.widget
    tick(widget, *scene.session.model.heads)
    widget.run_button.click()
    widget.cancel_button.click()
    qtbot.waitUntil(lambda: not widget.work.running)
    assert widget.status.text() == "Cancelled; nothing was changed."
    assert widget.result is None


def test_results_of_other_cells_stay_and_say_so(shown: Scene) -> None:
    widget = shown.widget
    assert widget.stale.isHidden() or not widget.stale.is_fault
    shown.finish()
    assert "earlier cells" in widget.stale.text()
    assert widget.stale.is_fault
    assert widget.table.rowCount()
    assert not any(button.isEnabled() for button in widget.worst.buttons)
    shown.viewer.layers.remove(shown.image)
    assert "cells that are gone" in widget.stale.text()
    assert widget.status.text() == NO_CELLS
    assert widget.save_button.isEnabled(), "they can still be saved"


def test_results_of_another_model_or_head_say_so(shown: Scene, found: ScorecardResult) -> None:
    widget, session = shown.widget, shown.session
    model = session.model
    session.set_model(model, HEADS[1])
    assert widget.stale.isHidden()
    session.set_model(model, "dense")
    assert widget.stale.text() == "The present head 'dense' was not tested."
    assert not widget.stale.is_fault
    heads = {HEADS[0]: model.head(HEADS[0])}
    session.set_model(replace_heads(model, "mine", heads, "# mine"))
    assert "model 'h2b' as it was" in widget.stale.text()
    assert widget.stale.is_fault
    assert all(button.isEnabled() for button in widget.worst.buttons), "the cells are the same"
    session.set_model(model, HEADS[0])
    assert widget.stale.isHidden()


def test_new_cells_stop_a_run(shown: Scene, endless: threading.Event) -> None:
    widget, before = shown.widget, shown.widget.result
    widget.run_button.click()
    assert endless.wait(PATIENCE)
    shown.finish()
    assert not widget.work.running
    assert widget.status.text() == "The cells changed while this ran; run again."
    assert widget.result is before


def test_a_useless_head_is_called_so(scene: Scene, run: Run) -> None:
    session = scene.session
    head = NamedHead("constant", FormulaHead([parse_formula("z0 * 0 + 1")]), ("a", "b"))
    session.set_model(replace_heads(session.model, "mine", {"constant": head}, "# mine"))
    run(scene.widget)
    card = scene.widget.result.cards[0]
    assert card.remark
    assert card.remark in scene.widget.summary.text()
    assert "✓ constant" in scene.widget.summary.text()


def test_summary_and_sentences(found: ScorecardResult) -> None:
    lines = summary_of(found.cards)
    for card in found.cards:
        asked = [row for row in card.rows if row.passed is not None]
        passed = len(asked) - len(card.failed)
        text = f"{card.head}: {passed} of {len(asked)} tests of these cells passed."
        assert any(text in line for line in lines)
        own = sentences_of((card,))
        assert own in sentences_of(found.cards)
        places = [own.index(told) for told in card.sentences()]
        assert places == sorted(places)
    assert lines[-1] == "6 cells of 3 tracks were tested; none left out."


def test_save(shown: Scene, tmp_path: Path, qtbot: Any) -> None:
    widget = shown.widget
    widget.result = replace(widget.result, cards=widget.result.cards[:1])
    widget.save_to(tmp_path / "card")
    qtbot.waitUntil(lambda: not widget.work.running)
    assert str(tmp_path / "card") in widget.status.text()
    assert (tmp_path / "card" / "scorecard.png").is_file()
    table = pd.read_csv(tmp_path / "card" / "scorecard.csv")
    assert set(table["head"]) == {HEADS[0]}
    widget.save_to(tmp_path / "card")
    assert "is not empty" in widget.status.text()
    assert widget.status.is_fault
    assert not widget.work.running


def test_the_widget_is_low_enough_and_cuts_nothing_off(shown: Scene) -> None:
    widget = shown.widget
    assert widget.minimumHeight() <= 400
    assert widget.minimumSizeHint().height() <= 400
    widget.resize(widget.minimumSizeHint())
    page = widget.scroll.widget()
    assert page.width() <= widget.scroll.viewport().width()
    for part in (widget.table, widget.worst, widget.summary):
        assert part.mapTo(page, part.rect().bottomRight()).x() <= page.width()


@IN_WINDOW
@pytest.mark.parametrize("how", ["viewer", "dock", "image"])
def test_what_it_works_on_goes_mid_run(
    scene: Scene, endless: threading.Event, how: str, qtbot: Any
) -> None:
    scene.widget.run_button.click()
    assert endless.wait(PATIENCE)
    if how == "viewer":
        scene.viewer.close()
    elif how == "dock":
        scene.viewer.window.remove_dock_widget(scene.widget)
    else:
        scene.viewer.layers.remove(scene.image)
    qtbot.waitUntil(lambda: not [t for t in threading.enumerate() if "interpdisc" in t.name])


def test_every_control_says_what_it_does(scene: Scene) -> None:
    widget = scene.widget
    layout_parts = ("options", "results", "verdict", "choice")
    parts = [
        part
        for name, part in vars(widget).items()
        if isinstance(part, QWidget) and part is not widget.parent() and name not in layout_parts
    ]
    assert len(parts) >= 10
    assert [part for part in parts if not part.toolTip()] == []


def test_a_widget_that_qt_deleted_is_not_called(scene: Scene) -> None:
    widget = ScorecardWidget(scene.viewer)
    widget.deleteLater()
    QApplication.sendPostedEvents(widget, QEvent.Type.DeferredDelete)
    with pytest.raises(RuntimeError, match="deleted"):
        widget.isVisible()
    session, model = scene.session, scene.session.model
    session.select(1)
    session.set_model(model, HEADS[0])
    scene.viewer.add_labels(masks(), name="masks").name = "nuclei"
    scene.finish()
