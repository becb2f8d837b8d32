from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.scrutiny.anatomy import Anatomy
from napari_interpdisc.widgets.anatomy.part_view import PartView, pictures_of


@pytest.fixture
def view(formula: Anatomy, bundled_model: CellModel) -> PartView:
    (whole,) = formula.wholes
    return PartView(whole, formula.cells, bundled_model, (0, 2))


def test_a_map_is_computed_anew_only_if_an_input_off_its_axes_changes(view: PartView) -> None:
    z = view.cells.latents[0].copy()
    found = view.response(z)
    assert view.labels == ("z2 granularity_coarse (both axes: prior SD)", "z11")
    assert view.is_map
    z[[2, 11, 30]] += 1  # the axes, and one that it does not read
    assert view.response(z) is found
    assert view.n_responses == 1
    z[7] += 0.1
    assert view.response(z) is not found
    assert view.n_responses == 2


def test_the_place_of_a_cell_and_back(view: PartView, bundled_model: CellModel) -> None:
    z = view.cells.latents[5]
    place, value = view.place(z)
    np.testing.assert_allclose(place, z[[2, 11]])
    assert value == pytest.approx(float(bundled_model.score(z[None], "formula")[0, 0]), abs=1e-4)
    moved = view.moved(z, (0.5, -0.25))
    np.testing.assert_allclose(view.place(moved)[0], (0.5, -0.25))
    np.testing.assert_array_equal(np.flatnonzero(moved != z), [2, 11])


def test_a_place_is_kept_on_the_axes(view: PartView) -> None:
    (x, y) = view.ground.points
    np.testing.assert_allclose(view.inside((99, -99)), (x[-1], y[0]))
    np.testing.assert_allclose(view.inside((x[3], y[4])), (x[3], y[4]))
    corners = view.corners(view.cells.latents[0])
    assert len(corners) == 5
    assert corners[1:, 2].min() == pytest.approx(x[0])
    assert corners[1:, 11].max() == pytest.approx(y[-1])


def test_strongest_inputs_are_the_axes_if_none_are_given(
    sparse: Anatomy, bundled_model: CellModel
) -> None:
    view = PartView(sparse.wholes[0], sparse.cells, bundled_model)
    assert len(view.axes) == 2
    assert len(view.part.inputs) == 6
    assert view.points.shape == (200, 2)


def test_along_the_output_of_a_neuron_nothing_moves(
    sparse: Anatomy, bundled_model: CellModel
) -> None:
    trunk = PartView(sparse.parts[-1], sparse.cells, bundled_model)
    z = sparse.cells.latents[0]
    assert not trunk.can_move
    assert trunk.labels == ("sub-network 2", "neuron 2.0")
    assert len(trunk.corners(z)) == 1
    with pytest.raises(InvalidInput, match="is a neuron and no latent"):
        trunk.moved(z, (0, 0))


def test_what_is_saved_is_what_is_shown(view: PartView) -> None:
    z = view.cells.latents[1]
    panel = view.panel(z)
    np.testing.assert_array_equal(panel.response.values, view.response(z).values)
    assert len(panel.traversals) == 2


def test_pictures_are_decoded_with_their_grain(bundled_model: CellModel) -> None:
    z = np.random.default_rng(0).normal(size=(2, 32))
    pictures, grain = pictures_of(bundled_model, z)
    np.testing.assert_array_equal(pictures, bundled_model.decode(z)[:, 0])
    assert grain is not None
    np.testing.assert_array_equal(grain, bundled_model.decode_texture(z)[:, 0])
