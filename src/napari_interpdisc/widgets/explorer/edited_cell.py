"""One cell whose latents are being edited; no Qt here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float32Array
from napari_interpdisc.models.cell_model import CellModel

What = Literal["cell", "whole", "texture"]
"""What is drawn of a cell: itself, with the light from around it, or its local contrast."""


@dataclass
class EditedCell:
    """A cell as the model sees it, and as it would be with other latents.

    Attributes
    ----------
    model, head
        The model and the name of its head.
    crop
        (S, S) normalised crop.
    own
        (L,) the cell's posterior means.
    measured
        The cell's measured properties by name: where the head reads some, they are held at these.
    edited
        (L,) the latents now; they start as the cell's own.
    reconstruction
        (S, S) decoding of ``own``, in the units of the crop.
    """

    model: CellModel
    head: str | None
    crop: Float32Array
    own: Float32Array
    measured: Mapping[str, float] = field(default_factory=dict)
    edited: Float32Array = field(init=False)
    reconstruction: Float32Array = field(init=False)

    def __post_init__(self) -> None:
        """Start unedited."""
        self.edited = self.own.copy()
        self.reconstruction = self._decoded(self.own[None])[0]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the head's classes."""
        return self.model.head(self.head).classes

    @property
    def is_edited(self) -> bool:
        """Whether any latent differs from the cell's own."""
        return not np.array_equal(self.own, self.edited)

    def shown(self, what: What = "cell") -> tuple[Float32Array, Float32Array, Float32Array]:
        """Crop, decoding of its own latents and of the edited ones: (S, S) each.

        The local contrast of all three is (S/2, S/2); the model must predict it.
        """
        if what == "cell":
            return self.crop, self.reconstruction, self.decoded()
        own, edited = self._decoded(np.stack([self.own, self.edited]), what)
        if what == "whole":
            return self.crop, own, edited
        return self.model.texture_of(self.crop[None, None])[0, 0], own, edited

    def decoded(self) -> Float32Array:
        """Decode the edited latents: (S, S)."""
        return np.asarray(self._decoded(self.edited[None])[0])

    def _decoded(self, latents: npt.ArrayLike, what: What = "cell") -> Float32Array:
        """Pictures (n, S, S) of latents (n, L), or their local contrast."""
        if what == "texture":
            return self.model.decode_texture(latents)[:, 0]
        return self.model.reconstruct(latents, self.crop[None, None], what == "whole")[:, 0]

    def scores(self) -> tuple[Float32Array, Float32Array]:
        """Scores (K,) of the cell's own and of the edited latents."""
        own, edited = self._scored(np.stack([self.own, self.edited]))
        return own, edited

    def _scored(self, latents: Float32Array) -> Float32Array:
        """Scores (n, K) of latents (n, L), the measured properties as they are."""
        held = {name: np.full(len(latents), value) for name, value in self.measured.items()}
        return self.model.score(latents, self.head, held)

    def reset(self, *latents: int) -> None:
        """Give these latents, or without any all of them, the cell's own value back."""
        which = list(latents) if latents else slice(None)
        self.edited[which] = self.own[which]

    def traverse(
        self, latents: Sequence[int], values: npt.ArrayLike, what: What = "cell"
    ) -> tuple[Float32Array, Float32Array]:
        """Decodings (n, S, S) and scores (n, K) as latents take values (n, m), the others kept.

        The decoded local contrast is (n, S/2, S/2).
        """
        steps = np.asarray(values, dtype=np.float32)
        points = np.tile(self.edited, (len(steps), 1))
        points[:, list(latents)] = steps
        return self._decoded(points, what), self._scored(points)
