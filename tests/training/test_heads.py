from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import class_index
from napari_interpdisc.models.heads import DenseHead
from napari_interpdisc.training.heads import HeadTraining, train_dense_head

QUICK = HeadTraining(hidden=(8,), steps=150, batch=32)


def blobs(n_classes: int, each: int = 30) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Latents in well-split_sources clouds, one for each class."""
    rng = np.random.default_rng(0)
    target = np.repeat(np.arange(n_classes), each)
    latents = rng.normal(0, 0.3, (len(target), 4))
    latents[np.arange(len(target)), target] += 3
    return latents.astype(np.float32), target


def chosen(head: DenseHead, latents: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    with torch.inference_mode():
        return class_index(head(torch.from_numpy(latents)).numpy())


@pytest.mark.parametrize("n_classes", [2, 3])
def test_separable_classes_are_learned(n_classes: int) -> None:
    latents, target = blobs(n_classes)
    head = train_dense_head(latents, target, n_classes, QUICK)
    np.testing.assert_array_equal(chosen(head, latents), target)
    assert head.layers == (4, 8, 1 if n_classes == 2 else 3)
    assert not head.training


def test_a_rare_class_counts_as_much_as_a_common_one() -> None:
    rng = np.random.default_rng(1)
    target = np.repeat([0, 1], [400, 12])
    latents = rng.normal(0, 1, (412, 4)).astype(np.float32)
    latents[target == 1, 0] += 1.5
    found = chosen(train_dense_head(latents, target, 2, QUICK), latents)
    assert (found[target == 1] == 1).mean() > 0.7


def test_the_default_is_the_papers_head() -> None:
    latents = np.random.default_rng(0).normal(size=(10, 32)).astype(np.float32)
    head = train_dense_head(latents, np.arange(10) % 2, 2, HeadTraining(steps=1))
    assert head.n_weights == 1040


def test_a_latent_that_is_zero_throughout_is_not_read() -> None:
    latents, target = blobs(2)
    latents = np.column_stack([latents, np.zeros((len(latents), 2), np.float32)])
    latents[:, 2] = 0
    head = train_dense_head(latents, target, 2, QUICK, pairs=[(4, 5)])
    assert head.used_inputs == head.used_latents == (0, 1, 3)
    assert head.n_weights == 3 * 8 + 8
    full = train_dense_head(latents[:, [0, 1, 3]], target, 2, QUICK)
    assert head.expression_size == full.expression_size
    # what it may meet there later changes nothing
    changed = latents.copy()
    changed[:, [2, 4, 5]] = np.random.default_rng(0).normal(size=(len(latents), 3))
    with torch.inference_mode():
        assert torch.equal(head(torch.from_numpy(latents)), head(torch.from_numpy(changed)))


def test_the_seed_decides_and_nothing_else() -> None:
    latents, target = blobs(2)
    first = train_dense_head(latents, target, 2, QUICK).state_dict()
    torch.manual_seed(5)
    state = torch.get_rng_state()
    second = train_dense_head(latents, target, 2, QUICK).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(state, torch.get_rng_state())  # nobody else's random numbers are drawn
    other = train_dense_head(latents, target, 2, QUICK.model_copy(update={"seed": 1})).state_dict()
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_views_of_a_cell_are_drawn_from() -> None:
    """A class that only shows in the second view is learned from it."""
    latents, target = blobs(2)
    views = np.stack([np.zeros_like(latents), latents])
    head = train_dense_head(views, target, 2, QUICK)
    np.testing.assert_array_equal(chosen(head, latents), target)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_latents_that_are_not_finite(value: float) -> None:
    latents, target = blobs(2)
    latents[3, 1] = value
    with pytest.raises(InvalidInput, match="Latents hold NaN or infinite values"):
        train_dense_head(latents, target, 2, QUICK)


@pytest.mark.parametrize(("n_classes", "empty"), [(3, 1), (4, 2)])
def test_a_class_without_cells(n_classes: int, empty: int) -> None:
    latents, target = blobs(2)
    with pytest.raises(InvalidInput, match=f"{empty} of {n_classes} have none"):
        train_dense_head(latents, target, n_classes, QUICK)


def test_one_class_is_not_enough() -> None:
    latents, _ = blobs(2)
    with pytest.raises(InvalidInput, match="At least two classes"):
        train_dense_head(latents, np.zeros(len(latents), np.int64), 1, QUICK)
