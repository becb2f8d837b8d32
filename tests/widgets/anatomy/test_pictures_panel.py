from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.number_text import with_sign
from napari_interpdisc.scrutiny.anatomy import Anatomy
from napari_interpdisc.widgets.anatomy.pictures_panel import NOTHING, PicturesPanel
from napari_interpdisc.widgets.parts.pictures import grey_picture
from napari_interpdisc.widgets.parts.wording import CHANGED_COLOUR

from ..parts.test_track_plot import places


@pytest.fixture
def panel(bundled_model: CellModel, formula: Anatomy, qtbot: Any) -> PicturesPanel:
    made = PicturesPanel()
    qtbot.addWidget(made)
    made.set_model(bundled_model, "formula")
    made.set_limits(formula.cells.latents[:5])
    return made


def test_the_cell_is_decoded_and_scored(
    panel: PicturesPanel, bundled_model: CellModel, formula: Anatomy
) -> None:
    z = formula.cells.latents[7]
    panel.show_cell(z)
    wanted = grey_picture(bundled_model.decode(z[None])[0, 0], panel._limits)
    assert panel.pictures[0].picture == wanted
    grain = grey_picture(bundled_model.decode_texture(z[None])[0, 0], panel._grain_limits)
    assert panel.grains[0].picture == grain
    score = float(bundled_model.score(z[None], "formula")[0, 0])
    name = ("Interphase", "Metaphase")[score >= 0]
    assert panel.told[0].text() == f"{name} {with_sign(score)}"
    assert panel.pictures[1].picture is None


def test_another_class_than_its_own_is_marked(panel: PicturesPanel, formula: Anatomy) -> None:
    scores = formula.wholes[0].of_latents(formula.cells.latents)
    low, high = formula.cells.latents[scores.argmin()], formula.cells.latents[scores.argmax()]
    panel.show_cell(low, high)
    assert panel.told[0].is_marked
    assert len(places(panel.told[0].grab().toImage(), CHANGED_COLOUR)) > 20
    panel.show_cell(high, high)
    assert not panel.told[0].is_marked
    assert not len(places(panel.told[0].grab().toImage(), CHANGED_COLOUR))


def test_a_verdict_that_changes_lays_nothing_out(panel: PicturesPanel, qtbot: Any) -> None:
    panel.show()
    qtbot.wait(20)
    asked: list[QEvent.Type] = []

    class Watch(QObject):  # type: ignore[misc]
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
            asked.append(event.type())
            return False

    watch = Watch()
    panel.installEventFilter(watch)
    panel.told[0].say("Metaphase +2.31")
    qtbot.wait(20)
    assert QEvent.Type.LayoutRequest not in asked
    panel.removeEventFilter(watch)


def test_what_is_under_the_pointer_comes_and_goes(panel: PicturesPanel, formula: Anatomy) -> None:
    panel.show_pointed(formula.cells.latents[3])
    assert panel.pictures[1].picture is not None
    assert panel.grains[1].picture is not None
    panel.show_pointed(None)
    assert panel.pictures[1].picture is None
    assert panel.told[1].text() == NOTHING
    panel.clear()
    assert panel.told[1].text() == ""


def test_all_pictures_have_one_contrast(panel: PicturesPanel, formula: Anatomy) -> None:
    limits = panel._limits
    panel.show_cell(formula.cells.latents[0])
    panel.show_pointed(np.array(formula.cells.latents[1]) * 2)
    assert panel._limits == limits


def test_every_part_says_what_it_is(panel: PicturesPanel) -> None:
    views: list[QWidget] = [*panel.pictures, *panel.grains, *panel.told]
    assert all(one.toolTip() for one in views)
