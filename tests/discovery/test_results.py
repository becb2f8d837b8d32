from __future__ import annotations

import pytest

from napari_interpdisc.discovery.results import Discovery


def test_the_front_grows_in_size_and_each_row_has_a_held_out_figure(found: Discovery) -> None:
    sizes = [row.size for row in found.front]
    assert sizes == sorted(set(sizes))
    assert max(sizes) <= 9
    for row in found.front:
        assert row.size == row.head.expression_size
        assert row.quality.confusion.sum() == 160
        assert "z" in row.text
        assert "z_{" in row.latex()
    assert found.front[-1].training_balanced_accuracy > 0.9
    # the formula that was chosen is one of them, and has one figure
    chosen = found.heads["formula"]
    (row,) = [r for r in found.front if r.head.formulas == chosen.head.formulas]  # type: ignore[attr-defined]
    assert row.quality.balanced_accuracy == chosen.quality.balanced_accuracy


def test_the_learning_curve_ends_with_all_training_cells(found: Discovery) -> None:
    cells = [point.cells for point in found.learning_curve]
    assert cells == sorted(cells)
    assert cells[-1] == pytest.approx(160 * 2 / 3, abs=3)
    assert all(0 <= point.mean <= 1 and point.sd >= 0 for point in found.learning_curve)
