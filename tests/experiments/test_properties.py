"""Which columns heads read in the comparison of latents and measured properties, and its tables."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.discovery.labelled import LabelledCells

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(EXPERIMENTS)
    path = EXPERIMENTS / "properties.py"
    spec = importlib.util.spec_from_file_location("experiments_properties", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_latents_properties_or_both_are_read(script: Any) -> None:
    draw = np.random.default_rng(0)
    columns = draw.normal(size=(60, 8)).astype(np.float32)  # six latents, area and solidity
    target = (columns[:, 6] > 0).astype(np.int64)
    cells = LabelledCells(
        columns, columns[None], target, np.arange(60) // 3, ("small", "large"), ((4, 5),),
        properties=("area", "solidity"),
    )  # fmt: skip
    read = {what: script.inputs_of(script.reading(cells, what)) for what in script.READS}
    assert {what: values.shape[1] for what, values in read.items()} == {
        "latents": 5, "properties": 2, "both": 7,
    }  # fmt: skip
    radius = np.hypot(columns[:, 4], columns[:, 5])
    np.testing.assert_allclose(read["latents"][:, 4], radius, atol=1e-5)
    np.testing.assert_array_equal(read["properties"], columns[:, 6:])
    question = script.Question("area", cells, {"away": cells}, 60, "track", 3)
    found = {what: script.logistic_rows(question, what, 0) for what in script.READS}
    assert found["properties"]["held out"] > 0.85
    assert found["properties"]["away"] > 0.9
    assert found["latents"]["held out"] < 0.75


def test_tables_tell_mean_and_spread(script: Any) -> None:
    row = {"question": "q", "reads": "both", "head": "dense", "cells": 9, "given": 10, "size": 7}
    table = pd.DataFrame([{**row, "seed": s, "held out": v} for s, v in enumerate((0.9, 0.92))])
    text = script.summary(table)
    assert "**q** (9 of 10 cells measured)" in text
    assert "| both | dense | 0.910 ± 0.014 | 7 | 2 |" in text
