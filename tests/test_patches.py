from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.crops import normalise
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.patches import patches_of_crops
from napari_interpdisc.scrutiny.segmented import segment_cells
from napari_interpdisc.simulate.crops import CropSimulation, simulate_crops


def test_patches_of_crops_are_centred_and_at_the_models_diameter() -> None:
    y, x = np.mgrid[:64, :64] - 31.5
    image = np.exp(-0.5 * (y**2 + x**2) / 5**2)[None]
    patch = patches_of_crops(image, 14.0).pixels[0]
    assert patch.shape == (96, 96)
    rows, cols = np.mgrid[:96, :96]
    weight = np.clip(patch - 0.3, 0, None)
    assert (weight * rows).sum() / weight.sum() == pytest.approx(47.5, abs=0.2)
    assert (weight * cols).sum() / weight.sum() == pytest.approx(47.5, abs=0.2)
    # twice as wide as in the image
    assert (patch > 0.5).sum() == pytest.approx(4 * (image > 0.5).sum(), rel=0.1)
    assert normalise(patch).std() > 0.5


def test_crops_that_cannot_be_used() -> None:
    with pytest.raises(InvalidInput, match="too little around"):
        patches_of_crops(np.zeros((2, 30, 30)), 28.0)
    with pytest.raises(InvalidInput, match="shape"):
        patches_of_crops(np.zeros((64, 64)), 28.0)
    with pytest.raises(InvalidInput, match="NaN"):
        patches_of_crops(np.full((1, 64, 64), np.nan), 28.0)
    with pytest.raises(InvalidInput, match="type complex128; give integers or floats"):
        patches_of_crops(np.ones((1, 64, 64), complex), 28.0)


@pytest.mark.parametrize("gain", [1e-300, 1e-25, 1.0, 1e25, 1e300])
def test_gain_and_offset_of_crops_change_nothing(gain: float) -> None:
    images, _ = simulate_crops(2, 0, CropSimulation(side=112))
    counts = np.rint(255 * (images - images.min()) / np.ptp(images))
    plain = patches_of_crops(counts, 28.0).crops()
    assert plain.std() > 0.5
    np.testing.assert_allclose(patches_of_crops(counts * gain, 28.0).crops(), plain, atol=1e-4)


@pytest.mark.parametrize("gain", [1e-25, 1e-11, 1e-10, 1e9, 1e11, 1e25])
def test_nuclei_are_found_at_any_gain(gain: float) -> None:
    settings = CropSimulation(side=112, noise=(0.05, 0.05), offset=(0, 0))
    images, _ = simulate_crops(4, 0, settings)
    plain = segment_cells(patches_of_crops(images, 26.0)).rows
    assert len(plain)
    found = segment_cells(patches_of_crops(images * gain, 26.0)).rows
    np.testing.assert_array_equal(found, plain)


def test_large_offsets_of_crops_change_little() -> None:
    images, _ = simulate_crops(2, 0, CropSimulation(side=112))
    counts = np.rint(255 * (images - images.min()) / np.ptp(images)).astype(np.int64)
    plain = patches_of_crops(counts, 28.0).crops()
    for changed, atol in (
        (counts / 255 + 1e6, 1e-4),
        (counts + 10**8, 1e-5),
        (counts / 255 + 1e12, 0.02),
        (counts.astype(np.uint8), 1e-5),
    ):
        np.testing.assert_allclose(patches_of_crops(changed, 28.0).crops(), plain, atol=atol)


def test_crops_of_two_values_and_without_contrast() -> None:
    masks = np.zeros((1, 64, 64), bool)
    masks[0, 20:40, 20:40] = True
    assert patches_of_crops(masks, 28.0).crops().std() > 0.5
    for value in (0, 7, 1e300, -1e-300):
        assert not patches_of_crops(np.full((1, 64, 64), value), 28.0).pixels.any()
