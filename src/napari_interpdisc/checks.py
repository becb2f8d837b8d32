"""Named checks of a movie's settings, each with what to do: diameter, blur, noise, channel, light.

A cell that is out of distribution is flagged by itself
(:mod:`napari_interpdisc.models.familiarity`). A setting that is wrong changes all cells a little,
and shows in their median first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_interpdisc._types import Float64Array
from napari_interpdisc.crop_measures import CropMeasures
from napari_interpdisc.models.familiarity import Familiarity

FEWEST = 10
"""Cells that it takes to check a movie."""

SAMPLE = 300
"""Cells whose crops are measured, spread over the movie."""

SIZE = 1.1
"""Factor by which the median nucleus may be larger or smaller than those of the training data."""

SURE = 1.28
"""Standard errors by which the median must be beyond that: one-sided 90 %."""

DIM = 0.5
"""Brightness of the middle of crops, in their standard deviations, below which no nucleus is
there. Medians of the frames that the bundled encoder was trained on are above 0.7."""

FLAT = 0.01
"""Share of a crop's pixels at its maximum from which its nucleus is cut off: a tenth of it."""

SATURATED = 0.15
"""Share of cells that may be so. Mitotic cells are the brightest and come first. Of the MitoCheck
cells that the bundled encoder was trained on, 9 % are so, and 1 % of the others."""


@dataclass(frozen=True)
class Check:
    """One setting of a movie.

    Attributes
    ----------
    name
        ``diameter``, ``blur``, ``noise``, ``channel`` or ``saturation``; ``estimate`` for a
        diameter that was estimated and is unsure.
    measured, low, high
        What was measured (a median over the sampled cells; of saturation the share of them), and
        the range in which it may be.
    advice
        What is wrong and what to do, in a sentence; empty if it is right.
    """

    name: str
    measured: float
    low: float
    high: float
    advice: str = ""

    def note(self) -> dict[str, Any]:
        """Plain values, to be written beside a result."""
        limits = {
            name: round(value, 4)
            for name, value in (("low", self.low), ("high", self.high))
            if np.isfinite(value)
        }
        return {
            "check": self.name,
            "measured": round(self.measured, 4),
            **limits,
            "advice": self.advice,
        }


def check_movie(
    sample: CropMeasures, model_diameter: float, diameter: float, known: Familiarity | None
) -> tuple[Check, ...]:
    """Check the settings behind some crops.

    Parameters
    ----------
    sample
        Measures of at most :data:`SAMPLE` crops of cells away from the edge.
    model_diameter, diameter
        Typical nuclear diameter in crops, and in the image as it was given, px.
    known
        What the training data looked like; without it, blur and noise are not judged.

    Returns
    -------
    One check a setting; none with fewer than :data:`FEWEST` crops.
    """
    if len(sample) < FEWEST:
        return ()
    return tuple(_checks(sample, model_diameter, diameter, known))


def _checks(
    sample: CropMeasures, model_diameter: float, diameter: float, known: Familiarity | None
) -> Iterator[Check]:
    found = [_channel(sample), _saturation(sample.flat)]
    if known is not None:
        found.append(_blur(float(np.median(sample.fineness)), known.fineness))
        found.append(_noise(float(np.median(sample.noise)), known.noise))
    yield from found
    # what is not a nucleus has no diameter, and noise hides where one ends
    judged = not any(check.advice for check in found if check.name in ("channel", "noise"))
    expected = model_diameter if known is None else known.diameter
    yield _diameter(sample.diameter, expected, diameter, judged)


def _channel(sample: CropMeasures) -> Check:
    middle, told = float(np.median(sample.brightness)), ""
    if middle < 0:
        told = (
            "The middle of the crops is darker than what surrounds it: the image is inverted, or "
            "this is not the channel of the nuclei; invert the image, or choose the other channel."
        )
    elif middle < DIM:
        told = (
            "The middle of the crops is hardly brighter than what surrounds it: choose the channel "
            "of the nuclear stain, and check the diameter and that the centroids are those of "
            "nuclei."
        )
    return Check("channel", middle, DIM, np.inf, told)


def _diameter(found: Float64Array, expected: float, diameter: float, judged: bool) -> Check:
    middle = float(np.median(found))
    low, high = expected / SIZE, expected * SIZE
    spread = 1.4826 * float(np.median(np.abs(found - middle)))
    margin = SURE * 1.2533 * spread / np.sqrt(len(found))
    told = ""
    if judged and not low - margin <= middle <= high + margin:
        better = diameter * middle / expected
        told = (
            f"Nuclei in the crops measure {middle:.0f} px, and the model expects {expected:.0f}: "
            f"set the diameter to {better:.3g} px ({diameter:.3g} px was used) and run again, "
            "unless most of these cells are in mitosis."
        )
    return Check("diameter", middle, low, high, told)


def _blur(fineness: float, least: float) -> Check:
    told = ""
    if fineness < least:
        told = (
            "Crops are blurred more than those that the model was trained on: check the focus, "
            "and use the image without smoothing or denoising, or fine-tune the encoder."
        )
    return Check("blur", fineness, least, np.inf, told)


def _noise(noise: float, most: float) -> Check:
    told = ""
    if noise > most:
        told = (
            f"Pixel noise is {noise:.2f} of a crop's standard deviation, and at most {most:.2f} in "
            "the training data: average frames or expose longer, or fine-tune the encoder."
        )
    return Check("noise", noise, 0.0, most, told)


def _saturation(flat: Float64Array) -> Check:
    share, told = float((flat > FLAT).mean()), ""
    if share > SATURATED:
        told = (
            f"{100 * share:.0f} % of the cells are cut off at the top of the brightness scale: the "
            "image is saturated, and mitotic cells, the brightest, lose most; use the image before "
            "its contrast was stretched, or expose less."
        )
    return Check("saturation", share, 0.0, SATURATED, told)
