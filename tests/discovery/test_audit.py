"""Label audit: labels that were changed on purpose are found again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.discovery.audit import audit, audit_labels, audit_table
from napari_interpdisc.discovery.cross_validation import discover
from napari_interpdisc.discovery.labelled import LabelledCells
from napari_interpdisc.discovery.origins import Origins
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.store import load_model
from napari_interpdisc.patches import patches_of_crops
from napari_interpdisc.simulate.crops import CropSimulation, simulate_crops
from napari_interpdisc.training.heads import HeadTraining

from .conftest import labelled


def test_wrong_labels_come_first() -> None:
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.97, 0.03], [0.1, 0.9], [0.6, 0.4], [0.3, 0.7]])
    found = audit(p, np.array([0, 1, 1, 1, 0, 0]), ("a", "b"))
    assert found.rows[:2].tolist() == [2, 5]
    assert (found.labelled[0], found.suggested[0]) == (1, 0)
    assert found.doubtful[0]
    assert not found.doubtful[-1]
    assert found.quality[0] < found.quality[-1]


def test_right_labels_are_let_be() -> None:
    p = np.array([[0.9, 0.1], [0.2, 0.8]] * 10)
    found = audit(p, np.array([0, 1] * 10), ("a", "b"))
    assert not found.doubtful.any()
    assert found.sentence() == "None of 20 labels is contradicted by heads that did not see it."


def test_labels_that_are_called_otherwise_without_being_taken_for_wrong() -> None:
    found = audit(np.array([[0.9, 0.1], [0.2, 0.8]] * 10), np.array([0, 1] * 10), ("a", "b"))
    found = replace(found, suggested=1 - found.suggested)
    assert found.sentence() == (
        "None of 20 labels is taken for wrong; heads that did not see them call 20 otherwise."
    )


def test_a_class_that_does_not_occur() -> None:
    p = np.full((6, 3), [0.6, 0.1, 0.3])
    assert not audit(p, np.array([0, 0, 2, 0, 0, 0]), ("a", "b", "c")).doubtful[-1]
    assert not audit(p, np.zeros(6, np.int64), ("a", "b", "c")).doubtful.any()


def test_flipped_labels_of_simulated_cells_are_in_the_top_tenth() -> None:
    """One label in twenty is wrong; nearly all of those are among the first tenth."""
    model = load_model(device="cpu")
    round_ones, long_ones = (
        simulate_crops(150, seed, CropSimulation(eccentricity=shape, neighbours=(0, 2)))[0]
        for seed, shape in ((0, (0.2, 0.6)), (1, (0.8, 0.9)))
    )
    images = np.concatenate([round_ones, long_ones])
    patches = patches_of_crops(images, 23.0, model.model_diameter, model.crop_size)
    latents = model.encode(patches.crops(model.crop_size))[0]
    target = np.repeat([0, 1], 150)
    flipped = np.random.default_rng(0).choice(300, 15, replace=False)
    target[flipped] = 1 - target[flipped]
    group = np.random.default_rng(1).permutation(300) // 10
    cells = LabelledCells(latents, latents[None], target, group, ("round", "long"))
    recipe = Recipe(kinds=("dense",), folds=5, curve=False, dense=HeadTraining(steps=300))
    found = audit_labels(discover(cells, recipe))
    top = found.rows[:30]
    assert np.isin(flipped, top).mean() >= 0.8
    assert found.doubtful[:10].all()
    assert found.doubtful.sum() <= 60


def test_refuses_what_was_not_trained() -> None:
    recipe = Recipe(kinds=("dense",), folds=3, curve=False, dense=HeadTraining(steps=20))
    found = discover(labelled(60), recipe)
    with pytest.raises(InvalidInput, match="No sparse head was trained; there are dense"):
        audit_labels(found, "sparse")
    with pytest.raises(InvalidInput, match="does not tell the labels"):
        audit_labels(replace(found, target=np.zeros(0, np.int64)))


def test_the_table_tells_where_each_cell_is_by_rising_quality() -> None:
    p = np.array([[0.9, 0.1], [0.97, 0.03], [0.4, 0.6], [0.2, 0.8]])
    found = audit(p, np.array([0, 1, 1, 1]), ("a", "b"), np.array([0, 1, 2, 4]))
    cells = CellTable.from_arrays([0, 3, 5, 6, 7], [[10 + i, 20.125] for i in range(5)], range(5))
    table = audit_table(found, Origins.of_cells("m.tif", cells))
    assert list(table) == [
        *("movie", "track", "frame", "y", "x", "label", "suggested", "quality", "doubtful")
    ]
    assert table["track"].tolist() == ["1", "2", "4", "0"]
    assert table["frame"].tolist() == [3, 5, 7, 0]
    assert table.loc[0].to_dict() == {
        "movie": "m.tif", "track": "1", "frame": 3, "y": 11, "x": 20.12, "label": "b",
        "suggested": "a", "quality": 0.03, "doubtful": True,
    }  # fmt: skip
    assert table["quality"].is_monotonic_increasing


def test_what_is_not_known_of_a_cell_is_empty_in_the_table() -> None:
    found = audit(np.array([[0.9, 0.1], [0.3, 0.7]]), np.array([0, 1]), ("a", "b"))
    table = audit_table(found, Origins.of_groups("m.tif", np.array(["x", "y"])))
    assert table["frame"].isna().all()
    assert table["y"].isna().all()
    table = audit_table(found, Origins.of_archive("c.npz", [8, 3]))
    assert list(table)[:2] == ["movie", "row"]
    assert table["row"].tolist() == [3, 8]
