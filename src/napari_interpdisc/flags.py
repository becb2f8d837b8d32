"""Reasons not to trust what a head says of a cell, as bits of a number."""

from __future__ import annotations

OUT_OF_DISTRIBUTION, CUT = 1, 2
"""The cell is unlike the training data; the edge of the image may cut it."""

FLAG_NAMES = {OUT_OF_DISTRIBUTION: "unlike the training data", CUT: "cut by the edge"}

REASONS = (
    "unlike the training data in its latents",
    "unlike the training data in sharpness or grain",
    "cut by the edge",
)
"""Why a cell is flagged: each of the two densities, and the edge."""

N_FLAGS = 4
"""Number of sums of flags, 0 among them."""


def flag_name(flag: int) -> str:
    """What a sum of flags says of a cell, or an empty string."""
    return ", ".join(text for bit, text in FLAG_NAMES.items() if flag & bit)
