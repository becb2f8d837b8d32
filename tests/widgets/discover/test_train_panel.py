"""The settings of a training, and the engine that it is done with."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import Qt

from napari_interpdisc.discovery.effort import effort_of
from napari_interpdisc.discovery.stages import StageBegan
from napari_interpdisc.widgets.discover import train_panel
from napari_interpdisc.widgets.discover.train_panel import TrainPanel


def test_the_engine_is_never_swapped_silently(monkeypatch: pytest.MonkeyPatch, qtbot: Any) -> None:
    reason = "PySR needs Julia, which was not found; install Julia or choose 'operon'."
    monkeypatch.setattr(train_panel, "engine_faults", lambda: {"pysr": reason, "operon": None})
    panel = TrainPanel()
    qtbot.addWidget(panel)
    assert panel.engine.currentText() == "Operon"
    assert panel.engine_note.text() == "PySR needs Julia, which was not found; Operon is used."
    panel.engine.setCurrentIndex(0)
    assert panel.engine_note.text() == reason
    panel.kinds["formula"].setChecked(False)
    assert not panel.engine.isEnabled()
    monkeypatch.setattr(train_panel, "engine_faults", lambda: {"pysr": None, "operon": None})
    other = TrainPanel()
    qtbot.addWidget(other)
    assert other.engine.currentText() == "PySR"
    assert not other.engine_note.text()


def test_quick_is_the_default_and_the_visible_settings_follow_the_effort(qtbot: Any) -> None:
    panel = TrainPanel()
    qtbot.addWidget(panel)
    assert effort_of(panel.settings()) == "quick"
    assert (panel.augmented.value(), panel.curve.isChecked()) == (8, False)
    panel.effort.setCurrentIndex(panel.effort.findData("thorough"))
    assert effort_of(panel.settings()) == "thorough"
    assert (panel.augmented.value(), panel.curve.isChecked()) == (24, True)
    panel.augmented.setValue(6)
    assert effort_of(panel.settings()) == "own settings"
    assert panel.settings().augmented == 6


def test_a_stage_has_its_name_bar_and_remaining_time(
    monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    now = [100.0]
    monkeypatch.setattr(train_panel, "monotonic", lambda: now[0])
    panel = TrainPanel()
    qtbot.addWidget(panel)
    panel.show_running(True)
    panel.show_progress(1, 4)  # nothing is known of stages yet
    assert panel.progress.value() == 1
    panel.show_stage(StageBegan("sparse", 600, 1200, 6), ("cells", "dense", "sparse"))
    assert panel.stage.text() == "Stage 3 of 3: Sparse heads"
    now[0] = 110.0
    panel.show_progress(650, 1200)
    assert panel.stage.text() == "Stage 3 of 3: Sparse heads"
    panel.show_progress(750, 1200)
    assert panel.stage.text() == "Stage 3 of 3: Sparse heads, about 30 s left"
    assert panel.progress.value() / panel.progress.maximum() == 0.25
    panel.show_running(False)
    assert not panel.stage.text()


def test_what_is_lacking_has_its_line_and_the_settings_that_decide_it_are_told(qtbot: Any) -> None:
    panel = TrainPanel()
    qtbot.addWidget(panel)
    told: list[bool] = []
    panel.changed.connect(lambda: told.append(True))
    panel.folds.setValue(3)
    panel.kinds["dense"].setChecked(False)
    panel.seed.setValue(4)
    assert len(told) == 2
    panel.show_lacking("Label more.")
    assert not panel.lacking.isHidden()
    assert panel.lacking.textFormat() == Qt.TextFormat.PlainText, "a class may be called <b>"
    panel.show_lacking("")
    assert panel.lacking.isHidden()
