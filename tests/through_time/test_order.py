"""Which class may follow which: by names, by text, and back to text."""

from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.through_time.order import Order, default_order, order_of_text

FOUR = ("Interphase", "Prometaphase", "Metaphase", "Anaphase")


def changes(order: Order) -> set[str]:
    names = order.classes
    return {f"{names[a][0]}{names[b][0]}" for a, b in np.argwhere(order.allowed) if a != b}


def test_phases_of_mitosis_follow_their_cycle_however_they_are_listed() -> None:
    order, said = default_order(("Metaphase", "Interphase", "Anaphase", "Prometaphase"))
    assert changes(order) == {"IP", "IM", "IA", "PM", "PA", "PI", "MA", "MI", "AI"}
    cycle = "Interphase >> Prometaphase >> Metaphase >> Anaphase >> Interphase"
    assert said == (
        f"Order by the names of the classes: {cycle}; >> means that phases between may be skipped."
    )
    strict, said = default_order(FOUR[::-1], skip=False)
    assert changes(strict) == {"IP", "PM", "MA", "AI"}
    assert "skipped" not in said
    two, said = default_order(("Interphase", "Metaphase"))
    assert changes(two) == {"IM", "MI"}
    assert said == "Order by the names of the classes: Interphase > Metaphase > Interphase."


def test_apoptosis_may_follow_any_class_and_is_not_left() -> None:
    order, _ = default_order((*FOUR, "Apoptosis"))
    assert order.allowed[:, 4].all()
    assert order.allowed[4].tolist() == [False] * 4 + [True]
    cycle = "Interphase >> Prometaphase >> Metaphase >> Anaphase >> Interphase"
    assert order.text == f"{cycle}, any > Apoptosis"


def test_unknown_names_are_free_and_that_is_said() -> None:
    order, said = default_order(("Interphase", "Blob"))
    assert order.is_free
    assert "'Blob' is no phase of the cell cycle" in said
    assert order.text == "Interphase > Blob > Interphase"
    assert default_order(("Interphase", "Blob", "Fog"))[0].text == "any"
    assert default_order(("Metaphase", "Dead"))[0].is_free


@pytest.mark.parametrize("arrow", [">", "->", " → "])
def test_an_order_is_read(arrow: str) -> None:
    chain = arrow.join([*FOUR, "Interphase"])
    order = order_of_text(f"{chain}, Prometaphase{arrow}Interphase", FOUR)
    assert changes(order) == {"IP", "PM", "MA", "AI", "PI"}
    assert order.allowed.diagonal().all()


def test_a_chain_may_skip() -> None:
    order = order_of_text("Interphase >> Prometaphase >> Metaphase, Metaphase > Anaphase", FOUR)
    assert changes(order) == {"IP", "IM", "PM", "MA"}
    assert order.text == (
        "Interphase > Prometaphase > Metaphase > Anaphase, Interphase > Metaphase"
    )


@pytest.mark.parametrize("seed", range(5))
def test_text_and_order_are_one(seed: int) -> None:
    allowed = np.random.default_rng(seed).random((4, 4)) < 0.4
    order = Order(FOUR, allowed)
    for one in (order, default_order(FOUR)[0], default_order((*FOUR, "Dead"), False)[0]):
        again = order_of_text(one.text, one.classes)
        np.testing.assert_array_equal(again.allowed, one.allowed)


def test_names_that_hold_no_class_or_miss_one_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"names 'Telophase', which is no class; they are Inter"):
        order_of_text("Interphase > Telophase", FOUR)
    with pytest.raises(InvalidInput, match="leaves out Metaphase, Anaphase; name every class"):
        order_of_text("Interphase > Prometaphase", FOUR)
    with pytest.raises(InvalidInput, match="leaves out"):
        order_of_text("", FOUR)
    assert order_of_text("any", FOUR).is_free
    with pytest.raises(InvalidInput, match="give 'any' one class that may follow"):
        order_of_text("any > Interphase > Metaphase", FOUR)
    with pytest.raises(InvalidInput, match="names 'any', which is no class"):
        order_of_text("Interphase > any", FOUR)
