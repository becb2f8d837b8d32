from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_interpdisc.discovery.augmented import patch_latents
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.discovery.view_cache import ViewCache, cell_keys
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.store import load_model
from napari_interpdisc.patches import Patches

RECIPE = Recipe(augmented=2, rotations=2)


@pytest.fixture(scope="module")
def model() -> CellModel:
    return load_model("h2b")


@pytest.fixture(scope="module")
def patches() -> Patches:
    return Patches(np.random.default_rng(0).random((6, 96, 96)).astype(np.float32), 96.0)


def counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    seen: list[int] = []
    encode = CellModel.encode

    def counted(self: CellModel, crops: Any, *more: Any) -> Any:
        seen.append(len(crops))
        return encode(self, crops, *more)

    monkeypatch.setattr(CellModel, "encode", counted)
    return seen


def test_only_new_cells_are_encoded_and_the_result_is_as_without_the_cache(
    model: CellModel, patches: Patches, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ViewCache()
    patch_latents(patches.take([0, 1, 2, 3]), model, RECIPE, cache=cache)
    seen = counting(monkeypatch)
    found = patch_latents(patches.take([5, 3, 0, 1, 2]), model, RECIPE, cache=cache)
    assert sum(seen) == 1 + 2  # one new cell: its plain crop and two views
    anew = patch_latents(patches.take([5, 3, 0, 1, 2]), model, RECIPE)
    np.testing.assert_allclose(found.plain, anew.plain, atol=1e-4)
    np.testing.assert_allclose(found.augmented, anew.augmented, atol=1e-4)


def test_other_settings_forget_and_others_that_decide_nothing_do_not(
    model: CellModel, patches: Patches
) -> None:
    cache = ViewCache()
    patch_latents(patches, model, RECIPE, cache=cache)
    assert len(cache.known(model, RECIPE)) == 6
    assert len(cache.known(model, RECIPE.model_copy(update={"folds": 9, "curve": False}))) == 6
    for change in ({"seed": 1}, {"augmented": 3}, {"properties": ("area",)}):
        assert not cache.known(model, RECIPE.model_copy(update=change))
    assert not cache.known(replace(model, encoder_sha256="another"), RECIPE)


def test_only_the_last_cells_are_kept(model: CellModel, patches: Patches) -> None:
    cache = ViewCache()
    patch_latents(patches, model, RECIPE, cache=cache)
    patch_latents(patches.take([1]), model, RECIPE, cache=cache)
    assert list(cache.views) == cell_keys(patches)[[1]].tolist()


def test_a_name_is_that_of_the_pixels_and_the_segmentation(patches: Patches) -> None:
    keys = cell_keys(patches)
    assert len(set(keys.tolist())) == 6
    assert cell_keys(patches.take([4]))[0] == keys[4]
    regions = np.zeros((6, 64, 64), np.int32)
    with_regions = cell_keys(patches, regions)
    assert not set(with_regions.tolist()) & set(keys.tolist())
    regions[2, 30, 30] = 1
    changed = cell_keys(patches, regions) != with_regions
    assert changed.tolist() == [False, False, True, False, False, False]
