"""One press of *Find* in the Perturb widget: the smallest change of a cell. No Qt here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from napari.layers import Image

from napari_interpdisc._types import Progress
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.figures.counterfactual_folder import ShownPath
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.cell_model import CellModel, class_index
from napari_interpdisc.number_text import with_sign
from napari_interpdisc.pipeline import Encoding, cell_crops
from napari_interpdisc.scrutiny.attacks import signed_margin
from napari_interpdisc.scrutiny.counterfactual import (
    CounterfactualPath,
    RealCells,
    counterfactual_path,
    real_cells,
)
from napari_interpdisc.widgets.canvas.cell_images import (
    drop_tile,
    grey_limits,
    is_tile,
    place_crops,
    show_tile,
)
from napari_interpdisc.widgets.parts.wording import cell_name, class_of
from napari_interpdisc.widgets.session import Session

TILE = "counterfactual"
"""Name of the image layer."""

Margin = Literal["boundary", "as sure"]
"""How far to go: just past the boundary, or until the target is as sure as the class is now."""


@dataclass(frozen=True)
class ChangeRun:
    """What to find, taken down when *Find* is pressed so that nothing changes underneath.

    Attributes
    ----------
    frames, encoding
        The movie and its encoded cells.
    row
        The cell.
    model, head
        The model and the name of its head.
    target
        Class to reach.
    margin
        How far beyond the boundary.
    real
        Where real cells are, if an earlier run with the same head found out.
    """

    frames: Frames
    encoding: Encoding
    row: int
    model: CellModel
    head: str | None
    target: str
    margin: Margin = "boundary"
    real: RealCells | None = None

    @property
    def subject(self) -> str:
        """The cell: ``Cell 12, frame 3``."""
        return cell_name(self.encoding, self.row, self.frames.is_movie)


@dataclass(frozen=True)
class ChangeResult:
    """What a run found.

    Attributes
    ----------
    run
        What was asked.
    real
        Where real cells are.
    shown
        The path, with a decoded picture and the nearest real cell's crop for each step.
    margin
        Margin that was asked for, in logits.
    """

    run: ChangeRun
    real: RealCells
    shown: ShownPath
    margin: float

    @property
    def path(self) -> CounterfactualPath:
        """The path of S steps."""
        return self.shown.path

    @property
    def heading(self) -> str:
        """Which cell, from which class to which, by which head of which model."""
        found = self.path
        old, new = found.classes[found.start_class], found.classes[found.target]
        how = "to the boundary" if self.run.margin == "boundary" else "as sure as now"
        return (
            f"{self.run.subject}: {old} → {new}, {how}. "
            f"Head '{found.head}' of model '{self.run.model.name}'."
        )

    def step_told(self, step: int) -> str:
        """Class and margin of one step, and the real cell that is nearest to it."""
        found = self.path
        called = class_of(found.classes, found.scores[step])
        near = cell_name(self.run.encoding, int(found.nearest[step]), self.run.frames.is_movie)
        told = (
            f"Step {step + 1} of {len(found.scores)}: {called}, margin of "
            f"{found.classes[found.target]} {with_sign(float(found.margins[step]))}. "
            f"Nearest real cell: {near}, {found.distances[step]:.2f} SD away."
        )
        if not found.real[step]:
            told += " Hardly any real cell is here."
        return told


def target_choices(session: Session) -> list[str]:
    """Classes that the selected cell could become, the runner-up first; none without a cell."""
    result, row = session.classification, session.selected
    if result is None or row is None or result.index[row] < 0:
        return []
    classes = result.classes
    scores = np.asarray(result.scores[row], float)
    own = int(result.index[row])
    if len(classes) == 2:
        return [classes[1 - own]]
    return [classes[k] for k in np.argsort(-scores, kind="stable") if k != own]


def find_change(run: ChangeRun, progress: Progress) -> ChangeResult:
    """Find the path of a run, and make its pictures.

    ``progress`` is called with (steps done, steps in all) and may raise to cancel.

    Raises
    ------
    InvalidInput
        If fewer than 20 cells are encoded, or the cell is called the target already.
    """
    model, cells, row = run.model, run.encoding.cells, run.row
    progress(0, 8)
    real = run.real
    if real is None:
        real = real_cells(model, run.encoding.latents, run.head, cells.track_id)
    progress(1, 8)
    z = run.encoding.latents[row]
    margin = 0.0 if run.margin == "boundary" else _present_margin(run)

    def searched(done: int, n: int) -> None:
        progress(1 + round(5 * done / n), 8)

    found = counterfactual_path(
        model,
        z,
        real,
        run.head,
        run.target,
        group=cells.track_id[row],
        margin=margin,
        progress=searched,
    )
    own = cell_crops(run.frames, cells.take([row]), model, run.encoding.diameter)
    near, which = np.unique(found.nearest, return_inverse=True)
    crops = cell_crops(run.frames, cells.take(near), model, run.encoding.diameter)
    progress(7, 8)
    pictures = model.reconstruct(found.latents, own)[:, 0]
    shown = ShownPath(found, model, cells, row, pictures, crops[which, 0])
    progress(8, 8)
    return ChangeResult(run, real, shown, margin)


def _present_margin(run: ChangeRun) -> float:
    scores = run.model.score(run.encoding.latents[[run.row]], run.head)
    called = torch.from_numpy(class_index(scores))
    return float(signed_margin(torch.from_numpy(scores), called)[0])


def show_step(viewer: Any, image: Image, result: ChangeResult, step: int) -> Image:
    """Lay the decoded picture of a step over its cell, in the layer of an earlier step."""
    run, found = result.run, result.path
    cells, pictures = run.encoding.cells, result.shown.pictures
    t = int(cells.t[run.row])
    zoom = run.model.model_diameter / run.encoding.diameter
    data, arguments = place_crops(image, run.frames, t, pictures[[step]], cells.yx[run.row], zoom)
    about = {
        "model": run.model.name,
        "model_sha256": run.model.sha256,
        "head": found.head,
        "frame": t,
        "track_id": int(cells.track_id[run.row]),
        "to": found.classes[found.target],
        "margin": result.margin,
        "step": step,
        "scores": found.scores[step].tolist(),
        "z": found.latents[step].tolist(),
    }
    return show_tile(viewer, TILE, data, arguments, limits=grey_limits(pictures), about=about)


def is_shown(viewer: Any) -> bool:
    """Whether the layer is there."""
    return any(is_tile(layer, TILE) for layer in viewer.layers)


def remove_step(viewer: Any) -> bool:
    """Remove the layer; False if it was not there."""
    there = is_shown(viewer)
    drop_tile(viewer, TILE)
    return there


def asked(
    session: Session, target: str | None, margin: Margin, earlier: ChangeResult | None
) -> ChangeRun:
    """Take down what is to be found of the selected cell.

    Raises
    ------
    InvalidInput
        If there are no cells, none is selected, or the selected one has no pixels.
    """
    if session.encoding is None or session.frames is None:
        raise InvalidInput("Run Cells first, then click a cell in the viewer.")
    if session.selected is None:
        raise InvalidInput("No cell is selected; click one in the viewer first.")
    if not session.encoding.usable[session.selected]:
        why = session.encoding.no_pixels[session.selected]
        raise InvalidInput(f"This cell has {why}; choose another.")
    if target is None:
        raise InvalidInput("The head has no other class that this cell could become.")
    model, head = session.model, session.head_name
    real = None
    if (
        earlier is not None
        and earlier.run.encoding is session.encoding
        and earlier.run.model.sha256 == model.sha256
        and earlier.path.head == model.head(head).name
    ):
        real = earlier.real
    return ChangeRun(
        session.frames, session.encoding, session.selected, model, head, target, margin, real
    )
