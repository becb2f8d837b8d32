"""Fetch items of a sequence, and work on several, at the same time; all stay in their order."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

PATIENCE = 1.0
"""Seconds that an iterator which is given up waits for its thread.

A read that hangs, of a disk that went away, must not keep a program that was stopped."""


def ahead(items: Iterable[T]) -> Generator[T, None, None]:
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


def side_by_side(
    work: Callable[[T], R],
    items: Iterable[T],
    workers: int,
    begin: Callable[[], object] | None = None,
) -> Generator[R, None, None]:
    """Yield what ``work`` makes of each item, in their order; some are worked on at a time.

    Parameters
    ----------
    work
        Called on one of several threads.
    items
        Taken one after the other, in the thread that asks.
    workers
        Number of threads; with one, everything is done in the thread that asks. One result more
        than that may wait.
    begin
        Called first in each thread.

    What ``work`` raises is raised here, in its turn. What is being worked on when this iterator is
    given up is finished, and the rest is left.
    """
    if workers < 2:
        for item in items:
            yield work(item)
        return
    pool = ThreadPoolExecutor(workers, "side-by-side", begin)
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
