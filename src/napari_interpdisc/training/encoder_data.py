"""Patches to train an encoder on: cut from frames or ready-made crops, some of them held out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.crops import check_diameter, cut_crops, smooth_for_zoom
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.training.encoder import PatchSource

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.frames import Frames

Progress = Callable[[int, int], None]

FIELD = 1.5
"""Side of a patch in crops: room for views of smaller nuclei, which show more around them."""

HELD_OUT = 0.1
"""Share of the patches that is held out."""

FEWEST_GROUPS = 5
"""With fewer groups than this, single patches are held out and not whole groups."""


@dataclass(frozen=True)
class EncoderSource:
    """Patches of one data set, before some are held out.

    Attributes
    ----------
    name
        What the patches come from, as it appears in the card.
    patches
        (N, P, P) uint8 at the model's diameter; every patch is scaled to its own 0–255.
    field
        Side of the central square with real pixels, px.
    group
        (N,) whole numbers: patches of one group are all held out, or none of them.
    group_name
        What a group is: ``track``, ``frame``, ``plate`` …
    """

    name: str
    patches: npt.NDArray[np.uint8]
    field: float
    group: npt.NDArray[np.int64]
    group_name: str

    @property
    def sha256(self) -> str:
        """Hash of the patches and their groups."""
        digest = hashlib.sha256(np.ascontiguousarray(self.patches).data)
        digest.update(np.ascontiguousarray(self.group).data)
        return digest.hexdigest()


def patch_side(crop_size: int) -> int:
    """Side of a training patch, px, for crops of ``crop_size`` px."""
    return round(FIELD * crop_size)


def source_of_cells(
    frames: Frames,
    cells: CellTable,
    diameter: float,
    model_diameter: float,
    crop_size: int,
    name: str,
    progress: Progress = lambda done, n: None,
) -> EncoderSource:
    """Cut one patch around each cell of an image or movie.

    Groups are tracks where any track has two cells; else frames; in a still image each cell is one.

    Parameters
    ----------
    frames, cells, diameter
        The movie, its cells, and the typical nuclear diameter in it, px.
    model_diameter, crop_size
        Typical nuclear diameter in the model's crops, and the side of a crop, px.
    name
        What to call the source.
    progress
        Called with (cells cut, cells in all).

    Raises
    ------
    InvalidInput
        If a cell is outside the image, the diameter is impossible, or a frame cannot be used.
    """
    cells.check_inside(frames)
    zoom = model_diameter / check_diameter(diameter)
    side = patch_side(crop_size)
    patches = np.empty((len(cells), side, side), np.uint8)
    done = 0
    for t in np.unique(cells.t):
        rows = np.flatnonzero(cells.t == t)
        frame = smooth_for_zoom(frames.frame(int(t)), zoom)
        for some in np.array_split(rows, -(-len(rows) // 1024)):
            patches[some] = to_uint8(cut_crops(frame, cells.yx[some], zoom, side))
        done += len(rows)
        progress(done, len(cells))
    tracked = len(np.unique(cells.track_id)) < len(cells)
    values = cells.track_id if tracked else cells.t
    if not tracked and not frames.is_movie:
        return EncoderSource(name, patches, float(side), np.arange(len(cells)), "cell")
    return EncoderSource(
        name, patches, float(side), _numbered(values), "track" if tracked else "frame"
    )


def source_of_crops(
    images: npt.NDArray[Any],
    diameter: float,
    model_diameter: float,
    crop_size: int,
    name: str,
    group: npt.NDArray[Any] | None = None,
    group_name: str = "crop",
) -> EncoderSource:
    """Resample ready-made crops, the cell in the centre, to training patches.

    Parameters
    ----------
    images
        (N, H, W) of any range of values.
    diameter
        Typical nuclear diameter in them, px.
    model_diameter, crop_size, name
        As in :func:`source_of_cells`.
    group, group_name
        (N,) groups such as plates, and what they are; each crop is its own if left out.

    Raises
    ------
    InvalidInput
        If the images are not (N, H, W), hold NaN, or show too little around the nuclei.
    """
    zoom = model_diameter / check_diameter(diameter)
    if images.ndim != 3 or not len(images):
        raise InvalidInput(
            f"The crops of {name} have the shape {images.shape}; (number, rows, columns) was "
            "expected."
        )
    if not np.isfinite(images).all():
        raise InvalidInput(f"The crops of {name} hold NaN or infinite pixels; replace them first.")
    height, width = images.shape[1:]
    if min(height, width) * zoom < 0.6 * crop_size:
        raise InvalidInput(
            f"{name}: crops of {height} × {width} px show too little around nuclei of "
            f"{diameter:g} px; give crops of at least {int(np.ceil(0.6 * crop_size / zoom))} px, "
            "or correct the diameter."
        )
    side = patch_side(crop_size)
    centre = [((height - 1) / 2, (width - 1) / 2)]
    patches = np.empty((len(images), side, side), np.uint8)
    for i, image in enumerate(images):
        smooth = smooth_for_zoom(np.asarray(image, np.float32), zoom)
        patches[i] = to_uint8(cut_crops(smooth, centre, zoom, side))[0]
    index = np.arange(len(images)) if group is None else _numbered(group)
    return EncoderSource(name, patches, min(height, width) * zoom, index, group_name)


def to_uint8(patches: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Scale every patch of (N, P, P) to its own 0–255."""
    low = patches.min((1, 2), keepdims=True)
    span = np.maximum(patches.max((1, 2), keepdims=True) - low, 1e-6)
    return np.asarray(np.rint((patches - low) / span * 255), dtype=np.uint8)


def hold_out(source: EncoderSource, seed: int) -> tuple[PatchSource, PatchSource]:
    """Part a source into patches to train on and held-out ones, about a tenth of them.

    Whole groups are held out, unless there are fewer than :data:`FEWEST_GROUPS`; then patches are.

    Raises
    ------
    InvalidInput
        If fewer than ten patches are given: none could be held out.
    """
    n = len(source.patches)
    if n < 10:
        raise InvalidInput(
            f"{source.name} holds {n} cell{'s' * (n != 1)}, too few to train on and to hold some "
            "out; give at least 10."
        )
    draw = np.random.default_rng(seed)
    groups, counts = np.unique(source.group, return_counts=True)
    grouped = len(groups) >= FEWEST_GROUPS
    group = source.group if grouped else np.arange(n)
    if not grouped:
        groups, counts = group, np.ones(n, np.int64)
    wanted = max(2, round(HELD_OUT * n))
    order = draw.permutation(len(groups))
    reached = np.cumsum(counts[order])
    taken = order[: int(np.searchsorted(reached, wanted)) + 1]
    tested = np.isin(group, groups[taken])
    if tested.sum() > n / 2:
        # one group is most of the data
        tested = np.zeros(n, bool)
        tested[draw.permutation(n)[:wanted]] = True
    return _part(source, ~tested), _part(source, tested)


def parted(
    sources: Sequence[EncoderSource], batch: int, seed: int
) -> tuple[list[PatchSource], list[PatchSource]]:
    """Hold out a tenth of every source.

    Raises
    ------
    InvalidInput
        If there are no sources, too few patches in one, or fewer in all than fill a batch.
    """
    if not sources:
        raise InvalidInput("There are no cells to train on; give frames and centroids, or crops.")
    train, tested = zip(*(hold_out(s, seed) for s in sources), strict=True)
    n = sum(len(s.patches) for s in train)
    if n < batch:
        raise InvalidInput(
            f"{n} cells are left to train on, fewer than a batch of {batch}; give more cells or a "
            "smaller batch."
        )
    if batch < len(sources):
        raise InvalidInput(
            f"A batch of {batch} cannot hold a crop of each of the {len(sources)} sources; give a "
            "larger batch."
        )
    return list(train), list(tested)


def _part(source: EncoderSource, rows: npt.NDArray[np.bool_]) -> PatchSource:
    patches = source.patches[rows]
    return PatchSource(source.name, patches, source.field, np.ones(len(patches)))


def _numbered(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return np.asarray(np.unique(values, return_inverse=True)[1], dtype=np.int64)
