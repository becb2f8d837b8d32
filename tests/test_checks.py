from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from napari_interpdisc.cells import CellTable
from napari_interpdisc.checks import FEWEST, Check, check_movie
from napari_interpdisc.crop_measures import CropMeasures
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.familiarity import Familiarity
from napari_interpdisc.models.store import load_model
from napari_interpdisc.nuclei.detection import detect_nuclei
from napari_interpdisc.pipeline import encode_cells, movie_warnings

from .conftest import known_within

KNOWN = Familiarity(known_within(5).latents, known_within(5).spectra, 27.0, 0.3, -4.5)


def measures(n: int = 50, **values: float) -> CropMeasures:
    """Measures of n like crops, right but for ``values``."""
    right = {"diameter": 27.0, "brightness": 2.0, "flat": 0.0, "noise": 0.02, "fineness": -2.5}
    return CropMeasures(**{k: np.full(n, v) for k, v in {**right, **values}.items()})


def told(sample: CropMeasures, known: Familiarity | None = KNOWN) -> dict[str, str]:
    found = check_movie(sample, 28.0, 40.0, known)
    return {check.name: check.advice for check in found if check.advice}


def test_right_settings_are_not_spoken_of() -> None:
    found = check_movie(measures(), 28.0, 40.0, KNOWN)
    assert [check.name for check in found] == [
        "channel", "saturation", "blur", "noise", "diameter",
    ]  # fmt: skip
    assert not told(measures())
    for factor in (0.92, 1.09):
        assert not told(measures(diameter=27 * factor))


def test_a_wrong_diameter_is_told_with_the_right_one() -> None:
    assert (
        "set the diameter to 50 px (40 px was used)" in told(measures(diameter=33.75))["diameter"]
    )
    assert (
        "Nuclei in the crops measure 34 px, and the model expects 27"
        in (told(measures(diameter=33.75))["diameter"])
    )
    assert "set the diameter to 32 px" in told(measures(diameter=21.6))["diameter"]
    # a model that does not say measures up to its own diameter
    assert "expects 28" in told(measures(diameter=35), None)["diameter"]


def test_a_median_that_chance_explains_is_not_told() -> None:
    draw = np.random.default_rng(0)
    spread = draw.normal(0, 8, 10)
    spread -= np.median(spread)
    sample = measures(10)
    few = CropMeasures(24.2 + spread, sample.brightness, sample.flat, sample.noise, sample.fineness)
    assert not told(few)
    assert "diameter" in told(measures(diameter=24.2))


@pytest.mark.parametrize(
    ("value", "name", "what"),
    [
        ({"fineness": -5.0}, "blur", "check the focus"),
        ({"noise": 0.44}, "noise", "Pixel noise is 0.44 of a crop's standard deviation"),
        ({"brightness": -1.0}, "channel", "the image is inverted"),
        ({"brightness": 0.1}, "channel", "choose the channel of the nuclear stain"),
        ({"flat": 0.1}, "saturation", "100 % of the cells are cut off at the top"),
    ],
)
def test_each_fault_has_its_sentence(value: dict[str, float], name: str, what: str) -> None:
    found = told(measures(**value))
    assert list(found) == [name]
    assert what in found[name]


def test_what_is_no_nucleus_has_no_diameter() -> None:
    assert list(told(measures(brightness=-1.0, diameter=60.0))) == ["channel"]


def test_noise_is_not_blamed_on_the_diameter() -> None:
    assert list(told(measures(noise=0.6, diameter=20.0))) == ["noise"]


def test_a_few_bright_cells_that_are_cut_off_are_enough() -> None:
    sample = measures(100)
    flat = np.where(np.arange(100) < 20, 0.03, 0.0)
    few = CropMeasures(sample.diameter, sample.brightness, flat, sample.noise, sample.fineness)
    assert "20 % of the cells are cut off" in told(few)["saturation"]
    flat[10:] = 0
    assert not told(few)


def test_few_cells_are_not_judged() -> None:
    assert check_movie(measures(FEWEST - 1, noise=9.0), 28.0, 40.0, KNOWN) == ()
    assert told(measures(FEWEST, noise=9.0))


def test_blur_and_noise_are_not_judged_without_knowing_the_training_data() -> None:
    assert not told(measures(noise=9.0, fineness=-9.0), None)


def test_notes_are_plain() -> None:
    note = Check("blur", -2.0, -4.0, np.inf, "").note()
    assert note == {"check": "blur", "measured": -2.0, "low": -4.0, "advice": ""}


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("none", None),
        ("small", "diameter"),
        ("large", "diameter"),
        ("blur", "blur"),
        ("noise", "noise"),
        ("inverted", "channel"),
        ("clipped", "saturation"),
    ],
)
def test_faults_of_a_real_movie_are_named(
    microscopy: Callable[[str], Path], fault: str, name: str | None
) -> None:
    """The 20x movie, which no training has seen."""
    import tifffile

    frame = tifffile.imread(microscopy("hela_20x_movie.tif"), key=0).astype(np.float32)
    diameter = {"small": 40.0, "large": 60.0}.get(fault, 50.0)
    yx = detect_nuclei(frame, 50.0)
    if fault == "blur":
        frame = ndimage.gaussian_filter(frame, 1.5 * 50 / 28)
    elif fault == "noise":
        # half of a crop's spread at the scale of crops, where 1.8² pixels are averaged
        frame += np.random.default_rng(0).normal(0, 1.2 * frame.std(), frame.shape)
    elif fault == "inverted":
        frame = 255 - frame
    elif fault == "clipped":
        frame = np.minimum(frame, np.quantile(frame, 0.9))
    cells = CellTable.from_arrays(np.zeros(len(yx)), yx)
    found = encode_cells(Frames(frame), cells, load_model(device="cpu"), diameter)
    spoken = [check.name for check in found.checks if check.advice]
    if name is None:
        assert movie_warnings(found) == []
    else:
        assert name in spoken
