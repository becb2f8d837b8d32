"""TIFF files through their series, as tifffile understands them."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.planes import Planes
from napari_interpdisc.io.source import UNNAMED, Source
from napari_interpdisc.io.xml_guard import check_xml

SUFFIXES = (".tif", ".tiff", ".btf", ".tf8", ".tf2", ".lsm", ".stk")

DAMAGE = ("invalid page offset", "corrupted", "invalid value offset", "failed to read")
"""What tifffile logs, and goes on, where a part of the file is missing."""

MOST_LISTED = 6


def open_tiff(path: Path, series: int | None = None) -> Source:
    """Open one series of a TIFF file; its pages are read when they are asked for.

    Parameters
    ----------
    path
        The file. Of an OME-TIFF in several files, any one.
    series
        Number of the series. If it is left out: the only one; the first of an OME-TIFF; or all of
        them as frames, where single pages of equal shape were appended one by one.

    Raises
    ------
    InvalidInput
        If the file is damaged, has no such series, or has several and none can be preferred.
    """
    import tifffile

    try:
        return _open(path, series)
    except tifffile.TiffFileError as fault:
        if str(fault).startswith("not a TIFF file"):
            raise _other(path) from None
        raise _damaged(path, str(fault)) from None


def _open(path: Path, series: int | None) -> Source:
    import tifffile

    with _log() as messages, tifffile.TiffFile(path) as file:
        if file.is_ome:
            check_xml(file.ome_metadata or "", str(path))
        found = list(file.series)
        damage = [m for m in messages if any(words in m for words in DAMAGE)]
        if damage or not found:
            raise _damaged(path, _short(damage[0]) if damage else "no image")
        if series is None and _appended(found):
            return _appended_pages(path, found)
        chosen = _chosen(path, found, series, file.is_ome)
        one = found[chosen]
        taken: tuple[str, ...] = ()
        if len(found) > 1:
            name = f" '{one.name}'" if one.name else ""
            taken = (f"series {chosen} of {len(found)}{name}; --series chooses another",)
        if one.keyframe.photometric == tifffile.PHOTOMETRIC.MINISWHITE and one.dtype != bool:
            # Fiji's inverting lookup table writes that too, and changes no pixel
            taken += ("0 is shown as white, and pixels are taken as they are stored",)
        return _opened(path, one, chosen, taken)


def _damaged(path: Path, why: str) -> InvalidInput:
    return InvalidInput(
        f"{path} is damaged or incomplete and cannot be read as an image ({why}): a part of the "
        "file is missing; copy or export it again."
    )


def _other(path: Path) -> InvalidInput:
    with path.open("rb") as file:
        start = file.read(12)
    if not start:
        return InvalidInput(f"{path} is empty (0 bytes); copy or export it again.")
    return InvalidInput(
        f"{path} is no TIFF file, whatever its name (it begins with {start!r}); export it as TIFF, "
        "or give it the name of what it is."
    )


def files_of_series(path: Path) -> frozenset[Path]:
    """Files that the first series of an OME-TIFF in several files is in; empty for another TIFF."""
    import tifffile

    with _log(), tifffile.TiffFile(path) as file:
        if not file.is_ome or not file.series:
            return frozenset()
        names = {page.parent.filehandle.name for page in file.series[0].pages if page is not None}
        return frozenset(path.parent / name for name in names)


def _opened(path: Path, series: Any, number: int, taken: tuple[str, ...]) -> Source:
    import tifffile

    axes = _letters(series)
    shape = tuple(int(n) for n in series.shape)
    pages = list(series.pages)  # loads what little is known of each, while the file is open
    if series.dataoffset is not None:
        with contextlib.suppress(ValueError, OSError):
            mapped: Any = tifffile.memmap(path, mode="r", series=number)
            return Source(path, mapped.reshape(shape), axes, taken)
    inner = tuple(int(n) for n in series.keyframe.shape)
    outer = shape[: len(shape) - len(inner)]
    if shape == (*outer, *inner) and len(pages) == int(np.prod(outer)):
        return Source(path, _lazy(path, pages, outer, inner, series.dtype), axes, taken)
    if series.kind in ("imagej", "shaped") and len(pages) < int(np.prod(outer)) > 1:
        raise InvalidInput(
            f"{path} is damaged or incomplete: it says that it has {int(np.prod(outer))} images, "
            f"and {len(pages)} are there; copy or export it again."
        )

    def whole(_: int) -> npt.NDArray[Any]:
        for page in pages:
            if page is not None:
                _check_inside(page)
        return np.asarray(tifffile.imread(path, series=number)).reshape(shape)

    return Source(path, Planes((), shape, np.dtype(series.dtype), whole), axes, taken)


def _lazy(
    path: Path, pages: list[Any], outer: tuple[int, ...], inner: tuple[int, ...], dtype: Any
) -> Planes:
    """Pages that are decoded one by one; their file is open meanwhile only."""
    lock = threading.Lock()  # they share one file handle

    def read(k: int) -> npt.NDArray[Any]:
        page = pages[k]
        if page is None:
            raise ValueError(f"page {k} is in a file that is not there")
        file = page.parent.filehandle
        _check_inside(page)
        with lock, _log() as messages:
            file.open()
            try:
                pixels = np.asarray(page.asarray()).reshape(inner)
            finally:
                file.close()
        if any(words in m for m in messages for words in DAMAGE):
            raise ValueError(_short(messages[0]))
        return pixels

    return Planes(outer, inner, np.dtype(dtype), read)


def _check_inside(page: Any) -> None:
    """Refuse a page whose data are not all in its file, before memory is taken for them.

    Raises
    ------
    ValueError
        If its strips or tiles are too few for its size, or end beyond the end of the file.
    """
    wanted = int(np.prod(page.keyframe.chunked, dtype=np.int64))
    if len(page.dataoffsets) < wanted:  # tifffile takes 0 for all pixels of what is missing
        raise ValueError(f"{wanted - len(page.dataoffsets):,} of its {wanted:,} parts are missing")
    ends = (a + n for a, n in zip(page.dataoffsets, page.databytecounts, strict=True))
    if max(ends, default=0) > int(page.parent.filehandle.size):
        raise ValueError("its data end beyond the end of the file")


def _letters(series: Any) -> str:
    """Axes of a series; those that only say that there are several images are not named."""
    axes = "".join(UNNAMED if a in "QI" else a for a in series.axes)
    if series.kind == "shaped" and axes == "SYX":
        # tifffile, not told otherwise, writes three or four frames as colours in planes
        return UNNAMED + "YX"
    return axes


def _appended(series: list[Any]) -> bool:
    """Whether single pages of equal shape and type were appended one by one, unnamed."""
    first = series[0]
    return len(series) > 1 and all(
        one.kind in ("shaped", "generic", "uniform")
        and one.axes in ("YX", "YXS")
        and (one.shape, one.axes, one.dtype) == (first.shape, first.axes, first.dtype)
        for one in series
    )


def _appended_pages(path: Path, series: list[Any]) -> Source:
    pages = [one.pages[0] for one in series]
    inner = tuple(int(n) for n in series[0].shape)
    data = _lazy(path, pages, (len(pages),), inner, series[0].dtype)
    taken = (f"{len(pages)} images that were appended one by one, taken for frames",)
    return Source(path, data, "T" + series[0].axes, taken)


def _chosen(path: Path, series: list[Any], wanted: int | None, ome: bool) -> int:
    n = len(series)
    if wanted is not None:
        if not 0 <= wanted < n:
            raise InvalidInput(
                f"{path} has no series {wanted}; it has {n}: {_list(series)}."
                if n > 1
                else f"{path} has no series {wanted}; it has one, number 0."
            )
        return wanted
    if n == 1 or ome:
        return 0
    whole = [k for k, one in enumerate(series) if not one.keyframe.is_reduced]
    sizes = {k: int(np.prod(series[k].keyframe.shape)) for k in whole}
    # thumbnails and previews are smaller than the one image that they are of
    largest = [k for k in whole if sizes[k] == max(sizes.values())]
    if len(largest) == 1:
        return largest[0]
    raise InvalidInput(
        f"{path} holds {n} series ({_list(series)}), and does not say which is the movie; choose "
        "one with --series."
    )


def _list(series: list[Any]) -> str:
    told = [
        f"{k} ({one.name + ', ' if one.name else ''}{one.axes} {' × '.join(map(str, one.shape))})"
        for k, one in enumerate(series[:MOST_LISTED])
    ]
    return ", ".join(told) + (", …" if len(series) > MOST_LISTED else "")


def _short(message: str) -> str:
    """Return the message of a log line, without the object that it starts with."""
    return message.rsplit("> ", 1)[-1].splitlines()[0].rstrip("')")


@contextlib.contextmanager
def _log() -> Iterator[list[str]]:
    """Lines that tifffile logs meanwhile, in place of writing them to standard error."""
    lines: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("tifffile")
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
