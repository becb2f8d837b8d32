from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_interpdisc.errors import Cancelled
from napari_interpdisc.models.formula import parse_formula
from napari_interpdisc.symbolic.invariant import BEAM, MOST_TERMS, invariant_rules


def cells() -> tuple[np.ndarray, np.ndarray]:
    """Class 1 has a small z0 or a long (z4, z5), at any angle."""
    z = np.random.default_rng(0).normal(size=(1500, 6))
    return z, (z[:, 4] ** 2 + z[:, 5] ** 2 - 1.5 * z[:, 0] > 2).astype(np.int64)


def test_the_rule_is_found_and_does_not_turn() -> None:
    z, target = cells()
    rules = [parse_formula(text, 6) for text in invariant_rules(z, target, [(2, 3), (4, 5)])]
    assert len(rules) == BEAM * MOST_TERMS
    best = rules[BEAM]  # of the rules with two terms
    assert best.used_latents == (0, 4, 5)
    z0, r2, constant = best.constants
    assert z0 / r2 == pytest.approx(-1.5, abs=0.2)
    assert constant / r2 == pytest.approx(-2, abs=0.2)
    rotated = z.copy()
    angle = np.random.default_rng(1).uniform(0, 2 * np.pi, (len(z), 2))
    for (a, b), phi in zip([(2, 3), (4, 5)], angle.T, strict=True):
        rotated[:, a] = np.cos(phi) * z[:, a] - np.sin(phi) * z[:, b]
        rotated[:, b] = np.sin(phi) * z[:, a] + np.cos(phi) * z[:, b]
    for rule in rules:
        before, after = (rule.evaluate(torch.from_numpy(x)) for x in (z, rotated))
        np.testing.assert_allclose(before, after, atol=1e-9)


def test_without_pairs_there_is_nothing_to_be_invariant_about() -> None:
    assert invariant_rules(*cells(), []) == []


def test_a_latent_that_says_nothing_is_left_out() -> None:
    z, target = cells()
    z[:, 1] = 3.0
    assert not any("z1" in rule for rule in invariant_rules(z, target, [(4, 5)]))


def test_it_can_be_stopped() -> None:
    with pytest.raises(Cancelled):
        invariant_rules(*cells(), [(4, 5)], lambda: True)


def test_properties_are_invariant_terms_by_their_names() -> None:
    z, target = cells()
    with_area = np.concatenate([z, np.where(target == 1, 2.0, -2.0)[:, None]], 1)
    rules = invariant_rules(with_area, target, [(2, 3), (4, 5)], properties=("area",))
    assert parse_formula(rules[0], 6, None, ("area",)).used_properties == ("area",)
    # without pairs nothing is known of latents, and properties alone are used
    alone = [
        parse_formula(r, 6, None, ("area",))
        for r in invariant_rules(with_area, target, [], properties=("area",))
    ]
    assert alone
    assert {rule.used_latents for rule in alone} == {()}
