"""One thread for networks so small that several only wait for each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari_interpdisc.models.inference import torch_threads


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in the calling thread alone, and as before afterwards.

    A step of a head takes under a millisecond. Shared among threads, it takes longer by the time
    that they wait for each other: twentyfold on two cores that other programs use too.
    """
    with torch_threads(1):
        yield
