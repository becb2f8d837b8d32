"""``interpdisc figures``: what it refuses before any work; the work itself is in the docs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from .conftest import Run, sentence


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    path = tmp_path / "crops.npz"
    images = np.zeros((4, 64, 64), np.uint8)
    np.savez(path, images=images, label=np.array(["x"] * 4), plate=np.arange(4))
    return path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--heads", "dense,sparse"], "is not three heads"),
        (["--heads", "dense,formula,sparse"], "Head 'formula' of 'h2b' is no sparse head"),
        (["--anatomy-head", "nobody"], "no head 'nobody'"),
        ([], "No image of"),
        (["--diameter", "auto"], "give it with --diameter"),
    ],
)
def test_refuses(run: Run, crops: Path, words: list[str], said: str) -> None:
    done = run("figures", "--data", crops, "--no-table1", "--out", crops.parent / "figures", *words)
    assert said in sentence(done, crops.parent)
