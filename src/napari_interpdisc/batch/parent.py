"""End a worker process when the process that started it is gone. The standard library alone."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time

POLL = 0.5
"""Seconds between looks at the parent."""

PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """End this process once its parent is gone: by the system on Linux, by a thread elsewhere.

    The thread ends it with exit code 1. On Linux it runs as well; but it has to wait where other
    code holds the interpreter, and the system does not.

    Parameters
    ----------
    parent
        Process id of the parent. It is told by the parent itself: it may be gone before this
        process could ask.
    """
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    if sys.platform == "win32":
        _wait_on_windows(parent)
    else:
        while os.getppid() == parent:
            time.sleep(POLL)
    os._exit(1)


def _wait_on_windows(parent: int) -> None:
    """Wait for a process; Windows tells the id of a parent long after that is gone."""
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    handle = kernel.OpenProcess(0x00100000, False, parent)  # SYNCHRONIZE
    if handle:
        kernel.WaitForSingleObject(handle, 0xFFFFFFFF)
