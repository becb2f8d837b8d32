from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from napari_interpdisc.symbolic.settings import SearchSettings


@pytest.mark.parametrize(
    "wrong",
    [
        {"engine": "eureqa"},
        {"max_size": 2},  # nothing but a latent
        {"max_size": 61},
        {"binary_operators": ()},
        {"binary_operators": ("^",)},
        {"unary_operators": ("gamma",)},
        {"cells": 9},
        {"generations": 0},
        {"seed": -1},
        {"seed": 2**32},  # more than numpy takes
        {"populaton_size": 33},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        SearchSettings.model_validate(wrong)


def test_settings_come_back_from_their_json() -> None:
    made = SearchSettings(engine="operon", unary_operators=(), seed=2**32 - 1)
    assert SearchSettings.model_validate_json(made.model_dump_json()) == made


def test_every_function_that_may_be_asked_for_is_one_of_the_formulas() -> None:
    from typing import get_args

    from napari_interpdisc.models.formula import parse_formula
    from napari_interpdisc.symbolic.settings import Unary

    for name in get_args(Unary):
        assert parse_formula(f"{name}(z0 + 1.5)", 1).used_latents == (0,), name
