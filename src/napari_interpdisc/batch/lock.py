"""One run at a time in a folder: a lock that ends with the process that holds it."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.processes import ABSENT, started
from napari_interpdisc.writing import cannot_write

FAR = 1 << 20
"""Place of the byte that Windows locks: one in the text would keep others from reading it."""

HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


class FolderLock:
    """Hold a folder for this process, as a context.

    The operating system holds the lock, so that it ends with the process however that ends. The
    file also names process and host: a machine does not see the locks of another on every disk.

    Parameters
    ----------
    file
        The file of the lock, in a folder that is there. It stays, and is empty when nobody holds
        the folder.
    what
        What is locked, in words, for the sentence.
    """

    def __init__(self, file: Path, what: str) -> None:
        self.file, self.what = file, what
        self._open: IO[str] | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises
        ------
        InvalidInput
            If another run holds it, here or on another machine, or it cannot be written to.
        """
        try:
            handle = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as fault:
            raise cannot_write(self.file, fault) from None
        opened = os.fdopen(handle, "r+", encoding="utf-8")
        try:
            free = _locked(opened.fileno())
            opened.seek(0)
            holder = _holder(opened.read())
            here = socket.gethostname()
            if not free:
                raise InvalidInput(
                    f"{self.what} is in use by another run{_told(holder)}; wait until it ends, or "
                    "choose another folder."
                )
            if holder and holder["host"] != here:
                raise InvalidInput(
                    f"{self.what} is in use by another run{_told(holder)}; if that one is gone, "
                    f"remove {self.file} and start again."
                )
            # what the file still says of a process here is stale: the system gave us the lock
            opened.seek(0)
            opened.truncate()
            json.dump({"pid": os.getpid(), "host": here}, opened)
            opened.flush()
            os.fsync(opened.fileno())
        except OSError as fault:
            opened.close()
            raise cannot_write(self.file, fault) from None
        except BaseException:
            opened.close()
            raise
        self._open = opened
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the lock back."""
        if self._open is not None:
            self._open.seek(0)
            self._open.truncate()
            self._open.close()
            self._open = None


def _locked(handle: int) -> bool:
    """Whether the system gave the lock of an open file to this process."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        if fault.errno in HELD:
            return False
        if fault.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL):
            raise
        return not _lives(handle)  # a disk without locks
    return True


def _lives(handle: int) -> bool:
    """Whether the process that a lock names runs on this machine."""
    os.lseek(handle, 0, os.SEEK_SET)
    holder = _holder(os.read(handle, FAR).decode("utf-8", "replace"))
    if not holder or holder["host"] != socket.gethostname() or sys.platform == "win32":
        return False
    return holder["pid"].isdecimal() and started(int(holder["pid"])) != ABSENT


def _holder(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
        return {"pid": str(found["pid"]), "host": str(found["host"])}
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}


def _told(holder: dict[str, str]) -> str:
    return f" (process {holder['pid']} on {holder['host']})" if holder else ""
