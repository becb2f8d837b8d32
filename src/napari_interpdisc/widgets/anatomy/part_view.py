"""A part of a head over one or two inputs, at the latents of a cell that may be edited. No Qt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float32Array, Float64Array
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.scrutiny.anatomy import Panel, axes_of, panel_of
from napari_interpdisc.scrutiny.anatomy_parts import NeuronOutput, Part
from napari_interpdisc.scrutiny.anatomy_response import Population, Response, ground_of, response


class PartView:
    """What a plot of one part shows; what does not change with the cell is computed once.

    Parameters
    ----------
    part, axes
        The part, and positions of the inputs that it is drawn over: its strongest if left out.
    cells
        Where cells are.
    model
        Decodes latents.

    Attributes
    ----------
    n_responses
        How often the whole curve or map was computed.
    """

    def __init__(
        self, part: Part, cells: Population, model: CellModel, axes: Sequence[int] | None = None
    ) -> None:
        self.part, self.cells, self.model = part, cells, model
        self.axes = tuple(axes_of(part, cells) if axes is None else axes)
        self.ground = ground_of(part, self.axes, cells)
        self.points = np.stack([part.inputs[a].read(cells.latents) for a in self.axes], 1)
        self.n_responses = 0
        self._response: Response | None = None
        self._held: Float64Array | None = None

    @property
    def is_map(self) -> bool:
        """Whether it is drawn over two inputs."""
        return len(self.axes) == 2

    @property
    def can_move(self) -> bool:
        """Whether a cell can be moved along the axes: not if one is the output of a neuron."""
        return not any(isinstance(self.part.inputs[a], NeuronOutput) for a in self.axes)

    @property
    def labels(self) -> tuple[str, ...]:
        """What the axes are called, with their units; those of a map are told once, to fit in."""
        inputs = [self.part.inputs[a] for a in self.axes]
        if self.is_map and self.can_move:
            return f"{inputs[0].label} (both axes: prior SD)", inputs[1].label
        return tuple(
            one.label if isinstance(one, NeuronOutput) else f"{one.label} (prior SD)"
            for one in inputs
        )

    def response(self, latents: npt.ArrayLike) -> Response:
        """Values over the axes, all other inputs held at latents (L,).

        The same object as long as the inputs off the axes are the same.
        """
        held = self.part.read(np.asarray(latents, np.float64)[None])[0]
        off = np.delete(held, self.axes)
        if self._response is None or self._held is None or not np.array_equal(off, self._held):
            self.n_responses += 1
            self._response, self._held = response(self.part, self.ground, held), off
        return self._response

    def place(self, latents: npt.ArrayLike) -> tuple[Float64Array, float]:
        """Where latents (L,) are on the axes, (1,) or (2,), and the part's value there."""
        held = self.part.read(np.asarray(latents, np.float64)[None])
        return held[0, list(self.axes)], float(self.part(held)[0])

    def moved(self, latents: npt.ArrayLike, values: npt.ArrayLike) -> Float64Array:
        """Latents (L,) moved to a place (1,) or (2,) on the axes; all others stay.

        Raises
        ------
        InvalidInput
            If one of the axes is the output of a neuron.
        """
        return np.asarray(self.part.moved(latents, self.axes, values)[0])

    def inside(self, values: npt.ArrayLike) -> Float64Array:
        """The place on the axes nearest to ``values``: none is beyond their ends."""
        ends = np.array([(line[0], line[-1]) for line in self.ground.points])
        return np.clip(np.asarray(values, np.float64), ends[:, 0], ends[:, 1])

    def corners(self, latents: npt.ArrayLike) -> Float64Array:
        """Latents (n, L) of the cell, and of it moved to the ends of the axes."""
        own = np.asarray(latents, np.float64)
        if not self.can_move:
            return own[None]
        ends = [(line[0], line[-1]) for line in self.ground.points]
        places = np.stack(np.meshgrid(*ends), -1).reshape(-1, len(self.axes))
        return np.concatenate([own[None], self.part.moved(own, self.axes, places)])

    def panel(self, latents: npt.ArrayLike) -> Panel:
        """The same as a figure draws it, with decoded pictures along the axes."""
        return panel_of(self.part, self.axes, self.cells, self.model, latents)


def pictures_of(
    model: CellModel, latents: npt.ArrayLike
) -> tuple[Float32Array, Float32Array | None]:
    """Decoded pictures (n, S, S) of latents (n, L), and their local contrast if the model has it.

    In the units of :meth:`CellModel.seen`.
    """
    z = np.asarray(latents)
    if not model.has_texture:
        return model.decode(z)[:, 0], None
    pictures, grain = model.decode_with_texture(z)
    return pictures[:, 0], grain[:, 0]
