from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_interpdisc.models.formula import parse_formula
from napari_interpdisc.symbolic.tidy import bare, decision_form, smaller_forms, with_threshold

X = torch.from_numpy(np.random.default_rng(0).normal(size=(300, 4)))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2*z0 + 3", "z0 + 1.5"),
        ("-2*(z0*z1)", "-(z0*z1)"),
        ("6 - 3*z0", "2.0 - z0"),
        ("2*exp(z0) - 2", "z0"),
        ("1 - exp(-(z0**2 + z1**2))", "z0**2 + z1**2"),
        ("-4/exp(z0) + 4", "z0"),
        ("square(-0.5*z0)*4 + square(z1)*(2) - 1", "z0**2 + 2.0*z1**2 - 1.0"),
        ("tanh(z0) + 0*z1", "z0"),
        ("(z0 + 1) - (z1 - 2)", "z0 - z1 + 3.0"),
        ("-(z0 - z1)", "z1 - z0"),
        ("z0*z0 - -2.0*z1", "z0**2 + 2.0*z1"),
    ],
)
def test_the_decision_without_what_does_not_matter(text: str, form: str) -> None:
    assert decision_form(parse_formula(text)) == parse_formula(form)


LEAF = st.sampled_from(["z0", "z1", "z2", "z3"]) | st.sampled_from(
    ["0.5", "-0.75", "2.0", "-1.5", "1.0"]
)
TEXT = st.recursive(
    LEAF,
    lambda inner: (
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})")
        | st.tuples(inner, st.sampled_from(["2.0", "-0.5"])).map(lambda p: f"({p[0]} / {p[1]})")
        | st.tuples(st.sampled_from(["square", "neg", "tanh", "abs", "exp"]), inner).map(
            lambda p: f"{p[0]}({p[1]})"
        )
    ),
    max_leaves=7,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(TEXT)
def test_the_form_decides_the_same_and_is_no_larger(text: str) -> None:
    formula = parse_formula(text)
    form = decision_form(formula)
    assert form.size <= formula.size
    before, after = formula.evaluate(X).numpy(), form.evaluate(X).numpy()
    with np.errstate(all="ignore"):
        clear = np.isfinite(before) & np.isfinite(after)
        clear &= (np.abs(before) > 1e-6) & (np.abs(before) < 1e6) & (np.abs(after) > 1e-9)
    np.testing.assert_array_equal(before[clear] > 0, after[clear] > 0)


def test_a_threshold_where_there_is_none() -> None:
    moved = with_threshold(parse_formula("z0 + z1"))
    assert moved is not None
    assert moved.constants == (0.0,)
    assert with_threshold(parse_formula("z0 - 1")) is None
    assert with_threshold(parse_formula("1 - z0")) is None


def test_smaller_and_bare_forms() -> None:
    formula = parse_formula("1.5*z0**2 + 2*z1 - 1")
    assert bare(formula) == parse_formula("z0**2 + z1 - 1.0")
    forms = list(smaller_forms(formula))
    assert parse_formula("z0**2 + 2*z1 - 1") in forms
    assert all(form.size < formula.size for form in forms)
