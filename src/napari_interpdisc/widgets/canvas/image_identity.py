"""By what an image is recognised that was closed and opened again. No Qt, no napari here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.guarded_files import one_sentence

SAMPLES = 256
"""Pixels along each axis of a plane by which an image is recognised."""


@dataclass(frozen=True)
class ImageIdentity:
    """By what an image is recognised.

    Attributes
    ----------
    name, path
        What its layer was called, and the file it was opened from; empty if there is none.
    shape
        Of its array.
    digest
        SHA-256 of pixels of three planes; empty if they could not be read.
    """

    name: str
    path: str
    shape: tuple[int, ...]
    digest: str

    def is_same(self, other: ImageIdentity) -> bool:
        """Whether two are one image: by their pixels; by their files if these cannot be read."""
        if self.shape != other.shape:
            return False
        if self.digest and other.digest:
            return self.digest == other.digest
        return bool(self.path) and self.path == other.path


def identify(layer: Any) -> ImageIdentity:
    """What the image of a layer is recognised by; reads up to three of its planes."""
    data = layer.data[0] if layer.multiscale else layer.data
    shape = tuple(int(n) for n in data.shape)
    path = str(layer.source.path or "")
    plane_axes = min(len(shape), 3 if layer.rgb else 2)
    leading = shape[: len(shape) - plane_axes]
    hashed = hashlib.sha256()
    steps = tuple(slice(None, None, max(1, n // SAMPLES)) for n in shape[len(leading) :][:2])
    try:
        with one_sentence(path or layer.name, "an image"):
            for part in (0.0, 0.5, 1.0):
                at = tuple(round(part * (n - 1)) for n in leading)
                # as doubles: another reader may give the same pixels in another type
                plane = np.asarray(data[(*at, *steps)])
                hashed.update(np.ascontiguousarray(plane, np.float64).tobytes())
                if not leading:
                    break
    except InvalidInput:
        return ImageIdentity(str(layer.name), path, shape, "")
    return ImageIdentity(str(layer.name), path, shape, hashed.hexdigest())
