"""What a file holds, by its header alone: some KB are read, and no table."""

from __future__ import annotations

import contextlib
import gzip
import json
import zlib
from pathlib import Path

from napari_interpdisc.io.dialects import matching_dialects

HEADER_BYTES = 65_536
"""How much of a text file is looked at."""

HEADER_LINES = 12
"""A header is among the first lines; programs write a preamble before it."""

MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))
"""Byte order marks, and the encodings that they stand for."""


def header_rows(path: str | Path) -> list[list[str]]:
    """First rows of a text table, each as its fields without quotes and spaces; [] if it is none.

    The first row of names may follow a preamble; the caller looks for it.
    """
    try:
        opened = gzip.open if Path(path).suffix.lower() == ".gz" else open
        with opened(path, "rb") as file:
            head = file.read(HEADER_BYTES)
    except (OSError, EOFError, zlib.error):
        return []
    encoding = next((name for mark, name in MARKS if head.startswith(mark)), "utf-8")
    if encoding != "utf-16" and b"\0" in head:
        return []
    lines = head.decode(encoding, errors="replace").splitlines()[:HEADER_LINES]
    rows = []
    for line in lines:
        separator = max("\t;,", key=line.count)
        rows.append([field.strip().strip('"').strip() for field in line.split(separator)])
    return rows


def parquet_columns(path: str | Path) -> list[str]:
    """Names of the columns of a Parquet file, from its footer; [] if it is none."""
    import pyarrow
    from pyarrow import parquet

    try:
        return [str(name) for name in parquet.read_schema(path).names]
    except (OSError, ValueError, pyarrow.ArrowException):
        return []


def is_napari_layer(columns: list[str]) -> bool:
    """Whether these are the columns of a table that napari writes of Points or Shapes."""
    return {"axis-0", "axis-1"} <= set(columns)


def names_cells(columns: list[str]) -> bool:
    """Whether a table with these columns has a position of y and x in each row."""
    return not is_napari_layer(columns) and bool(matching_dialects(columns))


def is_btrack(path: str | Path) -> bool:
    """Whether an HDF5 file has the groups of objects and tracks that btrack writes."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return isinstance(file.get("objects"), h5py.Group) and isinstance(
                file.get("tracks"), h5py.Group
            )
    except (OSError, RuntimeError, ValueError, KeyError):  # h5py, of a damaged file
        return False


def is_geff(path: str | Path) -> bool:
    """Whether a folder is a GEFF store: its attributes say so."""
    for name in ("zarr.json", ".zattrs"):
        with contextlib.suppress(OSError, ValueError, AttributeError, RecursionError):
            attributes = json.loads((Path(path) / name).read_text("utf-8"))
            if name == "zarr.json":
                attributes = attributes.get("attributes")
            if attributes.get("geff") is not None:
                return True
    return False


def holds_cells(path: str | Path) -> bool:
    """Whether a file is a table of cells, btrack's HDF5 file, or a GEFF store.

    napari's own tables of Points and Shapes are none: napari opens them.
    """
    source = Path(path)
    suffix = source.suffix.lower()
    if source.is_dir():
        return is_geff(source)
    if suffix in (".h5", ".hdf5"):
        return is_btrack(source)
    if suffix == ".parquet":
        return names_cells(parquet_columns(source))
    if suffix == ".xml":
        return _is_trackmate(source)
    if suffix in (".csv", ".tsv") or source.name.lower().endswith((".csv.gz", ".tsv.gz")):
        return any(names_cells(row) for row in header_rows(source))
    return False


def _is_trackmate(path: Path) -> bool:
    """Whether an XML file is one of TrackMate."""
    try:
        with path.open("rb") as file:
            return b"<TrackMate" in file.read(HEADER_BYTES)
    except OSError:
        return False
