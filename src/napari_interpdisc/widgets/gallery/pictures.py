"""Pictures of the tiles: cut when they are asked for, kept as long as there is room. No Qt here."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float32Array, Progress
from napari_interpdisc.cells import CellTable
from napari_interpdisc.crops import iter_cells, normalise
from napari_interpdisc.frames import Frames

Picture = npt.NDArray[np.uint8]
"""(S, S) grey values."""

LIMIT = 64 * 2**20
"""Bytes that are kept: 16,000 crops of 64 × 64 px."""

PATIENCE = 0.1
"""Seconds after which the pictures that are ready are shown before the rest is cut."""

BATCH = 128


class PictureStore:
    """The pictures that were looked at last, up to a number of bytes; older ones are let go."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._kept: OrderedDict[int, Picture] = OrderedDict()
        self.nbytes = 0

    def get(self, row: int) -> Picture | None:
        """The picture of a cell, which counts as looked at; None if it is not there."""
        found = self._kept.get(row)
        if found is not None:
            self._kept.move_to_end(row)
        return found

    def put(self, pictures: Mapping[int, Picture]) -> None:
        """Keep pictures of cells, by row."""
        for row, picture in pictures.items():
            before = self._kept.pop(row, None)
            self.nbytes += picture.nbytes - (0 if before is None else before.nbytes)
            self._kept[row] = picture
        while self.nbytes > self._limit:
            self.nbytes -= self._kept.popitem(last=False)[1].nbytes

    def missing(self, rows: Iterable[int]) -> list[int]:
        """Those of the rows that have no picture here."""
        return [row for row in rows if row not in self._kept]

    def clear(self) -> None:
        """Let all go: other cells have these rows now."""
        self._kept.clear()
        self.nbytes = 0

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self._kept)


@dataclass(frozen=True)
class Cutter:
    """What pictures are cut out of.

    Attributes
    ----------
    frames, cells
        The movie, and all its cells.
    diameter, model_diameter, size
        Nuclear diameter in the movie and in a crop, px; side of a crop.
    """

    frames: Frames
    cells: CellTable
    diameter: float
    model_diameter: float
    size: int

    def cut(
        self, rows: list[int], report: Progress | None = None, patience: float = PATIENCE
    ) -> dict[int, Picture]:
        """Cut the crops of cells, frame by frame, until time is up; on a thread.

        Returns
        -------
        The picture of each row, of at least one frame; the others are to be asked for again. A cell
        without pixels has a picture of zeros.
        """
        began = time.monotonic()
        out: dict[int, Picture] = {}
        # of the first cell's frame first: it is looked at now
        t = self.cells.t[rows]
        first_seen = {int(frame): i for i, frame in reversed(list(enumerate(t)))}
        for frame in sorted(first_seen, key=first_seen.__getitem__):
            own = np.asarray(rows, np.intp)[t == frame]
            for found in iter_cells(
                self.frames, self.cells.take(own), self.diameter, self.model_diameter, self.size,
                BATCH,
            ):  # fmt: skip
                greys = grey(normalise(found.crops))
                greys[found.no_pixels != ""] = 0
                for place, picture in zip(found.rows, greys, strict=True):
                    out[int(own[place])] = picture
            if report is not None:
                report(len(out), len(rows))
            if time.monotonic() - began > patience:
                break
        return out


def grey(crops: Float32Array) -> npt.NDArray[np.uint8]:
    """Grey values (n, S, S) of crops, each from its own darkest to its own brightest half per cent.

    Crops have no brightness of their own: it was normalised away, as the model sees them.
    """
    flat = crops.reshape(len(crops), -1)
    low, high = np.percentile(flat, (0.5, 99.5), axis=1)[..., None, None]
    scaled = (crops - low) / np.maximum(high - low, 1e-6)
    return np.asarray((scaled.clip(0, 1) * 255).astype(np.uint8))
