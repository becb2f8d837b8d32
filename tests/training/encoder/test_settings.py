from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from napari_interpdisc.models.tcvae import TCVAEConfig
from napari_interpdisc.training.encoder.settings import EncoderTraining


@pytest.mark.parametrize(
    "wrong",
    [
        {"beta": 0.5},  # total correlation would be rewarded
        {"batch": 1},  # there is no batch statistic of one crop
        {"steps": 0},
        {"learning_rate": 0},
        {"warm_up": 0},
        {"rim": 0},  # neighbours may count little, never nothing
        {"rim": 1.1},
        {"consistency": -1},
        {"precision": "float16"},
        {"objective": "vae"},
        {"augmentation": {"rotate": True}},
        {"network": {"latents": 0}},
        {"leerning_rate": 1e-3},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        EncoderTraining.model_validate(wrong)


def test_settings_are_stored_and_read_again() -> None:
    made = EncoderTraining(network=TCVAEConfig.equivariant(8), beta=4, ramp_beta=False)
    assert EncoderTraining.model_validate_json(made.model_dump_json()) == made
    with pytest.raises(ValidationError, match="frozen"):
        made.beta = 1  # type: ignore[misc]


def test_what_is_left_out_is_as_the_card_of_the_bundled_model_says() -> None:
    plain = EncoderTraining()
    assert (plain.beta, plain.batch, plain.learning_rate, plain.denoise) == (2.0, 256, 1e-3, True)
    assert (plain.augmentation.gradient, plain.augmentation.edge) == (0.4, 0.1)
