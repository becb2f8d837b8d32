"""Connections end with the widget, whichever of its halves goes first."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from psygnal import Signal
from qtpy.QtWidgets import QApplication, QWidget

from napari_interpdisc.widgets.parts.links import connect_while_alive, when_destroyed


class Source:
    told = Signal(int)


class Listener(QWidget):  # type: ignore[misc]
    def __init__(self, source: Source, heard: list[int]) -> None:
        super().__init__()
        self.heard = heard
        connect_while_alive(self, (source.told, self.hear))

    def hear(self, number: int) -> None:
        self.heard.append(number)
        self.windowTitle()  # an error once Qt's half is gone


def deleted(widget: QWidget) -> None:
    widget.deleteLater()
    QApplication.sendPostedEvents(widget, 52)  # DeferredDelete
    QApplication.processEvents()


def test_a_widget_hears_until_qt_deletes_it(qtbot: Any) -> None:
    source, heard = Source(), []
    listener = Listener(source, heard)
    source.told.emit(1)
    deleted(listener)
    source.told.emit(2)
    assert heard == [1]
    assert len(source.told) == 0, "nothing is left connected"


def test_a_connection_keeps_no_widget_alive(qtbot: Any) -> None:
    source, heard = Source(), []
    listener: Any = Listener(source, heard)
    gone = weakref.ref(listener)
    del listener
    gc.collect()
    QApplication.processEvents()
    assert gone() is None
    source.told.emit(1)
    assert heard == []


def test_what_is_to_be_done_is_done_once_when_the_widget_goes(qtbot: Any) -> None:
    done: list[str] = []
    widget = QWidget()
    when_destroyed(widget, lambda: done.append("ended"))
    QApplication.processEvents()
    assert not done
    deleted(widget)
    gc.collect()
    assert done == ["ended"]
