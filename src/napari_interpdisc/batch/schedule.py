"""A graph of tasks, done by dask on threads, on processes, or on a cluster."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from napari_interpdisc.batch.parent import end_with
from napari_interpdisc.errors import InvalidInput, MissingExtra

RETRIES = 3
"""Times that a task is tried again whose worker died."""

LOCAL = ("threads", "processes")


Key = tuple[str | int, ...]
"""Name of a task: its kind, and what it is done to."""


@dataclass(frozen=True)
class Task:
    """One piece of work: a call, and the keys of what must be done before it."""

    call: partial[Any]
    after: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Lost:
    """A task that was not done, since every worker that tried it died."""

    why: str


Done = Callable[[Key, Any], None]
"""Called with the key of each task that is done and what it returned, or :class:`Lost`."""


def check_scheduler(scheduler: str) -> str:
    """Return the name of a scheduler if it can be used.

    Raises
    ------
    InvalidInput
        If it is neither ``threads`` nor ``processes`` nor an address.
    MissingExtra
        For an address without dask.distributed.
    """
    if scheduler in LOCAL:
        return scheduler
    if "://" not in scheduler:
        raise InvalidInput(
            f"--scheduler {scheduler} is not known; give threads, processes, or the address of a "
            "dask scheduler, such as tcp://node1:8786."
        )
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise MissingExtra(
            "A scheduler at an address needs dask.distributed: "
            "pip install 'napari-interpdisc[cluster]'."
        ) from None
    return scheduler


class Scheduler:
    """Something that does graphs of tasks; see :func:`scheduler_of`."""

    workers: int

    def run(self, tasks: Mapping[Key, Task], done: Done) -> None:
        """Do all tasks, each after those that it names, and tell of each in this thread.

        What ``done`` raises ends the work; so does what a task raises.
        """
        raise NotImplementedError


class LocalScheduler(Scheduler):
    """Threads of this process, or processes of this machine; a context, at whose end they end."""

    def __init__(self, kind: str, workers: int) -> None:
        self.kind, self.workers = kind, workers
        self._pool: Executor | None = None
        self._others: set[Any] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close(at_once=False)

    def run(self, tasks: Mapping[Key, Task], done: Done) -> None:
        """Do all tasks; those of a process that died are tried again."""
        finished: set[Key] = set()

        def tell(key: Key, value: Any) -> None:
            finished.add(key)
            done(key, value)

        for attempt in range(RETRIES + 1):
            left = {key: task for key, task in tasks.items() if key not in finished}
            try:
                self._run(left, tell)
                return
            except BrokenProcessPool:
                self._close(at_once=True)
                if attempt == RETRIES:
                    raise InvalidInput(
                        f"Worker processes died {RETRIES + 1} times, as they do when memory is "
                        "full; give fewer --workers, or fewer frames_per_block in the plan."
                    ) from None
            except BaseException:
                self._close(at_once=True)
                raise

    def _run(self, tasks: Mapping[Key, Task], tell: Done) -> None:
        import dask.multiprocessing
        import dask.threaded
        from dask.callbacks import Callback

        graph = {
            key: (task.call, *(one for one in task.after if one in tasks))
            for key, task in tasks.items()
        }
        get: Any = dask.threaded.get if self.kind == "threads" else dask.multiprocessing.get
        more = {} if self.kind == "threads" else {"chunksize": 1, "optimize_graph": False}

        def after(key: Key, value: Any, *_: Any) -> None:
            if key in tasks:
                tell(key, value)

        if self._pool is None:
            self._pool = self._opened()
        with Callback(posttask=after):
            get(graph, list(tasks), pool=self._pool, num_workers=self.workers, **more)

    def _opened(self) -> Executor:
        if self.kind == "threads":
            return ThreadPoolExecutor(self.workers, "interpdisc")
        # children that were there before are not ours to end
        self._others = set(multiprocessing.active_children())
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.workers, context, _begin, (os.getpid(),))

    def _close(self, at_once: bool) -> None:
        """End all workers; ``at_once``, processes do not end what they are at."""
        if self._pool is None:
            return
        if at_once and self.kind != "threads":
            for process in set(multiprocessing.active_children()) - self._others:
                process.terminate()
        self._pool.shutdown(cancel_futures=True)
        self._pool = None


def _begin(parent: int) -> None:
    """Prepare a worker process: it ends with its parent, who alone answers Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(parent)


class ClusterScheduler(Scheduler):
    """A scheduler of dask.distributed, with whatever workers it has."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.workers = max(sum(client.nthreads().values()), 1)

    def run(self, tasks: Mapping[Key, Task], done: Done) -> None:
        """Do all tasks; those of a worker that died are tried again elsewhere."""
        from distributed import as_completed

        graph = {key: (task.call, *task.after) for key, task in tasks.items()}
        keys = list(tasks)
        futures = self.client.get(graph, keys, sync=False, retries=0)
        by_key = {future.key: key for future, key in zip(futures, keys, strict=True)}
        try:
            for future in as_completed(futures, loop=self.client.loop):
                key = by_key[future.key]
                if future.status == "error":
                    fault = future.exception()
                    done(key, Lost(str(fault).splitlines()[0] if str(fault) else repr(fault)))
                elif future.status == "cancelled":
                    raise InvalidInput(
                        "The scheduler has forgotten the work, as it does when it was restarted; "
                        "start again, and the run goes on."
                    )
                else:
                    done(key, future.result())
        finally:
            self.client.cancel(futures)


@contextmanager
def scheduler_of(name: str, workers: int, folder: Path) -> Iterator[Scheduler]:
    """Open a scheduler by its name.

    Parameters
    ----------
    name
        ``threads``, ``processes``, or the address of a scheduler of dask.distributed.
    workers
        Threads or processes; a cluster has its own.
    folder
        That all workers write to.

    Raises
    ------
    InvalidInput
        If there is no such scheduler, it has no workers, or they lack the folder or have other
        versions than this machine.
    """
    if name in LOCAL:
        with LocalScheduler(name, workers) as local:
            yield local
        return
    from distributed import Client

    try:
        client = Client(name, timeout="20s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as fault:
        text = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise InvalidInput(f"There is no dask scheduler at {name} ({text}).") from None
    with client:
        _check_workers(client, name, folder)
        yield ClusterScheduler(client)


def _check_workers(client: Any, name: str, folder: Path) -> None:
    from napari_interpdisc.io.results import versions

    try:
        client.wait_for_workers(1, timeout="60s")
    except TimeoutError:
        raise InvalidInput(f"The dask scheduler at {name} has no workers; start some.") from None
    here = decisive_versions(versions())
    for worker, (found, sees) in client.run(_worker_state, str(folder)).items():
        there = decisive_versions(found)
        other = [package for package, version in here.items() if there.get(package) != version]
        if other:
            package = other[0]
            raise InvalidInput(
                f"The worker {worker} has {package} {there.get(package)}, and this machine has "
                f"{here[package]}; install the same version everywhere."
            )
        if not sees:
            raise InvalidInput(
                f"The worker {worker} does not see the folder {folder}; choose one on a disk that "
                "all machines share."
            )


def _worker_state(folder: str) -> tuple[dict[str, str], bool]:
    from napari_interpdisc.io.results import versions

    return versions(), os.path.isdir(folder)


def decisive_versions(found: Mapping[str, str]) -> dict[str, str]:
    """Versions on which the numbers of a result depend."""
    return {name: found[name] for name in ("napari-interpdisc", "torch", "numpy") if name in found}
