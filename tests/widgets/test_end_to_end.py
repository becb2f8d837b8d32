"""From a real movie to a perturbed cell, in a window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.layers import data_to_world
from napari_interpdisc.widgets.canvas.overlay import find_overlay
from napari_interpdisc.widgets.cells.widget import CellsWidget
from napari_interpdisc.widgets.classify.widget import ClassifyWidget
from napari_interpdisc.widgets.explorer.widget import ExplorerWidget
from napari_interpdisc.widgets.perturb.widget import PerturbWidget
from napari_interpdisc.widgets.session import session_of

FIRST, COUNT = 41, 4
SCALE, TRANSLATE = (1.0, 0.65, 0.65), (0.0, 20.0, -5.0)


@pytest.fixture
def movie(microscopy: Callable[[str], Path]) -> tuple[np.ndarray, np.ndarray]:
    """Consecutive frames (T, Y, X) of sequence 01, and their tracks (N, 4)."""
    table = pd.read_csv(microscopy("hela_ctc/seq01_tracks.csv"))
    folder, frames, tracks = microscopy("hela_ctc"), [], []
    times = [t for t in range(92) if (folder / f"seq01_t{t:03d}.tif").exists()]
    times = [t for t in times if t >= FIRST][:COUNT]
    for k, t in enumerate(times):
        frames.append(tifffile.imread(folder / f"seq01_t{t:03d}.tif")[0])
        here = table[table["t"] == t]
        tracks.append(
            np.column_stack([here["track_id"], np.full(len(here), k), here["y"], here["x"]])
        )
    return np.stack(frames), np.concatenate(tracks)


def test_a_real_movie(
    movie: tuple[np.ndarray, np.ndarray],
    make_napari_viewer: Callable[..., Any],
    qtbot: Any,
) -> None:
    image, tracks = movie
    viewer = make_napari_viewer(show=True)
    # µm and an offset: nothing may depend on layers being in pixels
    placed = {"scale": SCALE, "translate": TRANSLATE}
    layer = viewer.add_image(image, name="H2B", **placed)
    cells = viewer.add_tracks(tracks, name="tracks", **placed)

    made = {}
    for kind in (CellsWidget, ClassifyWidget, ExplorerWidget, PerturbWidget):
        made[kind] = kind(viewer)
        viewer.window.add_dock_widget(made[kind], tabify=True)

    run = made[CellsWidget]
    run.diameter.setValue(27.5)
    run.run.click()
    qtbot.waitUntil(lambda: not run.work.running, timeout=120_000)
    session = session_of(viewer)
    assert session.classification is not None, run.status.text()

    # every cell has latents, score and class, in the order of the layer's own rows
    features = cells.features
    assert len(features) == len(tracks)
    assert {"z_0", "z_31", "score", "class", "confidence"} <= set(features.columns)
    np.testing.assert_allclose(features["score"], session.classification.scores[:, 0], rtol=1e-5)
    assert cells.metadata["interpdisc"]["model_sha256"] == session.model.sha256
    share = float((features["class"] == "Metaphase").mean())
    assert 0.005 < share < 0.2, "some cells divide, most do not"

    # the overlay has the class of the clearest metaphase at its own place
    row = int(np.argmax(features["score"]))
    t, y, x = cells.data[row, 1:]
    overlay = find_overlay(viewer)
    assert overlay is not None
    world = data_to_world(layer, [[t, y, x]])[0]
    viewer.dims.set_point(0, world[0])
    assert overlay.get_value(tuple(world), world=True) == 2

    # a click on it selects it
    for callback in unwrapped(viewer).mouse_drag_callbacks:
        if hasattr(callback, "pick"):
            callback.pick(world)
    assert session.selected == row

    # dragging a latent changes the decoded cell and the score
    explorer = made[ExplorerWidget]
    explorer.show()
    explorer.parentWidget().raise_()
    qtbot.waitUntil(lambda: bool(explorer.sliders.latents))
    latent = session.model.by_importance()[0]
    assert len(explorer.sliders.latents) == 32
    assert next(iter(explorer.sliders.latents)) == latent
    before = explorer.scores.text()
    slider = explorer.sliders.latents[latent].slider
    slider.setValue(slider.maximum())
    qtbot.waitUntil(lambda: explorer.scores.text() != before)
    # far from its own value, one latent or another flips it
    for each in explorer.sliders.latents.values():
        for value in (each.slider.minimum(), each.slider.maximum()):
            if explorer.scores.text().count("Metaphase") < 2:
                break
            each.slider.setValue(value)
            qtbot.wait(60)
    assert explorer.scores.text().count("Metaphase") < 2

    # FGSM in image space, one ε for all, placed where the cell is
    perturb = made[PerturbWidget]
    perturb.attack.run()
    qtbot.waitUntil(lambda: not perturb.attack.work.running)
    assert perturb.attack.result is not None
    after = perturb.attack.result.shown.perturbed_scores[0, 0]
    assert after < session.classification.scores[row, 0]
    tile = viewer.layers["perturbed"]
    middle = (np.array(tile.data.shape) - 1) / 2
    if tile.data.ndim == 3:
        middle[0] = 0 if tile.data.shape[0] == 1 else t
    np.testing.assert_allclose(data_to_world(tile, [middle])[0][-2:], world[-2:], atol=0.65)
