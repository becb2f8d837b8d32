"""The slider of one latent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from napari_interpdisc.widgets.explorer.widget import (
    ExplorerWidget,
)

from ..conftest import IN_WINDOW
from .conftest import the_pair


def test_a_cell_outside_the_usual_range_fits_its_slider(qapp: Any) -> None:
    from napari_interpdisc.widgets.explorer.latent_row import LatentRow

    row = LatentRow(0, 1.0, 1.0)
    row.show_value(-6.3, -6.3)
    assert row.slider.minimum() / 100 < -6.3
    assert row.slider.value() == -630
    row.show_value(0.5, 0.5)
    assert row.slider.maximum() == 400
    row.deleteLater()


@IN_WINDOW
def test_names_and_why_stand_at_the_sliders_if_there_are_any(named: ExplorerWidget) -> None:
    model = named.session.model
    first, second, *_, last = model.by_importance()
    assert list(named.sliders.latents) == model.by_importance(), "names change no order"
    assert named.sliders.latents[first].name.text() == f"z{first} size"
    assert named.sliders.latents[last].name.text() == f"z{last}"
    for part in (named.sliders.latents[first].name, named.sliders.latents[first].slider):
        assert f"z{first} size: area, ρ = −0.97" in part.toolTip()
    assert f"z{last} unnamed: texture, ρ = 0.21" in named.sliders.latents[last].name.toolTip()
    long = named.sliders.latents[second].name
    assert "elongation_of_the_central_nucleus_cos" in long.toolTip()
    assert "…" in long.shown_text(), "it is cut where there is no room"
    assert long.shown_text().endswith("cos")
    assert f"<b>z{first} size</b>" in named.strip_title.text()
    assert named.minimumSizeHint().width() < 460
    row = the_pair(named)[0]
    view = row.parentWidget().parentWidget()
    for each in (row, *named.sliders.latents.values()):
        assert each.minimumSizeHint().width() <= view.width(), "nothing is cut off on the right"

    session = named.session
    named.sliders.latents[5].slider.setValue(100)
    session.set_model(replace(session.model, meanings=(), orientation_pairs=()))
    assert not named.sliders.pairs
    own = session.model.n_cell_latents
    assert {each.name.text() for each in named.sliders.latents.values()} == {
        f"z{i}" if i < own else f"z{i} surroundings" for i in range(32)
    }
    assert named.sliders.latents[5].name.toolTip().splitlines() == [
        "z5 has no name: what it follows was never measured",
        "Show the traversal of z5",
        "The head 'dense' reads it",
    ]
    assert named.cell.edited[5] == 1, "names are no reason to forget what was edited"
    assert named.sliders.latents[5].slider.value() == 100
