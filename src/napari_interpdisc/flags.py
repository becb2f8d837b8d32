"""Reasons not to trust what a head says of a cell, as bits of a number."""

from __future__ import annotations

OUT_OF_DISTRIBUTION, CUT, SATURATED, NO_PIXELS = 1, 2, 4, 8
"""The cell is unlike the training data; the edge of the image may cut it; it is cut off at the top
of the brightness scale; the image has no pixels there, and the cell has no class."""

FLAG_NAMES = {
    OUT_OF_DISTRIBUTION: "unlike the training data",
    CUT: "cut by the edge",
    SATURATED: "saturated",
    NO_PIXELS: "no pixels",
}

REASONS = (
    "unlike the training data in its latents",
    "unlike the training data in sharpness or grain",
    "cut by the edge",
    "saturated",
)
"""Why a cell is flagged: each of the two densities, the edge, and brightness. A cell without pixels
says its own reason, one of those below."""

UNREADABLE = "no pixels: the frame cannot be read"
BLANK = "no pixels: blank frame"
NOT_A_NUMBER = "no pixels: NaN or infinite values"
UNIFORM = "no pixels: nothing but one value around the cell"

N_FLAGS = 8
"""Number of sums of flags that a cell with pixels may have, 0 among them."""


def flag_name(flag: int) -> str:
    """What a sum of flags says of a cell, or an empty string."""
    return ", ".join(text for bit, text in FLAG_NAMES.items() if flag & bit)
