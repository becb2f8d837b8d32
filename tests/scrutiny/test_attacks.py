"""FGSM and its controls against a linear model, where every gradient is known by hand."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_interpdisc.errors import InvalidInput, InvalidModel
from napari_interpdisc.models.cell_model import CellModel, NamedHead
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.properties import NO_PROPERTIES
from napari_interpdisc.scrutiny.attacks import (
    AttackSettings,
    check_frozen,
    perturb,
    signed_margin,
    smallest_flip,
    smallest_latent_flips,
)

# Two latents of a 2 × 2 crop: z0 = x00 + 2 x01, z1 = −x10. x11 is not seen at all.
ENCODER = np.array([[1, 2, 0, 0], [0, 0, -1, 0]], np.float32)
# f = 3 z0 − z1 + 0.7
WEIGHT, BIAS = np.array([[3, -1]], np.float32), 0.7
GRADIENT_X = np.array([[3, 6], [1, 0]])


class LinearEncoder(nn.Module):
    """Stands in for the β-TCVAE: linear both ways."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = [_Both(self)]  # its layers: nothing in them can be folded
        self.config = SimpleNamespace(latents=2, crop_size=2)
        self.matrix = nn.Parameter(torch.from_numpy(ENCODER))

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        mean = crops.flatten(1) @ self.matrix.T
        return mean, torch.zeros_like(mean)

    def decode(self, z: Tensor) -> Tensor:
        return (z @ self.matrix).reshape(-1, 1, 2, 2)

    def seen(self, crops: Tensor) -> Tensor:
        return crops

    def scale(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        zero = crops.new_zeros((len(crops), 1, 1, 1))
        return zero, zero + 1


class _Both(nn.Module):
    """Means and log-variances side by side, as the layers of an encoder give them."""

    def __init__(self, whole: LinearEncoder) -> None:
        super().__init__()
        self.whole = [whole]  # a list: the whole is no part of this

    def forward(self, crops: Tensor) -> Tensor:
        return torch.cat(self.whole[0].encode(crops), 1)


class LinearHead(nn.Module):
    kind, properties = "dense", NO_PROPERTIES

    def __init__(self, weight: np.ndarray, bias: float, squash: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.as_tensor(weight, dtype=torch.float32))
        self.bias, self.squash = bias, squash

    def forward(self, z: Tensor) -> Tensor:
        logits = z @ self.weight.T + self.bias
        return torch.tanh(logits) * self.squash if self.squash else logits


def model_with(head: nn.Module, classes: tuple[str, ...] = ("no", "yes")) -> CellModel:
    return CellModel(
        name="linear",
        sha256="0" * 64,
        encoder=LinearEncoder(),  # type: ignore[arg-type]
        heads={"head": NamedHead("head", head, classes)},  # type: ignore[arg-type]
        model_diameter=1.0,
        latent_kl=np.ones(2),
        latent_sd=np.ones(2),
        device=torch.device("cpu"),
    )


@pytest.fixture
def model() -> CellModel:
    return model_with(LinearHead(WEIGHT, BIAS))


def crop(*pixels: float) -> np.ndarray:
    return np.array(pixels, np.float32).reshape(1, 1, 2, 2)


YES = crop(1, 1, 1, 5)  # z = (3, −1), f = 10.7
NO = crop(-1, -1, 1, 5)  # z = (−3, −1), f = −7.3


def test_scores_are_those_of_the_linear_model(model: CellModel) -> None:
    found = perturb(model, np.concatenate([YES, NO]), AttackSettings(epsilon=0))
    np.testing.assert_allclose(found.latents, [[3, -1], [-3, -1]])
    np.testing.assert_allclose(found.scores[:, 0], [10.7, -7.3], rtol=1e-6)
    np.testing.assert_array_equal(found.scores, found.perturbed_scores)
    assert not found.flipped.any()


@pytest.mark.parametrize(("cell", "towards"), [(YES, -1), (NO, 1)])
def test_fgsm_in_image_space_steps_along_the_sign_of_the_gradient(
    model: CellModel, cell: np.ndarray, towards: int
) -> None:
    found = perturb(model, cell, AttackSettings(space="image", epsilon=0.5))
    expected = cell + 0.5 * towards * np.sign(GRADIENT_X)
    np.testing.assert_allclose(found.perturbed, expected, rtol=1e-6)
    np.testing.assert_allclose(found.perturbation, expected - cell, atol=1e-6)
    assert found.perturbation[0, 0, 1, 1] == 0, "a pixel that the model does not see stays"
    # |∂f/∂x| sums to 10: the score moves by ε times that.
    np.testing.assert_allclose(found.perturbed_scores - found.scores, 5.0 * towards, rtol=1e-5)


@pytest.mark.parametrize(("cell", "towards"), [(YES, -1), (NO, 1)])
def test_fgsm_in_latent_space_and_its_pictures(
    model: CellModel, cell: np.ndarray, towards: int
) -> None:
    found = perturb(model, cell, AttackSettings(space="latent", epsilon=1.0))
    np.testing.assert_allclose(found.perturbed_latents - found.latents, [[towards, -towards]])
    np.testing.assert_allclose(found.perturbed_scores - found.scores, 4.0 * towards)
    decoded = (found.perturbed_latents @ ENCODER).reshape(1, 1, 2, 2)
    np.testing.assert_allclose(found.perturbed, decoded)
    np.testing.assert_allclose(found.perturbation, decoded - found.reconstruction)
    np.testing.assert_array_equal(found.original, cell)


def test_flipped_tells_the_cells_that_crossed(model: CellModel) -> None:
    both = np.concatenate([YES, NO])
    found = perturb(model, both, AttackSettings(space="image", epsilon=0.9))
    np.testing.assert_allclose(found.perturbed_scores[:, 0], [1.7, 1.7], rtol=1e-5)
    assert found.flipped.tolist() == [False, True]


def test_a_saturated_score_still_moves() -> None:
    """Its gradient is below 1e-6, which captum by default takes for none at all."""
    model = model_with(LinearHead(WEIGHT, BIAS, squash=0.01))
    cell = crop(2.1, 0, 0, 0)  # f before tanh: 7
    x = torch.from_numpy(cell).requires_grad_()
    model.head().head(model.encoder.encode(x)[0]).sum().backward()
    assert x.grad is not None
    assert 0 < float(x.grad.abs().max()) < 1e-6
    for method in ("fgsm", "pgd"):
        found = perturb(model, cell, AttackSettings(space="image", epsilon=0.5, method=method))
        np.testing.assert_allclose(
            np.abs(found.perturbation).ravel(), [0.5, 0.5, 0.5, 0], rtol=1e-5
        )


def test_frozen_latents_keep_their_value_in_latent_space(model: CellModel) -> None:
    settings = AttackSettings(space="latent", epsilon=1.0, frozen_latents=(0,))
    for method in ("fgsm", "pgd", "random"):
        found = perturb(model, YES, settings.model_copy(update={"method": method}))
        assert found.perturbed_latents[0, 0] == found.latents[0, 0]
        assert abs(found.perturbed_latents[0, 1] - found.latents[0, 1]) == pytest.approx(1)


def test_frozen_latents_let_no_gradient_through_in_image_space(model: CellModel) -> None:
    found = perturb(model, YES, AttackSettings(space="image", epsilon=0.5, frozen_latents=(0,)))
    np.testing.assert_array_equal(found.perturbation[0, 0, 0], [0, 0])
    assert found.perturbation[0, 0, 1, 0] == pytest.approx(-0.5)
    assert found.perturbed_latents[0, 0] == found.latents[0, 0]
    np.testing.assert_allclose(found.perturbed_scores - found.scores, -0.5)


@pytest.mark.parametrize("space", ["image", "latent"])
def test_pgd_stays_within_the_box_and_is_no_weaker_on_a_linear_model(
    model: CellModel, space: str
) -> None:
    settings = AttackSettings(space=space, epsilon=0.5, method="pgd")
    found = perturb(model, YES, settings)
    step = found.perturbation if space == "image" else found.perturbed_latents - found.latents
    assert np.abs(step).max() <= 0.5 + 1e-6
    fgsm = perturb(model, YES, settings.model_copy(update={"method": "fgsm"}))
    np.testing.assert_allclose(found.perturbed_scores, fgsm.perturbed_scores, rtol=1e-5)


def test_random_signs_have_the_size_and_repeat_with_their_seed(model: CellModel) -> None:
    cells = np.repeat(YES, 20, axis=0)
    settings = AttackSettings(space="image", epsilon=0.3, method="random", seed=1)
    found = perturb(model, cells, settings)
    np.testing.assert_allclose(np.abs(found.perturbation), 0.3, rtol=1e-5)
    assert len(np.unique(found.perturbation.reshape(20, 4), axis=0)) > 5, "not one sign for all"
    again = perturb(model, cells, settings)
    np.testing.assert_array_equal(found.perturbed, again.perturbed)
    other = perturb(model, cells, settings.model_copy(update={"seed": 2}))
    assert not np.array_equal(found.perturbed, other.perturbed)


def test_smallest_flip_on_a_linear_head(model: CellModel) -> None:
    both = np.concatenate([YES, NO])
    # f moves by 10 ε in image space and by 4 ε in latent space.
    image = smallest_flip(model, both, AttackSettings(space="image"))
    np.testing.assert_allclose(image, [1.1, 0.75], atol=1e-9)
    latent = smallest_flip(model, both, AttackSettings(space="latent"))
    np.testing.assert_allclose(latent, [2.7, 1.85], atol=1e-9)
    only_z1 = AttackSettings(space="latent", frozen_latents=(0,))
    assert np.isinf(smallest_flip(model, both, only_z1)).all()
    fine = smallest_flip(model, NO, AttackSettings(space="image"), grid=[0.7, 0.729, 0.731])
    assert fine.tolist() == [0.731]


def test_smallest_flip_agrees_with_the_attack_at_that_epsilon(model: CellModel) -> None:
    for space in ("image", "latent"):
        settings = AttackSettings(space=space)
        epsilon = float(smallest_flip(model, YES, settings)[0])
        assert perturb(model, YES, settings.model_copy(update={"epsilon": epsilon})).flipped[0]
        below = settings.model_copy(update={"epsilon": epsilon - 0.05})
        assert not perturb(model, YES, below).flipped[0]


def test_three_classes_are_attacked_against_the_best_other_one() -> None:
    weight = np.array([[1, 0], [0, 1], [-1, -1]], np.float32)
    model = model_with(LinearHead(weight, 0.0), ("a", "b", "c"))
    # z = (2, 1): class a with margin 1 over b, and the gradient of the margin is (1, −1).
    found = perturb(model, crop(2, 0, -1, 0), AttackSettings(space="latent", epsilon=1.0))
    np.testing.assert_allclose(found.scores, [[2, 1, -3]])
    np.testing.assert_allclose(found.perturbed_latents, [[1, 2]])
    assert found.flipped.tolist() == [True]


def three_classes() -> CellModel:
    weight = np.array([[1, 0], [0, 1], [-1, -1]], np.float32)
    return model_with(LinearHead(weight, 0.0), ("a", "b", "c"))


def test_towards_a_class_is_along_the_gradient_of_its_margin() -> None:
    """From z = (2, 1), scores (2, 1, −3): the margin of c is −3 − 2, its gradient (−2, −1)."""
    model = three_classes()
    aim = AttackSettings(space="latent", epsilon=1.0, target="c")
    found = perturb(model, crop(2, 0, -1, 0), aim)
    np.testing.assert_allclose(found.perturbed_latents, [[1, 0]])
    assert found.target == 2
    # b is not asked for, and a is still called: nothing was reached
    assert found.reached.tolist() == [False]
    # at (0, −1) the margin is tied to a and c; from 5/3 on c is called
    far = perturb(model, crop(2, 0, -1, 0), aim.model_copy(update={"epsilon": 1.7}))
    np.testing.assert_allclose(far.perturbed_scores, [[0.3, -0.7, 0.4]], atol=1e-5)
    assert far.reached.tolist() == [True]


def test_another_class_than_the_one_aimed_at_is_not_reached() -> None:
    """Random signs may flip a cell to a class that nobody asked for."""
    cells = np.repeat(crop(0.2, 0, -0.1, 0), 30, axis=0)
    aim = AttackSettings(space="latent", epsilon=1.0, target="c", method="random")
    found = perturb(three_classes(), cells, aim)
    assert (found.flipped & ~found.reached).any()
    assert found.reached.tolist() == (found.perturbed_scores.argmax(1) == 2).tolist()


@pytest.mark.parametrize("method", ["fgsm", "pgd", "random"])
@pytest.mark.parametrize("space", ["image", "latent"])
def test_cells_of_the_class_aimed_at_stay_as_they_are(
    model: CellModel, space: Literal["image", "latent"], method: Literal["fgsm", "pgd", "random"]
) -> None:
    both = np.concatenate([YES, NO])
    aim = AttackSettings(space=space, epsilon=2.5, target="yes", method=method)
    found = perturb(model, both, aim)
    np.testing.assert_array_equal(found.perturbed_latents[0], found.latents[0])
    assert not np.array_equal(found.perturbed_latents[1], found.latents[1])
    assert found.there_already.tolist() == [True, False]
    assert not found.reached[0]
    if method != "random":
        np.testing.assert_allclose(
            smallest_flip(model, both, aim), [0, 0.75 if space == "image" else 2], atol=0.16
        )


def test_smallest_flip_with_pgd_is_on_its_own_grid(model: CellModel) -> None:
    """A linear model: PGD flips where FGSM does, at 1.07 and 0.73, on steps of 0.25."""
    both = np.concatenate([YES, NO])
    seen: list[tuple[int, int]] = []
    found = smallest_flip(
        model, both, AttackSettings(method="pgd"), progress=lambda *at: seen.append(at)
    )
    assert found.tolist() == [1.25, 0.75]
    assert seen[-1] == (12, 12)
    own = smallest_flip(model, both, AttackSettings(method="pgd"), grid=[1.1, 0.7])
    assert own.tolist() == [1.1, 1.1]


def test_smallest_flip_with_random_signs_follows_the_signs_of_the_attack(model: CellModel) -> None:
    cells = np.repeat(NO, 8, axis=0)
    settings = AttackSettings(space="latent", method="random", epsilon=2.0)
    smallest = smallest_flip(model, cells, settings, grid=[2.0])
    np.testing.assert_array_equal(smallest == 2.0, perturb(model, cells, settings).reached)
    assert 0 < np.isinf(smallest).sum() < 8
    # the signs of a cell are its own: those of cell 5 come with its seed
    alone = smallest_flip(model, NO, settings.model_copy(update={"seed": 5}), grid=[2.0])
    assert alone[0] == smallest[5]


def test_signed_margin() -> None:
    two = signed_margin(torch.tensor([[2.0], [2.0]]), torch.tensor([1, 0]))
    assert two.tolist() == [2, -2]
    three = signed_margin(torch.tensor([[1.0, 4, 2]]), torch.tensor([1]))
    assert three.tolist() == [2]


def test_batches_do_not_change_the_attack_and_report_progress(model: CellModel) -> None:
    cells = np.concatenate([YES, NO, YES])
    seen: list[tuple[int, int]] = []
    whole = perturb(model, cells, AttackSettings())
    parts = perturb(model, cells, AttackSettings(), progress=lambda *p: seen.append(p), batch=2)
    np.testing.assert_allclose(whole.perturbed, parts.perturbed)
    assert seen == [(2, 3), (3, 3)]


@pytest.mark.parametrize("method", ["fgsm", "pgd", "random"])
def test_nothing_is_warned_about(model: CellModel, method: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        perturb(model, YES, AttackSettings(method=method))


def test_nothing_is_left_on_the_model(model: CellModel) -> None:
    perturb(model, YES, AttackSettings(method="pgd"))
    assert all(p.grad is None and not p.requires_grad for p in model.encoder.parameters())


@pytest.mark.parametrize(
    ("call", "fault", "sentence"),
    [
        (lambda m: check_frozen((0, 2), 2), InvalidInput, "Latent 2 cannot be frozen"),
        (lambda m: check_frozen((-1,), 2), InvalidInput, "Latent -1 cannot be frozen"),
        (lambda m: check_frozen((0, 1), 2), InvalidInput, "All latents are frozen"),
        (
            lambda m: perturb(m, YES, AttackSettings(frozen_latents=(7,))),
            InvalidInput,
            "Latent 7 cannot be frozen: the model has latents 0 to 1",
        ),
        (
            lambda m: perturb(m, YES, AttackSettings(target="maybe")),
            InvalidInput,
            "no class 'maybe'; it has no, yes",
        ),
        (lambda m: perturb(m, YES[:0], AttackSettings()), InvalidInput, "no cells to perturb"),
        (lambda m: perturb(m, YES, AttackSettings(), "other"), InvalidModel, "no head 'other'"),
    ],
)
def test_faults_are_sentences(
    model: CellModel, call: Callable[[Any], Any], fault: type[Exception], sentence: str
) -> None:
    with pytest.raises(fault, match=sentence):
        call(model)


@pytest.mark.parametrize("epsilon", [-0.1, np.nan, np.inf, 9])
def test_an_epsilon_that_cannot_be_meant_is_refused(epsilon: float) -> None:
    with pytest.raises(ValueError, match="epsilon"):
        AttackSettings(epsilon=epsilon)


@pytest.mark.parametrize("space", ["image", "latent"])
def test_a_formula_is_attacked_like_the_network_that_it_equals(
    model: CellModel, space: Literal["image", "latent"]
) -> None:
    formula = model_with(FormulaHead([parse_formula("3*z0 - z1 + 0.7", 2)]))  # type: ignore[arg-type]
    settings = AttackSettings(space=space, epsilon=0.5)
    crops = np.concatenate([YES, NO])
    expected, found = perturb(model, crops, settings), perturb(formula, crops, settings)
    np.testing.assert_allclose(found.perturbed_scores, expected.perturbed_scores, rtol=1e-5)
    np.testing.assert_allclose(
        smallest_flip(formula, crops, settings), smallest_flip(model, crops, settings)
    )


def test_pgd_is_never_weaker_than_fgsm() -> None:
    """Where the gradient leads astray, the best place on the way counts."""
    formula = parse_formula("sin(9*z0) + 0.3*z1", 2)
    model = model_with(FormulaHead([formula]))
    crops = np.random.default_rng(0).normal(size=(60, 1, 2, 2)).astype(np.float32)

    def worth(method: Literal["fgsm", "pgd"]) -> np.ndarray:
        settings = AttackSettings(space="latent", epsilon=0.7, method=method)
        found = perturb(model, crops, settings)
        return found.perturbed_scores[:, 0] * np.where(found.scores[:, 0] >= 0, -1, 1)

    assert (worth("pgd") >= worth("fgsm") - 1e-6).all()
    assert (worth("pgd") > worth("fgsm") + 0.1).any()


def test_a_head_of_properties_is_not_attacked(measuring: CellModel) -> None:
    """A perturbed crop has other properties, and perturbed latents have none."""
    crops = np.zeros((1, 1, 64, 64), np.float32)
    with pytest.raises(
        InvalidInput,
        match="reads latents alone, and 'size' reads",
    ):
        perturb(measuring, crops, AttackSettings(), "size")


def formulas(*texts: str) -> CellModel:
    head = FormulaHead([parse_formula(text, 2) for text in texts])
    return model_with(head, ("a", "b", "c")[: max(2, len(texts))])


@pytest.mark.parametrize("method", ["fgsm", "pgd", "random"])
@pytest.mark.parametrize("texts", [("log(z0 + 1) - 1",), ("z0", "log(z0)", "z1")])
def test_a_cell_without_a_value_is_not_attacked(
    texts: tuple[str, ...], method: Literal["fgsm", "pgd", "random"]
) -> None:
    """It has no class that could change; its neighbour in the batch is attacked as ever."""
    model, crops = formulas(*texts), np.concatenate([NO, YES])
    for target in (None, "a"):
        settings = AttackSettings(space="image", epsilon=0.5, method=method, target=target)
        found = perturb(model, crops, settings)
        assert found.without_class.tolist() == [True, False]
        assert not found.flipped[0]
        assert not found.reached[0]
        assert not found.lost_class[0]
        np.testing.assert_array_equal(found.perturbed[0], crops[0])
        alone = perturb(model, YES, settings.model_copy(update={"seed": 1}))
        np.testing.assert_array_equal(found.perturbed[1], alone.perturbed[0])
        assert not np.isnan(found.perturbed).any()
        assert np.isinf(smallest_flip(model, crops, settings)[0])


def test_a_cell_that_loses_its_value_has_not_flipped() -> None:
    """F = √(z0 − 2) − 0.5 is 0.5 at z0 = 3, negative from 2.25 down to 2, and nothing below."""
    model = formulas("sqrt(z0 - 2) - 0.5")
    far = perturb(model, YES, AttackSettings(space="latent", epsilon=2.0))
    assert np.isnan(far.perturbed_scores).all()
    assert not far.flipped[0]
    assert far.lost_class[0]
    assert not far.without_class[0]
    settings = AttackSettings(space="latent")
    assert smallest_flip(model, YES, settings, grid=[0.5, 0.9, 1.5, 2.0])[0] == pytest.approx(0.9)
    assert np.isinf(smallest_flip(model, YES, settings, grid=[0.5, 1.5, 2.0])[0])
    pgd = perturb(model, YES, AttackSettings(space="latent", epsilon=2.0, method="pgd"))
    assert pgd.flipped[0], "it stops on its way, where there is a value"


def test_smallest_latent_flips_of_cells_without_a_value() -> None:
    model = formulas("sqrt(z0 - 2) - 0.5")
    z = np.array([[3.0, -1.0], [1.0, 0.0]], np.float32)
    free = np.array([[True, True], [False, True]])
    found = smallest_latent_flips(model, z, free, grid=[0.5, 0.9, 1.5])
    np.testing.assert_allclose(found, [[0.9, np.inf], [np.inf, np.inf]])
