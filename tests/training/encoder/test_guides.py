"""What guided latents follow, measured on cells of known shape."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig
from napari_interpdisc.training.augment import Augmentation, random_pairs, rotated
from napari_interpdisc.training.encoder.guides import (
    AXES,
    DIRECTIONS,
    FARTHEST,
    INVARIANT,
    SPREAD,
    Guides,
    guided_latents,
    measure_light,
)

from .conftest import GUIDED, outlined_source

COLUMNS = (*INVARIANT, *(f"{name}_{part}" for name in DIRECTIONS + AXES for part in "xy"))
PLAIN = Augmentation(diameter=0, shift=0, blur=0, gamma=0, noise=0)
FIT = {"diameter": 0.2, "shift": 2.0, "blur": 0.5, "noise": 0.05}


def grid() -> tuple[Tensor, Tensor]:
    at = torch.arange(64) - 31.5
    return at[None].expand(64, 64), at[:, None].expand(64, 64)


def ellipse(
    a: float = 12.0, b: float = 12.0, degrees: float = 0.0, x: float = 0.0, y: float = 0.0,
    soft: float = 0.5,
) -> Tensor:  # fmt: skip
    """Light (64, 64) of an ellipse of half axes ``a`` and ``b``, its edge ``soft`` px wide."""
    dx, dy = grid()
    dx, dy = dx - x, dy - y
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    r = torch.hypot((cos * dx + sin * dy) / a, (cos * dy - sin * dx) / b)
    light = torch.sigmoid((1 - r) * math.sqrt(a * b) / soft)
    return light * (light > 0.01)  # a mask ends somewhere


def measured(*lights: Tensor) -> dict[str, Tensor]:
    """Measures of some cells by name, each (N,)."""
    found = measure_light(torch.stack(lights)[:, None])
    return dict(zip(COLUMNS, found.T, strict=True))


def test_size_is_the_logarithm_of_the_area() -> None:
    found = measured(ellipse(8, 8), ellipse(12, 12), ellipse(16, 9, 40))["size"]
    wanted = torch.tensor([8 * 8, 12 * 12, 16 * 9]).mul(math.pi).log()
    torch.testing.assert_close(found, wanted, atol=0.05, rtol=0)


@pytest.mark.parametrize("degrees", [0, 30, 90, 135])
def test_elongation_points_along_twice_the_angle_of_the_axis(degrees: float) -> None:
    found = measured(ellipse(16, 8, degrees))
    angle = math.radians(2 * degrees)
    assert float(found["elongation_x"]) == pytest.approx(0.5 * math.cos(angle), abs=0.02)
    assert float(found["elongation_y"]) == pytest.approx(0.5 * math.sin(angle), abs=0.02)


def test_a_disc_in_the_middle_has_no_direction() -> None:
    found = measured(ellipse())
    for name in COLUMNS[len(INVARIANT) :]:
        assert float(found[name]) == pytest.approx(0, abs=1e-3), name


def test_offset_is_where_the_cell_lies() -> None:
    found = measured(ellipse(10, 10, x=3, y=-5))
    assert float(found["offset_x"]) == pytest.approx(3, abs=0.05)
    assert float(found["offset_y"]) == pytest.approx(-5, abs=0.05)
    assert float(found["asymmetry_x"]) == pytest.approx(0, abs=0.01)


def test_asymmetry_points_to_the_bright_side_wherever_the_cell_lies() -> None:
    """A slope of g per px moves the centroid of the light by g r² / 4: by g r / 4 radii."""
    x, y = grid()
    lit = [ellipse(x=at) * (1 + 0.02 * (x - at) - 0.01 * y) for at in (0.0, 4.0)]
    found = measured(*lit)
    x_, y_ = found["asymmetry_x"], found["asymmetry_y"]
    # a little less, as the outline moves to the bright side too
    assert x_.tolist() == pytest.approx([0.02 * 12 / 4] * 2, rel=0.25)
    torch.testing.assert_close(y_, -x_ / 2, atol=0.002, rtol=0)
    torch.testing.assert_close(x_[0], x_[1], atol=0.002, rtol=0)
    even, uneven = measured(ellipse(), lit[0])["unevenness"]
    assert float(uneven) > float(even) + 0.03


def test_an_ellipse_is_not_ragged_and_two_fragments_are() -> None:
    two = ellipse(7, 7, x=-9) + ellipse(7, 7, x=9)
    notched = ellipse(14, 14) * (1 - ellipse(5, 9, y=-12))
    round_, long, fragments, notch = measured(
        ellipse(), ellipse(18, 7, 30), two, notched
    )["raggedness"]  # fmt: skip
    assert float(round_) == pytest.approx(0, abs=0.02)
    assert float(long) == pytest.approx(0, abs=0.03)
    assert float(fragments) > 0.3
    assert 0.02 < float(notch) < float(fragments)


def speckled(period: float) -> Tensor:
    """Return a disc with a chequered pattern of one period, px."""
    x, y = grid()
    k = 2 * math.pi / period
    return ellipse(16, 16) * (1 + 0.2 * torch.cos(k * x) + 0.2 * torch.cos(k * y))


def test_granularity_is_that_of_the_band() -> None:
    found = measured(ellipse(16, 16), speckled(5), speckled(11))
    fine, coarse = found["granularity_fine"], found["granularity_coarse"]
    assert int(fine.argmax()) == 1
    assert int(coarse.argmax()) == 2
    assert float(fine[1]) > float(fine[2]) + 0.5
    assert float(coarse[2]) > float(coarse[1]) + 0.5
    assert float(max(fine[0], coarse[0])) < float(min(fine[1], coarse[2])) - 1


def test_sharpness_falls_with_blur() -> None:
    found = measured(*(ellipse(soft=s) for s in (0.3, 0.7, 1.5)))["edge_sharpness"]
    assert (found.diff() < -0.3).all()


def cells() -> Tensor:
    """Return cells (4, 1, 64, 64) with directions, and grain in some of them."""
    x, y = grid()
    lit = ellipse(15, 9, 20, 2, -1, 1.0) * (1 + 0.03 * x - 0.02 * y)
    two = ellipse(8, 6, 50, -6, 3, 1.0) + 0.8 * ellipse(6, 6, x=7, y=-4, soft=1.0)
    return torch.stack([ellipse(soft=1.0), lit, two, speckled(8)])[:, None]


def test_no_measure_depends_on_gain() -> None:
    plain = measure_light(cells())
    for gain in (1e-2, 30.0):
        torch.testing.assert_close(measure_light(gain * cells()), plain, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [90, 37, 200])
def test_measures_rotate_as_the_latents_that_follow_them(degrees: float, mirrored: bool) -> None:
    """Measures of a rotated cell are the rotated measures: no latent is taught two things."""
    network, light = TCVAE(GUIDED), cells()
    n, guided = len(light), list(guided_latents(GUIDED))
    angle = torch.full((n,), math.radians(degrees))
    mirror = torch.full((n,), mirrored)

    def as_latents(pictures: Tensor) -> Tensor:
        z = torch.zeros(n, GUIDED.latents)
        z[:, guided] = measure_light(pictures)
        return z

    found = as_latents(rotated(light, angle, mirror).clamp_min(0))
    wanted = network.rotate(as_latents(light), angle, mirror)
    # resampling blurs, which the finest grain and the edge see
    seen = [guided[COLUMNS.index(c)] for c in ("granularity_fine", "edge_sharpness")]
    exact = [i for i in range(GUIDED.latents) if i not in seen]
    torch.testing.assert_close(found[:, exact], wanted[:, exact], atol=0.06, rtol=0)
    torch.testing.assert_close(found[:, seen], wanted[:, seen], atol=0.3, rtol=0)
    if degrees == 90:  # resamples nothing
        torch.testing.assert_close(found, wanted, atol=5e-3, rtol=0)


def test_a_crop_without_light_is_measured_without_nan() -> None:
    assert measure_light(torch.zeros(2, 1, 64, 64)).isfinite().all()


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
