"""Nuclei of one crop, told apart."""

from __future__ import annotations

import numpy as np

from napari_interpdisc.nuclei.crops import separate_nuclei

from .conftest import inside, picture


def test_a_thin_plate_and_a_bean_are_not_split() -> None:
    plate = inside(major=14, minor=3)
    bean = inside(major=15, minor=10) & ~inside(y=-10, major=5, minor=4)
    for mask in (plate, bean):
        regions = separate_nuclei(picture(mask))
        assert len(np.unique(regions[mask & (regions > 0)])) == 1
