"""One run in a folder: a second one is refused, the lock of a dead one is not in the way."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from napari_interpdisc.batch.lock import FolderLock
from napari_interpdisc.errors import InvalidInput

HOLDER = """
import sys, time
from pathlib import Path
from napari_interpdisc.batch.lock import FolderLock
with FolderLock(Path(sys.argv[1]), "out"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        told = rf"out is in use by another run \(process {other.pid} on {socket.gethostname()}\)"
        with pytest.raises(InvalidInput, match=told), FolderLock(file, "out"):
            pass
        other.kill()
    assert json.loads(file.read_text())["pid"] == other.pid  # it had no time to give it back
    with FolderLock(file, "out"):
        assert json.loads(file.read_text()) == {"pid": os.getpid(), "host": socket.gethostname()}
        with pytest.raises(InvalidInput, match="in use"), FolderLock(file, "out"):
            pass
    assert file.read_text() == ""


def test_a_lock_of_another_machine_is_believed(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    file.write_text('{"pid": 3, "host": "node7"}')
    with (
        pytest.raises(InvalidInput, match=r"process 3 on node7\); if that one is gone, remove"),
        FolderLock(file, "out"),
    ):
        pass
    for text in ("no lock", "[" * 100_000):
        file.write_text(text)
        with FolderLock(file, "out"):
            pass


@pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")
def test_a_disk_without_locks_is_judged_by_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", none)
    file = tmp_path / "lock"
    file.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
    with pytest.raises(InvalidInput, match="in use"), FolderLock(file, "out"):
        pass
    file.write_text(json.dumps({"pid": 2**22 + 5, "host": socket.gethostname()}))
    with FolderLock(file, "out"):
        pass


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("napari_interpdisc.batch.lock.os.fsync", full)
    with (
        pytest.raises(InvalidInput, match=r"lock was not written: the disk is full"),
        FolderLock(tmp_path / "lock", "out"),
    ):
        pass
