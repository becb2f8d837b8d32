from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from napari_interpdisc import _types
from napari_interpdisc.cells import CellTable
from napari_interpdisc.crops import iter_crops
from napari_interpdisc.frames import Frames
from napari_interpdisc.paint import paint_discs


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Float32Array", np.float32),
        ("Float64Array", np.float64),
        ("Int32Array", np.int32),
        ("BoolArray", np.bool_),
        ("Plane", np.uint8),
    ],
)
def test_the_name_of_an_array_says_what_is_in_it(name: str, kind: type[Any]) -> None:
    dtype = get_args(getattr(_types, name))[-1]
    assert get_args(dtype) == (kind,)


def test_arrays_are_what_their_names_say(rng: np.random.Generator) -> None:
    cells = CellTable.from_arrays([0], [[40.0, 40.0]])
    ((_, crops),) = iter_crops(Frames(rng.normal(size=(80, 80))), cells, 28.0)
    assert crops.dtype == np.float32
    assert paint_discs([[5, 5]], [1], 3, (10, 10)).dtype == np.uint8


def test_silent_is_a_progress_that_tells_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    progress: _types.Progress = _types.silent
    progress(1, 2)
    assert capsys.readouterr() == ("", "")
