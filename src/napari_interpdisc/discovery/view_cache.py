"""Latents and properties of cells that were augmented before, for the next training."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float32Array
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.patches import Patches

DECIDING = (
    "augmented", "augmentation", "latents", "properties", "rotations", "seed", "surroundings",
)  # fmt: skip
"""Fields of a recipe that decide what is known of a cell; the others change nothing of it."""


def cell_keys(
    patches: Patches, regions: npt.NDArray[np.integer] | None = None
) -> npt.NDArray[np.str_]:
    """Names (N,) of cells by their pixels, and by their segmentation if there is one.

    Equal pixels have equal names, whichever movie or training they come from.
    """
    names = []
    for place, pixels in enumerate(patches.pixels):
        digest = hashlib.sha256(repr((pixels.shape, patches.field)).encode())
        digest.update(np.ascontiguousarray(pixels).tobytes())
        if regions is not None:
            digest.update(np.ascontiguousarray(regions[place], np.int32).tobytes())
        names.append(digest.hexdigest()[:32])
    return np.array(names, dtype="<U32")


@dataclass
class ViewCache:
    """What the last training saw of each cell; of other settings or another encoder, nothing.

    Attributes
    ----------
    of
        Digest of the settings and the encoder that everything is of.
    views
        By the cell's name: (1 + V, L + P), the plain crop first.
    """

    of: str = ""
    views: dict[str, Float32Array] = field(default_factory=dict)

    def known(self, model: CellModel, recipe: Recipe) -> dict[str, Float32Array]:
        """What is known of cells under these settings."""
        return self.views if self.of == _digest(model, recipe) else {}

    def keep(self, model: CellModel, recipe: Recipe, views: dict[str, Float32Array]) -> None:
        """Keep what this training saw, and forget all else, so that memory stays bounded."""
        self.of, self.views = _digest(model, recipe), views


def _digest(model: CellModel, recipe: Recipe) -> str:
    settings = recipe.model_dump(mode="json", include=set(DECIDING))
    shape = [model.encoder_sha256, model.crop_size, model.model_diameter]
    return hashlib.sha256(json.dumps([settings, shape], sort_keys=True).encode()).hexdigest()
