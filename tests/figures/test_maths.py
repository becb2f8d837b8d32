"""Typeset maths: ink of one colour on nothing, in lines that fit."""

from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.figures.maths import GAP, INDENT, draw_maths, draw_sum
from napari_interpdisc.models.formula import FUNCTIONS, parse_formula

WHITE, RED = (1.0, 1.0, 1.0, 1.0), (1.0, 0.0, 0.0, 1.0)
PARTS = ("z_{1}", r"+\ 2.5 \, \mathrm{granularity\ coarse}_{2}", r"-\ e^{z_{3}}", r"-\ 3")


def test_there_is_ink_of_the_colour_and_nothing_else() -> None:
    drawn = draw_maths(r"26.6 \, z_{7}^{2}", 14, RED)
    ink = drawn.pixels[..., 3] > 0
    assert ink.any()
    assert not ink.all()
    assert (drawn.pixels[ink][:, 1:3] == 0).all()
    assert not ink[[0, -1]].all()
    assert 0 < drawn.baseline < len(drawn.pixels)


def test_nothing_is_cut_off() -> None:
    """The frame around the letters is empty."""
    for latex in (r"\mathrm{score} =", r"\frac{z_{1}}{z_{2}}", r"\sqrt{z_{1}^{2}}", "g_{12}"):
        alpha = draw_maths(latex, 20, WHITE).pixels[..., 3].astype(int)
        frame = (alpha[0].max(), alpha[-1].max(), alpha[:, 0].max(), alpha[:, -1].max())
        assert max(frame) < 128, latex


def test_larger_letters_take_more_room() -> None:
    small, large = (draw_maths("z_{1}", size, WHITE).pixels.shape for size in (10.0, 30.0))
    assert large[0] > 2 * small[0]
    assert large[1] > 2 * small[1]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_of_a_formula_can_be_drawn(name: str) -> None:
    latex = parse_formula(f"-2.5e-7*{name}(z1/(z2 - 1))**0.5").latex(aliases={1: "size_z1"})
    assert draw_maths(latex, 12, WHITE).pixels[..., 3].any()


def test_a_sum_breaks_at_its_terms_to_fit() -> None:
    widths = [draw_maths(part, 14, WHITE).pixels.shape[1] for part in PARTS]
    gap, indent = round(GAP * 14), round(INDENT * 14)
    one = draw_sum(PARTS, 2000, 14, WHITE)
    assert one.shape[1] == sum(widths) + 3 * gap
    two = draw_sum(PARTS, one.shape[1] - 1, 14, WHITE)
    assert two.shape[1] == sum(widths[:3]) + 2 * gap
    assert two.shape[0] > 1.5 * one.shape[0]
    narrow = draw_sum(PARTS, max(widths) + indent, 14, WHITE)
    assert narrow.shape[1] <= max(widths) + indent
    assert narrow.shape[0] > two.shape[0]
    assert (one[..., 3] > 0).sum() == (narrow[..., 3] > 0).sum(), "all of it is there"


def test_a_term_that_is_too_wide_is_drawn_smaller_within_bounds() -> None:
    wide = draw_maths(PARTS[1], 14, WHITE).pixels.shape[1]
    assert draw_sum(PARTS[1:2], round(0.8 * wide), 14, WHITE).shape[1] <= 0.8 * wide
    least = draw_sum(PARTS[1:2], 10, 14, WHITE).shape[1]
    assert least == pytest.approx(0.6 * wide, rel=0.1)


def test_what_was_drawn_is_kept_and_cannot_be_changed() -> None:
    first = draw_sum(PARTS, 300, 14, WHITE)
    assert draw_sum(PARTS, 300, 14, WHITE) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 1
    assert not np.array_equal(first, draw_sum(PARTS, 300, 14, RED))


def test_what_is_no_maths_is_one_sentence() -> None:
    with pytest.raises(InvalidInput, match="cannot be typeset"):
        draw_maths(r"\frac{z_1", 14, WHITE)
    with pytest.raises(InvalidInput, match="cannot be typeset"):
        draw_maths(r"\left(" * 400 + "z" + r"\right)" * 400, 14, WHITE)
    with pytest.raises(InvalidInput, match="too long to be typeset in one line"):
        draw_maths("z +" * 50 + "z", 1000, WHITE)
