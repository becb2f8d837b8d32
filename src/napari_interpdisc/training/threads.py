"""One thread for networks so small that several only wait for each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in the calling thread alone, and as before afterwards.

    A step of a head takes under a millisecond. Shared among threads, it takes longer by the time
    that they wait for each other: twentyfold on two cores that other programs use too.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
