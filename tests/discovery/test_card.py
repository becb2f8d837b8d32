from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc.discovery.card import discovered_model
from napari_interpdisc.discovery.cross_validation import discover
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.discovery.results import Discovery
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.store import load_model, save_model

from .conftest import labelled


def test_heads_go_into_a_model_folder_and_come_back(found: Discovery, tmp_path: Path) -> None:
    bundled = load_model(device="cpu")
    mine = replace(found, encoder_sha256=bundled.encoder_sha256)
    model = discovered_model(bundled, mine, "mine", found.front[0])
    assert list(model.heads) == ["dense", "sparse", "formula"]
    assert model.head("formula").head is found.front[0].head
    assert "held-out" in model.head("sparse").summary
    assert "160 annotated cells" in model.card


def test_heads_of_another_encoder_are_refused(found: Discovery) -> None:
    with pytest.raises(InvalidInput, match="another encoder"):
        discovered_model(load_model(device="cpu"), found, "mine")


def test_a_round_trip_keeps_scores_and_identity(quick: Recipe, tmp_path: Path) -> None:
    bundled = load_model(device="cpu")
    cells = labelled(120, n_latents=32)
    result = discover(
        cells, quick.model_copy(update={"curve": False}), encoder_sha256=bundled.encoder_sha256
    )
    model = discovered_model(bundled, result, "mine")
    save_model(model, tmp_path / "mine")
    back = load_model(tmp_path / "mine", device="cpu")
    assert back.sha256 == model.sha256 != bundled.sha256
    assert back.encoder_sha256 == bundled.encoder_sha256
    for kind in ("dense", "sparse", "formula"):
        np.testing.assert_allclose(
            back.score(cells.latents, kind), model.score(cells.latents, kind), rtol=1e-6
        )
        assert back.head(kind).head.expression_size == model.head(kind).head.expression_size
