"""Formulas over latents and measured properties as classification heads (paper §4.3, scheme 4).

A formula is read by a whitelist walk over Python's syntax tree and becomes a tree of our own: text
from strangers is never evaluated. The same tree gives the size, LaTeX, scores and gradients.
"""

from __future__ import annotations

import ast
import math
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.properties import NO_PROPERTIES, HeadProperties

MAX_CHARACTERS = 2000
MAX_DEPTH = 40
MAX_LEVELS = 200
MAX_EXPONENT = 8
MAX_CONSTANT = 1e6
SCORE_LIMIT = 1e6

MOST_TERMS = 200
"""Terms that a formula may have, were it expanded, for sympy to write it as LaTeX: it expands to
find signs, and takes minutes for (z0 + … + z9)**8."""

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "cube": lambda x: x**3,
    "abs": torch.abs,
    "sin": torch.sin,
    "cos": torch.cos,
    "tanh": torch.tanh,
    "inv": torch.reciprocal,
    "neg": torch.neg,
}
"""The closed list of functions; each counts one node."""

OPERATORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "+": torch.add,
    "-": torch.sub,
    "*": torch.mul,
    "/": torch.div,
}


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True)
class Latent:
    """The latent z_index."""

    index: int


@dataclass(frozen=True)
class Measurement:
    """A measured property of the cell, standardised; ``place`` is its column."""

    name: str
    place: int


@dataclass(frozen=True)
class Apply:
    """A function of one argument, or an operator between two."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Power:
    """A constant power: a square or a cube is one node, another exponent is a node of its own."""

    base: Node
    exponent: float


Node = Number | Latent | Measurement | Apply | Power


@dataclass(frozen=True)
class Formula:
    """An expression in latents and measured properties; equal to another if the trees are equal.

    Attributes
    ----------
    root
        The expression tree.
    """

    root: Node

    @cached_property
    def size(self) -> int:
        """Nodes of the expression tree; x**2 is one node above x (paper, Table 1)."""
        return _size(self.root)

    @cached_property
    def used_latents(self) -> tuple[int, ...]:
        """Latents that occur, in rising order."""
        return tuple(sorted({n.index for n in _walk(self.root) if isinstance(n, Latent)}))

    @cached_property
    def used_properties(self) -> tuple[str, ...]:
        """Measured properties that occur, in the order of their columns."""
        found = {(n.place, n.name) for n in _walk(self.root) if isinstance(n, Measurement)}
        return tuple(name for _, name in sorted(found))

    @property
    def is_constant(self) -> bool:
        """Whether it reads nothing of the cell."""
        return not self.used_latents and not self.used_properties

    @cached_property
    def constants(self) -> tuple[float, ...]:
        """Numbers that occur, from left to right; exponents do not count."""
        return tuple(n.value for n in _walk(self.root) if isinstance(n, Number))

    @property
    def text(self) -> str:
        """The formula in the form that :func:`parse_formula` reads, at full precision."""
        return _text(self.root, repr)

    def __str__(self) -> str:
        """The formula with constants to three significant digits."""
        return self.show()

    def show(
        self,
        digits: int = 3,
        aliases: Mapping[int, str] | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> str:
        """The formula to read: constants to ``digits`` significant digits, latents by alias.

        ``properties`` are what to write in place of names of measured properties.
        """
        return _text(self.root, lambda v: f"{v:.{digits}g}", aliases, properties)

    def latex(self, digits: int = 3, aliases: Mapping[int, str] | None = None) -> str:
        r"""LaTeX, by sympy; constants to ``digits`` significant digits.

        A latent with an alias such as ``size_z22`` is ``\mathrm{size}_{22}``. Every formula has
        such a form, and at once: one that sympy finds no value for, as 1/0, or would expand to more
        than 200 terms, is written as it stands.
        """
        if _expanded_terms(self.root) > MOST_TERMS:
            return _latex_as_it_stands(self.root, digits, aliases or {})
        import sympy

        between = r" \, " if aliases else None  # 2 size would be read as one word
        try:
            tree = _to_sympy(self.root, digits, aliases or {})
            if not tree.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo, sympy.I):
                return str(sympy.latex(tree, mul_symbol=between))
        except (ArithmeticError, AttributeError, RecursionError, TypeError, ValueError):
            pass  # sympy computes constants on its way, and some have no value
        return _latex_as_it_stands(self.root, digits, aliases or {})

    def with_constants(self, values: Sequence[float]) -> Formula:
        """The same formula with other numbers, in the order of :attr:`constants`.

        Raises
        ------
        InvalidInput
            If there are more or fewer values than constants, or one is not finite.
        """
        if len(values) != len(self.constants) or not all(math.isfinite(v) for v in values):
            raise InvalidInput(
                f"This formula has {len(self.constants)} constants; "
                f"{len(values)} finite numbers were expected to replace them."
            )
        return Formula(_replace(self.root, iter(float(v) for v in values)))

    def simplified(self) -> Formula:
        """Fold constants, and drop ×1, +0, −0, /1 and doubled signs."""
        return Formula(_simplify(self.root))

    def evaluate(
        self, latents: Tensor, constants: Tensor | None = None, measured: Tensor | None = None
    ) -> Tensor:
        """Values (N,) of the formula at latents (N, L); differentiable in all arguments.

        Parameters
        ----------
        latents
            (N, L).
        constants
            (C,) numbers to use instead of the formula's own.
        measured
            (N, P) standardised properties; needed if the formula reads any.

        Raises
        ------
        InvalidInput
            If the formula reads properties and none are given.
        """
        if self.used_properties and measured is None:
            raise InvalidInput(
                f"The formula reads {', '.join(self.used_properties)}: give the cells' measured "
                "properties."
            )
        source = iter(constants) if constants is not None else None
        return _evaluate(self.root, _Cells(latents, measured), source).expand(latents.shape[0])


@dataclass(frozen=True)
class _Cells:
    """What a formula reads: latents (N, L), and standardised properties (N, P) if it needs any."""

    latents: Tensor
    measured: Tensor | None = None


class FormulaHead(torch.nn.Module):
    """One formula for two classes, or one for each of more (the largest wins).

    Where a formula is undefined (the logarithm of a negative number, say) the score is NaN: the
    cell has no class. Beyond ±10⁶ it is cut.

    Parameters
    ----------
    formulas
        One formula, or as many as classes.
    scales
        Positive factor of each formula that turns its values into logits; 1 if left out. It is no
        part of the formula, and counts no node; with one formula it decides no class.
    properties
        Measured properties that the formulas may read, standardised.
    """

    kind = "formula"

    def __init__(
        self,
        formulas: Sequence[Formula],
        scales: Sequence[float] = (),
        properties: HeadProperties = NO_PROPERTIES,
    ) -> None:
        super().__init__()
        self.formulas, self.properties = tuple(formulas), properties
        for formula in self.formulas:
            for node in _walk(formula.root):
                if isinstance(node, Measurement):
                    properties.check(node.name, node.place)
        self.scales = tuple(map(float, scales)) or (1.0,) * len(self.formulas)
        positive = all(math.isfinite(scale) and scale > 0 for scale in self.scales)
        if not self.formulas or len(self.scales) != len(self.formulas) or not positive:
            raise InvalidInput("A formula head needs formulas, and a positive scale for each.")

    def forward(self, latents: Tensor, measured: Tensor | None = None) -> Tensor:
        """Logits (N, K) of latents (N, L) and, if the head reads any, properties (N, P).

        NaN where a formula has no value.
        """
        return self.bounded(self.values(latents, measured))

    def values(self, latents: Tensor, measured: Tensor | None = None) -> Tensor:
        """What the formulas give (N, K), times their scales: NaN or infinite where they are."""
        known = self.properties.standardised(measured, latents)
        columns = [formula.evaluate(latents, None, known) for formula in self.formulas]
        return torch.stack(columns, 1) * latents.new_tensor(self.scales)

    def defined(self, latents: Tensor, measured: Tensor | None = None) -> Tensor:
        """Whether all formulas have a value (N,) there, if only an infinite one."""
        return ~self.values(latents, measured).isnan().any(1)

    @staticmethod
    def bounded(values: Tensor) -> Tensor:
        """Scores of values of formulas: cut at ±10⁶, and NaN where one is undefined."""
        # ONNX says nothing of what its Clip makes of NaN
        return torch.where(values.isnan(), values, values.clamp(-SCORE_LIMIT, SCORE_LIMIT))

    @property
    def n_weights(self) -> int:
        """Number of constants: a formula has no weights in the sense of Table 1."""
        return sum(len(f.constants) for f in self.formulas)

    @property
    def expression_size(self) -> int:
        """Nodes of all formulas together."""
        return sum(f.size for f in self.formulas)

    @property
    def size_without_biases(self) -> int:
        """The same: a formula has no biases."""
        return self.expression_size

    @property
    def used_latents(self) -> tuple[int, ...]:
        """Latents that occur in any formula."""
        return tuple(sorted({i for f in self.formulas for i in f.used_latents}))

    @property
    def used_properties(self) -> tuple[str, ...]:
        """Measured properties that occur in any formula."""
        used = {name for formula in self.formulas for name in formula.used_properties}
        return tuple(name for name in self.properties.names if name in used)


def parse_formula(
    text: str,
    n_latents: int = 32,
    aliases: Mapping[str, int] | None = None,
    properties: Sequence[str] = (),
) -> Formula:
    """Read a formula such as ``z29*(z17**2 + z21**2) - exp(z3)``.

    Parameters
    ----------
    text
        Names z0 … and ``aliases``; numbers; + − * /; ** with a constant exponent up to 8;
        the functions of :data:`FUNCTIONS`.
    n_latents
        Number of latents that the encoder has.
    aliases
        Further names of latents, such as a model's ``latent_names``.
    properties
        Measured properties that it may read, in the order of their columns. Such a name is the
        property and never a latent, even if a latent has the same alias.

    Raises
    ------
    InvalidInput
        If anything else occurs, or the formula is longer than 2000 characters or nested deeper
        than 40 levels. Nothing is evaluated on the way.
    """
    if not text.strip():
        raise InvalidInput("The formula is empty; write one such as 'z3 - z7**2'.")
    if len(text) > MAX_CHARACTERS:
        raise InvalidInput(
            f"The formula has {len(text)} characters; at most {MAX_CHARACTERS} are read."
        )
    if not text.isascii():
        strange = next(c for c in text if not c.isascii())
        raise InvalidInput(f"The formula holds '{strange}'; only plain ASCII characters are read.")
    if _depth_of(text) > MAX_DEPTH:
        raise InvalidInput(f"The formula is nested deeper than {MAX_DEPTH} levels.")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise InvalidInput(
            f"'{_short(text)}' is no formula; write one such as 'z3 - 0.5*z7**2'."
        ) from None
    names: dict[str, Latent | Measurement] = {f"z{i}": Latent(i) for i in range(n_latents)}
    for place, name in enumerate(properties):
        names.setdefault(name, Measurement(name, place))
    for alias, index in (aliases or {}).items():
        names.setdefault(alias, Latent(index))
    return Formula(_convert(tree.body, names, n_latents, 0))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}..."


def _source(node: ast.expr) -> str:
    try:
        return _short(ast.unparse(node))
    except RecursionError:
        return "..."


def _depth_of(text: str) -> int:
    """Deepest nesting of brackets, or longest run of signs: what could exhaust a parser."""
    depth = deepest = run = 0
    for character in text:
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        if character in "+-~":
            run += 1
        elif not character.isspace():
            run = 0
        deepest = max(deepest, depth, run)
    return deepest


def _convert(
    node: ast.expr, names: Mapping[str, Latent | Measurement], n_latents: int, depth: int
) -> Node:
    # a long sum is a deep tree too
    if depth > MAX_LEVELS:
        raise InvalidInput(f"The formula has more than {MAX_LEVELS} operations in a row.")
    match node:
        case ast.Constant(value=bool() | complex() | str() | bytes() | None):
            raise InvalidInput(f"'{_source(node)}' is not a number of a formula.")
        case ast.Constant(value=int() | float() as value):
            return Number(_number(value))
        case ast.Name(id=name):
            if name not in names:
                known = [n.name for n in names.values() if isinstance(n, Measurement)]
                also = f", and the head reads {', '.join(known)}" if known else ""
                raise InvalidInput(
                    f"The formula names '{_short(name)}', but the encoder has the latents z0 to "
                    f"z{n_latents - 1}{also}."
                )
            return names[name]
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _convert(operand, names, n_latents, depth + 1)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _negative(_convert(operand, names, n_latents, depth + 1))
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            exponent = _convert(right, names, n_latents, depth + 1)
            if not isinstance(exponent, Number) or abs(exponent.value) > MAX_EXPONENT:
                raise InvalidInput(
                    f"An exponent must be a number from -{MAX_EXPONENT} to {MAX_EXPONENT}, not "
                    f"'{_source(right)}'."
                )
            return Power(_convert(left, names, n_latents, depth + 1), exponent.value)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() as op):
            sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}[type(op)]
            return Apply(
                sign,
                (
                    _convert(left, names, n_latents, depth + 1),
                    _convert(node.right, names, n_latents, depth + 1),
                ),
            )
        case ast.BinOp(op=ast.BitXor()):
            raise InvalidInput("The formula holds '^'; write a power as '**'.")
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            inner = _convert(argument, names, n_latents, depth + 1)
            return _negative(inner) if name == "neg" else Apply(name, (inner,))
        case ast.Call(func=ast.Name(id=name)):
            raise InvalidInput(
                f"'{_short(name)}(…)' cannot be used in a formula; the functions, of one argument "
                f"each, are {', '.join(FUNCTIONS)}."
            )
    raise InvalidInput(
        f"A formula holds latents, numbers, + - * / ** and functions only, not '{_source(node)}'."
    )


def _negative(node: Node) -> Node:
    return Number(-node.value) if isinstance(node, Number) else Apply("neg", (node,))


def _number(value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not abs(number) <= MAX_CONSTANT:
        raise InvalidInput(f"A number in a formula may be at most {MAX_CONSTANT:g} in size.")
    return number


def _walk(node: Node) -> Iterator[Node]:
    yield node
    match node:
        case Apply(arguments=arguments):
            for argument in arguments:
                yield from _walk(argument)
        case Power(base=base):
            yield from _walk(base)


def _size(node: Node) -> int:
    match node:
        case Apply(arguments=arguments):
            return 1 + sum(map(_size, arguments))
        case Power(base=base, exponent=exponent):
            return _size(base) + (1 if exponent in (2, 3) else 2)
        case _:
            return 1


def _replace(node: Node, values: Iterator[float]) -> Node:
    match node:
        case Number():
            return Number(next(values))
        case Apply(name=name, arguments=arguments):
            return Apply(name, tuple(_replace(a, values) for a in arguments))
        case Power(base=base, exponent=exponent):
            return Power(_replace(base, values), exponent)
        case _:
            return node


def _evaluate(node: Node, cells: _Cells, constants: Iterator[Tensor] | None) -> Tensor:
    match node:
        case Number(value=value):
            return next(constants) if constants is not None else cells.latents.new_tensor(value)
        case Latent(index=index):
            return cells.latents[:, index]
        case Measurement(place=place):
            assert cells.measured is not None
            return cells.measured[:, place]
        case Power(base=base, exponent=exponent):
            inner = _evaluate(base, cells, constants)
            return inner ** (int(exponent) if exponent == int(exponent) else exponent)
        case Apply(name=name, arguments=(left, right)):
            first = _evaluate(left, cells, constants)
            return OPERATORS[name](first, _evaluate(right, cells, constants))
        case Apply(name=name, arguments=arguments):
            return FUNCTIONS[name](_evaluate(arguments[0], cells, constants))


def _simplify(node: Node) -> Node:
    match node:
        case Power(base=base, exponent=exponent):
            inner = _simplify(base)
            if exponent == 1:
                return inner
            return _folded(Power(inner, exponent), (inner,))
        case Apply(name=name, arguments=arguments):
            parts = tuple(_simplify(a) for a in arguments)
            match name, parts:
                case "neg", (Apply(name="neg", arguments=(inner,)),):
                    return inner
                case "+", (Number(value=0), other) | (other, Number(value=0)):
                    return other
                case "-", (other, Number(value=0)):
                    return other
                case "-", (Number(value=0), other):
                    return Apply("neg", (other,))
                case "-", (other, Apply(name="neg", arguments=(inner,))):
                    return Apply("+", (other, inner))
                case "+", (other, Apply(name="neg", arguments=(inner,))):
                    return Apply("-", (other, inner))
                case "+", (Apply(name="neg", arguments=(inner,)), other):
                    return Apply("-", (other, inner))
                case "+", (other, Number(value=value)) if value < 0:
                    return _simplify(Apply("-", (other, Number(-value))))
                case "-", (other, Number(value=value)) if value < 0:
                    return _simplify(Apply("+", (other, Number(-value))))
                case "*", (Number(value=1), other) | (other, Number(value=1)):
                    return other
                case "*", (Number(value=0), _) | (_, Number(value=0)):
                    return Number(0.0)
                case "*", (Number(value=-1), other) | (other, Number(value=-1)):
                    return Apply("neg", (other,))
                case "/", (other, Number(value=1)):
                    return other
            return _folded(Apply(name, parts), parts)
        case _:
            return node


def _folded(node: Node, parts: tuple[Node, ...]) -> Node:
    """The constant that ``node`` is, if all its parts are constants and it is finite."""
    if not all(isinstance(part, Number) for part in parts):
        return node
    value = float(_evaluate(node, _Cells(torch.zeros((1, 1), dtype=torch.float64)), None))
    return Number(value) if abs(value) <= MAX_CONSTANT else node


def _precedence(node: Node) -> int:
    match node:
        case Apply(name="+" | "-"):
            return 1
        case Apply(name="*" | "/"):
            return 2
        case Apply(name="neg"):
            return 3
        case Number(value=value) if math.copysign(1, value) < 0:
            return 3
        case Power():
            return 4
        case _:
            return 5


def _text(
    node: Node,
    number: Callable[[float], str],
    aliases: Mapping[int, str] | None = None,
    properties: Mapping[str, str] | None = None,
) -> str:
    def inner(part: Node, least: int) -> str:
        text = _text(part, number, aliases, properties)
        return f"({text})" if _precedence(part) < least else text

    match node:
        case Number(value=value):
            return number(value)
        case Latent(index=index):
            return (aliases or {}).get(index, f"z{index}")
        case Measurement(name=name):
            return (properties or {}).get(name, name)
        case Power(base=base, exponent=exponent):
            return f"{inner(base, 5)}**{exponent:g}"
        case Apply(name="neg", arguments=(argument,)):
            return f"-{inner(argument, 4)}"
        case Apply(name=("+" | "-" | "*" | "/") as sign, arguments=(left, right)):
            own = _precedence(node)
            space = " " if own == 1 else ""
            return f"{inner(left, own)}{space}{sign}{space}{inner(right, own + 1)}"
        case Apply(name=name, arguments=arguments):
            return f"{name}({_text(arguments[0], number, aliases, properties)})"


IN_LATEX = {
    "\\": r"\backslash ", "{": r"\{", "}": r"\}", "$": r"\$", "%": r"\%", "&": r"\&", "#": r"\#",
    "_": r"\ ", " ": r"\ ", "^": r"\wedge ", "~": r"\sim ", "µ": r"\mu ",
}  # fmt: skip
"""What stands for characters that LaTeX reads as commands, or that a font lacks."""


def latex_words(text: str) -> str:
    r"""Any text as LaTeX in upright letters: ``\mathrm{early\ G1}``.

    Accents are left out. Letters that are not Latin stay as they are, for XeLaTeX and LuaLaTeX.
    """
    decomposed = unicodedata.normalize("NFD", text)
    letters = (c for c in decomposed if not unicodedata.combining(c) and c.isprintable())
    words = "".join(IN_LATEX.get(c, c) for c in letters)
    return rf"\mathrm{{{words}}}" if words else r"\mathrm{?}"


def _latex_name(index: int, alias: str | None) -> str:
    if not alias:
        return f"z_{{{index}}}"
    return rf"{latex_words(alias.removesuffix(f'_z{index}'))}_{{{index}}}"


SUM, SIGNED = 1, 3
"""Precedence of sums, and of what begins with a minus."""

FUNCTIONS_IN_LATEX = {
    "exp": r"\exp\left({}\right)",
    "log": r"\log\left({}\right)",
    "sqrt": r"\sqrt{{{}}}",
    "square": r"\left({}\right)^{{2}}",
    "cube": r"\left({}\right)^{{3}}",
    "abs": r"\left|{}\right|",
    "sin": r"\sin\left({}\right)",
    "cos": r"\cos\left({}\right)",
    "tanh": r"\tanh\left({}\right)",
    "inv": r"\frac{{1}}{{{}}}",
}


def _latex_as_it_stands(node: Node, digits: int, aliases: Mapping[int, str]) -> str:
    """LaTeX of a tree node by node, in the order in which it was written."""

    def inner(part: Node, *bracketed: int) -> str:
        text = _latex_as_it_stands(part, digits, aliases)
        return rf"\left({text}\right)" if _precedence(part) in bracketed else text

    match node:
        case Number(value=value):
            return _latex_number(f"{value:.{digits}g}")
        case Latent(index=index):
            return _latex_name(index, aliases.get(index))
        case Measurement(name=name):
            return latex_words(name)
        case Power(base=base, exponent=exponent):
            below = inner(base)
            if not isinstance(base, Latent | Measurement):
                below = rf"\left({below}\right)"
            return rf"{{{below}}}^{{{_latex_number(f'{exponent:g}')}}}"
        case Apply(name="/", arguments=(left, right)):
            return rf"\frac{{{inner(left)}}}{{{inner(right)}}}"
        case Apply(name="*", arguments=(left, right)):
            return rf"{inner(left, SUM)} \cdot {inner(right, SUM, SIGNED)}"
        case Apply(name="+", arguments=(left, right)):
            return f"{inner(left)} + {inner(right, SIGNED)}"
        case Apply(name="-", arguments=(left, right)):
            return f"{inner(left)} - {inner(right, SUM, SIGNED)}"
        case Apply(name="neg", arguments=(argument,)):
            return f"-{inner(argument, SUM, SIGNED)}"
        case Apply(name=name, arguments=arguments):
            return FUNCTIONS_IN_LATEX[name].format(inner(arguments[0]))


def _latex_number(text: str) -> str:
    mantissa, _, power = text.partition("e")
    return rf"{mantissa} \cdot 10^{{{int(power)}}}" if power else mantissa


def _expanded_terms(node: Node) -> float:
    """Terms at most, were all products and powers multiplied out; functions are looked into."""
    match node:
        case Apply(name="+" | "-", arguments=(left, right)):
            return _expanded_terms(left) + _expanded_terms(right)
        case Apply(name="*" | "/", arguments=(left, right)):
            return _expanded_terms(left) * _expanded_terms(right)
        case Apply(name="square" | "cube" as name, arguments=(base,)):
            return _expanded_terms(Power(base, 2 if name == "square" else 3))
        case Apply(arguments=arguments):
            return _expanded_terms(arguments[0])
        case Power(base=base, exponent=exponent):
            # 1e9 is more than any limit, and its powers do not overflow
            return min(_expanded_terms(base), 1e9) ** max(1, math.ceil(abs(exponent)))
        case _:
            return 1


def _to_sympy(node: Node, digits: int, aliases: Mapping[int, str]) -> Any:
    import sympy

    def convert(part: Node) -> sympy.Expr:
        match part:
            case Number(value=value):
                return sympy.Float(f"{value:.{digits}g}", digits)
            case Latent(index=index):
                return sympy.Symbol(_latex_name(index, aliases.get(index)), real=True)
            case Measurement(name=name):
                return sympy.Symbol(latex_words(name), real=True)
            case Power(base=base, exponent=exponent):
                power = int(exponent) if exponent == int(exponent) else exponent
                return sympy.Pow(convert(base), power, evaluate=False)
            case Apply(name="+", arguments=(left, right)):
                return sympy.Add(convert(left), convert(right), evaluate=False)
            case Apply(name="-", arguments=(left, right)):
                minus = sympy.Mul(-1, convert(right), evaluate=False)
                return sympy.Add(convert(left), minus, evaluate=False)
            case Apply(name="*", arguments=(left, right)):
                return sympy.Mul(convert(left), convert(right), evaluate=False)
            case Apply(name="/", arguments=(left, right)):
                below = sympy.Pow(convert(right), -1, evaluate=False)
                return sympy.Mul(convert(left), below, evaluate=False)
            case Apply(name="neg", arguments=(argument,)):
                return sympy.Mul(-1, convert(argument), evaluate=False)
            case Apply(name="square", arguments=(argument,)):
                return sympy.Pow(convert(argument), 2, evaluate=False)
            case Apply(name="cube", arguments=(argument,)):
                return sympy.Pow(convert(argument), 3, evaluate=False)
            case Apply(name="inv", arguments=(argument,)):
                return sympy.Pow(convert(argument), -1, evaluate=False)
            case Apply(name="abs", arguments=(argument,)):
                return sympy.Abs(convert(argument))
            case Apply(name=name, arguments=arguments):
                return getattr(sympy, name)(convert(arguments[0]), evaluate=False)

    return convert(node)
