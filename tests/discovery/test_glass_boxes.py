"""Glass boxes: they find a plain rule, and their sizes are those of their expressions."""

from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.discovery import glass_boxes
from napari_interpdisc.discovery.glass_boxes import available, choices_size, left_out, sum_size


def test_size_of_a_sum() -> None:
    """w·a + v·b² + c: 3 + 4 nodes, two additions, the bias."""
    assert sum_size(np.array([0]), np.array([1]), 4, 0) == 3 + 4 + 2 + 1
    # the radius of a pair is √(a² + b²), 6 nodes more
    assert sum_size(np.array([0]), np.array([3]), 4, 1) == 3 + 4 + 2 + 1 + 6
    assert sum_size(np.array([], int), np.array([], int), 4, 0) == 1


def test_size_of_choices() -> None:
    """If a ≤ c then 1 else (if b ≤ d then 2 else 3): two choices of 4 nodes, three leaves."""
    assert choices_size([0, 1], 3, 0) == 2 * 4 + 3
    assert choices_size([], 3, 0) == 1
    assert choices_size([0, 2], 3, 1) == 2 * 4 + 3 + 6


@pytest.mark.parametrize("name", sorted(glass_boxes.FITTERS))
def test_finds_a_rule_of_one_input(name: str) -> None:
    if name not in available():
        pytest.skip(f"{left_out()[name]} is not installed (napari-interpdisc[glassbox])")
    draw = np.random.default_rng(0)
    x = draw.standard_normal((200, 4))
    target = (x[:, 2] > 0.3).astype(np.int64)
    box = available()[name](x, target, np.arange(200) // 5, 0, 0)
    new = draw.standard_normal((200, 4))
    assert (box.predict(new) == (new[:, 2] > 0.3)).mean() >= 0.93
    assert 2 in box.inputs
    assert box.size >= 5


def test_a_square_is_found_by_the_penalised_sum() -> None:
    draw = np.random.default_rng(0)
    x = draw.standard_normal((300, 3))
    target = (x[:, 1] ** 2 > 0.6).astype(np.int64)
    box = glass_boxes.l1_squares(x, target, np.arange(300) // 5, 0)
    new = draw.standard_normal((300, 3))
    assert (box.predict(new) == (new[:, 1] ** 2 > 0.6)).mean() >= 0.93
    assert 1 in box.inputs
    assert box.size < sum_size(np.arange(3), np.arange(3), 3, 0)


def test_what_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glass_boxes, "find_spec", lambda _: None)
    assert set(available()) == {"l1", "tree"}
    assert left_out() == {"ebm": "interpret", "figs": "imodels"}
