"""An image of any supported kind, read one two-dimensional frame at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.errors import InvalidInput

LEAST_RANGE, LARGEST_RANGE = 1e-9, 1e12
"""Ranges of pixels that keep their scale: their squares are far from the ends of float32."""


def less_lowest(pixels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Finite pixels of any real type as float32, less the lowest value.

    The offset is taken away before the pixels become float32, which would round what a large one
    leaves of them. Ranges that float32 does not hold become 0–1; the gain of pixels means nothing.
    """
    values = pixels.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    # halves, since the range of the largest numbers is none
    if low == high or LEAST_RANGE < high / 2 - low / 2 < LARGEST_RANGE:
        return (values - low).astype(np.float32)
    values /= max(abs(low), abs(high))
    values -= values.min()
    return np.asarray(values / values.max(), dtype=np.float32)


@dataclass(frozen=True)
class Frames:
    """A 2D or 2D+t image that gives the pixels of one frame at a time.

    Nothing is read until :meth:`frame` is called, so that a dask or zarr movie costs the memory
    of one frame.

    Attributes
    ----------
    data
        numpy, dask or zarr array, axes (y, x), (t, y, x), or either with a channel axis.
    channel_axis
        Position of the channel axis in ``data``, or None.
    channel
        The channel to read, if there is a channel axis.

    Raises
    ------
    InvalidInput
        If the array is not 2D or 2D+t once the channel is chosen, is empty, or is not numeric.
    """

    data: Any
    channel_axis: int | None = None
    channel: int = 0

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
        if ndim not in (2, 3):
            raise InvalidInput(
                f"The image has shape {tuple(self.data.shape)}; a 2D image (y, x) or a movie "
                "(t, y, x) is needed: choose the channel axis, or take one plane of a 3D stack."
            )

    @property
    def _spatial(self) -> tuple[int, ...]:
        shape = list(self.data.shape)
        if self.channel_axis is not None:
            del shape[self.channel_axis]
        return tuple(int(n) for n in shape)

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

    def frame(self, t: int) -> npt.NDArray[np.float32]:
        """Read frame ``t`` as float32 (Y, X), less its lowest value; see :func:`less_lowest`.

        Raises
        ------
        InvalidInput
            If the frame holds NaN or infinite values, or one single value throughout.
        """
        data = self.data
        index: list[Any] = [slice(None)] * len(data.shape)
        if self.channel_axis is not None:
            index[self.channel_axis % len(data.shape)] = self.channel
        if self.is_movie:
            axes = [a for a in range(len(data.shape)) if index[a] == slice(None)]
            index[axes[0]] = int(t)
        pixels = np.asarray(data[tuple(index)])
        low, high = float(pixels.min()), float(pixels.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise InvalidInput(
                f"Frame {t} of the image holds NaN or infinite pixels; replace them "
                "(for example with numpy.nan_to_num) and try again."
            )
        if low == high:
            raise InvalidInput(
                f"Frame {t} of the image is constant (every pixel is {low:g}); "
                "there is nothing to see in it: choose another image or channel."
            )
        return less_lowest(pixels)
