from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.settings import read_settings
from napari_interpdisc.models.tcvae import TCVAEConfig
from napari_interpdisc.training.encoder.settings import EncoderTraining, check_masks

from .conftest import GUIDED, noise_patches, outlined_source


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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("guide_weight = 1.0", 'guided latents need subject = "cell"'),
        (
            'subject = "cell"\nguide_weight = 1.0',
            "guided latents need 6 invariant latents, 2 pairs that rotate as fast as the cell and "
            "1 pair that rotates twice as fast; the network has 32, 0 and 0 of them",
        ),
        ("[network]\naround = [2, 1]", 'latents of the surroundings need subject = "cell"'),
        (
            'subject = "cell"\ndenoise = false\n[network]\naround = [2, 1]',
            "latents of the surroundings need denoise = true",
        ),
    ],
)
def test_settings_that_do_not_fit_together_are_told_in_one_sentence(
    tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "cell.toml"
    file.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        read_settings(file, EncoderTraining)
    assert str(caught.value) == f"{file} cannot be used: {told}."


def test_settings_that_fit_together_are_taken() -> None:
    both = EncoderTraining(subject="cell", guide_weight=1.0, network=GUIDED)
    assert both.compares_latents
    assert not both.model_copy(update={"consistency": 0.0}).compares_latents
    assert not EncoderTraining().compares_latents
    # the network that is trained if none is named
    EncoderTraining(subject="cell", guide_weight=1.0, network=TCVAEConfig.equivariant())


def test_masks_are_asked_for_where_they_are_used() -> None:
    bare, known = noise_patches("bare", 4), outlined_source()
    crop, cell = EncoderTraining(), EncoderTraining(subject="cell")
    check_masks([bare, known], crop)
    check_masks([known], cell)
    check_masks([replace(known, outlined=None)], cell)
    with pytest.raises(InvalidInput, match=r"^The cells of bare have no masks"):
        check_masks([known, bare], cell)
    guided = EncoderTraining(subject="cell", guide_weight=1.0, network=GUIDED)
    check_masks([known, replace(known, outlined=np.zeros(40, bool))], guided)
    with pytest.raises(InvalidInput, match=r"^ellipses does not say which of its masks"):
        check_masks([replace(known, outlined=None)], guided)
    with pytest.raises(InvalidInput, match=r"^No cell has a known outline"):
        check_masks([replace(known, outlined=np.zeros(40, bool))], guided)


def test_some_patches_of_a_source_keep_what_belongs_to_them() -> None:
    source = replace(outlined_source(share=3.0), outlined=np.arange(40) % 2 == 0)
    some = source.take([3, 8])
    assert (some.name, some.field, some.share) == ("ellipses", 48.0, 3.0)
    assert some.outlined is not None
    assert some.outlined.tolist() == [False, True]
    assert some.masks is not None
    assert source.masks is not None
    np.testing.assert_array_equal(some.masks, source.masks[[3, 8]])
    bare = noise_patches("bare", 4).take([0])
    assert bare.masks is bare.outlined is None
