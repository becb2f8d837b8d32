"""The settings of a training, and the engine that it is done with."""

from __future__ import annotations

from typing import Any

import pytest

from napari_interpdisc.widgets.discover.train_panel import TrainPanel


def test_the_engine_is_never_swapped_silently(monkeypatch: pytest.MonkeyPatch, qtbot: Any) -> None:
    from napari_interpdisc.widgets.discover import train_panel

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
