"""The network as it runs fastest gives what the encoder gives."""

from __future__ import annotations

from threading import Thread

import numpy as np
import pytest
import torch

from napari_interpdisc.models import inference
from napari_interpdisc.models.cell_model import CellModel, hash_of
from napari_interpdisc.models.inference import (
    FastEncoder,
    has_bfloat16,
    set_threads,
    side_by_side_threads,
    torch_threads,
    used_precision,
)
from napari_interpdisc.models.store import load_model


@pytest.fixture(scope="module")
def model() -> CellModel:
    return load_model()


@pytest.fixture
def crops(rng: np.random.Generator) -> torch.Tensor:
    return torch.from_numpy(rng.normal(size=(9, 1, 64, 64)).astype(np.float32))


@torch.inference_mode()
def test_folded_weights_give_the_same_latents(model: CellModel, crops: torch.Tensor) -> None:
    before = hash_of(model.encoder)
    fast = FastEncoder(model.encoder)
    assert not [one for one in fast.modules() if isinstance(one, torch.nn.BatchNorm2d)]
    for found, wanted in zip(fast(crops), model.encoder.encode(crops), strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    assert hash_of(model.encoder) == before


@torch.inference_mode()
def test_bfloat16_differs_by_its_rounding_and_changes_nothing_else(
    model: CellModel, crops: torch.Tensor
) -> None:
    mean, _ = FastEncoder(model.encoder, torch.bfloat16)(crops)
    exact, _ = model.encoder.encode(crops)
    assert mean.dtype == torch.float32
    away = (mean - exact).abs()
    assert 0 < float(away.max()) < 0.1
    assert next(model.encoder.parameters()).dtype == torch.float32


def test_a_precision_is_what_was_asked_for_and_auto_what_the_device_has(
    model: CellModel, crops: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu = torch.device("cpu")
    assert used_precision("float32", cpu) == "float32"
    for has, wanted in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(inference, "has_bfloat16", lambda device, has=has: has)
        assert used_precision("auto", cpu) == wanted
    exact, _ = model.encode(crops.numpy())
    rounded, _ = model.encode(crops.numpy(), "bfloat16")
    np.testing.assert_array_equal(model.encode(crops.numpy())[0], exact)
    assert (exact != rounded).any()


def test_other_devices_have_none() -> None:
    assert not has_bfloat16(torch.device("meta"))


@pytest.mark.parametrize(
    ("threads", "shared"), [(1, (1, 1)), (2, (2, 1)), (4, (4, 1)), (24, (8, 3))]
)
def test_threads_are_shared_out_among_batches(threads: int, shared: tuple[int, int]) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        with side_by_side_threads(torch.device("cpu")) as found:
            assert found == shared
            assert torch.get_num_threads() == shared[1]
        assert torch.get_num_threads() == threads
        with side_by_side_threads(torch.device("meta")) as found:
            assert found == (1, threads), "a device of its own takes one batch at a time"
    finally:
        torch.set_num_threads(before)


def test_a_thread_has_the_number_of_threads_that_it_asked_for() -> None:
    def ask() -> None:
        set_threads(3)
        found.append(torch.get_num_threads())

    before, found = torch.get_num_threads(), list[int]()
    try:
        thread = Thread(target=ask)
        thread.start()
        thread.join()
        assert found == [3]
    finally:
        set_threads(before)
    assert torch.get_num_threads() == before


def test_the_number_of_threads_is_put_back_by_the_last_who_leaves() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        first, second = torch_threads(1), torch_threads(2)
        first.__enter__()
        second.__enter__()
        with side_by_side_threads(torch.device("cpu")) as found:
            assert found == (3, 1), "of those that there are, not of those that are lent"
        first.__exit__(None, None, None)
        assert torch.get_num_threads() < 3
        second.__exit__(None, None, None)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
