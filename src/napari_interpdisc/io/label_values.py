"""What the numbers of a segmentation stand for: objects, classes, a mask, or pixels of an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.planes import by_plane

LOOKED_AT = 5
"""Planes on which objects are told from classes, masks and images."""

LARGE = 30
"""Pixels from which a piece counts: smaller ones are specks."""

MANY = 20
"""Values from which a segmentation is no mask or map of classes."""

PIECES = 4
"""Pieces of each value, in the mean, from which many values are those of an image."""


@dataclass(frozen=True)
class _Plane:
    """Connected pieces of equal value in one plane, without the background 0."""

    pixels: npt.NDArray[Any]
    values: npt.NDArray[Any]
    sizes: npt.NDArray[np.int64]

    @classmethod
    def of(cls, pixels: npt.NDArray[Any]) -> _Plane:
        pieces = _pieces(pixels)
        found, first, sizes = np.unique(pieces, return_index=True, return_counts=True)
        kept = found != 0
        return cls(pixels, pixels.ravel()[first[kept]], sizes[kept].astype(np.int64))


def objects_of(data: Any, path: str | Path) -> tuple[Any, str]:
    """Objects of a segmentation, one number each in every plane, and what was taken for what.

    Of a binary mask or a map of classes, each connected piece of a frame becomes an object.

    Parameters
    ----------
    data
        (Y, X) or (T, Y, X) integers or booleans.
    path
        The file, or the layer, for the sentences.

    Raises
    ------
    InvalidInput
        If some planes show that 0 is not the background, or that this is an image.
    """
    data, told = _with_background(data, path)
    planes = [_Plane.of(plane) for plane in some_planes(data)]
    for plane in planes:
        _check_image(plane, path)
    data, objects = _numbered(data, planes)
    return data, "; ".join(text for text in (told, objects) if text)


def _numbered(data: Any, planes: list[_Plane]) -> tuple[Any, str]:
    values = set(np.concatenate([plane.values for plane in planes]).tolist())
    if len(values) < 2:
        is_mask = np.dtype(data.dtype) == np.bool_ or max(len(p.sizes) for p in planes) > 1
        if not is_mask:
            return data, ""
        told = "a binary mask: each connected piece is an object"
    elif 2 * len(_in_several_pieces(planes)) > len(values):
        told = f"a map of {len(values)} classes: each connected piece of a class is an object"
    else:
        return data, ""
    return by_plane(data, lambda plane, _: _pieces(plane), np.int32), told


def some_planes(data: Any) -> list[npt.NDArray[Any]]:
    """Return at most :data:`LOOKED_AT` planes (Y, X), spread over an array (Y, X) or (T, Y, X)."""
    if len(data.shape) == 2:
        return [np.asarray(data[...])]
    at = np.unique(np.linspace(0, int(data.shape[0]) - 1, LOOKED_AT).round().astype(int))
    return [np.asarray(data[int(t)]) for t in at]


def _pieces(plane: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    from skimage.measure import label

    # numbers of their own, because those of tracks may be too large
    _, numbers = np.unique(plane, return_inverse=True)
    numbers = numbers.reshape(plane.shape) + (0 if (plane == 0).any() else 1)
    return np.asarray(label(numbers, background=0, connectivity=2), dtype=np.int32)


def _in_several_pieces(planes: list[_Plane]) -> set[Any]:
    """Values of which one plane has two large pieces or more."""
    found: set[Any] = set()
    for plane in planes:
        values, n = np.unique(plane.values[plane.sizes > LARGE], return_counts=True)
        found.update(values[n > 1].tolist())
    return found


def _with_background(data: Any, path: str | Path) -> tuple[Any, str]:
    """Labels with 0 for the background, and what was taken for it if it was another value."""
    planes = [plane for plane in some_planes(data) if plane.size]
    around = {value for plane in planes for value in _backgrounds(plane)}
    has_zero = any((plane == 0).any() for plane in planes)
    whole = any((plane == plane.flat[0]).all() for plane in planes)
    if len(around) == 1 and not has_zero and not whole:
        value = around.pop()
        data = by_plane(data, lambda plane, _: np.where(plane == value, 0, plane), data.dtype)
        return data, f"{value}, which is around the objects of every frame, is the background"
    if around:
        raise InvalidInput(
            f"The value {min(around)} fills more than half of a frame of {path} and reaches all of "
            "its edges, so that it is the background and no object; give a segmentation with 0 for "
            "the background."
        )
    if any(plane.min() < 0 for plane in planes):
        raise InvalidInput(
            f"{path} holds negative numbers; a segmentation has 0 for the background and positive "
            "numbers for objects."
        )
    return data, ""


def _backgrounds(plane: npt.NDArray[Any]) -> list[int]:
    """Values but 0 that fill more than half of a plane and reach all of its edges."""
    edges = (plane[0], plane[-1], plane[:, 0], plane[:, -1])
    common = set.intersection(*(set(np.unique(edge).tolist()) for edge in edges))
    return [int(v) for v in common if v != 0 and (plane == v).mean() > 0.5]


def _check_image(plane: _Plane, path: str | Path) -> None:
    n = len(np.unique(plane.values))
    if n > MANY and len(plane.values) > PIECES * n:
        raise InvalidInput(
            f"{path} looks like an image and no segmentation ({n} values in {len(plane.values)} "
            "pieces in one frame); give the masks, with one number for each object."
        )
