"""``interpdisc export``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run

pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")


def test_a_folder_of_networks(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "h2b"
    done = run("export", "h2b", "--out", out, "--head", "formula", "--crops", 4)
    assert done.code == 0, done.err
    assert "3 files, compared with torch on 4 simulated crops (seed 0)" in done.out
    note = json.loads((out / "model.json").read_text())
    assert note["heads"] == {"formula": ["Interphase", "Metaphase"]}
    assert note["model_diameter"] == 28
    assert set(note["difference_from_torch"]) == {"encoder.onnx", "decoder.onnx", "formula.onnx"}
    again = run("export", "h2b", "--out", out)
    assert again.code == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "bioimage.io", "--out", "a.txt"], "is a .zip file"),
        (["--format", "bioimage.io", "--out", "a.zip", "--head", "x", "--head", "y"], "one head"),
        (["--out", "folder", "--head", "nose"], "has no head 'nose'"),
    ],
)
def test_what_cannot_be_is_told_at_once(
    run: Run, tmp_path: Path, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("export", "h2b", *words)
    assert done.code == 1
    assert said in " ".join(done.err.split())
    assert not list(tmp_path.iterdir())
