import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt

from napari_interpdisc.cells import CellTable
from napari_interpdisc.checks import Check
from napari_interpdisc.models.store import BUNDLED, replace_heads
from napari_interpdisc.widgets.canvas.overlay import STRIPE_COLOR, find_overlay
from napari_interpdisc.widgets.classify.widget import NO_CELLS, NO_STATES, ClassifyWidget
from napari_interpdisc.widgets.gallery.tiles import Filter
from napari_interpdisc.widgets.session import Session

from ..conftest import IN_WINDOW
from .conftest import counts


def test_without_cells_it_says_what_to_do(widget: ClassifyWidget) -> None:
    assert widget.status.text() == NO_CELLS
    assert not widget.export.isEnabled()
    assert widget.model.currentText() == "h2b"
    assert widget.head.count() >= 1
    assert set(counts(widget)) == {("–", "–")}


def test_flagged_cells_are_hatched_unless_told_otherwise(
    viewer: Any, widget: ClassifyWidget, session: Session
) -> None:
    widget.overlay.click()
    overlay = find_overlay(viewer)
    assert overlay is not None

    def said(t: int) -> set[tuple[str, str]]:
        values = np.unique(np.asarray(overlay.data[t]))
        table = overlay.features.iloc[values[values > 0]]
        return set(zip(table["class"], table["flag"].fillna(""), strict=True))

    def is_striped(t: int) -> bool:
        values = np.unique(np.asarray(overlay.data[t]))
        return any(np.array_equal(overlay.get_color(int(v)), STRIPE_COLOR) for v in values)

    plain = {("Interphase", ""), ("Metaphase", "")}
    assert said(0) == {("Interphase", "")}
    assert not is_striped(0)
    strange = {("Metaphase", ""), ("Metaphase", "unlike the training data")}
    assert said(1) == strange
    assert is_striped(1)
    assert {flag for _, flag in said(2)} == {"cut by the edge"}
    widget.mark.click()
    assert (said(1), said(2)) == ({("Metaphase", "")}, plain)
    assert not is_striped(1)
    widget.mark.click()
    assert said(1) == strange
    session.set_threshold(0.999)
    assert said(1) == {("unsure", ""), ("unsure", "unlike the training data")}


def test_flagged_cells_are_told(viewer: Any, widget: ClassifyWidget, session: Session) -> None:
    assert widget.flagged.text() == (
        "Of all cells: 17 % unlike the training data; 33 % cut by the edge."
    )
    session.select(3)
    viewer.dims.set_current_step(0, 1)
    assert widget.plot.series is not None
    assert widget.plot.series.note == "unlike the training data"
    viewer.dims.set_current_step(0, 0)
    assert widget.plot.series.note == ""


def test_a_click_in_the_track_plot_moves_time(
    viewer: Any, widget: ClassifyWidget, session: Session
) -> None:
    session.select(3)
    widget.plot.clicked.emit(0)
    assert viewer.dims.current_step[0] == 0
    assert session.selected == 3  # the selection stays
    widget.plot.clicked.emit(1)
    assert viewer.dims.current_step[0] == 1


def test_a_movie_unlike_the_training_data_is_told(widget: ClassifyWidget, session: Session) -> None:
    assert session.classification is not None
    few = session.classification.encoding
    n = 40
    latents = np.zeros((n, few.latents.shape[1]), np.float32)
    latents[:10, 0] = 9
    encoding = replace(
        few,
        cells=CellTable.from_arrays([0] * n, [[20, 20 + i] for i in range(n)]),
        latents=latents,
        reconstruction_error=np.zeros(n, np.float32),
        touches_edge=np.zeros(n, bool),
        checks=(Check("blur", -6.0, -4.5, np.inf, "Crops are blurred."),),
    )
    scores = np.zeros((n, 1), np.float32)
    session.set_classification(replace(session.classification, encoding=encoding, scores=scores))
    told = widget.warned.text()
    assert told.startswith("⚠ Crops are blurred.\n⚠ 25 % of the cells look unlike")
    assert widget.flagged.text() == "Of all cells: 25 % unlike the training data."
    assert "20 px was used" in widget.warned.text()


def test_the_threshold_greys_out_the_unsure(
    viewer: Any, widget: ClassifyWidget, session: Session, qtbot: Any
) -> None:
    widget.overlay.click()
    overlay = find_overlay(viewer)
    assert overlay is not None
    assert overlay.data[0, 40, 60] == 1
    for value in np.linspace(0.5, 0.7, 20):
        widget.threshold.setValue(float(value))
    qtbot.waitUntil(lambda: session.threshold == pytest.approx(0.7))
    assert np.asarray(overlay.data[0])[40, 60] == 3
    assert np.asarray(overlay.data[0])[20, 20] == 1
    assert counts(widget)[2] == ("1", "1")


def test_the_slider_says_the_threshold_that_holds_for_heads_of_more_classes(
    widget: ClassifyWidget, session: Session, qtbot: Any
) -> None:
    session.set_model(session.model, "dense")
    assert widget.threshold.value() == 0.5
    session.set_model(session.model, "mitosis")
    assert widget.threshold.value() == 0.2  # of five classes, the highest has more than that
    session.set_model(session.model, "dense")
    assert widget.threshold.value() == 0.5
    session.set_model(session.model, "mitosis")
    assert widget.threshold.value() == 0.2
    assert session.threshold == 0  # nobody moved it
    widget.threshold.setValue(0.6)
    qtbot.waitUntil(lambda: session.threshold == pytest.approx(0.6))
    session.set_model(session.model, "dense")
    session.set_model(session.model, "mitosis")
    assert widget.threshold.value() == pytest.approx(0.6)


def test_the_box_shows_and_hides_the_overlay(
    viewer: Any, widget: ClassifyWidget, session: Session
) -> None:
    assert not widget.overlay.isChecked()
    widget.overlay.click()
    overlay = find_overlay(viewer)
    assert overlay is not None
    assert overlay.visible
    overlay.visible = False
    assert not widget.overlay.isChecked()
    widget.overlay.click()
    assert overlay.visible
    viewer.layers.remove(overlay)
    assert not widget.overlay.isChecked()


def test_a_hidden_plot_is_not_drawn(
    viewer: Any, widget: ClassifyWidget, session: Session, qtbot: Any
) -> None:
    widget.resize(400, 1200)  # in a low window it is further down
    session.select(2)
    qtbot.waitUntil(lambda: widget.plot.painted > 0)
    widget.hide()
    painted = widget.plot.painted
    session.select(1)
    viewer.dims.set_current_step(0, 2)
    qtbot.wait(50)
    assert widget.plot.painted == painted
    widget.show()
    qtbot.waitUntil(lambda: widget.plot.painted > painted)
    assert widget.plot.series is not None
    assert widget.plot.series.title.startswith("Cell 2, frame 2")


def test_a_bad_model_folder_keeps_the_model(
    widget: ClassifyWidget, session: Session, tmp_path: Path
) -> None:
    model = session.model
    widget.load(tmp_path)
    assert widget.status.is_fault
    assert "is not a model folder: it has no config.json" in widget.status.text()
    for name in ("config.json", "card.md", "weights.safetensors"):
        data = (BUNDLED / "h2b" / name).read_bytes()
        (tmp_path / name).write_bytes(data if name != "weights.safetensors" else data[:1000])
    widget.load(tmp_path)
    assert "weights.safetensors is not the file that config.json describes" in widget.status.text()
    assert session.model is model
    assert session.classification is not None
    assert widget.model.currentText() == model.name


def test_choosing_a_head_rescores(widget: ClassifyWidget, session: Session) -> None:
    widget.head.activated.emit(0)
    assert session.classification is not None
    assert session.encoding is not None
    expected = session.model.score(session.encoding.latents)
    np.testing.assert_allclose(session.classification.scores, expected)


def test_export(widget: ClassifyWidget, session: Session, tmp_path: Path) -> None:
    widget.export_to(tmp_path / "cells.csv")
    table = pd.read_csv(tmp_path / "cells.csv")
    assert len(table) == 6
    assert {"t", "y", "x", "track_id", "class", "score", "z_0"} <= set(table)
    assert (tmp_path / "cells.json").is_file()
    widget.export_to(tmp_path / "none such" / "cells.csv")
    assert widget.status.is_fault


def test_every_control_has_a_tooltip(widget: ClassifyWidget) -> None:
    for control in (
        widget.model,
        widget.head,
        widget.threshold,
        widget.overlay,
        widget.plot,
        widget.export,
    ):
        assert control.toolTip()


@IN_WINDOW
def test_the_widget_goes_while_the_session_stays(
    viewer: Any, widget: ClassifyWidget, session: Session
) -> None:
    viewer.window.remove_dock_widget(widget)
    session.set_threshold(0.9)
    viewer.dims.set_current_step(0, 2)
    viewer.add_image(np.ones((4, 4)))


def test_heads_tell_their_rule_and_the_chosen_one_is_shown(
    widget: ClassifyWidget, session: Session
) -> None:
    tips = {
        widget.head.itemText(i): widget.head.itemData(i, Qt.ItemDataRole.ToolTipRole)
        for i in range(widget.head.count())
    }
    assert "Metaphase: 0.255*granularity_coarse_z2 + z7 - z11**2 - 0.112 ≥ 0" in tips["formula"]
    assert "there is no rule to read" in tips["dense"]
    assert "a sparse network of 19 weights" in tips["sparse"]
    assert "no rule" in widget.rule.about.text()
    session.select(2)
    widget.head.setCurrentText("formula")
    widget.head.activated.emit(widget.head.currentIndex())
    assert widget.rule.isVisible()
    assert widget.rule.rule.name == "formula"
    assert widget.rule.bars.total.value == pytest.approx(
        float(session.classification.scores[2, 0]), abs=1e-3
    )


def test_confidence_says_what_it_is_worth(widget: ClassifyWidget, session: Session) -> None:
    told = session.model.head("dense").calibration_told
    assert widget.confidence.text() == f"Confidences are {told}."
    assert "calibrated on held-out plates, ECE 0.0" in told


def test_cells_are_coloured_by_the_disagreement_of_heads_of_the_same_question(
    viewer: Any, widget: ClassifyWidget, session: Session, qtbot: Any
) -> None:
    widget.overlay.click()
    overlay = find_overlay(viewer)
    assert overlay is not None
    assert session.compared is None
    session.set_delta(0.04)
    place = widget.colour_by.findData("disagreement")
    widget.colour_by.setCurrentIndex(place)
    widget.colour_by.activated.emit(place)
    qtbot.waitUntil(lambda: session.compared is not None)
    names = [m.name for m in session.as_good.members]
    assert names[0] == "dense"
    assert {"dense", "sparse", "formula"} <= set(names)
    assert not {"dense-strict", "states"} & set(names)
    assert [widget.rashomon.table.item(i, 0).text() for i in range(2)] == names[:2]
    assert "disagreement" in overlay.features
    assert not widget.threshold.isEnabled()
    session.set_delta(0)
    assert "Only 'dense' is within 0 of the best" in widget.status.text()
    session.set_delta(0.04)
    session.set_model(session.model, "formula-strict")
    qtbot.waitUntil(lambda: session.compared is not None)
    assert {m.name for m in session.compared.members} == {
        *("dense-strict", "sparse-strict", "formula-strict")
    }
    widget.colour_by.setCurrentIndex(0)
    widget.colour_by.activated.emit(0)
    assert "class" in overlay.features
    assert widget.threshold.isEnabled()


def test_cells_are_coloured_by_their_state_once_it_is_known(
    widget: ClassifyWidget, session: Session
) -> None:
    widget.colour_by.activated.emit(widget.colour_by.findData("state"))
    assert widget.status.text() == NO_STATES
    assert widget.legend.title() == "Classes", "which are what is shown as long as there are none"
    session.set_states(np.array([1, 1, 1, 1, 1, 0]))
    assert widget.status.text() == ""
    assert widget.legend.title() == "States along tracks"
    assert widget.legend.names == ("Interphase", "Metaphase")
    assert counts(widget)[:2] == [("0", "1"), ("2", "5")]
    assert not widget.threshold.isEnabled()
    widget.legend.asked.emit(0)
    assert session.listed == Filter("listed", "", (5,), "state Interphase")
    session.set_classification(session.classification)
    assert widget.status.text() == NO_STATES, "states of other classes are no longer shown"
    assert widget.legend.title() == "Classes"


def test_a_model_without_evidence_is_coloured_by_class(
    viewer: Any, widget: ClassifyWidget, session: Session, qtbot: Any
) -> None:
    model = session.model
    bare = replace(model.head("dense"), evidence=None)
    session.set_model(replace_heads(model, "bare", {"dense": bare}, ""))
    assert "not known to be calibrated" in widget.confidence.text()
    widget.colour_by.activated.emit(widget.colour_by.findData("disagreement"))
    qtbot.waitUntil(lambda: widget.status.is_fault)
    assert "'bare' does not say how head 'dense' did" in widget.status.text()
    assert widget.rashomon.told.text() == widget.status.text()
    assert session.colouring == "class"
    assert widget.colour_by.currentData() == "class"


def test_the_exported_table_has_the_disagreement(
    widget: ClassifyWidget, session: Session, qtbot: Any, tmp_path: Path
) -> None:
    widget._heads_part.expand(animate=False)
    qtbot.waitUntil(lambda: session.compared is not None)
    widget.rashomon.delta.setValue(0.03)
    widget.export_to(tmp_path / "cells.csv")
    table = pd.read_csv(tmp_path / "cells.csv")
    np.testing.assert_allclose(table["disagreement"], session.disagreement)
    note = json.loads((tmp_path / "cells.json").read_text("utf-8"))
    assert note["disagreement"]["delta"] == 0.03
