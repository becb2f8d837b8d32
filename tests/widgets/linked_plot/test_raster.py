from __future__ import annotations

import numpy as np

from napari_interpdisc.widgets.linked_plot.raster import raster, stamp

RED, GREEN = (255, 0, 0, 255), (0, 255, 0, 255)


def test_points_are_where_they_belong_and_those_outside_are_left_out() -> None:
    yx = np.array([[2.0, 3.2], [7, 8], [40, 2], [-5, 1]])
    picture = raster(yx, np.array([RED, GREEN, RED, RED], np.uint8), (10, 12), 1)
    assert picture.shape == (10, 12, 4)
    assert np.argwhere(picture[..., 3] > 0).tolist() == [[2, 3], [7, 8]]
    assert picture[2, 3].tolist() == list(RED)


def test_a_point_is_a_disc_and_is_cut_at_the_edge() -> None:
    assert len(stamp(1)) == 1
    assert len(stamp(5)) == 21
    picture = raster(np.array([[0.0, 0.0]]), np.array([RED], np.uint8), (6, 6), 5)
    assert 4 < (picture[..., 3] > 0).sum() < 21


def test_pale_points_never_cover_full_ones_and_no_class_lies_above_another() -> None:
    pale = (0, 0, 255, 50)
    for seed in range(4):
        both = raster(np.zeros((2, 2)), np.array([RED, pale], np.uint8), (3, 3), 1, seed)
        assert both[0, 0].tolist() == list(RED)
    yx = np.stack([np.arange(400) // 2, np.zeros(400)], 1)
    colors = np.array([RED, GREEN] * 200, np.uint8)
    reds = (raster(yx, colors, (200, 1), 1)[:, 0, 0] == 255).sum()
    assert 60 < reds < 140
