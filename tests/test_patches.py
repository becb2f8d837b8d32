from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.crops import normalise
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.patches import patches_of_crops


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
