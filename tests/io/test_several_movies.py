"""A column tells images apart if it differs within a frame; names of frames or cells do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.io.dialects import Column
from napari_interpdisc.io.several_movies import several_movies

T = np.array([0, 0, 1, 1])


def found(**columns: Any) -> tuple[str, list[str]] | None:
    table = pd.DataFrame(columns)
    return several_movies(table, [Column.of(name) for name in table], T)


@pytest.mark.parametrize("name", ["Image", "fov", "Metadata_Well", "FileName_DNA", "pos_name"])
def test_several_images_in_a_frame(name: str) -> None:
    assert found(**{name: ["a", "b", "a", "b"]}) == (name, ["a", "b"])


def test_the_name_of_the_image_is_told_before_its_number() -> None:
    both = found(ImageNumber=[1, 3, 2, 4], Metadata_Well=["A", "B", "A", "B"])
    assert both == ("Metadata_Well", ["A", "B"])


@pytest.mark.parametrize(
    "column",
    [
        {"FileName_DNA": ["t0", "t0", "t1", "t1"]},  # a file for each frame
        {"file": ["c0", "c1", "c2", "c3"]},  # a file for each cell
        {"Image": ["a", None, "a", "a"]},
        {"class": ["a", "b", "a", "b"]},
    ],
)
def test_one_image(column: dict[str, list[Any]]) -> None:
    assert found(**column) is None
