"""Result tables, with their settings beside them; a file is whole or not there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.writing import (
    PARTIAL,
    CannotWrite,
    cannot_write,
    check_empty_folder,
    check_no_input,
    check_writable,
    flush,
    flush_folder,
    guarded_write,
    is_same,
    new_folder,
    partial_file,
    write_whole,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "PARTIAL",
    "TABLE_SUFFIXES",
    "CannotWrite",
    "cannot_write",
    "check_empty_folder",
    "check_no_input",
    "check_table_path",
    "check_writable",
    "doubt_of_pair",
    "flush_folder",
    "new_folder",
    "safe_name",
    "settings_path",
    "settings_text",
    "versions",
    "write_table",
    "write_whole",
]

TABLE_SUFFIXES = (".csv", ".parquet")
LONGEST_NAME = 80

TABLE_SHA256 = "table_sha256"
"""Field of the settings with the hash of the table they belong to."""

RECORDED = ("napari-interpdisc", "torch", "numpy", "scikit-image", "captum", "napari")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on, without importing them."""
    found = {"python": platform.python_version()}
    for name in RECORDED:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


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
    beside = check_writable(settings_path(target), given)
    if beside.exists() and (other := _table_of(beside)) != target:
        if other is None:
            raise InvalidInput(
                f"The settings of {target.name} would replace {beside}, which napari-interpdisc "
                "did not write; choose another name for the table, or move that file."
            )
        if other.exists() and not is_same(other, target):
            raise InvalidInput(
                f"The settings of {target.name} would replace {beside}, which belongs to "
                f"{other.name}; choose another name for the table, or move both."
            )
    return check_writable(target, given)


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
    there before stays until then. The settings hold the SHA-256 of the table, so that
    :func:`doubt_of_pair` knows a pair that does not belong together.

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

    told = {"table": target.name, "rows": len(frame), "versions": versions(), **settings}
    note = settings_path(target)
    with contextlib.ExitStack() as stack:
        table = stack.enter_context(partial_file(target))
        beside = stack.enter_context(partial_file(note))
        old = stack.enter_context(partial_file(note))
        guarded_write(target, lambda: write(table))
        guarded_write(target, lambda: flush(table))
        text = settings_text({**told, TABLE_SHA256: _sha256(table)})
        guarded_write(target, lambda: beside.write_text(text, "utf-8"))
        guarded_write(target, lambda: flush(beside))
        if note.exists():
            guarded_write(target, lambda: shutil.copyfile(note, old))
        # settings first: a process that is killed in between leaves settings that name the hash of
        # another table, or of none, and never a table without its settings
        guarded_write(target, lambda: os.replace(beside, note))
        try:
            guarded_write(target, lambda: os.replace(table, target))
        except CannotWrite:
            if old.exists():
                os.replace(old, note)
            else:
                note.unlink(missing_ok=True)
            raise
        guarded_write(target, lambda: flush_folder(target.parent))
    return target


def doubt_of_pair(table: str | Path) -> str:
    """Why a table and the settings beside it do not belong together; empty if they do.

    A table without settings, or with settings that name no hash, is not doubted.
    """
    target = Path(table)
    beside = settings_path(target)
    try:
        note = json.loads(beside.read_text("utf-8"))
        known = note.get(TABLE_SHA256) if note.get("table") == target.name else None
        if known is None or _sha256(target) == known:
            return ""
    except (OSError, ValueError, RecursionError, AttributeError):
        return ""
    return (
        f"{target} is not the table that {beside.name} describes: it was changed since, or a run "
        "was stopped while it wrote them."
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
