"""Units of resumable work: each result is a JSON file, written whole when the unit is done."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np

from napari_interpdisc.batch.parent import end_with
from napari_interpdisc.io.results import write_whole


def missing_units(units: Mapping[Path, Any]) -> dict[Path, Any]:
    """Units whose result is not there yet."""
    return {file: unit for file, unit in units.items() if not file.exists()}


def run_units(
    work: Callable[..., Mapping[str, Any]], units: Mapping[Path, tuple[Any, ...]], jobs: int = 1
) -> Iterator[Path]:
    """Do all units, a few at a time, and store what each returns.

    Parameters
    ----------
    work
        Function of a module, called with the arguments of one unit; it returns what JSON can hold.
    units
        Arguments of each unit, by the file that its result is written to.
    jobs
        Processes that work at the same time; 1 works in this one. Each uses one thread.

    Yields
    ------
    The file of each unit that was done. Whoever stops iterating stops the work at once; what was
    stored is kept.
    """
    if jobs <= 1:
        for file, unit in units.items():
            _do(work, file, unit)
            yield file
        return
    # children that were there before are not ours to end
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_begin, initargs=(os.getpid(),)
    ) as pool:
        waiting: dict[Future[None], Path] = {}
        rest = iter(units.items())
        try:
            for file, unit in rest:
                waiting[pool.submit(_do, work, file, unit)] = file
                if len(waiting) < jobs + 1:  # no more, so that stopping is quick
                    continue
                for done in wait(waiting, return_when=FIRST_COMPLETED).done:
                    done.result()
                    yield waiting.pop(done)
            for future, file in waiting.items():
                future.result()
                yield file
        except BaseException:
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise


def _begin(parent: int) -> None:
    """Prepare a worker: one thread, and an end with its parent, who alone answers Ctrl-C."""
    # torch takes seconds to import: the parent may be gone before
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(parent)
    import torch

    torch.set_num_threads(1)


def _do(work: Callable[..., Mapping[str, Any]], file: Path, unit: tuple[Any, ...]) -> None:
    text = json.dumps(work(*unit), default=_plain)
    write_whole(file, lambda partial: partial.write_text(text, "utf-8"))


def _plain(value: Any) -> Any:
    if isinstance(value, np.integer | np.floating):
        return value.item()
    raise TypeError(f"{type(value)} cannot be stored as JSON")
