"""What the strip goes through."""

from __future__ import annotations

import numpy as np

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.widgets.explorer.traversal import VALUES, of_latent, of_pair
from napari_interpdisc.widgets.explorer.widget import (
    ExplorerWidget,
)
from napari_interpdisc.widgets.parts.pictures import grey_picture

from .conftest import ROW, are_alike, score


def test_the_strip_is_a_traversal_of_the_latent_touched_last(explorer: ExplorerWidget) -> None:
    model = explorer.session.model
    assert f"<b>{model.latent_label(model.by_importance()[0])}</b>" in explorer.strip_title.text()
    explorer.sliders.latents[7].name.click()
    assert f"<b>{model.latent_label(7)}</b>" in explorer.strip_title.text()
    z = explorer.session.encoding.latents[ROW].copy()
    z[7] = VALUES[-1]
    value, last = explorer.strip.labels[-1]
    assert (value, last) == ("+3", score(explorer, z))
    decoded = model.reconstruct(z[None], explorer.cell.crop[None, None])[0, 0]
    assert len(explorer.strip.pictures) == 7
    assert are_alike(explorer.strip.pictures[-1], grey_picture(decoded, explorer._limits))


def test_a_latent_goes_from_one_end_of_the_prior_to_the_other(bundled_model: CellModel) -> None:
    found = of_latent(bundled_model, 7)
    assert found.latents == [7]
    np.testing.assert_array_equal(found.values[:, 0], [-3, -2, -1, 0, 1, 2, 3])
    assert found.labels == ["−3", "−2", "−1", "0", "+1", "+2", "+3"]
    assert bundled_model.latent_label(7) in found.title


def test_a_pair_goes_along_its_radius_or_around(bundled_model: CellModel) -> None:
    longer = of_pair(bundled_model, (11, 27), "r", r=9, angle=90)
    assert longer.latents == [11, 27]
    np.testing.assert_allclose(longer.values[:, 0], 0, atol=1e-6)
    np.testing.assert_allclose(longer.values[:, 1], np.linspace(0, 3, 7), atol=1e-6)
    assert longer.labels[1] == "0.5"
    around = of_pair(bundled_model, (11, 27), "α", r=2, angle=90)
    np.testing.assert_allclose(np.hypot(*around.values.T), 2, rtol=1e-6)
    np.testing.assert_allclose(around.values[0], around.values[-1], atol=1e-5)
    assert (around.labels[0], around.labels[3], around.labels[-1]) == ("−180°", "0°", "+180°")
    assert around.title.startswith("<b>α</b> of")
