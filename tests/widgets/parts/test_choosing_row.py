from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from napari_interpdisc.widgets.parts.choosing_row import ChoosingRow


def test_rows_of_two_docks_say_the_same(
    make_scene: Callable[..., SimpleNamespace], qtbot: Any
) -> None:
    scene = make_scene(window=False)
    rows = [ChoosingRow(scene.viewer, scene.session) for _ in range(2)]
    for row in rows:
        qtbot.addWidget(row)
    one, other = rows
    one.buttons["box"].click()
    assert other.buttons["box"].isChecked()
    other.buttons["lasso"].click()
    assert not one.buttons["box"].isChecked()
    assert one.buttons["lasso"].isChecked()
    one.buttons["lasso"].click()
    assert not other.buttons["lasso"].isChecked()
    assert not one.none.isEnabled()
    scene.session.choose([0, 2, 3])
    assert [row.told.text() for row in rows] == ["3 cells chosen"] * 2
    other.none.click()
    assert not len(scene.session.chosen)
    assert one.told.text() == ""
    one.buttons["box"].click()
    one.leave_off()
    assert not other.buttons["box"].isChecked()
