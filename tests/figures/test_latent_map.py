"""The picture of correlations between latents and properties."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.figures.latent_map import draw_latent_map
from napari_interpdisc.scrutiny.naming import study_latents
from napari_interpdisc.scrutiny.rotation import RotatingPair

from .conftest import whole_picture

N = 300


def test_the_map_is_a_picture(
    rng: np.random.Generator, tmp_path: Path, drawn: list[Figure]
) -> None:
    z = rng.normal(size=(N, 5))
    properties = {"area": np.exp(-z[:, 0]), "neighbours": np.rint(z[:, 2])}
    pair = RotatingPair(2, 3, 2, 0.9, 0.1, N)
    study = study_latents(z, {**properties, "flat": np.ones(N)}, np.arange(N), [pair], draws=10)
    draw_latent_map(tmp_path / "map.png", study.relations, [1, 3, 2, 0.5, 0], study.meanings)
    whole_picture(tmp_path / "map.png")
    axes = drawn[0].axes[0]
    # by falling KL, the sum of squares of the pair below
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert [label.split()[0] for label in labels] == ["z1", "z2", "z0", "z3", "z4", "z2²"]
    assert labels[2] == f"z0 {study.meanings[0].name} (1.00)"
    assert len(axes.get_xticklabels()) == len(study.relations.properties)
    shown = np.ma.getdata(axes.images[0].get_array())
    np.testing.assert_allclose(shown[0], np.abs(study.relations.rho[1]))
    assert "−1.00" in {text.get_text() for text in axes.texts}, "strong ones are written down"
    with pytest.raises(InvalidInput, match="does not exist"):
        draw_latent_map(tmp_path / "no" / "map.png", study.relations, [1, 3, 2, 0.5, 0])
