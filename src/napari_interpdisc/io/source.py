"""What a file gives before its axes are arranged: an array, its axes, and what was taken of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

UNNAMED = "?"
"""Letter of an axis that the file does not name."""


@dataclass(frozen=True)
class Source:
    """An array in a file.

    Attributes
    ----------
    path
        The file, folder or pattern, as it was given.
    data
        Array-like with ``shape`` and ``dtype``, read lazily.
    axes
        One letter for each axis of ``data``: T, Z, C, S (samples of a colour), Y, X,
        :data:`UNNAMED`, or another that tells what the file calls it.
    taken
        What was taken for what, in phrases; empty where there was nothing to choose.
    """

    path: Path
    data: Any
    axes: str
    taken: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of ``data``."""
        return tuple(int(n) for n in self.data.shape)

    def described(self) -> str:
        """Axes and lengths as the file has them, such as ``T 5, Y 190, X 260``."""
        return ", ".join(
            f"{'unnamed' if a == UNNAMED else a} {n}"
            for a, n in zip(self.axes, self.shape, strict=True)
        )
