from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_interpdisc.errors import InvalidInput, InvalidModel
from napari_interpdisc.models import cell_model
from napari_interpdisc.models.cell_model import (
    CellModel,
    LatentMeaning,
    NamedHead,
    class_changed,
    class_index,
    class_probabilities,
    confidence,
    hash_of,
    latent_of,
    score_width,
)
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.heads import DenseHead
from napari_interpdisc.models.properties import HeadProperties
from napari_interpdisc.models.store import load_model
from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig


def test_a_score_of_zero_is_the_second_class() -> None:
    assert class_index([[-0.1], [0.0], [0.1]]).tolist() == [0, 1, 1]
    assert class_index([[1.0, 3.0, 2.0], [1.0, 0.0, 0.0]]).tolist() == [1, 0]
    assert score_width(("a", "b")) == 1
    assert score_width(("a", "b", "c")) == 3


def test_probabilities_of_all_classes() -> None:
    np.testing.assert_allclose(class_probabilities([[np.log(3)]]), [[0.25, 0.75]])
    np.testing.assert_allclose(class_probabilities([[0, 0, np.log(2)]]), [[0.25, 0.25, 0.5]])
    # neither end overflows
    assert class_probabilities([[-900.0], [900.0]]).tolist() == [[1, 0], [0, 1]]


def test_confidence_is_the_probability_of_the_own_choice() -> None:
    np.testing.assert_allclose(
        confidence([[0.0], [np.log(3)], [-np.log(3)]]), [0.5, 0.75, 0.75], rtol=1e-6
    )
    np.testing.assert_allclose(confidence([[0.0, 0.0, np.log(2)]]), [0.5], rtol=1e-6)
    # enormous logits overflow nothing
    assert confidence([[800.0, 0.0, 0.0]]).tolist() == [1.0]


@pytest.fixture
def named(tiny: CellModel) -> CellModel:
    """Return a model with three names, two of them of an orientation pair."""
    meanings = [LatentMeaning("", "texture, ρ = 0.2")] * 6
    meanings[4] = LatentMeaning("size", "area, ρ = −0.97")
    meanings[1], meanings[2] = LatentMeaning("elongation_cos"), LatentMeaning("elongation_sin")
    return replace(tiny, meanings=tuple(meanings), orientation_pairs=((1, 2),))


def test_a_hash_knows_values_names_and_shapes() -> None:
    first, same = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
    same.load_state_dict(first.state_dict())
    assert hash_of(first) == hash_of(same)
    assert len(hash_of(first)) == 64
    with torch.no_grad():
        same.bias[0] += 1e-6
    assert hash_of(first) != hash_of(same)
    zero, flat = torch.nn.Linear(2, 3), torch.nn.Linear(3, 2)
    for layer in (zero, flat):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    assert hash_of(zero) != hash_of(flat)


def test_a_model_is_known_by_its_encoder(tiny: CellModel) -> None:
    assert tiny.encoder_sha256 == hash_of(tiny.encoder)
    assert replace(tiny, encoder_sha256="given").encoder_sha256 == "given"
    assert not tiny.encoder.training
    assert not any(p.requires_grad for p in tiny.encoder.parameters())


@pytest.mark.parametrize(
    ("word", "latent"),
    [("17", 17), ("z17", 17), ("Z_17", 17), ("size", 4), ("Size", None), ("z", None), ("²", None)],
)
def test_words_for_a_latent(named: CellModel, word: str, latent: int | None) -> None:
    assert latent_of(word, named.latent_names) == latent


def test_what_a_latent_is_called(named: CellModel, tiny: CellModel) -> None:
    assert [named.latent_label(i) for i in (0, 4)] == ["z0", "z4 size"]
    assert named.latent_about(4) == "size: area, ρ = −0.97"
    assert named.latent_about(0) == "unnamed: texture, ρ = 0.2"
    assert named.aliases == {1: "elongation_cos_z1", 2: "elongation_sin_z2", 4: "size_z4"}
    assert named.latent_names["size"] == named.latent_names["size_z4"] == 4
    assert named.pair_label(1, 2) == "z1, z2 elongation"
    assert named.pair_label(0, 4) == "z0, z4"
    assert (tiny.latent_label(4), tiny.latent_about(4), tiny.aliases) == ("z4", "", {})


def test_heads_by_name_and_the_default(tiny: CellModel) -> None:
    assert tiny.head().name == "two"
    assert tiny.head("three").classes == ("a", "b", "c")
    with pytest.raises(InvalidModel, match="has no head 'nose'; it has two, three"):
        tiny.head("nose")
    with pytest.raises(InvalidModel, match="has no head yet; train one"):
        replace(tiny, heads={}).head()


def test_batches_do_not_change_what_is_found(
    tiny: CellModel, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    crops = rng.normal(size=(7, 1, 64, 64)).astype(np.float32)
    means, log_variances = tiny.encode(crops)
    decoded, scores = tiny.decode(means), tiny.score(means, "three")
    monkeypatch.setattr(cell_model, "BATCH", 3)
    for found, whole in zip(tiny.encode(crops), (means, log_variances), strict=True):
        np.testing.assert_allclose(found, whole, atol=1e-5)
    np.testing.assert_allclose(tiny.decode(means), decoded, atol=1e-5)
    np.testing.assert_allclose(tiny.score(means, "three"), scores, atol=1e-5)
    assert scores.shape == (7, 3)


def test_no_cells_have_no_latents_and_no_scores(tiny: CellModel) -> None:
    means, log_variances = tiny.encode(np.zeros((0, 1, 64, 64), np.float32))
    assert means.shape == log_variances.shape == (0, 6)
    assert tiny.score(means).shape == (0, 1)
    assert tiny.score(means, "three").shape == (0, 3)


def test_pairs_that_rotate_are_the_networks_or_those_that_were_found(named: CellModel) -> None:
    assert named.rotating_pairs == ((1, 2),)
    shape = TCVAEConfig(latents=6, widths=(2, 2, 2, 2), hidden=4, rotating=(1, 1))
    assert replace(named, encoder=TCVAE(shape)).rotating_pairs == ((2, 3), (4, 5))


def test_local_contrast_is_not_made_up(tiny: CellModel) -> None:
    assert not tiny.has_texture
    with pytest.raises(InvalidInput, match="does not predict local contrast"):
        tiny.decode_texture(np.zeros((1, 6)))
    with pytest.raises(InvalidInput, match="does not predict local contrast"):
        tiny.decode_with_texture(np.zeros((1, 6)))


def test_pictures_and_their_grain_are_decoded_in_one_pass() -> None:
    h2b = load_model()
    z = np.random.default_rng(0).normal(size=(3, h2b.n_latents))
    pictures, grain = h2b.decode_with_texture(z)
    np.testing.assert_array_equal(pictures, h2b.decode(z))
    np.testing.assert_array_equal(grain, h2b.decode_texture(z))


@pytest.fixture
def two_subjects(tiny: CellModel) -> CellModel:
    """Return a model of 6 latents of the cell and 3 of its surroundings, with three heads."""
    torch.manual_seed(1)
    shape = TCVAEConfig(
        latents=9, rotating=(1,), around=(1, 1), window=10, widths=(2, 2, 4, 4), hidden=8,
        crop_size=32, texture=True,
    )  # fmt: skip
    heads = {
        "own": NamedHead("own", DenseHead((6, 3, 1)), ("A", "B")),
        "all": NamedHead("all", DenseHead((9, 3, 1)), ("A", "B")),
    }
    ones = np.ones(9)
    return replace(
        tiny, encoder=TCVAE(shape), encoder_sha256="", heads=heads, latent_kl=ones, latent_sd=ones
    )


def test_heads_of_the_cell_are_blind_to_the_surroundings(two_subjects: CellModel) -> None:
    model = two_subjects
    assert model.describes_cell
    assert [model.is_around(i) for i in (5, 6, 8)] == [False, True, True]
    z = np.random.default_rng(0).normal(size=(4, 9)).astype(np.float32)
    other = z.copy()
    other[:, 6:] += 5
    np.testing.assert_array_equal(model.score(z, "own"), model.score(other, "own"))
    assert not np.array_equal(model.score(z, "all"), model.score(other, "all"))
    assert model.subject_of("own") == "reads latents of the cell alone"
    assert "(z6 surroundings, z7 surroundings, z8 surroundings)" in model.subject_of("all")
    assert model.latent_label(7) == "z7 surroundings"
    assert model.latent_about(7) == "of the surroundings"


def test_an_encoder_of_the_crop_says_so(tiny: CellModel) -> None:
    assert not tiny.describes_cell
    assert "whole crop" in tiny.subject_of("two")
    assert not tiny.is_around(5)


def test_reconstructions_have_the_units_of_the_crop(two_subjects: CellModel) -> None:
    model = two_subjects
    crops = np.random.default_rng(0).normal(size=(3, 1, 32, 32)).astype(np.float32)
    z = model.encode(crops)[0]
    shown = model.reconstruct(z, crops)
    brighter = model.reconstruct(z, 2 * crops + 1)
    np.testing.assert_allclose(brighter, 2 * shown + 1, atol=1e-4)
    difference = (shown - crops)[0] / (model.decode(z) - model.seen(crops))[0]
    assert difference.std() / difference.mean() < 0.05, "one factor, but for what was clipped"
    light = model.reconstruct(z, crops, whole=True) - shown
    assert np.abs(light).max() > 0
    flat = model.reconstruct(z[:1], np.full((1, 1, 32, 32), 3.0, np.float32))
    np.testing.assert_allclose(flat, 3, atol=1e-5)


def test_what_confidences_are_worth_is_told() -> None:
    model = load_model(device="cpu")
    named = model.head("dense")
    assert named.evidence is not None
    assert named.evidence.calibration is not None
    ece = f"{named.evidence.calibration.ece:.3f}"
    assert named.calibration_told == f"calibrated on held-out plates, ECE {ece}"
    unknown = "not known to be calibrated on held-out cells"
    assert replace(named, evidence=None).calibration_told == unknown
    without = named.evidence.model_copy(update={"calibration": None})
    assert replace(named, evidence=without).calibration_told == unknown


def test_a_head_that_reads_properties_is_never_scored_without() -> None:
    model = load_model(device="cpu")
    read = HeadProperties(("area",), (600.0,), (100.0,))
    head = FormulaHead([parse_formula("area - z0", 32, None, read.names)], (), read)
    named = NamedHead("measured", head, ("small", "large"))
    model = replace(model, heads={"measured": named, "dense": model.head("dense")})
    z = np.zeros((2, 32), np.float32)
    cells = {"area": np.array([500.0, 800.0])}
    assert model.score(z, "measured", cells)[:, 0].tolist() == pytest.approx([-1, 2], abs=1e-5)
    # properties beside those of a head without any change nothing
    np.testing.assert_array_equal(model.score(z, "dense", cells), model.score(z, "dense"))
    for given in (None, {}, {"solidity": np.ones(2)}):
        with pytest.raises(InvalidInput, match="reads area beside latents"):
            model.score(z, "measured", given)
    assert model.needed_properties == ("area",)
    assert model.head_of_latents("dense", "An attack").name == "dense"
    with pytest.raises(InvalidInput, match="An attack needs a head that reads latents alone"):
        model.head_of_latents("measured", "An attack")
    assert "reads measured properties (area)" in model.subject_of("measured")


def test_a_head_is_the_same_one_whatever_the_model_is_called(tiny: CellModel) -> None:
    torch.manual_seed(0)
    dense, rule = DenseHead((6, 4, 1)), FormulaHead([parse_formula("z0 - 1", 6)])
    heads = {name: NamedHead(name, head, ("a", "b")) for name, head in (("d", dense), ("f", rule))}
    model = replace(tiny, heads=heads)
    assert replace(model, name="saved", sha256="0" * 64, card="new").scores_as(model, "d", "d")
    assert not model.scores_as(model, "d", "f")
    assert not replace(model, encoder_sha256="0" * 64).scores_as(model, "d", "d")
    others = {
        "d": NamedHead("d", DenseHead((6, 4, 1)), ("a", "b")),
        "f": NamedHead("f", FormulaHead([parse_formula("z0 - 1", 6)]), ("a", "b")),
    }
    trained = replace(model, heads=others)
    assert not trained.scores_as(model, "d", "d"), "it has other weights"
    assert trained.scores_as(model, "f", "f"), "it is the same formula"
    assert trained.scores_as(model, None, "f") is False
    swapped = replace(model, heads={"f": NamedHead("f", rule, ("b", "a"))})
    assert not swapped.scores_as(model, "f", "f"), "its classes are others"


def test_a_formula_is_undefined_for_single_cells(tiny: CellModel) -> None:
    read = HeadProperties(("area",), (600.0,), (100.0,))
    heads = {
        "log": NamedHead("log", FormulaHead([parse_formula("log(z0)", 6)]), ("a", "b")),
        "root": NamedHead(
            "root",
            FormulaHead([parse_formula("sqrt(area) + z1", 6, None, read.names)], (), read),
            ("a", "b"),
        ),
    }
    model = replace(tiny, heads={**heads, **tiny.heads})
    z = np.full((2, 6), [[1.0], [-1.0]], np.float32)
    assert model.defined(z, "log").tolist() == [True, False]
    measured = {"area": np.array([500.0, 700.0])}
    assert model.defined(z, "root", measured).tolist() == [False, True]
    assert model.defined(z, "two").tolist() == [True, True]
    assert model.defined(z[:0], "log").shape == (0,)


def test_what_a_type_cannot_hold_is_told_before_it_is_used(tiny: CellModel) -> None:
    """The largest float32 is finite, and infinite in bfloat16."""
    crops = np.zeros((1, 1, 64, 64), np.float32)
    tiny.encoder.encoder[-1].bias.fill_(0).view(-1)[0] = 0
    tiny.encoder.encoder[-1].weight.fill_(0).view(-1)[0] = float(np.finfo(np.float32).max)
    tiny.encode(crops)
    with pytest.raises(InvalidModel, match="'tiny' has weights that are not finite in bfloat16"):
        tiny.encode(crops, "bfloat16")


def test_numbers_that_overflow_are_an_error_and_never_a_class(tiny: CellModel) -> None:
    crops = np.random.default_rng(0).normal(size=(3, 1, 64, 64)).astype(np.float32)
    z = np.full((3, 6), 10.0, np.float32)
    tiny.heads["two"].head.network[0].weight.fill_(3e38)
    with pytest.raises(InvalidModel, match="Head 'two' of model 'tiny' gives NaN or infinite"):
        tiny.score(z, "two")
    assert np.isnan(tiny.score(z * np.nan, "two")).all(), "of a cell without latents"
    tiny.encoder.encoder[-3].bias.fill_(3e38)
    tiny.encoder.encoder[-1].weight.fill_(3e38)
    with pytest.raises(InvalidModel, match="'tiny' gives NaN or infinite latents"):
        tiny.encode(crops)


def test_without_a_value_there_is_no_class(tiny: CellModel) -> None:
    """No comparison with NaN holds, so that each would pass for the first class."""
    head = FormulaHead([parse_formula("log(z0)", 6)])
    model = replace(tiny, heads={"log": NamedHead("log", head, ("a", "b"))})
    scores = model.score(np.full((3, 6), [[2.0], [-1.0], [0.5]], np.float32), "log")
    assert class_index(scores).tolist() == [1, -1, 0]
    assert class_index([[0.0, np.nan, 1.0], [0.0, 2.0, 1.0]]).tolist() == [-1, 1]
    other = scores[[2, 0, 1]]
    assert class_changed(scores, other).tolist() == [True, False, False]
    assert class_index(np.zeros((0, 1))).shape == (0,)
