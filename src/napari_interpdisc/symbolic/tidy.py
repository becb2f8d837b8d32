"""The smallest formula with the same decision: what searches leave behind is taken out."""

from __future__ import annotations

import math
from collections.abc import Iterator

from napari_interpdisc.models.formula import MAX_CONSTANT, Apply, Formula, Node, Number, Power


def decision_form(formula: Formula) -> Formula:
    """A formula with the same sign everywhere, and no larger: u, −u, u − t, u + t or t − u.

    A positive factor, an increasing function or a constant around the whole is moved into the
    threshold t: 2·exp(u) − 6 decides as u − log 3 does.
    """
    before = None
    root = formula.root
    while root != before:
        before, root = root, _decision(_tidy(Formula(root).simplified().root))
    return Formula(root)


def with_threshold(formula: Formula) -> Formula | None:
    """The formula with + 0 around it, to be refitted; None if a constant is there already."""
    match formula.root:
        case Apply(name="+" | "-", arguments=(Number(), _) | (_, Number())):
            return None
        case root:
            return Formula(Apply("+", (root, Number(0.0))))


def smaller_forms(formula: Formula) -> Iterator[Formula]:
    """Formulas with one constant, one term or one function fewer, to be refitted."""
    for node in _fewer(formula.root):
        smaller = decision_form(Formula(node))
        if smaller.size < formula.size and not smaller.is_constant:
            yield smaller


def bare(formula: Formula) -> Formula:
    """The formula with every factor at 1; sums keep their constants."""
    return decision_form(Formula(_bare(formula.root)))


def _decision(root: Node) -> Node:
    """``root`` as sign · (u − threshold), for the smallest u."""
    u, sign, threshold = root, 1, 0.0
    while True:
        match u:
            case Apply(name="neg", arguments=(v,)):
                u, sign, threshold = v, -sign, -threshold
            case Apply(name="+", arguments=(v, Number(value=c)) | (Number(value=c), v)):
                u, threshold = v, threshold - c
            case Apply(name="-", arguments=(v, Number(value=c))):
                u, threshold = v, threshold + c
            case Apply(name="-", arguments=(Number(value=c), v)):
                u, sign, threshold = v, -sign, c - threshold
            case Apply(name="*", arguments=(v, Number(value=c)) | (Number(value=c), v)) if c:
                u, sign, threshold = v, sign if c > 0 else -sign, threshold / c
            case Apply(name="/", arguments=(v, Number(value=c))) if c:
                u, sign, threshold = v, sign if c > 0 else -sign, threshold * c
            case Apply(name="exp", arguments=(v,)) if threshold > 0:
                u, threshold = v, math.log(threshold)
            case Apply(
                name="/", arguments=(Number(value=c), Apply(name="exp", arguments=(v,)))
            ) if c * threshold > 0:
                u = Apply("neg", (v,))
                sign, threshold = sign if c > 0 else -sign, math.log(threshold / c)
            case Apply(name="tanh", arguments=(v,)) if abs(threshold) < 1:
                u, threshold = v, math.atanh(threshold)
            case Power(base=v, exponent=3) | Apply(name="cube", arguments=(v,)):
                u, threshold = v, math.cbrt(threshold)
            case Apply(name="-", arguments=(a, b)) if sign < 0:
                u, sign, threshold = Apply("-", (b, a)), 1, -threshold
            case _:
                break
    if not abs(threshold) <= MAX_CONSTANT:
        return root
    if threshold == 0:
        return u if sign > 0 else Apply("neg", (u,))
    if sign < 0:
        return Apply("-", (Number(threshold), u))
    return Apply("-" if threshold > 0 else "+", (u, Number(abs(threshold))))


def _tidy(node: Node) -> Node:
    """One form for squares, constants gathered, signs under squares dropped."""
    match node:
        case Apply(name=name, arguments=arguments):
            parts = tuple(_tidy(a) for a in arguments)
        case Power(base=base, exponent=exponent):
            return _power(_tidy(base), exponent)
        case _:
            return node
    match name, parts:
        case "square", (x,):
            return _power(x, 2.0)
        case "cube", (x,):
            return _power(x, 3.0)
        case "abs", (Apply(name="neg", arguments=(x,)),):
            return Apply("abs", (x,))
        case "neg", (Apply(name="-", arguments=(a, b)),):
            return Apply("-", (b, a))
        case "*", (Number(value=c), Apply(name="neg", arguments=(x,))):
            return Apply("*", (Number(-c), x))
        case "*" | "/", (Apply(name="neg", arguments=(x,)), y):
            return Apply("neg", (_tidy(Apply(name, (x, y))),))
        case "*" | "/", (x, Apply(name="neg", arguments=(y,))):
            return Apply("neg", (_tidy(Apply(name, (x, y))),))
        case "+" | "-", (x, Apply(name="*", arguments=(Number(value=c), y))) if c < 0:
            flipped = "-" if name == "+" else "+"
            return _tidy(Apply(flipped, (x, Apply("*", (Number(-c), y)))))
        case "*", (x, y) if x == y:
            return _power(x, 2.0)
        case "*", (x, Number() as c) if not isinstance(x, Number):
            return _tidy(Apply("*", (c, x)))
        case "/", (x, Number(value=c)) if c and not isinstance(x, Number):
            return _tidy(Apply("*", (Number(1 / c), x)))
        case "*", (Number(value=c), Apply(name="*", arguments=(Number(value=d), x))):
            return Apply("*", (Number(c * d), x))
        case "*", (Apply(name="*", arguments=(Number() as c, x)), y):
            return _tidy(Apply("*", (c, Apply("*", (x, y)))))
        case "*", (x, Apply(name="*", arguments=(Number() as c, y))):
            return _tidy(Apply("*", (c, Apply("*", (x, y)))))
        case "+", (Number() as c, x) if not isinstance(x, Number):
            return _tidy(Apply("+", (x, c)))
        case "+" | "-", (
            Apply(name="+" | "-" as inner, arguments=(x, Number(value=c))),
            Number(value=d),
        ):
            return _shifted(x, (c if inner == "+" else -c) + (d if name == "+" else -d))
        case "+" | "-", (Apply(name="-", arguments=(Number(value=c), x)), Number(value=d)):
            return Apply("-", (Number(c + d if name == "+" else c - d), x))
        case "+" | "-", (Apply(name="+" | "-" as inner, arguments=(x, Number() as c)), y):
            return _tidy(Apply(inner, (Apply(name, (x, y)), c)))
        case "+", (x, Apply(name="+" | "-" as inner, arguments=(y, Number() as c))):
            return _tidy(Apply(inner, (Apply("+", (x, y)), c)))
        case "-", (Number(value=d), Apply(name="+" | "-" as inner, arguments=(y, Number(value=c)))):
            return Apply("-", (Number(d - c if inner == "+" else d + c), y))
        case "-", (x, Apply(name="+" | "-" as inner, arguments=(y, Number() as c))):
            return _tidy(Apply("-" if inner == "+" else "+", (Apply("-", (x, y)), c)))
    return Apply(name, parts)


def _power(base: Node, exponent: float) -> Node:
    """A power; a constant factor under a square stands before it, its sign is gone."""
    if exponent == 2:
        match base:
            case Apply(name="neg" | "abs", arguments=(x,)):
                return _power(x, exponent)
            case Apply(name="*", arguments=(Number(value=c), x)):
                return Apply("*", (Number(c * c), _power(x, exponent)))
            case Apply(name="-", arguments=(Number() as c, x)):
                return Power(Apply("-", (x, c)), exponent)
    return Power(base, exponent)


def _shifted(x: Node, c: float) -> Node:
    if c == 0:
        return x
    return Apply("+" if c > 0 else "-", (x, Number(abs(c))))


def _bare(node: Node) -> Node:
    match node:
        case Apply(name="*" | "/" as name, arguments=(left, right)):
            if isinstance(left, Number) and name == "*":
                return _bare(right) if left.value > 0 else Apply("neg", (_bare(right),))
            if isinstance(right, Number):
                return _bare(left) if right.value > 0 else Apply("neg", (_bare(left),))
            return Apply(name, (_bare(left), _bare(right)))
        case Apply(name=name, arguments=arguments):
            return Apply(name, tuple(_bare(a) for a in arguments))
        case Power(base=base, exponent=exponent):
            return Power(_bare(base), exponent)
        case _:
            return node


def _fewer(node: Node) -> Iterator[Node]:
    """``node`` with one constant factor at ±1, or one argument in place of its function."""
    match node:
        case Apply(name=name, arguments=arguments):
            if name == "*" and isinstance(arguments[0], Number):
                x = arguments[1]
                yield x if arguments[0].value > 0 else Apply("neg", (x,))
            elif name == "-":
                yield arguments[0]
                yield Apply("neg", (arguments[1],))
            elif name != "neg":
                yield from arguments
            for i, argument in enumerate(arguments):
                for less in _fewer(argument):
                    yield Apply(name, (*arguments[:i], less, *arguments[i + 1 :]))
        case Power(base=base, exponent=exponent):
            yield base
            for less in _fewer(base):
                yield Power(less, exponent)
