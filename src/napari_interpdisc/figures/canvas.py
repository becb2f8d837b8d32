"""What all pictures share: greys of crops, and a way to the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from napari_interpdisc.io.results import write_whole

DARKEST, BRIGHTEST = -1.2, 4.0
"""Values of a normalised crop that are shown black and white."""

GREYS: dict[str, Any] = {"cmap": "gray", "vmin": DARKEST, "vmax": BRIGHTEST}
"""Arguments of ``imshow`` for normalised crops."""


def no_maths(figure: Figure) -> Figure:
    """Let all text of a figure be what it says: a name of a class may hold dollar signs."""
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_parse_math(False)
    return figure


def save_figure(figure: Figure, path: Path, dpi: float = 110) -> None:
    """Write a figure as a PNG file, or SVG by its suffix, that is whole or not there.

    Raises
    ------
    InvalidInput
        If it cannot be written there.
    """
    # a canvas of its own: no pyplot state, no window system
    FigureCanvasAgg(no_maths(figure))
    kind = "svg" if path.suffix.lower() == ".svg" else "png"
    about = {"Date": None} if kind == "svg" else None  # the same figure gives the same file
    with rc_context({"svg.hashsalt": "interpdisc", "svg.fonttype": "none"}):
        write_whole(
            path,
            lambda partial: figure.savefig(
                partial, dpi=dpi, facecolor="white", format=kind, metadata=about
            ),
        )


def figure_pixels(figure: Figure) -> npt.NDArray[np.uint8]:
    """Draw a figure as (Y, X, 4) pixels, RGBA 0–255; its background may be seen through."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba()).copy()  # type: ignore[no-untyped-call]
