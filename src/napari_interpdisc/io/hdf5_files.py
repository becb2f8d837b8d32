"""HDF5 files that are written, on a disk that may refuse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, Literal

import h5py


class FaultKeeper(FileIO):
    """A file that keeps the fault of a write in place of raising it.

    HDF5 writes what it holds as it closes, and tries that again as the process ends. Where the disk
    is full, the process then crashes.

    Attributes
    ----------
    fault
        The first one; what was to be written from then on is lost.
    """

    fault: OSError | None = None

    def write(self, data: Any) -> int:
        """Write, as far as no write has failed."""
        wanted = memoryview(data).nbytes
        done = 0
        try:
            while self.fault is None and done < wanted:  # a disk may take a part
                done += super().write(memoryview(data).cast("B")[done:])
        except OSError as fault:
            self.fault = fault
        return wanted

    def truncate(self, size: int | None = None) -> int:
        """Cut or extend, as far as no write has failed."""
        try:
            if self.fault is None:
                return super().truncate(size)
        except OSError as fault:
            self.fault = fault
        return self.tell() if size is None else size

    def readinto(self, buffer: Any) -> int:
        """Read; what was never written is zeros."""
        room = memoryview(buffer).cast("B")
        found = super().readinto(room) or 0
        if self.fault is not None:
            room[found:] = bytes(len(room) - found)
            return len(room)
        return found

    def check(self) -> None:
        """Raise the fault, if there is one."""
        if self.fault is not None:
            raise self.fault


@contextmanager
def hdf5_file(path: Path, mode: Literal["w", "r+"]) -> Iterator[tuple[h5py.File, FaultKeeper]]:
    """Open a file to write; whether the disk took it all is known at the end.

    Parameters
    ----------
    path
        File to make ("w"), or to change ("r+").
    mode
        As h5py's.

    Yields
    ------
    The file, and what may be asked meanwhile whether a write has failed.

    Raises
    ------
    OSError
        If the disk refused a write.
    """
    with FaultKeeper(path, "w+" if mode == "w" else "r+") as below:
        try:
            with h5py.File(below, mode) as file:
                yield file, below
        except (OSError, RuntimeError, KeyError):
            below.check()  # what follows from a lost write is not what happened
            raise
        below.check()
