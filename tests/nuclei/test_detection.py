from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from skimage.measure import regionprops

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.nuclei.detection import detect_movie, detect_nuclei, segment_nuclei
from napari_interpdisc.nuclei.diameter import diameter_from_labels, estimate_diameter
from napari_interpdisc.simulate.movie import (
    SimulatedMovie,
    SimulationSettings,
    simulate_movie,
)


@pytest.fixture(scope="module")
def movie() -> SimulatedMovie:
    return simulate_movie(SimulationSettings(shape=(6, 300, 300), cells=20, dividing=0.5, seed=1))


def recall(found: np.ndarray, truth: np.ndarray, within: float) -> float:
    distance, _ = cKDTree(found).query(truth)
    return float((distance < within).mean())


def test_simulated_nuclei_are_found_mitotic_ones_too(movie: SimulatedMovie) -> None:
    cells = detect_movie(Frames(movie.image), 28.0)
    truth = movie.cells
    metaphase = truth.extra["state"] == "Metaphase"
    hits = []
    for t in range(6):
        here, of_t = cells.yx[cells.t == t], truth.t == t
        assert recall(here, truth.yx[of_t], 10) > 0.9
        assert recall(truth.yx[of_t], here, 14) > 0.9
        if (of_t & metaphase).any():
            hits.append(recall(here, truth.yx[of_t & metaphase], 8))
    assert np.mean(hits) > 0.9


def test_real_frames(microscopy: Callable[[str], Path]) -> None:
    for name in ("seq01_t041.tif", "seq02_t038.tif"):
        image, labels = tifffile.imread(microscopy("hela_ctc") / name)
        nuclei = regionprops(labels.astype(np.int32))
        truth = np.array([p.centroid for p in nuclei])
        found = detect_nuclei(image.astype(np.float32))
        assert recall(found, truth, 12) > 0.8
        assert recall(truth, found, 14) > 0.8
        expected = np.median([p.equivalent_diameter_area for p in nuclei])
        assert estimate_diameter(Frames(image)) == pytest.approx(expected, rel=0.2)


def test_segmentation_covers_what_is_detected(movie: SimulatedMovie) -> None:
    frame = movie.image[0].astype(np.float32)
    labels = segment_nuclei(frame, 28.0)
    assert labels.shape == frame.shape
    overlap = ((labels > 0) & (movie.labels[0] > 0)).sum() / (
        (labels > 0) | (movie.labels[0] > 0)
    ).sum()
    assert overlap > 0.6


def test_nothing_to_find(rng: np.random.Generator) -> None:
    with pytest.raises(InvalidInput):
        diameter_from_labels(np.zeros((20, 20), int))
    with pytest.raises(InvalidInput, match="The image is blank"):
        estimate_diameter(Frames(np.zeros((50, 50))))
    with pytest.raises(InvalidInput):
        detect_nuclei(np.zeros((50, 50), np.float32), -1.0)


def test_frames_without_pixels_cost_their_own_cells(movie: SimulatedMovie) -> None:
    image = movie.image.astype(np.float32)
    whole = detect_movie(Frames(image), 28.0)
    image[[1, 3]] = 7
    told: list[str] = []
    cells = detect_movie(Frames(image), 28.0, told.append)
    kept = ~np.isin(whole.t, (1, 3))
    np.testing.assert_array_equal(cells.t, whole.t[kept])
    np.testing.assert_array_equal(cells.yx, whole.yx[kept])
    assert told == ["2 of 6 frames (1, 3) are blank: no cells there."]


@given(
    exponent=st.floats(-6, 6),
    offset=st.floats(-10, 10),
    dtype=st.sampled_from([np.float64, np.float32, np.float16, np.uint16, np.int32, np.uint8]),
)
@settings(max_examples=12, deadline=None)
def test_nuclei_do_not_depend_on_how_pixels_are_stored(
    exponent: float, offset: float, dtype: type
) -> None:
    still = np.asarray(
        simulate_movie(SimulationSettings(shape=(1, 140, 140), cells=5, seed=3)).image[0], float
    )
    unit = (still - still.min()) / np.ptp(still)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        scale = 1.0 if kind.itemsize == 2 else 10.0**exponent
        stored = (scale * (unit + offset / 10 if kind.itemsize > 2 else unit)).astype(kind)
    else:
        stored = np.rint(unit * min(np.iinfo(kind).max, 60_000)).astype(kind)
    plain = detect_movie(Frames(unit))
    again = detect_movie(Frames(stored))
    assert len(again) == len(plain)
    distance, _ = cKDTree(again.yx).query(plain.yx)
    # eight bits round what lies between background and nucleus
    assert distance.max() < (0.5 if kind.itemsize > 2 else 1.5)
    before, after = estimate_diameter(Frames(unit)), estimate_diameter(Frames(stored))
    assert abs(after - before) < (0.01 if kind.itemsize > 2 else 0.05) * before
