"""Images and segmentations from files, read lazily."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_interpdisc.errors import InterpdiscError, InvalidInput
from napari_interpdisc.frames import Frames, UnreadableFrame, check_size
from napari_interpdisc.guarded_files import one_sentence
from napari_interpdisc.io import folder, ome_zarr, tiff, vendor
from napari_interpdisc.io.axes import Arranged, AxisChoice, ZMode, arrange
from napari_interpdisc.io.label_values import objects_of, some_planes
from napari_interpdisc.io.planes import Planes, by_plane
from napari_interpdisc.io.source import UNNAMED, Source


def read_frames(
    path: str | Path,
    channel: int | None = None,
    channel_axis: int | str | None = None,
    *,
    time_axis: int | str | None = None,
    z: ZMode | None = None,
    series: int | None = None,
    channel_pattern: str | None = None,
) -> Frames:
    """Open an image file as frames; pixels are read when they are asked for.

    Parameters
    ----------
    path
        TIFF, .npy, .zarr (OME-Zarr: its finest level), a picture (.png …), or with the extra
        ``formats`` ND2, CZI or LIF; or a folder of images of equal shape, or a pattern of their
        names, one per time, in the order of the number in their names.
    channel
        Number of the channel, from 0. The channel axis is the file's own (C in TIFF or OME-Zarr
        axes, colours of an RGB image) or ``channel_axis``.
    channel_axis, time_axis
        The axis, by its position or its letter in the file, if the file does not say so or calls
        it something else, as Fiji does with a movie that it saves as a z-stack.
    z
        How a z-stack becomes planes: ``max``, the brightest pixel along z; ``mid``, the middle
        plane; ``centroid``, for each cell the plane of its z.
    series
        Number of the series, scene or position, where a file holds several.
    channel_pattern
        For a folder: regular expression whose one group is the channel in a file name.

    Raises
    ------
    InvalidInput
        If the file is missing, unreadable, in colours or a z-stack and nothing was chosen, has a
        channel axis and no channel was chosen, or leaves open what its axes are.
    MissingExtra
        For ND2, CZI and LIF without the extra.
    """
    with one_sentence(path, "an image"):
        source = _open(Path(path), series, channel, channel_pattern)
        if channel_pattern is not None:
            channel = None  # it chose the files
        choice = AxisChoice(channel, channel_axis, time_axis, z)
        if channel is None and channel_axis is None:
            source = _grey(source)
        found = arrange(source, choice)
        check_size(found.data.shape, found.axes, str(path))
    return Frames(
        found.data, found.position("C"), channel or 0, found.position("Z"), z or "max",
        _sentence(found, source),
    )  # fmt: skip


def axes_in_file(path: str | Path, shape: tuple[int, ...]) -> str:
    """Letters that a file gives to the axes of its array of this shape; empty if it does not.

    Axes without a name are ``?``. Only the header is read, and a fault is no answer.
    """
    try:
        source = _open(Path(path))
    except InterpdiscError:
        return ""
    found = [(a, n) for a, n in zip(source.axes, source.shape, strict=True) if n > 1]
    same = tuple(n for _, n in found) == tuple(shape)
    return "".join(a for a, _ in found) if same else ""


def read_labels(
    path: str | Path,
    shape: tuple[int, ...] | None = None,
    *,
    time_axis: int | str | None = None,
    z: ZMode | None = None,
) -> Any:
    """Open a segmentation, (Y, X) or (T, Y, X), as a lazily read array of integers.

    Whole numbers that are stored as floats are labels. Of a binary mask or a map of classes,
    each connected piece of a frame becomes an object.

    Parameters
    ----------
    path
        As in :func:`read_frames`.
    shape
        (T, Y, X) of the image that it belongs to. A stack of that shape whose first axis the file
        calls z or channels is a movie.
    time_axis, z
        As in :func:`read_frames`, if the image needed them. Of a z-stack, ``max`` and ``centroid``
        take the largest label along z.

    Raises
    ------
    InvalidInput
        If the file is missing or unreadable, does not hold whole numbers, or has no background of
        0.
    """
    return open_labels(path, shape, time_axis=time_axis, z=z)[0]


def open_labels(
    path: str | Path,
    shape: tuple[int, ...] | None = None,
    *,
    time_axis: int | str | None = None,
    z: ZMode | None = None,
) -> tuple[Any, str]:
    """Open a segmentation as :func:`read_labels` does, and say what was taken for what."""
    with one_sentence(path, "a segmentation"):
        return _labels_of(Path(path), shape, time_axis, z)


def _labels_of(
    path: Path, shape: tuple[int, ...] | None, time_axis: int | str | None, z: ZMode | None
) -> tuple[Any, str]:
    source = _open(path)
    if np.dtype(source.data.dtype).kind not in "buif":
        raise InvalidInput(f"{path} holds values of type {source.data.dtype}, and no labels.")
    long = [k for k, n in enumerate(source.shape) if n > 1]
    if time_axis is not None and len(long) < 3:
        time_axis = None  # one frame needs no axis of time
    has_z = "Z" in {source.axes[k] for k in long}
    if (
        time_axis is None and shape is not None and len(long) == 3
        and source.axes[long[0]] in "ZC" and tuple(source.shape[k] for k in long) == tuple(shape)
    ):  # fmt: skip
        time_axis = long[0]
    try:
        found = arrange(_grey(source), AxisChoice(None, None, time_axis, z if has_z else None))
    except InvalidInput as fault:
        raise InvalidInput(
            f"{path} has the axes {source.described()}; a segmentation has axes (y, x) or "
            f"(t, y, x). {fault}"
        ) from None
    data, told = found.data, list(found.taken)
    if found.axes not in ("YX", "TYX", "ZYX", "TZYX"):
        raise InvalidInput(
            f"{path} has the axes {source.described()}; a segmentation has axes (y, x) or "
            "(t, y, x)."
        )
    if "Z" in found.axes:
        data = _flat(data, found.axes.index("Z"), z)
    if np.dtype(data.dtype).kind == "f":
        data = _whole(data, path)
    check_size(data.shape, found.axes.replace("Z", ""), str(path))
    data, objects = objects_of(data, path)
    if objects:
        told.append(objects)
    return (data if isinstance(data, np.ndarray) else _guarded(data, path)), "; ".join(told)


def _guarded(data: Any, path: Path) -> Planes:
    """Labels of which a damaged frame is told as one, whatever its decoder raises."""
    outer = tuple(int(n) for n in data.shape[:-2])
    inner = tuple(int(n) for n in data.shape[-2:])
    dtype = np.dtype(data.dtype)

    def read(k: int) -> Any:
        where = tuple(int(n) for n in np.unravel_index(k, outer)) if outer else ...
        try:
            return np.asarray(data[where])
        except (InterpdiscError, MemoryError):
            raise
        except Exception as fault:
            text = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
            raise UnreadableFrame(
                f"Frame {k} of {path} is damaged and cannot be read ({text}); copy or export it "
                "again."
            ) from None

    return Planes(outer, inner, dtype, read)


def _flat(data: Any, axis: int, z: ZMode | None) -> Planes:
    """Labels of a z-stack as planes: the middle one, or the largest label along z."""
    outer = tuple(int(n) for n in data.shape[:axis])

    def read(t: int) -> Any:
        stack = np.asarray(data[t] if outer else data[...])
        return stack[len(stack) // 2] if z == "mid" else stack.max(0)

    return Planes(outer, tuple(int(n) for n in data.shape[axis + 1 :]), data.dtype, read)


def _whole(data: Any, path: str | Path) -> Planes:
    """Whole numbers that are stored as floats, as integers; checked on some planes now."""

    def whole(plane: Any, _: int = 0) -> Any:
        if not (np.isfinite(plane).all() and (plane == np.rint(plane)).all()):
            raise InvalidInput(
                f"{path} holds values that are not whole numbers; a segmentation holds whole "
                "numbers, one per object."
            )
        return plane.astype(np.int64)

    for plane in some_planes(data):
        whole(plane)
    return by_plane(data, whole, np.int64)


def _grey(source: Source) -> Source:
    """The one colour of a grey image that was saved in colours; reads every pixel of it.

    Raises
    ------
    InvalidInput
        If the colours differ.
    """
    if "S" not in source.axes or source.shape[source.axes.index("S")] == 1:
        return source
    at = source.axes.index("S") - len(source.axes)
    outer = source.shape[:-3]
    if at < -3:
        return source  # of no format that is known
    inner = tuple(n for k, n in enumerate(source.shape[-3:], -3) if k != at)

    def colours(k: int) -> Any:
        where = np.unravel_index(k, outer) if outer else ()
        plane = np.asarray(source.data[tuple(int(n) for n in where)] if outer else source.data[...])
        return np.moveaxis(plane, at, 0)

    for k in range(int(np.prod(outer))):
        pixels = colours(k)
        # two samples are grey and opacity; a fourth is opacity
        if len(pixels) > 2 and (pixels[1:3] != pixels[0]).any():
            raise InvalidInput(
                f"{source.path} is an RGB image; choose the colour of the nuclei with --channel (0 "
                "red, 1 green, 2 blue)."
            )
    data = Planes(outer, inner, np.dtype(source.data.dtype), lambda k: colours(k)[0])
    axes = source.axes.replace("S", "")
    return Source(source.path, data, axes, (*source.taken, "a grey image that is stored as RGB"))


def _sentence(found: Arranged, source: Source) -> str:
    """What was taken for what, in one line; empty where the file left nothing open."""
    if not found.taken:
        return ""
    of = dict(zip(found.axes, found.data.shape, strict=True))
    n = of.get("T", 1)
    size = f"{n} frame{'s' * (n > 1)} of {of['Y']} by {of['X']} px"
    named = "" if UNNAMED in source.axes else f" ({source.described()} in the file)"
    return "; ".join((size + named, *found.taken))


def _open(
    path: Path,
    series: int | None = None,
    channel: int | None = None,
    channel_pattern: str | None = None,
) -> Source:
    """Array and its axes, in whatever kind of file it is."""
    try:
        return _of_kind(path, series, channel, channel_pattern)
    except InterpdiscError:
        raise
    except Exception as fault:
        text = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise InvalidInput(f"{path} cannot be read as an image ({text}).") from None


def _numpy(path: Path) -> Any:
    with path.open("rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise InvalidInput(f"{path} is no .npy file, whatever its name; export it again.")
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _of_kind(
    path: Path, series: int | None, channel: int | None, channel_pattern: str | None
) -> Source:
    suffix = path.suffix.lower()
    is_store = suffix == ".zarr" or (path.is_dir() and ome_zarr.is_zarr(path))
    if folder.is_pattern(path) or (path.is_dir() and not is_store):
        if series is not None:
            raise InvalidInput(f"--series is for one file, and {path} is several; leave it out.")
        return folder.open_folder(path, channel, channel_pattern)
    if channel_pattern is not None:
        raise InvalidInput(
            f"--channel-pattern is for a folder or a pattern of names, and {path} is one file."
        )
    if not path.exists():
        hint = (
            f" (for numbered files give the folder, or '{path.parent}/*{path.suffix}' in quotes)"
            if "%" in path.name or "#" in path.name
            else ""
        )
        raise InvalidInput(f"There is no file {path}; check the path{hint}.")
    if is_store:
        return ome_zarr.open_zarr(path, series)
    if suffix in tiff.SUFFIXES:
        return tiff.open_tiff(path, series)
    if suffix in vendor.SUFFIXES:
        return vendor.open_vendor(path, series)
    if series not in (None, 0):
        raise InvalidInput(f"{path} has no series {series}; it holds one image.")
    if suffix == ".npy":
        array = _numpy(path)
        return Source(path, array, UNNAMED * array.ndim)
    if suffix in folder.PICTURES:
        return folder.open_picture(path)
    raise InvalidInput(
        f"{path} is not a kind of image that can be read: give TIFF, .npy, .zarr, .png, or ND2, "
        "CZI or LIF."
    )
