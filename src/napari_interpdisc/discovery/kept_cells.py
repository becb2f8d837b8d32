"""Files of labelled cells that were kept for training: NumPy archives, one row a cell.

``interpdisc train --crops`` reads them, and so does the Discover widget.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Measured
from napari_interpdisc.discovery.movies import LabelledMovie
from napari_interpdisc.discovery.origins import UNKNOWN, Origins
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.guarded_files import check_archive
from napari_interpdisc.io.labelled_crops import array_names
from napari_interpdisc.io.results import write_whole
from napari_interpdisc.patches import Patches

OF_CELLS = ("images", "label", "track", "movie")
"""Arrays with a row for each cell; ``movie`` is a position in ``movie_name``."""

OF_PLACES = ("cell_track", "frame", "y", "x")
"""Further arrays with a row for each cell, where a movie tells; older files do without."""

REGIONS, SEGMENTED = "regions", "segmented"
"""A segmentation of each crop, and whether each movie has some; archives without any do without."""

OF_MOVIES = ("movie_name", "diameter", "measured")
SUFFIX = ".npz"


def is_kept(path: str | Path) -> bool:
    """Whether a file is an archive of kept cells, by the names of its arrays."""
    return {*OF_CELLS, *OF_MOVIES, "model_diameter"} <= set(array_names(path))


def write_kept(path: str | Path, movies: Sequence[LabelledMovie]) -> Path:
    """Write the labelled cells of movies as one archive; it is whole or not there.

    Parameters
    ----------
    path
        File to write, ``.npz``; one that is there is replaced.
    movies
        One or more, of different names and of one nuclear diameter in the patches.

    Raises
    ------
    InvalidInput
        If the suffix is another, movies do not fit each other, or the file cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() != SUFFIX:
        raise InvalidInput(f"{target} is no archive: end the file name in {SUFFIX}.")
    shapes = {(m.model_diameter, m.patches.pixels.shape[1:]) for m in movies}
    if len(shapes) != 1:
        raise InvalidInput(
            f"The cells for {target} were cut for models of different crops; keep them in two "
            "files."
        )
    counts = [len(movie) for movie in movies]
    arrays: dict[str, Any] = {
        "images": np.concatenate([m.patches.pixels for m in movies]),
        "label": np.concatenate([m.labels for m in movies]),
        "track": np.concatenate([m.groups for m in movies]),
        "movie": np.repeat(np.arange(len(movies)), counts),
        "movie_name": np.array([m.name for m in movies]),
        "diameter": np.array([m.diameter for m in movies]),
        "measured": np.array([m.measured for m in movies]),
        "model_diameter": np.array(movies[0].model_diameter),
    }
    if any(movie.places is not None for movie in movies):
        where = Origins.joined([movie.origins for movie in movies])
        arrays |= dict(zip(OF_PLACES, (where.track, where.t, *where.yx.T), strict=True))

    shown = [movie.regions for movie in movies if movie.regions is not None]
    if shown:
        blank = [np.zeros((n, *shown[0].shape[1:]), np.int32) for n in counts]
        regions = [
            b if m.regions is None else m.regions for b, m in zip(blank, movies, strict=True)
        ]
        arrays[REGIONS] = np.concatenate(regions)
        arrays[SEGMENTED] = np.array([movie.regions is not None for movie in movies])

    def write(partial: Path) -> None:
        with partial.open("wb") as stream:
            np.savez_compressed(stream, **arrays)

    return write_whole(target, write)


def read_kept(path: str | Path) -> list[LabelledMovie]:
    """Read the movies of an archive that :func:`write_kept` wrote.

    Raises
    ------
    InvalidInput
        If the file cannot be read, or is damaged or of another kind.
    """
    file = Path(path)
    if not file.exists():
        raise InvalidInput(f"There is no file {file}; check the path.")
    if not is_kept(file):
        raise InvalidInput(
            f"{file} is no file of cells kept for training; choose one that Discover wrote."
        )
    try:
        check_archive(file)
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return _movies(arrays)
    except InvalidInput:
        raise
    except Exception as fault:  # zlib, of which no list is complete
        text = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise InvalidInput(f"{file} is damaged ({text}); keep the cells anew.") from None


def _movies(arrays: dict[str, npt.NDArray[Any]]) -> list[LabelledMovie]:
    images, number = arrays["images"], arrays["movie"]
    if images.ndim != 3 or images.shape[1] != images.shape[2] or images.dtype.kind != "f":
        raise ValueError(f"images have the shape {images.shape}")
    if not np.isfinite(images).all():
        raise ValueError("images hold NaN or infinite pixels")
    placed = set(OF_PLACES) <= set(arrays)
    segmented = {REGIONS, SEGMENTED} <= set(arrays)
    of_cells = OF_CELLS + OF_PLACES * placed + (REGIONS,) * segmented
    of_movies = OF_MOVIES + (SEGMENTED,) * segmented
    if segmented and (arrays[REGIONS].ndim != 3 or arrays[REGIONS].dtype.kind not in "iu"):
        raise ValueError(f"regions have the shape {arrays[REGIONS].shape}")
    for names, n in ((of_cells, len(images)), (of_movies, len(arrays["movie_name"]))):
        for name in names:
            if len(arrays[name]) != n:
                raise ValueError(f"'{name}' has {len(arrays[name])} rows, not {n}")
    found = []
    for k, name in enumerate(arrays["movie_name"].astype(str)):
        rows, measured = np.flatnonzero(number == k), str(arrays["measured"][k])
        if measured not in get_args(Measured):
            raise ValueError(f"a diameter is said to be '{measured}'")
        of_movie: Measured = measured  # type: ignore[assignment]
        found.append(
            LabelledMovie(
                name,
                Patches(images[rows].astype(np.float32), float(images.shape[-1])),
                arrays["label"][rows].astype(str),
                arrays["track"][rows].astype(str),
                float(arrays["diameter"][k]),
                of_movie,
                float(arrays["model_diameter"]),
                _places(str(name), arrays, rows) if placed else None,
                arrays[REGIONS][rows].astype(np.int32)
                if segmented and bool(arrays[SEGMENTED][k])
                else None,
            )
        )
    return [movie for movie in found if len(movie)]


def _places(name: str, arrays: dict[str, npt.NDArray[Any]], rows: npt.NDArray[np.intp]) -> Origins:
    track, t, y, x = (arrays[column][rows] for column in OF_PLACES)
    yx = np.stack([y, x], 1).astype(np.float64)
    unknown = np.full(len(rows), UNKNOWN)
    return Origins(np.full(len(rows), name), track.astype(str), t.astype(np.int64), yx, unknown)


def with_movie(
    movies: Sequence[LabelledMovie], movie: LabelledMovie
) -> tuple[list[LabelledMovie], bool]:
    """The movies with one more, in place of one of its name; and whether there was such a one."""
    others = [own for own in movies if own.name != movie.name]
    return [*others, movie], len(others) < len(movies)
