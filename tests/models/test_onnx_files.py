"""What other programs read gives what torch gives."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_interpdisc._types import Float32Array
from napari_interpdisc.crops import normalise
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models import onnx_files
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.onnx_files import (
    Classify,
    check_packages,
    export_onnx,
    normalised,
    write_onnx,
)
from napari_interpdisc.models.store import load_model
from napari_interpdisc.simulate.crops import simulate_crops

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")


@pytest.fixture(scope="module")
def model() -> CellModel:
    return load_model(device="cpu")


@pytest.fixture(scope="module")
def crops() -> Float32Array:
    made = simulate_crops(1000, 0)[0][:, None].astype(np.float32)
    made[3] = 7  # without contrast
    return made


def run(path: Path, given: Float32Array) -> list[Float32Array]:
    session = onnxruntime.InferenceSession(str(path))
    return list(session.run(None, {session.get_inputs()[0].name: given}))


def test_crops_are_normalised_as_arrays_are(crops: Float32Array) -> None:
    for given in (crops[:20], 3e4 * crops[:20] + 5):
        found = normalised(torch.from_numpy(given)).numpy()
        np.testing.assert_allclose(found, normalise(given), atol=1e-4)


def test_files_agree_with_torch_on_a_thousand_crops(
    model: CellModel, crops: Float32Array, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    heads = ("sparse", "formula")
    written = export_onnx(model, tmp_path, crops, heads, lambda k, n: told.append((k, n)))
    assert [one.path.relative_to(tmp_path).as_posix() for one in written] == [
        "encoder.onnx", "decoder.onnx", *(f"heads/{name}.onnx" for name in heads),
    ]  # fmt: skip
    assert told[-1] == (4, 4)
    assert max(one.difference for one in written) < 1e-3
    latents, log_variances = run(tmp_path / "encoder.onnx", crops)
    own, own_variances = model.encode(normalise(crops[:, 0])[:, None])
    np.testing.assert_allclose(latents, own, atol=1e-3)
    np.testing.assert_allclose(log_variances, own_variances, atol=1e-3)
    for name in heads:
        (scores,) = run(tmp_path / f"heads/{name}.onnx", own)
        np.testing.assert_allclose(scores, model.score(own, name), atol=1e-4)
    cell, whole = run(tmp_path / "decoder.onnx", own[:5])
    np.testing.assert_allclose(cell, model.decode(own[:5]), atol=1e-4)
    np.testing.assert_allclose(whole, model.decode_whole(own[:5]), atol=1e-4)


def test_a_file_that_differs_is_refused(
    model: CellModel, crops: Float32Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_files, "_run", lambda *_: [np.full((2, 1), 9, np.float32)])
    latents = np.zeros((2, 32), np.float32)
    with pytest.raises(InvalidInput, match="differs from torch by"):
        write_onnx(model.head("formula").head, tmp_path / "a.onnx", latents, "latents", ("scores",))


def test_one_network_gives_probabilities_of_all_classes(
    model: CellModel, crops: Float32Array
) -> None:
    for name in ("dense", "states"):
        probabilities, latents = Classify(model, model.head(name))(torch.from_numpy(crops[:5]))
        assert probabilities.shape == (5, len(model.head(name).classes))
        np.testing.assert_allclose(probabilities.sum(1).numpy(), 1, atol=1e-5)
        scores = model.score(latents.numpy(), name)
        wanted = scores.argmax(1) if scores.shape[1] > 1 else (scores[:, 0] >= 0)
        assert probabilities.argmax(1).tolist() == wanted.astype(int).tolist()


def test_what_is_missing_is_said_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(InvalidInput, match=r"needs onnxscript: install it .*export"):
        check_packages()


@pytest.mark.parametrize("texts", [("log(z0) + z1",), ("z0", "sqrt(z1)", "1/z2")])
def test_a_formula_without_a_value_is_nan_there_too(texts: tuple[str, ...], tmp_path: Path) -> None:
    """And an infinite one is cut, as in torch."""
    head = FormulaHead([parse_formula(text, 3) for text in texts])
    latents = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    latents[3] = 0
    wanted = head(torch.from_numpy(latents)).numpy()
    assert 0 < np.isnan(wanted).any(1).sum() < 200
    assert np.abs(wanted[3]).max() == 1e6
    path = tmp_path / "head.onnx"
    assert write_onnx(head, path, latents, "latents", ("scores",)) < 1e-3
    np.testing.assert_allclose(run(path, latents)[0], wanted, rtol=1e-5, atol=1e-5)


def test_nan_where_torch_has_a_number_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = FormulaHead([parse_formula("z0", 1)])
    latents = np.ones((2, 1), np.float32)
    monkeypatch.setattr(onnx_files, "_run", lambda *_: [np.array([[1.0], [np.nan]], np.float32)])
    with pytest.raises(InvalidInput, match="differs from torch by inf"):
        write_onnx(head, tmp_path / "head.onnx", latents, "latents", ("scores",))
