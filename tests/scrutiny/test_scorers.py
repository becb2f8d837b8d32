"""Heads as scorers: the encoder is shared."""

from __future__ import annotations

import numpy as np

from napari_interpdisc.models.store import load_model
from napari_interpdisc.scrutiny.scorers import HeadScorer, SharedEncoder


def test_heads_of_a_model_score_as_the_model_does() -> None:
    model = load_model(device="cpu")
    shared = SharedEncoder(model)
    crops = np.random.default_rng(0).normal(size=(3, 1, 64, 64)).astype(np.float32)
    for name in ("dense", "mitosis"):
        scorer = HeadScorer(shared, name)
        assert (scorer.model, scorer.name) == (model.name, name)
        assert scorer.classes == model.head(name).classes
        expected = model.score(model.encode(crops)[0], name)
        np.testing.assert_array_equal(scorer.score(crops), expected)
        np.testing.assert_array_equal(scorer.score(crops, np.array([4, 1, 0])), expected)


def test_the_same_array_is_encoded_once_and_another_anew() -> None:
    shared = SharedEncoder(load_model(device="cpu"))
    one = np.random.default_rng(0).normal(size=(2, 1, 64, 64)).astype(np.float32)
    first = shared.encode(one)
    assert shared.encode(one) is first
    assert not np.allclose(shared.encode(one[::-1].copy()), first)
