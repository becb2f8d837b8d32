"""Pictures of crops."""

from __future__ import annotations

import numpy as np

from napari_interpdisc.widgets.parts.pictures import signed_picture


def test_signed_pictures_are_black_at_zero() -> None:
    picture = signed_picture(np.array([[-1, 0, 1]], np.float32), 1.0)
    blue, black, red = (picture.pixelColor(x, 0) for x in range(3))
    assert blue.blue() > 200 > blue.red()
    assert black.lightness() == 0
    assert red.red() > 200 > red.blue()
