"""Times and frames that a table writes as text: ``0:05:00``, ``t0003``."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_interpdisc._types import Float64Array

if TYPE_CHECKING:
    import pandas as pd

_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)")
_COUNTED = re.compile(r"(?P<word>[^\d]*?[^\d.,+-])?(?P<number>\d+)")

MINUTES_SECONDS = ("m:s", "min:s", "mm:ss", "min:sec")
"""Units of times with one colon; without them such a time may be one of hours and minutes."""


def seconds_of(raw: pd.Series[Any], unit: str = "") -> Float64Array | None:
    """Seconds (N,) of durations and of times such as ``0:05:00``, NaN for none; else None.

    Parameters
    ----------
    raw
        (N,) times as they were read.
    unit
        What the name of the column says of them.
    """
    if raw.dtype.kind == "m":
        return np.asarray(raw.dt.total_seconds(), np.float64)
    if raw.dtype.kind not in "OUT":
        return None
    least = 1 if unit in MINUTES_SECONDS else 2
    found = np.full(len(raw), np.nan)
    for i, value in enumerate(raw):
        text = _text(value)
        if not text:
            continue
        part = _CLOCK.fullmatch(text)
        if part is None or text.count(":") < least:
            return None
        hours, minutes, seconds = (float(number or 0) for number in part.groups())
        found[i] = 3600 * hours + 60 * minutes + seconds
    return found


def _text(value: object) -> str:
    """A cell of a table as text; empty for none."""
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "" if missing else str(value).strip()


def numbers_of(raw: pd.Series[Any]) -> Float64Array | None:
    """Numbers (N,) of texts such as ``t0003``, all with the same word before; else None."""
    if raw.dtype.kind not in "OUT":
        return None
    found = np.full(len(raw), np.nan)
    words = set()
    for i, value in enumerate(raw):
        text = _text(value)
        if not text:
            continue
        part = _COUNTED.fullmatch(text)
        if part is None:
            return None
        words.add(part["word"] or "")
        found[i] = float(part["number"])
    return found if len(words) == 1 else None
