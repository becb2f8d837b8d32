"""Writing that is whole or not there: files and folders, checked before work and safe after it.

One guard for every place that is written to, and one way to write: under another name in the same
folder, flushed to the disk, then renamed. What a dead process left unfinished is removed; what a
living one is at stays.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

from napari_interpdisc.errors import InterpdiscError, InvalidInput
from napari_interpdisc.processes import MARK, is_dead, own_mark, system_temporary

T = TypeVar("T")

Inputs = Iterable[str | Path | None]
"""What is read, and must not be replaced; None for what was not given."""

PARTIAL = ".partial"
"""What the name of a file or folder has in it until it is whole."""

TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR)


class CannotWrite(InvalidInput):
    """A place cannot be written to: the disk is full, or there is no permission."""


class KeptElsewhere(CannotWrite):
    """A result could not be written where it was asked for, and is whole in another place.

    Attributes
    ----------
    target, place
        Where it was asked for, and where it is.
    """

    def __init__(self, fault: CannotWrite, target: Path, place: Path) -> None:
        super().__init__(f"{str(fault).removesuffix('.')}. The result was kept in {place}.")
        self.target, self.place = target, place


_KEPT: ContextVar[list[KeptElsewhere] | None] = ContextVar("kept", default=None)
"""Results of the work under way that are in other places, to be told at its end."""


def check_writable(path: str | Path, inputs: Inputs = ()) -> Path:
    """Return ``path`` if a file can be written there: to be called before long work.

    Parameters
    ----------
    path
        The file.
    inputs
        Files and folders that are read.

    Raises
    ------
    InvalidInput
        If its folder does not exist or cannot be written to, or ``path`` is a folder, a file that
        is read-only, one of the inputs, or inside one.
    """
    target = Path(path)
    folder = target.parent
    if not folder.is_dir():
        raise InvalidInput(f"The folder {folder} does not exist; create it or choose another.")
    if target.is_dir():
        raise InvalidInput(f"{target} is a folder; give the name of a file.")
    # a rename would replace it all the same; who may write to it, as root, may replace it too
    if target.exists() and not os.access(target, os.W_OK):
        raise CannotWrite(f"{target} is read-only; choose another name, or allow writing.")
    check_no_input(target, inputs)
    sweep_partials(folder)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as fault:
        raise cannot_write(target, fault) from None
    return target


def check_empty_folder(path: str | Path, inputs: Inputs = ()) -> Path:
    """Return ``path`` if a new folder can be made there: to be called before long work.

    Raises
    ------
    InvalidInput
        If it has no name, such as ``.``, is a file or a folder with something in it, is an input or
        inside one, or its parent cannot be written to.
    """
    target = Path(path)
    if target.name in ("", ".."):
        raise InvalidInput(f"'{target}' is no name for a new folder; give one, such as 'results'.")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InvalidInput(f"{target} already exists and is not empty; choose another folder.")
    check_no_input(target, inputs)
    check_writable(target.parent / f".{target.name}.probe")
    return target


def check_new_folder(path: str | Path, inputs: Inputs = ()) -> Path:
    """Return ``path`` if nothing is there, and a folder can be made, with those above it.

    Raises
    ------
    InvalidInput
        If something is there already, or as in :func:`check_empty_folder`.
    """
    target = Path(path)
    if target.exists() or target.is_symlink():
        raise InvalidInput(f"{target} already exists; choose another folder, nothing was written.")
    check_no_input(target, inputs)
    above = target.absolute().parent
    while not above.exists():
        above = above.parent
    check_writable(above / f".{target.name}.probe")
    return target


def check_filled_folder(path: str | Path, inputs: Inputs = ()) -> Path:
    """Return ``path`` if files can be written into it, made if need be.

    Raises
    ------
    InvalidInput
        If it is a file, an input or inside one, or cannot be made or written to.
    """
    target = Path(path)
    if target.exists() and not target.is_dir():
        raise InvalidInput(f"{target} is a file; give a folder.")
    check_no_input(target, inputs)
    above = target.absolute()
    while not above.exists():
        above = above.parent
    check_writable(above / ".probe")
    return target


def check_no_input(path: str | Path, inputs: Inputs) -> Path:
    """Return ``path`` if it is nothing that is read, nor would be.

    Raises
    ------
    InvalidInput
        If writing it would replace or change one of them.
    """
    target = Path(path)
    for one in inputs:
        if one is None:
            continue
        given = Path(one)
        if is_same(target, given):
            raise InvalidInput(
                f"Writing {target} would replace {one}, which is read here; choose another name "
                "for the result."
            )
        inside = _would_be_read(target, given)
        listed = any(letter in str(given) for letter in "*?[") and not given.exists()
        if inside or (listed and fnmatch.fnmatch(str(target), str(given))):
            raise InvalidInput(
                f"{target} would be among the files of {one}, which is read here; choose another "
                "place for the result."
            )
    return target


STORE_MARKS = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
"""Files by which a folder is one Zarr store."""


def _would_be_read(target: Path, given: Path) -> bool:
    """Whether a new file in an input folder would be a part of it.

    So is everything in a store, and in a folder of files what is of their kind: a table among
    pictures is none.
    """
    if not given.is_dir() or given.resolve() not in target.absolute().resolve().parents:
        return False
    named = given.suffix.lower() in (".zarr", ".geff")
    if named or any((given / mark).exists() for mark in STORE_MARKS):
        return True
    kind = target.suffix.lower()
    return bool(kind) and any(file.suffix.lower() == kind for file in given.iterdir())


def is_same(a: Path, b: Path) -> bool:
    """Whether two paths are one file or folder; a link is what it leads to."""
    try:
        return a.resolve() == b.resolve() or a.samefile(b)
    except (OSError, RuntimeError, ValueError):  # one is not there yet, or can never be
        return False


def write_whole(path: str | Path, write: Callable[[Path], object]) -> Path:
    """Call ``write(partial)`` and give the file the name ``path`` once it is complete.

    Raises
    ------
    InvalidInput
        If the disk is full or may not be written to; ``path`` is then as it was.
    """
    target = Path(path)
    if not target.parent.is_dir() or target.is_dir():
        check_writable(target)
    with partial_file(target) as partial:
        guarded_write(target, lambda: write(partial))
        guarded_write(target, lambda: flush(partial))
        guarded_write(target, lambda: os.replace(partial, target))
        guarded_write(target, lambda: flush_folder(target.parent))
    return target


@contextlib.contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Fill a folder under another name; it becomes ``path`` at the end, or vanishes on a fault.

    Of two that are filled for one name at once, the first to end has it.

    Raises
    ------
    CannotWrite
        If something is there already, or the disk is full or may not be written to.
    """
    try:
        target = check_empty_folder(path)
    except CannotWrite:
        raise
    except InvalidInput as fault:  # it was free when the work began
        raise CannotWrite(str(fault)) from None
    partial = partial_name(target)
    try:
        partial.mkdir()
        yield partial
        publish_folder(partial, target)
    except OSError as fault:
        raise cannot_write(target, fault) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def publish_folder(partial: Path, target: Path) -> None:
    """Flush a folder and all in it to the disk, and give it its name.

    Raises
    ------
    OSError
        If something is there by now, or the disk refuses it.
    """
    for above, _, files in os.walk(partial, topdown=False):
        for name in files:
            flush(Path(above) / name)
        flush_folder(Path(above))
    if os.name != "posix" and target.is_dir():
        target.rmdir()  # of POSIX, a rename replaces an empty folder, and no other, in one step
    os.rename(partial, target)
    flush_folder(target.parent)


def partial_name(target: Path) -> Path:
    """Name for an unfinished ``target`` beside it, marked as of this process."""
    # the suffix stays last: some writers choose the format by it
    # processes of several machines may write to one disk: their ids do not tell them apart
    name = f".{target.stem}.{own_mark()}-{secrets.token_hex(3)}{PARTIAL}{target.suffix}"
    return target.with_name(name)


@contextlib.contextmanager
def partial_file(target: Path) -> Iterator[Path]:
    """Name of an unfinished file beside ``target``; removed if it is still there at the end."""
    partial = partial_name(target)
    try:
        yield partial
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def sweep_partials(folder: Path, held: bool = False) -> int:
    """Remove what dead processes left unfinished in a folder; returns how much there was.

    Parameters
    ----------
    folder
        The folder; those in it are left alone.
    held
        Whether this process holds the folder: then whatever is unfinished in it is stale, also of
        processes of other machines, which are not seen from here.
    """
    removed = 0
    form = re.compile(rf"\..*\.({MARK})-[0-9a-f]{{6}}{re.escape(PARTIAL)}(\.\w+)*")
    try:
        with os.scandir(folder) as found:
            stale = [e for e in found if (m := form.fullmatch(e.name)) and (held or is_dead(m[1]))]
    except OSError:
        return 0
    for entry in stale:
        with contextlib.suppress(OSError):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)
            removed += 1
    return removed


def or_elsewhere(target: Path, write: Callable[[Path], T]) -> T:
    """Call ``write(target)``; if it cannot be written there, write it elsewhere and say so.

    Every result that a command writes once goes through this. Returned is what ``write`` returned.

    Parameters
    ----------
    target
        File or folder.
    write
        Writes the result to the path that it is given.

    Raises
    ------
    KeptElsewhere
        If the result is in another place: beside ``target`` if its name was taken, or the folder
        can be written to; else in a folder for temporary files, which is not removed. Within
        :func:`told_at_the_end` it is raised there: other results come first.
    CannotWrite
        If no place takes it.
    """
    try:
        return write(target)
    except CannotWrite as fault:
        for place in _elsewhere(target):
            try:
                written = write(place)
            except (InvalidInput, OSError):
                continue
            kept, told = KeptElsewhere(fault, target, place), _KEPT.get()
            if told is None:
                raise kept from None
            told.append(kept)
            return written
        raise


@contextlib.contextmanager
def told_at_the_end() -> Iterator[None]:
    """Let work go on after a result went elsewhere: it may have more results.

    Raises
    ------
    KeptElsewhere
        At the end, if any did; the sentence has all of them.
    """
    kept: list[KeptElsewhere] = []
    before = _KEPT.set(kept)
    try:
        yield
    except InterpdiscError as fault:
        if kept:
            raise InvalidInput(" ".join(map(str, (fault, *kept)))) from None
        raise
    finally:
        _KEPT.reset(before)
    if kept:
        first, *others = kept
        first.args = (" ".join(map(str, (first, *others))),)
        raise first


def place_of(target: Path) -> Path:
    """Where a result is that was asked for as ``target``: there, or elsewhere."""
    return next((one.place for one in _KEPT.get() or () if one.target == target), target)


def _elsewhere(target: Path) -> Iterator[Path]:
    beside = target.with_name(f"{target.stem}-{secrets.token_hex(3)}{target.suffix}")
    if beside.parent.is_dir():
        yield beside
    for folder in (system_temporary(), Path.home()):
        with contextlib.suppress(OSError):
            made = Path(tempfile.mkdtemp(prefix="interpdisc-kept-", dir=folder))
            yield made / target.name
            made.rmdir()  # it took nothing


def flush(path: Path) -> None:
    """Wait until the disk has the file: a disk that is full may say so only now."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def flush_folder(path: Path) -> None:
    """Wait until the disk has the names in a folder, where a system knows such a thing."""
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as fault:
        if fault.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network disks have no such call
            raise
    finally:
        os.close(handle)


def guarded_write(target: Path, action: Callable[[], object]) -> None:
    """Do something for ``target``.

    Raises
    ------
    CannotWrite
        If the disk refuses it.
    """
    try:
        action()
    except OSError as fault:
        raise cannot_write(target, fault) from None


def cannot_write(target: Path, fault: OSError) -> CannotWrite:
    """One sentence of a place that cannot be written to."""
    if fault.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        return CannotWrite(f"{target} was not written: the disk is full; free some space.")
    if fault.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return CannotWrite(
            f"{target} cannot be written: you have no permission there; choose another folder."
        )
    if fault.errno in TAKEN:
        return CannotWrite(
            f"{target} cannot be written: something of that name is there by now; choose another "
            "name."
        )
    return CannotWrite(f"{target} cannot be written: {fault.strerror or fault}.")
