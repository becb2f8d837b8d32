"""What is found for the selected cell, from the session to the layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from napari_interpdisc._types import silent
from napari_interpdisc.errors import Cancelled, InvalidInput
from napari_interpdisc.models.cell_model import class_index
from napari_interpdisc.pipeline import cell_crops
from napari_interpdisc.widgets.canvas.layers import data_to_world
from napari_interpdisc.widgets.perturb.change import (
    TILE,
    asked,
    find_change,
    is_shown,
    remove_step,
    show_step,
    target_choices,
)

ROW = 4


def test_classes_in_the_order_of_their_scores(crowd: SimpleNamespace) -> None:
    session = crowd.session
    assert target_choices(session) == []
    session.select(ROW)
    result = session.classification
    own = result.index[ROW]
    assert target_choices(session) == [result.classes[1 - own]]
    session.set_model(session.model, "mitosis")
    result = session.classification
    order = np.argsort(-result.scores[ROW])
    assert target_choices(session) == [result.classes[k] for k in order[1:]]


def test_a_cell_without_pixels_cannot_change(crowd: SimpleNamespace) -> None:
    session = crowd.session
    told = session.encoding.no_pixels.copy()
    told[ROW] = "no pixels: a blank frame"
    session.encoding = replace(session.encoding, no_pixels=told)
    session.classification = replace(session.classification, encoding=session.encoding)
    session.select(ROW)
    assert target_choices(session) == []
    with pytest.raises(InvalidInput, match="This cell has no pixels"):
        asked(session, "Metaphase", "boundary", None)


def test_a_path_with_its_pictures(crowd: SimpleNamespace) -> None:
    session = crowd.session
    session.select(ROW)
    (target,) = target_choices(session)
    seen: list[tuple[int, int]] = []
    found = find_change(asked(session, target, "boundary", None), lambda *at: seen.append(at))
    assert seen[-1] == (8, 8)
    path, cells = found.path, session.encoding.cells
    np.testing.assert_array_equal(path.latents[0], session.encoding.latents[ROW])
    assert path.classes[path.target] == target
    assert not (cells.track_id[path.nearest] == cells.track_id[ROW]).any()
    # the picture of each step is its latents, decoded in the units of the cell's crop
    model, diameter = session.model, session.encoding.diameter
    own = cell_crops(session.frames, cells.take([ROW]), model, diameter)
    np.testing.assert_allclose(
        found.shown.pictures[3], model.reconstruct(path.latents[[3]], own)[0, 0], atol=1e-5
    )
    near = cell_crops(session.frames, cells.take([int(path.nearest[5])]), model, diameter)
    np.testing.assert_array_equal(found.shown.real[5], near[0, 0])
    track, t = cells.track_id[path.nearest[0]], cells.t[path.nearest[0]]
    assert found.step_told(0).startswith(f"Step 1 of 9: {path.classes[path.start_class]}, margin")
    assert f"Nearest real cell: Cell {track}, frame {t}, " in found.step_told(0)
    assert found.heading.endswith("Head 'dense' of model 'h2b'.")


def test_as_sure_as_the_class_is_now(crowd: SimpleNamespace) -> None:
    session = crowd.session
    session.set_model(session.model, "states")
    session.select(ROW)
    scores = np.sort(session.classification.scores[ROW])
    found = find_change(asked(session, target_choices(session)[0], "as sure", None), silent)
    assert found.margin == pytest.approx(scores[-1] - scores[-2], abs=1e-4)
    if found.path.reached:
        assert found.path.margins[-1] == pytest.approx(found.margin, abs=0.02)


def test_where_real_cells_are_is_found_out_once_a_head(crowd: SimpleNamespace) -> None:
    session = crowd.session
    session.select(ROW)
    first = find_change(asked(session, target_choices(session)[0], "boundary", None), silent)
    session.select(ROW + 1)
    (target,) = target_choices(session)
    assert asked(session, target, "boundary", first).real is first.real
    session.set_model(session.model, "formula")
    assert asked(session, target, "boundary", first).real is None


def test_what_cannot_be_asked(crowd: SimpleNamespace) -> None:
    session = crowd.session
    with pytest.raises(InvalidInput, match="No cell is selected"):
        asked(session, "Metaphase", "boundary", None)
    session.select(ROW)
    own = session.classification.classes[session.classification.index[ROW]]
    with pytest.raises(InvalidInput, match=f"The cell is called {own} already"):
        find_change(asked(session, own, "boundary", None), silent)
    with pytest.raises(InvalidInput, match="no other class"):
        asked(session, None, "boundary", None)

    def stop(done: int, n: int) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        find_change(asked(session, target_choices(session)[0], "boundary", None), stop)
    session.clear()
    with pytest.raises(InvalidInput, match="Run Cells first"):
        asked(session, "Metaphase", "boundary", None)


def test_seven_cells_are_too_few(make_scene: Callable[..., SimpleNamespace]) -> None:
    session = make_scene(window=False).session
    session.select(0)
    with pytest.raises(InvalidInput, match=r"7 cells are too few .* at least 20"):
        find_change(asked(session, target_choices(session)[0], "boundary", None), silent)


def test_a_step_is_laid_over_its_cell(crowd: SimpleNamespace) -> None:
    session, viewer = crowd.session, crowd.viewer
    session.select(ROW)
    found = find_change(asked(session, target_choices(session)[0], "boundary", None), silent)
    layer = show_step(viewer, crowd.image, found, 2)
    cells = session.encoding.cells
    here = data_to_world(crowd.image, [[cells.t[ROW], *cells.yx[ROW]]])[0]
    np.testing.assert_allclose(data_to_world(layer, [[0, 31.5, 31.5]])[0], here)
    np.testing.assert_array_equal(layer.data[0], found.shown.pictures[2])
    assert show_step(viewer, crowd.image, found, 7) is layer
    np.testing.assert_array_equal(layer.data[0], found.shown.pictures[7])
    note = layer.metadata["interpdisc"]
    assert (note["step"], note["head"]) == (7, "dense")
    assert note["scores"] == found.path.scores[7].tolist()
    assert class_index(np.array([note["scores"]]))[0] == class_index(found.path.scores)[7]
    assert is_shown(viewer)
    assert remove_step(viewer)
    assert TILE not in viewer.layers
    assert not remove_step(viewer)
