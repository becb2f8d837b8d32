from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import regionprops

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.simulate.movie import STATES, SimulationSettings, simulate_movie

SMALL = SimulationSettings(shape=(8, 220, 260), cells=12, dividing=0.5, seed=3)


def test_same_seed_same_movie() -> None:
    first, second = simulate_movie(SMALL), simulate_movie(SMALL)
    np.testing.assert_array_equal(first.image, second.image)
    other = simulate_movie(SMALL.model_copy(update={"seed": 4}))
    assert (first.image != other.image).any()


def test_truth_agrees_with_the_labels() -> None:
    movie = simulate_movie(SMALL)
    cells, extra = movie.cells, movie.cells.extra
    assert set(extra["state"]) == set(STATES)
    assert movie.image.dtype == np.uint16
    order = np.lexsort((cells.t, cells.track_id))
    np.testing.assert_array_equal(order, np.arange(len(cells)))
    checked = 0
    for t in range(8):
        props = {p.label: p for p in regionprops(movie.labels[t])}
        for i in np.flatnonzero((cells.t == t) & (extra["neighbour_distance"] > 40)):
            p = props[cells.track_id[i]]
            assert p.area == extra["area"][i]
            assert np.hypot(*(np.array(p.centroid) - cells.yx[i])) < 1.5
            if extra["state"][i] == "Interphase":
                assert p.eccentricity == pytest.approx(extra["eccentricity"][i], abs=0.12)
                if p.eccentricity > 0.6:
                    # skimage measures from the rows; ours is from the x axis towards y
                    measured = np.pi / 2 - p.orientation
                    turn = (measured - extra["orientation"][i] + np.pi / 2) % np.pi - np.pi / 2
                    assert abs(turn) < 0.2
                checked += 1
    assert checked > 20


def test_metaphase_is_small_thin_and_bright() -> None:
    movie = simulate_movie(SMALL)
    cells, extra = movie.cells, movie.cells.extra
    at = np.rint(cells.yx).astype(int)
    bright = movie.image[cells.t, at[:, 0], at[:, 1]].astype(float)
    meta, inter = extra["state"] == "Metaphase", extra["state"] == "Interphase"
    assert np.median(extra["area"][meta]) < 0.4 * np.median(extra["area"][inter])
    assert extra["eccentricity"][meta].min() > extra["eccentricity"][inter].max()
    assert np.median(bright[meta]) > 1.8 * np.median(bright[inter])


def test_factors_do_what_they_say() -> None:
    def median(name: str, **change: float) -> float:
        movie = simulate_movie(SMALL.model_copy(update=change))
        return float(np.median(movie.cells.extra[name]))

    assert median("area", diameter=20.0) < 0.7 * median("area")
    few = {"cells": 6, "dividing": 0.0}
    assert median("neighbour_distance", crowding=1.0, **few) < median(
        "neighbour_distance", crowding=0.0, **few
    )
    assert simulate_movie(SMALL.model_copy(update={"dividing": 0.0})).cells.track_id.max() == 12


def test_too_many_cells() -> None:
    with pytest.raises(InvalidInput, match="do not fit into 60 by 60 px"):
        simulate_movie(SimulationSettings(shape=(2, 60, 60), cells=30))
    with pytest.raises(InvalidInput, match="enlarge the frame"):
        simulate_movie(SimulationSettings(shape=(2, 30, 30), cells=1))


def test_daughters_name_their_mother() -> None:
    cells = simulate_movie(SMALL).cells
    assert len(cells.graph) == 12
    for child, (mother,) in cells.graph.items():
        own, hers = (np.flatnonzero(cells.track_id == k) for k in (child, mother))
        assert cells.t[own].min() == cells.t[hers].max() + 1
        assert np.hypot(*(cells.yx[own[0]] - cells.yx[hers[-1]])) < SMALL.diameter
        assert cells.extra["state"][hers[-1]] == "Metaphase"
