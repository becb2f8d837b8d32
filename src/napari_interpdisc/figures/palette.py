"""Colours of classes, the same in every view, and of lines and bars on white."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import RGBA, Float64Array
from napari_interpdisc.pipeline import UNSURE

# Okabe and Ito's colours, told apart by colour-blind eyes; ordered so that the first two, on a grey
# image, differ most. Their black is left out: it would not be seen.
_OKABE_ITO = ("#56B4E9", "#D55E00", "#F0E442", "#009E73", "#CC79A7", "#0072B2", "#E69F00")
_UNSURE = "#9A9A9A"

_KNOWN = (
    "interphase", "metaphase", "prometaphase", "anaphase", "apoptosis", "prophase", "telophase",
)  # fmt: skip
"""Classes that have these colours, in this order, if no other class was given one before."""

_SHADES = (1.0, 0.7, 0.5)

_places: dict[str, int] = {}
"""Which colour every class has that was ever shown: one class has one colour in all views."""

ON_WHITE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
"""Okabe and Ito's colours and a grey, for lines and bars on white."""


DISAGREEMENT = (
    "all heads agree", "up to 10 % disagree", "10 to 20 %", "20 to 30 %", "30 to 40 %",
    "40 to 50 %", "more than 50 %",
)  # fmt: skip
"""Levels of the share of heads that give a cell another class than most do."""


def class_colors(classes: Sequence[str]) -> dict[str, RGBA]:
    """Colours of ``classes`` and of ``unsure``, RGBA 0–1.

    A class keeps its colour as long as the program runs, whichever head, view or annotation it
    occurs in. After seven classes the colours repeat, darker; 21 can be told apart.
    """
    colors: dict[str, RGBA] = {}
    taken: set[int] = set()
    for name in classes:
        place = _place_of(name)
        if place in taken and len(taken) < len(_SHADES) * len(_OKABE_ITO):
            # of more classes than there are colours, those that are seen together differ
            place = next(k for k in itertools.count() if k not in taken)
        taken.add(place)
        turn, which = divmod(place, len(_OKABE_ITO))
        colors[name] = _rgba(_OKABE_ITO[which], _SHADES[turn])
    return colors | {UNSURE: _rgba(_UNSURE)}


def keep_color(old: str, new: str) -> None:
    """Give a class that is renamed the colour that it has, unless its new name has one already."""
    if old in _places and new not in _places and new.casefold() not in _KNOWN:
        _places[new] = _places[old]


def _place_of(name: str) -> int:
    """Position of the colour of a class; the first one that no other class has if it is new."""
    if name not in _places:
        word, taken = name.casefold(), set(_places.values())
        own = _KNOWN.index(word) if word in _KNOWN else -1
        if own < 0 or own in taken:
            own = next(k for k in itertools.count() if k not in taken)
        _places[name] = own
    return _places[name] % (len(_SHADES) * len(_OKABE_ITO))


def disagreement_colors(n_classes: int) -> dict[str, RGBA]:
    """Colours of :func:`disagreement_level`, RGBA 0–1: viridis, from dark blue to yellow.

    The levels have names. Of two classes, no more than half of the heads can disagree.
    """
    import matplotlib

    shades = matplotlib.colormaps["viridis"](np.linspace(0, 1, len(DISAGREEMENT)))
    n = len(DISAGREEMENT) - (n_classes == 2)
    return {
        name: (float(r), float(g), float(b), 1.0)
        for name, (r, g, b, _) in zip(DISAGREEMENT[:n], shades[:n], strict=True)
    }


def disagreement_level(disagreement: Float64Array) -> npt.NDArray[np.int64]:
    """Position (N,) in :data:`DISAGREEMENT` of each share (N,), 0 to 1; −1 for NaN."""
    # 0.3 is 0.30000000000000004 now and then
    level = np.ceil(np.round(np.nan_to_num(disagreement) * 10, 6)).astype(np.int64)
    return np.where(np.isnan(disagreement), -1, level.clip(0, len(DISAGREEMENT) - 1))


def _rgba(text: str, shade: float = 1.0) -> RGBA:
    red, green, blue = (int(text[i : i + 2], 16) / 255 * shade for i in (1, 3, 5))
    return red, green, blue, 1.0
