"""The folder of a head taken apart: pictures, what they show as tables, and all that was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_interpdisc._types import Progress, silent
from napari_interpdisc.figures.anatomy import draw_graph, draw_panels, table_of
from napari_interpdisc.io.results import new_folder, settings_text, versions
from napari_interpdisc.scrutiny.anatomy import Anatomy, Panel
from napari_interpdisc.scrutiny.anatomy_constants import ConstantIntervals


def write_anatomy(
    out: Path,
    anatomy: Anatomy,
    parts: Sequence[Panel],
    slices: Sequence[Panel],
    constants: ConstantIntervals | None = None,
    note: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> Path:
    """Write pictures (PNG and SVG), tables (CSV) and ``anatomy.json`` into a new folder.

    Sub-networks of a sparse head are in ``sub-networks``, terms of a formula in ``components``.

    Parameters
    ----------
    out
        The folder; it must not exist or be empty. It is whole or not there.
    anatomy
        The head.
    parts, slices
        What is drawn of its parts, and of the whole; none of what is empty.
    constants
        Intervals of a formula's constants, if they were refitted.
    note
        Source of the cells, selected cell and settings, which ``anatomy.json`` keeps.
    progress
        Called with (pictures written, pictures in all); it may raise to cancel.

    Raises
    ------
    InvalidInput
        If something is there already, or the disk is full or may not be written to.
    """
    import pandas as pd

    of_head = f"{anatomy.head} of {anatomy.model}"
    name = "components" if anatomy.graph is None else "sub-networks"
    with new_folder(out) as folder:
        if anatomy.graph is not None:
            draw_graph(folder / "graph", anatomy)
            label, graph = anatomy.graph.label, anatomy.graph
            edges = pd.DataFrame(
                [(label(e.source), label(e.target), e.weight) for e in graph.edges],
                columns=["from", "to", "weight"],
            )
            edges.to_csv(folder / "graph.csv", index=False)
        progress(1, 3)
        draw_panels(folder / name, parts, anatomy.cells, f"{name.capitalize()} of {of_head}")
        progress(2, 3)
        # a row of pictures for each pair, where there are several scores
        columns = len(anatomy.wholes) if len(anatomy.wholes) > 1 else None
        draw_panels(
            folder / "slices", slices, anatomy.cells,
            f"Slices of {of_head} through the selected cell", columns,
        )  # fmt: skip
        progress(3, 3)
        for stem, panels in ((name, parts), ("slices", slices)):
            if panels:
                table = pd.concat(map(pd.DataFrame, table_of(panels)), ignore_index=True)
                table.to_csv(folder / f"{stem}.csv", index=False, float_format="%.6g")
        about: dict[str, Any] = {"versions": versions(), **anatomy.note(), **(note or {})}
        if constants is not None:
            table = pd.DataFrame(
                {
                    "stored": constants.stored,
                    "refitted": constants.refitted,
                    "low": constants.low,
                    "high": constants.high,
                }
            )
            table.to_csv(folder / "constants.csv", index=False)
            about["constants"] = {
                "formula": constants.formula.text,
                "draws": constants.draws,
                "failed": constants.failed,
                "cells": constants.cells,
                "groups": constants.groups,
                "determined": constants.determined,
                "sentences": constants.sentences(),
            }
        (folder / "anatomy.json").write_text(settings_text(about), "utf-8")
    return out
