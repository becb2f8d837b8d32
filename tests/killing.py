"""Kill a process at its n-th step on the disk: a forked child that ends there without a word."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

STEPS = ("replace", "rename", "fsync", "mkdir", "open", "unlink", "rmdir")
"""Functions of ``os`` before which the child may end."""

MOST = 200


def killed_at_each_step(
    action: Callable[[], object], before: Callable[[], object]
) -> Iterator[int]:
    """Do ``before()`` and then ``action()`` in a child that SIGKILL ends at step 1, 2, 3 and so on.

    Yields
    ------
    The step, after each kill. It ends with the first child that was done before its step came.
    """
    for step in range(1, MOST):
        before()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                _kill_at(step)
                action()
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            return
        yield step
    raise AssertionError("The action has too many steps.")


def _kill_at(step: int) -> None:
    left = step

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def step_of(*args: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(60)
            return call(*args, **options)

        return step_of

    for name in STEPS:
        setattr(os, name, counted(getattr(os, name)))


def unfinished(folder: Path) -> list[str]:
    """Names of what is unfinished in a folder."""
    return sorted(p.name for p in folder.iterdir() if ".partial" in p.name)
