"""What is measured on the light of cells of known shape."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from napari_interpdisc.models.light import AXES, DIRECTIONS, INVARIANT, measure_light
from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig
from napari_interpdisc.training.augment import rotated
from napari_interpdisc.training.encoder.guides import guided_latents

GUIDED = TCVAEConfig(latents=14, rotating=(2, 1))
COLUMNS = (*INVARIANT, *(f"{name}_{part}" for name in DIRECTIONS + AXES for part in "xy"))


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
