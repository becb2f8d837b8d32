"""What the scorecard can test: whatever gives scores to crops."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float32Array
from napari_interpdisc.models.cell_model import CellModel


class Scorer(Protocol):
    """A classifier of crops, by whatever means.

    Attributes
    ----------
    model, name
        What it belongs to, and what it is called there.
    classes
        Its K classes.
    """

    @property
    def model(self) -> str:
        """What it belongs to."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Its K classes."""

    def score(self, crops: Float32Array, rows: npt.NDArray[np.intp] | None = None) -> Float32Array:
        """Logits of normalised crops (N, 1, S, S): (N, 1) for two classes, else (N, K).

        ``rows`` (N,) tells which of the tested cells the crops show. It is None for others, such
        as simulated cells. A classifier that was fitted on some of the tested cells must score
        each by what it learned from the others.
        """


@dataclass
class SharedEncoder:
    """Encodes crops once for all heads of a model that score the same array."""

    model: CellModel
    _crops: Float32Array | None = field(default=None, init=False)
    _latents: Float32Array | None = field(default=None, init=False)

    def encode(self, crops: Float32Array) -> Float32Array:
        """Posterior means (N, L) of crops (N, 1, S, S)."""
        if self._latents is None or self._crops is not crops:
            self._crops, self._latents = crops, self.model.encode(crops)[0]
        return self._latents


@dataclass(frozen=True)
class HeadScorer:
    """A head of a model, as a :class:`Scorer`.

    Attributes
    ----------
    encoder
        The model's encoder, shared with its other heads.
    name
        Name of the head.
    """

    encoder: SharedEncoder
    name: str

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.encoder.model.name

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes of the head."""
        return self.encoder.model.head(self.name).classes

    def score(self, crops: Float32Array, rows: npt.NDArray[np.intp] | None = None) -> Float32Array:
        """Logits of crops; ``rows`` do not matter."""
        return self.encoder.model.score(self.encoder.encode(crops), self.name)
