"""Graphs of tasks on threads, processes and a cluster; a worker that dies costs a retry."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from napari_interpdisc.batch.schedule import (
    Key,
    LocalScheduler,
    Task,
    check_scheduler,
    decisive_versions,
    scheduler_of,
)
from napari_interpdisc.errors import InvalidInput, MissingExtra


def write(path: Path, *_: object) -> int:
    path.write_text("done")
    return os.getpid()


def read(*paths: Path | int) -> list[str]:
    return [path.read_text() for path in paths if isinstance(path, Path)]


def die_once(mark: Path, *_: object) -> str:
    """End this process by force the first time, and return the second time."""
    if not mark.exists():
        mark.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def tasks_of(folder: Path) -> dict[Key, Task]:
    """Two files, and a task that reads them."""
    files = [folder / "0", folder / "1"]
    made: dict[Key, Task] = {("write", k): Task(partial(write, p)) for k, p in enumerate(files)}
    return {("read",): Task(partial(read, *files), tuple(made)), **made}


def test_tasks_come_after_those_that_they_need(tmp_path: Path) -> None:
    told: list[tuple[Key, Any]] = []
    with LocalScheduler("threads", 2) as pool:
        pool.run(tasks_of(tmp_path), lambda *one: told.append(one))
    assert {key for key, _ in told} == {("read",), ("write", 0), ("write", 1)}
    assert told[-1] == (("read",), ["done", "done"])


def test_what_is_raised_while_telling_ends_the_work(tmp_path: Path) -> None:
    def stop(*_: object) -> None:
        raise InvalidInput("full")

    tasks: dict[Key, Task] = {("w", k): Task(partial(write, tmp_path / str(k))) for k in range(50)}
    with pytest.raises(InvalidInput, match="full"), LocalScheduler("threads", 1) as pool:
        pool.run(tasks, stop)
    assert len(list(tmp_path.iterdir())) < 50


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal")
def test_a_process_that_dies_costs_a_retry(tmp_path: Path) -> None:
    told: dict[Key, Any] = {}
    tasks = tasks_of(tmp_path)
    tasks["die",] = Task(partial(die_once, tmp_path / "mark"), (("write", 0),))
    with LocalScheduler("processes", 1) as pool:
        pool.run(tasks, told.__setitem__)
    assert told["die",] == "alive"
    assert told["read",] == ["done", "done"]
    assert told["write", 0] != os.getpid()


def test_processes_stay_from_one_graph_to_the_next(tmp_path: Path) -> None:
    told: list[int] = []
    with LocalScheduler("processes", 1) as pool:
        for name in ("a", "b"):
            task = Task(partial(write, tmp_path / name))
            pool.run({("write",): task}, lambda _, pid: told.append(pid))
    assert told[0] == told[1] != os.getpid()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal")
def test_processes_that_always_die_end_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_interpdisc.batch.schedule.RETRIES", 1)
    with (
        pytest.raises(InvalidInput, match="Worker processes died 2 times"),
        LocalScheduler("processes", 1) as pool,
    ):
        pool.run({("die",): Task(partial(die))}, lambda *_: None)


@pytest.mark.parametrize("name", ["threads", "processes", "tcp://127.0.0.1:1"])
def test_schedulers_that_are_known(name: str) -> None:
    assert check_scheduler(name) == name


def test_schedulers_that_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match="--scheduler slurm is not known; give threads, proc"):
        check_scheduler("slurm")
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(MissingExtra, match=r"napari-interpdisc\[cluster\]"):
        check_scheduler("tcp://a:1")


def test_versions_that_change_numbers() -> None:
    assert decisive_versions({"torch": "2", "napari": "0.9"}) == {"torch": "2"}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal")
@pytest.mark.filterwarnings("ignore")  # of distributed, when a worker is ended by force
def test_a_cluster_whose_worker_dies(tmp_path: Path) -> None:
    from distributed import LocalCluster

    told: dict[Key, Any] = {}
    tasks = tasks_of(tmp_path)
    tasks["die",] = Task(partial(die_once, tmp_path / "mark"), (("write", 0),))
    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        with scheduler_of(cluster.scheduler_address, 1, tmp_path) as pool:
            assert pool.workers == 1
            pool.run(tasks, told.__setitem__)
        assert told["die",] == "alive"
        assert told["read",] == ["done", "done"]
        with (
            pytest.raises(InvalidInput, match="does not see the folder"),
            scheduler_of(cluster.scheduler_address, 1, tmp_path / "none"),
        ):
            pass


@pytest.mark.filterwarnings("ignore")  # of distributed, when nobody answers
def test_an_address_where_nobody_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import distributed

    def nobody(*_: object, **__: object) -> None:
        raise OSError("Timed out trying to connect")

    monkeypatch.setattr(distributed, "Client", nobody)
    with (
        pytest.raises(InvalidInput, match=r"no dask scheduler at tcp://a:1 \(Timed out"),
        scheduler_of("tcp://a:1", 1, tmp_path),
    ):
        pass
