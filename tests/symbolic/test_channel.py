"""The worker's end of a search: whole lines of JSON, whatever the engine prints."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ..conftest import alive

WORKER = Path(__file__).with_name("stand_in_channel.py")


def asked(folder: Path, what: str) -> list[str]:
    (folder / "request.json").write_text(json.dumps({"do": what}))
    return [sys.executable, str(WORKER), str(folder)]


def test_lines_are_the_workers_own_and_the_engine_goes_to_standard_error(tmp_path: Path) -> None:
    done = subprocess.run(
        asked(tmp_path, "answer"), capture_output=True, encoding="utf-8", check=True
    )
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"progress": 1, "of": 2},
        {"result": [{"expression": "z0", "note": "β ≥ 0"}]},
    ]
    for printed in ("Precompiling", '{"progress": 9', "[1, 2"):
        assert printed in done.stderr


def test_a_fault_is_a_line_too(tmp_path: Path) -> None:
    done = subprocess.run(asked(tmp_path, "fault"), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"fault": "missing", "message": "no Julia"}


def test_the_module_imports_the_standard_library_alone() -> None:
    """PySR has to be imported before numpy and torch."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "import napari_interpdisc.symbolic.channel\n"
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before}"
        " - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['napari_interpdisc']"


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_worker_ends_when_its_session_was_killed(tmp_path: Path) -> None:
    session = subprocess.Popen(asked(tmp_path, "parent"))
    note = tmp_path / "pid"
    deadline = time.monotonic() + 120
    while not (note.exists() and note.read_text().endswith("\n")):
        assert time.monotonic() < deadline, "the worker did not start"
        time.sleep(0.05)
    pid = int(note.read_text())
    assert alive(pid)
    session.send_signal(signal.SIGKILL)
    session.wait(60)
    while alive(pid):
        assert time.monotonic() < deadline, "the worker outlived its session"
        time.sleep(0.05)
