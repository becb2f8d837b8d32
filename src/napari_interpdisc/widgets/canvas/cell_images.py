"""Tiles: pictures of cells laid over the movie, at the cell's own place and time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image

from napari_interpdisc import __version__
from napari_interpdisc._types import Float32Array
from napari_interpdisc.crops import paste_crops
from napari_interpdisc.frames import Frames
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.layers import affine_of, image_axes
from napari_interpdisc.widgets.canvas.overlay import find_overlay


def place(
    image: Image,
    frames: Frames,
    t: int,
    pixels: Float32Array,
    corner: npt.ArrayLike = (0.0, 0.0),
    zoom: float = 1.0,
) -> tuple[Float32Array, dict[str, Any]]:
    """Data and layer arguments that lay ``pixels`` (Y, X) over frame ``t`` of ``image``.

    The new layer has every axis of ``image``, so that napari, which aligns axes from the last one,
    shows it at its frame and in every channel.

    Parameters
    ----------
    image, frames
        The layer, and its data as frames.
    t
        The frame.
    pixels
        What to show.
    corner
        Where, in pixels of ``image``, the centre of the first of ``pixels`` lies.
    zoom
        How many of ``pixels`` fit on one pixel of ``image``.

    Returns
    -------
    data, arguments
        Data (image.ndim axes) and ``scale`` and ``translate``, or ``affine`` where the image is
        rotated or sheared; ``units`` and ``axis_labels`` are the image's.
    """
    ndim = image.ndim
    axes = image_axes(image, frames)
    shape = [1] * ndim
    step, start = np.ones(ndim), np.zeros(ndim)
    shape[axes[-2]], shape[axes[-1]] = pixels.shape
    step[axes[-2:]] = 1 / zoom
    start[axes[-2:]] = np.asarray(corner, dtype=float)
    if frames.is_movie:
        start[axes[0]] = t
    data = pixels.reshape(shape)
    if frames.channel_axis is not None:
        channel_axis = frames.channel_axis % ndim
        shape[channel_axis] = frames.data.shape[channel_axis]
        data = np.broadcast_to(data, shape)
    matrix, offset = affine_of(image)
    linear, shift = matrix * step, offset + matrix @ start
    arguments: dict[str, Any] = {"units": image.units, "axis_labels": image.axis_labels}
    if np.allclose(matrix, np.diag(np.diag(matrix))):
        return data, arguments | {"scale": tuple(np.diag(linear)), "translate": tuple(shift)}
    affine = np.eye(ndim + 1)
    affine[:ndim, :ndim], affine[:ndim, ndim] = linear, shift
    return data, arguments | {"affine": affine}


def place_crops(
    image: Image,
    frames: Frames,
    t: int,
    crops: Float32Array,
    yx: npt.ArrayLike,
    zoom: float,
) -> tuple[Float32Array, dict[str, Any]]:
    """Lay crops (n, S, S), centred at (n, 2) pixels of frame ``t``, over the image.

    One crop keeps its own pixels; several share one layer in the image's pixels, which is NaN
    (transparent in napari) where no crop is.
    """
    centres = np.asarray(yx, dtype=float).reshape(-1, 2)
    if len(crops) == 1:
        corner = centres[0] - (crops.shape[-1] - 1) / 2 / zoom
        return place(image, frames, t, crops[0], corner, zoom)
    canvas = paste_crops(crops, centres, zoom, frames.shape[1:])
    return place(image, frames, t, canvas)


def show_tile(
    viewer: Any,
    name: str,
    data: Float32Array,
    arguments: dict[str, Any],
    *,
    limits: tuple[float, float],
    about: dict[str, Any],
    **first: Any,
) -> Image:
    """Show a tile in the image layer of this name, made by an earlier call, or in a new one.

    Parameters
    ----------
    viewer
        The napari viewer.
    name
        Name of the layer.
    data, arguments
        As :func:`place` returns them.
    limits
        Contrast limits.
    about
        What made it: kept, with the package's version, in ``metadata["interpdisc"]``.
    first
        Further arguments of a new layer, which the user may change afterwards.

    Returns
    -------
    The layer, below the overlay of classes; the viewer's active layer does not change.
    """
    viewer = unwrapped(viewer)
    kept = {"interpdisc": {"tile": name, "version": __version__, **about}}
    for layer in list(viewer.layers):
        if is_tile(layer, name):
            if layer.ndim == data.ndim and "affine" not in arguments:
                layer.data = data
                # each of these draws the layer anew: only what changes, so that a drag is smooth
                for attribute in ("scale", "translate"):
                    if not np.array_equal(getattr(layer, attribute), arguments[attribute]):
                        setattr(layer, attribute, arguments[attribute])
                if tuple(layer.contrast_limits) != limits:
                    layer.reset_contrast_limits_range()
                    layer.contrast_limits = limits
                layer.metadata = kept
                return layer
            viewer.layers.remove(layer)
    chosen, active = set(viewer.layers.selection), viewer.layers.selection.active
    layer = viewer.add_image(
        data, name=name, contrast_limits=limits, metadata=kept, **arguments, **first
    )
    overlay = find_overlay(viewer)
    if overlay is not None:  # classes, annotations and the ring stay visible
        viewer.layers.move(viewer.layers.index(layer), viewer.layers.index(overlay))
    viewer.layers.selection = chosen
    viewer.layers.selection.active = active
    return layer


def drop_tile(viewer: Any, name: str) -> None:
    """Remove a tile of an earlier run that a new one does not replace."""
    layers = unwrapped(viewer).layers
    for layer in [layer for layer in layers if is_tile(layer, name)]:
        layers.remove(layer)


def is_tile(layer: Any, name: str) -> bool:
    """Whether :func:`show_tile` made this layer under this name."""
    return bool(layer.metadata.get("interpdisc", {}).get("tile") == name)


def grey_limits(*pictures: Float32Array) -> tuple[float, float]:
    """Contrast limits under which all of ``pictures`` can be compared; never empty.

    The lowest and highest half per cent may saturate: one odd pixel is not to grey the rest.
    """
    pooled = np.concatenate([p.ravel() for p in pictures])
    low, high = (float(v) for v in np.percentile(pooled, (0.5, 99.5)))
    return low, max(high, low + 1e-6)
