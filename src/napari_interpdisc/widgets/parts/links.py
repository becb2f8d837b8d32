"""Connections between a dock widget and what outlives it."""

from __future__ import annotations

import contextlib
import inspect
import weakref
from collections.abc import Callable
from typing import Any

from qtpy.compat import isalive
from qtpy.QtCore import QObject

_waiting: set[Callable[..., None]] = set()


def when_destroyed(widget: QObject, action: Callable[[], None]) -> None:
    """Call ``action``, which must not hold on to ``widget``, when Qt deletes the widget.

    It is kept here until then. Of a closed dock widget the garbage collector deletes the Qt half
    after it emptied all that is known to the widget alone; a closure among that, called as a slot
    of ``destroyed``, ends the process.
    """

    def act(*_: Any) -> None:
        _waiting.discard(act)
        action()

    _waiting.add(act)
    widget.destroyed.connect(act)


def connect_while_alive(widget: QObject, *pairs: tuple[Any, Callable[..., Any]]) -> None:
    """Connect (signal, method of ``widget``) pairs, until the widget's Qt half is deleted.

    napari's and psygnal's signals let go of a method when its Python object is gone; but a closed
    dock widget is often deleted by Qt first, and a call in between is an error.
    """
    links = []
    for signal, method in pairs:
        slot = _guarded(method)
        signal.connect(slot)
        links.append((signal, slot))

    def part() -> None:
        for signal, slot in links:
            with contextlib.suppress(ValueError, RuntimeError, KeyError):
                signal.disconnect(slot)

    when_destroyed(widget, part)


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    """Call ``method`` as long as its object is there, and Qt's half of that; it is not held."""
    reference = weakref.WeakMethod(method)

    def slot(*given: Any) -> None:
        found = reference()
        owner = getattr(found, "__self__", None)
        if found is not None and (not isinstance(owner, QObject) or isalive(owner)):
            found(*given)

    # signals look at what a slot takes
    slot.__signature__ = inspect.signature(method)  # type: ignore[attr-defined]
    return slot
