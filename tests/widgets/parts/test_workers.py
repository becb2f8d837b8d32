import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from qtpy.QtWidgets import QWidget

from napari_interpdisc._types import Progress
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.widgets.parts.workers import Work


@pytest.fixture
def work(qtbot: Any) -> Iterator[Work]:
    made = Work()
    yield made
    made.stop()


def endless(report: Progress) -> None:
    n = 0
    while True:
        time.sleep(0.005)
        n += 1
        report(n % 10, 10)


def worker_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "interpdisc-work"]


def test_progress_and_result_come_on_the_main_thread(work: Work, qtbot: Any) -> None:
    seen: list[Any] = []
    work.progressed.connect(lambda *step: seen.append((*step, threading.current_thread())))

    def job(report: Progress) -> int:
        assert threading.current_thread() is not threading.main_thread()
        report(1, 2)
        time.sleep(0.1)
        report(2, 2)
        time.sleep(0.1)
        return 42

    work.start(job, lambda value: seen.append((value, threading.current_thread())))
    assert work.running
    qtbot.waitUntil(lambda: not work.running)
    main = threading.main_thread()
    assert seen == [(1, 2, main), (2, 2, main), (42, main)]


def test_cancelled_work_delivers_nothing(work: Work, qtbot: Any) -> None:
    delivered: list[Any] = []
    running: list[bool] = []
    work.running_changed.connect(running.append)
    work.start(endless, delivered.append, delivered.append)
    work.cancel()
    assert work.running
    qtbot.waitUntil(lambda: not work.running)
    assert not delivered
    assert running == [True, False]
    assert not worker_threads()


def test_work_that_is_left_goes_on_unseen_and_other_work_begins(work: Work, qtbot: Any) -> None:
    delivered: list[Any] = []
    go_on, ended = threading.Event(), threading.Event()

    def deaf(report: Progress) -> int:
        go_on.wait(60)
        ended.set()
        return 1

    work.start(deaf, delivered.append, delivered.append)
    work.leave()
    assert not work.running
    assert len(worker_threads()) == 1
    work.start(lambda report: 2, delivered.append)
    qtbot.waitUntil(lambda: not work.running)
    assert delivered == [2]
    assert not ended.is_set()
    go_on.set()
    work.stop()
    assert ended.is_set()
    assert not worker_threads()
    assert delivered == [2]


def test_parts_come_in_order_and_before_the_progress_they_explain(work: Work, qtbot: Any) -> None:
    seen: list[Any] = []
    work.progressed.connect(lambda *step: seen.append(step))

    def job(report: Progress, hand_over: Any) -> str:
        report(9, 9)  # of the time before the part: it must not be shown as of the stage
        hand_over("first")
        time.sleep(0.1)
        report(1, 2)
        time.sleep(0.1)
        hand_over("second")
        return "all"

    work.start_in_parts(job, seen.append, seen.append)
    qtbot.waitUntil(lambda: not work.running)
    assert seen == ["first", (1, 2), "second", "all"]


def test_parts_before_a_cancel_are_delivered_and_none_after(work: Work, qtbot: Any) -> None:
    seen: list[Any] = []
    handed, go = threading.Event(), threading.Event()

    def job(report: Progress, hand_over: Any) -> str:
        hand_over("ready")
        handed.set()
        go.wait(10)
        hand_over("too late")
        return "all"

    work.start_in_parts(job, seen.append, seen.append, seen.append)
    assert handed.wait(10)
    work.cancel()
    go.set()
    qtbot.waitUntil(lambda: not work.running)
    assert seen == ["ready"]
    assert not worker_threads()


def test_a_result_that_comes_after_cancel_is_dropped(work: Work, qtbot: Any) -> None:
    delivered: list[Any] = []
    work.start(lambda report: time.sleep(0.1), delivered.append, delivered.append)
    work.cancel()
    qtbot.waitUntil(lambda: not work.running)
    assert not delivered


def test_a_readable_fault_is_handed_over_as_its_sentence(work: Work, qtbot: Any) -> None:
    told: list[str] = []

    def job(report: Progress) -> None:
        raise InvalidInput("The image is upside down; turn it.")

    work.start(job, told.append, told.append)
    qtbot.waitUntil(lambda: not work.running)
    assert told == ["The image is upside down; turn it."]


def test_runtime_errors_do_not_disappear(
    work: Work, qtbot: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a generator thread_worker of napari they do."""
    told: list[str] = []

    def job(report: Progress) -> None:
        raise RuntimeError("CUDA out of memory")

    work.start(job, told.append, told.append)
    qtbot.waitUntil(lambda: not work.running)
    assert told == ["Unexpected RuntimeError: CUDA out of memory"]
    assert "Traceback" in capsys.readouterr().err


def test_too_little_memory_is_a_sentence(work: Work, qtbot: Any) -> None:
    told: list[str] = []

    def job(report: Progress) -> None:
        raise MemoryError

    work.start(job, told.append, told.append)
    qtbot.waitUntil(lambda: not work.running)
    assert told[0].startswith("There was not enough memory")


def test_stop_waits_for_the_thread(work: Work) -> None:
    work.start(endless, print)
    work.stop()
    assert not work.running
    assert not worker_threads()


def test_starting_anew_cancels_what_runs(work: Work, qtbot: Any) -> None:
    delivered: list[str] = []
    work.start(endless, lambda _: delivered.append("first"))
    work.start(lambda report: None, lambda _: delivered.append("second"))
    qtbot.waitUntil(lambda: not work.running)
    assert delivered == ["second"]


class Panel(QWidget):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.work = Work(self)


def test_work_goes_on_behind_another_tab(make_napari_viewer: Any, qtbot: Any) -> None:
    viewer = make_napari_viewer(show=True)
    panel, other = Panel(), QWidget()
    viewer.window.add_dock_widget(panel, name="panel")
    dock = viewer.window.add_dock_widget(other, name="other", tabify=True)
    panel.work.start(endless, print)
    dock.raise_()
    qtbot.waitUntil(lambda: not panel.isVisible())
    qtbot.wait(50)
    assert panel.work.running
    panel.work.stop()


def test_work_stops_when_its_dock_is_removed(make_napari_viewer: Any) -> None:
    viewer = make_napari_viewer()
    panel = Panel()
    viewer.window.add_dock_widget(panel, name="panel")
    panel.work.start(endless, print)
    viewer.window.remove_dock_widget(panel)
    assert not worker_threads()


def test_work_stops_when_the_viewer_closes(
    make_napari_viewer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    viewer = make_napari_viewer()
    panel = Panel()
    viewer.window.add_dock_widget(panel, name="panel")
    panel.work.start(endless, print)
    del panel
    viewer.close()
    assert not worker_threads()
    assert "Traceback" not in capsys.readouterr().err
