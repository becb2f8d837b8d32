"""Annotations that nobody saved yet, as small files: one for each window. No Qt, no napari here.

    <cache folder>/unsaved-annotations/<shape>.<window>.<process>.json

The name has the shape of the image, so that files of others need not be opened. It has the mark of
the process that writes it, so that another one sees whether that still runs; ``left`` stands there
once the window is closed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.guarded_files import read_file, strict_json
from napari_interpdisc.processes import MARK, is_dead, machine, own_mark
from napari_interpdisc.samples import cache_folder
from napari_interpdisc.widgets.canvas.image_identity import ImageIdentity
from napari_interpdisc.widgets.discover.annotations import MAX_CLASSES, Mark
from napari_interpdisc.writing import check_writable, guarded_write, write_whole

FOLDER = "unsaved-annotations"
MOST_FILES = 50
LONGEST_DAYS = 30
LARGEST = 32 * 2**20
"""Bytes of a file that is read: some 500,000 annotations."""

REST = 3600.0
"""Seconds after which a file of another machine, which cannot be asked, counts as left."""

LEFT, DAMAGED = "left", ".damaged"
NAME = re.compile(rf"(\d+(?:x\d+)*)\.([0-9a-f]{{12}})\.({LEFT}|{MARK})\.json(?:{DAMAGED})?")


Place = tuple[str, int, float, float]


def places(marks: Iterable[Mark]) -> frozenset[Place]:
    """Classes and where they are: what makes two sets of marks the same."""
    return frozenset((m.name, m.t, m.y, m.x) for m in marks)


@dataclass(frozen=True)
class LeftAnnotations:
    """Annotations of a window that is gone.

    Attributes
    ----------
    image
        What they are of.
    classes, marks
        As in :class:`napari_interpdisc.widgets.discover.annotations.Annotations`; no mark has a
        row.
    saved
        When the last of them was made.
    file
        Where they are.
    """

    image: ImageIdentity
    classes: tuple[str, ...]
    marks: tuple[Mark, ...]
    saved: datetime
    file: Path

    def sentence(self) -> str:
        """Say what they are: how many, of which image, and of when."""
        n = len(self.marks)
        some = "1 annotation" if n == 1 else f"{n} annotations"
        when = f"{self.saved.day} {self.saved:%b %H:%M}"
        return (
            f"{some} of '{self.image.name}' of {when} {'was' if n == 1 else 'were'} left unsaved."
        )


_Name = Annotated[str, Field(min_length=1, max_length=200)]
_Pixel = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
_Frame = Annotated[int, Field(ge=0, lt=2**31)]
_Track = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class _Image(BaseModel):
    name: str
    path: str
    shape: tuple[int, ...]
    digest: str


class _Content(BaseModel):
    """A file; fields are those that :meth:`UnsavedFile.write` writes."""

    unsaved_annotations: Literal[1]
    saved: datetime
    image: _Image
    classes: Annotated[list[_Name], Field(max_length=MAX_CLASSES)]
    marks: list[tuple[_Name, _Frame, _Pixel, _Pixel, _Track]]


def unsaved_folder() -> Path:
    """Folder of these files; it need not be there.

    Raises
    ------
    InvalidInput
        If this user has no home folder.
    """
    try:
        return cache_folder() / FOLDER
    except RuntimeError:
        raise InvalidInput(
            "There is no home folder; set INTERPDISC_CACHE to a folder that can be written."
        ) from None


def check_folder() -> Path:
    """Return the folder, made if need be, rid of what is too old or too much.

    Raises
    ------
    InvalidInput
        If it cannot be written.
    """
    folder = unsaved_folder()
    guarded_write(folder, lambda: folder.mkdir(parents=True, exist_ok=True))
    check_writable(folder / "probe.json")
    remove_old(folder)
    return folder


class UnsavedFile:
    """The file of one window: written again and again, removed once the annotations are saved.

    Attributes
    ----------
    path
        Where it is; None as long as nothing was written.
    image, classes, places
        What was written last.
    """

    def __init__(self) -> None:
        self._carried: list[tuple[Path, frozenset[Place]]] = []
        self._begin()

    def _begin(self) -> None:
        self._window = secrets.token_hex(6)
        self.path: Path | None = None
        self.image: ImageIdentity | None = None
        self.classes: tuple[str, ...] = ()
        self.places: frozenset[Place] = frozenset()

    @property
    def is_left(self) -> bool:
        """Whether it was left to others."""
        return self.path is not None and self.path.name.split(".")[2] == LEFT

    def has(self, image: ImageIdentity, classes: Sequence[str], marks: Iterable[Mark]) -> bool:
        """Whether this is on the disk already, and not left."""
        return (
            self.path is not None
            and not self.is_left
            and (self.image, self.classes, self.places) == (image, tuple(classes), places(marks))
            and self.path.exists()
        )

    def write(self, image: ImageIdentity, classes: Sequence[str], marks: Sequence[Mark]) -> Path:
        """Write marks in place of those that were written before; returns the file.

        What was written of another image, or was left with marks that are not among these, stays
        as a file of its own.

        Raises
        ------
        InvalidInput
            If the disk refuses it.
        """
        new = places(marks)
        gone = self.is_left and not self.places <= new
        if self.image is not None and (gone or not image.is_same(self.image)):
            self.leave()
            if self.path is not None and self.places <= new:
                self._carried.append((self.path, self.places))
            self._begin()
        shape = "x".join(map(str, image.shape))
        target = unsaved_folder() / f"{shape}.{self._window}.{own_mark()}.json"
        content = {
            "unsaved_annotations": 1,
            "saved": datetime.now().astimezone().isoformat(timespec="seconds"),
            "image": asdict(image),
            "classes": list(classes),
            "marks": [(m.name, m.t, m.y, m.x, m.track_id) for m in marks],
        }
        text = json.dumps(content, ensure_ascii=False, allow_nan=False)
        write_whole(target, lambda partial: partial.write_text(text, "utf-8"))
        if self.path not in (None, target):
            _remove(self.path)
        self.path, self.image, self.classes, self.places = target, image, tuple(classes), new
        return target

    def leave(self) -> None:
        """Let others have it: the window is closed, or its annotations were taken out of it."""
        if self.path is None:
            return
        shape, window, *_ = self.path.name.split(".")
        left = self.path.with_name(f"{shape}.{window}.{LEFT}.json")
        with contextlib.suppress(OSError):
            os.replace(self.path, left)
            self.path = left

    def remove(self, kept: frozenset[Place] = frozenset()) -> None:
        """Remove it: its annotations were saved, or taken away.

        One that was left stays, unless all that is in it is among those that are ``kept``; so do
        those of other channels, from which these annotations were carried on.
        """
        for path, places in self._carried:
            if places <= kept:
                _remove(path)
        if not self.is_left or self.places <= kept:
            _remove(self.path)
        self._begin()


def read_unsaved(path: Path) -> LeftAnnotations:
    """Read a file of unsaved annotations.

    Raises
    ------
    InvalidInput
        If it is damaged.
    """
    note = strict_json(read_file(path, LARGEST), str(path))
    try:
        found = _Content.model_validate(note)
    except ValidationError as fault:
        first = fault.errors(include_url=False)[0]
        at = ".".join(map(str, first["loc"]))
        raise InvalidInput(f"{path} holds no annotations ({first['msg']}, at '{at}').") from None
    about = found.image
    return LeftAnnotations(
        ImageIdentity(about.name, about.path, about.shape, about.digest),
        tuple(found.classes),
        tuple(Mark(*row) for row in found.marks),
        found.saved.astimezone(),
        path,
    )


def left_files(shapes: Iterable[Sequence[int]]) -> list[Path]:
    """Files of images of some shapes that no living window writes, the newest first."""
    wanted = {"x".join(map(str, shape)) for shape in shapes}
    try:
        entries = _entries(unsaved_folder())
    except InvalidInput:
        return []
    found = [
        (modified, path)
        for modified, path, match in entries
        if match[1] in wanted and not path.name.endswith(DAMAGED) and _is_left(match, modified)
    ]
    return [path for _, path in sorted(found, reverse=True)]


def find_left(images: Iterable[ImageIdentity]) -> tuple[list[LeftAnnotations], list[str]]:
    """Annotations that were left of some images, the newest first, and a sentence for each fault.

    What a newer file has as well is left out. A damaged file is told once: it gets another name.
    """
    known = tuple(images)
    found: list[LeftAnnotations] = []
    faults = []
    for path in left_files(image.shape for image in known):
        try:
            one = read_unsaved(path)
        except InvalidInput as fault:
            if path.exists():  # else somebody restored it meanwhile
                faults.append(f"{str(fault).rstrip('.')}; it was passed over.")
                with contextlib.suppress(OSError):
                    os.replace(path, path.with_name(path.name + DAMAGED))
            continue
        if one.marks and any(one.image.is_same(image) for image in known):
            own = places(one.marks)
            if not any(o.image.is_same(one.image) and own <= places(o.marks) for o in found):
                found.append(one)
    return found, faults


def discard(left: LeftAnnotations) -> None:
    """Remove annotations for good, and older files that have nothing beside them."""
    for path in left_files([left.image.shape]):
        with contextlib.suppress(InvalidInput):
            other = read_unsaved(path)
            if other.image.is_same(left.image) and places(other.marks) <= places(left.marks):
                _remove(path)
    _remove(left.file)


def remove_old(folder: Path) -> int:
    """Remove files that are too old or too many, none of a living window; returns how many."""
    oldest = time.time() - 86400 * LONGEST_DAYS
    removed = 0
    for k, (modified, path, match) in enumerate(sorted(_entries(folder), reverse=True)):
        if (k >= MOST_FILES or modified < oldest) and _is_left(match, modified):
            _remove(path)
            removed += 1
    return removed


def _is_left(match: re.Match[str], modified: float) -> bool:
    mark = match[3]
    if mark == LEFT or is_dead(mark):
        return True
    return mark.rpartition("-")[2] != machine() and modified < time.time() - REST


def _entries(folder: Path) -> list[tuple[float, Path, re.Match[str]]]:
    """When each of our files was written, where it is, and the parts of its name."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                match = NAME.fullmatch(entry.name)
                if match is not None:
                    with contextlib.suppress(OSError):
                        modified = entry.stat(follow_symlinks=False).st_mtime
                        found.append((modified, Path(entry.path), match))
    except OSError:
        return []
    return found


def _remove(path: Path | None) -> None:
    if path is not None:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
