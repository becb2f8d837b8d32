"""The one path from image and cells to classes, with the bundled model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_interpdisc import pipeline
from napari_interpdisc.cells import CellTable
from napari_interpdisc.crops import CROP_SIZE
from napari_interpdisc.errors import Cancelled, InvalidInput, InvalidModel
from napari_interpdisc.frames import Frames, Picture
from napari_interpdisc.models.cell_model import CellModel, NamedHead, TrainingMovie
from napari_interpdisc.models.familiarity import Density
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.properties import PROPERTIES, HeadProperties
from napari_interpdisc.models.store import load_model
from napari_interpdisc.number_text import percent
from napari_interpdisc.pipeline import (
    UNDEFINED,
    UNMEASURED,
    UNSURE,
    Classification,
    Encoding,
    cell_crops,
    classify,
    classify_encoding,
    encode_cells,
    measure_cells,
    measured_otherwise,
    movie_warnings,
    near_edge,
    unlike_training,
    with_area_um2,
)

CENTRES = [(60.0, 60.0), (60.0, 140.0), (140.0, 60.0)]


@pytest.fixture(scope="module")
def model() -> CellModel:
    return load_model(device="cpu")


@pytest.fixture(scope="module")
def frames() -> Frames:
    """Three frames of a round nucleus, a bright rod, and an empty place."""
    rows, cols = np.mgrid[:200, :200]
    image = np.random.default_rng(0).normal(200, 4, (3, 200, 200))
    round_one = np.hypot(rows - 60, cols - 60) <= 14
    rod = (np.abs(rows - 60) <= 4) & (np.abs(cols - 140) <= 11)
    # no microscope shows an edge sharper than its optics
    image += ndimage.gaussian_filter(500.0 * round_one + 2500.0 * rod, 2)
    return Frames(image.astype(np.uint16))


@pytest.fixture(scope="module")
def cells() -> CellTable:
    """Return the three places of each frame, in an order that is not that of time."""
    t = [2, 0, 1] * 3
    yx = [centre for centre in CENTRES for _ in range(3)]
    return CellTable.from_arrays(t, yx, [7] * 3 + [8] * 3 + [9] * 3)


@pytest.fixture(scope="module")
def result(frames: Frames, cells: CellTable, model: CellModel) -> Classification:
    return classify(frames, cells, model, 28.0)


def test_a_rod_is_metaphase_and_a_disc_is_not(result: Classification) -> None:
    assert result.names()[:3].tolist() == ["Interphase"] * 3
    assert result.names()[3:6].tolist() == ["Metaphase"] * 3
    assert (result.scores[3:6, 0] > 0).all()


@settings(max_examples=25, deadline=None)
@given(
    gain=st.floats(-6, 6).map(lambda power: 10.0**power),
    offset=st.floats(-1e3, 1e6),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_gain_offset_and_type_of_the_pixels_change_nothing(
    frames: Frames, cells: CellTable, model: CellModel, result: Classification,
    gain: float, offset: float, dtype: type[np.floating],
) -> None:  # fmt: skip
    """An offset is given in units of the gain, so that float32 can hold both."""
    pixels = frames.data.astype(np.float64) * gain + (offset if dtype is np.float64 else 0) * gain
    found = classify(Frames(pixels.astype(dtype)), cells, model, 28.0)
    np.testing.assert_allclose(found.scores, result.scores, atol=2e-3)
    assert found.names().tolist() == result.names().tolist()
    np.testing.assert_array_equal(
        found.encoding.out_of_distribution, result.encoding.out_of_distribution
    )


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint32, np.float32])
@pytest.mark.parametrize("offset", [0, 30_000])
def test_whole_numbers_of_any_type_are_the_same_image(
    frames: Frames, cells: CellTable, model: CellModel, result: Classification,
    dtype: type[np.generic], offset: int,
) -> None:  # fmt: skip
    found = classify(Frames(frames.data.astype(dtype) + dtype(offset)), cells, model, 28.0)
    np.testing.assert_allclose(found.scores, result.scores, atol=1e-5)


def test_rows_keep_the_order_of_the_cells(
    frames: Frames, cells: CellTable, model: CellModel, result: Classification
) -> None:
    """Work goes frame by frame; results do not."""
    crops = cell_crops(frames, cells, model, 28.0)
    latents = model.encode(crops)[0]
    np.testing.assert_allclose(result.encoding.latents, latents, atol=1e-4)
    assert not len(result.encoding.reconstruction_error)
    wanted = ((model.decode_whole(latents) - model.seen(crops)) ** 2).mean((1, 2, 3))
    asked = classify(frames, cells, model, 28.0, errors=True)
    np.testing.assert_allclose(asked.encoding.reconstruction_error, wanted, rtol=1e-3)
    assert "reconstruction_error" in asked.results()
    assert "reconstruction_error" not in result.results()
    one = cell_crops(frames, cells.take([4]), model, 28.0)
    np.testing.assert_array_equal(one[0], crops[4])
    assert crops.shape == (9, 1, CROP_SIZE, CROP_SIZE)


def test_the_table_has_one_row_per_cell(result: Classification, cells: CellTable) -> None:
    table = result.to_frame()
    flags = ["latent_norm", "surprise", "unfamiliar", "touches_edge"]
    flags += ["flag"]
    made = ["class", "score", "confidence", "model", "head", "diameter"]
    assert list(table)[:16] == ["t", "y", "x", "track_id", *made, *flags, "z_0"]
    np.testing.assert_array_equal(table["confidence"], result.confidence)
    assert table[["model", "head", "diameter"]].drop_duplicates().to_numpy().tolist() == [
        ["h2b", "dense", 28.0]
    ]
    norm = np.linalg.norm(table.filter(regex="^z_").to_numpy(np.float64), axis=1)
    np.testing.assert_allclose(table["latent_norm"], norm)
    assert table["unfamiliar"].dtype == table["touches_edge"].dtype == bool
    assert list(table)[-1] == "z_31"
    assert len(table) == 9
    assert table["track_id"].tolist() == cells.track_id.tolist()
    assert table["class"].cat.categories.tolist() == ["Interphase", "Metaphase"]
    np.testing.assert_array_equal(table["score"], result.scores[:, 0])


def test_magnification_does_not_matter_when_the_diameter_is_given(
    frames: Frames, model: CellModel, result: Classification
) -> None:
    twice = np.kron(frames.data[:1], np.ones((1, 2, 2), np.uint16))
    # the centre of a pixel y lies at 2y + 0.5 once it is two pixels wide
    yx = 2 * np.array(CENTRES[:2]) + 0.5
    large = classify(Frames(twice), CellTable.from_arrays([0, 0], yx), model, 56.0)
    np.testing.assert_allclose(large.scores[:, 0], result.scores[[1, 4], 0], atol=1.5)
    assert large.names().tolist() == ["Interphase", "Metaphase"]


def test_intensity_does_not_matter(frames: Frames, cells: CellTable, model: CellModel) -> None:
    bright = Frames(frames.data.astype(np.float32) * 3 + 1000)
    one, other = (classify(f, cells, model, 28.0).scores for f in (frames, bright))
    np.testing.assert_allclose(one, other, atol=0.05)


def test_the_unsure_are_those_below_the_threshold(result: Classification) -> None:
    middle = float(np.median(result.confidence))
    names = result.names(middle)
    assert (names == UNSURE).sum() == (result.confidence < middle).sum()
    assert UNSURE not in result.names()


def test_settings_name_model_and_head(result: Classification, model: CellModel) -> None:
    assert result.settings["model_sha256"] == model.sha256
    assert result.settings["head"] == "dense"
    assert result.settings["diameter"] == 28.0


def test_progress_counts_cells(
    frames: Frames, cells: CellTable, model: CellModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(pipeline, "BATCH", 4)  # of crops, across frames of three cells
    encode_cells(frames, cells, model, 28.0, lambda done, n: told.append((done, n)))
    assert told == [(4, 9), (8, 9), (9, 9)]


def test_threads_change_nothing(
    frames: Frames, cells: CellTable, model: CellModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "BATCH", 2)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(encode_cells(frames, cells, model, 28.0, properties=True, errors=True))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    one, other = found
    assert np.isfinite(one.latents).all()
    for name in ("latents", "spectra", "reconstruction_error", "saturated", "no_pixels"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.checks == other.checks
    for name, values in one.properties.items():
        np.testing.assert_array_equal(values, other.properties[name])


def test_cells_are_scored_some_at_a_time(
    result: Classification, known: CellModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is worked out of many cells takes memory of a few."""
    unusable = np.full(len(result.scores), "", object)
    unusable[1] = "no pixels"
    encoding = replace(result.encoding, no_pixels=unusable)
    whole = classify_encoding(encoding, known)
    monkeypatch.setattr(pipeline, "AT_ONCE", 2)
    parts = classify_encoding(replace(encoding), known)
    np.testing.assert_allclose(parts.scores, whole.scores, rtol=1e-5)
    np.testing.assert_allclose(parts.encoding.surprises, whole.encoding.surprises, rtol=1e-9)
    np.testing.assert_allclose(parts.encoding.latent_norm, whole.encoding.latent_norm, rtol=1e-9)
    assert np.isnan(parts.scores[1])


def test_progress_can_stop_the_work(frames: Frames, cells: CellTable, model: CellModel) -> None:
    def stop(done: int, n: int) -> None:
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        encode_cells(frames, cells, model, 28.0, stop)


def test_one_frame_is_read_at_a_time(frames: Frames, cells: CellTable, model: CellModel) -> None:
    class Watched(Frames):
        def picture(self, t: int, plane: int | None = None) -> Picture:
            seen.append(t)
            return super().picture(t, plane)

    seen: list[int] = []
    encode_cells(Watched(frames.data), cells, model, 28.0)
    assert seen == [0, 1, 2]


def test_an_unknown_head_is_refused_before_any_work(cells: CellTable, model: CellModel) -> None:
    class Unread(Frames):
        def picture(self, t: int, plane: int | None = None) -> Picture:
            raise AssertionError("a frame was read")

    with pytest.raises(InvalidModel, match="no head 'convex'; it has dense"):
        classify(Unread(np.zeros((3, 200, 200))), cells, model, 28.0, "convex")


def test_cells_of_another_model_are_not_scored(result: Classification, model: CellModel) -> None:
    from dataclasses import replace

    with pytest.raises(InvalidInput, match="encode them again"):
        classify_encoding(replace(result.encoding, encoder_sha256="other"), model)


@pytest.mark.parametrize("diameter", [0, -3, float("nan"), float("inf"), 1e5])
def test_impossible_diameters(
    frames: Frames, cells: CellTable, model: CellModel, diameter: float
) -> None:
    with pytest.raises(InvalidInput, match="nuclear diameter of"):
        classify(frames, cells, model, diameter)


def test_cells_of_another_movie(frames: Frames, model: CellModel) -> None:
    late = CellTable.from_arrays([5], [(10, 10)])
    with pytest.raises(InvalidInput, match=r"times up to 5, but the image has 3 frames \(0 to 2\)"):
        classify(frames, late, model, 28.0)
    outside = CellTable.from_arrays([0], [(10, 300)])
    with pytest.raises(InvalidInput, match="outside the image"):
        cell_crops(frames, outside, model, 28.0)


def test_a_cell_near_the_edge_is_flagged() -> None:
    cells = CellTable.from_arrays([0] * 4, [[50, 50], [13.9, 50], [50, 85.2], [14.1, 84.9]])
    assert near_edge(cells, (100, 100), 28).tolist() == [False, True, True, False]


def grid(n: int) -> CellTable:
    """Return ``n`` cells around the disc of the first frame."""
    offsets = np.random.default_rng(0).uniform(-2, 2, (n, 2))
    return CellTable.from_arrays([0] * n, np.array([60.0, 60.0]) + offsets)


@pytest.fixture(scope="module")
def known(frames: Frames, model: CellModel) -> CellModel:
    """Return the model as if it had been trained on discs."""
    same = encode_cells(frames, grid(60), model, 28.0)
    assert model.familiarity is not None
    spectra = Density.of(same.spectra, independent=True)
    known = replace(model.familiarity, latents=Density.of(same.latents), spectra=spectra)
    return replace(model, familiarity=known)


def test_a_movie_unlike_the_training_data_is_told(frames: Frames, known: CellModel) -> None:
    inside = encode_cells(frames, grid(60), known, 28.0)
    assert inside.out_of_distribution.mean() < 0.05
    assert unlike_training(inside) == ""
    wrong = encode_cells(frames, grid(60), known, 9.0)
    assert wrong.out_of_distribution.mean() > 0.9
    told = unlike_training(wrong)
    assert "check the diameter (9 px was used)" in told
    assert f"{percent(wrong.out_of_distribution.mean())} of the cells look unlike" in told
    assert f"interpdisc train-encoder --start {known.name})" in told
    elsewhere = encode_cells(frames, grid(60), replace(known, name="of mine"), 9.0)
    assert "--start and the model's folder)" in unlike_training(elsewhere)
    few = encode_cells(frames, grid(5), known, 9.0)
    assert unlike_training(few) == ""


@pytest.mark.parametrize(("n", "n_strange", "is_told"), [(60, 3, False), (60, 4, True)])
def test_a_movie_is_told_from_a_twentieth_on(
    frames: Frames, known: CellModel, n: int, n_strange: int, is_told: bool
) -> None:
    encoding = encode_cells(frames, grid(n), known, 28.0)
    assert known.familiarity is not None
    latents = np.tile(known.familiarity.latents.mean, (n, 1)).astype(np.float32)
    latents[:n_strange] = 1e6
    typical = np.tile(known.familiarity.spectra.mean, (n, 1)).astype(np.float32)
    encoding = replace(encoding, latents=latents, spectra=typical)
    assert encoding.out_of_distribution.sum() == n_strange
    assert bool(unlike_training(encoding)) == is_told


def test_a_model_that_does_not_know_its_training_data_flags_nothing(
    frames: Frames, cells: CellTable, known: CellModel
) -> None:
    old = replace(known, familiarity=None)
    encoding = encode_cells(frames, cells, old, 9.0)
    assert encoding.out_of_distribution.shape == (9,)
    assert not encoding.out_of_distribution.any()
    assert unlike_training(encoding) == ""
    assert classify_encoding(encoding, old).settings["unfamiliar_share"] is None
    # A model of the same encoder that does know makes good for it, and its heads keep it.
    later = classify_encoding(encoding, known)
    assert later.encoding.out_of_distribution.mean() > 0.5
    assert later.settings["unfamiliar_share"] == pytest.approx(
        later.encoding.out_of_distribution.mean(), abs=1e-4
    )
    assert classify_encoding(later.encoding, old).encoding.familiarity == known.familiarity


def test_a_diameter_that_was_measured_otherwise_is_told(
    frames: Frames, cells: CellTable, model: CellModel
) -> None:
    mine = replace(model, name="mine", movies=(TrainingMovie("a.tif", 80, 25.7, "segmentation"),))
    detected = encode_cells(frames, cells, mine, 24.1, measured="detection")
    told = measured_otherwise(detected, mine)
    assert told.startswith("'mine' was trained at a nuclear diameter measured in a segmentation")
    assert "(25.7 px), and here it is measured in detected nuclei (24.1 px)" in told
    assert told in movie_warnings(detected, mine)
    assert told not in movie_warnings(detected)
    assert classify_encoding(detected, mine).settings["diameter_from"] == "detection"
    for way in ("segmentation", "given"):
        assert measured_otherwise(replace(detected, measured=way), mine) == ""
    assert measured_otherwise(detected, model) == "", "the bundled model does not say"
    both = replace(mine, movies=(*mine.movies, TrainingMovie("b.tif", 9, 30.0, "detection")))
    assert measured_otherwise(detected, both) == ""


def test_shares_are_worded() -> None:
    assert [percent(share) for share in (0, 0.001, 0.01, 0.374, 1)] == [
        "0 %",
        "< 1 %",
        "1 %",
        "37 %",
        "100 %",
    ]


@pytest.mark.parametrize("dtype", ["u2", "i4", "f2", "f4", ">u2", "i8"])
def test_classes_scores_and_flags_whatever_the_type(
    frames: Frames, cells: CellTable, model: CellModel, dtype: str
) -> None:
    movie = np.asarray(frames.data) // 2
    assert movie.max() < 2048  # float16 holds them exactly
    plain = classify(Frames(movie), cells, model, 28.0)
    same_result(plain, classify(Frames(movie.astype(dtype)), cells, model, 28.0))


def same_result(one: Classification, other: Classification) -> None:
    np.testing.assert_array_equal(one.index, other.index)
    np.testing.assert_allclose(one.scores, other.scores, atol=1e-3)
    np.testing.assert_array_equal(one.encoding.flags, other.encoding.flags)
    assert [bool(c.advice) for c in one.encoding.checks] == [
        bool(c.advice) for c in other.encoding.checks
    ]


def test_cells_in_nan_or_in_a_blank_frame_have_no_class(
    frames: Frames, cells: CellTable, model: CellModel
) -> None:
    movie = np.asarray(frames.data).astype(np.float32)
    plain = classify(frames, cells, model, 28.0)
    y, x = cells.yx[0].astype(int)
    movie[cells.t[0], max(y - 20, 0) : y + 20, max(x - 20, 0) : x + 20] = np.nan
    movie[1] = 7
    found = classify(Frames(movie), cells, model, 28.0)
    reasons = found.encoding.no_pixels
    assert reasons[0] == "no pixels: NaN or infinite values"
    assert set(reasons[cells.t == 1]) == {"no pixels: blank frame"}
    without = reasons != ""
    assert (found.index[without] == -1).all()
    assert np.isnan(found.scores[without]).all()
    far = ~without & (cells.t != cells.t[0])
    np.testing.assert_allclose(found.scores[far], plain.scores[far], rtol=1e-5)  # other batches
    table = found.to_frame()
    assert table["class"].isna().tolist() == without.tolist()
    assert found.settings["no_pixels"] == without.sum()


def test_no_cell_with_pixels_is_a_fault(cells: CellTable, model: CellModel) -> None:
    with pytest.raises(InvalidInput, match=r"No cell .* can be used .*blank frame"):
        classify(Frames(np.zeros((3, 200, 200))), cells, model, 28.0)


def test_saturated_cells_are_flagged(frames: Frames, cells: CellTable, model: CellModel) -> None:
    movie = np.asarray(frames.data)
    assert not classify(frames, cells, model, 28.0).encoding.saturated.any()
    cut = classify(Frames(np.minimum(movie, 500)), cells, model, 28.0).encoding
    assert cut.saturated.tolist() == [True] * 6 + [False] * 3  # nothing is at the third place
    assert "saturated" in cut.reasons[0]


def test_a_result_tells_disagreement_and_calibration_if_they_are_known() -> None:
    model = load_model(device="cpu")
    z = np.zeros((2, model.n_latents), np.float32)
    cells = CellTable.from_arrays([0, 0], [[9, 9], [9, 40]], [1, 2])
    encoding = Encoding(cells, z, np.zeros(2, np.float32), 20.0, model.name, model.encoder_sha256)
    result = classify_encoding(encoding, model)
    assert "disagreement" not in result.results()
    assert result.settings["confidence"].startswith("calibrated on held-out plates, ECE 0.0")
    table = replace(result, disagreement=np.array([0.0, 0.25])).results()
    assert table["disagreement"].tolist() == [0, 0.25]
    assert list(table)[:4] == ["class", "score", "confidence", "disagreement"]


def by_area(model: CellModel, way: str = "built-in") -> CellModel:
    """Return the model with a head that calls nuclei of 400 px² and more large."""
    read = HeadProperties(("area",), (400.0,), (100.0,), way)  # type: ignore[arg-type]
    head = FormulaHead([parse_formula("area", 32, None, read.names)], (), read)
    named = NamedHead("size", head, ("small", "large"))
    return replace(model, heads={"size": named, **model.heads})


@pytest.fixture(scope="module")
def sized(frames: Frames, cells: CellTable, model: CellModel) -> Classification:
    return classify(frames, cells, by_area(model), 28.0)


def test_a_head_of_properties_classifies_and_says_where_there_is_no_nucleus(
    sized: Classification,
) -> None:
    areas = sized.encoding.properties["area"]
    assert areas[:3] == pytest.approx([np.pi * 14**2] * 3, rel=0.1)
    assert sized.names()[:6].tolist() == ["large"] * 3 + ["small"] * 3
    assert sized.scores[:6, 0] == pytest.approx((areas[:6] - 400) / 100, abs=1e-4)
    # nothing is there: no class, no score, and the reason
    assert sized.index[6:].tolist() == [-1] * 3
    assert sized.names()[6:].tolist() == [None] * 3
    assert np.isnan(sized.scores[6:]).all()
    assert all(reason.endswith(UNMEASURED) for reason in sized.reasons[6:])
    assert not any(UNMEASURED in reason for reason in sized.reasons[:6])
    assert sized.settings["not_measured"] == 3
    assert sized.settings["properties_read"] == ["area"]
    assert sized.settings["properties"]["nucleus_area_px2"] == "px²"
    table = sized.results()
    assert table["nucleus_area_px2"].tolist()[:3] == areas[:3].tolist()
    assert table["flag"].tolist() == sized.reasons.tolist()


def test_a_cell_for_which_a_formula_has_no_value_has_no_class(model: CellModel) -> None:
    """And never the class that a score of 0 would give."""
    head = FormulaHead([parse_formula("log(z0)")])
    model = replace(model, heads={"log": NamedHead("log", head, ("low", "high"))})
    z = np.zeros((4, 32), np.float32)
    z[:, 0] = 0.5, 2, -1, 0
    at = CellTable.from_arrays(np.zeros(4, int), np.zeros((4, 2)))
    encoding = Encoding(at, z, z[:, 0], 20.0, model.name, model.encoder_sha256)
    result = classify_encoding(encoding, model)
    assert result.names().tolist() == ["low", "high", None, "low"]  # log 0 is −∞, cut at −10⁶
    assert result.index.tolist() == [0, 1, -1, 0]
    assert np.isnan(result.scores[2]).all()
    assert result.reasons[2].endswith(UNDEFINED)
    assert result.undefined.tolist() == [False, False, True, False]
    assert result.settings["no_value"] == 1
    assert not any(UNDEFINED in reason for reason in np.delete(result.reasons, 2))


def test_properties_are_measured_only_where_they_are_wanted(
    frames: Frames, cells: CellTable, model: CellModel, result: Classification,
    sized: Classification,
) -> None:  # fmt: skip
    assert result.encoding.properties == {}
    assert "nucleus_area_px2" not in result.results()
    assert "properties" not in result.settings
    asked = encode_cells(frames, cells, model, 28.0, properties=True)
    assert set(asked.properties) == set(PROPERTIES)
    later = measure_cells(frames, result.encoding, model)
    for name, values in sized.encoding.properties.items():
        np.testing.assert_array_equal(asked.properties[name], values)
        np.testing.assert_array_equal(later.properties[name], values)
    # the head of latents alone has the same scores beside properties
    again = classify_encoding(asked, model)
    np.testing.assert_array_equal(again.scores, result.scores)
    with pytest.raises(InvalidInput, match="reads area beside latents"):
        classify_encoding(result.encoding, by_area(model), "size")


def test_a_segmentation_is_believed_and_another_way_is_told(
    frames: Frames, cells: CellTable, model: CellModel
) -> None:
    rows, cols = np.mgrid[:200, :200]
    labels = np.zeros((3, 200, 200), np.int32)
    for number, (y, x) in enumerate(CENTRES, start=1):
        labels[:, np.hypot(rows - y, cols - x) <= 10] = number
    sized = by_area(model)
    found = classify(frames, cells, sized, 28.0, segmentation=labels)
    assert found.encoding.properties["area"] == pytest.approx([np.pi * 100] * 9, rel=0.05)
    assert found.index.tolist() == [0] * 9
    assert found.encoding.way == "labels"
    told = [w for w in movie_warnings(found.encoding, sized) if "Properties were" in w]
    assert len(told) == 1
    assert "for the training of size, and here in the given segmentation" in told[0]
    same = movie_warnings(found.encoding, by_area(model, "labels"))
    assert not [w for w in same if "Properties were" in w]


def test_areas_in_um2_where_a_pixel_has_a_size(sized: Classification, model: CellModel) -> None:
    half = replace(sized.encoding, diameter=14.0)  # two pixels of the crop are one of the image
    found = with_area_um2(half, model, (0.5, 0.4))
    assert found.properties["area_um2"] == pytest.approx(
        sized.encoding.properties["area"] / 4 * 0.2, nan_ok=True
    )
    assert with_area_um2(half, model, None) is half
    assert "nucleus_area_um2" in classify_encoding(found, model).results()
