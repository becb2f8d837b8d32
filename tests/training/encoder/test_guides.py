"""What guided latents follow, measured on cells of known shape."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_interpdisc.models.tcvae import TCVAEConfig
from napari_interpdisc.training.augment import Augmentation, random_pairs
from napari_interpdisc.training.encoder.guides import (
    FARTHEST,
    INVARIANT,
    SPREAD,
    Guides,
    guided_latents,
)

from .conftest import GUIDED, outlined_source

PLAIN = Augmentation(diameter=0, shift=0, blur=0, gamma=0, noise=0)
FIT = {"diameter": 0.2, "shift": 2.0, "blur": 0.5, "noise": 0.05}


def test_guided_latents_are_the_first_of_their_kind() -> None:
    network = TCVAEConfig(latents=32, rotating=(3, 2, 1), around=(2, 1))
    assert network.n_invariant == 16
    assert guided_latents(network) == (0, 1, 2, 3, 4, 5, 16, 17, 18, 19, 22, 23)
    assert set(guided_latents(network)) <= set(range(network.n_cell))


@pytest.mark.parametrize(
    ("changes", "has"),
    [
        ({"latents": 11}, "5, 2 and 1"),
        ({"rotating": (1, 1)}, "8, 1 and 1"),
        ({"rotating": (2,)}, "8, 2 and 0"),
        ({"rotating": ()}, "12, 0 and 0"),
        ({"around": (1,)}, "5, 2 and 1"),
    ],
)
def test_networks_that_are_too_small_are_refused(changes: dict[str, object], has: str) -> None:
    network = TCVAEConfig.model_validate({"latents": 12, "rotating": (2, 1), **changes})
    with pytest.raises(ValueError, match=f"guided latents need 6 invariant.* has {has} of them"):
        guided_latents(network)


@pytest.fixture
def guides() -> Guides:
    return Guides([outlined_source()], Augmentation(**FIT), GUIDED, 0, "cpu")


def light_of(n: int = 24, settings: Augmentation = PLAIN) -> Tensor:
    """Return light of the source's cells, without augmentation unless it is asked for."""
    source = outlined_source(n=n)
    assert source.masks is not None
    patches, masks = (
        torch.from_numpy(v).float()[:, None] / 255 for v in (source.patches, source.masks)
    )
    fields = torch.full((n,), source.field)
    views = random_pairs(
        patches, fields, settings, GUIDED.crop_size, torch.Generator().manual_seed(1), masks
    )
    assert views.light is not None
    return views.light


def test_targets_are_in_standard_deviations(guides: Guides) -> None:
    found = guides.of(light_of(200, Augmentation(**FIT)))
    assert found.shape == (200, 12)
    assert float(found.abs().max()) <= FARTHEST
    torch.testing.assert_close(found.mean(0), torch.zeros(12), atol=0.35, rtol=0)
    torch.testing.assert_close(found.std(0), torch.ones(12), atol=0.35, rtol=0)


def test_directions_are_not_centred_and_members_of_a_pair_share_their_spread(
    guides: Guides,
) -> None:
    assert not guides.mean[len(INVARIANT) :].any()
    assert guides.mean[: len(INVARIANT)].all()
    pairs = guides.spread[len(INVARIANT) :].view(-1, 2)
    assert torch.equal(pairs[:, 0], pairs[:, 1])
    assert (guides.spread > 0).all()


def test_the_error_is_0_where_latents_are_what_they_follow(guides: Guides) -> None:
    light = light_of(6)
    z = torch.full((6, GUIDED.latents), 5.0)  # other latents do not matter
    z[:, guides.latents] = guides.of(light)
    known = torch.ones(6, dtype=torch.bool)
    assert float(guides.error(z, light, known)) == 0
    z[2, guides.latents[3]] += 0.6
    wanted = 0.5 * (0.6 / SPREAD) ** 2 / 6
    assert float(guides.error(z, light, known)) == pytest.approx(wanted, rel=1e-4)


def test_cells_without_an_outline_are_ignored(guides: Guides) -> None:
    light = light_of(6)
    z = torch.zeros(6, GUIDED.latents)
    z[:, guides.latents] = guides.of(light)
    z[2] += 1.0
    known = torch.arange(6) != 2
    assert float(guides.error(z, light, known)) == 0
    z[3, guides.latents[0]] += 0.6
    wanted = 0.5 * (0.6 / SPREAD) ** 2 / 5  # a mean over the known ones
    assert float(guides.error(z, light, known)) == pytest.approx(wanted, rel=1e-4)
    assert float(guides.error(z, light, torch.zeros(6, dtype=torch.bool))) == 0


def test_the_scale_is_that_of_outlined_cells_alone() -> None:
    source = outlined_source()
    assert source.outlined is not None
    some = replace(source, outlined=np.arange(len(source.patches)) % 2 == 0)
    spoilt = replace(some, patches=np.where(some.outlined[:, None, None], source.patches, 255))
    first, second = (Guides([s], Augmentation(**FIT), GUIDED, 0, "cpu") for s in (some, spoilt))
    assert torch.equal(first.mean, second.mean)
    assert torch.equal(first.spread, second.spread)
    unknown = replace(source, outlined=np.zeros(len(source.patches), bool))
    both = Guides([unknown, some], Augmentation(**FIT), GUIDED, 0, "cpu")
    assert torch.equal(first.mean, both.mean)


def test_a_large_source_counts_no_more_than_a_small_one() -> None:
    large, small = outlined_source(n=120, seed=1), outlined_source(n=20, seed=2)
    small = replace(small, patches=small.patches // 2)
    apart = [Guides([s], Augmentation(**FIT), GUIDED, 0, "cpu").mean for s in (large, small)]
    both = Guides([large, small], Augmentation(**FIT), GUIDED, 0, "cpu").mean
    torch.testing.assert_close(both[:6], (apart[0] + apart[1])[:6] / 2, atol=0.05, rtol=0.02)
