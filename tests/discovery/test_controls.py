"""Controls: fitted on some groups, they score cells of the others."""

from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.discovery import baselines
from napari_interpdisc.discovery.controls import CrossFitted, fit_control
from napari_interpdisc.errors import Cancelled, InvalidInput
from napari_interpdisc.models.cell_model import class_index
from napari_interpdisc.models.tcvae import TCVAEConfig
from napari_interpdisc.patches import Patches, patches_of_crops
from napari_interpdisc.simulate.crops import CropSimulation, simulate_crops
from napari_interpdisc.training.cnn import CNNTraining

CLASSES = ("round", "long")


@pytest.fixture(scope="module")
def cells() -> tuple[Patches, np.ndarray, np.ndarray]:
    """Patches of 24 round and 24 long nuclei, their labels, and six groups."""
    images = [
        simulate_crops(24, k, CropSimulation(
            side=112, eccentricity=between, neighbours=(0, 0), noise=(0.03, 0.03),
        ))[0]
        for k, between in enumerate([(0.0, 0.3), (0.9, 0.95)])
    ]  # fmt: skip
    labels = np.repeat(CLASSES, 24)
    return patches_of_crops(np.concatenate(images), 26.0), labels, np.arange(48) % 6


def test_a_forest_tells_shapes_of_groups_that_it_did_not_see(
    cells: tuple[Patches, np.ndarray, np.ndarray],
) -> None:
    patches, labels, groups = cells
    control = fit_control("forest", patches, labels, CLASSES, groups, 64, folds=3)
    assert (control.name, control.classes, control.model) == ("forest", CLASSES, "control")
    scores = control.score(patches.crops(64), np.arange(48))
    assert scores.shape == (48, 1)
    assert np.isfinite(scores).all()
    assert (np.array(CLASSES)[class_index(scores)] == labels).mean() > 0.9
    # cells of one group are scored by one model
    assert all(len(set(control.fold[groups == g])) == 1 for g in range(6))


def test_a_cell_is_scored_by_the_model_that_did_not_see_its_group() -> None:
    models = [lambda crops, k=k: np.full((len(crops), 1), k, np.float32) for k in range(3)]
    control = CrossFitted("cnn", CLASSES, models, np.array([2, 0, 1, 2]))
    crops = np.zeros((3, 1, 4, 4), np.float32)
    assert control.score(crops, np.array([3, 1, 2]))[:, 0].tolist() == [2, 0, 1]
    assert control.score(crops)[:, 0].tolist() == [1, 1, 1], "the mean, of cells that none saw"
    assert control.score(crops[:0], np.zeros(0, int)).shape == (0, 1)


def test_labels_that_say_nothing_cannot_be_learned(
    cells: tuple[Patches, np.ndarray, np.ndarray],
) -> None:
    """A fit that had seen the cells would know their labels by heart."""
    patches, labels, groups = cells
    mixed = np.where((groups % 2).astype(bool), *CLASSES)
    control = fit_control("forest", patches, mixed, CLASSES, groups, 64, folds=3)
    scores = control.score(patches.crops(64), np.arange(48))
    right = (np.array(CLASSES)[class_index(scores)] == mixed).mean()
    assert right < 0.75
    del labels


def test_a_forest_of_three_classes(cells: tuple[Patches, np.ndarray, np.ndarray]) -> None:
    patches, labels, groups = cells
    three = labels.astype("<U9")
    three[:12] = "something"
    control = fit_control("forest", patches, three, (*CLASSES, "something"), groups, 64, folds=3)
    scores = control.score(patches.crops(64), np.arange(48))
    assert scores.shape == (48, 3)
    assert (class_index(scores) == 1)[24:].mean() > 0.9


def test_a_cnn_scores_each_fold_and_is_the_same_for_the_same_seed(
    cells: tuple[Patches, np.ndarray, np.ndarray],
) -> None:
    patches, labels, groups = cells
    short = CNNTraining(
        steps=20, batch=16, network=TCVAEConfig(widths=(4, 4, 8, 8), hidden=16, latents=8)
    )
    seen: list[tuple[int, int]] = []
    made = [
        fit_control(
            "cnn", patches, labels, CLASSES, groups, 64, folds=2, cnn=short,
            progress=lambda *step: seen.append(step),
        )
        for _ in range(2)
    ]  # fmt: skip
    crops = patches.crops(64)
    first, second = (control.score(crops, np.arange(48)) for control in made)
    np.testing.assert_array_equal(first, second)
    assert seen[: len(seen) // 2] == [(20, 40), (40, 40)]
    one = made[0].models[int(made[0].fold[5])](crops[5:6])
    np.testing.assert_allclose(first[5], one[0], atol=1e-4)


def test_progress_may_stop_it(cells: tuple[Patches, np.ndarray, np.ndarray]) -> None:
    def stop(done: int, total: int) -> None:
        raise Cancelled

    patches, labels, groups = cells
    with pytest.raises(Cancelled):
        fit_control("forest", patches, labels, CLASSES, groups, 64, folds=2, progress=stop)


@pytest.mark.parametrize(
    ("classes", "group", "told"),
    [
        (("round",), None, "two or more different classes"),
        (("round", "flat"), None, "labelled long are of none"),
        (CLASSES, 0, "cells of round in 3 groups at least"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    cells: tuple[Patches, np.ndarray, np.ndarray],
    classes: tuple[str, ...],
    group: int | None,
    told: str,
) -> None:
    patches, labels, groups = cells
    own = groups if group is None else np.full(48, group)
    with pytest.raises(InvalidInput, match=told):
        fit_control("forest", patches, labels, classes, own, 64, folds=3)


def test_shapes_are_measured_once_for_all_forests(
    cells: tuple[Patches, np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    patches, labels, groups = cells
    control = fit_control("forest", patches, labels, CLASSES, groups, 64, folds=3)
    measured = []
    plain = baselines.shape_features

    def counted(crops: np.ndarray) -> np.ndarray:
        measured.append(len(crops))
        return plain(crops)

    monkeypatch.setattr(baselines, "shape_features", counted)
    control.score(patches.crops(64)[:4])
    assert measured == [4]
