"""The explored cell as layers of the viewer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from napari_interpdisc.widgets.canvas.layers import data_to_world
from napari_interpdisc.widgets.explorer.widget import (
    ExplorerWidget,
)

from .conftest import ROW, Scene


def test_send_to_layers_places_the_pictures_side_by_side_from_the_cell_on(
    scene: Scene, explorer: ExplorerWidget, to_world: Callable[..., np.ndarray], qtbot: Any
) -> None:
    explorer.sliders.latents[5].slider.setValue(200)
    active = scene.viewer.layers.selection.active
    explorer.send.click()
    names = ["crop", "cell reconstruction", "edited"]
    layers = {name: scene.viewer.layers[name] for name in names}
    assert scene.viewer.layers.selection.active is active
    cells, size = scene.session.encoding.cells, scene.session.model.crop_size
    wanted = np.array(scene.image.scale) / [1, scene.session.zoom, scene.session.zoom]
    y, x = cells.yx[ROW]
    side = size / scene.session.zoom
    step = (layers["edited"].translate[-1] - layers["crop"].translate[-1]) / 2
    assert abs(step) > side * scene.image.scale[-1], "all three can be seen"
    for k, layer in enumerate(layers.values()):
        assert layer.data.shape == (1, size, size)
        np.testing.assert_allclose(layer.scale, wanted)
        middle = data_to_world(layer, [[0, (size - 1) / 2, (size - 1) / 2]])[0]
        at = (y, x + k * step / scene.image.scale[-1])
        np.testing.assert_allclose(middle, to_world(1, at))
        note = layer.metadata["interpdisc"]
        assert note["model_sha256"] == scene.session.model.sha256
        assert (note["frame"], note["track_id"]) == (1, 3)
    z = np.array(layers["edited"].metadata["interpdisc"]["z"], np.float32)
    assert z[5] == 2
    crop = scene.session.crop(ROW)[None, None]
    np.testing.assert_allclose(
        layers["edited"].data[0], scene.session.model.reconstruct(z[None], crop)[0, 0], atol=1e-6
    )
    n = len(scene.viewer.layers)
    scene.session.select(0)
    explorer.send.click()
    assert len(scene.viewer.layers) == n, "the layers are used again"
    assert layers["crop"].metadata["interpdisc"]["track_id"] == 1
