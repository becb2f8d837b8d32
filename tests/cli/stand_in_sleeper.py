"""A unit of work that holds the interpreter for a minute: no other thread of its process runs."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path


def sleep(folder: str, number: int) -> dict[str, int]:
    """Say which process this is, and sleep with the interpreter held where that can be done."""
    partial = Path(folder) / f"{number}.new"
    partial.write_text(str(os.getpid()))
    partial.rename(partial.with_suffix(".pid"))
    try:
        held = ctypes.PyDLL(None).sleep
    except (OSError, AttributeError, TypeError):
        time.sleep(60)
    else:
        held(60)
    return {"number": number}
