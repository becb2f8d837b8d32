"""``interpdisc demo``: a real movie, from masks to classes to a perturbed cell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_interpdisc.cli.common import progress_bar, say


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the table and pictures.")] = Path(
        "interpdisc-demo"
    ),
    frames: Annotated[
        int | None, typer.Option(help="Only the first so many frames.", min=2)
    ] = None,
    window: Annotated[
        bool | None, typer.Option(help="Open napari, or not; by default where there is a display.")
    ] = None,
) -> None:
    """Classify the cells of a real HeLa movie, and show them."""
    from napari_interpdisc.demo import run_demo

    with progress_bar("cells") as progress:
        shown = run_demo(out, frames, window, say, progress)
    if shown is not None:
        shown()
