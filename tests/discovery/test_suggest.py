from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.discovery.suggest import most_disagreed, most_typical, most_uncertain


def test_the_least_certain_cells_one_per_track() -> None:
    scores = np.array([[0.1], [-0.2], [3.0], [0.0], [0.05]], np.float32)
    tracks = np.array([1, 1, 2, 3, 1])
    assert most_uncertain(scores, tracks) == [3, 4, 2]
    assert most_uncertain(scores, tracks, exclude=[3, 4], n=1) == [0]
    assert most_uncertain(np.array([[2.0, 2.0, 0], [9, 0, 0]], np.float32), tracks[:2]) == [0]


def test_the_cells_that_heads_disagree_most_about_one_per_track() -> None:
    scores = np.array([[0.1], [-0.2], [3.0], [0.0], [0.05]], np.float32)
    tracks = np.array([1, 1, 2, 3, 4])
    apart = np.array([0.4, 0.2, 0.4, 0.0, np.nan])
    assert most_disagreed(apart, scores, tracks) == [0, 2]
    assert most_disagreed(apart, scores, tracks, exclude=[0]) == [2, 1]
    assert most_disagreed(apart, scores, tracks, n=1) == [0]


def groups(*sizes: int) -> np.ndarray:
    """Latents (N, 2) of groups far apart; the first cell of each group is in its middle."""
    draw = np.random.default_rng(0)
    parts = []
    for k, n in enumerate(sizes):
        own = draw.normal(0, 0.3, (n, 2))
        own[0] = 0
        parts.append(own + np.array([10 * k, 0]))
    return np.concatenate(parts).astype(np.float32)


def group_of(latents: np.ndarray, row: int) -> int:
    return round(float(latents[row, 0]) / 10)


def test_the_middle_of_the_largest_group_without_labels_comes_first() -> None:
    latents = groups(60, 30, 20)
    tracks = np.arange(len(latents))
    found = most_typical(latents, tracks, n=3)
    assert [group_of(latents, cell.row) for cell in found] == [0, 1, 2]
    assert [cell.share for cell in found] == pytest.approx([60 / 110, 30 / 110, 20 / 110])
    assert [cell.labelled for cell in found] == [0, 0, 0]
    middle = np.abs(latents[found[0].row]).max()
    assert middle < 0.3, "an outlier does not stand for a group"
    found = most_typical(latents, tracks, labelled=[5, 70], n=1)
    assert group_of(latents, found[0].row) == 2


def test_typical_cells_are_of_different_tracks_and_not_excluded() -> None:
    latents = groups(40, 40)
    latents[3] = np.nan
    tracks = np.arange(80)
    tracks[40:] = tracks[:40]
    found = most_typical(latents, tracks, n=2)
    assert len({int(tracks[cell.row]) for cell in found}) == 2
    assert most_typical(latents, tracks, exclude=range(80)) == []
    assert most_typical(latents[3:4], tracks[3:4]) == []
    only = most_typical(latents, tracks, labelled=[10, 11], exclude=range(41), n=5)
    assert all(cell.row > 40 for cell in only)
    assert most_typical(np.zeros((4, 2), np.float32), np.arange(4), n=3)[0].share == 1
