"""Evidence that is stored with a head: whole, of the right size, and read back as it was."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from napari_interpdisc.models.evidence import CalibrationEvidence, Evidence

GOOD = {
    "cells": 40, "groups": 8, "folds": 4, "accuracy": 0.9, "balanced_accuracy": 0.88,
    "interval": (0.8, 0.95), "confusion": ((18, 2), (3, 17)),
}  # fmt: skip
BINS = {
    "brier": 0.1, "constant_brier": 0.5, "ece": 0.02, "chance_ece": 0.03, "confidence": (0.7, 0.9),
    "right": (0.6, 1.0), "right_interval": (None, (0.8, 1.0)), "cells": (20, 20),
    "histogram": (0,) * 19 + (40,),
}  # fmt: skip


def test_comes_back_from_json() -> None:
    given = Evidence(**GOOD, calibration=CalibrationEvidence(**BINS))
    assert Evidence.model_validate_json(given.model_dump_json()) == given


@pytest.mark.parametrize(
    "change",
    [
        {"confusion": ((1, 2), (3,))},
        {"balanced_accuracy": 1.2},
        {"interval": (0.1, float("nan"))},
        {"cells": 0},
        {"surprise": 1},
        {"confusion": ((-18, 2), (3, 17))},
        {"confusion": ((18, 2), (3, 18))},
        {"interval": (0.9, 0.8)},
        {"interval": (0.1, 1e300)},
        {"seeds": (-5.0,)},
        {"group_name": "track\n"},
        {"cells": 10**400},
    ],
)
def test_refuses_what_cannot_be(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Evidence(**{**GOOD, **change})


def test_bins_are_as_many_of_each() -> None:
    with pytest.raises(ValidationError, match="differ in number"):
        CalibrationEvidence(**{**BINS, "right": (0.6,)})


@pytest.mark.parametrize(
    "change",
    [
        {"histogram": ()},
        {"histogram": (4,) * 10},
        {"histogram": (0,) * 20},
        {"confidence": (0.7, 1e300)},
        {"right_interval": (None, (5.0, -5.0))},
        {"cells": (20, -20)},
        {"confidence": (), "right": (), "right_interval": (), "cells": ()},
    ],
)
def test_refuses_a_calibration_that_cannot_be(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CalibrationEvidence(**{**BINS, **change})
