"""End a worker process when the process that started it is gone. The standard library alone."""

from __future__ import annotations

import os
import threading
import time


def end_with(parent: int) -> None:
    """Watch the parent of this process, in a thread, and end with exit code 1 once it is gone.

    Parameters
    ----------
    parent
        Process id of the parent. It is told by the parent itself: it may be gone before this
        process could ask.
    """
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
