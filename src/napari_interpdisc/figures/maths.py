"""Typeset maths as pictures, by matplotlib's mathtext: no TeX is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import RGBA
from napari_interpdisc.errors import InvalidInput

GAP = 0.3
"""Between terms of a line, and between lines, in units of the size."""

INDENT = 1.2
"""Of all lines but the first, in units of the size."""

LEAST_SIZE = 0.6
"""To which a term that is too wide shrinks at most."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Maths:
    """A picture of one piece of maths.

    Attributes
    ----------
    pixels
        (Y, X, 4) RGBA, 0–255, transparent where there is no ink.
    baseline
        Rows above the line that letters stand on.
    """

    pixels: Pixels
    baseline: int


WIDEST = 2**15
"""Pixels a side of a picture of maths; Agg draws none of 2¹⁶."""


@lru_cache(maxsize=512)
def draw_maths(latex: str, size: float, color: RGBA) -> Maths:
    """Typeset maths in one line.

    Parameters
    ----------
    latex
        Without dollar signs; what matplotlib's mathtext knows of LaTeX.
    size
        Of a letter, px.
    color
        Of the ink.

    Raises
    ------
    InvalidInput
        If mathtext cannot read it, or it is wider than 32,768 px.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import MathTextParser

    # at 72 dots per inch a point is a pixel
    font, dpi, text = FontProperties(size=size, math_fontfamily="dejavusans"), 72, f"${latex}$"
    try:
        width, height, depth, _, _ = MathTextParser("path").parse(text, dpi, font)
    except (ValueError, RecursionError):
        raise InvalidInput(f"'{latex[:200]}' cannot be typeset.") from None
    above, below = int(np.ceil(height - depth)) + 1, int(np.ceil(depth)) + 1
    across, down = int(np.ceil(width)) + 2, above + below
    if max(across, down) > WIDEST:
        raise InvalidInput(f"'{latex[:200]}' is too long to be typeset in one line.")
    figure = Figure(figsize=(across / dpi, down / dpi), dpi=dpi)
    figure.patch.set_alpha(0)
    canvas = FigureCanvasAgg(figure)
    figure.text(
        1 / across,
        below / down,
        text,
        color=color,
        fontproperties=font,
        va="baseline",
        usetex=False,
    )
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.array(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    pixels.flags.writeable = False  # it is kept, and handed out again
    return Maths(pixels, above)


@lru_cache(maxsize=128)
def draw_sum(parts: tuple[str, ...], width: int, size: float, color: RGBA) -> Pixels:
    """Typeset a sum, in as many lines as its width asks for.

    Parameters
    ----------
    parts
        LaTeX of its terms, each with its sign; a line may break before each of them.
    width
        Width that there is, px. A term that is wider is drawn smaller, by 40 % at most; if that
        is not enough the picture is wider.
    size, color
        As in :func:`draw_maths`.

    Returns
    -------
    (Y, X, 4) RGBA, 0–255, on nothing; X is the width of the longest line.

    Raises
    ------
    InvalidInput
        If a term cannot be typeset.
    """
    gap, indent = round(GAP * size), round(INDENT * size)
    lines: list[list[Maths]] = [[]]
    x = 0
    for part in parts:
        drawn = _fitting(part, width - indent * bool(lines[0]), size, color)
        if lines[-1] and x + gap + drawn.pixels.shape[1] > width:
            lines.append([])
            x = indent
        x += (gap if lines[-1] else 0) + drawn.pixels.shape[1]
        lines[-1].append(drawn)
    return _stacked(lines, gap, indent)


def _fitting(latex: str, width: int, size: float, color: RGBA) -> Maths:
    drawn = draw_maths(latex, size, color)
    wide = drawn.pixels.shape[1]
    if wide <= width:
        return drawn
    return draw_maths(latex, size * max(LEAST_SIZE, 0.98 * width / wide), color)


def _stacked(lines: Sequence[Sequence[Maths]], gap: int, indent: int) -> Pixels:
    """Pictures of each line side by side on one baseline, and lines below each other."""
    bands = []
    for i, line in enumerate(lines):
        above = max((drawn.baseline for drawn in line), default=0)
        below = max((len(drawn.pixels) - drawn.baseline for drawn in line), default=0)
        across = sum(drawn.pixels.shape[1] for drawn in line) + gap * max(0, len(line) - 1)
        band = np.zeros((above + below, across + indent * (i > 0), 4), np.uint8)
        x = indent * (i > 0)
        for drawn in line:
            height, wide, _ = drawn.pixels.shape
            top = above - drawn.baseline
            band[top : top + height, x : x + wide] = drawn.pixels
            x += wide + gap
        bands.append(band)
    across = max(band.shape[1] for band in bands)
    down = sum(map(len, bands)) + gap * (len(bands) - 1)
    whole = np.zeros((down, across, 4), np.uint8)
    y = 0
    for band in bands:
        whole[y : y + len(band), : band.shape[1]] = band
        y += len(band) + gap
    whole.flags.writeable = False
    return whole
