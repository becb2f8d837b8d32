from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.crop_measures import BANDS
from napari_interpdisc.flags import (
    CUT,
    FLAG_NAMES,
    N_FLAGS,
    NO_PIXELS,
    OUT_OF_DISTRIBUTION,
    REASONS,
    SATURATED,
    flag_name,
)
from napari_interpdisc.pipeline import Encoding

from .conftest import known_within


@pytest.mark.parametrize(
    ("flag", "name"),
    [
        (0, ""),
        (OUT_OF_DISTRIBUTION, "unlike the training data"),
        (CUT, "cut by the edge"),
        (OUT_OF_DISTRIBUTION | CUT, "unlike the training data, cut by the edge"),
    ],
)
def test_what_a_sum_of_flags_says(flag: int, name: str) -> None:
    assert flag_name(flag) == name


def test_flags_are_bits_and_all_sums_are_counted() -> None:
    for bit in FLAG_NAMES:
        assert bit.bit_count() == 1
    assert sum(FLAG_NAMES) - NO_PIXELS == N_FLAGS - 1  # a cell without pixels has no other flag


def test_the_flags_of_cells_are_these() -> None:
    z = np.array([[0, 0], [0, 9], [0, 0], [9, 0]], np.float32)
    encoding = Encoding(
        CellTable.from_arrays([0] * 4, np.ones((4, 2))), z,
        np.zeros(4, np.float32), 10.0, "m", "sha",
        touches_edge=np.array([False, False, True, True]),
        familiarity=known_within(5.0, 2),
    )  # fmt: skip
    assert encoding.flags.tolist() == [0, OUT_OF_DISTRIBUTION, CUT, OUT_OF_DISTRIBUTION | CUT]
    latents, _, cut, _ = REASONS
    assert encoding.reasons.tolist() == ["", latents, cut, f"{latents}; {cut}"]


def test_a_strange_spectrum_is_another_reason() -> None:
    z = np.zeros((2, 2), np.float32)
    bands = np.zeros((2, len(BANDS)), np.float32)
    bands[1, 3] = 50
    encoding = Encoding(
        CellTable.from_arrays([0] * 2, np.ones((2, 2))), z, np.zeros(2, np.float32), 10.0, "m",
        "sha", familiarity=known_within(5.0, 2), spectra=bands,
    )  # fmt: skip
    assert encoding.reasons.tolist() == ["", REASONS[1]]
    assert encoding.out_of_distribution.tolist() == [False, True]


def test_a_cell_without_pixels_has_that_flag_alone() -> None:
    z = np.array([[0, 0], [np.nan, np.nan]], np.float32)
    encoding = Encoding(
        CellTable.from_arrays([0] * 2, np.ones((2, 2))), z, np.zeros(2, np.float32), 10.0, "m",
        "sha", touches_edge=np.array([True, True]), familiarity=known_within(5.0, 2),
        saturated=np.array([True, False]),
        no_pixels=np.array(["", "no pixels: blank frame"], object),
    )  # fmt: skip
    assert encoding.flags.tolist() == [CUT | SATURATED, NO_PIXELS]
    assert encoding.reasons.tolist() == ["cut by the edge; saturated", "no pixels: blank frame"]
    assert encoding.out_of_distribution.tolist() == [False, False]
    assert np.isnan(encoding.surprise[1])
