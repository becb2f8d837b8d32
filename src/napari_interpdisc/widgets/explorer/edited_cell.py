"""One cell whose latents are being edited; no Qt here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float32Array
from napari_interpdisc.models.cell_model import CellModel


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
    edited
        (L,) the latents now; they start as the cell's own.
    reconstruction
        (S, S) decoding of ``own``.
    """

    model: CellModel
    head: str | None
    crop: Float32Array
    own: Float32Array
    edited: Float32Array = field(init=False)
    reconstruction: Float32Array = field(init=False)

    def __post_init__(self) -> None:
        """Start unedited."""
        self.edited = self.own.copy()
        self.reconstruction = np.asarray(self.model.decode(self.own[None])[0, 0])

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the head's classes."""
        return self.model.head(self.head).classes

    @property
    def is_edited(self) -> bool:
        """Whether any latent differs from the cell's own."""
        return not np.array_equal(self.own, self.edited)

    def shown(self, texture: bool = False) -> tuple[Float32Array, Float32Array, Float32Array]:
        """Crop, decoding of its own latents and of the edited ones: (S, S) each.

        With ``texture`` their local contrast, (S/2, S/2), as far as the model predicts it.
        """
        if not texture:
            return self.crop, self.reconstruction, self.decoded()
        own, edited = self.model.decode_texture(np.stack([self.own, self.edited]))[:, 0]
        return self.model.texture_of(self.crop[None, None])[0, 0], own, edited

    def decoded(self) -> Float32Array:
        """Decode the edited latents: (S, S)."""
        return np.asarray(self.model.decode(self.edited[None])[0, 0])

    def scores(self) -> tuple[Float32Array, Float32Array]:
        """Scores (K,) of the cell's own and of the edited latents."""
        own, edited = self.model.score(np.stack([self.own, self.edited]), self.head)
        return own, edited

    def reset(self, *latents: int) -> None:
        """Give these latents, or without any all of them, the cell's own value back."""
        which = list(latents) if latents else slice(None)
        self.edited[which] = self.own[which]

    def traverse(
        self, latents: Sequence[int], values: npt.ArrayLike, texture: bool = False
    ) -> tuple[Float32Array, Float32Array]:
        """Decodings (n, S, S) and scores (n, K) as latents take values (n, m), the others kept.

        With ``texture`` the decoded local contrast, (n, S/2, S/2).
        """
        steps = np.asarray(values, dtype=np.float32)
        points = np.tile(self.edited, (len(steps), 1))
        points[:, list(latents)] = steps
        decode = self.model.decode_texture if texture else self.model.decode
        return decode(points)[:, 0], self.model.score(points, self.head)
