"""What a stored model may hold at most, and texts that are safe to show.

The limits are far beyond any model that is of use, and small enough that a folder from a stranger
takes neither memory nor time. What belongs to the network is in
:class:`napari_interpdisc.models.tcvae.TCVAEConfig`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from napari_interpdisc.errors import is_hidden

LARGEST_FILE = {"config.json": 4 * 2**20, "card.md": 4 * 2**20, "weights.safetensors": 256 * 2**20}
"""Bytes of each file of a model folder. The bundled model has 55 kB, 16 kB and 6.4 MB."""

LARGEST_HEADER = 2**20
"""Bytes of the header of ``weights.safetensors``."""

MOST_HEADS, MOST_CLASSES, MOST_MOVIES = 200, 100, 10_000
MOST_LAYERS, MOST_UNITS = 16, 4096
LEAST_DIAMETER, MOST_DIAMETERS, LARGEST_SHARE = 4.0, 16.0, 4.0
"""Least model diameter, px; and how many of them a crop may be wide, at most and at least (as a
share of one)."""

LONGEST_NAME, LONGEST_TEXT = 200, 20_000


def _visible(text: str) -> str:
    if any(is_hidden(c) for c in text):
        raise ValueError("holds a control character")
    return text


def _readable(text: str) -> str:
    if any(is_hidden(c) and c not in "\n\t" for c in text):
        raise ValueError("holds a control character")
    return text


Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_visible)]
"""Name of a model, head, class or movie: one line, without control characters."""

Text = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(_readable)]
"""Something to read, of one or more lines."""

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256."""
