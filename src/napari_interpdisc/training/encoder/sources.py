"""Data sets to train an encoder on, as a TOML file names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_interpdisc._types import BoolArray, Float64Array, Progress, silent
from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.images import read_frames
from napari_interpdisc.io.labelled_crops import read_labelled_crops
from napari_interpdisc.io.settings import read_settings
from napari_interpdisc.nuclei.masks import cell_masks
from napari_interpdisc.patches import label_crops, patch_side
from napari_interpdisc.training.encoder.data import (
    EncoderSource,
    balanced_weights,
    joined,
    masked,
    source_of_cells,
    source_of_crops,
    with_masks,
)

SMALLEST_AREA = 30
"""Objects of fewer pixels are debris."""

FEWEST_NUCLEI = 3
"""Frames with fewer nuclei tell no typical diameter, and are left out."""

SMALL = 0.75
"""Nuclei below this share of the frame's median area are small: most of them are mitotic."""


class SourceSettings(BaseModel):
    """One data set: ready-made crops, or frames with their instance masks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(title="What to call the data set")
    crops: Path | None = Field(None, title="Archive (.npz) of images, a label and a group each")
    diameter: float | None = Field(None, title="Typical nuclear diameter in the crops (px)", gt=0)
    label: str = Field("label", title="Array of labels")
    group: str = Field(
        "plate", title="Array of groups that are held out as a whole; empty if each cell is its own"
    )
    leave_out: tuple[str, ...] = Field((), title="Labels that are not trained on")
    often: tuple[str, ...] = Field((), title="Labels that are drawn twice as often as the others")
    frames: str | None = Field(None, title="Pattern of files, each an image and its instance masks")
    image_channel: int = Field(0, title="Channel with the nuclei", ge=0)
    mask_channel: int = Field(1, title="Channel with the instance masks", ge=0)
    small_often: float = Field(
        1.0, title="How often small nuclei are drawn, relative to the others", gt=0
    )
    share: float = Field(
        1.0, title="Part of each batch that comes from it, relative to the others", gt=0
    )
    smallest_diameter: float = Field(
        10.0, title="Frames with smaller nuclei (px) are left out", ge=0
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.crops is None) == (self.frames is None):
            raise ValueError(f"source '{self.name}' needs either crops or frames")
        if self.crops is not None and self.diameter is None:
            raise ValueError(f"the crops of source '{self.name}' need a diameter")
        return self


class EncoderSources(BaseModel):
    """All data sets of one training; each supplies its share of every batch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: tuple[SourceSettings, ...] = Field(title="The data sets", min_length=1)


@dataclass(frozen=True)
class _Nuclei:
    """Nuclei of one frame, their typical diameter (px), and which of them are small."""

    cells: CellTable
    diameter: float
    small: BoolArray


def _nuclei(masks: npt.NDArray[Any]) -> _Nuclei | None:
    """Measure the objects of instance masks (Y, X); None if there are too few."""
    from skimage.measure import regionprops_table

    table = regionprops_table(masks.astype(np.int32), properties=("area", "centroid"))
    keep = table["area"] > SMALLEST_AREA
    if keep.sum() < FEWEST_NUCLEI:
        return None
    area = table["area"][keep]
    typical = float(np.median(area))
    yx = np.column_stack([table["centroid-0"], table["centroid-1"]])[keep]
    cells = CellTable.from_arrays(np.zeros(len(yx)), yx)
    return _Nuclei(cells, float(np.sqrt(4 / np.pi * typical)), area < SMALL * typical)


def read_sources(
    file: Path,
    data: Path,
    model_diameter: float,
    crop_size: int,
    without: Sequence[str] = (),
    progress: Progress = silent,
    masks: bool = False,
) -> list[EncoderSource]:
    """Cut the patches of all data sets that a TOML file names.

    Parameters
    ----------
    file
        TOML file of :class:`EncoderSources`.
    data
        Folder that its paths are relative to.
    model_diameter, crop_size
        Typical nuclear diameter in the model's crops, and the side of a crop, px.
    without
        Names of data sets to leave out.
    progress
        Called with (data sets cut, data sets in all).
    masks
        Whether to find what of each patch belongs to its central cell, which takes a minute.

    Raises
    ------
    InvalidInput
        If the file or one of the data sets cannot be used, or a name in ``without`` is unknown.
    """
    asked = read_settings(file, EncoderSources).source
    names = [one.name for one in asked]
    for name in without:
        if name not in names:
            raise InvalidInput(f"{file} has no source '{name}'; it has {', '.join(names)}.")
    kept = [one for one in asked if one.name not in without]
    found = []
    for one in kept:
        cut = _of_crops if one.crops is not None else _of_frames
        source = cut(one, data, model_diameter, crop_size, masks)
        found.append(replace(source, share=one.share))
        progress(len(found), len(kept))
    return found


def _of_crops(
    asked: SourceSettings, data: Path, model_diameter: float, crop_size: int, masks: bool
) -> EncoderSource:
    """Ready-made crops; every label equally often, some twice."""
    assert asked.crops is not None
    assert asked.diameter is not None
    # without groups, labels are read in their place, and not used
    images, labels, groups = read_labelled_crops(
        data / asked.crops, asked.label, asked.group or asked.label
    )
    keep = ~np.isin(labels, asked.leave_out)
    source = source_of_crops(
        images[keep], asked.diameter, model_diameter, crop_size, asked.name,
        groups[keep] if asked.group else None, asked.group or "cell",
    )  # fmt: skip
    if masks:
        source = with_masks(source, model_diameter)
    return _weighted(source, balanced_weights(labels[keep], asked.often))


def _of_frames(
    asked: SourceSettings, data: Path, model_diameter: float, crop_size: int, masks: bool
) -> EncoderSource:
    """Every nucleus of frames with instance masks; each frame counts by the root of its number."""
    assert asked.frames is not None
    try:
        files = sorted(data.glob(asked.frames))
    except (ValueError, NotImplementedError) as fault:
        raise InvalidInput(
            f"The frames of '{asked.name}' are no pattern of files: "
            f"{str(fault).rstrip('.')}; give one such as 'frames/*.tif', from the folder --data."
        ) from None
    if not files:
        raise InvalidInput(f"No file fits '{asked.frames}' in {data} (source '{asked.name}').")
    cut = []
    for file in files:
        plane = _mask_plane(file, asked.mask_channel)
        nuclei = _nuclei(plane)
        if nuclei is None or nuclei.diameter < asked.smallest_diameter:
            continue
        source = source_of_cells(
            read_frames(file, asked.image_channel), nuclei.cells, nuclei.diameter,
            model_diameter, crop_size, asked.name,
        )  # fmt: skip
        if masks:
            labels = label_crops(
                plane, nuclei.cells, nuclei.diameter, model_diameter, patch_side(crop_size)
            )
            own = cell_masks(source.patches, labels, model_diameter)
            source = masked(source, own, model_diameter)
        weight = np.where(nuclei.small, asked.small_often, 1.0) / np.sqrt(len(nuclei.cells))
        one_group = np.zeros(len(nuclei.cells), np.int64)
        cut.append(_weighted(source, weight, one_group))
    return joined(cut, asked.name)


def _mask_plane(file: Path, channel: int) -> npt.NDArray[Any]:
    """Instance masks (Y, X): one channel of an image, its numbers as they are."""
    frames = read_frames(file, channel)
    return np.asarray(np.take(np.asarray(frames.data), channel, frames.channel_axis or 0))


def _weighted(
    source: EncoderSource, weight: Float64Array, group: npt.NDArray[np.int64] | None = None
) -> EncoderSource:
    if group is None:
        return replace(source, weight=weight)
    return replace(source, weight=weight, group=group, group_name="frame")
