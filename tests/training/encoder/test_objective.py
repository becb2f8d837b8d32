"""The loss of one batch, against the same written out by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from napari_interpdisc.models.tcvae import TCVAE
from napari_interpdisc.models.texture import texture
from napari_interpdisc.training.augment import Views
from napari_interpdisc.training.encoder import objective as objective_module
from napari_interpdisc.training.encoder.guides import Guides
from napari_interpdisc.training.encoder.objective import Objective
from napari_interpdisc.training.encoder.rotation import (
    RandomRotation,
    equivariance_penalty,
    shown_again,
)
from napari_interpdisc.training.encoder.settings import EncoderTraining
from napari_interpdisc.training.loss import centre_weight, total_correlation_mws

from .conftest import GUIDED, ROTATING, SMALL, outlined_source

N_DATA = 50


def settings(**changes: Any) -> EncoderTraining:
    return EncoderTraining(
        **{"network": SMALL, "beta": 3.0, "warm_up": 10, "radius": 5.0, "rim": 0.4, **changes}
    )


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def by_hand(model: TCVAE, crops: Tensor, target: Tensor) -> tuple[Tensor, ...]:
    """Reconstruction, KL and total correlation of a plain network."""
    mean, log_variance = model.encode(crops)
    noise = torch.randn(mean.shape, generator=generator())
    z = mean + noise * torch.exp(log_variance / 2)
    weight = centre_weight(16, 5.0, 0.4)
    error = 0.5 * (weight * (target - model.decode(z)) ** 2).sum((1, 2, 3)).mean()
    kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean()
    return error, kl, total_correlation_mws(z, mean, log_variance, N_DATA)


@pytest.mark.parametrize("denoise", [True, False])
def test_the_loss_of_a_plain_network(small: TCVAE, crops: Tensor, denoise: bool) -> None:
    clean = crops + 0.5
    objective = Objective(settings(denoise=denoise), N_DATA, "cpu")
    found = objective.of_batch(small, Views(crops, clean), 100, generator())
    error, kl, tc = by_hand(small, crops, clean if denoise else crops)
    torch.testing.assert_close(found.terms.reconstruction, error)
    torch.testing.assert_close(found.terms.kl, kl)
    torch.testing.assert_close(found.loss, error + kl + (3 - 1) * tc)
    assert float(found.penalty) == float(found.terms.texture) == 0


def test_a_beta_vae_weighs_the_whole_kl(small: TCVAE, crops: Tensor) -> None:
    objective = Objective(settings(objective="beta-vae"), N_DATA, "cpu")
    found = objective.of_batch(small, Views(crops, crops), 100, generator())
    error, kl, _ = by_hand(small, crops, crops)
    torch.testing.assert_close(found.loss, error + 3 * kl)


def test_beta_rises_from_one_and_stays() -> None:
    objective = Objective(settings(), N_DATA, "cpu")
    assert [objective.beta(step) for step in (0, 4, 9, 10, 999)] == pytest.approx(
        [1.2, 2.0, 3.0, 3.0, 3.0]
    )
    at_once = Objective(settings(ramp_beta=False), N_DATA, "cpu")
    assert at_once.beta(0) == 3.0


def test_the_loss_follows_beta(small: TCVAE, crops: Tensor) -> None:
    objective = Objective(settings(), N_DATA, "cpu")
    views = Views(crops, crops)
    first, last = (objective.of_batch(small, views, step, generator()) for step in (4, 100))
    tc = first.terms.total_correlation
    torch.testing.assert_close(last.loss - first.loss, (3.0 - 2.0) * tc)


def test_the_penalty_counts_as_often_as_asked(rotating: TCVAE, crops: Tensor) -> None:
    one, three, none = (
        Objective(settings(network=ROTATING, consistency=c), N_DATA, "cpu").of_batch(
            rotating, Views(crops, crops), 1, generator()
        )
        for c in (1.0, 3.0, 0.0)
    )
    assert float(none.penalty) == 0
    rows = shown_again(len(crops), 1, "cpu")
    posterior = one.mean[rows], one.log_variance[rows]
    torch.testing.assert_close(
        one.penalty, equivariance_penalty(rotating, crops[rows], *posterior, 1, half=False)
    )
    assert float(one.penalty.detach()) > 0
    torch.testing.assert_close(one.loss - none.loss, one.penalty)
    torch.testing.assert_close(three.loss - none.loss, 3 * one.penalty)


def test_the_rotated_crop_is_to_be_shown_from_the_rotated_latents(
    rotating: TCVAE, crops: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotating.eval()
    seen: list[tuple[Any, ...]] = []
    terms = objective_module.tcvae_terms
    monkeypatch.setattr(objective_module, "tcvae_terms", lambda *a: (seen.append(a), terms(*a))[1])
    objective = Objective(settings(network=ROTATING, consistency=0), N_DATA, "cpu")
    found = objective.of_batch(rotating, Views(crops, crops + 1), 0, generator())
    target, shown, z, *_, weight, textures, texture_weight = seen[0]
    drawn = RandomRotation.draw(len(crops), generator())
    torch.testing.assert_close(target, drawn.of_crops(crops + 1))
    torch.testing.assert_close(weight, drawn.of_weight(centre_weight(16, 5.0, 0.4)))
    picture, grain = rotating.decode_with_texture(rotating.rotate(z, drawn.angle, drawn.mirror))
    torch.testing.assert_close(shown, picture)
    torch.testing.assert_close(textures[0], texture(target))
    torch.testing.assert_close(textures[1], grain)
    assert texture_weight == 8.0
    torch.testing.assert_close(z, found.z)


def test_the_loss_has_a_gradient_in_every_weight(rotating: TCVAE, crops: Tensor) -> None:
    objective = Objective(settings(network=ROTATING), N_DATA, "cpu")
    objective.of_batch(rotating, Views(crops, crops), 5, generator()).loss.backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in rotating.parameters())


@pytest.fixture
def network() -> TCVAE:
    """Return an untrained network of the cell and of its surroundings."""
    torch.manual_seed(0)
    return TCVAE(GUIDED.model_copy(update={"window": 8.0}))


def of_cells(network: TCVAE, **changes: Any) -> EncoderTraining:
    return settings(**{"network": network.config, "subject": "cell", "consistency": 0, **changes})


def views_of(n: int = 6, again: int = 0) -> Views:
    """Noise in place of the views of ``n`` cells."""
    draw = torch.Generator().manual_seed(1)
    parts = [torch.randn(m, 1, 32, 32, generator=draw) for m in (n, n, n, n, again)]
    crops, clean, light, around, second = parts
    return Views(crops, clean, light, around, second if again else None)


def test_light_from_around_is_asked_for_in_the_units_of_the_cell(network: TCVAE) -> None:
    network.eval()
    objective, views = Objective(of_cells(network, around_weight=0.7), N_DATA, "cpu"), views_of()
    found = objective.of_batch(network, views, 100, generator())
    assert views.around is not None
    drawn = RandomRotation.draw(6, generator())
    wanted = drawn.of_crops((views.around / network.scale(views.clean)[1]).clamp(-10, 10))
    shown = network.decode_around(drawn.of_latents(network, found.z))
    weight = drawn.of_weight(centre_weight(32, 5.0, 0.4))
    error = 0.5 * (weight * (wanted - shown) ** 2).sum((1, 2, 3)).mean()
    torch.testing.assert_close(found.around, 0.7 * error)


def test_the_terms_of_surroundings_and_guides_enter_the_loss(network: TCVAE) -> None:
    views, known = views_of(), torch.tensor([True, True, False, True, True, True])
    asked = of_cells(network, guide_weight=2.0)
    guides = Guides([outlined_source()], asked.augmentation, network.config, 0, "cpu")
    with_both = Objective(asked, N_DATA, "cpu", guides)
    found = with_both.of_batch(network, views, 100, generator(), known)
    terms = found.terms
    assert float(found.around.detach()) > 0
    assert float(found.guided.detach()) > 0
    torch.testing.assert_close(found.loss, terms.total(3.0) + found.around + found.guided)
    # every second cell, and of those the ones with an outline
    assert views.light is not None
    some = [0, 4]
    error = guides.error(found.z[some], views.light[some], known[some])
    torch.testing.assert_close(found.guided, 2.0 * error)
    plain = Objective(of_cells(network, around_weight=0.0), N_DATA, "cpu")
    without = plain.of_batch(network, views, 100, generator(), known)
    assert float(without.guided) == float(without.around.detach()) == 0
    torch.testing.assert_close(without.loss, terms.total(3.0))


def test_cells_are_compared_with_themselves_among_others(network: TCVAE) -> None:
    rows = shown_again(6, 1, "cpu")
    views = views_of(again=len(rows))
    objective = Objective(of_cells(network, consistency=1.0), N_DATA, "cpu")
    found = objective.of_batch(network, views, 1, generator())
    assert views.again is not None
    posterior = found.mean[rows], found.log_variance[rows]
    wanted = equivariance_penalty(network, views.again, *posterior, 1, half=False)
    torch.testing.assert_close(found.penalty, wanted)
    itself = equivariance_penalty(network, views.crops[rows], *posterior, 1, half=False)
    assert not torch.allclose(found.penalty, itself)


def test_both_decoders_learn(network: TCVAE) -> None:
    asked = of_cells(network, guide_weight=1.0, consistency=1.0)
    guides = Guides([outlined_source()], asked.augmentation, network.config, 0, "cpu")
    views, known = views_of(again=2), torch.ones(6, dtype=torch.bool)
    found = Objective(asked, N_DATA, "cpu", guides).of_batch(network, views, 5, generator(), known)
    found.loss.backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in network.parameters())
