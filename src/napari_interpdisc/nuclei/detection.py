"""Find nuclei where there are no centroids.

A plain detector, good enough to try the plugin on an image: for science, segment with StarDist or
Cellpose and track with btrack or trackastra.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_interpdisc._types import Float32Array, Float64Array, Int32Array
from napari_interpdisc.cells import CellTable
from napari_interpdisc.crops import check_diameter
from napari_interpdisc.frames import UnreadableFrame
from napari_interpdisc.nuclei.diameter import diameter_of_frame, estimate_diameter
from napari_interpdisc.nuclei.segmentation import (
    NOTHING_FOUND,
    NothingFound,
    checked_frame,
    segment_at,
)

if TYPE_CHECKING:
    from napari_interpdisc.frames import Frames

MOST_LISTED = 6
"""Numbers of frames that a sentence lists."""


def detect_nuclei(frame: Float32Array, diameter: float | None = None) -> Float64Array:
    """Find the centroids of the nuclei in one frame.

    Parameters
    ----------
    frame
        (Y, X) pixels of any scale; nuclei brighter than the background.
    diameter
        Typical diameter of an interphase nucleus in pixels; estimated if None.

    Returns
    -------
    (n, 2) float64 y, x in pixels.

    Raises
    ------
    InvalidInput
        If nothing is found, or the diameter is impossible.
    """
    labels = segment_nuclei(frame, diameter)
    index = np.arange(1, labels.max() + 1)
    return np.asarray(ndimage.center_of_mass(labels > 0, labels, index), dtype=np.float64).reshape(
        -1, 2
    )


def detect_movie(
    frames: Frames, diameter: float | None = None, tell: Callable[[str], None] | None = None
) -> CellTable:
    """Find the nuclei of every frame; nothing is linked, so every cell is a track of its own.

    Parameters
    ----------
    frames
        The image or movie; one frame is in memory at a time.
    diameter
        Typical nuclear diameter in pixels; estimated once for the movie if None.
    tell
        Called with a sentence about frames that are blank or cannot be read, if there are any.

    Raises
    ------
    InvalidInput
        If no frame holds a nucleus, or the diameter is impossible.
    """
    if diameter is None:
        diameter = estimate_diameter(frames)
    check_diameter(diameter)
    times: list[int] = []
    centroids: list[Float64Array] = []
    unusable: dict[str, list[int]] = {}
    for t in range(len(frames)):
        try:
            picture = frames.picture(t)
            if picture.blank:
                unusable.setdefault("blank", []).append(t)
                continue
            found = detect_nuclei(picture.pixels, diameter)
        except UnreadableFrame:
            unusable.setdefault("damaged", []).append(t)
            continue
        except NothingFound:
            continue  # a frame may be empty so long as the movie is not
        times.extend([t] * len(found))
        centroids.append(found)
    if tell is not None:
        for what, where in unusable.items():
            tell(f"{len(where)} of {len(frames)} frames {_are(where)} {what}: no cells there.")
    if not centroids:
        raise NothingFound(NOTHING_FOUND)
    return CellTable.from_arrays(times, np.concatenate(centroids), source="detected nuclei")


def _are(times: list[int]) -> str:
    """Return the numbers of some frames in brackets, and the verb."""
    listed = ", ".join(map(str, times[:MOST_LISTED])) + (", …" if len(times) > MOST_LISTED else "")
    return f"({listed}) {'is' if len(times) == 1 else 'are'}"


def segment_nuclei(frame: Float32Array, diameter: float | None = None) -> Int32Array:
    """Label the nuclei of one frame.

    Foreground by Otsu's threshold on compressed intensities, seeds at the maxima of distance and
    brightness, a watershed between them, and at last each object cut at half its own height: that
    keeps bright mitotic cells from swelling and dim neighbours from vanishing.

    Parameters
    ----------
    frame
        (Y, X) pixels of any scale; nuclei brighter than the background.
    diameter
        Typical diameter of an interphase nucleus in pixels; estimated if None.

    Returns
    -------
    (Y, X) int32, 0 for background and 1 … n for nuclei.

    Raises
    ------
    InvalidInput
        If nothing is found, or the diameter is impossible.
    """
    pixels = checked_frame(frame)
    if diameter is None:
        diameter = diameter_of_frame(pixels)
    return segment_at(pixels, check_diameter(diameter))
