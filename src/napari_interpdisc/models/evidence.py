"""How a head did on cells of groups that it was not fitted on; stored beside the head."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST_CELLS = 10**9
"""Counts beyond this are no counts of cells."""

HISTOGRAM = 20
"""Parts of 0-1 in which confidences are counted."""

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=MOST_CELLS)]
Interval = tuple[Share, Share]
Brier = Annotated[float, Field(ge=0, le=2)]


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CalibrationEvidence(_Stored):
    """Whether the confidences were right, each class weighted equally.

    The fields are those of :class:`napari_interpdisc.discovery.reliability.Reliability`, without
    what is not known.
    """

    brier: float = Field(ge=0, le=2)
    interval: tuple[Brier, Brier] | None = None
    constant_brier: float = Field(ge=0, le=1)
    ece: float = Field(ge=0, le=1)
    chance_ece: float = Field(ge=0, le=1)
    confidence: tuple[Share, ...] = Field(min_length=1, title="Mean confidence of each bin")
    right: tuple[Share, ...] = Field(title="Share of cells of each bin whose class is right")
    right_interval: tuple[Interval | None, ...]
    cells: tuple[Count, ...] = Field(title="Cells of each bin")
    histogram: tuple[Count, ...] = Field(
        min_length=HISTOGRAM,
        max_length=HISTOGRAM,
        title="Cells by confidence, in twentieths",
    )

    @model_validator(mode="after")
    def _equally_long(self) -> Self:
        if (
            len({len(self.confidence), len(self.right), len(self.right_interval), len(self.cells)})
            > 1
        ):
            raise ValueError("the bins of a calibration differ in number")
        if not sum(self.histogram):
            raise ValueError("the histogram of a calibration holds no cell")
        return self


class Evidence(_Stored):
    """Quality of a head, measured on groups that were held out of its kind's training."""

    cells: int = Field(ge=1, le=MOST_CELLS, title="Labelled cells")
    groups: int = Field(ge=1, le=MOST_CELLS, title="Tracks, plates or movies that they are of")
    group_name: str = Field("track", max_length=60, pattern=r"^[^\x00-\x1f]*$")
    folds: int = Field(ge=2)
    accuracy: float = Field(ge=0, le=1)
    balanced_accuracy: float = Field(ge=0, le=1)
    interval: Interval = Field(title="95 % bootstrap interval of the balanced accuracy, by group")
    confusion: tuple[tuple[Count, ...], ...] = Field(title="Rows: labelled; columns: called")
    seeds: tuple[Share, ...] = Field(
        (), title="Balanced accuracy of each seed, where there are more"
    )
    calibration: CalibrationEvidence | None = None
    effort: str = Field(
        "", max_length=60, title="How much work the training did: quick, thorough, own settings"
    )
    data_sha256: str = Field("", title="Hash of the latents and classes of the labelled cells")

    @model_validator(mode="after")
    def _square(self) -> Self:
        if any(len(row) != len(self.confusion) for row in self.confusion):
            raise ValueError("the confusion matrix is not square")
        if sum(map(sum, self.confusion)) != self.cells:
            raise ValueError("the confusion matrix does not hold as many cells as there are")
        if self.interval[0] > self.interval[1]:
            raise ValueError("the interval goes from high to low")
        return self
