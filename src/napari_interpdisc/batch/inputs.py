"""The images of a plan, each with its cells: found by a pattern, a table, or a plate."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from napari_interpdisc.batch.plan import Images
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.movie_rows import read_movie_rows
from napari_interpdisc.io.ome_zarr import plate_fields

_PIECES = re.compile(r"(\{\w+\}|\*\*/|\*|\?)")
_FIELD = re.compile(r"\{(\w*)\}")

HASHED_BELOW = 1 << 26
"""Bytes of a file up to which its content is noted, and not only its time of change."""


@dataclass(frozen=True)
class Item:
    """One image and its cells.

    Attributes
    ----------
    name
        What it is called in the results; no other one is called so.
    image
        The file or store.
    cells, cells_label
        The table of cells, or the name of a label image in the folder ``labels`` of the image.
    labels
        Segmentation from which the diameter is measured, if there is one.
    well, field
        Its place on a plate, if that is known.
    diameter, channel, channel_axis
        What differs from the plan; None where it does not.
    fault
        Why it cannot be used, in a sentence; empty for most.
    splits
        Table of divisions, if there is one.
    """

    name: str
    image: Path
    cells: Path | None = None
    cells_label: str | None = None
    labels: Path | None = None
    well: str = ""
    field: str = ""
    diameter: float | Literal["auto"] | None = None
    channel: int | None = None
    channel_axis: str | None = None
    fault: str = ""
    splits: Path | None = None

    @property
    def files(self) -> list[Path]:
        """All that is read of it."""
        given = (self.image, self.cells, self.labels, self.splits)
        return [path for path in given if path is not None]

    def note(self, root: Path) -> dict[str, Any]:
        """What is recorded of it, as plain values; paths are relative to ``root``."""
        return {
            "name": self.name,
            "well": self.well,
            "field": self.field,
            "image": relative(self.image, root),
            "cells": f"labels/{self.cells_label}"
            if self.cells is None
            else relative(self.cells, root),
            "labels": None if self.labels is None else relative(self.labels, root),
            "splits": None if self.splits is None else relative(self.splits, root),
            "diameter": self.diameter,
            "channel": self.channel,
            "channel_axis": self.channel_axis,
        }


def find_items(images: Images) -> list[Item]:
    """Images of a plan, by name.

    Raises
    ------
    InvalidInput
        If none is found, one has no cells, a name can be read in two ways, or two have one name or
        the same cells.
    """
    if images.pattern is not None:
        found = _of_pattern(images, images.pattern)
    elif images.table is not None:
        found = _of_table(images.table)
    else:
        assert images.plate is not None
        found = _of_plate(images, images.plate)
    _check_distinct(found)
    without = [item for item in found if item.fault]
    if without and images.missing == "refuse":
        more = f" ({len(without)} of {len(found)} images are like that)" * (len(without) > 1)
        raise InvalidInput(
            f'{without[0].fault}{more}; mend it, or set images.missing = "skip" in the plan.'
        )
    return sorted(found, key=lambda item: item.name)


def _check_distinct(items: list[Item]) -> None:
    for what, values in (
        ("name", [item.name for item in items]),
        ("file of cells", [str(item.cells) for item in items if item.cells is not None]),
    ):
        most, n = Counter(values).most_common(1)[0] if values else ("", 1)
        if n > 1:
            raise InvalidInput(
                f"{n} images have the same {what}, '{most}'; use a field in braces for all that "
                "tells them apart, or give a table with the columns image, cells and name."
            )


# -- by a pattern ---------------------------------------------------------------------------------


def _of_pattern(images: Images, pattern: str) -> list[Item]:
    pieces = _PIECES.split(pattern)
    names = [piece[1:-1] for piece in pieces if _FIELD.fullmatch(piece)]
    wild = "".join("*" if _FIELD.fullmatch(piece) else _globbed(piece) for piece in pieces)
    paths = sorted(Path(path).as_posix() for path in glob.glob(wild, recursive=True))
    if not paths:
        raise InvalidInput(f"No file matches images.pattern {pattern}; check the pattern.")
    if (
        not names
        and len(pieces) > 1
        and images.cells is not None
        and not _FIELD.search(images.cells)
    ):
        raise InvalidInput(
            f"images.pattern {pattern} has no field in braces that tells which cells belong to "
            "which image; write it as movies/{name}.tif, and cells as tracks/{name}.csv."
        )
    lazy, greedy = (_expression(pieces, more) for more in ("+?", "+"))
    items = []
    for path in paths:
        match, other = lazy.fullmatch(path), greedy.fullmatch(path)
        if match is None or other is None:
            continue  # one field twice, with two texts
        fields = match.groupdict()
        if fields != other.groupdict():
            raise InvalidInput(
                f"{path} can be read by images.pattern in two ways ({_listed(fields)}; or "
                f"{_listed(other.groupdict())}); use one field for both, or give a table of movies."
            )
        known = {**fields, "stem": _stem(Path(path))}
        name = "_".join(fields.values()) or _below(pieces[0], Path(path))
        place = fields.get("well", ""), fields.get("field", "")
        items.append(_paired(images, name, Path(path), known, *place))
    return items


def _globbed(piece: str) -> str:
    return piece if _PIECES.fullmatch(piece) else glob.escape(piece)


def _expression(pieces: list[str], repeated: str) -> re.Pattern[str]:
    known: set[str] = set()
    text = ""
    for piece in pieces:
        field = _FIELD.fullmatch(piece)
        if field and field[1] in known:
            text += f"(?P={field[1]})"
        elif field:
            known.add(field[1])
            text += f"(?P<{field[1]}>[^/]{repeated})"
        else:
            wild = {"*": "[^/]*", "?": "[^/]", "**/": "(?:.*/)?"}
            text += wild.get(piece, re.escape(piece))
    return re.compile(text)


def _listed(fields: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in fields.items())


def _stem(path: Path) -> str:
    """Name without its suffix, and without .ome before it."""
    return path.stem.removesuffix(".ome")


def _below(fixed: str, path: Path) -> str:
    """Name of a path by all that the pattern leaves open."""
    start = fixed.rpartition("/")[0]
    below = path.relative_to(start) if start else path
    return "_".join((*below.parent.parts, _stem(path)))


def _paired(
    images: Images, name: str, image: Path, fields: Mapping[str, str], well: str, field: str = ""
) -> Item:
    """An image with its cells and labels, or with the sentence why it has none."""
    cells = labels = splits = None
    fault = ""
    try:
        if images.cells is not None:
            cells = _beside(images.cells, "images.cells", fields, image)
        elif not (image / "labels" / str(images.cells_label)).is_dir():
            raise _NoCells(f"{image} has no label image labels/{images.cells_label}")
        if images.labels is not None:
            labels = _beside(images.labels, "images.labels", fields, image)
        if images.splits is not None:
            splits = _beside(images.splits, "images.splits", fields, image)
    except _NoCells as none:
        fault = str(none)
    return Item(
        name, image, cells, images.cells_label, labels, well, field, fault=fault, splits=splits
    )


class _NoCells(Exception):
    """An image has no cells, or no labels."""


def _beside(template: str, key: str, fields: Mapping[str, str], image: Path) -> Path:
    """The file that belongs to an image."""
    strange = [one for one in _FIELD.findall(template) if one not in fields]
    if strange:
        raise InvalidInput(
            f"{key} {template} has the field {{{strange[0]}}}, which the images do not have; they "
            f"have {', '.join(f'{{{name}}}' for name in fields)}."
        )
    wild = "".join(
        glob.escape(fields[piece[1:-1]]) if _FIELD.fullmatch(piece) else _globbed(piece)
        for piece in _PIECES.split(template)
    )
    found = sorted(glob.glob(wild, recursive=True))
    if len(found) > 1:
        raise InvalidInput(
            f"{key} finds {len(found)} files for {image} ({found[0]}, {found[1]}); write it so "
            "that it finds one."
        )
    if not found:
        raise _NoCells(f"{image} has no {key.removeprefix('images.')}: there is no file {wild}")
    return Path(found[0])


# -- by a table, and of a plate -------------------------------------------------------------------


def _of_table(path: Path) -> list[Item]:
    items = []
    for row in read_movie_rows(path, more=("name", "well", "splits")):
        image = path.parent / row.text["image"]
        cells = path.parent / row.text["cells"]
        labels = path.parent / row.text["labels"] if row.text["labels"] else None
        splits = path.parent / row.text["splits"] if row.text["splits"] else None
        absent = [file for file in (image, cells, labels, splits) if file and not file.exists()]
        items.append(
            Item(
                row.text["name"] or _stem(image),
                image,
                cells,
                None,
                labels,
                row.text["well"],
                "",
                row.diameter,
                row.channel,
                row.text["channel_axis"] or None,
                f"{path} names {absent[0]}, which is not there" if absent else "",
                splits,
            )
        )
    return items


def _of_plate(images: Images, plate: Path) -> list[Item]:
    items = []
    for one in plate_fields(plate):
        known = {"well": one.well, "row": one.row, "column": one.column, "field": one.field}
        items.append(
            _paired(images, f"{one.well}_{one.field}", one.image, known, one.well, one.field)
        )
    return items


# -- whether they changed -------------------------------------------------------------------------


def relative(path: Path, root: Path) -> str:
    """A path as seen from a folder, so that both may be moved; absolute on another drive."""
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:
        return path.absolute().as_posix()


def fingerprint(paths: list[Path]) -> list[dict[str, Any]]:
    """Size of each file, and its SHA-256, or its time of change if it is large; of folders too.

    Raises
    ------
    InvalidInput
        If one is not there, or cannot be read.
    """
    return [_fingerprint(path) for path in paths]


def _fingerprint(path: Path) -> dict[str, Any]:
    try:
        if path.is_dir():
            return {"file": path.name, **_of_folder(path)}
        found = path.stat()
        if found.st_size >= HASHED_BELOW:
            return {"file": path.name, "size": found.st_size, "mtime_ns": found.st_mtime_ns}
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"file": path.name, "size": found.st_size, "sha256": digest}
    except FileNotFoundError:
        raise InvalidInput(f"There is no file {path}; check the path.") from None
    except OSError as fault:
        raise InvalidInput(f"{path} cannot be read ({fault.strerror}).") from None


def _of_folder(path: Path) -> dict[str, Any]:
    """Files, bytes, and a hash of all names, sizes and times of change below a folder."""
    digest, n, size = hashlib.sha256(), 0, 0
    for folder, inner, files in os.walk(path):
        inner.sort()
        for name in sorted(files):
            file = os.path.join(folder, name)
            found = os.stat(file)
            n, size = n + 1, size + found.st_size
            below = os.path.relpath(file, path)
            digest.update(f"{below}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return {"files": n, "size": size, "listing_sha256": digest.hexdigest()}
