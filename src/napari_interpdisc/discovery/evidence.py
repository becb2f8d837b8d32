"""From what a training found to what is stored with its heads."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from napari_interpdisc.discovery.effort import effort_of
from napari_interpdisc.discovery.quality import Quality
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.discovery.reliability import Reliability, reliability
from napari_interpdisc.discovery.results import Discovery, Kind
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import class_probabilities
from napari_interpdisc.models.evidence import CalibrationEvidence, Evidence

DIGITS = 6


def evidence_of(
    found: Discovery, kind: Kind, quality: Quality | None = None, seeds: Sequence[float] = ()
) -> Evidence:
    """What is known of a head that a training found.

    Parameters
    ----------
    found, kind
        The training, and which of its heads.
    quality
        Of another formula of the front than the one that was chosen: then the calibration, which
        was measured for that one, is left out.
    seeds
        Balanced accuracy of each seed, if the training was repeated.
    """
    fitted = found.heads[kind]
    of = fitted.quality if quality is None else quality
    calibration = None
    if quality is None and len(found.target):
        calibration = calibration_of(held_out_reliability(found, kind))
    return Evidence(
        cells=found.cells,
        groups=found.groups,
        group_name=found.group_name,
        folds=found.folds,
        accuracy=of.accuracy,
        balanced_accuracy=of.balanced_accuracy,
        interval=of.interval,
        confusion=tuple(map(tuple, of.confusion.tolist())),
        seeds=tuple(round(value, DIGITS) for value in seeds),
        calibration=calibration,
        data_sha256=found.data_sha256,
        effort=effort_of(Recipe.model_validate(found.settings)) if found.settings else "",
    )


def held_out_reliability(found: Discovery, kind: Kind) -> Reliability:
    """How right the confidences of one kind of head are, on cells that were held out.

    Raises
    ------
    InvalidInput
        If the training does not tell the labels.
    """
    if not len(found.target):
        raise InvalidInput("This training does not tell the labels; train again.")
    known = found.target >= 0
    logits = found.heads[kind].logits[known]
    return reliability(class_probabilities(logits), found.target[known], found.group[known])


def calibration_of(found: Reliability) -> CalibrationEvidence:
    """Return a reliability in the form in which it is stored."""

    def plain(values: np.ndarray) -> tuple[float, ...]:
        return tuple(round(float(v), DIGITS) for v in values)

    def interval(pair: Sequence[float]) -> tuple[float, float] | None:
        low, high = (round(float(v), DIGITS) for v in pair)
        return (low, high) if math.isfinite(low) and math.isfinite(high) else None

    return CalibrationEvidence(
        brier=round(found.brier, DIGITS),
        interval=interval(found.interval),
        constant_brier=round(found.constant_brier, DIGITS),
        ece=round(found.ece, DIGITS),
        chance_ece=round(found.chance_ece, DIGITS),
        confidence=plain(found.confidence),
        right=plain(found.right),
        right_interval=tuple(interval(pair) for pair in found.right_interval),
        cells=tuple(map(int, found.cells)),
        histogram=tuple(map(int, found.histogram)),
    )


def reliability_of(stored: CalibrationEvidence, evidence: Evidence) -> Reliability:
    """Return a stored calibration as it was measured."""
    unknown = (math.nan, math.nan)
    return Reliability(
        n_cells=evidence.cells,
        n_groups=evidence.groups,
        brier=stored.brier,
        interval=stored.interval or unknown,
        constant_brier=stored.constant_brier,
        ece=stored.ece,
        chance_ece=stored.chance_ece,
        confidence=np.array(stored.confidence),
        right=np.array(stored.right),
        right_interval=np.array([pair or unknown for pair in stored.right_interval]).reshape(-1, 2),
        cells=np.array(stored.cells),
        histogram=np.array(stored.histogram),
    )
