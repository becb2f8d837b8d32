"""Fetch the next item of a sequence while the present one is worked on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 1.0
"""Seconds that an iterator which is given up waits for its thread.

A read that hangs, of a disk that went away, must not keep a program that was stopped."""


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield ``items`` in their order, each fetched on another thread while the last is in use.

    One thread fetches one item at a time, so that a reader needs no lock; at most one item waits.
    What fetching raises is raised here, in its turn. The thread ends with this iterator.
    """
    asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
    fetched: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

    def fetch() -> None:
        iterator = iter(items)
        while asked.get():
            try:
                fetched.put(("item", next(iterator)))
            except StopIteration:
                fetched.put(("end", None))
            except BaseException as fault:
                fetched.put(("fault", fault))

    # a daemon: one that waits for a read does not keep the program either
    thread = threading.Thread(target=fetch, name="read-ahead", daemon=True)
    thread.start()
    try:
        asked.put(True)
        while True:
            kind, value = fetched.get()
            if kind == "end":
                return
            if kind == "fault":
                raise value
            asked.put(True)
            yield value
    finally:
        asked.put(False)
        thread.join(PATIENCE)
