"""Options that say how a table of cells is to be read, given to every command that reads one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_interpdisc.cli.reading import options_of
from napari_interpdisc.errors import InvalidInput

if TYPE_CHECKING:
    from napari_interpdisc.io.columns import Asked

SwapXY = Annotated[bool, typer.Option("--swap-xy", help="The table has x and y exchanged.")]
Columns = Annotated[
    str | None,
    typer.Option(
        metavar="ROLE=NAME,…",
        help="Columns of the table, such as t=Slice,y=Y,x=X,track_id=Track, if they are not known "
        "by their names. Roles: t, y, x, z, track_id, parent.",
    ),
]
FirstFrame = Annotated[
    int | None,
    typer.Option(min=0, max=1, help="Number of the first frame in the table, if it does not tell."),
]
Unit = Annotated[
    str, typer.Option(metavar="px|um|…", help="Unit of y and x, if the table does not tell.")
]
PixelSize = Annotated[
    float | None,
    typer.Option(metavar="UM", help="µm per pixel, for positions in µm; the image's if left out."),
]
FrameInterval = Annotated[
    float | None,
    typer.Option(
        metavar="S", help="Seconds between frames, for times in seconds; the image's if left out."
    ),
]
Splits = Annotated[
    Path | None,
    typer.Option(
        metavar="TABLE",
        help="Table of divisions beside that of cells: parent_track_id and child_track_id, as "
        "laptrack has them.",
    ),
]


@dataclass(frozen=True)
class TableOptions:
    """How a table of cells is to be read; see :class:`napari_interpdisc.io.columns.Asked`."""

    swap_xy: bool = False
    columns: str | None = None
    first_frame: int | None = None
    unit: str = ""
    pixel_size: float | None = None
    frame_interval: float | None = None
    splits: Path | None = None

    def asked(self, *known: str | None) -> Asked:
        """What they say of a table; ``known`` are columns of labels and groups.

        Raises
        ------
        InvalidInput
            If one of them cannot be, or the table of divisions cannot be read.
        """
        from napari_interpdisc.io.columns import Asked, columns_of_text
        from napari_interpdisc.io.track_links import read_splits

        return Asked(
            columns_of_text(self.columns) if self.columns is not None else {},
            self.first_frame,
            self.unit,
            self.pixel_size,
            self.frame_interval,
            tuple(name for name in known if name),
            read_splits(self.splits) if self.splits is not None else {},
        )


AS_IT_TELLS = TableOptions()
"""As the table says by itself."""

OPTIONS: dict[str, tuple[Any, Any]] = {
    "swap_xy": (SwapXY, False),
    "columns": (Columns, None),
    "first_frame": (FirstFrame, None),
    "unit": (Unit, ""),
    "pixel_size": (PixelSize, None),
    "frame_interval": (FrameInterval, None),
    "splits": (Splits, None),
}
"""Type and default of each option."""

TABLES = ("tracks", "cells", "centroids", "movies", "results")
"""Arguments that name tables of cells."""


def reads_tables(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of :class:`TableOptions`, in place of ``table_options``."""

    def collected(given: dict[str, Any]) -> TableOptions:
        values = {name: given.pop(name, default) for name, (_, default) in OPTIONS.items()}
        changed = [
            "--" + name.replace("_", "-")
            for name, (_, default) in OPTIONS.items()
            if values[name] != default
        ]
        if changed and not any(given.get(name) for name in TABLES):
            names = ", ".join(changed)
            raise InvalidInput(
                f"{names}: there is no table of cells to read; leave it out, or give one."
            )
        return TableOptions(**values)

    return options_of(command, "table_options", OPTIONS, collected, after="channel_axis")
