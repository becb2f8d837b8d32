"""The folder of a run: which parts are finished, told by notes with sizes and hashes.

A part is a file that is written under another name and renamed when it is whole; its note is
written after it, in the same way. So a part without a note is not finished, and one whose size or
hash is not that of its note is not believed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_interpdisc.io.results import safe_name
from napari_interpdisc.writing import flush_folder, guarded_write, sweep_partials, write_whole

CELLS = "cells"
"""Name of the data set in the folder."""

WORK = "work"
"""Name of the folder for what is under way, and for notes."""


@dataclass(frozen=True)
class ImageFolder:
    """Where the parts of one image are, while it is under way and when it is finished.

    Attributes
    ----------
    root
        The folder of the run.
    name, well
        The image, and its well if that is known.
    """

    root: Path
    name: str
    well: str = ""

    @property
    def scratch(self) -> Path:
        """What is under way; gone when the image is finished."""
        return self.root / WORK / "unfinished" / safe_name(self.name)

    @property
    def parts(self) -> Path:
        """Parts of an image that is not finished."""
        return self.scratch / "parts"

    @property
    def prepared(self) -> Path:
        """Note of what was read of the image before it is worked on."""
        return self.scratch / "prepared.json"

    @property
    def table(self) -> Path:
        """Cells of the image, as they are worked on."""
        return self.scratch / "cells.parquet"

    @property
    def final(self) -> Path:
        """Folder of the data set with the parts of a finished image."""
        above = self.root / CELLS
        return (above / safe_name(self.well) if self.well else above) / safe_name(self.name)

    @property
    def note(self) -> Path:
        """Note of a finished image."""
        return self.root / WORK / "images" / f"{safe_name(self.name)}.json"

    def summary(self, kind: str) -> Path:
        """Rows of one image in a table of all, without the header."""
        return self.note.with_suffix(f".{kind}.csv")

    def block(self, number: int) -> Path:
        """Note of a finished part."""
        return self.scratch / f"block-{number:06d}.json"

    def make(self) -> None:
        """Make the folders that work on the image needs."""
        made(self.parts)
        made(self.note.parent)

    def finished(self) -> dict[str, Any] | None:
        """Note of the image if it is finished, with all its files as they were written."""
        found = read_note(self.note)
        if found is None:
            return None
        files = {**found["parts"], **found["summaries"]}
        return found if all(is_as_noted(self.root / n, one) for n, one in files.items()) else None

    def forget(self) -> None:
        """Remove everything of the image."""
        # the note first: nothing must ever look finished that is not
        self.note.unlink(missing_ok=True)
        for old in self.note.parent.glob(f"{self.note.stem}.*.csv"):
            old.unlink()
        for folder in (self.final, self.scratch):
            if folder.exists():
                shutil.rmtree(folder)

    def publish(self) -> None:
        """Move the parts to the data set, all at once."""
        made(self.final.parent)
        guarded_write(self.final, lambda: self.parts.rename(self.final))
        guarded_write(self.final, lambda: flush_folder(self.final.parent))

    def take_back(self) -> None:
        """Move parts back that were moved when the run was stopped, before the note was there."""
        if self.final.exists() and not self.note.exists():
            if self.parts.exists():
                shutil.rmtree(self.parts)
            made(self.scratch)
            self.final.rename(self.parts)


def made(folder: Path) -> Path:
    """Return a folder that is there.

    Raises
    ------
    CannotWrite
        If it cannot be made.
    """
    guarded_write(folder, lambda: folder.mkdir(parents=True, exist_ok=True))
    return folder


def write_note(path: Path, note: Mapping[str, Any]) -> None:
    """Write a note as JSON, whole or not at all."""
    text = json.dumps(note, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    write_whole(path, lambda partial: partial.write_text(text, "utf-8"))


def read_note(path: Path) -> dict[str, Any] | None:
    """What a note says; None if it is not there, or no note."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def noted(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file that was written."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"size": os.fstat(file.fileno()).st_size, "sha256": digest}


def is_as_noted(path: Path, note: Mapping[str, Any]) -> bool:
    """Whether a file is there with the size and hash that were noted."""
    try:
        return path.stat().st_size == note["size"] and noted(path) == dict(note)
    except OSError:
        return False


def sweep(root: Path) -> None:
    """Remove files that were being written when an earlier run was stopped.

    This process holds the folder, so that none of them is being written now.
    """
    for folder, _, _ in os.walk(root):
        sweep_partials(Path(folder), held=True)
