from __future__ import annotations

import numpy as np

from napari_interpdisc.discovery.suggest import most_disagreed, most_uncertain


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
