"""Zarr stores from strangers: what would run a program when it is read is refused by name.

Metadata alone are read here, as text. Which versions of zarr and numcodecs are installed does not
matter: a store is refused before either of them has seen it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.guarded_files import GROWS_FROM, check_growth, read_file, size_text

NODES = ("zarr.json", ".zarray")
"""Files that describe an array: of version 3, which describes groups too, and of version 2."""

CONSOLIDATED = ".zmetadata"
"""What all nodes below a group are, in version 2; version 3 has it in ``zarr.json``."""

TEXTS = frozenset(("vlen-utf8", "vlen-bytes"))
"""Codecs of texts, which decode into nothing else; tables of cells may have them."""

OBJECTS = frozenset(("pickle", "json", "json2", "msgpack", "msgpack2", "vlen-array")) | TEXTS
"""Codecs whose values are Python objects. Pickle runs whatever program a chunk holds."""

LARGEST_METADATA = 256 * 2**20
"""Bytes of the metadata of a node; those of a plate with all its levels are some 30 MB."""

LARGEST_CHUNK = 4 * 2**30
"""Bytes of a chunk, all of which are in memory when one of its values is read."""

MOST_NODES = 1_000_000
"""Folders that are looked at in a store of cells, which has about two for each column."""


def check_node(path: Path, texts: bool = False) -> None:
    """Refuse an array, or a group with consolidated metadata, that holds Python objects.

    Parameters
    ----------
    path
        Folder of the node. Nodes below it that its metadata do not tell of are not looked at.
    texts
        Whether texts are allowed, as in tables; images have none.

    Raises
    ------
    InvalidInput
        If a codec or a type is one of Python objects, a chunk is larger than
        :data:`LARGEST_CHUNK`, or the metadata are too large or no JSON.
    """
    for name in (*NODES, CONSOLIDATED):
        file = path / name
        if not os.path.lexists(file):
            continue
        for node in _described(_json(file), name == CONSOLIDATED):
            _check(path, node, texts)


def check_store(path: Path, texts: bool = False) -> None:
    """Refuse a store of which any array, at any depth, holds Python objects.

    Parameters and errors are those of :func:`check_node`. Chunks are not looked at.
    """
    waiting, seen = [path], 0
    while waiting:
        folder = waiting.pop()
        seen += 1
        if seen > MOST_NODES:
            raise InvalidInput(f"{path} has more than {MOST_NODES:,} folders; check the path.")
        check_node(folder, texts)
        document = _own(folder)
        if document:  # what is below are chunks
            _check_stored(folder, document)
            continue
        try:
            below = [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir()]
        except OSError as fault:
            raise InvalidInput(f"{folder} cannot be read ({fault.strerror or fault}).") from None
        waiting += [one for one in below if not one.is_symlink() or _leads_down(one, path)]


def _own(folder: Path) -> dict[str, Any]:
    """What a folder says of its array; nothing if it is none."""
    for name in NODES:
        document = _json(folder / name) if (folder / name).exists() else None
        if isinstance(document, dict) and document.get("node_type", "array") == "array":
            return dict(document)
    return {}


def _check_stored(folder: Path, document: dict[str, Any]) -> None:
    """Refuse an array that is much larger than its chunks: those that are not there are filled."""
    shape = document.get("shape")
    if not isinstance(shape, list) or not all(isinstance(n, int) for n in shape):
        return
    n_bytes = math.prod(shape) * _bytes_of(document.get("dtype", document.get("data_type")))
    if n_bytes > GROWS_FROM:
        chunks = (Path(top) / name for top, _, names in os.walk(folder) for name in names)
        check_growth(folder, n_bytes, sum(chunk.lstat().st_size for chunk in chunks))


def _leads_down(link: Path, top: Path) -> bool:
    """Whether a link leads out of the store; one that stays within would be followed twice."""
    return not link.resolve().is_relative_to(top.resolve())


def _json(file: Path) -> Any:
    """What a metadata file holds; NaN is allowed, which zarr writes into attributes."""
    data = read_file(file, LARGEST_METADATA)
    try:
        return json.loads(data)
    except RecursionError:
        raise InvalidInput(f"{file} is nested too deeply to be read.") from None
    except ValueError as fault:
        text = str(fault).split(";", 1)[0]
        raise InvalidInput(f"{file} is damaged: it is no JSON ({text}); copy it again.") from None


def _described(document: Any, consolidated: bool) -> Iterator[dict[str, Any]]:
    """Each node that a metadata file describes: its own, and those that are consolidated in it."""
    waiting = [(document, consolidated)]
    while waiting:
        node, holds = waiting.pop()
        if not isinstance(node, dict):
            continue
        yield node
        for holder in (node.get("consolidated_metadata"), node if holds else None):
            inner = holder.get("metadata") if isinstance(holder, dict) else None
            if isinstance(inner, dict):
                waiting += [
                    (one, False)
                    for name, one in inner.items()
                    if not (holds and name.rpartition("/")[2] == ".zattrs")
                ]


def _check(path: Path, node: dict[str, Any], texts: bool) -> None:
    named = _names([node.get(key) for key in ("filters", "compressor", "codecs")])
    allowed = TEXTS if texts else frozenset[str]()
    found = sorted((named & OBJECTS) - allowed)
    dtype = node.get("dtype", node.get("data_type"))
    if not found and _holds_objects(dtype) and not (texts and named & TEXTS):
        found = ["|O"]
    if found:
        raise InvalidInput(
            f"{path} stores its values as Python objects ('{found[0]}'), which may run a program "
            "when they are read; export it again with numbers alone."
        )
    grid = node.get("chunk_grid")
    about = grid.get("configuration") if isinstance(grid, dict) else None
    sizes = about.get("chunk_shape") if isinstance(about, dict) else node.get("chunks")
    if not isinstance(sizes, list) or not all(isinstance(n, int) for n in sizes):
        return
    n_bytes = math.prod(sizes) * _bytes_of(dtype)
    if n_bytes > LARGEST_CHUNK:
        raise InvalidInput(
            f"{path} has chunks of {size_text(n_bytes)}; at most {size_text(LARGEST_CHUNK)} are "
            "read. Store it again in smaller chunks, one frame in each."
        )


def _names(codecs: Any) -> set[str]:
    """Names of codecs, and of those within them; ``numcodecs.pickle`` is ``pickle``."""
    found, waiting = set(), [codecs]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            found |= {str(one[key]).casefold() for key in ("id", "name") if key in one}
            waiting += one.values()
        elif isinstance(one, str):
            found.add(one.casefold())
    return {name.rpartition("/")[2].rpartition(".")[2] for name in found}


def _holds_objects(dtype: Any) -> bool:
    """Whether a type, or a field of it, is one of Python objects."""
    if isinstance(dtype, list):
        return any(_holds_objects(part) for part in dtype)
    return isinstance(dtype, str) and (dtype.lstrip("|<>=") == "O" or dtype == "object")


def _bytes_of(dtype: Any) -> int:
    """Bytes of a value: ``<u2`` and ``uint16`` have 2; 1 where that is not known."""
    digits = "".join(c for c in dtype if c.isdecimal()) if isinstance(dtype, str) else ""
    if not digits or len(digits) > 18:
        return 1
    return int(digits) if dtype[0] in "<>|" else max(int(digits) // 8, 1)
