from __future__ import annotations

import re
import time
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.formula import (
    FUNCTIONS,
    Apply,
    Formula,
    FormulaHead,
    Latent,
    Measurement,
    Number,
    Power,
    _expanded_terms,
    _latex_as_it_stands,
    latex_words,
    parse_formula,
)
from napari_interpdisc.models.heads import Head
from napari_interpdisc.models.properties import HeadProperties

PAPER = "z29*(z17**2 + z21**2) - exp(z3)"


def test_the_papers_formula_has_ten_nodes() -> None:
    formula = parse_formula(PAPER)
    assert formula.size == 10
    assert formula.used_latents == (3, 17, 21, 29)
    assert formula.constants == ()
    assert formula.latex() == r"z_{29} \left(z_{17}^{2} + z_{21}^{2}\right) - e^{z_{3}}"
    z = torch.randn(5, 32)
    expected = z[:, 29] * (z[:, 17] ** 2 + z[:, 21] ** 2) - z[:, 3].exp()
    torch.testing.assert_close(formula.evaluate(z), expected)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("z0", 1),
        ("-1.5", 1),
        ("-z0", 2),
        ("z0 + 1", 3),
        ("z0**2", 2),
        ("z0**3", 2),
        ("square(z0)", 2),
        ("z0**4", 3),
        ("exp(z0*z1)", 4),
        ("1/(1 + exp(-z0))", 7),
    ],
)
def test_size_by_hand(text: str, size: int) -> None:
    assert parse_formula(text).size == size


@pytest.mark.parametrize(
    ("text", "simple"),
    [
        ("2*3*z1 + 0", "6.0*z1"),
        ("-(-z1)", "z1"),
        ("z1 - (-z2)", "z1 + z2"),
        ("z1 + -2.5", "z1 - 2.5"),
        ("z1*1 - 0", "z1"),
        ("0*z1 + z2/1", "z2"),
        ("exp(0)*z1", "z1"),
        ("z1**1", "z1"),
        ("-1*z1", "-z1"),
        ("0 - z1", "-z1"),
        ("z1/0", "z1/0.0"),
    ],
)
def test_simplified(text: str, simple: str) -> None:
    formula = parse_formula(text).simplified()
    assert formula.text == simple
    z = torch.rand(4, 32) + 0.1
    torch.testing.assert_close(formula.evaluate(z), parse_formula(text).evaluate(z))


def test_constants_are_replaced_from_left_to_right() -> None:
    formula = parse_formula("2*z1**2 - 3")
    assert formula.constants == (2.0, 3.0)
    assert formula.with_constants([0.5, -1]).text == "0.5*z1**2 - -1.0"
    with pytest.raises(InvalidInput, match="2 constants"):
        formula.with_constants([1.0])
    with pytest.raises(InvalidInput, match="finite"):
        formula.with_constants([1.0, float("nan")])


def test_gradients_reach_latents_and_constants() -> None:
    formula = parse_formula("2*z1**2 - 3*z0")
    z = torch.tensor([[1.0, 2.0]], requires_grad=True)
    c = torch.tensor([2.0, 3.0], requires_grad=True)
    formula.evaluate(z, c).sum().backward()
    assert z.grad is not None
    assert c.grad is not None
    assert z.grad.tolist() == [[-3.0, 8.0]]
    assert c.grad.tolist() == [4.0, -1.0]


def test_names_in_latex_are_upright_with_the_number_below() -> None:
    formula = parse_formula("2*z22**2 + z11/z3")
    latex = formula.latex(aliases={22: "size_z22", 11: "elongation_cos_z11"})
    assert r"2.0 \, \mathrm{size}_{22}^{2}" in latex
    assert r"\mathrm{elongation\ cos}_{11}" in latex
    assert "z_{3}" in latex


def test_aliases_are_read_and_shown() -> None:
    formula = parse_formula("size - 0.25*z3", aliases={"size": 22})
    assert formula.used_latents == (3, 22)
    assert formula.show(aliases={22: "size"}) == "size - 0.25*z3"
    assert r"\mathrm{size}" in formula.latex(aliases={22: "size"})


def test_a_formula_head_is_a_head() -> None:
    head = FormulaHead([parse_formula(PAPER)], [2.0])
    assert isinstance(head, Head)
    assert (head.expression_size, head.size_without_biases, head.n_weights) == (10, 10, 0)
    z = torch.randn(6, 32)
    torch.testing.assert_close(head(z)[:, 0], 2 * parse_formula(PAPER).evaluate(z))
    three = FormulaHead([parse_formula(t) for t in ("z0", "z1", "-z0")])
    assert three(z).shape == (6, 3)
    assert three.used_latents == (0, 1)


def test_where_a_formula_is_undefined_there_is_no_score() -> None:
    head = FormulaHead([parse_formula("log(z0) + 1")])
    found = head(torch.tensor([[-1.0], [0.0], [1.0]]))[:, 0]
    assert found.isnan().tolist() == [True, False, False]
    assert found[1:].tolist() == [-1e6, 1.0], "an infinite value is cut"


HOSTILE = [
    "__import__('os').system('true')",
    "().__class__.__bases__",
    "z0.__class__",
    "z0.real",
    "open('x')",
    "eval('1')",
    "exp(exp)",
    "exp(z0, z1)",
    "exp(x=z0)",
    "exp(*z0)",
    "(lambda: 0)()",
    "[z0 for z0 in z1]",
    "z0[0]",
    "{z0}",
    "z0 if z1 else z2",
    "z0 and z1",
    "z0 < z1",
    "not z0",
    "~z0",
    "z0 // z1",
    "z0 % 2",
    "z0 @ z1",
    "z0 ^ 2",
    "z0 := 3",
    "z0; z1",
    "z0\nz1",
    "'z0'",
    "b'z0'",
    "f'{z0}'",
    "True",
    "None",
    "1j",
    "...",
    "9**9**9**9",
    "z0**9999",
    "2**z0",
    "z0**z1",
    "1e400",
    "1e7",
    "9" * 1900,
    "z32",
    "z-1 + z99",
    "z",
    "pi",
    "nan",
    "inf",
    "\uff5a0",  # a full-width z, which Python would take for one
    "z0 \u2212 z1",
    "\u0261(z0)",
    "z0\x00",
    "",
    "   ",
    "(" * 1000 + "z0" + ")" * 1000,
    "(" * 60 + "z0" + ")" * 60,
    "-" * 1999 + "1",
    "exp(" * 400 + "z0" + ")" * 400,
    "+".join(["z0"] * 660),
    "z0" * 1500,
    "-" * 30 + "(" + "-" * 30 + "z0)" + "**" * 20,
    "yield z0",
    "await z0",
    "print",
    "import os",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_refused_in_one_sentence_and_at_once(text: str) -> None:
    started = time.monotonic()
    with pytest.raises(InvalidInput) as caught:
        parse_formula(text)
    assert time.monotonic() - started < 1
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 300
    assert sentence.endswith(".")


@settings(deadline=1000, max_examples=300)
@given(st.text(st.sampled_from("z0123456789.+-*/()e _x,[]'\"=:^<>\\\n"), max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        formula = parse_formula(text)
    except InvalidInput:
        return
    assert parse_formula(formula.text) == formula


def _trees() -> st.SearchStrategy[str]:
    leaf = st.one_of(
        st.integers(0, 31).map("z{}".format),
        st.floats(-100, 100, allow_nan=False).map(repr),
    )

    def extend(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.tuples(inner, st.sampled_from("+-*/"), inner).map(
                lambda p: f"({p[0]}){p[1]}({p[2]})"
            ),
            st.tuples(st.sampled_from(sorted(FUNCTIONS)), inner).map(lambda p: f"{p[0]}({p[1]})"),
            st.tuples(inner, st.sampled_from([-2, 0.5, 2, 3])).map(lambda p: f"({p[0]})**{p[1]}"),
            inner.map(lambda t: f"-({t})"),
        )

    return st.recursive(leaf, extend, max_leaves=12)


@settings(deadline=None, max_examples=300)
@given(_trees())
def test_text_is_read_back_as_the_same_tree_and_the_same_values(text: str) -> None:
    formula = parse_formula(text)
    again = parse_formula(formula.text)
    assert again == formula
    assert again.size == formula.size
    z = torch.linspace(-2, 2, 32).repeat(3, 1).double()
    torch.testing.assert_close(again.evaluate(z), formula.evaluate(z), equal_nan=True)
    simple = formula.simplified()
    assert simple.size <= formula.size
    before, after = formula.evaluate(z), simple.evaluate(z)
    both = before.isfinite() & after.isfinite()
    torch.testing.assert_close(after[both], before[both], rtol=1e-6, atol=1e-6)


@settings(deadline=None, max_examples=100)
@given(_trees())
def test_a_formula_with_names_is_read_back_as_the_same(text: str) -> None:
    names = {i: f"name_{i}_z{i}" for i in range(0, 32, 2)}
    formula = parse_formula(text)
    shown = formula.show(17, names)
    assert parse_formula(shown, aliases={name: i for i, name in names.items()}) == formula
    assert not set(re.findall(r"\bz\d+", shown)) & {f"z{i}" for i in names}
    with pytest.raises(InvalidInput, match="name_2_z2"):
        parse_formula("name_2_z2 - 1")


def test_python_agrees_on_the_value_of_plain_arithmetic() -> None:
    text = "1 - 2*3 - (4 - 5)/-2**2 + -(6 - 7)*2"
    value = float(parse_formula(text).evaluate(torch.zeros(1, 1, dtype=torch.float64))[0])
    assert value == 1 - 2 * 3 - (4 - 5) / -(2**2) + -(6 - 7) * 2


def test_three_significant_digits_are_shown_and_all_are_kept() -> None:
    formula = parse_formula("0.123456789*z1")
    assert str(formula) == "0.123*z1"
    assert formula.text == "0.123456789*z1"
    assert isinstance(formula, Formula)
    assert not re.search("4567", formula.latex())


TWO = HeadProperties(("area", "solidity"), (600.0, 0.9), (100.0, 0.05))


def test_a_formula_reads_properties_and_never_a_latent_of_that_name() -> None:
    formula = parse_formula("area - 2*z1", 3, {"area": 0, "size": 2}, TWO.names)
    assert formula.used_properties == ("area",)
    assert formula.used_latents == (1,)
    assert not formula.is_constant
    assert formula.size == 5
    assert parse_formula(formula.text, 3, {"area": 0}, TWO.names) == formula
    assert formula.show(properties={"area": "1.5"}) == "1.5 - 2*z1"
    latex = formula.latex(aliases={1: "size_z1"})
    assert latex == r"\mathrm{area} - 2.0 \, \mathrm{size}_{1}"
    z, measured = torch.tensor([[9.0, 1, 9]]), torch.tensor([[5.0, 7]])
    assert formula.evaluate(z, None, measured).tolist() == [3.0]
    with pytest.raises(InvalidInput, match="reads area: give the cells' measured properties"):
        formula.evaluate(z)
    # without properties the same text is the latent
    assert parse_formula("area", 3, {"area": 0}).used_latents == (0,)
    with pytest.raises(InvalidInput, match="and the head reads area, solidity"):
        parse_formula("texture", 3, None, TWO.names)


def test_a_formula_head_standardises_what_it_reads() -> None:
    head = FormulaHead([parse_formula("area*solidity + z0", 2, None, TWO.names)], [2.0], TWO)
    z, measured = torch.tensor([[1.0, 0]]), torch.tensor([[700.0, 0.95]])
    assert head(z, measured)[0, 0] == pytest.approx(2 * (1 * 1 + 1), abs=1e-4)
    assert head.used_properties == ("area", "solidity")
    with pytest.raises(InvalidInput, match="none were given"):
        head(z)
    with pytest.raises(InvalidInput, match="not among the head's properties"):
        FormulaHead([parse_formula("texture", 2, None, ("texture",))], (), TWO)


def strictly(latex: str) -> None:
    """Refuse LaTeX that would not compile: unbalanced braces, bare signs, unknown commands."""
    depth = 0
    for token in re.findall(r"\\[A-Za-z]+|\\.|.", latex):
        depth += (token == "{") - (token == "}")
        assert depth >= 0, latex
        assert token not in ("$", "%", "&", "#", "~"), latex
        if re.fullmatch(r"\\[A-Za-z]+", token):
            assert token[1:] in COMMANDS, token
    assert depth == 0, latex
    assert latex.count(r"\left") == latex.count(r"\right")
    assert not re.search(r"[\^_](?![{\\A-Za-z0-9])", latex), latex
    MathTextParser("path").parse(f"${latex}$")


COMMANDS = {
    "left", "right", "frac", "sqrt", "mathrm", "log", "exp", "sin", "cos", "tanh", "cdot",
    "backslash", "wedge", "sim", "mu", "operatorname", "geq",
}  # fmt: skip

LEAVES = st.one_of(
    st.integers(0, 5).map(Latent),
    st.floats(-1e6, 1e6, allow_nan=False).map(Number),
    st.sampled_from([Number(0.0), Number(1.0), Number(-1.0), Measurement("nucleus_area", 0)]),
)


def _branches(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.tuples(st.sampled_from(sorted(FUNCTIONS)), parts).map(lambda p: Apply(p[0], (p[1],))),
        st.tuples(st.sampled_from("+-*/"), parts, parts).map(lambda p: Apply(p[0], p[1:])),
        st.tuples(parts, st.sampled_from([-8.0, -1.0, 0.0, 0.5, 2.0, 3.0])).map(
            lambda p: Power(*p)
        ),
    )


@given(st.recursive(LEAVES, _branches, max_leaves=6))
@settings(deadline=None, max_examples=60, derandomize=True)
def test_every_formula_has_latex_that_compiles(node: Any) -> None:
    for aliases in (None, {0: "size_z0", 1: "a $5% {x}_y^\\_z1", 2: "é µm"}):
        strictly(Formula(node).latex(aliases=aliases))


TERMS = st.sampled_from(["z0", "z5", "size", "size_z0", "a_b_c", "nucleus_area"]) | st.sampled_from(
    ["0", "-0.0", "1e6", "5e-324", "0x10", "1_000", ".5", "2.", "1E5", "123456.789", "1e-300"]
)


def _written(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    exponents = st.sampled_from(["2", "3", "0", "-8", "8", "0.5", "1e-7", "-7.999", "(2)"])
    return st.one_of(
        st.tuples(parts, st.sampled_from("+-*/"), parts).map(" ".join),
        st.tuples(st.sampled_from(sorted(FUNCTIONS)), parts).map(lambda p: f"{p[0]}({p[1]})"),
        st.tuples(parts, exponents).map(lambda p: f"({p[0]})**{p[1]}"),
        st.tuples(st.sampled_from("+-"), parts).map("".join),
        parts.map(lambda p: f"({p})"),
    )


@given(st.recursive(TERMS, _written, max_leaves=25))
@settings(deadline=None, max_examples=60, derandomize=True)
def test_every_text_that_is_a_formula_has_latex(text: str) -> None:
    names = {"size": 0, "size_z0": 0, "a_b_c": 3}
    try:
        formula = parse_formula(text, 6, names, ("nucleus_area",))
    except InvalidInput:
        return  # 1e6*1e6 is no number that is read
    for aliases in (None, {0: "size_z0", 3: "a_b_c_z3"}):
        strictly(formula.latex(aliases=aliases))


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("z0*z1 - 2", 2),
        ("(z0 + z1)**2*(z2 - 1)", 8),
        ("exp(square(z0 + z1))", 4),
        ("1/(z0 + z1)**3", 8),
        ("cube(z0 + 1)**-0.5", 8),
    ],
)
def test_terms_of_a_formula_that_is_multiplied_out(text: str, terms: int) -> None:
    assert _expanded_terms(parse_formula(text).root) == terms


def test_what_would_take_sympy_minutes_is_written_as_it_stands() -> None:
    """It multiplies out thousands of terms to see whether the sum begins with a minus."""
    text = "-tanh(-((z0 + z1 + z2 + z3 + z4 + z5 + z6 + z7 + z8 + 1e-7)**8)/(3 - -z9))"
    latex = parse_formula(text).latex()
    total = " + ".join(f"z_{{{i}}}" for i in range(9)) + r" + 1 \cdot 10^{-7}"
    power = rf"{{\left({total}\right)}}^{{8}}"
    below = r"3 - \left(-z_{9}\right)"
    assert latex == rf"-\tanh\left(\frac{{-{power}}}{{{below}}}\right)"
    strictly(latex)


def test_long_sums_and_products_have_few_brackets() -> None:
    """Typesetters nest only so deep."""
    long = " + ".join(f"z{i % 6}*z{(i + 1) % 6}*2.5" for i in range(100))
    latex = _latex_as_it_stands(parse_formula(long, 6).root, 3, {})
    assert r"\left" not in latex
    strictly(latex)
    assert _latex_as_it_stands(parse_formula("z0 - (z1 - z2)*(z3 + -z4)").root, 3, {}) == (
        r"z_{0} - \left(z_{1} - z_{2}\right) \cdot \left(z_{3} + \left(-z_{4}\right)\right)"
    )


@pytest.mark.parametrize("text", ["inv(0)", "1/0 + z1", "log(0)", "z1**-1*0**-2", "sqrt(-1)*z2"])
def test_what_has_no_value_has_latex_all_the_same(text: str) -> None:
    strictly(parse_formula(text).latex())


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("early G1", r"\mathrm{early\ G1}"),
        ("pro_meta", r"\mathrm{pro\ meta}"),
        ("5 $ {a}", r"\mathrm{5\ \$\ \{a\}}"),
        ("Zürich", r"\mathrm{Zurich}"),
        ("", r"\mathrm{?}"),
    ],
)
def test_any_name_is_latex(name: str, latex: str) -> None:
    assert latex_words(name) == latex
    strictly(latex)
