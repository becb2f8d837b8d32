"""Which process something belongs to, and a temporary folder that goes with its process.

What a process leaves unfinished on a disk carries a mark: its id, when it started, and its machine.
So another process can tell what a dead one left from what a living one is at.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MARK = r"(\d+)-(\d+)-([0-9a-f]{8})"
"""Form of a mark: process id, start, machine."""

SCRATCH = "interpdisc-"
"""Start of the name of a temporary folder."""

ABSENT = -1
"""Start of a process that is not there."""


@functools.cache
def machine() -> str:
    """Eight digits for this machine: its name, and on Linux the container whose ids are seen."""
    space = ""
    with contextlib.suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")
    return hashlib.sha256(f"{socket.gethostname()} {space}".encode()).hexdigest()[:8]


def started(pid: int) -> int:
    """When a process of this machine started, in ticks since the machine did.

    0 where the system does not tell, and :data:`ABSENT` if there is no such process. One that has
    ended and was not waited for counts as absent.
    """
    if sys.platform == "win32":
        return _alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return ABSENT
    except OSError:
        pass  # of another user
    try:
        # the name of the program, in brackets, may hold spaces
        told = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return ABSENT if told[0] in (b"Z", b"X") else int(told[19])
    except (OSError, ValueError, IndexError):
        return 0


def _alive_on_windows(pid: int) -> int:
    import ctypes

    kernel: Any = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    handle = kernel.OpenProcess(0x00100000, False, pid)  # SYNCHRONIZE
    if not handle:
        return ABSENT
    ended = kernel.WaitForSingleObject(handle, 0) == 0
    kernel.CloseHandle(handle)
    return ABSENT if ended else 0


def own_mark() -> str:
    """Mark of this process, for names of files and folders."""
    return f"{os.getpid()}-{max(0, started(os.getpid()))}-{machine()}"


def is_dead(mark: str) -> bool:
    """Whether the process of a mark is known to be gone; False for those of other machines."""
    found = re.fullmatch(MARK, mark)
    if found is None or found[3] != machine():
        return False
    now = started(int(found[1]))
    # the id may be that of a younger process by now
    return now == ABSENT or (0 not in (now, int(found[2])) and now != int(found[2]))


@functools.cache
def system_temporary() -> Path:
    """Folder for temporary files of this machine, whatever is in use in this process."""
    return Path(tempfile.gettempdir())


_OWN: dict[int, Path] = {}
"""Temporary folder by process id: a child that was forked has one of its own."""


def scratch_folder() -> Path:
    """Temporary folder of this process, made when it is first asked for.

    It is removed as the process ends. What dead processes left is removed as it is made.
    """
    pid = os.getpid()
    found = _OWN.get(pid)
    if found is None or not found.is_dir():
        sweep_scratch()
        made = tempfile.mkdtemp(prefix=f"{SCRATCH}{own_mark()}-", dir=system_temporary())
        _OWN[pid] = found = Path(made)
        atexit.register(_remove_own, pid)
    return found


def _remove_own(pid: int) -> None:
    if os.getpid() == pid and pid in _OWN:
        shutil.rmtree(_OWN.pop(pid), ignore_errors=True)


def sweep_scratch() -> int:
    """Remove temporary folders of this user's dead processes; returns how many there were."""
    removed = 0
    for entry in _entries(system_temporary()):
        found = re.match(rf"{SCRATCH}({MARK})-", entry.name)
        if found is None or not is_dead(found[1]):
            continue
        with contextlib.suppress(OSError):
            # a link, or a folder of somebody else, is not what we made
            if entry.is_dir(follow_symlinks=False) and _is_ours(entry):
                shutil.rmtree(entry.path, ignore_errors=True)
                removed += 1
    return removed


def _is_ours(entry: os.DirEntry[str]) -> bool:
    return sys.platform == "win32" or entry.stat(follow_symlinks=False).st_uid == os.getuid()


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []


@contextlib.contextmanager
def temporary_files_together() -> Iterator[Path]:
    """Send temporary files of every library, and of child processes, to the scratch folder.

    It is gone afterwards, with all that is in it.
    """
    folder = scratch_folder()
    names = ("TMPDIR", "TEMP", "TMP", "JOBLIB_TEMP_FOLDER")
    before, known = tempfile.tempdir, {name: os.environ.get(name) for name in names}
    tempfile.tempdir = str(folder)
    os.environ.update(dict.fromkeys(names, str(folder)))
    try:
        yield folder
    finally:
        tempfile.tempdir = before
        for name, value in known.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        _remove_own(os.getpid())
