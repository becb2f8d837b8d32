"""A formula as the sum of its terms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.formula import Formula, parse_formula
from napari_interpdisc.scrutiny.anatomy_terms import (
    expanded,
    formula_wholes,
    latents_in,
    taken_apart,
    term_parts,
    terms_of,
    with_radii,
)

from .conftest import rule

PAIRS = ((18, 19), (24, 25))


def texts(formula: str, pairs: tuple[tuple[int, int], ...] = PAIRS) -> list[str]:
    apart = taken_apart(parse_formula(formula), pairs)
    return [apart.text(term) for term in apart.terms]


@pytest.mark.parametrize(
    ("formula", "terms"),
    [
        ("z1 + 2*z2 - 3", ["z1", "2*z2", "-3"]),
        ("1 - (z1 - 2) + 4", ["-z1", "7"]),
        ("2*(z1 + z2*z3)/4", ["0.5*z1", "0.5*(z2*z3)"]),
        ("z4*(z18**2 + z19**2) - exp(z3)", ["z4*(z18**2 + z19**2)", "-exp(z3)"]),
        ("2*z18**2 + z1 + 2*square(z19)", ["2*(z18**2 + z19**2)", "z1"]),
        ("2*z18**2 + 3*z19**2", ["2*z18**2", "3*z19**2"]),
        ("z18*z18 + z19*z19", ["z18**2 + z19**2"]),
        ("sqrt(z18**2 + z19**2)", ["sqrt(z18**2 + z19**2)"]),
        ("z1 - z1 + 0", ["z1", "-z1"]),
    ],
)
def test_terms_of_a_formula(formula: str, terms: list[str]) -> None:
    assert texts(formula) == terms


def test_a_pair_is_a_radius_only_where_it_occurs_nowhere_else() -> None:
    root = parse_formula("z18**2 + z19**2 + z24**2 + z25**2").root
    replaced, found = with_radii(root, PAIRS)
    assert found == PAIRS
    assert latents_in(replaced) == {-1, -2}
    assert Formula(expanded(replaced, found)).used_latents == (18, 19, 24, 25)
    also = parse_formula("z18**2 + z19**2 + z18 + z24**2 + z25**2").root
    replaced, found = with_radii(also, PAIRS)
    assert found == ((24, 25),)
    assert latents_in(replaced) == {18, 19, -1}
    assert with_radii(parse_formula("z18**2 + z1").root, PAIRS)[1] == ()


def test_constants_are_one_term_and_come_last() -> None:
    assert [t.factor for t in terms_of(parse_formula("1 + z1 + 2*3").root)] == [1.0, 7.0]


LEAVES = st.sampled_from(["z1", "z18", "z19", "z24**2", "z25**2", "z18**2", "z19**2", "0.5", "-2"])
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]}){t[1]}({t[2]})")
        | inner.map(lambda t: f"-({t})")
        | inner.map(lambda t: f"sin({t})")
        | inner.map(lambda t: f"({t})/4")
    ),
    max_leaves=10,
)


@given(TREES)
@settings(max_examples=150, deadline=None)
def test_any_formula_is_the_sum_of_its_terms(text: str) -> None:
    formula = parse_formula(text)
    z = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (20, 32)))
    apart = taken_apart(formula, PAIRS)
    total = sum(
        (Formula(expanded(term.tree, apart.pairs)).evaluate(z) for term in apart.terms),
        torch.zeros(20, dtype=torch.float64),
    )
    assert total.numpy() == pytest.approx(formula.evaluate(z).numpy(), rel=1e-9, abs=1e-9)
    for a, b in apart.pairs:
        turned = z.clone()
        turned[:, a], turned[:, b] = -z[:, b], z[:, a]
        assert formula.evaluate(turned).numpy() == pytest.approx(formula.evaluate(z).numpy())


@pytest.mark.parametrize("name", ["formula", "formula-plain", "formula-strict"])
def test_terms_of_bundled_rules_add_up_to_their_score(h2b: CellModel, name: str) -> None:
    z = np.random.default_rng(0).normal(size=(100, 32)) / 3
    named = h2b.head(name)
    score = h2b.score(z, name)[:, 0]
    parts = term_parts(named, h2b)
    assert sum(part.of_latents(z) for part in parts) == pytest.approx(score, rel=1e-4, abs=1e-4)
    (whole,) = formula_wholes(named, h2b)
    assert whole.of_latents(z) == pytest.approx(score, rel=1e-4, abs=1e-4)
    assert whole.decides
    assert not parts[0].decides


def test_the_inputs_of_a_term_are_those_it_uses(h2b: CellModel) -> None:
    parts = term_parts(rule("z2*(z18**2 + z19**2) - exp(z3) + 1", scales=(2.0,)), h2b)
    assert [[one.label for one in part.inputs] for part in parts] == [
        ["z2 granularity_coarse", "√(z18²+z19²) elongation"],
        ["z3 edge_sharpness"],
        [],
    ]
    assert parts[0].about.endswith(", times 2")
    # 2 · z2 · r²
    values, slopes = parts[0].with_gradient([[3.0, 0.5]])
    assert values == pytest.approx([1.5])
    assert slopes == pytest.approx(np.array([[0.5, 6.0]]))


def test_several_formulas_share_their_inputs(h2b: CellModel) -> None:
    named = rule("z18**2 + z19**2", "z1", "-1", classes=("a", "b", "c"))
    wholes = formula_wholes(named, h2b)
    assert [one.name for one in wholes] == ["lead of a", "lead of b", "lead of c"]
    assert [one.label for one in wholes[0].inputs] == [
        "z1 granularity_fine",
        "√(z18²+z19²) elongation",
    ]
    assert wholes[0]([[2.0, 3.0]]) == [7.0]
    assert wholes[1]([[2.0, 3.0]]) == [-7.0]
    assert [part.name for part in term_parts(named, h2b)] == [
        "term 1 of a", "term 1 of b", "term 1 of c",
    ]  # fmt: skip


def test_a_pair_that_one_of_several_formulas_reads_otherwise_is_no_radius(h2b: CellModel) -> None:
    named = rule("z24**2 + z25**2 + z18**2 + z19**2", "z24", "1", classes=("a", "b", "c"))
    wholes = formula_wholes(named, h2b)
    assert [one.latents for one in wholes[0].inputs] == [(24,), (25,), (18, 19)]
    z = np.random.default_rng(0).normal(size=(10, 32))
    squares = (z[:, [18, 19, 24, 25]] ** 2).sum(1)
    lead = squares - np.maximum(z[:, 24], 1)
    assert wholes[0].of_latents(z) == pytest.approx(lead, rel=1e-6)


def test_where_a_formula_is_undefined_neither_term_nor_score_has_a_value(h2b: CellModel) -> None:
    named = rule("log(z1) + 1")
    assert np.isnan(term_parts(named, h2b)[0]([[-1.0]])[0])
    assert np.isnan(formula_wholes(named, h2b)[0]([[-1.0]])[0])
