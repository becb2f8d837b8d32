"""What the scorecard can test: whatever gives scores to crops."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float32Array, Float64Array
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.properties import missing_properties
from napari_interpdisc.scrutiny.properties import measure_crops


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
        each by what it learned from the others. A row of NaN is no answer.
        """


@dataclass
class SharedEncoder:
    """Encodes and measures crops once for all heads of a model that score the same array."""

    model: CellModel
    _crops: Float32Array | None = field(default=None, init=False)
    _latents: Float32Array | None = field(default=None, init=False)
    _measured: dict[str, Float64Array] | None = field(default=None, init=False)

    def encode(self, crops: Float32Array) -> Float32Array:
        """Posterior means (N, L) of crops (N, 1, S, S)."""
        self._show(crops)
        if self._latents is None:
            self._latents = self.model.encode(crops)[0]
        return self._latents

    def measure(self, crops: Float32Array) -> dict[str, Float64Array]:
        """Properties (N,) that any head of the model reads, in nuclei that are found in crops."""
        self._show(crops)
        if self._measured is None:
            names = self.model.needed_properties
            self._measured = measure_crops(crops, None, self.model.model_diameter, names=names)
        return self._measured

    def _show(self, crops: Float32Array) -> None:
        if self._crops is not crops:
            self._crops, self._latents, self._measured = crops, None, None


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
        """Logits of crops; ``rows`` do not matter.

        Properties that the head reads are measured in the nucleus that is found in each crop. A
        crop without one has no answer, nor has one for which a formula has no value.
        """
        model, latents = self.encoder.model, self.encoder.encode(crops)
        read = model.head(self.name).head.properties
        measured = self.encoder.measure(crops) if len(read) else None
        scores = model.score(latents, self.name, measured)
        scores[~model.defined(latents, self.name, measured)] = np.nan
        if len(read):
            scores[missing_properties(read.columns(measured))] = np.nan
        return scores
