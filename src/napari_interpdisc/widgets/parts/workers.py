"""Long work beside the window: progress, cancel, a sentence when it fails, nothing left behind."""

from __future__ import annotations

import threading
import traceback
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from napari.utils.notifications import show_error
from qtpy.QtCore import QCoreApplication, QEvent, QObject, QTimer, Signal
from qtpy.QtWidgets import QWidget

from napari_interpdisc._types import Progress
from napari_interpdisc.errors import Cancelled, InterpdiscError
from napari_interpdisc.widgets.parts.links import when_destroyed

T = TypeVar("T")

POLL_MS = 30


class _Run:
    """What thread and window share: plain Python, so that the thread never touches Qt.

    A signal emitted from the thread would reach for a Qt object that the closing window may be
    deleting at that moment.
    """

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.progress: tuple[int, int] | None = None
        self.parts: deque[Any] = deque()
        self.outcome: tuple[str, Any] | None = None
        self.thread: threading.Thread | None = None

    def report(self, n_done: int, n_all: int) -> None:
        if self.cancelled.is_set():
            raise Cancelled("Cancelled; nothing was changed.")
        self.progress = (n_done, n_all)

    def hand_over(self, part: Any) -> None:
        if self.cancelled.is_set():
            raise Cancelled("Cancelled; what was ready is kept.")
        self.parts.append(part)

    def do(self, work: Callable[[Progress], Any]) -> None:
        try:
            self.outcome = ("done", work(self.report))
        except Cancelled:
            self.outcome = ("cancelled", None)
        except InterpdiscError as fault:
            self.outcome = ("failed", str(fault))
        except MemoryError:
            self.outcome = (
                "failed",
                "There was not enough memory; try fewer cells or frames at a time.",
            )
        except Exception as fault:
            if not self.cancelled.is_set():
                traceback.print_exc()
            self.outcome = ("failed", f"Unexpected {type(fault).__name__}: {fault}")

    def is_alive(self) -> bool:
        return self.thread is not None and self.thread.is_alive()

    def halt(self, seconds: float) -> None:
        self.cancelled.set()
        if self.thread is not None:
            self.thread.join(seconds)


class Work(QObject):  # type: ignore[misc]
    """One piece of work at a time, on a thread of its own.

    Callbacks run on the main thread. Starting anew cancels what runs. Results of cancelled work are
    dropped. Work stops, and its thread has ended, when :meth:`stop` is called, when the parent
    widget is taken out of its dock (closed; a hidden or tabbed one works on), and when the parent,
    the window or the application goes.

    Signals
    -------
    progressed
        (done, in all) on the main thread.
    running_changed
        Whether work is going on.
    """

    progressed = Signal(int, int)
    running_changed = Signal(bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        # The list outlives this object: its destruction must still find the thread.
        self._runs: list[_Run] = []
        self._left: list[_Run] = []
        self._done: Callable[[Any], None] | None = None
        self._failed: Callable[[str], None] | None = None
        self._part: Callable[[Any], None] | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)
        when_destroyed(self, partial(_halt_all, self._runs, self._left))
        app = QCoreApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.stop)
        if isinstance(parent, QWidget):
            parent.installEventFilter(self)

    @property
    def running(self) -> bool:
        """Whether work is going on."""
        return bool(self._runs)

    def start(
        self,
        work: Callable[[Progress], T],
        done: Callable[[T], None],
        failed: Callable[[str], None] = show_error,
    ) -> None:
        """Run ``work(progress)`` and hand its value to ``done``, or one sentence to ``failed``."""
        self._start(_Run(), work, done, failed, None)

    def start_in_parts(
        self,
        work: Callable[[Progress, Callable[[Any], None]], T],
        part: Callable[[Any], None],
        done: Callable[[T], None],
        failed: Callable[[str], None] = show_error,
    ) -> None:
        """Run ``work(progress, hand_over)``; each value it hands over goes to ``part`` at once.

        Parts come in their order, on the main thread. Those that were handed over before a cancel
        are delivered all the same.
        """
        run = _Run()
        self._start(run, lambda progress: work(progress, run.hand_over), done, failed, part)

    def _start(
        self,
        run: _Run,
        work: Callable[[Progress], Any],
        done: Callable[[Any], None],
        failed: Callable[[str], None],
        part: Callable[[Any], None] | None,
    ) -> None:
        self._end()
        self._done, self._failed, self._part = done, failed, part
        run.thread = threading.Thread(
            target=run.do, args=(work,), name="interpdisc-work", daemon=True
        )
        self._runs.append(run)
        self.running_changed.emit(True)
        run.thread.start()
        self._timer.start()

    def cancel(self) -> None:
        """Ask the work to stop at its next report; its result, if any, is dropped."""
        for run in self._runs:
            run.cancelled.set()

    def leave(self) -> None:
        """Cancel without waiting, where the work makes no report for long.

        Its thread goes on unseen to its next report or its end, and what comes of it is dropped.
        Other work can be started at once.
        """
        self._left[:] = [run for run in self._left if run.is_alive()]
        self._left += self._runs
        self._end(0.0)

    def stop(self, seconds: float = 10.0) -> None:
        """Cancel, and wait until the thread has ended, and those of work that was left."""
        self._end(seconds)
        while self._left:
            self._left.pop().halt(seconds)

    def _end(self, seconds: float = 10.0) -> None:
        if not self._runs:
            return
        run = self._runs.pop()
        self._timer.stop()
        run.halt(seconds)
        self._done = self._failed = self._part = None
        self.running_changed.emit(False)

    def _poll(self) -> None:
        if not self._runs:
            return
        run = self._runs[0]
        outcome = run.outcome  # before the parts: all of them were handed over before it
        progress, run.progress = run.progress, None
        if run.parts:
            progress = None  # it may be of the time before the parts
        while run.parts and self._part is not None:
            self._part(run.parts.popleft())
            if self._runs[:1] != [run]:  # what it was told made somebody stop the work
                return
        if progress is not None and not run.cancelled.is_set():
            self.progressed.emit(*progress)
        if outcome is None:
            return
        self._timer.stop()
        self._runs.clear()
        if run.thread is not None:
            run.thread.join()
        done, failed = self._done, self._failed
        self._done = self._failed = self._part = None
        self.running_changed.emit(False)
        kind, value = outcome
        if kind == "done" and not run.cancelled.is_set() and done is not None:
            done(value)
        elif kind == "failed" and not run.cancelled.is_set() and failed is not None:
            failed(value)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Stop when the parent widget loses its own parent: its dock was closed for good."""
        if event.type() == QEvent.Type.ParentChange and watched.parent() is None:
            self.stop()
        return False


def _halt_all(*lists: list[_Run]) -> None:
    for runs in lists:
        while runs:
            runs.pop().halt(10.0)
