"""The typical nuclear diameter of an image, measured in labels or by detection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_interpdisc._types import Float32Array, Float64Array, Measured
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import UnreadableFrame
from napari_interpdisc.nuclei.segmentation import (
    NOTHING_FOUND,
    NothingFound,
    _compressed,
    _foreground,
    checked_frame,
    segment_at,
)

if TYPE_CHECKING:
    from napari_interpdisc.frames import Frames


SMALLEST_AREA = 30
"""Objects of fewer pixels do not count for a diameter: they are debris."""

SAMPLED_FRAMES = 5
"""Frames on which a diameter is estimated by detection, at most."""

ENOUGH = 150
"""Nuclei from which on no further frame is looked at: the median of a movie hardly changes, and
each frame costs as much as to classify several."""

SAMPLED_LABEL_FRAMES = 10
"""Frames on which a diameter is measured from labels."""


FEW_NUCLEI = 5
"""With fewer nuclei than this an estimate is unsure."""

UNEVEN = 2.0
"""Ratio of the upper to the lower quartile from which an estimate is unsure: nuclei were cut to
pieces, or several taken for one."""


LARGEST_SHARE = 0.25
"""Diameter, as a share of the shorter side of the image, from which an estimate is unsure: an
inverted image, or one of dirt and light alone, has one large object."""


@dataclass(frozen=True)
class DiameterEstimate:
    """The typical nuclear diameter, and how far to trust it.

    Attributes
    ----------
    diameter
        Median over the nuclei, px.
    nuclei
        Number of nuclei that were measured.
    low, high
        Lower and upper quartile of their diameters, px.
    side
        Shorter side of the image in which nuclei were detected, px; None if they were segmented.
    """

    diameter: float
    nuclei: int
    low: float
    high: float
    side: int | None = None

    @classmethod
    def of(cls, diameters: Float64Array, side: int | None = None) -> Self:
        """Estimate from the diameters (n,) of single nuclei, px, in an image of that side."""
        low, middle, high = np.quantile(diameters, (0.25, 0.5, 0.75))
        return cls(float(middle), len(diameters), float(low), float(high), side)

    @property
    def measured(self) -> Measured:
        """How it was measured: in a segmentation, or in nuclei that were detected."""
        return "segmentation" if self.side is None else "detection"

    @property
    def doubt(self) -> str:
        """Why it is unsure and what to do, in a sentence; empty if it is not."""
        if self.nuclei < FEW_NUCLEI:
            why = f"{self.nuclei} nucle{'us was' if self.nuclei == 1 else 'i were'} measured"
        elif self.high > UNEVEN * self.low:
            why = f"half of the {self.nuclei} objects measure {self.low:.0f} to {self.high:.0f} px"
        elif self.side is not None and self.diameter > LARGEST_SHARE * self.side:
            why = f"that is {self.diameter / self.side:.0%} of the image's shorter side"
        else:
            return ""
        return (
            f"The estimated diameter of {self.diameter:.1f} px is unsure ({why}): measure a few "
            "nuclei by eye and give their typical diameter, or give a segmentation."
        )


def diameter_from_labels(labels: Any) -> float:
    """Measure the typical nuclear diameter in a segmentation.

    Parameters
    ----------
    labels
        (Y, X) or (T, Y, X) integers, 0 for background: numpy, dask or zarr. Of a movie at most
        :data:`SAMPLED_LABEL_FRAMES` frames are read.

    Returns
    -------
    Median equivalent diameter in pixels, 2·√(area/π), of objects larger than
    :data:`SMALLEST_AREA` pixels.

    Raises
    ------
    InvalidInput
        If labels are not integers, not 2D or 2D+t, or hold no such object.
    """
    return _measured_in_labels(labels).diameter


def _measured_in_labels(labels: Any) -> DiameterEstimate:
    if np.dtype(labels.dtype).kind not in "bui":
        raise InvalidInput(
            f"The labels have values of type {labels.dtype}; give a segmentation in whole numbers, "
            "0 for background and one number for each nucleus."
        )
    ndim = len(labels.shape)
    if ndim not in (2, 3):
        raise InvalidInput(
            f"The labels have shape {tuple(labels.shape)}; give labels of one image (y, x) or of a "
            "movie (t, y, x)."
        )
    planes = (
        [labels]
        if ndim == 2
        else [labels[t] for t in _spread(labels.shape[0], SAMPLED_LABEL_FRAMES)]
    )
    diameters = np.concatenate([_diameters(np.asarray(plane)) for plane in planes])
    if not len(diameters):
        raise InvalidInput(
            f"The labels hold no object larger than {SMALLEST_AREA} px; choose the layer with the "
            "nuclei, or give their diameter."
        )
    return DiameterEstimate.of(diameters)


def estimate_diameter(frames: Frames, labels: Any = None) -> float:
    """Estimate the typical nuclear diameter of an image or movie, px.

    Parameters, errors and method are those of :func:`measure_diameter`, which also says how far to
    trust it.
    """
    return measure_diameter(frames, labels).diameter


def measure_diameter(frames: Frames, labels: Any = None) -> DiameterEstimate:
    """Estimate the typical nuclear diameter of an image or movie, and how sure that is.

    Parameters
    ----------
    frames
        The image or movie: read on at most :data:`SAMPLED_FRAMES` frames, if there are no labels.
    labels
        Its segmentation, where there is one; see :func:`diameter_from_labels`.

    Returns
    -------
    The estimate; its ``doubt`` is a sentence where nuclei are few, of very different sizes, or very
    large in the image.

    Raises
    ------
    InvalidInput
        If no nuclei are found, or labels cannot be used.
    """
    if labels is not None:
        return _measured_in_labels(labels)
    found: list[Float64Array] = []
    blank = 0
    times = _spread(len(frames), SAMPLED_FRAMES)
    last: float | None = None
    # the middle first, and then from both ends: one half of a movie may be crowded
    for t in sorted(times, key=lambda t: (t != times[len(times) // 2], times.index(t) % 2, t)):
        try:
            picture = frames.picture(t)
            blank += picture.blank
            last, diameters = _measure(checked_frame(picture.pixels), last)
        except (NothingFound, UnreadableFrame):
            continue
        found.append(diameters)
        if sum(map(len, found)) >= ENOUGH and len(found) > 1:
            break
    if blank == len(times):
        raise NothingFound(
            "The image is blank (frames have one single value); choose another image or channel."
        )
    if not found:
        raise NothingFound(NOTHING_FOUND)
    return DiameterEstimate.of(np.concatenate(found), min(frames.shape[1:]))


def _spread(n: int, most: int) -> list[int]:
    """Return at most ``most`` positions spread evenly over 0 … n−1, ends included."""
    return [int(t) for t in np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))]


def _diameters(labels: npt.NDArray[Any]) -> Float64Array:
    # np.unique and not bincount: label numbers of merged or tracked data can reach billions
    values, areas = np.unique(labels, return_counts=True)
    areas = areas[(values != 0) & (areas > SMALLEST_AREA)]
    return np.asarray(2 * np.sqrt(areas / np.pi), dtype=np.float64)


def diameter_of_frame(pixels: Float32Array) -> float:
    """Estimate the typical nuclear diameter of one frame (Y, X), px, by detection."""
    return _measure(pixels)[0]


def _measure(pixels: Float32Array, guess: float | None = None) -> tuple[float, Float64Array]:
    """Segment at a first guess, measure, and repeat at what was measured until it holds still."""
    diameter = _first_guess(pixels) if guess is None else guess
    diameters = np.empty(0)
    for _ in range(4):
        diameters = _diameters(segment_at(pixels, diameter))
        if not len(diameters):
            raise NothingFound(NOTHING_FOUND)
        last, diameter = diameter, float(np.median(diameters))
        if abs(diameter - last) < 0.07 * last:
            break
    return diameter, diameters


def _first_guess(pixels: Float32Array) -> float:
    _, compressed = _compressed(pixels, 1.0, max(40.0, min(pixels.shape) / 8))
    mask = ndimage.binary_opening(_foreground(compressed), iterations=1)
    distance = ndimage.distance_transform_edt(mask)
    parts, n = ndimage.label(mask)
    if n == 0:
        raise NothingFound(NOTHING_FOUND)
    # The inscribed circle of a clump is about one nucleus wide, whatever the clump's area.
    radii = ndimage.maximum(distance, parts, np.arange(1, n + 1))
    areas = np.bincount(parts.ravel())[1:]
    large = areas > SMALLEST_AREA
    if not large.any():
        raise NothingFound(NOTHING_FOUND)
    return float(np.clip(2.2 * np.median(radii[large]), 5, 300))
