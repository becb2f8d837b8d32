"""Parts of a head as functions of few inputs: one type for neurons, terms and whole heads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_interpdisc._types import Float64Array
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel, NamedHead, check_reads_latents
from napari_interpdisc.models.heads import LEAST_RADIUS


@dataclass(frozen=True)
class HeadInput:
    """What a head reads: a latent, or the radius √(a² + b²) of two that rotate together.

    Attributes
    ----------
    label
        What to call it: ``z2 granularity_coarse``.
    latents
        The latent, or the pair behind a radius.
    """

    label: str
    latents: tuple[int, ...]

    @property
    def is_radius(self) -> bool:
        """Whether it is the radius of a pair."""
        return len(self.latents) == 2

    def read(self, latents: npt.ArrayLike) -> Float64Array:
        """Its values (N,) of latents (N, L), prior SD."""
        own = np.asarray(latents, np.float64)[:, list(self.latents)]
        if not self.is_radius:
            return np.asarray(own[:, 0])
        return np.asarray(np.sqrt((own**2).sum(1) + LEAST_RADIUS**2))

    def moved(self, latents: npt.ArrayLike, values: npt.ArrayLike) -> Float64Array:
        """Latents (N, L) moved so that the input has ``values`` (N,); all others stay.

        A pair moves along its direction; one of radius 0 has none, and moves along its first.
        """
        z = np.array(latents, np.float64)
        if not self.is_radius:
            z[:, self.latents[0]] = values
            return z
        own = z[:, list(self.latents)]
        length = np.linalg.norm(own, axis=1, keepdims=True)
        still = length < LEAST_RADIUS
        direction = np.where(still, [[1.0, 0.0]], own / np.where(still, 1, length))
        z[:, list(self.latents)] = direction * np.asarray(values, np.float64).reshape(-1, 1)
        return z


@dataclass(frozen=True, eq=False)
class NeuronOutput:
    """The output of a neuron as an input of what is above it.

    Attributes
    ----------
    label
        What to call it.
    part
        The neuron as a function of what it reads.
    """

    label: str
    part: Part

    latents: tuple[int, ...] = ()
    """It stands for no latent of its own, so that nothing can be decoded along it."""

    @property
    def is_radius(self) -> bool:
        """It is no radius."""
        return False

    def read(self, latents: npt.ArrayLike) -> Float64Array:
        """Its values (N,) of latents (N, L)."""
        return self.part.of_latents(latents)

    def moved(self, latents: npt.ArrayLike, values: npt.ArrayLike) -> Float64Array:
        """Refused: many latents give the same output.

        Raises
        ------
        InvalidInput
            Always.
        """
        raise InvalidInput(
            f"{self.label} is a neuron and no latent; choose a latent or a radius to decode along."
        )


Input = HeadInput | NeuronOutput


@dataclass(frozen=True, eq=False)
class Part:
    """A number that a head computes, as a function of I inputs.

    Attributes
    ----------
    name
        What to call it: ``sub-network 1``, ``term 2``, ``score``.
    about
        One line on what it is: a formula, or a neuron and its place.
    inputs
        The I inputs.
    function
        Values (N,) of inputs (N, I), float64; differentiable.
    decides
        Whether its sign decides a class, so that its zeros are the decision boundary.
    """

    name: str
    about: str
    inputs: tuple[Input, ...]
    function: Callable[[Tensor], Tensor]
    decides: bool = False

    def __call__(self, inputs: npt.ArrayLike) -> Float64Array:
        """Values (N,) of inputs (N, I)."""
        x = torch.from_numpy(np.ascontiguousarray(inputs, np.float64))
        with torch.inference_mode():
            return np.asarray(self.function(x).numpy())

    def with_gradient(self, inputs: npt.ArrayLike) -> tuple[Float64Array, Float64Array]:
        """Values (N,) and their gradient (N, I) of inputs (N, I)."""
        x = torch.from_numpy(np.ascontiguousarray(inputs, np.float64)).requires_grad_()
        values = self.function(x)
        if not values.requires_grad:  # a constant
            return values.numpy(), np.zeros(tuple(x.shape))
        (slope,) = torch.autograd.grad(values.sum(), x)
        return values.detach().numpy(), slope.numpy()

    def read(self, latents: npt.ArrayLike) -> Float64Array:
        """Its inputs (N, I) of latents (N, L)."""
        z = np.asarray(latents, np.float64)
        if not self.inputs:
            return np.zeros((len(z), 0))
        return np.stack([one.read(z) for one in self.inputs], 1)

    def of_latents(self, latents: npt.ArrayLike) -> Float64Array:
        """Values (N,) of latents (N, L)."""
        return self(self.read(latents))

    def moved(
        self, latents: npt.ArrayLike, axes: Sequence[int], values: npt.ArrayLike
    ) -> Float64Array:
        """Latents (M, L) of one cell (L,) with its inputs ``axes`` at values (M, len(axes)).

        Raises
        ------
        InvalidInput
            If one of these inputs is the output of a neuron.
        """
        at = np.asarray(values, np.float64).reshape(-1, len(axes))
        z = np.tile(np.asarray(latents, np.float64), (len(at), 1))
        for k, axis in enumerate(axes):
            z = self.inputs[axis].moved(z, at[:, k])
        return z

    @property
    def latents(self) -> tuple[int, ...]:
        """Latents that it reads, in rising order."""
        found: set[int] = set()
        for one in self.inputs:
            found.update(one.part.latents if isinstance(one, NeuronOutput) else one.latents)
        return tuple(sorted(found))


def latent_input(model: CellModel, latent: int) -> HeadInput:
    """The input that is a latent alone."""
    return HeadInput(model.latent_label(latent), (latent,))


def radius_input(model: CellModel, a: int, b: int) -> HeadInput:
    """The input that is the radius of a pair of latents."""
    name = model.pair_label(a, b).removeprefix(f"z{a}, z{b}").strip()
    return HeadInput(f"√(z{a}²+z{b}²) {name}".rstrip(), (a, b))


def check_takes_apart(named: NamedHead, model: CellModel) -> None:
    """Refuse a head without a sparse form, or one that reads measured properties.

    Raises
    ------
    InvalidInput
        If it is neither a sparse head nor a formula; heads of the model that are one are named. If
        it reads measured properties.
    """
    check_reads_latents(named, "The anatomy of a head")
    if named.head.kind in ("sparse", "formula"):
        return
    fit = [other.name for other in model.heads.values() if other.head.kind in ("sparse", "formula")]
    offer = f"choose one of {', '.join(fit)}" if fit else "train a sparse head or a formula"
    raise InvalidInput(
        f"Head '{named.name}' has no sparse form: its {named.head.n_weights} weights cannot be "
        f"taken apart; {offer}."
    )


def margins(scores: Callable[[Tensor], Sequence[Tensor]], k: int) -> Callable[[Tensor], Tensor]:
    """Lead of class ``k``: its score less the best score of the others (N,)."""

    def lead(x: Tensor) -> Tensor:
        columns = scores(x)
        others = torch.stack([c for i, c in enumerate(columns) if i != k], 1)
        return columns[k] - others.amax(1)

    return lead


def whole_name(named: NamedHead, k: int) -> str:
    """What to call the ``k``-th score of a head: ``score of Metaphase``, ``lead of Anaphase``."""
    if len(named.classes) == 2:
        return f"score of {named.classes[1]}"
    return f"lead of {named.classes[k]}"
