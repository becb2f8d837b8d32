"""Names of latents with a known truth."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.scrutiny.naming import study_latents
from napari_interpdisc.scrutiny.properties import measure_crops
from napari_interpdisc.scrutiny.relations import relate
from napari_interpdisc.scrutiny.rotation import RotatingPair, find_rotating_pairs

from .conftest import Moments, N


def test_names_go_to_the_strongest_and_only_where_the_evidence_is(
    columns: tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]],
) -> None:
    z, properties = columns
    groups = np.arange(N) // 3
    more = {**properties, "2nd-Try!": z[:, 3]}
    meanings = study_latents(z, more, groups, draws=100).meanings
    assert [m.name for m in meanings] == ["size", "size_2", "neighbours", "property_2nd_Try", ""]
    assert meanings[0].evidence.startswith("area, ρ = \N{MINUS SIGN}0.9")
    assert meanings[0].evidence.endswith(f"], {N} cells")
    assert meanings[1].evidence.startswith("area, ρ = 0.")
    assert "same in every cell" in meanings[4].evidence
    strict = study_latents(z, properties, groups, threshold=0.9, draws=100).meanings
    assert [m.name for m in strict] == ["size", "", "neighbours", "", ""]
    # the lower end decides, not the correlation
    relations = relate(z, properties, groups, draws=100, information=False)
    rho, low = abs(relations.rho[1, 0]), relations.strength[1, 0]
    assert low < rho
    between = study_latents(
        z, properties, np.arange(N) // 3, threshold=(low + rho) / 2, draws=100
    ).meanings
    assert between[1].name == ""


def ellipses(rng: np.random.Generator, n: int, side: int) -> npt.NDArray[np.float32]:
    """Crops of nuclei of any size, elongation and direction, not quite in the middle."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    out = np.empty((n, side, side), np.float32)
    for i in range(n):
        angle, ratio, radius = rng.uniform(0, np.pi), rng.uniform(0.4, 0.95), rng.uniform(8, 15)
        dy, dx = np.array([y, x]) - rng.normal(0, 1, (2, 1, 1))
        along = dx * np.cos(angle) + dy * np.sin(angle)
        across = -dx * np.sin(angle) + dy * np.cos(angle)
        far = (along**2 * ratio + across**2 / ratio) / radius**2
        # dim towards the rim, more or less: or brightness would follow from the area alone
        out[i] = 1 / (1 + np.exp(np.minimum(8 * (far - 1), 50)))
        out[i] *= 1 - rng.uniform(0, 0.9) * np.minimum(far, 1)
    return out + rng.normal(0, 0.01, out.shape).astype(np.float32)


@pytest.mark.parametrize("side", [64, 96])
def test_pairs_of_an_encoder_are_found_by_turning_crops_and_named(
    rng: np.random.Generator, side: int
) -> None:
    model = cast("CellModel", Moments())
    pictures = ellipses(rng, 130, side)
    pairs = find_rotating_pairs(model, pictures, cells=100)
    assert {(p.a, p.b, p.order) for p in pairs} == {(0, 3, 2), (2, 5, 1)}
    assert all(p.score > 0.95 and p.cells == 100 for p in pairs)
    assert all(p.wobble < 0.2 for p in pairs)
    inner = slice((side - 64) // 2, (side + 64) // 2)
    crops = pictures[:, inner, inner]
    latents = model.encode(crops[:, None])[0]
    study = study_latents(latents, measure_crops(crops), np.arange(130), pairs, draws=100)
    assert [m.name for m in study.meanings] == [
        "elongation_sin", "", "offset_y", "elongation_cos", "size", "offset_x",
    ]  # fmt: skip
    assert study.orientation_pairs == ((0, 3),)
    told = study.meanings[3].evidence
    assert "rotates as an axis does, with z0" in told
    assert "z0² + z3²: eccentricity, ρ = 0." in told
    row = study.relations.quantities.index("z0² + z3²")
    assert study.relations.strength[row, 1] > 0.8


def test_a_pair_between_the_axes_is_not_called_after_them(rng: np.random.Generator) -> None:
    angle, size = rng.uniform(0, 2 * np.pi, N), rng.gamma(4, 1, N)
    z = size[:, None] * np.column_stack([np.cos(angle - np.pi / 4), np.sin(angle - np.pi / 4)])
    properties = {
        "eccentricity": size, "elongation_cos": size * np.cos(angle),
        "elongation_sin": size * np.sin(angle),
    }  # fmt: skip
    pair = RotatingPair(0, 1, 2, 0.99, 0.0, N)
    names = [m.name for m in study_latents(z, properties, np.arange(N), [pair], 0.8, 100).meanings]
    assert names == ["elongation_a", "elongation_b"]
    # what rotates as a direction does is not named after an axis
    first = RotatingPair(0, 1, 1, 0.99, 0.0, N)
    names = [m.name for m in study_latents(z, properties, np.arange(N), [first], 0.5, 100).meanings]
    assert names == ["", ""]
