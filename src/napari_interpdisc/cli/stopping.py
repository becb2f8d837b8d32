"""What happens when a command is stopped: one sentence, what is kept, and an exit code of its own.

Ctrl-C (SIGINT) and SIGTERM both unwind the work, so that workers are ended and what is unfinished
is removed. The exit code is 130 for the first and 143 for the second, as shells know them.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

NOTHING_LEFT = "nothing unfinished was left behind."


class Terminated(KeyboardInterrupt):
    """SIGTERM was sent to this process."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM unwind the work as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is told of signals
        return
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminated(number: int, frame: FrameType | None) -> None:
    raise Terminated


@contextmanager
def keeps(sentence: str) -> Iterator[None]:
    """Say ``sentence`` if the work inside is stopped: what is kept, and how to go on."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if not stop.args:
            stop.args = (sentence,)
        raise


def told_stop(stop: KeyboardInterrupt) -> tuple[str, int]:
    """Sentence and exit code of a command that was stopped."""
    kept = str(stop) or NOTHING_LEFT
    if isinstance(stop, Terminated):
        return f"Stopped by SIGTERM; {kept}", 128 + signal.SIGTERM
    return f"Cancelled; {kept}", 128 + signal.SIGINT
