from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_interpdisc.models.cell_model import CellModel, NamedHead
from napari_interpdisc.models.heads import DenseHead
from napari_interpdisc.models.store import save_model
from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig


@pytest.fixture
def tiny() -> CellModel:
    """Return an untrained model of 6 latents with a head of two classes and one of three."""
    torch.manual_seed(0)
    config = TCVAEConfig(latents=6, widths=(2, 2, 2, 2), hidden=4)
    heads = [
        NamedHead("two", DenseHead((6, 4, 1)), ("round", "flat"), "a summary"),
        NamedHead("three", DenseHead((6, 3)), ("a", "b", "c")),
    ]
    return CellModel(
        name="tiny",
        sha256="",
        encoder=TCVAE(config),
        heads={head.name: head for head in heads},
        model_diameter=28.0,
        latent_kl=np.arange(6) / 10,
        latent_sd=np.full(6, 0.5),
        card="# a card",
        device=torch.device("cpu"),
    )


@pytest.fixture
def folder(tiny: CellModel, tmp_path: Path) -> Path:
    """Return the folder that ``tiny`` was stored in."""
    path = tmp_path / "tiny"
    save_model(tiny, path)
    return path
