"""Items come in their order, one ahead, and what goes wrong comes in its turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from napari_interpdisc import read_ahead
from napari_interpdisc.read_ahead import ahead


def test_items_come_in_their_order() -> None:
    assert list(ahead(range(5))) == [0, 1, 2, 3, 4]
    assert list(ahead([])) == []


def test_the_next_item_is_fetched_while_the_first_is_in_use() -> None:
    fetched = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        fetched.set()
        yield 1

    found = ahead(items())
    assert next(found) == 0
    assert fetched.wait(30), "nobody asked for it yet"
    assert next(found) == 1


def test_a_fault_is_told_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 0
        raise ValueError("the second one is damaged")

    found = ahead(items())
    assert next(found) == 0
    with pytest.raises(ValueError, match="damaged"):
        next(found)


def test_no_thread_is_left_when_the_rest_is_not_wanted() -> None:
    found = ahead(iter(range(100)))
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert not [one for one in threading.enumerate() if one.name.startswith("read-ahead")]


def test_a_read_that_hangs_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ahead, "PATIENCE", 0.01)
    go_on = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        go_on.wait(60)
        yield 1

    found = ahead(items())
    next(found)
    found.close()  # type: ignore[attr-defined]
    thread = next(one for one in threading.enumerate() if one.name == "read-ahead")
    assert thread.daemon
    go_on.set()
    thread.join(30)
    assert not thread.is_alive()
