"""The picture of correlations between latents and properties."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.figures.latent_map import draw_latent_map
from napari_interpdisc.scrutiny.naming import study_latents
from napari_interpdisc.scrutiny.rotation import RotatingPair

N = 300


def test_the_map_is_a_picture(rng: np.random.Generator, tmp_path: Path) -> None:
    z = rng.normal(size=(N, 5))
    properties = {"area": np.exp(-z[:, 0]), "neighbours": np.rint(z[:, 2])}
    pair = RotatingPair(2, 3, 2, 0.9, 0.1, N)
    study = study_latents(z, {**properties, "flat": np.ones(N)}, np.arange(N), [pair], draws=10)
    draw_latent_map(tmp_path / "map.png", study.relations, [1, 3, 2, 0.5, 0], study.meanings)
    assert (tmp_path / "map.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(InvalidInput, match="does not exist"):
        draw_latent_map(tmp_path / "no" / "map.png", study.relations, [1, 3, 2, 0.5, 0])
