"""What would change this call: the smallest move of used latents to a boundary (paper §5.5).

A gradient step such as FGSM changes all latents by the same amount. This asks for the shortest move
that a rule answers to, and keeps to where real cells are, so that its end is a cell that could be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import NonlinearConstraint, minimize
from torch import Tensor

from napari_interpdisc._types import BoolArray, Float32Array, Float64Array, Progress, silent
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import NO_CLASS, CellModel, class_index
from napari_interpdisc.models.heads import LEAST_RADIUS, Head
from napari_interpdisc.number_text import signed, with_sign

STEPS = 9
"""Pictures of a path, both ends among them."""

RARE = 0.01
"""Share of real cells whose neighbourhood is emptier than what counts as where real cells are."""

MOST_KERNELS = 2000
"""Real cells that the density is made of, evenly drawn from all."""

FEWEST_CELLS = 20
"""Real cells below which there is no density to keep to."""

NEAREST_STARTS = 4
"""Real cells, across the boundary, from which a search starts, beside the linear guess."""

PAST = 1e-3
"""Margin by which the end of a path is past the boundary, so that its class is the wanted one."""

MOST_TOLD = 4
"""Latents of a move that a sentence names."""

LEAST_TOLD = 0.005
"""Change of a latent, in prior SD, below which it is not named."""

ROUNDING = 1e-4
"""Of a log density: a path that ends at the limit, in single precision, still ends among cells."""

FALL = 1e-4
"""Fall of the score between two steps that is taken for none."""


@dataclass(frozen=True)
class Coordinates:
    """The latents that a head uses, as they matter: a pair that rotates counts by its radius.

    Attributes
    ----------
    single
        Latents that count by their value.
    pairs
        Pairs of latents (a, b) that count by √(a² + b²), so that no orientation is rarer than
        another.
    """

    single: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, used: Sequence[int], rotating: Sequence[tuple[int, int]]) -> Coordinates:
        """Coordinates of the latents ``used``, given the pairs that rotate together."""
        pairs = tuple(pair for pair in rotating if set(pair) <= set(used))
        paired = {i for pair in pairs for i in pair}
        return cls(tuple(i for i in used if i not in paired), pairs)

    def __len__(self) -> int:
        """Return the number of coordinates D."""
        return len(self.single) + len(self.pairs)

    def __call__(self, latents: Tensor) -> Tensor:
        """Coordinates (N, D) of latents (N, L)."""
        plain = latents[:, list(self.single)]
        if not self.pairs:
            return plain
        first, second = (list(members) for members in zip(*self.pairs, strict=True))
        squares = latents[:, first].square() + latents[:, second].square()
        return torch.cat([plain, (squares + LEAST_RADIUS**2).sqrt()], 1)

    def of_array(self, latents: npt.ArrayLike) -> Float64Array:
        """Coordinates (N, D) of latents (N, L), as an array."""
        return self(torch.tensor(np.asarray(latents, np.float64))).numpy()


class RealCells:
    """Where real cells are, in the latents that a head uses.

    A Gaussian kernel on each cell, of Scott's bandwidth in each coordinate, gives a density. A
    point is *where real cells are* if it is at least as dense there as at all but 1 % of the cells,
    each judged by the others.

    Parameters
    ----------
    latents
        (N, L) posterior means of real cells.
    coordinates
        The latents that count.
    classes
        (N,) class that the head gives them.
    groups
        (N,) what belongs together, such as tracks; each cell is its own group if left out. The
        nearest real cell of a cell is one of another group.

    Raises
    ------
    InvalidInput
        If there are fewer than 20 cells with latents.
    """

    def __init__(
        self,
        latents: Float32Array,
        coordinates: Coordinates,
        classes: npt.ArrayLike,
        groups: npt.ArrayLike | None = None,
    ) -> None:
        values = np.asarray(latents, np.float32)
        self.rows = np.flatnonzero(np.isfinite(values).all(1))
        if len(self.rows) < FEWEST_CELLS:
            raise InvalidInput(
                f"{len(self.rows)} cells are too few to tell where real cells are; encode at least "
                f"{FEWEST_CELLS}."
            )
        self.latents = values[self.rows]
        self.coordinates = coordinates
        self.classes = np.asarray(classes)[self.rows]
        given = np.arange(len(values)) if groups is None else np.asarray(groups)
        self.groups = given[self.rows]
        self.at = coordinates.of_array(self.latents)
        n, d = self.at.shape
        spread = self.at.std(0)
        # a coordinate in which all cells are equal would have no bandwidth
        self._bandwidth = np.maximum(spread, 1e-3) * n ** (-1 / (d + 4))
        # of many cells some are enough, evenly drawn: memory does not grow with the movie
        self.drawn = np.linspace(0, n - 1, min(n, MOST_KERNELS)).astype(int)
        self._kernels = torch.tensor(self.at[self.drawn] / self._bandwidth)
        every = np.arange(len(self.drawn))
        own = self.log_density(torch.tensor(self.at[self.drawn]), leave_out=every).numpy()
        self.limit = float(np.quantile(own, RARE))

    def log_density(self, at: Tensor, leave_out: npt.NDArray[np.intp] | None = None) -> Tensor:
        """Logarithm, but for a constant, of the density (N,) at coordinates (N, D).

        ``leave_out`` names the rows of ``at`` that are the kernels themselves, each of which is
        then judged without its own.
        """
        distance = torch.cdist(at / torch.tensor(self._bandwidth), self._kernels)
        power = -0.5 * distance.square()
        if leave_out is not None:
            power[torch.from_numpy(leave_out), torch.arange(len(leave_out))] = -torch.inf
        return torch.logsumexp(power, 1)

    def has(self, latents: npt.ArrayLike) -> BoolArray:
        """Whether latents (N, L) are where real cells are: (N,)."""
        at = torch.tensor(self.coordinates.of_array(latents))
        return np.asarray(self.log_density(at).numpy() >= self.limit - ROUNDING)

    def nearest(
        self, latents: npt.ArrayLike, without: object = None
    ) -> tuple[npt.NDArray[np.intp], Float64Array]:
        """Row of the real cell nearest to each of latents (N, L), and how far it is: (N,), (N,).

        By Euclidean distance in the coordinates, so in standard deviations of the prior. Cells of
        the group ``without`` are left out; rows count in the latents that were given at first.
        """
        allowed = np.flatnonzero(self.groups != without) if without is not None else slice(None)
        rows, at = self.rows[allowed], self.at[allowed]
        if not len(rows):
            raise InvalidInput("All cells belong to the same track; there is no other real cell.")
        here = self.coordinates.of_array(latents)
        distance = np.linalg.norm(here[:, None] - at[None], axis=2)
        best = distance.argmin(1)
        return rows[best], distance[np.arange(len(here)), best]


@dataclass(frozen=True)
class CounterfactualPath:
    """A straight line in latent space, from a cell to where a head calls it another class.

    Attributes
    ----------
    head, classes
        The head and its classes.
    start_class, target
        Class of the cell, and the class that is aimed at.
    coordinates
        The latents that move; all others keep the cell's values.
    latents
        (S, L) along the line, the cell itself first.
    scores
        (S, K) logits.
    margins
        (S,) logit of the target less the best other one; the signed logit for two classes. From 0
        on, the target is called.
    real
        (S,) whether each step is where real cells are.
    nearest, distances
        (S,) row of the nearest real cell of another track, and how far it is in the latents that
        move, in standard deviations of the prior.
    reached
        Whether the line ends at the target.
    """

    head: str
    classes: tuple[str, ...]
    start_class: int
    target: int
    coordinates: Coordinates
    latents: Float32Array
    scores: Float32Array
    margins: Float64Array
    real: BoolArray
    nearest: npt.NDArray[np.intp]
    distances: Float64Array
    reached: bool

    @cached_property
    def length(self) -> float:
        """Euclidean length of the move, in standard deviations of the prior."""
        return float(np.linalg.norm(self.latents[-1].astype(np.float64) - self.latents[0]))

    def moves(self, model: CellModel) -> list[tuple[str, float]]:
        """What moved and by how much, the largest first: latents, and radii of pairs.

        A pair that turned as well is told by its two latents.
        """
        first, last = self.latents[0].astype(np.float64), self.latents[-1].astype(np.float64)
        moved = [(model.latent_label(i), last[i] - first[i]) for i in self.coordinates.single]
        for a, b in self.coordinates.pairs:
            before, after = first[[a, b]], last[[a, b]]
            turn = abs(before[0] * after[1] - before[1] * after[0])
            lengths = float(np.linalg.norm(before)), float(np.linalg.norm(after))
            if turn <= 0.02 * max(lengths) ** 2:
                moved.append((f"radius of {model.pair_label(a, b)}", lengths[1] - lengths[0]))
            else:
                moved += [(model.latent_label(i), last[i] - first[i]) for i in (a, b)]
        moved = [(name, float(by)) for name, by in moved if abs(by) >= LEAST_TOLD]
        return sorted(moved, key=lambda item: -abs(item[1]))

    @property
    def monotone(self) -> bool:
        """Whether the margin of the target rises with every step."""
        return bool((np.diff(self.margins) >= -FALL).all())

    def sentences(self, model: CellModel) -> tuple[str, ...]:
        """What the path shows, and what speaks against trusting it.

        Parameters
        ----------
        model
            The model, for the names of its latents.
        """
        old, new = self.classes[self.start_class], self.classes[self.target]
        moves = self.moves(model)
        moved = ", ".join(f"{name} {with_sign(by)}" for name, by in moves[:MOST_TOLD])
        more = len(moves) - MOST_TOLD
        moved += f", and {more} more" if more > 0 else ""
        moved = moved or f"no latent by more than {LEAST_TOLD}"
        if self.reached:
            told = [f"{old} becomes {new} by a move of {self.length:.2f} prior SD: {moved}."]
        elif self.margins[-1] >= 0:
            told = [
                f"{old} becomes {new} by a move of {self.length:.2f} prior SD: {moved}. Its margin "
                f"is {signed(float(self.margins[-1]))}; no move that was found among real cells "
                "reaches the one that was asked for."
            ]
        else:
            told = [
                f"No move that was found among real cells makes this {old} a {new}. The nearest is "
                f"{self.length:.2f} prior SD away ({moved}); its margin is "
                f"{signed(float(self.margins[-1]))}."
            ]
        rises = "rises at every step" if self.monotone else "does not rise at every step"
        told.append(f"The margin of {new} {rises}.")
        outside = int((~self.real).sum())
        if outside:
            are, pictures = ("are", "their pictures") if outside > 1 else ("is", "its picture")
            told.append(
                f"{outside} of {len(self.real)} steps {are} where hardly any real cell is; do not "
                f"trust {pictures}."
            )
        return tuple(told)


def real_cells(
    model: CellModel,
    latents: Float32Array,
    head: str | None = None,
    groups: npt.ArrayLike | None = None,
) -> RealCells:
    """Where real cells are, as a head sees them; see :class:`RealCells`.

    Parameters
    ----------
    model, head
        The model and the name of its head (the default one if None).
    latents
        (N, L) posterior means of the cells of a movie; rows of NaN are left out.
    groups
        (N,) track of each.

    Raises
    ------
    InvalidInput
        If there are fewer than 20 cells.
    """
    used = model.head_of_latents(head, "A path to another class").head.used_latents
    if not used:
        raise InvalidInput(f"Head '{model.head(head).name}' uses no latent: nothing can change it.")
    values = np.asarray(latents, np.float32)
    classes = class_index(model.score(np.nan_to_num(values), head))
    return RealCells(values, Coordinates.of(used, model.rotating_pairs), classes, groups)


def counterfactual_path(
    model: CellModel,
    latents: npt.ArrayLike,
    real: RealCells,
    head: str | None = None,
    target: str | None = None,
    group: object = None,
    steps: int = STEPS,
    margin: float = 0.0,
    progress: Progress = silent,
) -> CounterfactualPath:
    """Find the smallest move of the latents that a head uses which makes a cell another class.

    The move is the shortest by Euclidean length in units of the prior that ends past the boundary
    and where real cells are. It is searched for by sequential quadratic programming from several
    starts: the linear guess, and the used latents of the nearest real cells across the boundary.
    The shortest end that holds is kept: a local minimum, without proof that it is the global one.

    Parameters
    ----------
    model, head
        The model and the name of its head (the default one if None).
    latents
        (L,) posterior means of the cell.
    real
        Where real cells are (:func:`real_cells`, of the same model and head).
    target
        Class that is aimed at. For two classes the other one; else the runner-up, if left out.
    group
        Track of the cell: cells of it are not shown as the nearest real ones.
    steps
        Points of the line, both ends among them; two or more.
    margin
        Margin of the target to reach, in logits: 0 is the boundary, and 2.2 a probability of 0.9
        for two classes.
    progress
        Called with (searches done, searches in all); it may raise to cancel.

    Raises
    ------
    InvalidInput
        If the head has no such class, the cell is called it already, or its latents are not finite.
    """
    named = model.head_of_latents(head, "A path to another class")
    z = np.asarray(latents, np.float32)
    if not np.isfinite(z).all():
        raise InvalidInput("This cell has no latents; choose one that has pixels.")
    scores = model.score(z[None], head)
    start = int(class_index(scores)[0])
    if start == NO_CLASS:
        raise InvalidInput(
            f"The formula of head '{named.name}' has no value for this cell; choose another cell."
        )
    aim = _target(named.classes, scores, start, target)
    move = _Move(named.head, z, real, aim, max(margin, PAST))
    guesses, likeliest = _guesses(move, real)
    ends = []
    for k, guess in enumerate(guesses):
        progress(k, len(guesses))
        end = move.shorten(guess)
        if end is not None:
            ends.append(end)
    progress(len(guesses), len(guesses))
    reached = bool(ends)
    last = min(ends, key=move.length) if reached else move.closest(likeliest)
    way = np.linspace(0, 1, steps)[:, None]
    line = (z + way * (move.whole(last) - z)).astype(np.float32)
    line[0] = z
    rows, distances = real.nearest(line, group)
    along = model.score(line, head)
    return CounterfactualPath(
        named.name,
        named.classes,
        start,
        aim,
        real.coordinates,
        line,
        along,
        _margins(torch.tensor(along), aim).numpy().astype(np.float64),
        real.has(line),
        rows,
        distances,
        reached,
    )


def _target(classes: tuple[str, ...], scores: Float32Array, start: int, target: str | None) -> int:
    if target is None:
        if scores.shape[1] == 1:
            return 1 - start
        return int(np.argsort(scores[0])[-2])
    if target not in classes:
        raise InvalidInput(f"The head has no class '{target}'; it has {', '.join(classes)}.")
    if classes.index(target) == start:
        raise InvalidInput(f"The cell is called {target} already; choose another class.")
    return classes.index(target)


def _margins(scores: Tensor, target: int) -> Tensor:
    """How far scores (N, K) are on the side of a class: (N,)."""
    if scores.shape[1] == 1:
        return scores[:, 0] if target else -scores[:, 0]
    others = torch.cat([scores[:, :target], scores[:, target + 1 :]], 1)
    return scores[:, target] - others.max(1).values


NOWHERE = -1e3
"""Margin that stands for none while a path is searched for."""


class _Move:
    """A cell's used latents on their way, and what holds of where they are."""

    def __init__(
        self, head: Head, z: Float32Array, real: RealCells, target: int, past: float
    ) -> None:
        coordinates = real.coordinates
        paired = [i for pair in coordinates.pairs for i in pair]
        self.free = np.array([*coordinates.single, *paired])
        self.real, self.target, self._z = real, target, torch.tensor(z[None], dtype=torch.float64)
        self.start = z[self.free].astype(np.float64)
        # a cell that is itself off the beaten track cannot be asked to end on it
        own = float(real.log_density(coordinates(self._z))[0])
        self._least = min(real.limit, own)
        self._head, self.past = head, past

    def whole(self, at: Float64Array) -> Float64Array:
        """All latents (L,) with the free ones at ``at``."""
        full = self._z[0].numpy().copy()
        full[self.free] = at
        return full

    def length(self, at: Float64Array) -> float:
        return float(np.linalg.norm(at - self.start))

    def _filled(self, at: Tensor) -> Tensor:
        full = self._z.expand(len(at), -1).clone()
        full[:, self.free] = at
        return full

    def margin(self, at: Tensor) -> Tensor:
        scores = self._head(self._filled(at).to(torch.float32)).to(torch.float64)
        found = _margins(scores, self.target)
        # the search needs a number; where a formula has no value, no class is reached
        return torch.where(found.isnan(), NOWHERE, found)

    def room(self, at: Tensor) -> Tensor:
        """How much denser than the least it is here: not negative where real cells are."""
        return self.real.log_density(self.real.coordinates(self._filled(at))) - self._least

    def holds(self, at: Float64Array) -> bool:
        point = torch.tensor(at[None])
        with torch.no_grad():
            past = float(self.margin(point)[0]) >= self.past - 0.5 * PAST
            return past and float(self.room(point)[0]) >= -1e-6

    def _with_gradient(
        self, function: Callable[[Tensor], Tensor], at: Float64Array
    ) -> tuple[float, Float64Array]:
        point = torch.tensor(at[None], requires_grad=True)
        value = function(point)[0]
        (gradient,) = torch.autograd.grad(value, point)
        return float(value.detach()), gradient[0].nan_to_num(0.0).numpy()

    def _at_least(self, function: Callable[[Tensor], Tensor], least: float) -> NonlinearConstraint:
        # the search asks for the value and the slope of one place, one after the other
        last: dict[bytes, tuple[float, Float64Array]] = {}

        def found(x: Float64Array) -> tuple[float, Float64Array]:
            place = x.tobytes()
            if place not in last:
                last.clear()
                last[place] = self._with_gradient(function, x)
            return last[place]

        def value(x: Float64Array) -> Float64Array:
            return np.array([found(x)[0]])

        def slope(x: Float64Array) -> Float64Array:
            return found(x)[1][None]

        return NonlinearConstraint(value, least, np.inf, jac=slope)

    def linear_guess(self) -> Float64Array:
        """Where the boundary would be if the head were linear."""
        value, slope = self._with_gradient(self.margin, self.start)
        square = float(slope @ slope)
        step = (self.past - value) / square if square > 1e-12 else 0.0
        return np.asarray(self.start + np.clip(step * slope, -4, 4))

    def shorten(self, guess: Float64Array) -> Float64Array | None:
        """The shortest end that holds, searched for from ``guess``; None if none was found."""
        # the stubs of scipy want one-dimensional arrays by type
        search: Any = minimize
        found = search(
            lambda x: float((x - self.start) @ (x - self.start)),
            guess,
            jac=lambda x: 2 * (x - self.start),
            method="SLSQP",
            constraints=[
                self._at_least(self.margin, self.past),
                self._at_least(self.room, 0.0),
            ],
            options={"maxiter": 60, "ftol": 1e-7},
        )
        ends = [end for end in (np.asarray(found.x, np.float64), guess) if np.isfinite(end).all()]
        good = [self._drawn_back(end) for end in ends if self.holds(end)]
        return min(good, key=self.length) if good else None

    def _drawn_back(self, end: Float64Array) -> Float64Array:
        """The first point of the straight line to ``end`` that holds."""
        for share in np.linspace(0, 1, 65)[1:]:
            at = self.start + share * (end - self.start)
            if self.holds(at):
                return np.asarray(at)
        return end

    def margins_of(self, ends: Float64Array) -> Float64Array:
        """Margins (N,) with the free latents at ``ends`` (N, F)."""
        with torch.no_grad():
            return np.asarray(self.margin(torch.tensor(ends)).numpy())

    def closest(self, guess: Float64Array) -> Float64Array:
        """Where real cells are, the end with the largest margin that is found from ``guess``."""
        search: Any = minimize
        found = search(
            lambda x: -self._with_gradient(self.margin, x)[0],
            guess,
            jac=lambda x: -self._with_gradient(self.margin, x)[1],
            method="SLSQP",
            constraints=[self._at_least(self.room, 0.0)],
            options={"maxiter": 60},
        )
        end = np.asarray(found.x, np.float64)
        with torch.no_grad():
            inside = float(self.room(torch.tensor(end[None]))[0]) >= -1e-6
        better = inside and self.margins_of(np.stack([end, guess])).argmax() == 0
        return end if better else guess


def _guesses(move: _Move, real: RealCells) -> tuple[list[Float64Array], Float64Array]:
    """Ends to start from, and the one with the largest margin where real cells are.

    Beside the linear guess, these are real cells' used latents, put into the cell that moves.
    """
    ends = _radially(move, real)
    with torch.no_grad():
        room = move.room(torch.tensor(ends)).numpy()
    margins = np.where(room >= 0, move.margins_of(ends), -np.inf)
    holds = np.flatnonzero(margins >= move.past)
    near = holds[np.argsort(np.linalg.norm(ends[holds] - move.start, axis=1))]
    starts = [move.linear_guess(), *(ends[row] for row in near[:NEAREST_STARTS])]
    return starts, np.asarray(ends[margins.argmax()])


def _radially(move: _Move, real: RealCells) -> Float64Array:
    """Real cells' used latents (N, F), their pairs turned to where the moving cell's point."""
    turned = real.latents[real.drawn].astype(np.float64)
    own = move.whole(move.start)
    for a, b in real.coordinates.pairs:
        here = np.hypot(own[a], own[b])
        direction = own[[a, b]] / here if here > LEAST_RADIUS else np.array([1.0, 0.0])
        turned[:, [a, b]] = np.hypot(turned[:, a], turned[:, b])[:, None] * direction
    return np.asarray(turned[:, move.free])
