"""Correlations, intervals, information, rotating pairs and names of latents with a known truth."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import spearmanr

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.figures.latent_map import draw_latent_map
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.scrutiny.naming import name_latents, study_latents
from napari_interpdisc.scrutiny.properties import measure_crops
from napari_interpdisc.scrutiny.relations import relate
from napari_interpdisc.scrutiny.rotation import RotatingPair, find_rotating_pairs, rotating_pairs_of

N = 300


@pytest.fixture
def columns(rng: np.random.Generator) -> tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]]:
    """Return latents (N, 5), two of them alike and one dead, and what they follow."""
    z = rng.normal(size=(N, 5))
    z[:, 4] = 0
    area = np.exp(-z[:, 0] + 0.1 * rng.normal(size=N))
    z[:, 1] = -z[:, 0] + 0.6 * rng.normal(size=N)
    neighbours = np.clip(np.rint(1.5 + z[:, 2]), 0, 4)
    distance = np.where(neighbours > 0, z[:, 3] + rng.normal(size=N), np.nan)
    return z, {"area": area, "neighbours": neighbours, "neighbour_distance": distance}


def test_the_correlation_is_spearmans_with_ties_and_gaps(
    columns: tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]],
) -> None:
    z, properties = columns
    found = relate(z, properties, np.arange(N), draws=20, information=False)
    assert found.quantities == ("z0", "z1", "z2", "z3", "z4")
    for p, values in enumerate(properties.values()):
        known = np.isfinite(values)
        assert found.cells[p] == known.sum()
        for q in range(4):
            expected = spearmanr(z[known, q], values[known])[0]
            assert found.rho[q, p] == pytest.approx(expected, abs=1e-12)
            assert found.low[q, p] < expected < found.high[q, p]
        assert np.isnan(found.rho[4, p])
    # by hand: ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4, twenty times over
    a, b = np.tile([1, 2, 2, 3], 20), np.tile([1, 2, 3, 4], 20)
    by_hand = relate(a[:, None], {"b": b}, np.arange(80), draws=2, information=False)
    assert by_hand.rho[0, 0] == pytest.approx(4.5 / np.sqrt(4.5 * 5))


def test_a_draw_is_spearmans_correlation_of_the_cells_drawn(
    columns: tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]],
) -> None:
    z, properties = columns
    group = np.arange(N) // 10
    found = relate(z, properties, group, draws=5, seed=3, information=False)
    times = np.random.default_rng(3).multinomial(30, np.full(30, 1 / 30), 5)
    for r in range(5):
        rows = np.repeat(np.arange(N), times[r, group])
        for p, values in enumerate(properties.values()):
            some = rows[np.isfinite(values[rows])]
            expected = spearmanr(z[some, 1], values[some])[0]
            assert found.draws[r, 1, p] == pytest.approx(expected, abs=1e-6)


def test_intervals_hold_the_truth_about_as_often_as_they_say(rng: np.random.Generator) -> None:
    r = 0.7
    truth = 6 / np.pi * np.arcsin(r / 2)
    held, trials = 0, 60
    for _ in range(trials):
        # latent and property are shared by the three cells of a group, and differ by some noise
        shared = rng.multivariate_normal([0, 0], [[1, r], [r, 1]], 80)
        pair = np.sqrt(0.7) * np.repeat(shared, 3, 0)
        pair += np.sqrt(0.3) * rng.multivariate_normal([0, 0], [[1, r], [r, 1]], 240)
        found = relate(
            pair[:, :1], {"p": pair[:, 1]}, np.repeat(np.arange(80), 3), draws=200,
            information=False,
        )  # fmt: skip
        held += bool(found.low[0, 0] <= truth <= found.high[0, 0])
    assert 0.85 * trials <= held


def test_cells_of_one_group_do_not_narrow_the_interval(rng: np.random.Generator) -> None:
    z = rng.normal(size=(60, 1))
    y = z[:, 0] + rng.normal(size=60)
    once = relate(z, {"p": y}, np.arange(60), information=False)
    copies = relate(
        np.repeat(z, 9, 0), {"p": np.repeat(y, 9)}, np.repeat(np.arange(60), 9), information=False
    )
    assert copies.groups == 60
    assert copies.high - copies.low == pytest.approx(once.high - once.low, rel=0.1)


def test_information_of_normal_variables_and_of_what_is_not_monotone(
    rng: np.random.Generator,
) -> None:
    z = rng.normal(size=(800, 2))
    straight = 0.8 * z[:, 0] + 0.6 * rng.normal(size=800)
    properties = {
        "straight": np.exp(straight),
        "bent": z[:, 1] ** 2,
        "counted": np.rint(2 * np.abs(z[:, 1])),
    }
    found = relate(z, properties, np.arange(800), draws=50)
    assert found.information is not None
    assert found.information[0, 0] == pytest.approx(-0.5 * np.log(1 - 0.64), abs=0.08)
    assert found.explained[0, 0] == pytest.approx(-0.5 * np.log(1 - 0.64), abs=0.08)
    assert found.information[1, 0] < 0.05
    assert abs(found.rho[1, 1]) < 0.1
    assert found.information[1, 1] > 1
    assert found.information[1, 2] > 0.7
    meaning = study_latents(z, properties, np.arange(800), draws=20).meanings[1]
    assert meaning.name == ""
    assert "not monotone in bent" in meaning.evidence


def test_names_go_to_the_strongest_and_only_where_the_evidence_is(
    columns: tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]],
) -> None:
    z, properties = columns
    meanings = name_latents(z, {**properties, "2nd-Try!": z[:, 3]}, np.arange(N) // 3, draws=100)
    assert [m.name for m in meanings] == ["size", "size_2", "neighbours", "property_2nd_Try", ""]
    assert meanings[0].evidence.startswith("area, ρ = \N{MINUS SIGN}0.9")
    assert meanings[0].evidence.endswith(f"], {N} cells")
    assert meanings[1].evidence.startswith("area, ρ = 0.")
    assert "same in every cell" in meanings[4].evidence
    strict = name_latents(z, properties, np.arange(N) // 3, threshold=0.9, draws=100)
    assert [m.name for m in strict] == ["size", "", "neighbours", "", ""]
    # the lower end decides, not the correlation
    relations = relate(z, properties, np.arange(N) // 3, draws=100, information=False)
    rho, low = abs(relations.rho[1, 0]), relations.strength[1, 0]
    assert low < rho
    between = name_latents(z, properties, np.arange(N) // 3, threshold=(low + rho) / 2, draws=100)
    assert between[1].name == ""


def test_a_property_that_does_not_vary_or_is_hardly_known_is_left_out(
    columns: tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]],
) -> None:
    z, properties = columns
    rare = np.full(N, np.nan)
    rare[:40] = z[:40, 3]
    found = study_latents(
        z, {**properties, "rare": rare, "flat": np.ones(N)}, np.arange(N), draws=20
    )
    assert found.relations.cells[-2:].tolist() == [0, 0]
    assert np.isnan(found.relations.rho[:, -2:]).all()
    table = found.relations.to_frame()
    assert len(table) == 5 * 5
    assert table.loc[table["property"] == "flat", "rho"].isna().all()
    # rows without any property are left out
    gaps = {name: np.where(np.arange(N) < 100, np.nan, v) for name, v in properties.items()}
    assert relate(z, gaps, np.arange(N), draws=5, information=False).groups == 200


def test_what_cannot_be_related_is_refused(
    columns: tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]],
) -> None:
    z, properties = columns
    area = properties["area"]
    group = np.arange(N)
    with pytest.raises(InvalidInput, match="Only 49 cells could be measured, 50 are needed"):
        relate(z, {"area": np.where(group < 49, area, np.nan)}, group)
    with pytest.raises(InvalidInput, match="the same in all cells"):
        relate(z, {"area": np.ones(N)}, group)
    with pytest.raises(InvalidInput, match="one group"):
        relate(z, {"area": area}, np.zeros(N))
    with pytest.raises(InvalidInput, match="one row of each"):
        relate(z, {"area": area}, group[1:])
    with pytest.raises(InvalidInput, match="NaN or infinite"):
        relate(np.where(z > 2, np.inf, z), {"area": area}, group)


def turned_views(rng: np.random.Generator, orders: list[int], noise: float) -> npt.NDArray[Any]:
    """Latents (8, N, 2 per order + 2) of cells that rotate; the last two do not, or are noise."""
    angle = 2 * np.pi * np.arange(8)[:, None] / 8 + rng.uniform(0, 2 * np.pi, N)
    parts = []
    for k, order in enumerate(orders):
        size = rng.gamma(4, 1, N)
        sense = (-1) ** k
        parts += [size * np.cos(order * angle + 0.3), sense * size * np.sin(order * angle + 0.3)]
    z = np.stack([*parts, np.tile(rng.normal(size=N), (8, 1)), rng.normal(size=(8, N))], -1)
    return z + noise * rng.normal(size=z.shape)


def test_turning_pairs_and_their_order_are_found(rng: np.random.Generator) -> None:
    z = turned_views(rng, [2, 1, 3], 0.2)
    mixed = z[:, :, [4, 0, 6, 2, 1, 7, 3, 5]]
    found = rotating_pairs_of(mixed)
    assert {(p.a, p.b, p.order) for p in found} == {(1, 4, 2), (3, 6, 1), (0, 7, 3)}
    assert all(0.9 < p.score <= 1.001 and p.wobble < 0.1 and p.cells == N for p in found)
    assert rotating_pairs_of(mixed, least=1.1) == ()
    assert rotating_pairs_of(np.zeros((8, 5, 3))) == ()


def test_a_pair_on_an_ellipse_is_told_by_its_wobble(rng: np.random.Generator) -> None:
    z = turned_views(rng, [2], 0.0) * [1, 4, 1, 1]
    (pair,) = rotating_pairs_of(z)
    assert (pair.a, pair.b, pair.order) == (0, 1, 2)
    assert pair.wobble > 0.3
    study = study_latents(z[0], {"p": z[0, :, 0]}, np.arange(N), [pair], draws=10)
    assert study.orientation_pairs == ()


class Moments:
    """An encoder whose latents are moments of the crop: two pairs, a size and a constant."""

    crop_size = 64
    n_latents = 6

    def encode(self, crops: npt.NDArray[np.float32]) -> tuple[npt.NDArray[Any], None]:
        y, x = np.mgrid[:64, :64] - 31.5
        weight = np.clip(crops[:, 0], 0, None)
        weight = weight / weight.sum((1, 2), keepdims=True)

        def moment(field: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return np.asarray((weight * field).sum((1, 2)))

        whole = moment(y**2 + x**2)
        return np.column_stack(
            [
                moment(2 * x * y) / whole, np.zeros(len(crops)), moment(y),
                moment(x**2 - y**2) / whole, -(crops[:, 0] > 0.5).mean((1, 2)), moment(x),
            ]
        ), None  # fmt: skip


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
    names = [m.name for m in name_latents(z, properties, np.arange(N), [pair], 0.8, 100)]
    assert names == ["elongation_a", "elongation_b"]
    # what rotates as a direction does is not named after an axis
    first = RotatingPair(0, 1, 1, 0.99, 0.0, N)
    names = [m.name for m in name_latents(z, properties, np.arange(N), [first], 0.5, 100)]
    assert names == ["", ""]


def test_crops_that_cannot_be_turned_are_refused() -> None:
    model = cast("CellModel", Moments())
    for shape, told in [
        ((4, 60, 60), "60 px wide"),
        ((4, 65, 65), "even number"),
        ((4, 64, 66), "number, side, side"),
        ((1, 64, 64), "number, side, side"),
    ]:
        with pytest.raises(InvalidInput, match=told):
            find_rotating_pairs(model, np.zeros(shape))


def test_the_map_is_a_picture(
    columns: tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]], tmp_path: Any
) -> None:
    z, properties = columns
    pair = RotatingPair(2, 3, 2, 0.9, 0.1, N)
    study = study_latents(z, {**properties, "flat": np.ones(N)}, np.arange(N), [pair], draws=10)
    draw_latent_map(tmp_path / "map.png", study.relations, [1, 3, 2, 0.5, 0], study.meanings)
    assert (tmp_path / "map.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(InvalidInput, match="does not exist"):
        draw_latent_map(tmp_path / "no" / "map.png", study.relations, [1, 3, 2, 0.5, 0])
