"""A head taken apart: the terms that add up to its score, or the latents that weigh most in it.

A formula is a sum of terms. A sparse head is one too: of its bias, and of a sub-network for each
neuron before the output. A dense head has no rule; of it one can ask which latents weigh most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_interpdisc._types import Float64Array
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel, NamedHead
from napari_interpdisc.models.formula import (
    Apply,
    Formula,
    FormulaHead,
    Latent,
    Node,
    Number,
    Power,
)
from napari_interpdisc.models.heads import Head, SparseHead, head_inputs, latents_of_inputs
from napari_interpdisc.models.properties import HeadProperties

Pairs = Sequence[tuple[int, int]]

GRADIENT_BATCH = 8192
"""Cells whose gradients are computed at once."""

MOST_NAMED = 2
"""Inputs of a sub-network that its LaTeX names; of more, :attr:`Term.reads` alone has them."""

LISTED = r",\,"


@dataclass(frozen=True)
class Term:
    """One summand of a score.

    Attributes
    ----------
    text
        To read, its sign first: ``-26.6*z11**2``; with a sub-network of a sparse head ``1.42*g1``.
    latex
        The same as LaTeX, such as matplotlib's mathtext draws. A sub-network of one or two inputs
        has them in brackets.
    latents
        Latents on which it depends, in rising order.
    constant
        Whether it is the same for all cells. A score has one such term at most, the last.
    reads
        What the sub-network reads: ``("size_z0", "r(z18, z19 elongation)")``. Empty if the term is
        no sub-network.
    """

    text: str
    latex: str
    latents: tuple[int, ...]
    constant: bool
    reads: tuple[str, ...]
    _factor: float = field(repr=False, compare=False)
    _part: Node | int | None = field(repr=False, compare=False)


@dataclass(frozen=True)
class Rule:
    """A formula or a sparse head as sums of terms; made by :func:`rule_of`.

    Attributes
    ----------
    name, classes
        Name of the head, and the classes that it tells apart.
    kind
        ``formula`` or ``sparse``.
    terms
        One sum for each score: one for two classes, else one per class.
    """

    name: str
    classes: tuple[str, ...]
    kind: str
    terms: tuple[tuple[Term, ...], ...]
    _head: Head = field(repr=False, compare=False)

    @property
    def scored(self) -> tuple[str, ...]:
        """Class that each score speaks for: the second of two, else every class."""
        return self.classes[1:] if len(self.terms) == 1 else self.classes

    def text(self, which: int = 0) -> str:
        """One sum to read: ``6.79*granularity_coarse_z2 + 26.6*z7 - 2.99``."""
        return " ".join(_joined([term.text for term in self.terms[which]]))

    @property
    def sub_networks(self) -> dict[str, tuple[str, ...]]:
        """What each sub-network of a sparse head reads, by its name; empty of a formula."""
        found = {t.text.rsplit("*", 1)[-1]: t.reads for ts in self.terms for t in ts if t.reads}
        return dict(sorted(found.items(), key=lambda item: int(item[0][1:])))

    def latex_parts(self, which: int = 0) -> tuple[str, ...]:
        """One sum as LaTeX, a piece for each term with its sign; lines may break between them."""
        first, *others = _joined([term.latex for term in self.terms[which]])
        # a sign between two terms has room on both sides
        return first, *(rf"{term[0]}\ {term[2:]}" for term in others)

    @property
    def properties(self) -> HeadProperties:
        """Measured properties that the rule reads beside latents."""
        return self._head.properties

    def contributions(
        self,
        latents: npt.ArrayLike,
        measured: Mapping[str, npt.NDArray[np.floating]] | None = None,
    ) -> list[Float64Array]:
        """What each term adds to the scores of some cells.

        Parameters
        ----------
        latents
            (N, L) latents.
        measured
            Properties by name, (N,) each, in their own units; needed if the rule reads some.

        Returns
        -------
        For each score an array (N, T) of its T terms, in logits. They sum to the score, computed in
        double precision, before a :class:`FormulaHead` cuts it at ±10⁶. Where the formula is
        undefined a term, and so the sum, is not a number; the head then gives the score 0.

        Raises
        ------
        InvalidInput
            If the latents are not (N, L), or too few, or properties that are read are not given.
        """
        z = torch.as_tensor(np.asarray(latents, np.float64))
        needed = max((i for terms in self.terms for t in terms for i in t.latents), default=-1) + 1
        if z.ndim != 2 or z.shape[1] < needed:
            raise InvalidInput(
                f"The rule reads latents up to z{needed - 1}, of cells in rows; an array of shape "
                f"{tuple(z.shape)} has no such columns."
            )
        units = _last_inputs(self._head, z) if isinstance(self._head, SparseHead) else None
        known = self._standardised(z, measured)
        return [
            np.stack([_values(term, z, units, known) for term in terms], 1) for terms in self.terms
        ]

    def _standardised(
        self, z: Tensor, measured: Mapping[str, npt.NDArray[np.floating]] | None
    ) -> Tensor | None:
        """Properties (N, P) as the head reads them; None for a head without any."""
        if not len(self.properties):
            return None
        columns = torch.from_numpy(self.properties.columns(measured).astype(np.float64))
        return self.properties.standardised(columns, z)

    def filled(
        self,
        latents: npt.ArrayLike,
        measured: Mapping[str, npt.NDArray[np.floating]] | None = None,
    ) -> tuple[tuple[str, ...], ...]:
        """Every term with the values of one cell's latents (L,) in it: ``-26.6*0.31**2``.

        Of a sub-network it is the weight times the value of the sub-network. ``measured`` are the
        cell's properties, (1,) each; what is filled in is standardised, as the head reads it.
        """
        z = np.asarray(latents, np.float64)
        known = self._standardised(torch.as_tensor(z[None]), measured)
        own = {}
        if known is not None:
            own = dict(zip(self.properties.names, known[0].tolist(), strict=True))
        units = None
        if isinstance(self._head, SparseHead):
            units = _last_inputs(self._head, torch.as_tensor(z[None]))
        return tuple(tuple(_filled(term, z, units, own) for term in terms) for terms in self.terms)


def rule_of(named: NamedHead, model: CellModel) -> Rule:
    """Terms of a head, latents called as in ``model``.

    A formula is a sum already: its terms are the summands of the outermost sum, with the head's
    scale multiplied in. A constant times a sum becomes a sum, so that there are more terms, each
    easier to read; but z_a² + z_b² of two latents that rotate together stays one term. All
    constants are one term, the last.

    A sparse head is its bias and, for each neuron before the output, a weight times the value of
    the sub-network that ends there. Sub-networks are g1, g2 …, the same in all scores. A radius
    that they read is written ``r(z18, z19 elongation)``.

    Raises
    ------
    InvalidInput
        If the head is dense: it has no rule. If it is sparse and reads measured properties: its
        sub-networks are not told.
    """
    head = named.head
    if isinstance(head, SparseHead) and len(head.properties):
        raise InvalidInput(
            f"The sparse head '{named.name}' reads measured properties beside latents, and terms "
            "are told of latents alone; a formula head tells both."
        )
    if isinstance(head, FormulaHead):
        terms = tuple(
            _terms_of_formula(formula, scale, model)
            for formula, scale in zip(head.formulas, head.scales, strict=True)
        )
    elif isinstance(head, SparseHead):
        terms = _terms_of_sparse(head, model)
    else:
        raise InvalidInput(
            f"The head '{named.name}' is a dense network, so it has no rule; latent_weights tells "
            "which latents weigh most."
        )
    return Rule(named.name, named.classes, head.kind, terms, head)


def told_rule(named: NamedHead, model: CellModel) -> Iterator[str]:
    """Yield a sentence or more on the rule of a head, for a person to read.

    A formula is written as it is stored, without the scale that turns its value into the score: the
    class is the same.
    """
    head = named.head
    used = ", ".join([*map(model.latent_label, head.used_latents), *head.used_properties])
    if isinstance(head, FormulaHead):
        texts = [formula.show(aliases=model.aliases) for formula in head.formulas]
        if len(texts) == 1:
            yield f"{named.classes[1]}: {texts[0]} ≥ 0"
        else:
            yield from (f"{n}: {text}" for n, text in zip(named.classes, texts, strict=True))
    elif isinstance(head, SparseHead):
        yield f"a sparse network of {head.n_weights} weights; reads {used}"
    else:
        yield f"a dense network of {head.n_weights} weights: there is no rule to read"
    if told := head.properties.told(head.used_properties):
        yield told


def latent_weights(
    head: Head, latents: npt.ArrayLike, reference: npt.ArrayLike | None = None
) -> Float64Array:
    """Say which latents weigh most in a head, for example a dense one, which has no rule.

    The mean over cells of abs(∂f/∂z_i · (z_i − reference_i)): how far the score f would move if
    latent i went from the reference to the cell's value along a straight line. This is a first
    order estimate, and no rule: it says nothing of how latents act together. Cells for which a
    formula has no value are left out.

    Parameters
    ----------
    head
        Any head, in eval mode.
    latents
        (N, L) latents of the cells.
    reference
        (L,) latents to compare with; the mean of the cells if left out.

    Returns
    -------
    (K, L) in logits, a row for each score.

    Raises
    ------
    InvalidInput
        If there are no cells, or a latent is not finite; if the head reads measured properties.
    """
    if len(head.properties):
        raise InvalidInput(
            "The weights of latents are told of heads that read latents alone; this one reads "
            f"{', '.join(head.properties.names)} too."
        )
    z = np.asarray(latents, np.float32)
    if z.ndim != 2 or not len(z) or not np.isfinite(z).all():
        raise InvalidInput("The weights of latents need at least one cell with finite latents.")
    middle = z.mean(0) if reference is None else np.asarray(reference, np.float32)
    device = next((p.device for p in _parameters(head)), torch.device("cpu"))
    sums: list[Float64Array] = []
    counts: list[npt.NDArray[np.int64]] = []
    for batch in torch.split(torch.from_numpy(z), GRADIENT_BATCH):
        with torch.enable_grad():
            points = batch.to(device).clone().requires_grad_()
            scores = head(points)
            gradients = [
                torch.autograd.grad(scores[:, k].sum(), points, retain_graph=True)[0]
                for k in range(scores.shape[1])
            ]
        slopes = torch.stack(gradients).detach().cpu().double().numpy()
        has_value = np.isfinite(scores.detach().cpu().numpy().T)  # (K, N)
        # a slope may be NaN where there is a value, as that of sqrt at 0
        slopes = np.where(has_value[..., None], np.nan_to_num(slopes, nan=0.0), 0.0)
        sums.append(np.abs(slopes * (batch.numpy() - middle)).sum(1))
        counts.append(has_value.sum(1))
    cells = np.maximum(np.sum(counts, axis=0), 1)
    return np.asarray(np.sum(sums, axis=0) / cells[:, None])


def _parameters(head: Head) -> Iterator[Tensor]:
    if isinstance(head, torch.nn.Module):
        yield from head.parameters()


def _joined(terms: Sequence[str]) -> Iterator[str]:
    """Yield signed terms as they stand in a sum: the first as it is, then ``+ b``, ``- c``."""
    for place, term in enumerate(terms):
        if place == 0:
            yield term
        else:
            yield f"- {term[1:]}" if term.startswith("-") else f"+ {term}"


# -- formulas -------------------------------------------------------------------------------------


def _terms_of_formula(formula: Formula, scale: float, model: CellModel) -> tuple[Term, ...]:
    found: dict[Node, float] = {}
    constant = 0.0
    pairs = {frozenset(pair) for pair in model.rotating_pairs}
    for factor, node in _summands(formula.root, scale, pairs):
        if node is None:
            constant += factor
        else:
            found[node] = found.get(node, 0.0) + factor
    terms = [_formula_term(factor, node, model) for node, factor in found.items()]
    if constant or not terms:
        terms.append(_constant_term(constant))
    return tuple(terms)


def _summands(
    node: Node, factor: float, pairs: set[frozenset[int]]
) -> Iterator[tuple[float, Node | None]]:
    """Yield (factor, node) whose products add up to ``factor`` · ``node``; None stands for 1."""
    if isinstance(node, Apply) and node.name in ("+", "-") and not _is_radius(node, pairs):
        left, right = node.arguments
        yield from _summands(left, factor, pairs)
        yield from _summands(right, factor if node.name == "+" else -factor, pairs)
        return
    number, rest = _without_factor(node)
    if rest is None:
        yield factor * number, None
    elif rest != node:
        yield from _summands(rest, factor * number, pairs)
    else:
        yield factor, node


def _without_factor(node: Node) -> tuple[float, Node | None]:
    """Split a node into a number and the rest, None if there is no rest."""
    if Formula(node).is_constant:
        nothing = torch.zeros((1, 1), dtype=torch.float64)
        return float(Formula(node).evaluate(nothing)), None
    match node:
        case Apply(name="neg", arguments=(inner,)):
            number, rest = _without_factor(inner)
            return -number, rest
        case Apply(name="*", arguments=(left, right)):
            (a, first), (b, second) = _without_factor(left), _without_factor(right)
            if first is None or second is None:
                return a * b, first or second
            return a * b, Apply("*", (first, second))
        case Apply(name="/", arguments=(above, below)):
            (a, first), (b, second) = _without_factor(above), _without_factor(below)
            if not b:  # a division by zero stays as it is written
                return 1.0, node
            if second is None:
                return a / b, first
            return a / b, Apply("/", (first or Number(1.0), second))
    return 1.0, node


def _is_radius(node: Apply, pairs: set[frozenset[int]]) -> bool:
    """Whether a node is z_a² + z_b² of latents that rotate together."""
    squared: set[int] = set()
    for part in node.arguments:
        match part:
            case Power(base=Latent(index=index), exponent=2):
                squared.add(index)
            case Apply(name="square", arguments=(Latent(index=index),)):
                squared.add(index)
            case _:
                return False
    return node.name == "+" and frozenset(squared) in pairs


def _formula_term(factor: float, node: Node, model: CellModel) -> Term:
    size, sign = abs(factor), "-" if factor < 0 else ""
    whole = Formula(node if size == 1 else Apply("*", (Number(size), node)))
    text, latex = whole.show(aliases=model.aliases), _latex(whole, model)
    if sign and size == 1 and isinstance(node, Apply) and node.name in ("+", "-"):
        text, latex = f"({text})", rf"\left({latex}\right)"
    return Term(sign + text, sign + latex, whole.used_latents, False, (), factor, node)


def _latex(formula: Formula, model: CellModel) -> str:
    return formula.latex(aliases=model.aliases)


def _constant_term(value: float) -> Term:
    size, sign = Formula(Number(abs(value))), "-" if value < 0 else ""
    return Term(sign + size.show(), sign + size.latex(), (), True, (), value, None)


# -- sparse heads ---------------------------------------------------------------------------------


def _terms_of_sparse(head: SparseHead, model: CellModel) -> tuple[tuple[Term, ...], ...]:
    reads = _reached(head)
    last = head.weights[-1].detach().cpu().double().numpy()
    live = reads.any(1) & (last != 0).any(0)
    names = {int(unit): f"g{place}" for place, unit in enumerate(np.flatnonzero(live), start=1)}
    dead = torch.zeros((1, max(head.used_latents, default=0) + 1), dtype=torch.float64)
    constants = _last_inputs(head, dead)[0].numpy() if len(head.layers) > 2 else np.zeros(len(live))
    bias = head.biases[-1].detach().cpu().double().numpy()
    sums = []
    for row, value in zip(last, bias, strict=True):
        terms = []
        for unit in np.flatnonzero(row * live):
            inputs = np.flatnonzero(reads[unit])
            terms.append(_sparse_term(float(row[unit]), int(unit), inputs, names, head, model))
        constant = float(value + (row * ~reads.any(1)) @ constants)
        if constant or not terms:
            terms.append(_constant_term(constant))
        sums.append(tuple(terms))
    return tuple(sums)


def _reached(head: SparseHead) -> npt.NDArray[np.bool_]:
    """Inputs (units, inputs) that reach each unit before the output; itself if it is an input."""
    reads = np.eye(head.layers[0], dtype=bool)
    for mask in head.masks[:-1]:
        reads = (mask.cpu().numpy().astype(int) @ reads.astype(int)) > 0
    return reads


def _last_inputs(head: SparseHead, latents: Tensor) -> Tensor:
    """What the output layer sums up for latents (N, L), double: (N, units)."""
    least = max((*range(head.layers[0] - len(head.pairs)), *sum(head.pairs, ())), default=-1) + 1
    if latents.shape[1] < least:  # latents that no connection reads may be left out
        latents = torch.nn.functional.pad(latents, (0, least - latents.shape[1]))
    x = head_inputs(latents, head.layers[0], head.pairs)
    for weight, bias in zip(head.weights[:-1], head.biases[:-1], strict=True):
        x = torch.nn.functional.linear(x, weight.cpu().double(), bias.cpu().double())
        x = torch.nn.functional.silu(x)
    return x.detach()


def _sparse_term(
    weight: float,
    unit: int,
    inputs: npt.NDArray[np.intp],
    names: dict[int, str],
    head: SparseHead,
    model: CellModel,
) -> Term:
    called = [_input_names(int(place), head, model) for place in inputs]
    size, sign = Formula(Number(abs(weight))), "-" if weight < 0 else ""
    reads: tuple[str, ...] = ()
    if len(head.layers) == 2:  # no hidden layer: the inputs themselves are summed up
        ((text, latex),) = called
    else:
        text = names[unit]
        reads = tuple(text for text, _ in called)
        latex = f"g_{{{text[1:]}}}"
        if len(called) <= MOST_NAMED:
            latex += f"({LISTED.join(latex for _, latex in called)})"
    latents = latents_of_inputs(map(int, inputs), head.layers[0], head.pairs)
    return Term(
        f"{sign}{size.show()}*{text}",
        rf"{sign}{size.latex()} \, {latex}",
        latents,
        False,
        reads,
        weight,
        unit,
    )


def _input_names(place: int, head: SparseHead, model: CellModel) -> tuple[str, str]:
    """Text and LaTeX of an input of a sparse head: a latent, or the radius of a pair."""
    members = latents_of_inputs([place], head.layers[0], head.pairs)
    if len(members) == 1:
        latent = Formula(Latent(members[0]))
        return latent.show(aliases=model.aliases), latent.latex(aliases=model.aliases)
    a, b = members
    label = model.pair_label(a, b)
    common = label.removeprefix(f"z{a}, z{b}").strip().replace("_", r"\ ")
    inner = rf"\mathrm{{{common}}}_{{{a},{b}}}" if common else f"z_{{{a}}}{LISTED}z_{{{b}}}"
    return f"r({label})", f"r({inner})"


# -- values ---------------------------------------------------------------------------------------


def _values(
    term: Term, latents: Tensor, units: Tensor | None, measured: Tensor | None
) -> Float64Array:
    """What a term adds to the scores (N,) of latents (N, L) and standardised properties (N, P)."""
    if term._part is None:
        return np.full(len(latents), term._factor)
    if isinstance(term._part, int):
        assert units is not None
        return np.asarray((units[:, term._part] * term._factor).numpy())
    value = Formula(term._part).evaluate(latents, None, measured)
    return np.asarray((value * term._factor).numpy())


def _filled(
    term: Term, latents: Float64Array, units: Tensor | None, measured: Mapping[str, float]
) -> str:
    if term._part is None:
        return term.text
    if isinstance(term._part, int):
        assert units is not None
        return f"{term._factor:.3g}*{_bracketed(float(units[0, term._part]))}"
    values = {i: _bracketed(float(latents[i])) for i in term.latents}
    size, sign = abs(term._factor), "-" if term._factor < 0 else ""
    text = Formula(term._part if size == 1 else Apply("*", (Number(size), term._part))).show(
        aliases=values, properties={name: _bracketed(v) for name, v in measured.items()}
    )
    is_sum = isinstance(term._part, Apply) and term._part.name in ("+", "-")
    return f"{sign}({text})" if sign and size == 1 and is_sum else sign + text


def _bracketed(value: float) -> str:
    text = f"{value:.2f}"
    return f"({text})" if text.startswith("-") else text
