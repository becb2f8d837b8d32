from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_interpdisc.cells import CellTable
from napari_interpdisc.discovery.augmented import (
    label_cells,
    labelled_cells,
    left_out,
    pairs_within,
    patch_latents,
    unread_latents,
)
from napari_interpdisc.discovery.labelled import Labels
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.store import load_model
from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig
from napari_interpdisc.patches import Patches, patches_of_cells
from napari_interpdisc.pipeline import encode_cells
from napari_interpdisc.scrutiny.properties import measure_crops
from napari_interpdisc.simulate.movie import SimulationSettings, simulate_movie


@pytest.fixture(scope="module")
def model() -> CellModel:
    return load_model(device="cpu")


@pytest.fixture(scope="module")
def movie() -> tuple[Frames, CellTable]:
    made = simulate_movie(SimulationSettings(shape=(2, 200, 200), cells=9, seed=1))
    return Frames(made.image), made.cells


def test_plain_latents_are_those_of_the_pipeline(
    movie: tuple[Frames, CellTable], model: CellModel
) -> None:
    frames, cells = movie
    target = (np.arange(len(cells)) % 2).astype(np.int64)
    labels = Labels(np.arange(len(cells)), target, cells.track_id, ("a", "b"))
    recipe = Recipe(augmented=2, rotations=1)
    seen: list[tuple[int, int]] = []
    labelled = label_cells(frames, cells, 28.0, model, labels, recipe, lambda *p: seen.append(p))
    expected = encode_cells(frames, cells, model, 28.0).latents
    own = model.n_cell_latents
    np.testing.assert_allclose(labelled.latents, expected[:, :own], atol=1e-4)
    assert labelled.augmented.shape == (2, len(cells), own)
    assert seen == [(len(cells), len(cells))]
    assert labelled.classes == ("a", "b")
    some = labelled.take([3, 1])
    np.testing.assert_array_equal(some.augmented, labelled.augmented[:, [3, 1]])
    assert labelled.pairs == some.pairs == pairs_within(model, own)
    # nearer to the latents of the same cell than to those of another, and rotated
    still = model.encoder.config.n_invariant
    same = np.abs(labelled.augmented[0] - labelled.latents).mean(0)
    other = np.abs(labelled.augmented[0] - np.roll(labelled.latents, 5, 0)).mean(0)
    assert same[:still].mean() < other[:still].mean()
    assert same[still:].mean() > 0.1


def test_augmented_crops_are_decided_by_the_seed(
    movie: tuple[Frames, CellTable], model: CellModel
) -> None:
    patches = patches_of_cells(*movie, 28.0).take(np.arange(4))
    assert patches.pixels.shape == (4, 96, 96)
    first, again, other = (
        patch_latents(patches, model, Recipe(augmented=1, seed=seed)).augmented
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_each_augmented_crop_is_rotated_in_latent_space(
    movie: tuple[Frames, CellTable], model: CellModel
) -> None:
    """Invariant latents stay as they were, the others rotate: no crop is encoded again."""
    patches = patches_of_cells(*movie, 28.0).take(np.arange(4))
    found = patch_latents(patches, model, Recipe(augmented=2, rotations=3)).augmented
    assert found.shape == (6, 4, model.n_cell_latents)
    still = model.encoder.config.n_invariant
    np.testing.assert_array_equal(found[0][:, :still], found[1][:, :still])
    assert np.abs(found[0][:, still:] - found[1][:, still:]).max() > 0.1
    # three rotations of one augmented crop, then three of the other
    for same in ((0, 2), (3, 4), (3, 5)):
        np.testing.assert_array_equal(*(found[k][:, :still] for k in same))
        assert np.abs(np.subtract(*(found[k][:, still:] for k in same))).max() > 0.1
    assert np.abs(found[2][:, :still] - found[3][:, :still]).max() > 0.01


def test_no_augmentation_leaves_the_plain_latents(model: CellModel) -> None:
    pixels = np.random.default_rng(0).random((3, 96, 96)).astype(np.float32)
    found = patch_latents(Patches(pixels, 96.0), model, Recipe(augmented=0))
    np.testing.assert_array_equal(found.augmented, found.plain[None])


def test_heads_are_given_the_latents_of_the_cell_alone(model: CellModel) -> None:
    torch.manual_seed(0)
    shape = TCVAEConfig(latents=10, rotating=(1, 1), around=(1, 1), widths=(4, 4, 8, 8))
    two = replace(model, encoder=TCVAE(shape), encoder_sha256="", heads={})
    pixels = np.random.default_rng(0).random((5, 96, 96)).astype(np.float32)
    patches = Patches(pixels, 96.0)
    whole = two.encode(patches.crops())[0]
    found = patch_latents(patches, two, Recipe(augmented=2, rotations=1))
    np.testing.assert_array_equal(found.plain, whole[:, :7])
    assert found.augmented.shape == (2, 5, 7)
    assert pairs_within(two, 7) == ((3, 4), (5, 6))
    every = patch_latents(patches, two, Recipe(augmented=1, rotations=1, surroundings=True))
    np.testing.assert_array_equal(every.plain, whole)
    assert pairs_within(two, 10) == ((3, 4), (5, 6), (8, 9))


AREA = ("area", "solidity")


def test_heads_may_be_given_named_latents_alone(
    movie: tuple[Frames, CellTable], model: CellModel
) -> None:
    n = model.n_cell_latents
    unread = unread_latents(model, n)
    assert unread == tuple(i for i in range(n) if not model.latent_name(i))
    assert 0 < len(unread) < n
    # one of a pair without a name takes the other with it
    a, b = model.rotating_pairs[0]
    names = tuple(replace(m, name="") if i == a else m for i, m in enumerate(model.meanings))
    assert {a, b} <= set(unread_latents(replace(model, meanings=names), n))
    frames, cells = movie
    labels = Labels(np.arange(len(cells)), np.arange(len(cells)) % 2, cells.track_id, ("a", "b"))
    recipe = Recipe(augmented=1, rotations=1, named=True)
    seen = label_cells(frames, cells, 28.0, model, labels, recipe)
    assert seen.unread == unread
    assert seen.latents[:, list(unread)].any()
    trained_on = seen.take([0, 1]).without_unread()
    for values in (trained_on.latents, trained_on.augmented):
        assert not values[..., list(unread)].any()
        assert np.delete(values, list(unread), -1).all()
    assert seen.take([0]).latents[:, list(unread)].any(), "tested on what there is"
    for nothing in ((), tuple(replace(m, name="") for m in model.meanings)):
        with pytest.raises(InvalidInput, match="No latent of model 'h2b' has a name"):
            unread_latents(replace(model, meanings=nothing), n)


def test_properties_follow_the_latents_and_the_augmented_size(
    movie: tuple[Frames, CellTable], model: CellModel
) -> None:
    patches = patches_of_cells(*movie, 28.0)
    recipe = Recipe(augmented=6, rotations=2, properties=AREA)
    found, own = patch_latents(patches, model, recipe), model.n_cell_latents
    assert found.plain.shape == (len(patches), own + 2)
    measured = measure_crops(patches.crops())
    np.testing.assert_allclose(found.plain[:, own], measured["area"], rtol=1e-5)
    known = np.isfinite(measured["area"])
    # of one view, both rotations have the same properties and other latents
    views = found.augmented.reshape(6, 2, len(patches), own + 2)
    np.testing.assert_array_equal(views[:, 0, known, own:], views[:, 1, known, own:])
    assert np.abs(views[:, 0, :, :own] - views[:, 1, :, :own]).max() > 0.1
    # a nuclear diameter that differs by up to a quarter changes areas
    change = found.augmented[:, known, own] / found.plain[known, own]
    assert 0.2 < change.min() < 0.95
    assert 1.05 < change.max() < 3
    alone = patch_latents(patches, model, recipe.model_copy(update={"latents": False}))
    np.testing.assert_array_equal(alone.plain, found.plain[:, own:])


def test_a_segmentation_decides_the_plain_crop_and_what_changes_is_added(
    movie: tuple[Frames, CellTable], model: CellModel
) -> None:
    patches = patches_of_cells(*movie, 28.0).take(np.arange(4))
    disc = np.hypot(*(np.mgrid[:64, :64] - 31.5)) <= 10
    regions = np.tile(disc, (4, 1, 1)).astype(np.int32)
    recipe = Recipe(augmented=3, rotations=1, properties=("area",))
    given, plain = (patch_latents(patches, model, recipe, regions=r) for r in (regions, None))
    assert (given.way, plain.way) == ("labels", "built-in")
    np.testing.assert_array_equal(given.plain[:, -1], disc.sum())
    np.testing.assert_allclose(
        given.augmented[..., -1] - disc.sum(), plain.augmented[..., -1] - plain.plain[:, -1],
        atol=1e-3,
    )  # fmt: skip


def test_cells_without_a_nucleus_are_left_out_and_counted(model: CellModel) -> None:
    rows, cols = np.mgrid[:96, :96] - 47.5
    nucleus = np.exp(-(((rows**2 + cols**2) / 200) ** 4))
    noise = np.random.default_rng(0).normal(0, 0.01, (3, 96, 96))
    pixels = (np.stack([nucleus, 0 * nucleus, nucleus]) + noise).astype(np.float32)
    labels = Labels(np.array([4, 7, 9]), np.array([0, 1, 1]), np.arange(3), ("a", "b"))
    recipe = Recipe(augmented=0, properties=AREA)
    regions = np.round(pixels[:, 16:80, 16:80]).astype(np.int32) > 0
    found = patch_latents(Patches(pixels, 96.0), model, recipe, regions=regions.astype(np.int32))
    cells = labelled_cells(found, model, labels, recipe)
    assert cells.rows is not None
    assert cells.rows.tolist() == [0, 2]
    assert cells.target.tolist() == [0, 1]
    assert cells.properties == AREA
    assert left_out(cells, 3).startswith("1 of 3 labelled cells is left out")
    assert left_out(cells, 2) == ""
    nothing = replace(found, plain=np.full_like(found.plain, np.nan))
    with pytest.raises(InvalidInput, match="No nucleus was found in any labelled cell"):
        labelled_cells(nothing, model, labels, recipe)
