from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from napari_interpdisc.crops import CLIP, normalise
from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig
from napari_interpdisc.training.augment import (
    Augmentation,
    Views,
    among_others,
    background_level,
    normalise_tensor,
    random_pairs,
    random_views,
    rotated,
    rotated_latents,
)

PLAIN = Augmentation(diameter=0, shift=0, blur=0, gamma=0, noise=0)


def view(patches: Tensor, settings: Augmentation, seed: int = 0, size: int = 32) -> Tensor:
    fields = torch.full((len(patches),), float(patches.shape[-1]))
    return random_views(patches, fields, settings, size, torch.Generator().manual_seed(seed))


@pytest.fixture
def odd() -> Tensor:
    """Return a patch that differs from all its mirror images and quarter rotations."""
    rows, cols = np.mgrid[:32, :32] / 31
    return torch.from_numpy(0.2 + 0.5 * rows**2 + 0.3 * cols * (rows > 0.5)).float()


def orientations(picture: Tensor) -> list[Tensor]:
    rotated = [torch.rot90(picture, k) for k in range(4)]
    return rotated + [t.T for t in rotated]


def test_all_eight_orientations_of_a_square_are_reached(odd: Tensor) -> None:
    views = view(odd.expand(200, 1, 32, 32), PLAIN)
    known = normalise_tensor(torch.stack(orientations(odd))[:, None])
    distance = (views[:, None] - known[None]).abs().amax((2, 3, 4))
    counts = torch.bincount(distance.argmin(1), minlength=8)
    assert int(counts.min()) > 10  # 25 of each are expected
    # a quarter rotation resamples nothing: each view is one of the eight, pixel for pixel
    assert float(distance.min(1).values.max()) < 0.02


def test_quarter_turns_and_mirrors_are_exact(odd: Tensor) -> None:
    crops = odd.expand(8, 1, 32, 32)
    angle = torch.arange(8) % 4 * (math.pi / 2)
    mirror = torch.arange(8) >= 4
    found = rotated(crops, angle, mirror)
    known = [torch.rot90(odd, -k) for k in range(4)]
    known += [torch.rot90(odd.flip(0), -k) for k in range(4)]
    torch.testing.assert_close(found[:, 0], torch.stack(known), atol=1e-4, rtol=0)


def test_latents_are_turned_and_keep_their_length() -> None:
    encoder = TCVAE(TCVAEConfig(latents=7, rotating=(1, 1), widths=(2, 2, 2, 2), hidden=4))
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(2000, 7, generator=generator)
    found = rotated_latents(encoder, z, generator)
    torch.testing.assert_close(found[:, :3], z[:, :3])
    for a, b in encoder.rotating_pairs:
        before, after = (torch.view_as_complex(v[:, a : b + 1].contiguous()) for v in (z, found))
        torch.testing.assert_close(after.abs(), before.abs())
        angles = (after / before).angle()  # every angle, as often as any other
        assert torch.histc(angles, 8, -math.pi, math.pi).min() > 150


def test_latents_of_a_plain_network_are_left_alone() -> None:
    encoder = TCVAE(TCVAEConfig(latents=7, widths=(2, 2, 2, 2), hidden=4))
    z = torch.randn(5, 7)
    assert rotated_latents(encoder, z, torch.Generator()) is z


def test_a_spot_turns_by_the_angle() -> None:
    at = torch.arange(64) - 31.5
    spot = torch.exp(-((at[:, None] - 0) ** 2 + (at[None] - 16) ** 2) / 8)[None, None]
    for degrees in (30, 100, 200):
        angle = torch.tensor([math.radians(degrees)])
        found = rotated(spot, angle, torch.tensor([False]))[0, 0]
        y, x = (found.sum(1) @ at) / found.sum(), (found.sum(0) @ at) / found.sum()
        assert math.degrees(math.atan2(float(y), float(x))) % 360 == pytest.approx(degrees, abs=0.5)


def test_normalisation_is_that_of_the_crops() -> None:
    rng = np.random.default_rng(0)
    crops = rng.gamma(0.5, size=(4, 1, 16, 16)).astype(np.float32)  # tails beyond the clip
    crops[3] = 0.7  # flat: the floor of the deviation decides
    wanted = normalise(crops)
    np.testing.assert_allclose(normalise_tensor(torch.from_numpy(crops)), wanted, atol=1e-5)
    assert wanted.max() == CLIP


def test_views_are_normalised(odd: Tensor) -> None:
    views = view(odd.expand(8, 1, 32, 32), Augmentation())
    assert views.shape == (8, 1, 32, 32)
    assert views.dtype == torch.float32
    torch.testing.assert_close(views.mean((1, 2, 3)), torch.zeros(8), atol=0.05, rtol=0)
    assert float(views.abs().max()) <= 4


def test_the_generator_alone_decides(odd: Tensor) -> None:
    patches = odd.expand(8, 1, 32, 32)
    torch.manual_seed(1)
    first = view(patches, Augmentation(edge=0.5), seed=3)
    torch.manual_seed(2)
    assert torch.equal(first, view(patches, Augmentation(edge=0.5), seed=3))
    assert not torch.equal(first, view(patches, Augmentation(edge=0.5), seed=4))


def test_diameters_vary_within_what_was_asked() -> None:
    rows, cols = np.mgrid[:96, :96] - 47.5
    disc = torch.from_numpy((np.hypot(rows, cols) <= 14).astype(np.float32))
    settings = PLAIN.model_copy(update={"diameter": 0.25})
    views = view(disc.expand(300, 1, 96, 96), settings, size=64)
    areas = (views > 0).sum((1, 2, 3)).double()
    diameters = 2 * (areas / torch.pi).sqrt()
    assert float(diameters.min()) == pytest.approx(28 * 0.75, abs=1)
    assert float(diameters.max()) == pytest.approx(28 * 1.25, abs=1)


def test_the_field_of_view_stops_where_pixels_end() -> None:
    """Of a patch with 32 real pixels of 64, no view shows the rest."""
    patch = torch.zeros(64, 64)
    patch[16:48, 16:48] = torch.linspace(0.5, 1, 32)[:, None]
    fields = torch.full((50,), 32.0)
    settings = PLAIN.model_copy(update={"diameter": 0.25})
    generator = torch.Generator().manual_seed(0)
    views = random_views(patch.expand(50, 1, 64, 64), fields, settings, 32, generator)
    # a border of zeros would lie four standard deviations below the ramp's mean
    assert float(views.min()) > -2.2


def test_a_crop_over_the_edge_shows_its_own_mean_beyond(odd: Tensor) -> None:
    settings = PLAIN.model_copy(update={"edge": 1.0})
    views = view(odd.expand(60, 1, 32, 32), settings)
    flat_rows = (views.std(3) < 1e-6).sum((1, 2))
    flat_cols = (views.std(2) < 1e-6).sum((1, 2))
    assert int(flat_rows.max()) > 8
    assert int(flat_cols.max()) > 8


@pytest.mark.parametrize("name", ["blur", "haze", "glow", "gamma", "noise", "shift", "gradient"])
def test_each_variation_does_something(odd: Tensor, name: str) -> None:
    patches = odd.expand(8, 1, 32, 32)
    one = Augmentation.model_validate({**PLAIN.model_dump(), name: 0.9})
    assert not torch.allclose(view(patches, one), view(patches, PLAIN), atol=1e-3)


@pytest.mark.parametrize(
    ("name", "given"), [("haze", 1.0), ("haze", -0.1), ("glow", -0.1), ("glow", 2.1)]
)
def test_a_strength_out_of_range_is_refused(name: str, given: float) -> None:
    with pytest.raises(ValidationError, match=name):
        Augmentation.model_validate({name: given})


def test_the_clean_view_differs_in_what_the_microscope_did_alone(odd: Tensor) -> None:
    patches, fields = odd.expand(20, 1, 32, 32), torch.full((20,), 32.0)
    everything = Augmentation(diameter=0.2, noise=0.5, blur=2, haze=0.5, glow=0.5, gradient=0.5)
    two = random_pairs(patches, fields, everything, 32, torch.Generator().manual_seed(2))
    seen, clean = two.crops, two.clean
    assert two.light is two.around is two.again is None  # without masks
    geometry = Augmentation(diameter=0.2, noise=0, blur=0, gamma=0, gradient=0, edge=0)
    two = random_pairs(patches, fields, geometry, 32, torch.Generator().manual_seed(2))
    alone, same = two.crops, two.clean
    assert torch.allclose(alone, same, atol=1e-5)
    assert float((seen - clean).std()) > 0.2
    assert float((alone - clean).abs().max()) < 1e-4  # the first draws are the same


def test_haze_is_a_halo_around_a_peak_that_stays_where_it_is() -> None:
    patches = torch.zeros(60, 1, 64, 64)
    patches[:, :, 31:33, 31:33] = 1
    hazy = view(patches, PLAIN.model_copy(update={"haze": 0.8}), size=64)[:, 0]
    sharp = view(patches, PLAIN, size=64)[:, 0]
    changed = (hazy - sharp).abs().amax((1, 2)) > 1e-4
    assert 15 < int(changed.sum()) < 45  # half of the crops
    hazy = hazy[changed]
    peak = hazy.amax((1, 2))
    assert bool((hazy[:, 31:33, 31:33].amax((1, 2)) == peak).all())
    # although it is blurred at a quarter of the pixels: as bright on all sides
    sides = [hazy[:, 25, 31:33], hazy[:, 38, 31:33], hazy[:, 31:33, 25], hazy[:, 31:33, 38]]
    means = torch.stack([side.mean(1) for side in sides])
    far = hazy[:, :4].mean((1, 2))
    halo = (means - far) / (peak - far)
    assert float(halo.max()) > 0.02
    assert float((halo - halo[0]).abs().max()) < 0.1 * float(halo.max())


def test_glow_is_a_disc_behind_the_nucleus_as_bright_as_was_asked() -> None:
    at = torch.arange(64) - 31.5
    away = (at[:, None] ** 2 + at[None] ** 2).sqrt()
    patches = (0.1 + 0.4 * (away < 5)).expand(200, 1, 64, 64)
    glowing = view(patches, PLAIN.model_copy(update={"glow": 0.8}), size=64)[:, 0]
    far = glowing[:, :4].mean((1, 2))
    ring = glowing[:, (away > 7.5) & (away < 8.5)].mean(1) - far
    share = ring / (glowing[:, away < 4].mean(1) - far)
    changed = share > 1e-3
    assert 70 < int(changed.sum()) < 130  # half of the crops
    # beside a nucleus of height 1, a disc of height g: g over 1 + g of what is in the middle
    assert 0.8 / 1.8 * 0.85 < float(share.max()) < 0.8 / 1.8 * 1.02
    assert float(share[~changed].abs().max()) < 1e-5
    rim = glowing[changed][:, away > 29].mean(1) - far[changed]
    assert float(rim.abs().max()) < 0.1 * float(ring[changed].max())  # it ends within the crop


def test_uneven_light_is_brighter_on_one_side() -> None:
    flat = torch.full((40, 1, 32, 32), 0.5)
    flat[:, :, 12:20, 12:20] = 1.0
    views = view(flat, PLAIN.model_copy(update={"gradient": 0.4}))
    rim = torch.stack([views[:, 0, 0], views[:, 0, -1], views[:, 0, :, 0], views[:, 0, :, -1]], 1)
    sides = rim.mean(2)
    assert float((sides.amax(1) - sides.amin(1)).mean()) > 0.2


def with_neighbour(n: int = 24) -> tuple[Tensor, Tensor]:
    """Patches of a disc in the middle and a brighter one beside it, and masks of the first."""
    rows, cols = np.mgrid[:96, :96] - 47.5
    own = torch.from_numpy((np.hypot(rows, cols) <= 10).astype(np.float32))
    other = torch.from_numpy((np.hypot(rows, cols - 24) <= 9).astype(np.float32))
    patch = 0.1 + 0.5 * own + 0.8 * other
    return patch.expand(n, 1, 96, 96), own.expand(n, 1, 96, 96)


def pairs_with_masks(settings: Augmentation, seed: int = 0, rows: Tensor | None = None) -> Views:
    patches, masks = with_neighbour()
    fields = torch.full((len(patches),), 96.0)
    generator = torch.Generator().manual_seed(seed)
    return random_pairs(patches, fields, settings, 64, generator, masks, rows)


def around(crops: Tensor) -> Tensor:
    """What lies away from the central disc."""
    at = torch.arange(64) - 31.5
    return crops[:, 0, (at[:, None] ** 2 + at[None] ** 2).sqrt() > 13]


def test_with_masks_the_clean_view_shows_the_cell_alone() -> None:
    views = pairs_with_masks(PLAIN)
    seen, cell = views.crops, views.clean
    assert float(around(seen).std(1).min()) > 0.3
    assert float(around(cell).std(1).max()) < 1e-5
    assert float(cell[:, 0, 28:36, 28:36].mean()) > 2


def test_surroundings_change_and_the_cell_does_not() -> None:
    settings = PLAIN.model_copy(update={"surroundings": 1.0})
    views = pairs_with_masks(settings)
    seen = views.crops
    torch.testing.assert_close(views.clean, pairs_with_masks(PLAIN).clean)
    spread = around(seen).std(1)
    # some are left alone, some have bright neighbours
    assert float(spread.min()) < 0.2
    assert float(spread.max()) > 0.5
    # whatever the surroundings, the nucleus is as high above the background as it was
    assert not torch.isnan(seen).any()


def test_a_pasted_nucleus_does_not_cover_the_cell() -> None:
    patches, masks = with_neighbour(60)
    crops, own = patches[:, :, 16:80, 16:80], masks[:, :, 16:80, 16:80]
    level = background_level(crops)
    torch.testing.assert_close(level, torch.full_like(level, 0.1))
    changed = among_others(crops, own, level, 1.0, torch.Generator().manual_seed(3))
    core = own[:, 0, :] * (own[:, 0] > 0.99)
    inside = (changed[:, 0] * core).sum((1, 2)) / core.sum((1, 2))
    # discs of equal size at a gap of 0 to 12 px: only rims may overlap
    assert float(inside.max()) < 0.6 * 1.15
    assert float(inside.min()) == pytest.approx(0.6, abs=1e-3)


def test_no_share_and_a_single_crop_change_nothing() -> None:
    patches, masks = with_neighbour(4)
    level = background_level(patches)
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(among_others(patches, masks, level, 0.0, generator), patches)
    alone = among_others(patches[:1], masks[:1], level[:1], 1.0, generator)
    assert torch.equal(alone, patches[:1])


def test_the_edge_of_the_frame_cuts_the_cell_and_leaves_no_strip() -> None:
    cell = pairs_with_masks(PLAIN.model_copy(update={"edge": 1.0})).clean
    # away from the cell there is nothing to see, on either side of the edge
    assert float(around(cell).std(1).max()) < 1e-4
    areas = (cell > 1).sum((1, 2, 3))
    assert int(areas.min()) < int(areas.max())


def test_crops_are_those_of_models_that_were_trained_before() -> None:
    """Every draw comes in its old order: pixels that the code drew before it knew of cells."""
    at = torch.arange(48.0) / 47
    picture = 0.2 + 0.5 * at[:, None] ** 2 + 0.3 * at[None] * (at[:, None] > 0.5)
    patches, fields = picture.expand(3, 1, 48, 48), torch.full((3,), 48.0)
    settings = Augmentation(gradient=0.4, edge=0.5)
    views = random_pairs(patches, fields, settings, 32, torch.Generator().manual_seed(5))
    known = {"crops": [-0.75061, -0.11727, 0.04258], "clean": [-0.85332, -0.09321, 0.09192]}
    for name, pixels in known.items():
        found = getattr(views, name)[:, 0, 10, 20]
        torch.testing.assert_close(found, torch.tensor(pixels), atol=1e-3, rtol=0)


def parts(views: Views) -> tuple[Tensor, Tensor]:
    """Light of the cells, and from around them."""
    assert views.light is not None
    assert views.around is not None
    return views.light, views.around


@pytest.mark.parametrize("surroundings", [0.0, 1.0])
def test_a_crop_is_its_level_the_light_of_the_cell_and_that_from_around(
    surroundings: float,
) -> None:
    views = pairs_with_masks(PLAIN.model_copy(update={"surroundings": surroundings}))
    light, others = parts(views)
    # the level is the same everywhere, so that normalising takes it away
    torch.testing.assert_close(normalise_tensor(light), views.clean, atol=1e-4, rtol=0)
    torch.testing.assert_close(normalise_tensor(light + others), views.crops, atol=1e-4, rtol=0)
    assert float(around(light).abs().max()) == 0
    assert float(others[:, 0, 28:36, 28:36].abs().max()) < 1e-5
    # both are in the units of the cell alone
    spread = light.std((1, 2, 3), correction=0)
    torch.testing.assert_close(spread, torch.ones(len(light)), atol=1e-4, rtol=0)


def test_light_is_blind_to_the_faults_of_the_microscope() -> None:
    faults = {"blur": 2.0, "haze": 0.6, "glow": 0.8, "gamma": 0.3, "noise": 0.5, "gradient": 0.4}
    views = pairs_with_masks(PLAIN.model_copy(update=faults))
    for found, wanted in zip(parts(views), parts(pairs_with_masks(PLAIN)), strict=True):
        torch.testing.assert_close(found, wanted)


def test_beyond_the_edge_of_the_frame_there_is_no_light() -> None:
    views = pairs_with_masks(PLAIN.model_copy(update={"edge": 1.0}))
    light, others = parts(views)
    bright = [part.abs().amax((1, 2, 3)) for part in parts(pairs_with_masks(PLAIN))]
    assert min(float(part.min()) for part in bright) > 1
    assert float(others.abs().amax((1, 2, 3)).min()) < 0.1, "some neighbours are cut off"
    assert int((light > 0).sum((1, 2, 3)).min()) < 0.8 * int((light > 0).sum((1, 2, 3)).max())
    for dim in (2, 3):
        flat = (views.crops.std(dim, keepdim=True) < 1e-6).expand_as(light)
        assert float(light[flat].abs().max()) == 0
        assert float(others[flat].abs().max()) < 1e-5


CELLS_AGAIN = torch.tensor([1, 5, 6, 10, 13, 20])


def odd_cells() -> tuple[Tensor, Tensor]:
    """Patches whose cells and neighbours differ from one another, and the cells' masks."""
    patches, masks = with_neighbour()
    at = torch.arange(96) - 47.5
    n = torch.arange(len(patches))[:, None, None, None] / len(patches)
    slope = 1 + 0.02 * at[:, None] + 0.02 * n * at
    return (0.1 + (patches - 0.1) * slope * (0.6 + 0.4 * n)).clamp_min(0), masks


def shown_twice(settings: Augmentation) -> tuple[Tensor, Tensor, Tensor]:
    """Crops of some cells, the same cells again, and where they are (n, 1, 64, 64)."""
    patches, masks = odd_cells()
    fields, generator = torch.full((len(patches),), 96.0), torch.Generator().manual_seed(4)
    views = random_pairs(patches, fields, settings, 64, generator, masks, CELLS_AGAIN)
    light, _ = parts(views)
    assert views.again is not None
    assert views.again.shape == (len(CELLS_AGAIN), 1, 64, 64)
    assert len(views.crops) == len(patches)
    return views.crops[CELLS_AGAIN], views.again, light[CELLS_AGAIN] > 0


def test_the_same_cells_are_shown_again_with_other_surroundings() -> None:
    """Inside the outline, up to the gain and offset of normalisation, not a pixel differs."""
    geometry = PLAIN.model_copy(update={"diameter": 0.2, "shift": 1.5, "gamma": 0.3})
    first, again, inside = shown_twice(geometry)
    at = torch.arange(64) - 31.5
    core = (at[:, None] ** 2 + at[None] ** 2).sqrt() < 4  # no pasted neighbour reaches it
    differ = 0
    for one, two, own in zip(first[:, 0], again[:, 0], inside[:, 0], strict=True):
        a, b = one[own & core], two[own & core]
        gain = ((a - a.mean()) * (b - b.mean())).sum() / (a - a.mean()).square().sum()
        torch.testing.assert_close(b - b.mean(), gain * (a - a.mean()), atol=2e-3, rtol=0)
        fitted = gain * (one - a.mean()) + b.mean()
        differ += float((two - fitted)[~own].abs().max()) > 0.3
    assert differ == len(CELLS_AGAIN)


def test_noise_of_the_second_showing_is_its_own() -> None:
    first, again, inside = shown_twice(PLAIN.model_copy(update={"noise": 0.5}))
    still, still_again, _ = shown_twice(PLAIN)
    noise, other = (first - still)[inside], (again - still_again)[inside]
    assert float(noise.std()) > 0.05
    assert float(other.std()) > 0.05
    assert abs(float(torch.corrcoef(torch.stack([noise, other]))[0, 1])) < 0.3


def test_showing_cells_again_takes_masks_and_leaves_the_first_crops_alone() -> None:
    alone, more = (pairs_with_masks(PLAIN, rows=rows) for rows in (None, CELLS_AGAIN))
    assert alone.again is None
    for name in ("crops", "clean", "light", "around"):
        assert torch.equal(getattr(alone, name), getattr(more, name)), name
