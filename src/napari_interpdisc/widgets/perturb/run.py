"""One press of *Run* in the Perturb widget: the attack, its controls, its layers. No Qt here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image
from napari.utils.colormaps import Colormap

from napari_interpdisc._types import Progress
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.cell_model import CellModel, latent_of
from napari_interpdisc.pipeline import Encoding, cell_crops
from napari_interpdisc.scrutiny.attacks import (
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

BATCH = 32
"""Cells between two chances to cancel."""

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
        Space, ε and frozen latents of the FGSM attack.
    left_out
        A sentence on the cells of the frame that have no pixels; empty if there are none.
    """

    frames: Frames
    encoding: Encoding
    rows: npt.NDArray[np.int64]
    selected: int | None
    model: CellModel
    head: str | None
    settings: AttackSettings
    left_out: str = ""

    @property
    def frame(self) -> int:
        """The frame of the cells."""
        return int(self.encoding.cells.t[self.rows[0]])


@dataclass(frozen=True)
class PerturbResult:
    """The perturbed cells of a run.

    Attributes
    ----------
    run
        What was asked.
    fgsm
        The attack.
    flipped
        Number of flipped cells by method, FGSM and the controls at the same ε.
    smallest
        Smallest ε at which FGSM flips the selected cell, inf if none does, None if not sought.
    """

    run: PerturbRun
    fgsm: Perturbation
    flipped: dict[str, int]
    smallest: float | None


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
    """Attack the cells of a run by FGSM and by its controls.

    ``progress`` is called with (steps done, steps in all) and may raise to cancel.
    """
    n = len(run.rows)
    costs = {"fgsm": 1, "pgd": PGD_STEPS, "random": 1}
    n_all = n * sum(costs.values()) + 1
    done = 0
    progress(0, n_all)
    crops = cell_crops(
        run.frames, run.encoding.cells.take(run.rows), run.model, run.encoding.diameter
    )
    found: dict[str, Perturbation] = {}
    for method, cost in costs.items():

        def report(cells: int, _: int, done: int = done, cost: int = cost) -> None:
            progress(done + cost * cells, n_all)

        settings = AttackSettings.model_validate({**run.settings.model_dump(), "method": method})
        found[method] = perturb(run.model, crops, settings, run.head, report, BATCH)
        done += cost * n
    smallest = None
    here = np.flatnonzero(run.rows == run.selected)
    if len(here):
        smallest = float(smallest_flip(run.model, crops[here], run.settings, run.head)[0])
    progress(n_all, n_all)
    return PerturbResult(
        run, found["fgsm"], {m: int(p.flipped.sum()) for m, p in found.items()}, smallest
    )


def show_layers(viewer: Any, image: Image, result: PerturbResult) -> list[Image]:
    """Lay the perturbed cells over their own place and frame of ``image``.

    In image space the decoding of the perturbed crop comes too (paper, Fig. 8); in latent space it
    is the perturbed picture itself.
    """
    run, fgsm = result.run, result.fgsm
    cells = run.encoding.cells.take(run.rows)
    zoom = run.model.model_diameter / run.encoding.diameter
    greys = grey_limits(fgsm.original, fgsm.reconstruction)
    strongest = max(float(np.abs(fgsm.perturbation).max()), 1e-6)
    about = {
        "settings": run.settings.model_dump(),
        "model": run.model.name,
        "model_sha256": run.model.sha256,
        "head": run.model.head(run.head).name,
        "diameter": run.encoding.diameter,
        "frame": run.frame,
        "track_id": cells.track_id.tolist(),
        "scores": fgsm.scores.tolist(),
        "perturbed_scores": fgsm.perturbed_scores.tolist(),
    }
    pictures: dict[str, tuple[Any, tuple[float, float], dict[str, Any]]] = {
        "reconstruction": (fgsm.reconstruction, greys, {"visible": False})
    }
    if run.settings.space == "image":
        pictures["perturbed reconstruction"] = (
            fgsm.perturbed_reconstruction,
            greys,
            {"visible": False},
        )
    else:
        drop_tile(viewer, "perturbed reconstruction")
    pictures["perturbed"] = (fgsm.perturbed, greys, {})
    pictures["perturbation"] = (
        fgsm.perturbation,
        (-strongest, strongest),
        {"colormap": DIVERGING, "opacity": 0.7, "visible": False},
    )
    layers = []
    for name, (crops, limits, first) in pictures.items():
        data, arguments = place_crops(image, run.frames, run.frame, crops[:, 0], cells.yx, zoom)
        layers.append(show_tile(viewer, name, data, arguments, limits=limits, about=about, **first))
    return layers
