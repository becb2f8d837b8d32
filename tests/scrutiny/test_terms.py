"""Terms add up to the score, of every head that has a rule; weights of one that has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_interpdisc.crops import normalise
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.labelled_crops import read_labelled_crops
from napari_interpdisc.models.cell_model import CellModel, LatentMeaning, NamedHead
from napari_interpdisc.models.formula import FUNCTIONS, SCORE_LIMIT, FormulaHead, parse_formula
from napari_interpdisc.models.heads import DenseHead, Head, SparseHead
from napari_interpdisc.models.properties import HeadProperties
from napari_interpdisc.models.store import load_model
from napari_interpdisc.scrutiny.terms import Rule, latent_weights, rule_of, told_rule

L = 32


@pytest.fixture(scope="module")
def bundled() -> CellModel:
    return load_model(device="cpu")


@pytest.fixture(scope="module")
def model(bundled: CellModel) -> CellModel:
    """A model whose latent 0 is called size, and whose latents 18 and 19 rotate together."""
    names = {0: "size", 18: "elongation_cos", 19: "elongation_sin"}
    meanings = tuple(LatentMeaning(names.get(i, ""), "seen") for i in range(L))
    return replace(bundled, meanings=meanings)


def named(head: Head, *classes: str) -> NamedHead:
    return NamedHead("mine", head, classes or ("round", "flat"))


def formula_rule(text: str, model: CellModel, scale: float = 1.0) -> Rule:
    return rule_of(named(FormulaHead([parse_formula(text)], [scale])), model)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("z1 - z2", ["z1", "-z2"]),
        ("-(z1 - 3)", ["-z1", "3"]),
        ("2*(z1 + z0 - 1) + 0.5", ["2*z1", "2*size_z0", "-1.5"]),
        ("(z1 + z2)/4 - z3*2*z4", ["0.25*z1", "0.25*z2", "-2*(z3*z4)"]),
        ("z1*(z2 + z3)", ["z1*(z2 + z3)"]),
        ("z1 + 2*z1", ["3*z1"]),
        ("exp(-z1) - z2**2 + log(2)", ["exp(-z1)", "-z2**2", "0.693"]),
        ("z18**2 + z19**2 - 1", ["z18**2 + z19**2", "-1"]),
        ("1 - 2*(z18**2 + square(z19))", ["-2*(z18**2 + square(z19))", "1"]),
        ("-(z18**2 + z19**2)", ["-(z18**2 + z19**2)"]),
        ("z18**2 + z20**2", ["z18**2", "z20**2"]),
        ("z18**2 - z19**2", ["z18**2", "-z19**2"]),
        ("3/(2*z1)", ["1.5*(1.0/z1)"]),
        ("7", ["7"]),
        ("0", ["0"]),
    ],
)
def test_a_formula_is_taken_apart_at_its_outermost_sum(
    text: str, terms: list[str], model: CellModel
) -> None:
    (found,) = formula_rule(text, model).terms
    told = [t.text.replace("elongation_cos_z18", "z18") for t in found]
    told = [t.replace("elongation_sin_z19", "z19").replace("1/z1", "1.0/z1") for t in told]
    assert told == terms
    assert [t.constant for t in found] == [not t.latents for t in found]


def test_the_scale_of_the_head_is_in_the_terms(model: CellModel) -> None:
    rule = formula_rule("0.5*z0 - z7**2 - 0.1", model, scale=20)
    assert rule.text() == "10*size_z0 - 20*z7**2 - 2"
    assert rule.latex_parts() == (
        r"10.0 \, \mathrm{size}_{0}",
        r"-\ 20.0 \, z_{7}^{2}",
        r"-\ 2.0",
    )
    z = np.zeros((2, L))
    z[1, [0, 7]] = (3, 0.5)
    (values,) = rule.contributions(z)
    np.testing.assert_allclose(values, [[0, 0, -2], [30, -5, -2]])
    assert rule.filled(z[1]) == (("10*3.00", "-20*0.50**2", "-2"),)
    assert [t.latents for t in rule.terms[0]] == [(0,), (7,), ()]
    assert rule.scored == ("flat",)


def test_negative_values_are_filled_in_with_brackets(model: CellModel) -> None:
    z = np.full(L, -1.5)
    assert formula_rule("2*z1**2 - z2", model).filled(z) == (("2*(-1.50)**2", "-(-1.50)"),)


NUMBERS = st.floats(-9, 9).map(lambda v: f"{v:.3g}")
LATENTS = st.integers(0, 7).map(lambda i: f"z{i}")


def test_a_negative_sum_is_filled_in_with_brackets(model: CellModel) -> None:
    rule = formula_rule("z3 - (z18**2 + z19**2)", model)
    z = np.zeros(L)
    z[[18, 19]] = -0.25, -0.36
    assert rule.filled(z)[0][1] == "-((-0.25)**2 + (-0.36)**2)"


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        st.tuples(st.sampled_from(sorted(FUNCTIONS)), inner).map(lambda p: f"{p[0]}({p[1]})"),
        st.tuples(inner, st.sampled_from("23")).map(lambda p: f"({p[0]})**{p[1]}"),
    )


FORMULAS = st.recursive(NUMBERS | LATENTS, larger, max_leaves=12)


@settings(max_examples=150, deadline=None)
@given(FORMULAS, st.floats(0.1, 50), st.integers(0, 9))
def test_terms_of_any_formula_sum_to_its_score(text: str, scale: float, seed: int) -> None:
    model = load_once()
    head = FormulaHead([parse_formula(text)], [scale])
    z = np.random.default_rng(seed).normal(size=(6, L))
    (values,) = rule_of(named(head), model).contributions(z)
    with np.errstate(all="ignore"):
        sums, sizes = values.sum(1), np.abs(values).sum(1)
    wanted = (head.formulas[0].evaluate(torch.from_numpy(z)) * scale).numpy()
    fine = np.isfinite(wanted) & (sizes < 1e12)
    assert (np.abs(sums[fine] - wanted[fine]) <= 1e-9 * (1 + sizes[fine])).all()
    assert not np.isfinite(sums[~np.isfinite(wanted)]).any()
    scores = head(torch.from_numpy(z)).numpy()[:, 0]
    inside = fine & (np.abs(wanted) < SCORE_LIMIT)
    assert (np.abs(sums[inside] - scores[inside]) <= 1e-6 * (1 + sizes[inside])).all()


_kept: list[CellModel] = []


def load_once() -> CellModel:
    """Hypothesis and fixtures of a module do not go together well."""
    if not _kept:
        _kept.append(load_model(device="cpu"))
    return _kept[0]


def sparse_head(
    layers: tuple[int, ...], density: float, seed: int, pairs: tuple[tuple[int, int], ...] = ()
) -> SparseHead:
    generator = torch.Generator().manual_seed(seed)
    head = SparseHead(layers, pairs)
    for weight, bias, mask in zip(head.weights, head.biases, head.masks, strict=True):
        mask.copy_(torch.rand(mask.shape, generator=generator) < density)
        weight.data = torch.randn(weight.shape, generator=generator) * mask
        bias.data = torch.randn(bias.shape, generator=generator)
    return head.requires_grad_(False)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([(32, 1), (19, 3), (19, 6, 1), (32, 8, 8, 4), (19, 8, 8, 8, 1)]),
    st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    st.integers(0, 99),
)
def test_terms_of_any_sparse_head_sum_to_its_score(
    layers: tuple[int, ...], density: float, seed: int
) -> None:
    """Also where a neuron has no input, and where an output has lost all of its own."""
    pairs = ((12, 13), (14, 15), (18, 19)) if layers[0] == 19 else ()
    head = sparse_head(layers, density, seed, pairs)
    classes = ("a", "b") if layers[-1] == 1 else tuple("abcd"[: layers[-1]])
    rule = rule_of(named(head, *classes), load_once())
    z = np.random.default_rng(seed).normal(size=(5, L)).astype(np.float32)
    scores = head(torch.from_numpy(z)).numpy()
    for k, (terms, values) in enumerate(zip(rule.terms, rule.contributions(z), strict=True)):
        assert values.shape == (5, len(terms))
        np.testing.assert_allclose(values.sum(1), scores[:, k], rtol=1e-4, atol=1e-4)
        for term, column in zip(terms, values.T, strict=True):
            if term.constant:
                assert (column == column[0]).all()
            free = sorted(set(range(L)) - set(term.latents))
            other = z.copy()
            other[:, free] = 9
            np.testing.assert_allclose(
                rule.contributions(other)[k][:, terms.index(term)], column, atol=1e-12
            )


def test_every_bundled_head_is_its_terms(bundled: CellModel, rng: np.random.Generator) -> None:
    check_bundled_heads(bundled, rng.normal(size=(40, L)).astype(np.float32))


def test_every_bundled_head_is_its_terms_on_real_cells(
    bundled: CellModel, microscopy: Callable[[str], Path]
) -> None:
    images, _, _ = read_labelled_crops(microscopy("mitocheck_crops.npz"))
    crops = normalise(np.asarray(images)[::80, None])
    check_bundled_heads(bundled, bundled.encode(crops)[0])


def check_bundled_heads(bundled: CellModel, z: np.ndarray) -> None:
    kinds = set()
    for name, head in bundled.heads.items():
        kinds.add(head.head.kind)
        if head.head.kind == "dense":
            with pytest.raises(InvalidInput, match="has no rule; latent_weights tells"):
                rule_of(head, bundled)
            continue
        rule = rule_of(head, bundled)
        sums = np.stack([values.sum(1) for values in rule.contributions(z)], 1)
        np.testing.assert_allclose(sums, bundled.score(z, name), rtol=1e-4, atol=2e-3)
        used = {i for terms in rule.terms for term in terms for i in term.latents}
        assert used == set(head.head.used_latents)
    assert kinds == {"dense", "sparse", "formula"}


def one_neuron(weight: float) -> SparseHead:
    """Flat if 2·swish(weight·z0 + 3·√(z18² + z19²) + 1) − 5 ≥ 0; a second neuron is dead."""
    head = SparseHead((20, 2, 1), ((18, 19),))
    for mask, weights, places in (
        (head.mask_0, head.weights[0], {(0, 0): weight, (0, 19): 3.0}),
        (head.mask_1, head.weights[1], {(0, 0): 2.0, (0, 1): -1.0}),
    ):
        for place, value in places.items():
            mask[place] = True
            weights.data[place] = value
    head.biases[0].data = torch.tensor([1.0, 0.7])
    head.biases[1].data = torch.tensor([-5.0])
    return head.requires_grad_(False)


def test_a_sub_network_by_hand(model: CellModel) -> None:
    rule = rule_of(named(one_neuron(-2.0)), model)
    (terms,) = rule.terms
    swish = 0.7 / (1 + np.exp(-0.7))
    assert terms[0].text == "2*g1"
    assert terms[0].reads == ("size_z0", "r(z18, z19 elongation)")
    assert terms[0].latents == (0, 18, 19)
    assert terms[0].latex == (r"2.0 \, g_{1}(\mathrm{size}_{0},\,r(\mathrm{elongation}_{18,19}))")
    assert terms[1].text == f"-{5 + swish:.3g}", "the dead neuron is a part of the constant"
    assert rule.sub_networks == {"g1": terms[0].reads}
    z = np.zeros((1, L))
    z[0, [0, 18, 19]] = (1, 0.3, 0.4)
    inside = -2 + 3 * 0.5 + 1
    (values,) = rule.contributions(z)
    np.testing.assert_allclose(
        values[0], [2 * inside / (1 + np.exp(-inside)), -5 - swish], rtol=1e-6
    )
    assert rule.filled(z[0])[0][0] == f"2*{inside / (1 + np.exp(-inside)):.2f}"


def test_rules_of_several_classes(model: CellModel) -> None:
    head = FormulaHead([parse_formula(t) for t in ("z1", "2*z2", "1 - z3")], [1, 2, 1])
    rule = rule_of(named(head, "a", "b", "c"), model)
    assert [rule.text(k) for k in range(3)] == ["z1", "4*z2", "-z3 + 1"]
    assert rule.scored == ("a", "b", "c")
    assert list(told_rule(named(head, "a", "b", "c"), model)) == ["a: z1", "b: 2*z2", "c: 1 - z3"]


def test_what_is_told_of_heads(model: CellModel) -> None:
    formula = FormulaHead([parse_formula("z0 - 1")], [7])
    assert list(told_rule(named(formula), model)) == ["flat: size_z0 - 1 ≥ 0"]
    (told,) = told_rule(named(one_neuron(1.0)), model)
    assert told == (
        "a sparse network of 4 weights; reads z0 size, z18 elongation_cos, z19 elongation_sin"
    )
    (told,) = told_rule(named(DenseHead()), model)
    assert told == "a dense network of 1040 weights: there is no rule to read"


def test_a_formula_that_is_undefined_has_no_sum(model: CellModel) -> None:
    z = np.zeros((2, L))
    z[:, 1] = (-1, 1)
    (values,) = formula_rule("log(z1) + 3", model).contributions(z)
    assert np.isnan(values[0].sum())
    assert values[1].sum() == 3
    (huge,) = formula_rule("1000000*exp(z1)", model).contributions(z)
    assert huge[1, 0] > SCORE_LIMIT, "what the head cuts is not cut here"


@pytest.mark.parametrize("shape", [(L,), (3, 7), (2, 3, L)])
def test_latents_of_a_wrong_shape_are_refused(shape: tuple[int, ...], model: CellModel) -> None:
    with pytest.raises(InvalidInput, match="reads latents up to z7"):
        formula_rule("z7 - 1", model).contributions(np.zeros(shape))


def test_weights_of_latents_by_hand() -> None:
    head = FormulaHead([parse_formula("3*z1 - z2**2")])
    z = np.zeros((2, 4))
    z[:, 1], z[:, 2] = (0, 2), (1, 3)
    # around the mean (1, 2): |3·∓1| and |−2·1·(−1)|, |−2·3·1|
    np.testing.assert_allclose(latent_weights(head, z), [[0, 3, 4, 0]])
    np.testing.assert_allclose(latent_weights(head, z, np.zeros(4)), [[0, 3, 10, 0]])


def test_cells_without_a_value_have_no_part_in_the_weights() -> None:
    z = np.repeat([[-1.0], [1.0], [4.0]], 2, axis=1)
    # log has a slope in torch where it has no value: 1 / -1
    for text, expected in (("log(z1)", 1.0), ("sqrt(z1)", (0.5 + 1.0) / 2)):
        found = latent_weights(FormulaHead([parse_formula(text)]), z, np.zeros(2))
        np.testing.assert_allclose(found, [[0, expected]])
    nowhere = latent_weights(FormulaHead([parse_formula("log(z1)")]), z[:1], np.zeros(2))
    np.testing.assert_array_equal(nowhere, [[0, 0]])


def test_weights_of_a_dense_head_of_several_classes(rng: np.random.Generator) -> None:
    head = DenseHead((4, 3)).eval()
    z = rng.normal(size=(50, 4)).astype(np.float32)
    slopes = head.linears[0].weight.detach().abs().numpy()
    away = np.abs(z - z.mean(0)).mean(0)
    np.testing.assert_allclose(latent_weights(head, z), slopes * away, rtol=1e-4)


@pytest.mark.parametrize("z", [np.zeros((0, 4)), np.full((2, 4), np.nan), np.zeros(4)])
def test_weights_need_cells_with_latents(z: np.ndarray) -> None:
    with pytest.raises(InvalidInput, match="at least one cell with finite latents"):
        latent_weights(DenseHead((4, 1)), z)


def test_terms_of_a_formula_of_properties_sum_to_its_score(model: CellModel) -> None:
    read = HeadProperties(("area", "solidity"), (600.0, 0.9), (100.0, 0.05))
    formula = parse_formula("2*area - z1*solidity + 0.5", 32, None, read.names)
    head = FormulaHead([formula], [3.0], read)
    rule = rule_of(named(head), model)
    z = np.random.default_rng(0).normal(size=(5, 32))
    cells = {"area": np.linspace(400, 800, 5), "solidity": np.linspace(0.8, 1, 5)}
    (shares,) = rule.contributions(z, cells)
    assert shares.shape == (5, 3)
    columns = torch.from_numpy(read.columns(cells))
    expected = head(torch.from_numpy(z.astype(np.float32)), columns)[:, 0].numpy()
    np.testing.assert_allclose(shares.sum(1), expected, rtol=1e-4, atol=1e-4)
    assert rule.filled(z[0], {name: v[:1] for name, v in cells.items()})[0][0] == "6*(-2.00)"
    assert list(told_rule(named(head), model))[-1] == read.told()
    with pytest.raises(InvalidInput, match="beside latents"):
        rule.contributions(z)
    with pytest.raises(InvalidInput, match="heads that read latents alone"):
        latent_weights(head, z)


def test_terms_of_a_sparse_head_of_properties_are_refused(model: CellModel) -> None:
    read = HeadProperties(("area",), (600.0,), (100.0,))
    head = SparseHead((33, 1), properties=read)
    with pytest.raises(InvalidInput, match="reads measured properties beside latents"):
        rule_of(named(head), model)
