"""What makes an encoder equivariant: rotated targets, and a penalty that is 0 if it is."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_interpdisc.models.tcvae import TCVAE
from napari_interpdisc.training.augment import Augmentation, normalise_tensor, rotated
from napari_interpdisc.training.encoder.loop import fit_tcvae
from napari_interpdisc.training.encoder.rotation import (
    LEAST_VARIANCE,
    RandomRotation,
    equivariance_penalty,
    shown_again,
)
from napari_interpdisc.training.encoder.settings import PatchSource

from .conftest import SMALL, TINY_ROTATING, short

MILD = Augmentation(diameter=0.05, shift=0.5, blur=0.5, noise=0.05)


def test_latents_learn_to_turn_with_the_crop(sources: list[PatchSource]) -> None:
    """A long blob's axis: a quarter rotation of the crop rotates (z2, z3) by a half."""
    lines: list[dict[str, float]] = []
    asked = short(150, network=TINY_ROTATING, learning_rate=5e-3, augmentation=MILD)
    model = fit_tcvae(sources, asked, lines.append)
    assert lines[-1]["texture"] < lines[0]["texture"]
    patches = np.concatenate([s.patches for s in sources])[:, 8:-8, 8:-8]
    crops = normalise_tensor(torch.from_numpy(patches).float()[:, None])
    with torch.inference_mode():
        z, turned = model.encode(crops)[0], model.encode(torch.rot90(crops, -1, (2, 3)))[0]
    n = len(z)
    quarter = torch.full((n,), math.pi / 2)
    wanted = model.rotate(z, quarter, torch.zeros(n, dtype=torch.bool))
    torch.testing.assert_close(wanted[:, 2:], -z[:, 2:], atol=1e-5, rtol=0)
    error = (turned - wanted).square().mean()
    assert float(error) < 0.1 * float((turned - z).square().mean())
    # it is the long ones that rotate
    length = z[:, 2:].norm(dim=1)
    assert float(length[12:].min()) > float(length[:12].max())


def test_without_consistency_drift_is_not_measured(sources: list[PatchSource]) -> None:
    lines: list[dict[str, float]] = []
    fit_tcvae(sources, short(5, network=TINY_ROTATING, consistency=0), lines.append)
    assert lines[0]["drift"] == 0


class Direction:
    """An encoder whose two latents are where the light of a crop lies: they rotate once."""

    def __init__(self, gain: tuple[float, float] = (1.0, 1.0)) -> None:
        self.gain = torch.tensor(gain)
        network = TCVAE(SMALL.model_copy(update={"latents": 2, "rotating": (1,)}))
        self.config, self.rotate = network.config, network.rotate

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        at = torch.arange(16) - 7.5
        x, y = (crops[:, 0] * at).sum((1, 2)), (crops[:, 0] * at[:, None]).sum((1, 2))
        mean = torch.stack([x, y], 1) / 256 * self.gain
        return mean, torch.zeros_like(mean)


def penalty_of(
    model: TCVAE, crops: Tensor, step: int, log_variance: float = 0.0, again: Tensor | None = None
) -> Tensor:
    """Penalty at a step on the crops of its turn, or on others of the same cells."""
    rows = shown_again(len(crops), step, "cpu")
    mean = model.encode(crops)[0][rows]
    spread = torch.full_like(mean, log_variance)
    shown = crops[rows] if again is None else again[rows]
    return equivariance_penalty(model, shown, mean, spread, step, half=False)


@pytest.mark.parametrize("step", [*range(8), 9, 17, 30])
def test_an_equivariant_encoder_has_no_penalty(crops: Tensor, step: int) -> None:
    model = cast("TCVAE", Direction())
    penalty = penalty_of(model, crops, step)
    assert float(penalty) == pytest.approx(0, abs=1e-8)


def test_the_penalty_by_hand(crops: Tensor) -> None:
    """Step 1 rotates crops 0 and 4 by a quarter: (x, 3 y) becomes (−y, 3 x), not (−3 y, x)."""
    model = cast("TCVAE", Direction((1.0, 3.0)))
    mean, _ = model.encode(crops)
    x, y = mean[[0, 4], 0], mean[[0, 4], 1] / 3
    found = torch.stack([-y, 3 * x], 1)
    wanted = torch.stack([-3 * y, x], 1)
    variance = 0.25
    penalty = penalty_of(model, crops, 1, math.log(variance))
    expected = 0.5 * ((found - wanted) ** 2 / variance).sum(1).mean()
    torch.testing.assert_close(penalty, expected)
    # a spread of nearly nothing makes no penalty without bounds
    sure = penalty_of(model, crops, 1, -99.0)
    torch.testing.assert_close(sure, expected * variance / LEAST_VARIANCE)


def test_all_crops_get_their_turn() -> None:
    """Which crops are encoded once more goes on after every eight steps."""
    turns = [shown_again(6, step, "cpu").tolist() for step in (0, 8, 16, 24, 32)]
    assert turns == [[0, 4], [1, 5], [2], [3], [0, 4]]
    assert [shown_again(6, step, "cpu").tolist() for step in range(8)] == [[0, 4]] * 8


class CellAndSurroundings(Direction):
    """One pair where the light of the cell lies, and one where all of the light does."""

    def __init__(self, blind: bool = True) -> None:
        network = TCVAE(SMALL.model_copy(update={"latents": 4, "rotating": (1,), "around": (0, 1)}))
        self.config, self.rotate, self.blind = network.config, network.rotate, blind
        self.gain = torch.ones(2)

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        cell = torch.zeros_like(crops)
        cell[:, :, 4:-4, 4:-4] = crops[:, :, 4:-4, 4:-4]
        own, whole = (super(CellAndSurroundings, self).encode(c)[0] for c in (cell, crops))
        mean = torch.cat([own if self.blind else whole, whole], 1)
        return mean, torch.zeros_like(mean)


@pytest.mark.parametrize("step", [0, 1, 6, 30])
def test_only_latents_of_the_cell_are_compared(crops: Tensor, step: int) -> None:
    """The same cell among others: latents that see them pay, unless they are to see them."""
    others = torch.randn(crops.shape, generator=torch.Generator().manual_seed(9))
    others[:, :, 4:-4, 4:-4] = crops[:, :, 4:-4, 4:-4]
    blind, seeing = (cast("TCVAE", CellAndSurroundings(b)) for b in (True, False))
    assert float(penalty_of(blind, crops, step, again=others)) == pytest.approx(0, abs=1e-8)
    assert float(penalty_of(seeing, crops, step, again=others)) > 1e-3
    assert float(penalty_of(seeing, crops, step)) == pytest.approx(0, abs=1e-8)


def test_every_second_crop_of_a_batch_is_rotated(crops: Tensor) -> None:
    drawn = RandomRotation.draw(6, torch.Generator().manual_seed(3))
    assert drawn.angle[::2].tolist() == [0, 0, 0]
    assert not drawn.mirror[::2].any()
    assert len(set(drawn.angle[1::2].tolist())) == 3
    shown = drawn.of_crops(crops)
    assert torch.equal(shown[::2], crops[::2])
    torch.testing.assert_close(
        shown[1::2], rotated(crops[1::2], drawn.angle[1::2], drawn.mirror[1::2])
    )
    many = RandomRotation.draw(400, torch.Generator().manual_seed(3))
    assert 0.4 < float(many.mirror[1::2].float().mean()) < 0.6
    assert float(many.angle.max()) > 6


def test_nothing_is_asked_of_the_corners_of_a_rotated_crop() -> None:
    drawn = RandomRotation.draw(4, torch.Generator().manual_seed(3))
    weight = drawn.of_weight(torch.full((16, 16), 2.0))
    assert weight.shape == (4, 1, 16, 16)
    assert (weight[::2] == 2).all()
    for corner in ((0, 0), (0, 15), (15, 0), (15, 15), (1, 2)):
        assert (weight[1::2, 0, corner[0], corner[1]] == 0).all()
    assert (weight[1::2, 0, 8, :].min(), weight[1::2, 0, 4:12, 4:12].min()) == (2, 2)


def test_latents_rotate_with_the_crops_that_were_rotated() -> None:
    model = TCVAE(TINY_ROTATING)
    z = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
    drawn = RandomRotation(
        torch.tensor([0, math.pi / 2, 0, 0]), torch.tensor([False, False, False, True])
    )
    found = drawn.of_latents(model, z)
    torch.testing.assert_close(found[:, :2], z[:, :2])
    torch.testing.assert_close(found[[0, 2]], z[[0, 2]])
    torch.testing.assert_close(found[1, 2:], -z[1, 2:])  # twice as fast as the crop
    torch.testing.assert_close(found[3, 2:], z[3, 2:] * torch.tensor([1, -1]))
