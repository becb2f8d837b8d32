"""What the Anatomy dock does on threads: test parts, write plots and the report. No Qt here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Progress
from napari_interpdisc.cells import at_most
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.pipeline import Encoding, near_edge
from napari_interpdisc.scrutiny.anatomy import Anatomy, Panel
from napari_interpdisc.scrutiny.anatomy_findings import Finding, find
from napari_interpdisc.scrutiny.anatomy_parts import Part
from napari_interpdisc.scrutiny.anatomy_response import Population
from napari_interpdisc.widgets.session import Session

if TYPE_CHECKING:
    from napari_interpdisc.report.build import ReportCells

MOST_REPORTED = 600
"""Cells that a report looks at, drawn at random if there are more."""

SUFFIXES = (".png", ".svg", ".csv")
"""As what a plot can be saved."""


def find_in_turn(
    parts: Sequence[Part],
    model: CellModel,
    cells: Population,
    found: dict[str, tuple[Finding, ...]],
    progress: Progress,
) -> None:
    """Test parts in turn, and put what was found of each into ``found``, by name.

    What is there already is not tested again. ``progress`` may raise to cancel.
    """
    progress(0, len(parts))
    for done, part in enumerate(parts, 1):
        if part.name not in found:
            found[part.name] = find(part, model, cells)
        progress(done, len(parts))


def kind_of_file(path: Path) -> str:
    """Suffix of a plot that is to be saved.

    Raises
    ------
    InvalidInput
        If it is none that a plot can be saved as.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidInput(
            f"'{path.name}' is no name of a plot; let it end with {', '.join(SUFFIXES)}."
        )
    return suffix


def write_plot(path: Path, panel: Panel, cells: Population, title: str) -> None:
    """Write one curve or map as the figure of a paper (PNG, SVG), or what it shows (CSV).

    Raises
    ------
    InvalidInput
        If the file has another suffix, or cannot be written.
    """
    suffix = kind_of_file(path)
    from napari_interpdisc.figures.anatomy import panels_figure, table_of
    from napari_interpdisc.figures.canvas import save_figure

    if suffix == ".csv":
        _write_table(path, table_of([panel])[0])
    else:
        save_figure(panels_figure([panel], cells, title), path, dpi=200)


def write_graph(path: Path, anatomy: Anatomy) -> None:
    """Write the graph of a sparse head as the figure of a paper, or its weights (CSV).

    Raises
    ------
    InvalidInput
        If the file has another suffix, cannot be written, or the head is a formula.
    """
    suffix = kind_of_file(path)
    from napari_interpdisc.figures.anatomy import graph_figure
    from napari_interpdisc.figures.canvas import save_figure

    graph = anatomy.graph
    if suffix == ".csv" and graph is not None:
        columns = {
            "from": [graph.label(edge.source) for edge in graph.edges],
            "to": [graph.label(edge.target) for edge in graph.edges],
            "weight": [edge.weight for edge in graph.edges],
        }
        _write_table(path, columns)
    else:
        save_figure(graph_figure(anatomy), path, dpi=200)


def _write_table(path: Path, columns: dict[str, Any]) -> None:
    import pandas as pd

    from napari_interpdisc.io.results import write_whole

    table = pd.DataFrame(columns)
    write_whole(path, lambda partial: table.to_csv(partial, index=False, float_format="%.6g"))


@dataclass(frozen=True)
class ReportRun:
    """What one press of *Report* reads.

    Attributes
    ----------
    model, head
        What is reported on.
    frames, encoding, rows
        The cells that it is looked at with; None without cells.
    planes
        Segmentation of the frames, or None for the built-in one.
    source
        Names of the layers.
    """

    model: CellModel
    head: str
    frames: Frames | None = None
    encoding: Encoding | None = None
    rows: npt.NDArray[np.intp] | None = None
    planes: Any = None
    source: dict[str, Any] | None = None


def plan_report(session: Session, seed: int = 0) -> ReportRun:
    """Take down what a report needs of a session; no pixel is read.

    Raises
    ------
    InvalidModel
        If the model has no head.
    """
    model = session.model
    head = model.head(session.head_name).name
    encoding = session.encoding
    if (
        encoding is None
        or session.frames is None
        or encoding.encoder_sha256 != model.encoder_sha256
        or not encoding.usable.any()
    ):
        return ReportRun(model, head)
    rows = at_most(np.flatnonzero(encoding.usable), MOST_REPORTED, seed)
    labels = session.labels
    planes = None
    if labels is not None:
        planes = labels.data[0] if labels.multiscale else labels.data
        if tuple(planes.shape[-2:]) != session.frames.shape[1:]:
            planes = None  # of another resolution: nuclei are found in the crops
    source = {
        "image": str(getattr(session.image, "name", session.image)),
        "cells": encoding.cells.source,
        "segmentation": "built-in" if planes is None else labels.name,
        "group": "track_id",
        "diameter": encoding.diameter,
    }
    return ReportRun(model, head, session.frames, encoding, rows, planes, source)


def report_cells(run: ReportRun) -> ReportCells | None:
    """Cut the cells of a report and outline their nuclei; None without cells.

    Raises
    ------
    InvalidInput
        If a frame cannot be read.
    """
    if run.frames is None or run.encoding is None or run.rows is None:
        return None
    from napari_interpdisc.patches import label_crops, middle, patch_side, patches_of_cells
    from napari_interpdisc.report.build import ReportCells, measured_for
    from napari_interpdisc.scrutiny.score_results import cell_names
    from napari_interpdisc.scrutiny.segmented import segment_cells, without_masks

    model, diameter = run.model, run.encoding.diameter
    cells = run.encoding.cells.take(run.rows)
    patches = patches_of_cells(run.frames, cells, diameter, model.model_diameter, model.crop_size)
    masks = None
    if run.planes is not None:
        side = patch_side(model.crop_size)
        masks = label_crops(run.planes, cells, diameter, model.model_diameter, side)
    cut = near_edge(cells, run.frames.shape[1:], diameter)
    try:
        found = segment_cells(patches, masks, model.model_diameter, cut)
    except InvalidInput:  # no nucleus can be outlined: the report says so in its scorecard
        found = without_masks(patches)
    crops = patches.crops(model.crop_size)
    measured = {
        name: np.asarray(values)[run.rows] for name, values in run.encoding.properties.items()
    }
    if not set(model.needed_properties) <= set(measured):
        cut_masks = None if masks is None else middle(masks, model.crop_size)
        measured = measured_for(model, crops, cut_masks)
    return ReportCells(
        crops,
        np.asarray(run.encoding.latents[run.rows]),
        cells.track_id,
        list(cell_names(cells.track_id, cells.t)),
        run.source or {},
        None,
        found,
        measured=measured,
    )


def write_head_report(path: Path, run: ReportRun, progress: Progress) -> Path:
    """Write the report on a head as one HTML file.

    Raises
    ------
    InvalidInput
        If a frame cannot be read, or the file cannot be written.
    """
    from napari_interpdisc.report.build import write_report

    write_report(path, run.model, run.head, report_cells(run), progress)
    return path
