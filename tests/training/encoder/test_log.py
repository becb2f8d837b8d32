"""The log of a run: the same numbers in the table and for TensorBoard."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc.training.encoder.log import EncoderLog, read_log, tag_of
from napari_interpdisc.training.encoder.run import (
    run_training,
)

from .conftest import of_epochs, scalars, source


def test_tensorboard_says_what_the_csv_says(tmp_path: Path) -> None:
    run = run_training([source()], of_epochs(2), tmp_path / "run")
    rows = list(read_log(tmp_path / "run" / "log.csv"))
    assert repr(rows) == repr(run.lines)
    found = scalars(tmp_path / "run")
    columns = [c for c in rows[0] if c != "step"]
    assert {tag_of(c) for c in columns} == set(found)
    assert {f"latents/kl_z{i}" for i in range(4)} < set(found)
    for column in columns:
        wanted = [(r["step"], np.float32(r[column])) for r in rows if not math.isnan(r[column])]
        assert [(s, np.float32(v)) for s, v in found[tag_of(column)]] == wanted
    for row in rows:
        assert row["kl"] == pytest.approx(sum(row[f"kl_z{i}"] for i in range(4)), rel=1e-5)


def test_a_line_without_a_measurement_leaves_its_field_empty(tmp_path: Path) -> None:
    with EncoderLog(tmp_path) as log:
        log.add({"step": 1, "kl": 0.1, "held_out_loss": math.nan})
        log.add({"step": 2, "kl": 0.2, "held_out_loss": 3.0})
    assert (tmp_path / "log.csv").read_text().splitlines()[1] == "1,0.1,"
    assert scalars(tmp_path)["held_out/loss"] == [(2, 3.0)]
    with EncoderLog(tmp_path, until=1) as log:
        log.add({"step": 2, "kl": 0.4, "held_out_loss": math.nan})
    assert [row["kl"] for row in read_log(tmp_path / "log.csv")] == [0.1, 0.4]
    assert "held_out/loss" not in scalars(tmp_path)
