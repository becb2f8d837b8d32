"""A formula as the sum of its terms, each a function of few inputs (paper §5.4)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

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
from napari_interpdisc.scrutiny.anatomy_parts import (
    HeadInput,
    Part,
    check_takes_apart,
    latent_input,
    margins,
    radius_input,
    whole_name,
)

Pair = tuple[int, int]


@dataclass(frozen=True)
class Term:
    """A summand: a factor times a node.

    Attributes
    ----------
    factor
        A number.
    node
        What it multiplies; the number 1 for a constant.
    """

    factor: float
    node: Node

    @property
    def tree(self) -> Node:
        """The term as one tree."""
        if self.factor == 1:
            return self.node
        if self.node == Number(1.0):
            return Number(self.factor)
        if self.factor == -1:
            return Apply("neg", (self.node,))
        return Apply("*", (Number(self.factor), self.node))


def terms_of(node: Node, factor: float = 1.0) -> list[Term]:
    """Summands of an expression, in their order; a number times a sum is multiplied out.

    Constants are added up to one, which comes last.
    """
    found = list(_summands(node, factor))
    constant = math.fsum(term.factor for term in found if term.node == Number(1.0))
    others = [term for term in found if term.node != Number(1.0)]
    return [*others, Term(constant, Number(1.0))] if constant else others


def _summands(node: Node, factor: float) -> Iterator[Term]:
    match node:
        case Number(value=value):
            yield Term(factor * value, Number(1.0))
        case Apply(name="+", arguments=(left, right)):
            yield from _summands(left, factor)
            yield from _summands(right, factor)
        case Apply(name="-", arguments=(left, right)):
            yield from _summands(left, factor)
            yield from _summands(right, -factor)
        case Apply(name="neg", arguments=(inner,)):
            yield from _summands(inner, -factor)
        case Apply(name="*", arguments=(Number(value=value), other) | (other, Number(value=value))):
            yield from _summands(other, factor * value)
        case Apply(name="/", arguments=(other, Number(value=value))) if value:
            yield from _summands(other, factor / value)
        case _:
            yield Term(factor, node)


def with_radii(root: Node, pairs: Sequence[Pair]) -> tuple[Node, tuple[Pair, ...]]:
    """An expression in which c·a² + c·b² of a pair has become c·r².

    Only pairs are replaced whose latents occur nowhere else: the expression then depends on them
    through their radius alone, by construction. The radius of pair k is the latent −1 − k.

    Returns
    -------
    The expression, and the pairs that were replaced; −1 − k counts in these.
    """
    used = latents_in(root)
    asked = [pair for pair in pairs if used.issuperset(pair)]
    while asked:
        replaced = _merged(root, asked)
        left = latents_in(replaced)
        kept = [pair for pair in asked if not left.intersection(pair)]
        if kept == asked:
            return replaced, tuple(asked)
        asked = kept
    return root, ()


def latents_in(node: Node) -> set[int]:
    """Latents that occur in an expression; a radius is a number below 0."""
    match node:
        case Latent(index=index):
            return {index}
        case Apply(arguments=arguments):
            return set().union(*(latents_in(one) for one in arguments))
        case Power(base=base):
            return latents_in(base)
        case _:
            return set()


def _merged(node: Node, pairs: Sequence[Pair]) -> Node:
    """The tree with the squares of each pair added up, wherever a sum has both."""
    match node:
        case Apply(name="+" | "-"):
            terms = [Term(term.factor, _merged(term.node, pairs)) for term in terms_of(node)]
            squares = {
                (latent, at): term.factor
                for at, term in enumerate(terms)
                if (latent := _squared(term.node)) is not None
            }
            for k, (a, b) in enumerate(pairs):
                of_a = {at: c for (latent, at), c in squares.items() if latent == a}
                of_b = {at: c for (latent, at), c in squares.items() if latent == b}
                for at, factor in of_a.items():
                    same = [i for i, c in of_b.items() if math.isclose(c, factor, rel_tol=1e-9)]
                    if same:
                        del of_b[same[0]]
                        terms[at] = Term(factor, Power(Latent(-1 - k), 2))
                        terms[same[0]] = Term(0.0, Number(1.0))
            kept = [term.tree for term in terms if term.factor != 0]
            total = kept[0] if kept else Number(0.0)
            for tree in kept[1:]:
                total = Apply("+", (total, tree))
            return total
        case Apply(name=name, arguments=arguments):
            return Apply(name, tuple(_merged(one, pairs) for one in arguments))
        case Power(base=base, exponent=exponent):
            return Power(_merged(base, pairs), exponent)
        case _:
            return node


def _squared(node: Node) -> int | None:
    """The latent whose square this is."""
    match node:
        case Power(base=Latent(index=index), exponent=2):
            return index
        case Apply(name="square", arguments=(Latent(index=index),)):
            return index
        case Apply(name="*", arguments=(Latent(index=a), Latent(index=b))) if a == b:
            return a
        case _:
            return None


def expanded(node: Node, pairs: Sequence[Pair]) -> Node:
    """The inverse of :func:`with_radii`: r² of a pair is a² + b² again, r its root."""
    match node:
        case Power(base=Latent(index=index), exponent=2) if index < 0:
            a, b = pairs[-1 - index]
            return Apply("+", (Power(Latent(a), 2), Power(Latent(b), 2)))
        case Latent(index=index) if index < 0:
            return Apply("sqrt", (expanded(Power(node, 2), pairs),))
        case Apply(name=name, arguments=arguments):
            return Apply(name, tuple(expanded(one, pairs) for one in arguments))
        case Power(base=base, exponent=exponent):
            return Power(expanded(base, pairs), exponent)
        case _:
            return node


@dataclass(frozen=True)
class TakenApart:
    """A formula as terms over latents and radii.

    Attributes
    ----------
    terms
        Its summands; a radius is a latent below 0 (:func:`with_radii`).
    pairs
        Pairs that it reads through their radius alone.
    """

    terms: tuple[Term, ...]
    pairs: tuple[Pair, ...]

    @property
    def used(self) -> tuple[int, ...]:
        """Inputs in the order they are shown: latents, then radii."""
        found = set().union(*(latents_in(term.node) for term in self.terms))
        return tuple(sorted(found, key=lambda i: (i < 0, abs(i))))

    def text(self, term: Term, aliases: Mapping[int, str] | None = None) -> str:
        """A term to read: ``0.351*granularity_z2``."""
        return Formula(expanded(term.tree, self.pairs)).show(3, aliases)


def taken_apart(formula: Formula, pairs: Sequence[Pair]) -> TakenApart:
    """Terms of a formula; ``pairs`` are latents that rotate together."""
    root, found = with_radii(formula.root, pairs)
    return TakenApart(tuple(terms_of(root)), found)


def _numbered(node: Node, places: Mapping[int, int]) -> Node:
    match node:
        case Latent(index=index):
            return Latent(places[index])
        case Apply(name=name, arguments=arguments):
            return Apply(name, tuple(_numbered(one, places) for one in arguments))
        case Power(base=base, exponent=exponent):
            return Power(_numbered(base, places), exponent)
        case _:
            return node


def term_parts(named: NamedHead, model: CellModel) -> tuple[Part, ...]:
    """Terms of a formula head as parts; together they are its score where that is defined.

    With more classes, the terms of all their formulas. A constant is a part without inputs.

    Raises
    ------
    InvalidInput
        If the head has no sparse form.
    """
    check_takes_apart(named, model)
    assert isinstance(named.head, FormulaHead)
    parts = []
    for k, (formula, scale) in enumerate(zip(named.head.formulas, named.head.scales, strict=True)):
        apart = taken_apart(formula, model.rotating_pairs)
        of = "" if len(named.classes) == 2 else f" of {named.classes[k]}"
        for n, term in enumerate(apart.terms, 1):
            used = tuple(i for i in apart.used if i in latents_in(term.node))
            about = apart.text(term, model.aliases)
            about += "" if scale == 1 else f", times {scale:.3g}"
            inputs = _inputs(used, apart.pairs, model)
            parts.append(Part(f"term {n}{of}", about, inputs, _one(term.tree, used, scale)))
    return tuple(parts)


def formula_wholes(named: NamedHead, model: CellModel) -> tuple[Part, ...]:
    """A formula head as functions of all its inputs, as :func:`anatomy_graph.whole_parts`.

    As the head does, it is 0 where a formula is undefined.
    """
    check_takes_apart(named, model)
    head = named.head
    assert isinstance(head, FormulaHead)
    # a radius of the whole head is one for every formula of it
    together = [with_radii(f.root, model.rotating_pairs) for f in head.formulas]
    apart_used = set().union(*(f.used_latents for f in head.formulas))
    pairs = tuple(
        pair
        for pair in model.rotating_pairs
        if apart_used.intersection(pair)
        and all(
            pair in found or not latents_in(f.root).intersection(pair)
            for f, (_, found) in zip(head.formulas, together, strict=True)
        )
    )
    roots = [with_radii(f.root, pairs)[0] for f in head.formulas]
    own_pairs = [with_radii(f.root, pairs)[1] for f in head.formulas]
    roots = [_renamed_radii(root, own, pairs) for root, own in zip(roots, own_pairs, strict=True)]
    used = TakenApart(tuple(Term(1.0, root) for root in roots), pairs).used
    inputs = _inputs(used, pairs, model)
    function = _function(roots, used, head.scales)
    about = "the whole head"

    def scores(x: Tensor) -> list[Tensor]:
        values = torch.stack(function(x), 1)
        return list(head.bounded(values).unbind(1))

    if len(roots) == 1:
        return (Part(whole_name(named, 0), about, inputs, lambda x: scores(x)[0], True),)
    return tuple(
        Part(whole_name(named, k), about, inputs, margins(scores, k), True)
        for k in range(len(roots))
    )


def _renamed_radii(root: Node, own: Sequence[Pair], pairs: Sequence[Pair]) -> Node:
    """Count radii in all pairs of a head, and not in those of one formula."""
    places = {i: i for i in latents_in(root) if i >= 0}
    places |= {-1 - k: -1 - pairs.index(pair) for k, pair in enumerate(own)}
    return _numbered(root, places)


def _one(tree: Node, used: Sequence[int], scale: float) -> Callable[[Tensor], Tensor]:
    function = _function([tree], used, [scale])
    return lambda x: function(x)[0]


def _function(
    trees: Sequence[Node], used: Sequence[int], scales: Sequence[float]
) -> Callable[[Tensor], list[Tensor]]:
    """Values of expressions over inputs (N, I) in the order ``used``."""
    places = {latent: k for k, latent in enumerate(used)}
    formulas = [Formula(_numbered(tree, places)) for tree in trees]

    def function(x: Tensor) -> list[Tensor]:
        return [f.evaluate(x) * scale for f, scale in zip(formulas, scales, strict=True)]

    return function


def _inputs(used: Sequence[int], pairs: Sequence[Pair], model: CellModel) -> tuple[HeadInput, ...]:
    return tuple(
        latent_input(model, i) if i >= 0 else radius_input(model, *pairs[-1 - i]) for i in used
    )
