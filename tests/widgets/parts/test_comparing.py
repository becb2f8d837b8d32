"""Heads are compared on a thread, once for the same heads and cells."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QWidget

from napari_interpdisc.discovery.rashomon import Member
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.widgets.parts.comparing import Comparison

TWO = ("no", "yes")


@pytest.fixture
def scene(make_scene: Callable[..., SimpleNamespace]) -> SimpleNamespace:
    return make_scene(window=False)


@pytest.fixture
def comparison(scene: SimpleNamespace, qtbot: Any) -> Comparison:
    parent = QWidget()
    qtbot.addWidget(parent)
    made = Comparison(parent, scene.session)
    made.parent = parent  # type: ignore[attr-defined]
    return made


def members(*texts: str) -> Callable[[], list[Member]]:
    return lambda: [Member(t, FormulaHead([parse_formula(t, 32)]), 0.9) for t in texts]


def refuse(why: str) -> None:
    pytest.fail(why)


def test_the_session_has_what_the_heads_call_its_cells(
    scene: SimpleNamespace, comparison: Comparison, qtbot: Any
) -> None:
    session = scene.session
    comparison.start("a", members("z0", "-z0", "1 + z0*z0"), TWO, refuse)
    qtbot.waitUntil(lambda: session.compared is not None)
    assert session.compared.calls.shape == (3, len(session.encoding.cells))
    np.testing.assert_allclose(session.disagreement, 1 / 3)
    first = session.compared
    session.set_model(session.model, session.head_name)
    assert session.compared is None
    assert session.disagreement is None
    comparison.start("a", lambda: pytest.fail("they are compared already"), TWO, refuse)
    assert session.compared is first


def test_what_came_first_is_kept_unless_this_leads(
    scene: SimpleNamespace, comparison: Comparison, qtbot: Any
) -> None:
    comparison.start("a", members("z0"), TWO, refuse)
    qtbot.waitUntil(lambda: scene.session.compared is not None)
    comparison.start("b", members("z0", "z1"), TWO, refuse)
    qtbot.waitUntil(lambda: not comparison.work.running)
    assert len(scene.session.compared.members) == 1
    leading = Comparison(comparison.parent, scene.session, leads=True)  # type: ignore[attr-defined]
    leading.start("b", members("z0", "z1"), TWO, refuse)
    qtbot.waitUntil(lambda: len(scene.session.compared.members) == 2)


def test_a_result_for_other_cells_is_dropped(
    scene: SimpleNamespace, comparison: Comparison, qtbot: Any
) -> None:
    comparison.start("a", members("z0"), TWO, refuse)
    scene.finish()
    qtbot.waitUntil(lambda: not comparison.work.running)
    assert scene.session.compared is None
    scene.session.clear()
    comparison.start("a", members("z0"), TWO, refuse)
    assert not comparison.work.running


def test_why_nothing_can_be_compared_is_told(
    scene: SimpleNamespace, comparison: Comparison, qtbot: Any
) -> None:
    told: list[str] = []
    comparison.start("a", members(), TWO, told.append)
    qtbot.waitUntil(lambda: bool(told))
    assert told == ["There is no head to compare; train some first."]
