"""Principal components, and UMAP, of latents."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.scrutiny.embedding import (
    check_umap,
    principal_components,
    umap_embedding,
)


def groups(rng: np.random.Generator, n: int = 60) -> np.ndarray:
    """Two groups of cells, far apart in all latents."""
    found = rng.normal(size=(n, 6)).astype(np.float32)
    found[n // 2 :] += 12
    return found


def test_components_fall_in_variance_and_leave_out_cells_without_latents(
    rng: np.random.Generator,
) -> None:
    latents = groups(rng)
    latents[3] = np.nan
    found = principal_components(latents)
    assert found.values.shape == (60, 4)
    assert np.isnan(found.values[3]).all()
    spread = np.nanstd(found.values, 0)
    assert list(spread) == sorted(spread, reverse=True)
    first = np.delete(found.values[:, 0], 3) > 0
    assert len({*first[:29]}) == len({*first[29:]}) == 1
    assert found.told.startswith("Share of the variance of the latents: PC 1 9")


def test_too_few_cells_are_told(rng: np.random.Generator) -> None:
    with pytest.raises(InvalidInput, match="at least three cells with latents; there are 2"):
        principal_components(groups(rng, 2))


def test_without_the_package_umap_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    monkeypatch.setattr("napari_interpdisc.scrutiny.embedding.find_spec", lambda _: None)
    with pytest.raises(InvalidInput, match=r"needs umap-learn: install it with pip install"):
        check_umap()


@pytest.mark.filterwarnings("ignore")
def test_umap_parts_groups_places_the_rest_and_repeats_itself(rng: np.random.Generator) -> None:
    pytest.importorskip("umap", reason="the extra 'umap' is not installed")
    latents = groups(rng)
    found = umap_embedding(latents, seed=3, most=40)
    assert "UMAP of 40 cells, 15 neighbours, seed 3; the other 20 are placed" in found.told
    a, b = found.values[:30], found.values[30:]
    gap = np.linalg.norm(a[:, None] - b[None], axis=2).min()
    assert gap > np.linalg.norm(a - a.mean(0), axis=1).mean()
    np.testing.assert_array_equal(umap_embedding(latents, seed=3, most=40).values, found.values)
