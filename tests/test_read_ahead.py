"""Items come in their order, one ahead, and what goes wrong comes in its turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from napari_interpdisc import read_ahead
from napari_interpdisc.read_ahead import ahead, side_by_side


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


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    def work(k: int) -> int:
        time.sleep(0.01 * (3 - k % 3))  # later ones are done first
        return k * k

    assert list(side_by_side(work, range(12), workers)) == [k * k for k in range(12)]
    assert list(side_by_side(work, [], workers)) == []


def test_items_are_worked_on_at_the_same_time() -> None:
    both, begun = threading.Barrier(2, timeout=30), []
    found = list(
        side_by_side(
            lambda k: both.wait() >= 0, range(4), 2, lambda: begun.append(threading.get_ident())
        )
    )
    assert found == [True] * 4
    assert len(set(begun)) == 2


def test_few_results_wait_for_who_asks() -> None:
    taken = []

    def items() -> Iterator[int]:
        for k in range(100):
            taken.append(k)
            yield k

    found = side_by_side(lambda k: k, items(), 2)
    assert next(found) == 0
    assert len(taken) <= 4
    found.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("side-by-side")]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_fault_of_the_work_is_told_in_its_turn(workers: int) -> None:
    found = side_by_side(lambda k: 1 // (2 - k), range(9), workers)
    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(found)
