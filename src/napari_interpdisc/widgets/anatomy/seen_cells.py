"""The cells at which a head is looked at: those of the session, or draws. No Qt here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_interpdisc.cells import at_most
from napari_interpdisc.pipeline import Encoding
from napari_interpdisc.scrutiny.anatomy_response import Population, drawn_cells, real_cells
from napari_interpdisc.widgets.session import Session

MOST_CELLS = 2000
"""Cells that are looked at and drawn as points at most, drawn at random."""


@dataclass(frozen=True, eq=False)
class SeenCells:
    """Cells of the session, at most :data:`MOST_CELLS`, or draws from the model's stored density.

    Attributes
    ----------
    population
        Their N latents.
    rows
        (N,) their rows in the encoding; None for draws.
    encoding
        Where they come from; None for draws.
    note
        What they are, for a person to read.
    """

    population: Population
    rows: npt.NDArray[np.intp] | None
    encoding: Encoding | None
    note: str

    @property
    def are_real(self) -> bool:
        """Whether they are cells of the session."""
        return self.rows is not None


def seen_cells(session: Session, seed: int = 0) -> SeenCells:
    """Cells of the session if there are any that its model reads, else draws.

    ``seed`` draws them, where there are more than are needed.

    Raises
    ------
    InvalidModel
        If the bundled model, which is loaded if none was chosen, is damaged.
    """
    model, encoding = session.model, session.encoding
    if encoding is None:
        why = "No cells yet: run the Cells widget to see yours."
    elif encoding.encoder_sha256 != model.encoder_sha256:
        why = "The cells were encoded by another model: run the Cells widget again to see them."
    elif not encoding.usable.any():
        why = "No cell has latents: none has pixels."
    else:
        usable = np.flatnonzero(encoding.usable)
        rows = at_most(usable, MOST_CELLS, seed)
        note = f"Looked at with {len(rows)} cells"
        note += f", drawn from {len(usable)}." if len(rows) < len(usable) else "."
        return SeenCells(
            real_cells(encoding.latents[rows], "the present cells"), rows, encoding, note
        )
    drawn = drawn_cells(model, seed=seed)
    return SeenCells(drawn, None, None, f"{why} Until then, axes come from {drawn.source}.")
