"""Measured properties of cells: what there is, and how heads read it beside latents."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from napari_interpdisc._types import Float32Array
from napari_interpdisc.errors import InvalidInput

Way = Literal["labels", "built-in"]
"""Whose nuclei were measured: those of the user's segmentation, or of the built-in one."""

WAYS: dict[Way, str] = {
    "labels": "in the given segmentation",
    "built-in": "in nuclei found by the built-in segmentation",
}


@dataclass(frozen=True)
class Property:
    """One thing that is measured on a cell.

    Attributes
    ----------
    title
        What a person reads: ``area``.
    unit
        Its unit; "px" are pixels of a crop, in which a typical nucleus has the model's diameter.
    latent
        What a latent that follows it is called.
    """

    title: str
    unit: str
    latent: str


PROPERTIES: dict[str, Property] = {
    "area": Property("area", "px²", "size"),
    "eccentricity": Property("eccentricity", "0–1", "elongation"),
    "elongation_cos": Property("elongation · cos 2θ", "−1–1", "elongation_cos"),
    "elongation_sin": Property("elongation · sin 2θ", "−1–1", "elongation_sin"),
    "solidity": Property("solidity", "0–1", "solidity"),
    "brightness": Property("brightness", "SD of the crop", "brightness"),
    "contrast": Property("brightness over background", "SD of the crop", "contrast"),
    "texture": Property("texture", "SD of the crop", "texture"),
    "granularity_fine": Property("fine granularity", "log", "granularity_fine"),
    "granularity_coarse": Property("coarse granularity", "log", "granularity_coarse"),
    "edge_sharpness": Property("sharpness of the edge", "log 1/px", "edge_sharpness"),
    "unevenness": Property("unevenness", "0–1", "unevenness"),
    "raggedness": Property("raggedness", "log", "raggedness"),
    "offset_y": Property("offset along y", "px", "offset_y"),
    "offset_x": Property("offset along x", "px", "offset_x"),
    "asymmetry_y": Property("asymmetry along y", "radii", "asymmetry_y"),
    "asymmetry_x": Property("asymmetry along x", "radii", "asymmetry_x"),
    "threefold_cos": Property("threefold · cos 3φ", "−1–1", "threefold_cos"),
    "threefold_sin": Property("threefold · sin 3φ", "−1–1", "threefold_sin"),
    "satellite": Property("spot beside the nucleus", "height of the nucleus", "satellite"),
    "neighbours": Property("number of neighbours", "nuclei", "neighbours"),
    "neighbour_distance": Property("distance of the nearest neighbour", "px", "neighbour_distance"),
    "crowding": Property("crowding", "0–1", "crowding"),
    "crowding_y": Property("crowding along y", "−1–1", "crowding_y"),
    "crowding_x": Property("crowding along x", "−1–1", "crowding_x"),
    "crowding_cos": Property("crowding · cos 2φ", "−1–1", "crowding_cos"),
    "crowding_sin": Property("crowding · sin 2φ", "−1–1", "crowding_sin"),
}
"""What :func:`napari_interpdisc.scrutiny.properties.measure_crops` measures, by name.

area, eccentricity, solidity
    Of the central nucleus.
elongation_cos, elongation_sin
    1 − minor / major axis, times cos 2θ and sin 2θ of the angle θ of its major axis, from x towards
    y. The plain angle of a round nucleus means nothing, so that it is not among them.
brightness
    Mean of the normalised crop inside the nucleus.
contrast
    The same, less the level of the background.
texture
    Root mean square, inside the nucleus, of the normalised crop less its own blur (σ = 2 px).
granularity_fine, granularity_coarse, edge_sharpness, unevenness, raggedness, asymmetry
    Of the nucleus's own light above the background; see
    :func:`napari_interpdisc.models.light.measure_light`. Encoders may be taught the same.
offset_y, offset_x
    Centroid of the nucleus less the centre of the crop.
threefold_cos, threefold_sin
    Means of cos 3φ and sin 3φ over the nucleus's light, φ being the direction from the centre of
    the crop. Three arms or a triangle have much; a disc or a bar in the centre has none.
satellite
    Height of the brightest small spot beside the nucleus, over its own surroundings, relative to
    the nucleus's mean height over the background: 0 for none. A spot is up to a third of a nuclear
    diameter wide, at most as far from the outline, and no part of another nucleus. Micronuclei are
    such spots; so are debris and the ends of a lobed nucleus.
neighbours, neighbour_distance
    Other nuclei in the crop, and the gap between the nucleus's outline and the nearest of them;
    NaN where there is none.
crowding
    Share of the crop that other nuclei cover; times the place (−1 to 1 from edge to edge) or
    cos 2φ and sin 2φ of the direction φ of every covered pixel, averaged.
"""


DIRECTED = tuple(name for name in PROPERTIES if name.endswith(("_x", "_y", "_cos", "_sin")))
"""Properties that change as the cell rotates: no head reads them."""

FAMILIES: dict[int, dict[str, tuple[str, str]]] = {
    3: {"threefold": ("threefold_cos", "threefold_sin")},
    2: {
        "elongation": ("elongation_cos", "elongation_sin"),
        "crowding": ("crowding_cos", "crowding_sin"),
    },
    1: {
        "offset": ("offset_y", "offset_x"),
        "asymmetry": ("asymmetry_y", "asymmetry_x"),
        "crowding": ("crowding_y", "crowding_x"),
    },
}
"""Properties that rotate with the cell, by order."""

SOMETIMES = ("neighbour_distance",)
"""Properties that a cell without a neighbour lacks: no head reads them."""

READABLE = tuple(name for name in PROPERTIES if name not in (*DIRECTED, *SOMETIMES))
"""Properties that a head may read. All stay as they are when the cell rotates."""

DEFAULT_PROPERTIES = (
    "area", "eccentricity", "solidity", "granularity_fine", "granularity_coarse",
    "edge_sharpness", "unevenness", "raggedness",
)  # fmt: skip
"""Size, shape and grain of the nucleus alone.

Brightness, contrast and texture are in units of the whole crop, so that they follow the neighbours
too. A satellite, neighbours and crowding are beside the nucleus. Heads read those by explicit
choice only."""


def check_properties(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of properties that a head may read.

    Raises
    ------
    InvalidInput
        If one is unknown, given twice, or none that a head may read.
    """
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InvalidInput(f"The property '{name}' is given twice; give each once.")
        if name in DIRECTED:
            raise InvalidInput(
                f"The property '{name}' changes as the cell rotates, so that no head may read it; "
                f"choose among {', '.join(READABLE)}."
            )
        if name in SOMETIMES:
            raise InvalidInput(
                f"The property '{name}' is missing for a cell without neighbours, so that no head "
                f"may read it; choose among {', '.join(READABLE)}."
            )
        if name.startswith(MEAN_OF):
            raise InvalidInput(
                f"'{name}' is a mean grey level, which depends on exposure and staining, so that "
                f"no head may read it; choose among {', '.join(READABLE)}."
            )
        if name not in PROPERTIES:
            raise InvalidInput(
                f"There is no property '{name}'; choose among {', '.join(READABLE)}."
            )
    return tuple(names)


@dataclass(frozen=True)
class HeadProperties:
    """Measured properties that a head reads beside latents.

    Attributes
    ----------
    names
        Their names, P of :data:`READABLE`, in the order of the columns.
    centre, scale
        (P,) mean and standard deviation on the training cells, in each property's unit: a head
        reads (value − centre) / scale.
    way
        In whose nuclei they were measured.
    """

    names: tuple[str, ...] = ()
    centre: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    way: Way = "built-in"

    def __post_init__(self) -> None:
        """Refuse what cannot be read.

        Raises
        ------
        InvalidInput
            If names are unknown, or centre and scale are not a finite number and a positive one
            for each.
        """
        check_properties(self.names)
        fits = len(self.centre) == len(self.scale) == len(self.names)
        if not fits or not all(map(math.isfinite, (*self.centre, *self.scale))):
            raise InvalidInput("Each measured property of a head needs a finite centre and scale.")
        if any(value <= 0 for value in self.scale):
            raise InvalidInput("The scale of a measured property must be above 0.")

    def __len__(self) -> int:
        """Number of properties P."""
        return len(self.names)

    @classmethod
    def of_cells(
        cls, names: Sequence[str], measured: npt.NDArray[np.floating], way: Way
    ) -> HeadProperties:
        """Take centre and scale from training cells: (N, P) values, none of them missing."""
        values = np.asarray(measured, np.float64)
        spread = values.std(0)
        # a property that is the same for all cells is 0 then, and decides nothing
        scale = np.where(spread > 1e-9 * (1 + np.abs(values).max(0)), spread, 1.0)
        return cls(tuple(names), tuple(map(float, values.mean(0))), tuple(map(float, scale)), way)

    def check(self, name: str, place: int) -> None:
        """Refuse a formula's name of a property that is not the one in that column."""
        if not 0 <= place < len(self.names) or self.names[place] != name:
            raise InvalidInput(
                f"A formula reads {name}, which is not among the head's properties "
                f"({', '.join(self.names) or 'none'})."
            )

    def standardised(self, measured: Tensor | None, latents: Tensor) -> Tensor | None:
        """(N, P) values as heads read them, of (N, P) measured ones; None for a head without any.

        Raises
        ------
        InvalidInput
            If the head reads properties and none, or other numbers of them, are given; or if it
            reads none and some are.
        """
        if measured is None and not self.names:
            return None
        wanted = (len(latents), len(self.names))
        if measured is None or tuple(measured.shape) != wanted:
            given = "none were given" if measured is None else f"{tuple(measured.shape)} was given"
            raise InvalidInput(
                f"The head reads measured properties ({', '.join(self.names) or 'none'}): values "
                f"of the shape {wanted} are needed, {given}."
            )
        if not self.names:
            return None
        centre, scale = latents.new_tensor(self.centre), latents.new_tensor(self.scale)
        return (measured.to(latents) - centre) / scale

    def columns(self, measured: Mapping[str, npt.NDArray[np.floating]] | None) -> Float32Array:
        """Columns (N, P) that the head reads, of measured ones by name.

        Raises
        ------
        InvalidInput
            If one was not measured.
        """
        missing = [name for name in self.names if name not in (measured or {})]
        if missing or measured is None:
            raise InvalidInput(
                f"The head reads {', '.join(self.names)} beside latents, and "
                f"{', '.join(missing)} of these cells {'was' if len(missing) == 1 else 'were'} "
                "not measured; classify the cells again with measured properties."
            )
        return np.stack([np.asarray(measured[name], np.float32) for name in self.names], 1)

    def told(self, used: Sequence[str] | None = None) -> str:
        """One sentence on what the names stand for, for a person to read; "" without any.

        ``used`` are the properties to tell of; all if left out.
        """
        shown = [
            f"{name} = (measured − {centre:.3g}) / {scale:.3g}, in {PROPERTIES[name].unit}"
            for name, centre, scale in zip(self.names, self.centre, self.scale, strict=True)
            if used is None or name in used
        ]
        return f"{'; '.join(shown)}, measured {WAYS[self.way]}." if shown else ""


NO_PROPERTIES = HeadProperties()


def missing_properties(measured: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """Which rows (N,) of measured columns (N, P) lack a value: no nucleus was found in the cell."""
    return np.asarray(~np.isfinite(np.asarray(measured, np.float64)).all(1))


AREA_UM2 = "area_um2"
"""Area in µm², beside that in pixels of the crop, where the size of a pixel is known."""

MEAN_OF = "mean_of_"


def mean_of(channel: str) -> str:
    """Name of the mean grey level of a channel inside the nucleus.

    It depends on exposure and staining, so that no head reads it.
    """
    return f"{MEAN_OF}{channel}"


_UNIT_SUFFIX = {"px²": "_px2", "px": "_px"}


def unit_of(name: str) -> str:
    """Unit of a measured property."""
    if name.startswith(MEAN_OF):
        return "grey levels"
    return "µm²" if name == AREA_UM2 else PROPERTIES[name].unit


def title_of(name: str) -> str:
    """What a person reads for a measured property: ``mean of GFP``."""
    if name.startswith(MEAN_OF):
        return f"mean of {name.removeprefix(MEAN_OF)}"
    return PROPERTIES["area" if name == AREA_UM2 else name].title


def column_title(name: str) -> str:
    """Column of a table of results, with its unit if that is a length: ``nucleus_area_px2``.

    The prefix keeps it apart from columns of the user's own, such as ``solidity``.
    """
    return f"nucleus_{name}{_UNIT_SUFFIX.get(unit_of(name), '')}"
