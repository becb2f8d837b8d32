"""Mean grey levels of channels inside nuclei, on frames where they are known."""

from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.scrutiny.channel_means import channel_means, property_names

D = 26.0
PLACES = [(60.0, 60.0), (60.0, 130.0), (140.0, 100.0)]
MEANS = {0: (500.0, 300.0, 0.0), 1: (10.0, 20.0, 30.0)}


@pytest.fixture(scope="module")
def nuclei() -> np.ndarray:
    """Return two frames (T, Y, X) with three discs each, and noise."""
    rows, cols = np.mgrid[:200, :200]
    planes = np.random.default_rng(0).normal(100, 2, (2, 200, 200))
    for y, x in PLACES:
        planes[:, np.hypot(rows - y, cols - x) <= D / 2] += 100
    return planes.astype(np.float32)


@pytest.fixture(scope="module")
def marker() -> np.ndarray:
    """Return a marker (T, Y, X) whose level depends on nucleus and frame, 1000 elsewhere."""
    rows, cols = np.mgrid[:200, :200]
    planes = np.full((2, 200, 200), 1000.0)
    for t, levels in MEANS.items():
        for (y, x), level in zip(PLACES, levels, strict=True):
            planes[t, np.hypot(rows - y, cols - x) <= D / 2 + 4] = 1000 + level
    return planes.astype(np.uint16)


@pytest.fixture(scope="module")
def cells() -> CellTable:
    return CellTable.from_arrays(np.repeat([1, 0], 3), PLACES * 2)


def test_each_nucleus_has_the_mean_of_its_own_frame(
    nuclei: np.ndarray, marker: np.ndarray, cells: CellTable
) -> None:
    told: list[tuple[int, int]] = []
    found = channel_means(
        Frames(nuclei), {"GFP": Frames(marker), "own": Frames(nuclei)}, cells, D, 28.0, 64, None,
        lambda done, n: told.append((done, n)),
    )  # fmt: skip
    assert set(found) == {"mean_of_GFP", "mean_of_own"}
    np.testing.assert_allclose(
        found["mean_of_GFP"], 1000 + np.array([*MEANS[1], *MEANS[0]]), atol=1
    )
    np.testing.assert_allclose(found["mean_of_own"], 200, atol=6)
    assert told[-1] == (6, 6)


def test_a_given_segmentation_says_what_is_measured(
    nuclei: np.ndarray, marker: np.ndarray, cells: CellTable
) -> None:
    labels = np.zeros(nuclei.shape, np.int32)
    labels[:, 50:70, 50:70] = 1
    found = channel_means(Frames(nuclei), {"m": Frames(marker)}, cells, D, 28.0, 64, labels)
    known = np.isfinite(found["mean_of_m"])
    assert known.tolist() == [True, False, False] * 2
    assert found["mean_of_m"][0] == pytest.approx(1010, abs=1)


def test_grey_levels_keep_their_digits_on_a_large_offset(
    nuclei: np.ndarray, marker: np.ndarray, cells: CellTable
) -> None:
    far = marker.astype(np.int64) + 2_000_000_000
    found = channel_means(Frames(nuclei), {"m": Frames(far)}, cells, D, 28.0, 64)
    np.testing.assert_allclose(found["mean_of_m"][:3] - 2_000_001_000, MEANS[1], atol=1)


def test_pixels_without_a_value_cost_the_cells_that_hold_them(
    nuclei: np.ndarray, marker: np.ndarray, cells: CellTable
) -> None:
    holes = marker.astype(np.float32)
    holes[1, 58:62, 58:62] = np.nan
    holes[0] = np.nan
    found = channel_means(Frames(nuclei), {"m": Frames(holes)}, cells, D, 28.0, 64)
    assert np.isfinite(found["mean_of_m"]).tolist() == [False, True, True, False, False, False]


def test_a_channel_of_other_places_is_refused(nuclei: np.ndarray, cells: CellTable) -> None:
    with pytest.raises(InvalidInput, match="'m' has 2 × 100 × 200 frames, rows and columns"):
        channel_means(Frames(nuclei), {"m": Frames(nuclei[:, ::2])}, cells, D, 28.0, 64)


def test_names_are_plain_and_differ() -> None:
    assert property_names(["GFP (488)", "GFP  488", "488 nm", "µ"]) == {
        "GFP (488)": "mean_of_GFP_488",
        "GFP  488": "mean_of_GFP_488_2",
        "488 nm": "mean_of_488_nm",
        "µ": "mean_of_µ",
    }
