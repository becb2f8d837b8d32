"""One press of *Run* in the Perturb widget: the attack, its controls, its layers. No Qt here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image
from napari.utils.colormaps import Colormap

from napari_interpdisc._types import BoolArray, Float32Array, Progress
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.cell_model import CellModel, latent_of
from napari_interpdisc.pipeline import Encoding, cell_crops
from napari_interpdisc.scrutiny.attacks import (
    FLIP_GRID,
    PGD_GRID,
    PGD_STEPS,
    AttackSettings,
    Perturbation,
    check_frozen,
    perturb,
    smallest_flip,
)
from napari_interpdisc.widgets.canvas.cell_images import (
    drop_tile,
    grey_limits,
    place_crops,
    show_tile,
)
from napari_interpdisc.widgets.canvas.flip_marks import drop_flips, find_flip_marks, show_flips
from napari_interpdisc.widgets.parts.wording import cell_name

BATCH = 32
"""Cells between two chances to cancel."""

TILES = ("reconstruction", "perturbed reconstruction", "perturbed", "perturbation")
"""Names of the image layers."""

STALE_OPACITY = 0.35

DIVERGING = Colormap(
    colors=[
        [0.25, 0.65, 1, 1],
        [0, 0.25, 0.8, 0.85],
        [0, 0, 0, 0],
        [0.8, 0.1, 0, 0.85],
        [1, 0.7, 0.2, 1],
    ],
    controls=[0, 0.25, 0.5, 0.75, 1],
    name="interpdisc diverging",
)
"""Blue where pixels got darker, red where brighter, transparent where nothing changed."""


@dataclass(frozen=True)
class PerturbRun:
    """What to perturb, taken down when *Run* is pressed so that nothing changes underneath.

    Attributes
    ----------
    frames, encoding
        The movie and its encoded cells.
    rows
        (n,) cells of one frame.
    selected
        The row whose smallest flipping ε is sought, or None.
    model, head
        The model and the name of its head.
    settings
        Space, ε, method, class to reach and frozen latents.
    left_out
        A sentence on the cells of the frame that have no pixels; empty if there are none.
    whole_frame
        Whether all cells of the frame were asked for, and not the selected one.
    """

    frames: Frames
    encoding: Encoding
    rows: npt.NDArray[np.int64]
    selected: int | None
    model: CellModel
    head: str | None
    settings: AttackSettings
    left_out: str = ""
    whole_frame: bool = False

    @property
    def frame(self) -> int:
        """The frame of the cells."""
        return int(self.encoding.cells.t[self.rows[0]])

    @property
    def subject(self) -> str:
        """What was perturbed: ``Cell 12, frame 3``, or ``24 cells of frame 3``."""
        if self.whole_frame:
            n = len(self.rows)
            where = f" of frame {self.frame}" if self.frames.is_movie else ""
            return f"{n} cell{'s' * (n != 1)}{where}"
        return cell_name(self.encoding, int(self.rows[0]), self.frames.is_movie)


METHODS = {"fgsm": "FGSM", "pgd": "PGD", "random": "random"}
"""Names of the attacks, as they are written."""


@dataclass(frozen=True)
class PerturbResult:
    """The n perturbed cells of a run.

    Attributes
    ----------
    run
        What was asked.
    shown
        What the run's method made of the cells.
    flips
        (n,) whether each method, at the same ε, changed a cell's class, or reached the one that is
        aimed at.
    smallest
        Smallest ε at which the run's method does so for the selected cell, inf if none does, None
        if not sought.
    """

    run: PerturbRun
    shown: Perturbation
    flips: dict[str, BoolArray]
    smallest: float | None

    @property
    def attacked(self) -> int:
        """Number of cells that had another class than the one aimed at before."""
        return int((~self.shown.there_already & ~self.shown.without_class).sum())

    @property
    def heading(self) -> str:
        """What was done to what, by which head of which model."""
        run, settings = self.run, self.run.settings
        aim = f" towards {settings.target}" if settings.target else ""
        where = "pixels" if settings.space == "image" else "latents"
        return (
            f"{run.subject}: {METHODS[settings.method]}{aim} on {where}, ε = {settings.epsilon:g}. "
            f"Head '{run.model.head(run.head).name}' of model '{run.model.name}'."
        )

    def without_told(self) -> str:
        """How many cells a formula has no value for, before or after; empty if for none."""
        without, lost = int(self.shown.without_class.sum()), int(self.shown.lost_class.sum())
        told = ""
        if without:
            stay = "which stays as it is" if without == 1 else "which stay as they are"
            told += f" The formula has no value for {without}, {stay}."
        if lost:
            told += f" {lost} came to where the formula has no value: no change of class."
        return told

    def counted(self, method: str) -> str:
        """How many cells a method flips: ``3 of 24 (12%)``."""
        count, n = int(self.flips[method].sum()), self.attacked
        return f"{count} of {n}" + (f" ({count / n:.0%})" if n else "")

    def smallest_told(self) -> str:
        """One sentence on the smallest ε for the selected cell, and with which method."""
        run, settings = self.run, self.run.settings
        if self.smallest is None or run.selected is None:
            return "Select one of the cells to learn its smallest ε."
        cell = cell_name(run.encoding, run.selected, False).lower()
        here = int(np.flatnonzero(run.rows == run.selected)[0])
        if self.shown.without_class[here]:
            return f"The formula has no value for {cell}, so there is no class to change."
        does = f"brings {cell} to {settings.target}" if settings.target else f"flips {cell}"
        name = METHODS[settings.method]
        if self.smallest == 0:
            return f"{cell.capitalize()} is called {settings.target} already; it was not changed."
        steps = f", in steps of {PGD_GRID[0]:g}" if settings.method == "pgd" else ""
        if np.isfinite(self.smallest):
            return f"{name}: the smallest ε that {does} is {self.smallest:.2f}{steps}."
        told = f"{name}: no ε up to {max(FLIP_GRID):g}{steps}{',' * bool(steps)} {does}."
        others = [METHODS[m] for m, flipped in self.flips.items() if flipped[here]]
        if others:
            verb = "do" if len(others) > 1 else "does"
            told += f" At ε = {settings.epsilon:g}, {' and '.join(others)} {verb}."
        return told


def frozen_from_text(
    text: str, n_latents: int, names: Mapping[str, int] | None = None
) -> tuple[int, ...]:
    """Read latents from a text such as ``3, z17``; ``names`` are read too.

    Raises
    ------
    InvalidInput
        If a word is not a latent of the model, or all would be frozen.
    """
    words = text.replace(",", " ").replace(";", " ").split()
    latents = []
    for word in words:
        latent = latent_of(word, names)
        if latent is None:
            raise InvalidInput(
                f"'{word}' is not a latent; write the latents to freeze as numbers, "
                "for example 3, 17" + (", or by name." if names else ".")
            )
        latents.append(latent)
    frozen = tuple(sorted(set(latents)))
    check_frozen(frozen, n_latents)
    return frozen


def carry_out(run: PerturbRun, progress: Progress) -> PerturbResult:
    """Attack the cells of a run by all three methods, and search the smallest ε with the run's own.

    ``progress`` is called with (steps done, steps in all) and may raise to cancel.
    """
    n, settings = len(run.rows), run.settings
    costs = {"fgsm": 1, "pgd": PGD_STEPS, "random": 1}
    here = np.flatnonzero(run.rows == run.selected)
    search = len(_grid(settings)) * costs[settings.method] * len(here)
    n_all = n * sum(costs.values()) + search
    done = 0
    progress(0, n_all)
    crops = cell_crops(
        run.frames, run.encoding.cells.take(run.rows), run.model, run.encoding.diameter
    )
    flips: dict[str, BoolArray] = {}
    for method, cost in costs.items():

        def report(cells: int, _: int, done: int = done, cost: int = cost) -> None:
            progress(done + cost * cells, n_all)

        asked = AttackSettings.model_validate({**settings.model_dump(), "method": method})
        found = perturb(run.model, crops, asked, run.head, report, BATCH)
        flips[method] = found.reached
        if method == settings.method:
            shown = found
        done += cost * n
    smallest = None
    if len(here):

        def searched(tried: int, of: int) -> None:
            progress(done + search * tried // of, n_all)

        smallest = _smallest(run, int(here[0]), crops[here], searched)
    progress(n_all, n_all)
    return PerturbResult(run, shown, flips, smallest)


def search_smallest(result: PerturbResult, row: int, progress: Progress) -> PerturbResult:
    """Search the smallest ε of another one of the cells of a result.

    Parameters
    ----------
    result
        What was perturbed.
    row
        One of its cells.
    progress
        As of :func:`carry_out`.

    Returns
    -------
    The same result with that cell as the selected one.
    """
    at = int(np.flatnonzero(result.run.rows == row)[0])
    run = replace(result.run, selected=row)
    found = _smallest(run, at, result.shown.original[[at]], progress)
    return replace(result, run=run, smallest=found)


def _grid(settings: AttackSettings) -> list[float]:
    """The ε to try; that of the run among them, since what is told must agree with what is seen."""
    return [*(PGD_GRID if settings.method == "pgd" else FLIP_GRID), settings.epsilon]


def _smallest(run: PerturbRun, at: int, crop: Float32Array, progress: Progress) -> float:
    """Smallest ε of the crop (1, 1, S, S) of the cell at place ``at`` of a run."""
    # random signs of a cell come with its place among the cells
    own = run.settings.model_copy(update={"seed": run.settings.seed + at})
    return float(smallest_flip(run.model, crop, own, run.head, _grid(own), progress)[0])


def show_layers(viewer: Any, image: Image, result: PerturbResult) -> list[Image]:
    """Lay the perturbed cells over their own place and frame of ``image``, and outline the flips.

    In image space the decoding of the perturbed crop comes too (paper, Fig. 8); in latent space it
    is the perturbed picture itself.
    """
    run, shown = result.run, result.shown
    cells = run.encoding.cells.take(run.rows)
    zoom = run.model.model_diameter / run.encoding.diameter
    greys = grey_limits(shown.original, shown.reconstruction)
    strongest = max(float(np.abs(shown.perturbation).max()), 1e-6)
    about = {
        "settings": run.settings.model_dump(),
        "model": run.model.name,
        "model_sha256": run.model.sha256,
        "head": run.model.head(run.head).name,
        "diameter": run.encoding.diameter,
        "frame": run.frame,
        "track_id": cells.track_id.tolist(),
        "scores": shown.scores.tolist(),
        "perturbed_scores": shown.perturbed_scores.tolist(),
    }
    pictures: dict[str, tuple[Any, tuple[float, float], dict[str, Any]]] = {
        "reconstruction": (shown.reconstruction, greys, {"visible": False})
    }
    if run.settings.space == "image":
        pictures["perturbed reconstruction"] = (
            shown.perturbed_reconstruction,
            greys,
            {"visible": False},
        )
    else:
        drop_tile(viewer, "perturbed reconstruction")
    pictures["perturbed"] = (shown.perturbed, greys, {})
    pictures["perturbation"] = (
        shown.perturbation,
        (-strongest, strongest),
        {"colormap": DIVERGING, "opacity": 0.7, "visible": False},
    )
    layers = []
    for name, (crops, limits, first) in pictures.items():
        data, arguments = place_crops(image, run.frames, run.frame, crops[:, 0], cells.yx, zoom)
        layers.append(show_tile(viewer, name, data, arguments, limits=limits, about=about, **first))
    flipped = cells.yx[result.flips[run.settings.method]]
    show_flips(viewer, image, run.frames, run.frame, flipped, run.encoding.diameter)
    return layers


def remove_layers(viewer: Any) -> int:
    """Remove what :func:`show_layers` added; returns how many layers that were."""
    before = len(viewer.layers)
    for name in TILES:
        drop_tile(viewer, name)
    drop_flips(viewer)
    return before - len(viewer.layers)


def grey_out(viewer: Any, stale: bool) -> None:
    """Fade the outlines of flips that are not of what is chosen now."""
    layer = find_flip_marks(viewer)
    if layer is not None:
        layer.opacity = STALE_OPACITY if stale else 1.0
