"""A process that ends with its parent."""

from __future__ import annotations

import os
import subprocess
import sys

CHILD = """
import sys, time
from napari_interpdisc.batch.parent import end_with
end_with(int(sys.argv[1]))
print("watching", flush=True)
time.sleep({seconds})
print("done", flush=True)
"""


def test_it_goes_on_while_its_parent_lives() -> None:
    code = CHILD.format(seconds=2.5)
    child = subprocess.run(
        [sys.executable, "-c", code, str(os.getpid())], capture_output=True, text=True, check=True
    )
    assert child.stdout.split() == ["watching", "done"]


def test_it_ends_when_another_process_is_its_parent() -> None:
    """As if the parent had been gone before it was asked for."""
    code = CHILD.format(seconds=600)
    child = subprocess.run(
        [sys.executable, "-c", code, str(os.getpid() + 1)],
        capture_output=True,
        check=False,
        timeout=250,
    )
    assert child.returncode == 1
