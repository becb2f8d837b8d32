"""``interpdisc run``: a whole experiment by a plan."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from napari_interpdisc._types import Progress
from napari_interpdisc.cli.common import note, progress_bar, say
from napari_interpdisc.cli.console import console
from napari_interpdisc.cli.stopping import keeps
from napari_interpdisc.errors import InvalidInput

SOME_FAILED = 3
"""Exit code of a run in which an image failed."""

EVERY = 60.0
"""Seconds between lines of progress where there is no terminal."""


def run(
    plan: Annotated[
        Path, typer.Argument(metavar="PLAN.toml", help="The plan; --init writes one.")
    ] = Path("PLAN.toml"),
    init: Annotated[
        bool, typer.Option("--init", help="Write a plan with comments, to be changed.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Say what would be done and how long it would take; write nothing."
        ),
    ] = False,
    scheduler: Annotated[
        str,
        typer.Option(
            metavar="threads|processes|ADDRESS",
            help="Who works: threads or processes of this machine, or the dask scheduler at an "
            "address such as tcp://node1:8786.",
        ),
    ] = "threads",
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Threads or processes; as many as there are processors if left out."
        ),
    ] = None,
) -> None:
    """Do a whole experiment: many images with their cells, to one data set and tables.

    A run that was stopped goes on where it was: start it again. The exit code is 3 if an image
    failed and the others are done.
    """
    if init:
        _write_plan(plan, dry_run)
        return
    from napari_interpdisc.batch.plan import read_plan
    from napari_interpdisc.batch.schedule import LOCAL, check_scheduler

    if check_scheduler(scheduler) not in LOCAL and workers is not None:
        raise InvalidInput("--workers is for threads and processes: a cluster has its own.")
    chosen = read_plan(plan)
    n = workers or _processors()
    if dry_run:
        from napari_interpdisc.experiment.forecast import forecast

        say(*forecast(chosen, n))
        return
    from napari_interpdisc.experiment.run import run_plan

    kept = f"what is finished is kept in {chosen.out}; the same command goes on."
    with keeps(kept), _progress() as progress:
        result = run_plan(chosen, scheduler, n, progress, say)
    for name, why in result.failures.items():
        note(f"{name} failed: {why}")
    if result.noted:
        name, (first, *_) = next(iter(result.noted.items()))
        n = len(result.noted)
        note(f"run.json has notes on {n} image{'s' * (n > 1)}, such as on {name}: {first}")
    say(result.sentence(), str(chosen.out))
    if result.failures:
        raise typer.Exit(SOME_FAILED)


def _write_plan(path: Path, dry_run: bool) -> None:
    from napari_interpdisc.batch.plan import plan_text
    from napari_interpdisc.io.results import write_whole

    if dry_run:
        raise InvalidInput("--init writes a plan and does nothing else; leave --dry-run out.")
    if path.exists():
        raise InvalidInput(f"{path} is there already; give another name.")
    write_whole(path, lambda partial: partial.write_text(plan_text(path.name), "utf-8"))
    say(str(path))


def _processors() -> int:
    """Processors that this process may use: a cluster gives a job fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _progress() -> Iterator[Progress]:
    """Progress bar, and a line now and then where there is no terminal, as in the log of a job."""
    from napari_interpdisc.experiment.run import duration

    began = last = time.monotonic()
    in_terminal = console(stderr=True).is_terminal
    with progress_bar("cells") as bar:

        def progress(done: int, total: int) -> None:
            nonlocal last
            bar(done, total)
            now = time.monotonic()
            if in_terminal or not done or now - last < EVERY:
                return
            last = now
            left = (now - began) * (total - done) / done
            say(f"{done:,} of {total:,} cells; about {duration(left)} left")

        yield progress
