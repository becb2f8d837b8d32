import numpy as np
import pytest

from napari_interpdisc.flags import CUT, N_FLAGS, OUT_OF_DISTRIBUTION
from napari_interpdisc.paint import hatch, label_of_cells, paint_discs, paint_labels


def test_discs_are_round_and_the_nearest_wins() -> None:
    plane = paint_discs([[10, 10], [10, 16]], [1, 2], 5, (21, 30))
    assert plane[10, 12] == 1
    assert plane[10, 14] == 2
    assert plane[10, 5] == 1
    assert plane[6, 6] == 0
    assert (plane == 1).sum() == pytest.approx(np.pi * 25, rel=0.15)


def test_each_flag_has_stripes_of_its_own_and_the_class_is_between_them() -> None:
    n, side = 3, 40
    plane = np.zeros((side, 4 * side), np.uint8)
    for flag in range(N_FLAGS):
        plane[:, flag * side : (flag + 1) * side] = 2 + n * flag
    plane[:5] = 0
    seen = hatch(plane, n, radius=10)
    parts = np.split(seen[5:], 4, axis=1)
    assert (seen[:5] == 0).all()
    assert (parts[0] == 2).all()
    beneath = [part == 2 + n * (flag + N_FLAGS) for flag, part in enumerate(parts)]
    for flag in (OUT_OF_DISTRIBUTION, CUT, OUT_OF_DISTRIBUTION | CUT):
        assert ((parts[flag] == 2 + n * flag) | beneath[flag]).all()
        assert 0.1 < beneath[flag].mean() < 0.6
    falling, rising = np.eye(8, dtype=bool), np.eye(8, dtype=bool)[::-1]
    assert any(beneath[CUT][:8, i : i + 8][falling].all() for i in range(8))
    assert any(beneath[OUT_OF_DISTRIBUTION][:8, i : i + 8][rising].all() for i in range(8))
    assert beneath[OUT_OF_DISTRIBUTION | CUT].sum() > beneath[CUT].sum()
    assert hatch(parts[0], n, 10) is parts[0]


def test_discs_at_and_over_the_edge() -> None:
    assert paint_discs([[0, 0], [19.4, 19.4]], [1, 2], 3, (20, 20))[[0, 19], [0, 19]].tolist() == [
        1,
        2,
    ]
    assert not paint_discs([[-30, 5]], [1], 3, (20, 20)).any()


def test_label_under_the_centroid_else_the_nearest_free_one() -> None:
    labels = np.zeros((30, 30), int)
    labels[5:10, 5:10] = 4_000_000
    labels[5:10, 14:18] = 9
    # The second cell lies beside its object; the third is nearer to one that has its own cell.
    found = label_of_cells(labels, [[7, 7], [7, 20], [12, 7]], 4)
    assert found.tolist() == [4_000_000, 9, 0]


def test_objects_without_a_cell_stay_empty_and_cells_without_object_get_a_disc() -> None:
    labels = np.zeros((30, 30), int)
    labels[5:10, 5:10] = 3
    labels[20:25, 20:25] = 8
    plane = paint_labels(labels, [[7, 7], [7, 25]], [2, 1], 3)
    assert (plane[labels == 3] == 2).all()
    assert not plane[labels == 8].any()
    assert plane[7, 25] == 1
