"""The plan of a whole experiment: which images, how they are read, and what is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_interpdisc._types import Precision
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.settings import read_settings

MOST_DIFFERENCES = 3


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Images(_Section):
    """Where the images are, and the cells of each: by a pattern, a table, or an OME-Zarr plate."""

    pattern: str | None = Field(
        None,
        title="Pattern of the images",
        description="Such as movies/{name}.tif. A field in braces stands for any text without a "
        "slash, and * for any text that does not matter. A field {well} names the well.",
    )
    table: Path | None = Field(
        None,
        title="Table of movies",
        description="With columns image and cells; and labels, diameter, channel, channel_axis, "
        "name and well where they are needed.",
    )
    plate: Path | None = Field(
        None,
        title="OME-Zarr plate",
        description="HCS of version 0.4 or 0.5. Fields for cells: {well}, {row}, {column}, "
        "{field}.",
    )
    cells: str | None = Field(
        None,
        title="Cells of each image",
        description="Such as tracks/{name}.csv, with the fields of the pattern or the plate; "
        "{stem} is the name of the image without its suffix.",
    )
    cells_label: str | None = Field(
        None,
        title="Cells from a label image",
        description="Its name in the folder labels of each OME-Zarr image. Each label of a frame "
        "is a cell, and its number the track.",
    )
    labels: str | None = Field(
        None,
        title="Segmentation of each image",
        description="From which the diameter is measured, written as cells is.",
    )
    splits: str | None = Field(
        None,
        title="Divisions of each image",
        description="Table of divisions beside that of cells, as --splits of the other commands.",
    )
    missing: Literal["refuse", "skip"] = Field(
        "refuse",
        title="Images without cells",
        description="Refuse the whole plan, or report each one as failed and go on.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in ("pattern", "table", "plate") if getattr(self, name) is not None]
        if len(given) != 1:
            said = "none is" if not given else " and ".join(given) + " are"
            raise ValueError(f"give one of pattern, table and plate; {said} given")
        if self.table is not None:
            own = ("cells", "cells_label", "labels", "splits")
            taken = [name for name in own if getattr(self, name) is not None]
            if taken:
                raise ValueError(f"leave {taken[0]} out: the columns of the table say it")
        elif (self.cells is None) == (self.cells_label is None):
            raise ValueError("give either cells or cells_label")
        return self


class Reading(_Section):
    """How every image is read: as the options of ``interpdisc classify`` of the same names."""

    diameter: float | Literal["auto"] = Field(
        "auto",
        title="Diameter of a typical interphase nucleus (px)",
        description="auto estimates it for each image.",
    )
    channel: int | None = Field(None, title="Channel of the nuclei, from 0", ge=0)
    channel_axis: str | None = Field(None, title="Axis of the channels")
    time_axis: str | None = Field(None, title="Axis of time")
    z: Literal["max", "mid", "centroid"] | None = Field(None, title="Planes of a z-stack")
    series: int | None = Field(None, title="Series in each file", ge=0)
    channel_pattern: str | None = Field(None, title="Where names of files hold the channel")


class Cells(_Section):
    """How every table of cells is read, and what is kept of it."""

    swap_xy: bool = Field(False, title="The tables have x and y exchanged")
    columns: str | None = Field(None, title="Columns by role, such as t=Slice,y=Y,x=X")
    first_frame: Literal[0, 1] | None = Field(None, title="Number of the first frame")
    unit: str = Field("", title="Unit of y and x")
    pixel_size: float | None = Field(None, title="µm per pixel", gt=0)
    frame_interval: float | None = Field(None, title="Seconds between frames", gt=0)
    keep_numbers: tuple[str, ...] = Field(
        (), title="Columns to keep as numbers", description="Every table must have them."
    )
    keep_texts: tuple[str, ...] = Field(
        (), title="Columns to keep as text", description="Every table must have them."
    )


class Model(_Section):
    """By which model cells are classified."""

    name: str = Field("h2b", title="Installed model, or model folder")
    head: str | None = Field(None, title="Head; the first one if left out")
    precision: Precision = Field("float32", title="Precision of the encoder's network")


class Tracks(_Section):
    """How states are found along tracks: as the options of ``interpdisc through-time``."""

    order: str | None = Field(None, title="Which class may follow which; by their names if not")
    strict: bool = Field(False, title="No phase is skipped")
    change_cost: float = Field(2.0, title="Cost of each change of state (nats)", ge=0, le=50)
    minutes_per_frame: float | None = Field(
        None, title="Minutes between frames, if the files do not tell", gt=0
    )


class Plan(_Section):
    """A whole experiment, as a TOML file says it. Paths are relative to the folder of the file."""

    out: Path = Field(Path("results"), title="Folder of the results")
    frames_per_block: int = Field(
        20,
        title="Frames that are one piece of work",
        ge=1,
        description="A run that was stopped loses the pieces under way. The memory of a worker "
        "grows with the cells in one.",
    )
    anndata: bool = Field(
        False,
        title="All cells as AnnData too",
        description="One file, cells.h5ad. A later run keeps it up to date as long as it is there.",
    )
    images: Images
    reading: Reading = Reading()
    cells: Cells = Cells()
    model: Model = Model()
    tracks: Tracks = Tracks()

    def decisive(self) -> dict[str, Any]:
        """Settings that change the result of an image, as plain values; the model has a hash."""
        return self.model_dump(
            mode="json",
            exclude={"out": True, "anndata": True, "images": True, "model": {"name"}},
        )


def read_plan(path: str | Path) -> Plan:
    """Read a plan; its paths become those seen from here.

    Raises
    ------
    InvalidInput
        If the file is missing, is no TOML, or a setting is unknown or out of range: the sentence
        names the file and the setting.
    """
    plan = read_settings(path, Plan)
    folder = Path(path).parent
    images: dict[str, Any] = {}
    for name in ("table", "plate"):
        if (given := getattr(plan.images, name)) is not None:
            images[name] = folder / given
    for name in ("pattern", "cells", "labels", "splits"):
        if (given := getattr(plan.images, name)) is not None:
            images[name] = (folder / given).as_posix()
    # a name that is no folder here is that of an installed model
    own = folder / plan.model.name
    model = (
        plan.model.model_copy(update={"name": str(own.absolute())}) if own.is_dir() else plan.model
    )
    if plan.reading.diameter != "auto" and not 0 < plan.reading.diameter < float("inf"):
        raise InvalidInput(
            f"{path} has reading.diameter = {plan.reading.diameter:g}; give pixels above 0, or "
            '"auto".'
        )
    return plan.model_copy(
        update={
            "out": folder / plan.out,
            "images": plan.images.model_copy(update=images),
            "model": model,
        }
    )


def differences(before: dict[str, Any], now: dict[str, Any], within: str = "") -> list[str]:
    """What differs between two sets of plain settings: ``model.head: 'dense' → 'sparse'``."""
    told: list[str] = []
    for name in [*before, *(name for name in now if name not in before)]:
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            told += differences(old, new, f"{within}{name}.")
        elif old != new:
            told.append(f"{within}{name}: {old!r} → {new!r}")
    return told


PLAN_TEXT = """\
# A whole experiment. Run it:       interpdisc run {name}
# What would be done, and how long: interpdisc run {name} --dry-run
# Paths are relative to the folder of this file. Lines with # are choices that you may take.

out = "results"              # folder of the results; a run that was stopped there goes on
# frames_per_block = 20      # frames that are one piece of work
# anndata = true             # all cells as AnnData too, in the file cells.h5ad

# ---- Images, and the cells of each: by ONE of pattern, table and plate -------------------------
[images]
# A field in braces stands for any text: movies/A1.tif goes with tracks/A1.csv.
# A field {{well}} names the well, and * stands for text that does not matter.
pattern = "movies/{{name}}.tif"
cells = "tracks/{{name}}.csv"
# labels = "masks/{{name}}.tif"      # segmentation, from which the diameter is measured
# splits = "splits/{{name}}.csv"     # parent_track_id and child_track_id, if the cells lack parents

# Or a table with the columns image and cells; and labels, splits, diameter, channel,
# channel_axis, name and well where you need them:
# table = "movies.csv"

# Or an OME-Zarr plate, with a table for each field, or with label images in the plate:
# plate = "screen.zarr"
# cells = "tables/{{well}}_{{field}}.csv"
# cells_label = "nuclei"

# missing = "skip"           # an image without cells: skip and report it; "refuse" if left out

# ---- How images are read: as the options of interpdisc classify --------------------------------
[reading]
diameter = "auto"            # px of a typical interphase nucleus; auto estimates it for each image
# channel = 0                # channel of the nuclei, from 0
# channel_axis = "C"
# time_axis = "Z"            # for a movie that Fiji saved as a z-stack
# z = "max"                  # max, mid or centroid, for z-stacks
# series = 0

# ---- How tables of cells are read --------------------------------------------------------------
[cells]
# columns = "t=Slice,y=Y,x=X,track_id=Track"     # if they are not known by their names
# first_frame = 1
# unit = "um"
# pixel_size = 0.65          # µm
# frame_interval = 300       # s
# keep_numbers = ["area"]    # columns of the tables that go into the result
# keep_texts = ["treatment"]

# ---- The model ---------------------------------------------------------------------------------
[model]
name = "h2b"                 # installed model, or model folder
# head = "dense"
# precision = "auto"         # bfloat16 where the processor has it

# ---- States along tracks -----------------------------------------------------------------------
[tracks]
# order = "Interphase > Metaphase > Interphase"
# strict = true
# minutes_per_frame = 5      # if the files do not tell
"""


def plan_text(name: str) -> str:
    """A plan with comments, to be changed; ``name`` is that of its file."""
    return PLAN_TEXT.format(name=name)
