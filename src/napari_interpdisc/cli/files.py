"""Files that a command reads, and those that it writes: no result replaces what is read.

Arguments of commands are known by their names. One that names a file stands in one of the sets
here, and every command is looked at before it begins.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from napari_interpdisc.errors import InterpdiscError, InvalidInput
from napari_interpdisc.writing import check_no_input, is_same

READ = frozenset({
    "abroad", "cells", "centroids", "crops", "data", "frames", "image", "labels", "movies", "plan",
    "recipe", "results", "settings_file", "sources", "splits", "tracks",
})  # fmt: skip
"""Arguments that are files or folders to read."""

MODELS = frozenset({"model", "start", "compare"})
"""Arguments that are the name of an installed model, or a model folder."""

WRITTEN = frozenset({"out", "csv", "figure", "study"})
"""Arguments that are files or folders to write."""


def guards_inputs(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command begin only if none of its results would replace or change what it reads."""

    @functools.wraps(command)
    def guarded(**given: Any) -> None:
        check_results(given)
        command(**given)

    return guarded


def check_results(given: Mapping[str, Any]) -> None:
    """Refuse results in the place of inputs, and two results in one place.

    Parameters
    ----------
    given
        Arguments of a command, by name.

    Raises
    ------
    InvalidInput
        If so.
    """
    results = {name: path for name, path in given.items() if name in WRITTEN and path is not None}
    for path in results.values():
        check_no_input(path, inputs_of(given))
    for (a, one), (b, other) in combinations(results.items(), 2):
        if is_same(one, other):
            raise InvalidInput(f"--{a} and --{b} are both {one}; give each a name of its own.")


def inputs_of(given: Mapping[str, Any]) -> Iterator[Path]:
    """All that a command reads: files, model folders, and then what tables of files name."""
    for name, value in given.items():
        values = value if isinstance(value, list | tuple) else [value]
        if name in READ:
            yield from (one for one in values if isinstance(one, Path))
        elif name in MODELS:
            yield from (Path(one) for one in values if isinstance(one, str) and _is_folder(one))
    movies, sources = given.get("movies"), given.get("sources")
    # what is wrong with such a file is told by the command, after what is wrong with the call
    with contextlib.suppress(InterpdiscError):
        if isinstance(movies, Path):
            yield from _of_movies(movies)
        if isinstance(sources, Path):
            yield from _of_sources(sources, given.get("data") or sources.parent)


def _is_folder(text: str) -> bool:
    try:
        return Path(text).is_dir()
    except OSError:  # no folder has such a name
        return False


def _of_movies(table: Path) -> Iterator[Path]:
    """Files that a table of movies names; their paths are relative to it."""
    from napari_interpdisc.io.movie_rows import read_movie_rows

    for row in read_movie_rows(table):
        texts = (row.text[name] for name in ("image", "cells", "labels"))
        yield from (table.parent / text for text in texts if text)


def _of_sources(file: Path, data: Path) -> Iterator[Path]:
    """Archives, and patterns of images, that a list of data sets names."""
    from napari_interpdisc.io.settings import read_settings
    from napari_interpdisc.training.encoder.sources import EncoderSources

    for one in read_settings(file, EncoderSources).source:
        if one.crops is not None:
            yield data / one.crops
        if one.frames is not None:
            yield data / one.frames
