"""Sparse and formula heads in model folders, and heads that belong to another encoder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_interpdisc.errors import InvalidModel
from napari_interpdisc.models.cell_model import CellModel, NamedHead
from napari_interpdisc.models.cnn import CNN
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.heads import DenseHead, SparseHead
from napari_interpdisc.models.properties import HeadProperties
from napari_interpdisc.models.store import load_model, replace_heads, save_model
from napari_interpdisc.models.tcvae import TCVAE

WEIGHTS = "weights.safetensors"


def sparse() -> SparseHead:
    head = SparseHead((6, 3, 1))
    head.masks[0][0, [1, 4]] = True
    head.masks[1][0, 0] = True
    head.weights[0].data[0, [1, 4]] = torch.tensor([1.5, -0.5])
    head.weights[1].data[0, 0] = 2.0
    return head


@pytest.fixture
def model(tiny: CellModel) -> CellModel:
    """Return a model with a head of each kind, and one of three formulas."""
    formula = FormulaHead([parse_formula("z1*(z4**2 - 0.123456789)", 6)], [0.5])
    three = FormulaHead([parse_formula(t, 6) for t in ("z0", "-z1", "exp(z2) - 1")])
    heads = [
        NamedHead("sparse", sparse(), ("round", "flat"), "a summary"),
        NamedHead("formula", formula, ("round", "flat")),
        NamedHead("three", three, ("a", "b", "c")),
        NamedHead("dense", DenseHead((6, 1)), ("round", "flat")),
    ]
    return replace_heads(tiny, "mine", {head.name: head for head in heads}, "# mine")


@pytest.fixture
def stored(model: CellModel, tmp_path: Path) -> Path:
    save_model(model, tmp_path / "mine")
    return tmp_path / "mine"


def edit(folder: Path, change: Callable[[Any], Any]) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text("utf-8"))
    change(config)
    path.write_text(json.dumps(config), "utf-8")


def fault(folder: Path) -> str:
    with pytest.raises(InvalidModel) as caught:
        load_model(folder)
    return str(caught.value)


def test_every_kind_comes_back_with_the_same_scores(model: CellModel, stored: Path) -> None:
    back = load_model(stored, device="cpu")
    z = np.random.default_rng(0).standard_normal((20, 6)).astype(np.float32)
    for name in ("sparse", "formula", "three", "dense"):
        np.testing.assert_array_equal(back.score(z, name), model.score(z, name))
        for measure in ("kind", "n_weights", "expression_size", "used_latents"):
            before, after = (getattr(m.head(name).head, measure) for m in (model, back))
            assert before == after
    assert back.head("sparse").head.used_latents == (1, 4)
    assert (back.sha256, back.encoder_sha256) == (model.sha256, model.encoder_sha256)


def test_formulas_are_text_in_the_config_and_count_in_the_identity(
    model: CellModel, stored: Path
) -> None:
    config = json.loads((stored / "config.json").read_text("utf-8"))
    assert config["schema_version"] == 6
    assert config["heads"][1]["formulas"] == ["z1*(z4**2 - 0.123456789)"]
    edit(stored, lambda c: c["heads"][1].update(formulas=["z1"]))
    assert load_model(stored, device="cpu").sha256 != model.sha256


def test_a_folder_of_schema_1_is_read_if_it_names_the_encoder(folder: Path) -> None:
    def older(config: Any) -> None:
        config["schema_version"] = 1
        for head in config["heads"]:
            for name in ("formulas", "scales"):
                head.pop(name)

    edit(folder, older)
    assert load_model(folder, device="cpu").head("two").classes == ("round", "flat")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"formulas": ["z6"]}, "the encoder has the latents z0 to z5"),
        ({"formulas": ["__import__('os')"]}, "cannot be used"),
        ({"formulas": ["z0", "z1"]}, "2 formulas, but 2 classes need 1"),
        ({"formulas": []}, "0 formulas"),
        ({"scales": [-1.0]}, "positive scale"),
        ({"kind": "lookup"}, "heads.1.kind"),
    ],
)
def test_a_formula_that_cannot_be_used(stored: Path, change: dict[str, Any], told: str) -> None:
    edit(stored, lambda c: c["heads"][1].update(change))
    assert told in fault(stored)


def test_a_head_of_another_encoder(stored: Path) -> None:
    edit(stored, lambda c: c["heads"][0].update(encoder_sha256="0" * 64))
    assert "trained with another encoder" in fault(stored)


def test_a_weight_outside_the_connections(stored: Path) -> None:
    import hashlib

    tensors = load_file(stored / WEIGHTS)
    tensors["heads.sparse.weights.0"][2, 2] = 1.0
    save_file(tensors, stored / WEIGHTS)
    digest = hashlib.sha256((stored / WEIGHTS).read_bytes()).hexdigest()
    edit(stored, lambda c: c["sha256"].update({WEIGHTS: digest}))
    assert "outside its active connections" in fault(stored)


def test_a_head_over_latents_that_are_not_there(tiny: CellModel) -> None:
    head = NamedHead("formula", FormulaHead([parse_formula("z31")]), ("a", "b"))
    with pytest.raises(InvalidModel, match=r"reads z31, but .* z0 to z5"):
        replace_heads(tiny, "mine", {"formula": head}, "")


def test_what_cannot_be_stored(tiny: CellModel, tmp_path: Path) -> None:
    black_box = NamedHead("cnn", CNN().head, ("a", "b"))
    with pytest.raises(InvalidModel, match="cannot be stored"):
        save_model(replace(tiny, heads={"cnn": black_box}), tmp_path / "cnn")
    assert not (tmp_path / "cnn").exists()


def test_the_encoder_has_a_hash_of_its_own(tiny: CellModel, model: CellModel) -> None:
    assert model.encoder_sha256 == tiny.encoder_sha256
    other = replace(tiny, encoder=TCVAE(tiny.encoder.config), encoder_sha256="")
    assert other.encoder_sha256 != tiny.encoder_sha256


@pytest.fixture
def measuring(tiny: CellModel, tmp_path: Path) -> tuple[CellModel, Path]:
    """Return a model whose heads read measured properties, and its folder."""
    read = HeadProperties(("area", "solidity"), (600.0, 0.9), (100.0, 0.05), "labels")
    sparse_head = SparseHead((8, 1), properties=read)
    sparse_head.masks[0][0, [1, 7]] = True
    sparse_head.weights[0].data[0, [1, 7]] = torch.tensor([1.5, -0.5])
    heads = {
        "dense": DenseHead((8, 3, 1), properties=read),
        "alone": DenseHead((2, 1), properties=read),
        "sparse": sparse_head,
        "formula": FormulaHead([parse_formula("z1 - area**2", 6, None, read.names)], [2.0], read),
    }
    named = {name: NamedHead(name, head, ("round", "flat")) for name, head in heads.items()}
    model = replace_heads(tiny, "measuring", named, "# measuring")
    save_model(model, tmp_path / "measuring")
    return model, tmp_path / "measuring"


def test_heads_with_properties_come_back_with_the_same_scores(
    measuring: tuple[CellModel, Path],
) -> None:
    model, folder = measuring
    back = load_model(folder, device="cpu")
    draw = np.random.default_rng(0)
    z = draw.standard_normal((20, 6)).astype(np.float32)
    cells = {"solidity": draw.uniform(0.8, 1, 20), "area": draw.uniform(400, 800, 20)}
    for name in model.heads:
        assert back.head(name).head.properties == model.head(name).head.properties
        found = back.score(z, name, cells)
        np.testing.assert_array_equal(found, model.score(z, name, cells))
        larger = {**cells, "area": cells["area"] + 50, "solidity": cells["solidity"] - 0.1}
        assert np.abs(back.score(z, name, larger) - found).min() > 0
    assert back.head("sparse").head.used_properties == ("solidity",)
    assert back.sha256 == model.sha256
    edit(folder, lambda c: c["heads"][0]["properties"].update(centre=[0.0, 0.9]))
    assert load_model(folder, device="cpu").sha256 != model.sha256


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"names": ["area", "offset_x"]}, "has a fault in the properties of head 'dense'"),
        ({"scale": [0.0, 1.0]}, "has a fault in the properties of head 'dense'"),
        ({"names": ["area"], "centre": [1.0], "scale": [1.0]}, "has a head 'dense' from 8 latents"),
        ({"way": "guessed"}, "fault at 'heads.0.properties.way'"),
    ],
)
def test_properties_of_a_folder_that_are_refused(
    measuring: tuple[CellModel, Path], changed: dict[str, object], told: str
) -> None:
    _, folder = measuring
    edit(folder, lambda c: c["heads"][0]["properties"].update(changed))
    assert told in fault(folder)
