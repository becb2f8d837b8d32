from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from napari_interpdisc.errors import Cancelled, InvalidInput
from napari_interpdisc.symbolic import front as module
from napari_interpdisc.symbolic.front import (
    FittedFormula,
    FormulaFront,
    formula_front,
)
from napari_interpdisc.symbolic.search import Candidate
from napari_interpdisc.symbolic.settings import SearchSettings

OPERON = SearchSettings(engine="operon", generations=10, individuals=200)


def circle(n: int = 600) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    latents = np.random.default_rng(0).normal(size=(n, 32)).astype(np.float32)
    return latents, (latents[:, 3] ** 2 + latents[:, 7] ** 2 > 1).astype(np.int64)


@dataclass(frozen=True)
class Canned:
    """An engine that has found what it is told."""

    texts: Sequence[str]
    name: str = "canned"
    version: str | None = "1.0"

    def available(self) -> str | None:
        return None

    def search(self, *_: Any) -> list[Candidate]:
        return [Candidate(text, 1, 0.5) for text in self.texts]


def smallest_good(front: FormulaFront) -> FittedFormula:
    """The smallest formula whose balanced accuracy is within 0.01 of the best."""
    best = max(row.balanced_accuracy for row in front.rows)
    return next(row for row in front.rows if row.balanced_accuracy >= best - 0.01)


def canned(monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
    monkeypatch.setitem(module.engines, "operon", Canned(texts))


def test_a_known_rule_is_found_and_the_same_again() -> None:
    latents, target = circle()
    settings = SearchSettings(engine="operon")
    front = formula_front(latents, target, (3, 5, 7, 11), settings)
    row = smallest_good(front)
    assert row.formula.used_latents == (3, 7)
    assert row.size == 7  # z3**2 + z7**2 - 1
    assert row.balanced_accuracy > 0.97
    assert (front.engine, bool(front.engine_version)) == ("operon", True)
    sizes, losses = [r.size for r in front.rows], [r.loss for r in front.rows]
    assert sizes == sorted(set(sizes))
    assert losses == sorted(losses, reverse=True)
    assert all(r.size == r.formula.size <= OPERON.max_size for r in front.rows)
    assert formula_front(latents, target, (3, 5, 7, 11), settings) == front


def test_progress_rises_to_the_end_and_can_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    canned(monkeypatch, "z3 + z7", "z3**2 + z7**2 - 1")
    latents, target = circle(100)
    seen: list[int] = []
    formula_front(latents, target, (3, 7), OPERON, lambda done, _: seen.append(done))
    assert seen == sorted(seen)
    assert seen[-1] == 100
    with pytest.raises(Cancelled):
        formula_front(latents, target, (3, 7), OPERON, cancelled=lambda: True)


def test_what_is_no_formula_of_ours_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = [
        "__import__('os').system('true')",
        "z3.__class__",
        "max(z3, z7)",
        "z99",
        "(" * 500,
        "log(z3)",  # undefined at half of the cells
        "1.5",
    ]
    canned(monkeypatch, *hostile, "z3**2 + z7**2 - 1")
    front = formula_front(*circle(100), (3, 7), OPERON)
    assert front.refused == len(hostile)
    assert smallest_good(front).balanced_accuracy > 0.97
    canned(monkeypatch, *hostile)
    with pytest.raises(InvalidInput, match="found no formula"):
        formula_front(*circle(100), (3, 7), OPERON)


def test_needless_constants_and_functions_go(monkeypatch: pytest.MonkeyPatch) -> None:
    canned(monkeypatch, "1.9 - 2.5*exp(-(square(0.7*z3) + square(0.72*z7)))")
    front = formula_front(*circle(), (3, 7), OPERON)
    row = smallest_good(front)
    assert row.size == 7
    assert row.formula.constants == pytest.approx((1.0,), abs=0.1)


def test_views_and_a_teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[npt.NDArray[np.float64]] = []

    @dataclass(frozen=True)
    class Spy(Canned):
        def search(self, z: Any, y: Any, *_: Any) -> list[Candidate]:
            seen.extend((z, y))
            return super().search()

    monkeypatch.setitem(module.engines, "operon", Spy(["z3**2 + z7**2 - 1"]))
    latents, target = circle(50)
    views = np.stack([latents, latents])
    teacher = np.where(target == 1, 3.0, -3.0)
    formula_front(views, target, (7, 3), OPERON, teacher=teacher)
    assert seen[0].shape == (100, 2)
    np.testing.assert_array_equal(seen[0][50:], latents[:, [7, 3]])
    np.testing.assert_allclose(seen[1][:50], np.tanh(teacher / 2))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"latents": np.full((10, 32), np.nan)}, "NaN or infinite"),
        ({"target": np.zeros(10, np.int64)}, "give cells of both"),
        ({"target": np.arange(10)}, "separates two classes"),
        ({"target": np.arange(9) % 2}, "do not fit each other"),
        ({"use": ()}, "from z0 to z31"),
        ({"use": (1, 1)}, "each once"),
        ({"use": (32,)}, "from z0 to z31"),
    ],
)
def test_what_cannot_be_searched(change: dict[str, Any], match: str) -> None:
    given = {"latents": np.zeros((10, 32)), "target": np.arange(10) % 2, "use": (1,)} | change
    with pytest.raises(InvalidInput, match=match):
        formula_front(**given, settings=OPERON)


def test_rules_that_do_not_turn_stand_beside_the_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.engines, "operon", Canned(["z3**2 - 0.5"]))
    front = formula_front(*circle(), (3, 7), OPERON, pairs=[(3, 7)])
    assert front.engine == "canned"
    best = front.rows[-1]
    assert best.formula.used_latents == (3, 7)
    assert best.balanced_accuracy > 0.99
    without = formula_front(*circle(), (3, 7), OPERON)
    assert without.rows[-1].balanced_accuracy < 0.9


def test_a_planted_rule_on_a_property_is_found_by_its_name() -> None:
    draw = np.random.default_rng(0)
    columns = draw.standard_normal((300, 6))  # four latents, then area and solidity
    target = (columns[:, 4] - 0.8 * columns[:, 1] > 0.3).astype(int)
    front = formula_front(columns, target, (1, 2, 4, 5), OPERON, properties=("area", "solidity"))
    best = front.rows[-1].formula
    assert best.used_properties == ("area",)
    assert best.used_latents == (1,)
    assert front.rows[-1].balanced_accuracy > 0.97
    read = best.evaluate(
        torch.from_numpy(columns[:, :4]), None, torch.from_numpy(columns[:, 4:])
    ).numpy()
    assert ((read >= 0) == target).mean() > 0.97
