"""How numbers are written in sentences, tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MINUS = "\N{MINUS SIGN}"


def signed(value: float, digits: int = 2) -> str:
    """Text with a real minus: −0.97."""
    return f"{value:.{digits}f}".replace("-", MINUS)


def with_sign(value: float, digits: int = 2) -> str:
    """Always a sign, with a real minus, and zero without one; a dash for NaN, which is no value."""
    if np.isnan(value):
        return "–"
    text = f"{value:+.{digits}f}".replace("-", MINUS)
    return text[1:] if float(f"{value:.{digits}f}") == 0 else text


def percent(share: float) -> str:
    """Share as a whole percentage; below half a percent, but not 0, ``< 1 %``."""
    return "< 1 %" if 0 < share < 0.005 else f"{share:.0%}".replace("%", " %")


def mean_sd(values: Sequence[float], digits: int = 3) -> str:
    """``0.972 ± 0.007``: mean and standard deviation, the mean alone of one value."""
    mean = f"{np.mean(values):.{digits}f}"
    return mean if len(values) < 2 else f"{mean} ± {np.std(values, ddof=1):.{digits}f}"
