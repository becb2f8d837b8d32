"""The Rashomon set: who is in it, what its members use, and where they disagree."""

from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.discovery.quality import Quality
from napari_interpdisc.discovery.rashomon import (
    Member,
    default_row,
    members_of_discovery,
    members_of_model,
    rashomon_set,
    true_front,
)
from napari_interpdisc.discovery.results import Discovery, FrontRow
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import NamedHead
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.properties import HeadProperties
from napari_interpdisc.models.store import load_model, replace_heads

TWO = ("no", "yes")


def member(text: str, accuracy: float) -> Member:
    return Member(text, FormulaHead([parse_formula(text, 4)]), accuracy)


@pytest.fixture
def members() -> list[Member]:
    return [
        member("z0 + z1", 0.95),
        member("z0", 0.96),
        member("z2", 0.80),
        member("z0 - 1", 0.951),
    ]


def test_members_are_within_delta_of_the_best(members: list[Member]) -> None:
    found = rashomon_set(members, TWO, np.zeros((1, 4)), 0.01)
    assert [m.name for m in found.members] == ["z0", "z0 - 1", "z0 + z1"]
    assert [m.name for m in found.others] == ["z2"]
    assert len(rashomon_set(members, TWO, np.zeros((1, 4)), 0).members) == 1
    assert len(rashomon_set(members, TWO, np.zeros((1, 4)), 1).members) == 4


def test_agreement_and_disagreement(members: list[Member]) -> None:
    """Called by z0, z0 − 1 and z0 + z1; the last cell has no latents."""
    z = np.array([[2, 0, 0, 0], [0.5, 0, 0, 0], [0.5, -1, 0, 0], [-1, 0, 0, 0], [np.nan] * 4])
    found = rashomon_set(members, TWO, z)
    np.testing.assert_array_equal(
        found.calls, [[1, 1, 1, 0, -1], [1, 0, 0, 0, -1], [1, 1, 0, 0, -1]]
    )
    np.testing.assert_allclose(found.disagreement, [0, 1 / 3, 1 / 3, 0, np.nan])
    np.testing.assert_allclose(found.agreement, [[1, 0.5, 0.75], [0.5, 1, 0.75], [0.75, 0.75, 1]])
    assert found.sentence() == (
        "3 heads within 0.01 of the best balanced accuracy (0.960); they agree on 50.0 % of 4 "
        "cells."
    )


def test_all_heads_of_a_training(found: Discovery) -> None:
    members = members_of_discovery(found)
    assert [m.name for m in members[:2]] == ["dense", "sparse"]
    assert sum(m.name == "formula" for m in members) == 1
    assert len(members) == 2 + len(found.front) + len(found.dominated)


def test_heads_of_a_stored_model_that_answer_the_same_question() -> None:
    model = load_model(device="cpu")
    z = np.zeros((3, model.n_latents), np.float32)
    members = members_of_model(model, "formula-strict")
    assert {m.name for m in members} == {"dense-strict", "sparse-strict", "formula-strict"}
    found = rashomon_set(members, model.head("formula-strict").classes, z, delta=0.05)
    assert {m.name for m in (*found.members, *found.others)} == {m.name for m in members}


def test_refuses() -> None:
    model = load_model(device="cpu")
    with pytest.raises(InvalidInput, match="no head to compare"):
        rashomon_set([], TWO, np.zeros((1, 4)))
    with pytest.raises(InvalidInput, match="from 0 to 1, not 7"):
        rashomon_set([member("z0", 1)], TWO, np.zeros((1, 4)), 7)
    bare = replace_heads(model, "bare", {"rule": NamedHead("rule", member("z0", 1).head, TWO)}, "")
    with pytest.raises(InvalidInput, match="'bare' does not say how head 'rule' did"):
        members_of_model(bare, "rule")


def test_a_smaller_set_within_a_larger_one(members: list[Member]) -> None:
    z = np.array([[2.0, 0, 0, 0], [0.5, -1, 1, 0]])
    whole = rashomon_set(members, TWO, z, 1)
    for delta in (0, 0.01, 1):
        part, alone = whole.within(delta), rashomon_set(members, TWO, z, delta)
        assert (part.members, part.others, part.delta) == (alone.members, alone.others, delta)
        np.testing.assert_array_equal(part.calls, alone.calls)
    with pytest.raises(InvalidInput, match=r"from 0 to 0\.01 here, not 0\.5"):
        whole.within(0.01).within(0.5)


def test_heads_that_read_properties_are_asked_with_them() -> None:
    read = HeadProperties(("area",), (600.0,), (100.0,))
    members = [
        Member("area", FormulaHead([parse_formula("area", 4, None, read.names)], (), read), 0.9),
        Member("z0", FormulaHead([parse_formula("z0", 4)]), 0.9),
    ]
    z = np.array([[1.0, 0, 0, 0]] * 3, np.float32)
    areas = {"area": np.array([500.0, 700.0, np.nan])}
    found = rashomon_set(members, ("small", "large"), z, measured=areas)
    assert found.calls.tolist() == [[0, 1, -1], [1, 1, 1]]
    with pytest.raises(InvalidInput, match="reads area beside latents"):
        rashomon_set(members, ("small", "large"), z)


def row(text: str, accuracy: float, low: float = 0.0) -> FrontRow:
    head = FormulaHead([parse_formula(text, 8)])
    quality = Quality(accuracy, accuracy, (low, 1.0), np.array([[1, 0], [0, 1]]))
    return FrontRow(head, head.expression_size, accuracy, quality)


def test_a_row_that_a_smaller_one_equals_is_off_the_front() -> None:
    small, equal, worse = row("z0", 0.8), row("z0 + 1", 0.8), row("z0 + z1 + 1", 0.7)
    large = row("z0 + z1 + z2 + 1", 0.9)
    front, dominated = true_front([large, worse, small, equal])
    assert front == (small, large)
    assert dominated == (equal, worse)


def test_the_default_is_the_smallest_within_the_interval_of_the_best() -> None:
    rows = [row("z0", 0.76), row("z0 + 1", 0.829), row("z0 + z1 + 1", 0.85, low=0.8)]
    assert default_row(rows) == 1
    rows[2] = row("z0 + z1 + 1", 0.85, low=0.84)
    assert default_row(rows) == 2
    assert default_row(rows[:1]) == 0


def test_the_formula_of_a_training_is_the_default_and_has_its_figure(found: Discovery) -> None:
    chosen = found.front[default_row(found.front)]
    head = found.heads["formula"].head
    assert isinstance(head, FormulaHead)
    assert head.formulas == chosen.head.formulas
    assert found.heads["formula"].quality.balanced_accuracy == chosen.quality.balanced_accuracy
    accuracies = [one.quality.balanced_accuracy for one in found.front]
    assert accuracies == sorted(set(accuracies))
    assert [one.size for one in found.front] == sorted({one.size for one in found.front})


def test_cells_without_a_value_are_not_compared_and_told() -> None:
    members = [member("z0", 0.96), member("log(z1)", 0.96)]
    z = np.array([[1, 3, 0, 0], [-1, 0.5, 0, 0], [1, -1, 0, 0], [np.nan] * 4])
    found = rashomon_set(members, TWO, z)
    np.testing.assert_array_equal(found.calls, [[1, 0, 1, -1], [1, 0, -1, -1]])
    assert found.undefined.tolist() == [[False] * 4, [False, False, True, False]]
    np.testing.assert_array_equal(found.disagreement, [0, 0, np.nan, np.nan])
    assert found.sentence().endswith(
        "they agree on 100.0 % of 2 cells; 1 cell for which a formula has no value is not compared."
    )
    assert found.within(0).undefined.shape == (2, 4)
