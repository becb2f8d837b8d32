"""Fetch the next item of a sequence while the present one is worked on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield ``items`` in their order, each fetched on another thread while the last is in use.

    One thread fetches one item at a time, so that a reader needs no lock; at most one item waits.
    What fetching raises is raised here, in its turn. The thread ends with this iterator.
    """
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(1, "read-ahead") as pool:
        waiting = pool.submit(next, iterator, end)
        while (item := waiting.result()) is not end:
            waiting = pool.submit(next, iterator, end)
            yield item  # type: ignore[misc]
