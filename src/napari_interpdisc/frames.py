"""An image of any supported kind, read one two-dimensional frame at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import BoolArray, Float32Array
from napari_interpdisc.errors import InterpdiscError, InvalidInput

LEAST_RANGE, LARGEST_RANGE = 1e-9, 1e12
"""Ranges of pixels that keep their scale: their squares are far from the ends of float32."""


def less_lowest(pixels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Finite pixels of any real type as float32, less the lowest value.

    The offset is taken away before the pixels become float32, which would round what a large one
    leaves of them. Ranges that float32 does not hold become 0–1; the gain of pixels means nothing.
    """
    if pixels.dtype.kind in "bui" and pixels.dtype.itemsize <= 2:  # float32 holds all of these
        found = pixels.astype(np.float32)
        found -= np.float32(pixels.min())
        return found
    low, high = float(pixels.min()), float(pixels.max())
    if pixels.dtype == np.float32 and LEAST_RANGE < high / 2 - low / 2 < LARGEST_RANGE:
        return np.asarray(pixels - np.float32(low), np.float32)  # rounded once, as below
    values = pixels.astype(np.float64)
    # halves, since the range of the largest numbers is none
    if low == high or LEAST_RANGE < high / 2 - low / 2 < LARGEST_RANGE:
        return (values - low).astype(np.float32)
    values /= max(abs(low), abs(high))
    values -= values.min()
    return np.asarray(values / values.max(), dtype=np.float32)


LARGEST_FRAME = 2**30
"""Pixels of one frame, which is in memory as a whole: 32768 by 32768."""

LARGEST_STACK = 2**34
"""Pixels of all planes of a frame, along z."""

MOST_FRAMES = 10**7
"""Frames of a movie."""


def check_size(shape: Sequence[int], axes: str, source: str = "The image") -> None:
    """Refuse an image whose header asks for more than can be meant, before a pixel is read.

    Parameters
    ----------
    shape, axes
        Lengths, and the letter of each: T, C, Z, Y, X.
    source
        What the image is called in the sentence.

    Raises
    ------
    InvalidInput
        If a frame has more pixels than :data:`LARGEST_FRAME`, its planes together more than
        :data:`LARGEST_STACK`, or there are more than :data:`MOST_FRAMES` frames.
    """
    of = dict(zip(axes, (int(n) for n in shape), strict=True))
    height, width, planes, frames = (of.get(axis, 1) for axis in "YXZT")
    if height * width > LARGEST_FRAME or height * width * planes > LARGEST_STACK:
        raise InvalidInput(
            f"{source} has frames of {height} by {width} px"
            f"{f' in {planes} planes' if planes > 1 else ''}; at most {LARGEST_FRAME:,} px are "
            "read at once. If the file is not damaged, cut it into tiles."
        )
    if frames > MOST_FRAMES:
        raise InvalidInput(
            f"{source} has {frames:,} frames; at most {MOST_FRAMES:,} are read. If the file is not "
            "damaged, cut it into parts."
        )


class UnreadableFrame(InvalidInput):
    """One frame of a file is damaged: the fault that a movie may have in some frames."""


@dataclass(frozen=True)
class Picture:
    """One frame as it was read, and where it has no pixels.

    Attributes
    ----------
    pixels
        (Y, X) float32, less the lowest value; 0 where there is no value.
    missing
        (Y, X) where the file has NaN or infinite values; None if nowhere.
    """

    pixels: Float32Array
    missing: BoolArray | None = None

    @cached_property
    def top(self) -> float:
        """The highest pixel; the lowest is 0."""
        return float(self.pixels.max())

    @property
    def blank(self) -> bool:
        """Whether there is one single value throughout, or none."""
        return self.top == 0

    def beyond_edge(self) -> Float32Array:
        """Pixels with the mean where there is no value, as beyond the edge of the image."""
        if self.missing is None or self.missing.all():
            return self.pixels
        mean = self.pixels[~self.missing].mean(dtype=np.float64)
        return np.where(self.missing, np.float32(mean), self.pixels)


def _picture(pixels: npt.NDArray[Any]) -> Picture:
    finite = np.isfinite(pixels) if pixels.dtype.kind == "f" else None
    if finite is None or finite.all():
        return Picture(less_lowest(pixels))
    if not finite.any():
        return Picture(np.zeros(pixels.shape, np.float32), ~finite)
    filled = np.where(finite, pixels, pixels[finite].min())
    return Picture(less_lowest(filled), ~finite)


@dataclass(frozen=True)
class Frames:
    """A 2D or 2D+t image that gives the pixels of one frame at a time.

    Nothing is read until :meth:`frame` is called, so that a dask or zarr movie costs the memory
    of one frame.

    Attributes
    ----------
    data
        numpy, dask or zarr array, axes (y, x), (t, y, x), or either with a channel axis, a z axis,
        or both.
    channel_axis
        Position of the channel axis in ``data``, or None.
    channel
        The channel to read, if there is a channel axis.
    z_axis
        Position of the z axis in ``data``, or None.
    z
        How planes along z become one: ``max``, the brightest pixel; ``mid``, the middle plane;
        ``centroid``, the plane of each cell, where a plane is asked for, else the brightest pixel.
    taken
        What was taken for what, in one line, if the image was read from a file.

    Raises
    ------
    InvalidInput
        If the array is not 2D or 2D+t once the channel is chosen, is empty, or is not numeric.
    """

    data: Any
    channel_axis: int | None = None
    channel: int = 0
    z_axis: int | None = None
    z: Literal["max", "mid", "centroid"] = "max"
    taken: str = ""

    def __post_init__(self) -> None:
        """Check axes and type without reading a pixel."""
        kind = np.dtype(self.data.dtype).kind
        if kind not in "buif":
            raise InvalidInput(
                f"The image has values of type {self.data.dtype}; give a numeric image "
                "(integers or floats)."
            )
        ndim = len(self.data.shape)
        if 0 in self.data.shape:
            raise InvalidInput(f"The image is empty (shape {tuple(self.data.shape)}).")
        if self.channel_axis is not None:
            if not -ndim <= self.channel_axis < ndim:
                raise InvalidInput(
                    f"Channel axis {self.channel_axis} does not exist: the image has "
                    f"{ndim} axes; choose one between 0 and {ndim - 1}."
                )
            n_channels = self.data.shape[self.channel_axis]
            if not 0 <= self.channel < n_channels:
                raise InvalidInput(
                    f"Channel {self.channel} does not exist: the image has {n_channels} "
                    f"channels; choose one between 0 and {n_channels - 1}."
                )
            ndim -= 1
        if self.z_axis is not None:
            ndim -= 1
        if ndim not in (2, 3):
            raise InvalidInput(
                f"The image has shape {tuple(self.data.shape)}; a 2D image (y, x) or a movie "
                "(t, y, x) is needed: choose the channel axis, or take one plane of a 3D stack."
            )

    @property
    def _axes(self) -> list[int]:
        """Positions of (t), y, x in ``data``."""
        n = len(self.data.shape)
        others = [a % n for a in (self.channel_axis, self.z_axis) if a is not None]
        return [a for a in range(n) if a not in others]

    @property
    def _spatial(self) -> tuple[int, ...]:
        return tuple(int(self.data.shape[a]) for a in self._axes)

    @property
    def n_planes(self) -> int:
        """Number of planes along z; 1 without a z axis."""
        return 1 if self.z_axis is None else int(self.data.shape[self.z_axis])

    @property
    def is_movie(self) -> bool:
        """Whether there is a time axis."""
        return len(self._spatial) == 3

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, Y, X) in pixels; T is 1 for a still image."""
        *t, y, x = self._spatial
        return (t[0] if t else 1, y, x)

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.shape[0]

    def frame(self, t: int) -> Float32Array:
        """Read frame ``t`` as float32 (Y, X), less its lowest value; see :func:`less_lowest`.

        Pixels without a value (NaN or infinite) have the lowest one; a blank frame is 0.

        Raises
        ------
        UnreadableFrame
            If the file is damaged there.
        """
        return self.picture(t).pixels

    def picture(self, t: int, plane: int | None = None) -> Picture:
        """Read frame ``t``, and where it has no pixels.

        Parameters
        ----------
        t
            Number of the frame.
        plane
            Number of the plane along z; by :attr:`z` if None.

        Raises
        ------
        UnreadableFrame
            If the file is damaged there.
        """
        return _picture(self.levels(t, plane))

    def levels(self, t: int, plane: int | None = None) -> npt.NDArray[Any]:
        """Read frame ``t`` as the file has it: (Y, X) grey levels of its own type.

        Parameters and errors are those of :meth:`picture`.
        """
        n = len(self.data.shape)
        index: list[Any] = [slice(None)] * n
        if self.channel_axis is not None:
            index[self.channel_axis % n] = self.channel
        if self.is_movie:
            index[self._axes[0]] = int(t)
        if self.z_axis is not None and (plane is not None or self.z == "mid"):
            index[self.z_axis % n] = self.n_planes // 2 if plane is None else int(plane)
        try:
            pixels = np.asarray(self.data[tuple(index)])
        except (InterpdiscError, MemoryError):
            raise
        except Exception as fault:
            text = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
            raise UnreadableFrame(f"Frame {t} of the image cannot be read ({text}).") from None
        if pixels.ndim == 3:  # z is the first axis left, or the last
            left = [a for a in range(n) if isinstance(index[a], slice)]
            # of floats, planes without a value count for nothing
            brightest = np.fmax if pixels.dtype.kind == "f" else np.maximum
            assert self.z_axis is not None
            pixels = np.asarray(brightest.reduce(pixels, axis=left.index(self.z_axis % n)))
        return pixels


LARGEST_BLOCK = 1 << 29
"""Bytes of the largest block of frames that is held in memory."""


class BlockReader:
    """Frames of a movie one after the other, each chunk of its file read once.

    A chunk that holds ten frames would be read, and decompressed, for each of them. Frames of one
    chunk are read together here, and held until one of another chunk is asked for.

    Parameters
    ----------
    frames
        The movie.
    """

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._held: tuple[int, int, Frames | None] = (0, 0, None)

    def picture(self, t: int, plane: int | None = None) -> Picture:
        """Read frame ``t``; see :meth:`Frames.picture`."""
        frames, at = self._block_of(t)
        return frames.picture(at, plane)

    def levels(self, t: int, plane: int | None = None) -> npt.NDArray[Any]:
        """Read frame ``t``; see :meth:`Frames.levels`."""
        frames, at = self._block_of(t)
        return frames.levels(at, plane)

    def _block_of(self, t: int) -> tuple[Frames, int]:
        """Frames that hold frame ``t``, and its number in them."""
        first, end, held = self._held
        if not first <= t < end:
            self._held = (0, 0, None)  # let the last block go before the next one comes
            first, end, held = self._held = self._read(t)
        return (self._frames, t) if held is None else (held, t - first)

    def _read(self, t: int) -> tuple[int, int, Frames | None]:
        """First frame and end of the chunk of frame ``t``, and its frames if they are held."""
        frames = self._frames
        if not frames.is_movie:
            return 0, 1, None
        axis, n = frames._axes[0], len(frames.data.shape)
        first, end = _chunk_of(frames.data, axis, t)
        index: list[Any] = [slice(None)] * n
        index[axis] = slice(first, end)
        if frames.channel_axis is not None:
            index[frames.channel_axis % n] = slice(frames.channel, frames.channel + 1)
        size = (end - first) * frames.shape[1] * frames.shape[2] * frames.n_planes
        if end - first == 1 or size * np.dtype(frames.data.dtype).itemsize > LARGEST_BLOCK:
            return first, end, None
        try:
            block = np.asarray(frames.data[tuple(index)])
        except Exception:  # frame by frame, which tells the damaged one from the others
            return first, end, None
        return first, end, Frames(block, frames.channel_axis, 0, frames.z_axis, frames.z)


def _chunk_of(data: Any, axis: int, at: int) -> tuple[int, int]:
    """First position and end, along an axis, of the chunk that holds a position."""
    chunks = getattr(data, "chunks", None)
    if not chunks:
        return at, at + 1
    sizes = chunks[axis]
    if isinstance(sizes, int):
        first = at // sizes * sizes
        return first, min(first + sizes, int(data.shape[axis]))
    ends = np.cumsum(sizes)
    k = int(np.searchsorted(ends, at, side="right"))
    return int(ends[k] - sizes[k]), int(ends[k])
