"""Arrays whose planes are read one at a time, from pages of a file or from files of a folder."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Planes:
    """An array (*outer, *inner) of which one plane (*inner) is read when it is asked for.

    The time to read one plane does not depend on their number, and no file stays open.

    Attributes
    ----------
    outer, inner
        Shape of the axes that number the planes, and of a plane.
    dtype
        Type of the values.
    read
        Gives plane k (*inner), counted along the outer axes with the last one fastest.
    order
        Number of the plane at each position of the outer axes (*outer); None for their own order.
    """

    outer: tuple[int, ...]
    inner: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[int], npt.NDArray[Any]]
    order: npt.NDArray[np.intp] | None = field(default=None, repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""
        return (*self.outer, *self.inner)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        """Length of the first axis."""
        return self.shape[0]

    def _numbers(self) -> npt.NDArray[np.intp]:
        if self.order is not None:
            return self.order
        return np.arange(int(np.prod(self.outer))).reshape(self.outer)

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        """Read what numpy would give for integers, slices and an ellipsis."""
        parts = list(key) if isinstance(key, tuple) else [key]
        if Ellipsis in parts:
            at = parts.index(Ellipsis)
            parts[at : at + 1] = [slice(None)] * (self.ndim - len(parts) + 1)
        parts += [slice(None)] * (self.ndim - len(parts))
        n = len(self.outer)
        numbers = np.asarray(self._numbers()[tuple(parts[:n])])
        inner = tuple(parts[n:])
        if not numbers.ndim:
            return np.asarray(self.read(int(numbers))[inner])
        found = [self.read(int(k))[inner] for k in numbers.ravel()]
        if not found:
            return np.empty((*numbers.shape, *np.empty(self.inner, "?")[inner].shape), self.dtype)
        return np.stack(found).reshape(*numbers.shape, *found[0].shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Read all of it."""
        whole = self[...]
        return whole if dtype is None else whole.astype(dtype)

    def rearranged(self, kept: Sequence[int]) -> Planes:
        """Outer axes ``kept``, in that order; the others have the length 1 and are left out."""
        dropped = [a for a in range(len(self.outer)) if a not in kept]
        numbers = self._numbers().transpose([*kept, *dropped])
        shape = tuple(self.outer[a] for a in kept)
        return Planes(shape, self.inner, self.dtype, self.read, numbers.reshape(shape))


def rearranged(data: Any, kept: Sequence[int]) -> Any:
    """Axes ``kept`` of an array, in that order, read lazily; the others have the length 1."""
    if list(kept) == list(range(len(data.shape))):
        return data
    dropped = [a for a in range(len(data.shape)) if a not in kept]
    if isinstance(data, Planes):
        n = len(data.outer)
        inner = list(range(n, data.ndim))
        if [a for a in kept if a >= n] == inner and list(kept[-len(inner) :]) == inner:
            return data.rearranged([a for a in kept if a < n])
    if not isinstance(data, np.ndarray):
        import dask.array as da

        data = as_dask(data) if isinstance(data, Planes) else da.asarray(data)
    index = tuple(0 if a in dropped else slice(None) for a in range(data.ndim))
    left = [a for a in range(data.ndim) if a not in dropped]
    return data[index].transpose([left.index(a) for a in kept])


def as_dask(data: Planes) -> Any:
    """Return planes as a dask array with a chunk for each: what napari and arithmetic take."""
    import dask.array as da

    chunks = (*(1 for _ in data.outer), *data.inner)
    return da.from_array(data, chunks, meta=np.empty((0,) * data.ndim, data.dtype))


def by_plane(
    data: Any, change: Callable[[npt.NDArray[Any], int], npt.NDArray[Any]], dtype: npt.DTypeLike
) -> Planes:
    """Array whose last two axes are changed by a function of (plane, number) when it is read."""
    outer = tuple(int(n) for n in data.shape[:-2])
    positions = list(itertools.product(*map(range, outer)))

    def read(k: int) -> npt.NDArray[Any]:
        return change(np.asarray(data[positions[k]] if outer else data[...]), k)

    height, width = data.shape[-2:]
    return Planes(outer, (int(height), int(width)), np.dtype(dtype), read)
