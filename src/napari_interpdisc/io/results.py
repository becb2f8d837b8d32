"""Result tables, with their settings beside them; a file is whole or not there."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import platform
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_interpdisc.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

TABLE_SUFFIXES = (".csv", ".parquet")
LONGEST_NAME = 80

PARTIAL = ".partial"
"""What the name of a file has in it until the file is whole."""

RECORDED = ("napari-interpdisc", "torch", "numpy", "scikit-image", "captum", "napari")


class CannotWrite(InvalidInput):
    """A place cannot be written to: the disk is full, or there is no permission."""


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on, without importing them."""
    found = {"python": platform.python_version()}
    for name in RECORDED:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def check_writable(path: str | Path) -> Path:
    """Return ``path`` if a file can be written there: to be called before long work.

    Raises
    ------
    InvalidInput
        If its folder does not exist or cannot be written to, or ``path`` is a folder.
    """
    target = Path(path)
    folder = target.parent
    if not folder.is_dir():
        raise InvalidInput(f"The folder {folder} does not exist; create it or choose another.")
    if target.is_dir():
        raise InvalidInput(f"{target} is a folder; give the name of a file.")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as fault:
        raise cannot_write(target, fault) from None
    return target


def check_table_path(path: str | Path, inputs: Iterable[str | Path | None] = ()) -> Path:
    """Return ``path`` if a table, and the JSON file beside it, can be written there.

    Parameters
    ----------
    path
        The table.
    inputs
        Files that are read, which the table and its JSON file must not replace; None for none.

    Raises
    ------
    InvalidInput
        For another suffix than .csv or .parquet, a place that cannot be written to, an input, or a
        JSON file that this package did not write or that belongs to another table.
    """
    target = Path(path)
    if target.suffix.lower() not in TABLE_SUFFIXES:
        raise InvalidInput(f"{target} is no table: end the file name in .csv or .parquet.")
    given = tuple(inputs)
    beside = check_writable(settings_path(target))
    check_no_input(target, given)
    check_no_input(beside, given)
    if beside.exists() and (other := _table_of(beside)) != target:
        if other is None:
            raise InvalidInput(
                f"The settings of {target.name} would replace {beside}, which napari-interpdisc "
                "did not write; choose another name for the table, or move that file."
            )
        if other.exists() and not _is_same(other, target):
            raise InvalidInput(
                f"The settings of {target.name} would replace {beside}, which belongs to "
                f"{other.name}; choose another name for the table, or move both."
            )
    return check_writable(target)


def check_no_input(path: str | Path, inputs: Iterable[str | Path | None]) -> Path:
    """Return ``path`` if it is none of the files that are read.

    Raises
    ------
    InvalidInput
        If writing it would replace one of them.
    """
    target = Path(path)
    for one in inputs:
        if one is not None and _is_same(target, Path(one)):
            raise InvalidInput(
                f"Writing {target} would replace {one}, which is read here; choose another name "
                "for the result."
            )
    return target


def _is_same(a: Path, b: Path) -> bool:
    try:
        return a.resolve() == b.resolve() or a.samefile(b)
    except (OSError, RuntimeError):  # one is not there yet
        return False


def _table_of(beside: Path) -> Path | None:
    """Table whose settings a JSON file holds; None if :func:`write_table` did not write it."""
    try:
        note = json.loads(beside.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not (isinstance(note, dict) and note.keys() >= {"table", "rows", "versions"}):
        return None
    return beside.with_name(Path(str(note["table"])).name or beside.name)


def safe_name(text: str) -> str:
    """``text`` as part of a file name: letters, digits, points and hyphens; others become ``_``.

    A text that is changed ends in a few digits of its hash, so that two texts stay two names.
    """
    safe = re.sub(r"[^\w.-]+", "_", text).strip("._")[:LONGEST_NAME]
    if safe == text:
        return text
    return f"{safe or 'unnamed'}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def settings_path(table: Path) -> Path:
    """Where the settings of ``table`` are written."""
    return table.with_suffix(".json")


def settings_text(settings: Mapping[str, Any]) -> str:
    """Settings as JSON; what JSON does not know becomes text."""
    return json.dumps(settings, indent=1, default=str, ensure_ascii=False) + "\n"


def write_table(frame: pd.DataFrame, settings: Mapping[str, Any], path: str | Path) -> Path:
    """Write a table as CSV or Parquet, and settings and versions as JSON beside it.

    Each file is written under another name, and takes its own only when it is complete: what was
    there before stays until then.

    Raises
    ------
    InvalidInput
        If the suffix is unknown, or the disk is full or may not be written to.
    """
    target = check_table_path(path)

    def write(partial: Path) -> None:
        if target.suffix.lower() == ".csv":
            frame.to_csv(partial, index=False)
        else:
            frame.to_parquet(partial, index=False)

    note = {"table": target.name, "rows": len(frame), "versions": versions(), **settings}
    text = settings_text(note)
    with contextlib.ExitStack() as stack:
        table = stack.enter_context(_partial(target))
        beside = stack.enter_context(_partial(settings_path(target)))
        old = stack.enter_context(_partial(target.with_stem(f"{target.stem}.old")))
        _guarded(target, lambda: write(table))
        _guarded(target, lambda: beside.write_text(text, "utf-8"))
        _guarded(target, lambda: _flush(table))
        _guarded(target, lambda: _flush(beside))
        if target.exists():
            _guarded(target, lambda: shutil.copyfile(target, old))
        try:
            _guarded(target, lambda: table.replace(target))
            _guarded(target, lambda: beside.replace(settings_path(target)))
        except InvalidInput:
            # a table must never stand beside the settings of another
            if old.exists():
                old.replace(target)
            else:
                target.unlink(missing_ok=True)
            raise
    return target


def write_whole(path: str | Path, write: Callable[[Path], object]) -> Path:
    """Call ``write(partial)`` and give the file the name ``path`` once it is complete.

    Raises
    ------
    InvalidInput
        If the disk is full or may not be written to; ``path`` is then as it was.
    """
    target = check_writable(path)
    with _partial(target) as partial:
        _guarded(target, lambda: write(partial))
        _guarded(target, lambda: _flush(partial))
        _guarded(target, lambda: partial.replace(target))
        _guarded(target, lambda: flush_folder(target.parent))
    return target


def check_empty_folder(path: str | Path) -> Path:
    """Return ``path`` if a new folder can be made there: to be called before long work.

    Raises
    ------
    InvalidInput
        If it has no name, such as ``.``, is a file or a folder with something in it, or its parent
        cannot be written to.
    """
    target = Path(path)
    if target.name in ("", ".."):
        raise InvalidInput(f"'{target}' is no name for a new folder; give one, such as 'results'.")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InvalidInput(f"{target} already exists and is not empty; choose another folder.")
    check_writable(target.parent / f".{target.name}.probe")
    return target


@contextlib.contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Fill a folder under another name; it becomes ``path`` at the end, or vanishes on a fault.

    Raises
    ------
    InvalidInput
        If something is there already, or the disk is full or may not be written to.
    """
    target = check_empty_folder(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        partial.mkdir()
        yield partial
        if target.exists():
            target.rmdir()
        partial.replace(target)
    except OSError as fault:
        raise cannot_write(target, fault) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """Name of an unfinished file beside ``target``; removed if it is still there at the end."""
    # the suffix stays last: some writers choose the format by it
    # processes of several machines may write to one disk: their ids do not tell them apart
    name = f".{target.stem}.{os.getpid()}-{secrets.token_hex(3)}{PARTIAL}{target.suffix}"
    partial = target.with_name(name)
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def _flush(path: Path) -> None:
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


def _guarded(target: Path, action: Callable[[], object]) -> None:
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
    return CannotWrite(f"{target} cannot be written: {fault.strerror or fault}.")
