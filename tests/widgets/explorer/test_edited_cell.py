from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_interpdisc.models.cell_model import CellModel, NamedHead
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.heads import DenseHead
from napari_interpdisc.models.properties import HeadProperties
from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig
from napari_interpdisc.widgets.explorer.edited_cell import EditedCell
from napari_interpdisc.widgets.parts.wording import class_of, verdict


@pytest.fixture
def cell(bundled_model: CellModel, rng: np.random.Generator) -> EditedCell:
    crop = rng.normal(size=(64, 64)).astype(np.float32)
    return EditedCell(bundled_model, None, crop, rng.normal(size=32).astype(np.float32))


def test_it_begins_as_the_cell_itself(cell: EditedCell, bundled_model: CellModel) -> None:
    assert not cell.is_edited
    crop, reconstruction, decoded = cell.shown()
    assert crop is cell.crop
    np.testing.assert_array_equal(reconstruction, decoded)
    np.testing.assert_allclose(
        reconstruction,
        bundled_model.reconstruct(cell.own[None], cell.crop[None, None])[0, 0],
        atol=1e-5,
    )
    own, edited = cell.scores()
    np.testing.assert_allclose(own, edited, rtol=1e-5)  # they may be of other batches
    assert cell.classes == bundled_model.head().classes


def test_editing_changes_decoding_and_score_and_not_the_cell(
    cell: EditedCell, bundled_model: CellModel
) -> None:
    before = cell.own.copy()
    cell.edited[5] += 2
    assert cell.is_edited
    np.testing.assert_array_equal(cell.own, before)
    np.testing.assert_allclose(
        cell.decoded(),
        bundled_model.reconstruct(cell.edited[None], cell.crop[None, None])[0, 0],
        atol=1e-6,
    )
    own, edited = cell.scores()
    np.testing.assert_allclose(own, bundled_model.score(before[None])[0], atol=1e-5)
    assert own != edited
    cell.edited[9] = 0
    cell.reset(5)
    assert cell.edited[5] == before[5]
    assert cell.edited[9] == 0
    cell.reset()
    assert not cell.is_edited


def test_a_traversal_changes_its_latents_alone(cell: EditedCell, bundled_model: CellModel) -> None:
    cell.edited[2] = 1
    pictures, scores = cell.traverse([4, 7], [[-3, 0], [3, 1]])
    wanted = np.stack([cell.edited, cell.edited])
    wanted[:, [4, 7]] = [[-3, 0], [3, 1]]
    np.testing.assert_allclose(
        pictures, bundled_model.reconstruct(wanted, cell.crop[None, None])[:, 0], atol=1e-6
    )
    np.testing.assert_allclose(scores, bundled_model.score(wanted), atol=1e-5)
    assert cell.edited[4] == cell.own[4], "nothing is edited by looking"


def test_local_contrast_of_all_three(cell: EditedCell, bundled_model: CellModel) -> None:
    cell.edited[0] += 1
    crop, own, edited = cell.shown("texture")
    assert crop.shape == own.shape == edited.shape == (32, 32)
    np.testing.assert_allclose(
        edited, bundled_model.decode_texture(cell.edited[None])[0, 0], atol=1e-5
    )
    assert np.abs(own - edited).max() > 0
    assert cell.traverse([0], [[1]], "texture")[0].shape == (1, 32, 32)


def test_the_cell_and_what_is_around_it_are_shown_apart() -> None:
    torch.manual_seed(0)
    shape = TCVAEConfig(latents=8, rotating=(1,), around=(2,), window=20, widths=(4, 4, 8, 8))
    heads = {"a": NamedHead("a", DenseHead((6, 4, 1)), ("A", "B"))}
    model = CellModel("two", "", TCVAE(shape).eval(), heads, 28.0, np.ones(8), np.ones(8))
    crop = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    cell = EditedCell(model, None, crop, model.encode(crop[None, None])[0][0])
    alone = cell.reconstruction
    _, whole, _ = cell.shown("whole")
    assert not np.allclose(whole, alone), "the light from around the cell is added"
    cell.edited[0] += 3
    _, _, edited = cell.shown("whole")
    light, still = whole - alone, edited - cell.decoded()
    np.testing.assert_allclose(still, light, atol=1e-5, err_msg="neighbours stand still")
    assert np.abs(cell.decoded() - alone).max() > 1e-4


def test_measured_properties_are_held_while_latents_are_edited(
    bundled_model: CellModel, rng: np.random.Generator
) -> None:
    read = HeadProperties(("area",), (400.0,), (100.0,))
    head = FormulaHead([parse_formula("area + z1", 32, None, read.names)], (), read)
    model = replace(bundled_model, heads={"mine": NamedHead("mine", head, ("a", "b"))})
    crop = rng.normal(size=(64, 64)).astype(np.float32)
    cell = EditedCell(model, None, crop, np.zeros(32, np.float32), {"area": 550.0})
    cell.edited[1] = 2
    own, edited = cell.scores()
    assert (own[0], edited[0]) == pytest.approx((1.5, 3.5), abs=1e-5)
    assert cell.traverse([1], [[0], [1]])[1][:, 0].tolist() == pytest.approx([1.5, 2.5], abs=1e-5)


def test_edited_to_where_a_formula_has_no_value_there_is_a_dash(
    cell: EditedCell, bundled_model: CellModel
) -> None:
    """And not a score of 0, which would be the second class."""
    head = FormulaHead([parse_formula("log(z3)", 32)])
    heads = {"mine": NamedHead("mine", head, ("a", "b"))}
    cell.own[3] = 2
    mine = EditedCell(replace(bundled_model, heads=heads), "mine", cell.crop, cell.own)
    mine.edited[3] = -1
    own, edited = mine.scores()
    assert verdict(mine.classes, own) == "b +0.69"
    assert verdict(mine.classes, edited) == "– (no value)"
    _, along = mine.traverse([3], [[-2], [0.5]])
    assert [class_of(mine.classes, one) for one in along] == ["–", "a"]
