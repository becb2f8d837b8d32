"""Colours of classes, the same in every view, and of lines and bars on white."""

from __future__ import annotations

from collections.abc import Sequence

from napari_interpdisc._types import RGBA
from napari_interpdisc.pipeline import UNSURE

# Okabe and Ito's colours, told apart by colour-blind eyes; ordered so that the first two, on a grey
# image, differ most. Their black is left out: it would not be seen.
_OKABE_ITO = ("#56B4E9", "#D55E00", "#F0E442", "#009E73", "#CC79A7", "#0072B2", "#E69F00")
_UNSURE = "#9A9A9A"

ON_WHITE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
"""Okabe and Ito's colours and a grey, for lines and bars on white."""


def class_colors(classes: Sequence[str]) -> dict[str, RGBA]:
    """Colours of ``classes`` and of ``unsure``, RGBA 0–1, the same in every view.

    After seven classes the colours repeat, darker.
    """
    colors = {}
    for k, name in enumerate(classes):
        turn, which = divmod(k, len(_OKABE_ITO))
        colors[name] = _rgba(_OKABE_ITO[which], 0.7**turn)
    return colors | {UNSURE: _rgba(_UNSURE)}


def _rgba(text: str, shade: float = 1.0) -> RGBA:
    red, green, blue = (int(text[i : i + 2], 16) / 255 * shade for i in (1, 3, 5))
    return red, green, blue, 1.0
