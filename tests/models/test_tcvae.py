import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig, centre_window
from napari_interpdisc.training.augment import normalise_tensor


@pytest.fixture
def network() -> TCVAE:
    torch.manual_seed(0)
    return TCVAE(TCVAEConfig(widths=(2, 2, 4, 4), hidden=8)).eval()


def test_shapes(network: TCVAE) -> None:
    crops = torch.zeros(3, 1, 64, 64)
    mean, log_variance = network.encode(crops)
    assert mean.shape == log_variance.shape == (3, 32)
    assert network.decode(mean).shape == (3, 1, 64, 64)
    assert [t.shape for t in network(crops)] == [(3, 1, 64, 64), (3, 32), (3, 32)]


@pytest.mark.parametrize("crop_size", [16, 48, 128])
def test_other_crop_sizes(crop_size: int) -> None:
    config = TCVAEConfig(crop_size=crop_size, latents=5, widths=(2, 2, 2, 2), hidden=4)
    crops = torch.zeros(2, 1, crop_size, crop_size)
    reconstruction, mean, _ = TCVAE(config)(crops)
    assert reconstruction.shape == crops.shape
    assert mean.shape == (2, 5)


def test_the_default_is_the_papers_32_latents_of_64_px_crops() -> None:
    config = TCVAEConfig()
    assert (config.crop_size, config.latents) == (64, 32)


@pytest.mark.parametrize(
    "fault",
    [{"crop_size": 40}, {"latents": 0}, {"depth": 3}, {"rotating": (9, 8)}, {"rotating": (-1,)}],
)
def test_networks_that_cannot_be_are_refused(fault: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TCVAEConfig.model_validate(fault)


def test_log_variance_can_be_negative(network: TCVAE) -> None:
    # a softplus in its way would hold every posterior wider than the prior
    torch.manual_seed(1)
    with torch.inference_mode():
        _, log_variance = network.encode(torch.randn(64, 1, 64, 64))
    assert float(log_variance.min()) < 0


def test_sampling_spreads_by_the_posterior(network: TCVAE) -> None:
    """With log-variance pushed to −∞ the sample is the mean: σ is exp of half of it."""
    crops = torch.randn(2, 1, 64, 64)
    last = network.encoder[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        last.weight[32:] = 0
        last.bias[32:] = -60
    reconstruction, mean, _ = network(crops)
    torch.testing.assert_close(reconstruction, network.decode(mean))


def test_eval_mode_is_deterministic_by_cell(network: TCVAE) -> None:
    """A cell's latents do not depend on the cells beside it in the batch."""
    crops = torch.randn(4, 1, 64, 64)
    torch.testing.assert_close(network.encode(crops)[0][:1], network.encode(crops[:1])[0])


def test_texture_is_a_second_channel() -> None:
    network = TCVAE(TCVAEConfig(widths=(2, 2, 4, 4), hidden=8, texture=True)).eval()
    z = torch.randn(3, 32)
    crops, texture = network.decode_with_texture(z)
    assert texture is not None
    assert texture.shape == crops.shape == (3, 1, 64, 64)
    torch.testing.assert_close(network.decode(z), crops)


def test_no_texture_without_being_asked(network: TCVAE) -> None:
    assert network.decode_with_texture(torch.zeros(1, 32))[1] is None


@pytest.fixture
def rotating() -> TCVAE:
    return TCVAE(TCVAEConfig(latents=5, rotating=(1, 1), widths=(2, 2, 2, 2), hidden=4))


def test_latents_turn_as_often_as_they_should(rotating: TCVAE) -> None:
    z = torch.tensor([[7.0, 1.0, 0.0, 1.0, 0.0]])
    quarter, no = torch.tensor([math.pi / 2]), torch.tensor([False])
    wanted = torch.tensor([[7.0, 0.0, 1.0, -1.0, 0.0]])
    torch.testing.assert_close(rotating.rotate(z, quarter, no), wanted, atol=1e-6, rtol=0)


def test_a_mirrored_crop_turns_the_other_way(rotating: TCVAE) -> None:
    """Mirror, rotate, mirror is the rotation backwards: a group's action on latents."""
    torch.manual_seed(0)
    z, angle = torch.randn(4, 5), torch.rand(4)
    no, yes = torch.zeros(4, dtype=torch.bool), torch.ones(4, dtype=torch.bool)
    mirrored = rotating.rotate(rotating.rotate(z, torch.zeros(4), yes), angle, yes)
    torch.testing.assert_close(mirrored, rotating.rotate(z, angle, no))
    twice = rotating.rotate(rotating.rotate(z, angle, yes), angle, yes)
    torch.testing.assert_close(twice, z)


def test_a_window_makes_neighbours_count_little() -> None:
    torch.manual_seed(0)
    at = torch.arange(64) - 31.5
    distance = (at[:, None] ** 2 + at[None] ** 2).sqrt()
    crops = torch.randn(4, 1, 64, 64)
    brighter = torch.where(distance > 28, crops + 4, crops)

    def change(network: TCVAE) -> float:
        seen, changed = (
            network.seen(normalise_tensor(c))[:, :, distance < 12] for c in (crops, brighter)
        )
        return float((seen - changed).abs().mean())

    whole = TCVAE(TCVAEConfig())
    assert torch.equal(whole.seen(crops), crops)
    assert change(TCVAE(TCVAEConfig(window=16.0))) < 0.15 * change(whole)


def test_gain_and_offset_change_nothing_within_a_window() -> None:
    torch.manual_seed(0)
    network = TCVAE(TCVAEConfig(window=20.0)).eval()
    crops = torch.randn(3, 1, 64, 64)
    for gain, offset in ((1e-2, 0.0), (50.0, 3.0)):
        torch.testing.assert_close(
            network.encode(gain * crops + offset)[0], network.encode(crops)[0], atol=1e-3, rtol=0
        )
    weight = centre_window(64, 20.0)
    seen = network.seen(crops)
    assert float((weight * seen).sum((2, 3)).abs().max()) < 1e-4
    torch.testing.assert_close((weight * seen**2).sum((2, 3)), torch.ones(3, 1))
    assert not network.seen(torch.zeros(1, 1, 64, 64)).any()


AROUND = {"latents": 13, "rotating": (1, 1), "around": (2, 1, 1), "widths": (2, 2, 2, 2)}


@pytest.fixture
def two_blocks() -> TCVAE:
    """Return a network of 3 + 4 latents of the cell, and 2 + 4 of what is around it."""
    torch.manual_seed(0)
    return TCVAE(TCVAEConfig.model_validate({**AROUND, "hidden": 4, "texture": True})).eval()


def test_latents_are_counted_by_what_they_describe(two_blocks: TCVAE) -> None:
    config = two_blocks.config
    assert (config.n_cell, config.n_around, config.n_invariant) == (7, 6, 3)
    assert config.rotating_blocks == ((3, 1, 1), (5, 1, 2), (9, 1, 1), (11, 1, 2))
    assert two_blocks.rotating_pairs == ((3, 4), (5, 6), (9, 10), (11, 12))
    plain = TCVAEConfig()
    assert (plain.n_cell, plain.n_around, plain.n_invariant) == (32, 0, 32)
    assert plain.rotating_blocks == ()
    gap = TCVAEConfig(latents=8, rotating=(0, 2), around=(1,))
    assert gap.rotating_blocks == ((3, 2, 2),)
    assert TCVAEConfig.model_validate(config.model_dump()) == config


@pytest.mark.parametrize(
    "fault",
    [
        {"around": (33,)},
        {"around": (32,)},  # and nothing of the cell
        {"around": (0, 16)},
        {"around": (-1, 1)},
        {"around": (2, -1)},
        {"around": (4, 1), "rotating": (14,)},
    ],
)
def test_latents_of_the_surroundings_must_fit(fault: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="latents of the surroundings, do not fit into 32"):
        TCVAEConfig.model_validate(fault)


def test_neighbours_stand_still_as_latents_of_the_cell_change(two_blocks: TCVAE) -> None:
    z, other = torch.randn(5, 13), torch.randn(5, 13)
    cell = torch.cat([other[:, :7], z[:, 7:]], 1)
    assert torch.equal(two_blocks.decode_around(cell), two_blocks.decode_around(z))
    assert not torch.allclose(two_blocks.decode(cell), two_blocks.decode(z))


def test_the_cell_stands_still_as_latents_of_its_neighbours_change(two_blocks: TCVAE) -> None:
    z, other = torch.randn(5, 13), torch.randn(5, 13)
    around = torch.cat([z[:, :7], other[:, 7:]], 1)
    assert torch.equal(two_blocks.decode(around), two_blocks.decode(z))
    crops, texture = two_blocks.decode_with_texture(around)
    assert texture is not None
    assert torch.equal(texture, two_blocks.decode_with_texture(z)[1])  # type: ignore[arg-type]
    assert two_blocks.decode_around(around).shape == crops.shape == (5, 1, 64, 64)
    assert not torch.allclose(two_blocks.decode_around(around), two_blocks.decode_around(z))


def test_a_network_of_the_crop_shows_nothing_around(network: TCVAE) -> None:
    assert network.around is None
    assert torch.equal(network.decode_around(torch.randn(2, 32)), torch.zeros(2, 1, 64, 64))


def test_both_blocks_turn_each_at_its_speeds(two_blocks: TCVAE) -> None:
    cell, around = [1.0, 2.0, 3.0, 1.0, 0.0, 1.0, 0.0], [4.0, 5.0, 0.0, 1.0, 0.0, 1.0]
    z = torch.tensor([cell + around])
    quarter, no, yes = torch.tensor([math.pi / 2]), torch.tensor([False]), torch.tensor([True])
    turned = [1.0, 2.0, 3.0, 0.0, 1.0, -1.0, 0.0, 4.0, 5.0, -1.0, 0.0, 0.0, -1.0]
    torch.testing.assert_close(
        two_blocks.rotate(z, quarter, no), torch.tensor([turned]), atol=1e-6, rtol=0
    )
    mirrored = [1.0, 2.0, 3.0, 1.0, 0.0, 1.0, 0.0, 4.0, 5.0, 0.0, -1.0, 0.0, -1.0]
    torch.testing.assert_close(two_blocks.rotate(z, torch.zeros(1), yes), torch.tensor([mirrored]))


def test_latents_without_pairs_do_not_turn(network: TCVAE) -> None:
    z = torch.randn(3, 32)
    assert torch.equal(network.rotate(z, torch.rand(3), torch.ones(3, dtype=torch.bool)), z)


def test_the_scale_is_what_crops_are_seen_by() -> None:
    crops = torch.randn(3, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    network = TCVAE(TCVAEConfig(window=20.0))
    mean, spread = network.scale(crops)
    assert mean.shape == spread.shape == (3, 1, 1, 1)
    torch.testing.assert_close(network.seen(crops), (crops - mean) / spread)
    assert network.scale(torch.ones(1, 1, 64, 64))[1].isinf().all()
    mean, spread = TCVAE(TCVAEConfig()).scale(crops)
    assert (mean.unique().tolist(), spread.unique().tolist()) == ([0], [1])


@pytest.mark.parametrize(
    "fault",
    [
        {"crop_size": 272},
        {"widths": (513, 8, 8, 8)},
        {"widths": (0, 8, 8, 8)},
        {"hidden": 4097},
        {"window": float("inf")},
        {"rotating": (0,) * 17},
        {"crop_size": 256, "widths": (17, 8, 8, 8)},
    ],
)
def test_a_network_that_would_take_gigabytes_is_not_declared(fault: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TCVAEConfig(**fault)
    TCVAEConfig(crop_size=256, widths=(16, 32, 64, 128), hidden=4096)
