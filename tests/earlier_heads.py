"""Heads that were bundled once, in place of those that are: what is expected of them is known.

Tests of how rules are taken apart, drawn and told use them, so that a new bundle changes none of
these.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.heads import SparseHead
from napari_interpdisc.models.store import DEFAULT_MODEL, load_model

EARLIER: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_suffix(".json").read_text("utf-8")
)


def with_earlier_heads(model: CellModel) -> CellModel:
    """Return the bundled model with these heads in place of those of the same names."""
    heads = dict(model.heads)
    for name, stored in EARLIER.items():
        head = _formula(stored, model) if "formulas" in stored else _sparse(stored)
        heads[name] = replace(
            heads[name], head=head.requires_grad_(False), summary=stored["summary"]
        )
    return replace(model, heads=heads)


@pytest.fixture(scope="session")
def model_with_earlier_heads() -> CellModel:
    """Return the bundled model with heads whose rules stay the same, for all windows."""
    return with_earlier_heads(load_model(DEFAULT_MODEL))


def _formula(stored: dict[str, Any], model: CellModel) -> FormulaHead:
    formulas = [parse_formula(text, model.n_latents) for text in stored["formulas"]]
    return FormulaHead(formulas, stored["scales"])


def _sparse(stored: dict[str, Any]) -> SparseHead:
    head = SparseHead(tuple(stored["layers"]), [(a, b) for a, b in stored["pairs"]])
    with torch.no_grad():
        for layer, target, source, weight in stored["connections"]:
            head.weights[layer][target, source] = weight
            head.masks[layer][target, source] = True
        for values, kept in zip(head.biases, stored["biases"], strict=True):
            values.copy_(torch.tensor(kept))
    return head.eval()
