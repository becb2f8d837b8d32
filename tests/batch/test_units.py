"""Resumable work: each result is a file that is whole or not there, and no worker outlives it."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from napari_interpdisc.batch.units import missing_units, run_units

from ..conftest import alive

HERE = Path(__file__).parent


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the module of stand-in units, where worker processes find it too."""
    monkeypatch.syspath_prepend(HERE)
    import stand_in_work

    return stand_in_work


def wait_until(true: Callable[[], bool], seconds: float = 120) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return true()


def test_what_is_there_is_not_done_again(work: ModuleType, tmp_path: Path) -> None:
    units = {tmp_path / f"{n}.json": (n,) for n in range(4)}
    (tmp_path / "2.json").write_text('{"number": "kept"}')
    missing = missing_units(units)
    assert [unit for (unit,) in missing.values()] == [0, 1, 3]
    assert list(run_units(work.square, missing)) == list(missing)
    assert json.loads((tmp_path / "2.json").read_text()) == {"number": "kept"}
    found = json.loads((tmp_path / "3.json").read_text())
    assert (found["number"], found["square"], found["pid"]) == (3, 9, os.getpid())
    assert not missing_units(units)


def test_several_processes_do_each_unit_once(work: ModuleType, tmp_path: Path) -> None:
    units = {tmp_path / f"{n}.json": (n,) for n in range(5)}
    done = list(run_units(work.square, units, jobs=2))
    assert sorted(done) == sorted(units)
    found = [json.loads(file.read_text()) for file in units]
    assert [f["square"] for f in found] == [0, 1, 4, 9, 16]
    pids = {f["pid"] for f in found}
    assert os.getpid() not in pids
    assert len(pids) <= 2
    assert {f["threads"] for f in found} == {1}, "or two jobs would fight for the same cores"
    assert not [p for p in tmp_path.iterdir() if p.suffix != ".json"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_fault_ends_the_work_and_keeps_what_was_done(
    work: ModuleType, tmp_path: Path, jobs: int
) -> None:
    units = {tmp_path / f"{n}.json": (n,) for n in range(4)}
    with pytest.raises(ValueError, match="two cannot be done"):
        list(run_units(work.fail_on_two, units, jobs=jobs))
    assert (tmp_path / "0.json").exists()
    assert not (tmp_path / "2.json").exists()
    assert not [p for p in tmp_path.iterdir() if p.suffix != ".json"]


def test_what_json_cannot_hold_is_refused_and_leaves_no_file(
    work: ModuleType, tmp_path: Path
) -> None:
    with pytest.raises(TypeError, match="cannot be stored as JSON"):
        list(run_units(work.unstorable, {tmp_path / "a.json": (1,)}))
    assert not list(tmp_path.iterdir())


def test_a_result_that_is_cut_short_is_not_there(
    work: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk says at the end that it is full: the unit counts as not done."""
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
    file = tmp_path / "1.json"
    with pytest.raises(ValueError, match="disk is full"):
        list(run_units(work.square, {file: (1,)}))
    assert missing_units({file: (1,)})
    assert not list(tmp_path.iterdir())


def test_stopping_early_ends_the_workers(work: ModuleType, tmp_path: Path) -> None:
    units = {tmp_path / f"{n}.json": (n, str(tmp_path)) for n in range(4)}
    before = set(multiprocessing.active_children())
    running = run_units(work.slow_but_the_first, units, jobs=2)
    assert next(running) == tmp_path / "0.json"
    begun = lambda: [p for p in tmp_path.glob("*.pid") if p.read_text()]  # noqa: E731
    assert wait_until(lambda: len(begun()) >= 2)
    pids = [int(p.read_text()) for p in begun()]
    running.close()  # type: ignore[attr-defined]
    assert wait_until(lambda: not any(map(alive, pids))), "a worker goes on"
    assert set(multiprocessing.active_children()) <= before
    assert sorted(p.name for p in tmp_path.glob("*.json")) == ["0.json"]


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_worker_ends_when_its_parent_was_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, str(HERE / "stand_in_work.py"), str(tmp_path)])
    try:
        begun = lambda: [p for p in tmp_path.glob("*.pid") if p.read_text()]  # noqa: E731
        assert wait_until(lambda: len(begun()) == 2 or parent.poll() is not None)
        pids = [int(p.read_text()) for p in begun()]
        assert len(pids) == 2
        assert all(map(alive, pids))
        parent.send_signal(signal.SIGKILL)
        parent.wait(60)
        assert wait_until(lambda: not any(map(alive, pids))), "a worker outlived its parent"
    finally:
        parent.kill()
        parent.wait(60)
    assert not list(tmp_path.glob("*.json"))
