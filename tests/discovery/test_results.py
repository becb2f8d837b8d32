from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.discovery.quality import Quality
from napari_interpdisc.discovery.results import Discovery, FrontRow
from napari_interpdisc.models.formula import FormulaHead, parse_formula


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


def test_latex_names_the_classes() -> None:
    quality = Quality(1.0, 1.0, (1.0, 1.0), np.eye(2, dtype=np.int64))
    one = FrontRow(FormulaHead([parse_formula("z1 - 2", 4)]), 3, 1.0, quality)
    assert one.latex(classes=("no", "pro_meta")) == r"\mathrm{pro\ meta} :\ z_{1} - 2.0 \geq 0"
    assert one.latex() == "z_{1} - 2.0"
    two = FrontRow(FormulaHead([parse_formula(t, 4) for t in ("z1", "z2")]), 2, 1.0, quality)
    assert two.latex_lines(classes=("a", "b $")) == [
        r"s_{\mathrm{a}} = z_{1}", r"s_{\mathrm{b\ \$}} = z_{2}",
    ]  # fmt: skip
    assert two.latex(classes=("a", "b")).startswith(r"\begin{gathered} s_{\mathrm{a}} = z_{1} \\ s")
