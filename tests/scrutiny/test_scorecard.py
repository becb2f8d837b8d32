"""Heads built by hand, each of which breaks one constraint and no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_interpdisc.errors import Cancelled, InvalidInput
from napari_interpdisc.models.cell_model import CellModel, NamedHead, class_index
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.properties import HeadProperties
from napari_interpdisc.models.store import load_model
from napari_interpdisc.patches import patches_of_crops
from napari_interpdisc.scrutiny.composites import Segmentation, segment_cells
from napari_interpdisc.scrutiny.properties import measure_crops
from napari_interpdisc.scrutiny.scorecard import (
    NOISE,
    ORIENTATION,
    PLACE,
    SIMULATED,
    STORAGE,
    TARGET,
    Scorecard,
    ScorecardSettings,
    markdown,
    score_head,
    score_heads,
)
from napari_interpdisc.scrutiny.segmented import without_masks
from napari_interpdisc.simulate.crops import CropSimulation, simulate_crops

Feature = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]

QUICK = ScorecardSettings(
    brightness=(1.0,), distances=(1.0, 8.0), angles=4, snr=(10.0,), shifts=(2.0,),
    diameters=(0.9,), blurs=(1.0,), gradients=(0.2,), shortcut=False, simulated=0,
)  # fmt: skip
SIDE = 64
Y, X = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
DISC = np.hypot(Y, X) < 7


class HandBuilt:
    """A model whose one latent is a feature of the crop, and whose head asks for its sign."""

    name, crop_size, model_diameter, n_latents = "by hand", SIDE, 28.0, 1
    classes: tuple[str, ...] = ("no", "yes")

    def __init__(self, feature: Feature) -> None:
        self.feature = feature

    def encode(self, crops: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], None]:
        return self.feature(crops[:, 0]).astype(np.float32)[:, None], None

    def score(self, latents: npt.NDArray[np.float32], *_: object) -> npt.NDArray[np.float32]:
        return latents

    def defined(self, latents: npt.NDArray[np.float32], *_: object) -> npt.NDArray[np.bool_]:
        return np.ones(len(latents), bool)

    def head(self, name: str | None = None) -> Any:
        own = SimpleNamespace(properties=())
        return SimpleNamespace(name=name or "head", classes=self.classes, head=own)


@pytest.fixture(scope="module")
def cells() -> Segmentation:
    """Half of the cells stand alone, the others have a neighbour."""
    both = []
    for neighbours in ((0, 0), (1, 2)):
        settings = CropSimulation(
            side=112, size=(20, 24), eccentricity=(0.5, 0.85), neighbours=neighbours,
            neighbour_distance=(27.0, 30.0), noise=(0.05, 0.05), offset=(0, 0),
        )  # fmt: skip
        both.append(simulate_crops(20, 3, settings)[0])
    return segment_cells(patches_of_crops(np.concatenate(both), 26.0))


def card(cells: Segmentation, feature: Feature, settings: ScorecardSettings = QUICK) -> Scorecard:
    groups = np.arange(len(cells.rows) + cells.left_out)
    model: CellModel = HandBuilt(feature)  # type: ignore[assignment]
    return score_head(cells, groups, model, settings=settings)


def failed(found: Scorecard, constraint: str) -> list[str]:
    return [row.name for row in found.failed if row.constraint == constraint]


def neighbour_share(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """How bright it is around the nucleus, whatever the crop's own gain and offset."""
    low = np.quantile(pixels, 0.2, axis=(1, 2))
    ring = (np.hypot(Y, X) > 18) & (np.hypot(Y, X) < 31)
    inside = pixels[:, DISC].mean(1) - low
    return np.asarray((pixels[:, ring].max(1) - low) / inside - 0.5)


def horizontal(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Whether the nucleus is longer along x than along y."""
    near = np.hypot(Y, X) < 11
    weight = np.where(near, pixels - np.quantile(pixels, 0.2, axis=(1, 2))[:, None, None], 0)
    return np.asarray((weight * (X**2 - Y**2)).sum((1, 2)) / weight.sum((1, 2)))


def disc_alone(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """A feature of the pixels in a disc within the nucleus, normalised there."""
    seen = pixels[:, DISC].astype(np.float64)
    seen = (seen - seen.mean(1, keepdims=True)) / seen.std(1, keepdims=True)
    return np.asarray(np.round(np.median(seen, 1), 3))


def test_a_head_that_reads_a_neighbour_fails_on_the_target_and_not_on_orientation(
    cells: Segmentation,
) -> None:
    found = card(cells, neighbour_share)
    assert set(found.calls.values()) == {found.cells // 2, found.cells - found.cells // 2}
    names = failed(found, TARGET)
    assert "surroundings replaced by background" in names
    assert any("another nucleus" in name for name in names)
    exact = next(row for row in found.rows if row.constraint == ORIENTATION)
    assert exact.changed == 0
    row = next(row for row in found.rows if "background" in row.name)
    # those with a neighbour are called otherwise without it; the lonely ones are not
    assert row.of_class["yes"] > 0.9
    assert row.of_class["no"] < 0.1
    assert "failed" in row.sentence()


def test_a_head_that_reads_the_direction_fails_on_orientation_alone(cells: Segmentation) -> None:
    found = card(cells, horizontal)
    assert failed(found, ORIENTATION)
    assert failed(found, TARGET) == []
    worst = next(row for row in found.rows if row.constraint == ORIENTATION)
    assert worst.changed > 0.3
    assert worst.worst_crops.shape == (len(worst.worst), 1, SIDE, SIDE)


def test_an_encoder_that_sees_the_nucleus_alone_passes_on_the_target_exactly(
    cells: Segmentation,
) -> None:
    found = card(cells, lambda pixels: disc_alone(pixels) - np.median(disc_alone(PLAIN)))
    target = [row for row in found.rows if row.constraint == TARGET]
    assert len(target) == 4
    assert [row.changed for row in target] == [0.0] * 4
    assert max(row.score_change for row in target) < 2e-3
    assert [row.changed for row in found.rows if row.constraint == STORAGE] == [0.0, 0.0]


PLAIN = np.random.default_rng(0).normal(size=(20, SIDE, SIDE)).astype(np.float32)


def test_a_constant_head_passes_everything_and_is_called_useless(cells: Segmentation) -> None:
    found = card(cells, lambda pixels: np.full(len(pixels), 0.7))
    assert found.failed == []
    assert "useless" in found.remark
    assert found.sentences()[0] == found.remark


def test_progress_and_table(cells: Segmentation) -> None:
    seen: list[tuple[int, int]] = []
    model: Any = HandBuilt(horizontal)
    groups = np.arange(len(cells.rows) + cells.left_out) // 3
    found = score_head(
        cells, groups, model, settings=QUICK, progress=lambda done, n: seen.append((done, n))
    )
    assert seen[-1][0] == seen[-1][1] == len(seen)
    table = found.to_frame()
    assert len(table) == len(found.rows)
    assert (table["low"] <= table["changed"] + 1e-9).all()
    assert (table["high"] >= table["changed"] - 1e-9).all()
    assert {"changed_no", "changed_yes", "clean", "crowded", "passed"} <= set(table)


def test_one_cell_is_tested_on_what_needs_no_other(cells: Segmentation) -> None:
    one = Segmentation(cells.cells.take([0]), cells.rows[:1], 0)
    found = card(one, horizontal)
    assert [row.name for row in found.rows if row.constraint == TARGET] == [
        "surroundings replaced by background"
    ]
    assert {row.constraint for row in found.rows} == {TARGET, ORIENTATION, NOISE, PLACE, STORAGE}
    assert np.isnan(found.rows[0].interval).all()
    assert "[" not in found.rows[0].sentence()
    assert any("Give more cells" in line for line in found.sentences())


def test_cells_without_masks_are_tested_on_what_needs_none(cells: Segmentation) -> None:
    found = card(without_masks(cells.cells.patches), horizontal)
    assert {row.constraint for row in found.rows} == {ORIENTATION, PLACE, STORAGE}
    assert failed(found, ORIENTATION)
    assert any("no masks" in line for line in found.sentences())
    with pytest.raises(InvalidInput, match="a cell and a head at least"):
        card(Segmentation(cells.cells.take(cells.rows[:0]), cells.rows[:0], 0), horizontal)


def test_cells_with_no_room_for_a_neighbour_are_left_out_and_counted(cells: Segmentation) -> None:
    far = QUICK.model_copy(update={"distances": (40.0, 4.0)})
    found = card(cells, horizontal, far)
    none, near = (row for row in found.rows if "another nucleus" in row.name)
    assert (none.cells, none.left_out) == (0, found.cells)
    assert np.isnan(none.changed)
    assert none.passed is None
    assert f"none of the {found.cells} cells" in none.sentence()
    assert none.sentence() in " ".join(found.sentences())
    assert near.cells + near.left_out == found.cells
    assert near.cells > 0.9 * found.cells
    assert "| – |" in markdown([found])


def test_softening_alone_is_told_from_orientation(cells: Segmentation) -> None:
    """A head that reads how sharp the noise is changes there and back as well."""

    def roughness(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        both = [np.abs(np.diff(pixels, axis=axis)).mean((1, 2)) for axis in (1, 2)]
        return np.asarray(np.mean(both, 0), np.float64)

    level = np.median(roughness(cells.cells.patches.crops(SIDE)[:, 0]))
    rows = {
        name: {row.name: row.changed for row in card(cells, feature).rows}
        for name, feature in (
            ("rough", lambda pixels: roughness(pixels) - 0.9 * level),
            ("horizontal", horizontal),
        )
    }
    control = "6 rotations and back (control: interpolation alone)"
    assert rows["rough"][control] > 0.4
    assert rows["rough"]["quarter rotations and mirror images"] < 0.1
    assert rows["horizontal"][control] < 0.1
    assert rows["horizontal"]["4 rotations by any angle"] > 0.3


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        (lambda n: np.arange(n - 1), "give one group for each"),
        (lambda n: np.zeros((n, 2)), "give one group for each"),
        (lambda n: np.r_[np.nan, np.arange(n - 1)], "1 cell has no group"),
        (lambda n: np.array([None, None, *"ab" * n], object)[:n], "2 cells have no group"),
    ],
)
def test_every_cell_needs_a_group(cells: Segmentation, groups: Any, told: str) -> None:
    model: CellModel = HandBuilt(neighbour_share)  # type: ignore[assignment]
    n = len(cells.rows) + cells.left_out
    with pytest.raises(InvalidInput, match=told):
        score_head(cells, groups(n), model, settings=QUICK)


def test_cells_that_change_class_come_before_those_that_change_much(cells: Segmentation) -> None:
    found = card(cells, neighbour_share)
    model: CellModel = HandBuilt(neighbour_share)  # type: ignore[assignment]
    plain = cells.cells.patches.crops(64)
    for row in found.rows:
        if row.changed and row.constraint == TARGET:
            own = class_index(model.score(model.encode(plain[list(row.worst)])[0]))
            after = class_index(model.score(model.encode(row.worst_crops)[0]))
            flips = (own != after).tolist()
            assert flips == sorted(flips, reverse=True)
            assert flips[0]


def test_few_cells_have_no_shortcut_index(cells: Segmentation) -> None:
    few = Segmentation(cells.cells.take(np.arange(6)), np.arange(6), 0)
    found = score_head(few, np.arange(6), load_model(device="cpu"), "dense", QUICK)
    assert found.shortcut is None
    wanted = QUICK.model_copy(update={"shortcut": True})
    found = score_head(few, np.arange(6), load_model(device="cpu"), "dense", wanted)
    assert found.shortcut is None
    assert "it takes 20 cells at least" in " ".join(found.notes)


def test_progress_may_stop_the_work(cells: Segmentation) -> None:
    def stop(done: int, total: int) -> None:
        if done == 3:
            raise Cancelled

    model: Any = HandBuilt(horizontal)
    groups = np.arange(len(cells.rows) + cells.left_out)
    with pytest.raises(Cancelled):
        score_head(cells, groups, model, settings=QUICK, progress=stop)


class ThreeClasses(HandBuilt):
    """Of three classes: long along x, long along y, or neither."""

    classes = ("flat", "tall", "round")

    def score(self, latents: npt.NDArray[np.float32], *_: object) -> npt.NDArray[np.float32]:
        value = latents[:, 0]
        return np.stack([value, -value, np.full_like(value, 2.0)], 1)


def test_more_than_two_classes(cells: Segmentation) -> None:
    groups = np.arange(len(cells.rows) + cells.left_out)
    model: Any = ThreeClasses(horizontal)
    found = score_head(cells, groups, model, settings=QUICK)
    assert sum(found.calls.values()) == found.cells
    assert min(found.calls.values()) > 0
    turned = next(row for row in found.rows if row.constraint == ORIENTATION)
    assert turned.of_class["flat"] > 0.3
    assert turned.of_class["tall"] > 0.3
    assert turned.of_class["round"] < 0.05
    assert {"changed_flat", "changed_tall", "changed_round"} <= set(found.to_frame())


def test_heads_side_by_side_are_as_each_alone_and_encode_once(cells: Segmentation) -> None:
    groups = np.arange(len(cells.rows) + cells.left_out)
    calls = []

    def counted(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        calls.append(len(pixels))
        return horizontal(pixels)

    model: Any = HandBuilt(counted)
    both = score_heads(cells, groups, model, ["a", "b"], QUICK)
    encoded = len(calls)
    alone = score_head(cells, groups, model, "b", QUICK)
    assert encoded == len(calls) - encoded, "two heads encode no more than one"
    assert [card.head for card in both] == ["a", "b"]
    assert [row.changed for row in both[1].rows] == [row.changed for row in alone.rows]


class RowReader:
    """A control whose score is the row that it is told, whatever the crop shows."""

    model, name, classes = "control", "rows", ("even", "odd")

    def __init__(self) -> None:
        self.told: list[npt.NDArray[np.intp] | None] = []

    def score(
        self, crops: npt.NDArray[np.float32], rows: npt.NDArray[np.intp] | None = None
    ) -> npt.NDArray[np.float32]:
        self.told.append(rows)
        shown = np.zeros(len(crops), np.intp) if rows is None else rows
        assert len(shown) == len(crops)
        return np.where(shown % 2, 1.0, -1.0).astype(np.float32)[:, None]


def test_controls_are_told_which_cells_they_see(cells: Segmentation) -> None:
    groups = np.arange(len(cells.rows) + cells.left_out)
    model: Any = HandBuilt(horizontal)
    settings = QUICK.model_copy(update={"simulated": 5, "distances": (25.0,)})
    control = RowReader()
    head, found = score_heads(cells, groups, model, ["head"], settings, controls=[control])
    assert (found.model, found.head, found.shortcut) == ("control", "rows", None)
    assert [row.name for row in head.rows] == [row.name for row in found.rows]
    assert all(row.changed == 0 for row in found.rows if row.cells)
    assert any(rows is None for rows in control.told), "simulated cells are none of the tested"
    some = [rows for rows in control.told if rows is not None and len(rows) < found.cells]
    assert some, "cells without a place for a neighbour are not scored"


def test_simulated_factors_are_told_apart_from_each_other(cells: Segmentation) -> None:
    settings = QUICK.model_copy(update={"simulated": 40})

    def crowd(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        return neighbour_share(pixels)

    found = {
        name: {row.name: row for row in card(cells, feature, settings).simulated.rows}  # type: ignore[union-attr]
        for name, feature in (("crowd", crowd), ("horizontal", horizontal))
    }
    neighbours, rotations = "0, 2, 4 and 6 neighbours", "rotations by 45°, 90° and 135°"
    assert found["crowd"][neighbours].changed > 0.15
    assert found["crowd"][neighbours].passed is False
    assert found["crowd"][rotations].changed < 0.1
    assert found["horizontal"][rotations].changed > 0.3
    assert found["horizontal"][neighbours].changed < 0.1
    may = [row for row in found["crowd"].values() if "may matter" in row.name]
    assert len(may) == 3
    assert all(row.limit is None for row in may)


def test_simulated_cells_are_told_to_be_simulated(cells: Segmentation) -> None:
    settings = QUICK.model_copy(update={"simulated": 40})
    found = card(cells, horizontal, settings)
    assert found.simulated is not None
    assert sum(found.simulated.calls.values()) == 40
    text = " ".join(found.sentences())
    assert "40 simulated cells, which are not real cells, are called" in text
    assert len(found.to_frame()) == len(found.rows) + 8
    assert not {row.constraint for row in found.rows} & {SIMULATED}
    alike = card(cells, lambda pixels: np.full(len(pixels), 0.7), settings)
    assert alike.simulated is not None
    assert "all alike, so that their factors say nothing" in alike.simulated.sentences()[0]
    assert len(alike.simulated.sentences()) == 1


@pytest.mark.parametrize("head", ["dense", "mitosis"])
def test_a_bundled_head_has_a_shortcut_index(cells: Segmentation, head: str) -> None:
    model = load_model(device="cpu")
    groups = np.arange(len(cells.rows) + cells.left_out)
    settings = QUICK.model_copy(update={"shortcut": True, "simulated": 8})
    found = score_head(cells, groups, model, head, settings)
    assert found.shortcut is not None
    assert len(found.shortcut.first) == found.cells
    row = found.to_frame().set_index("constraint").loc["shortcut"]
    assert row["changed"] == found.shortcut.index
    assert row["limit"] == 0.05
    assert "| shortcut | latents of the surroundings" in markdown([found])
    assert found.shortcut.sentence() in found.sentences()


def test_a_head_of_properties_is_tested_on_what_is_measured_in_changed_crops(
    cells: Segmentation, measuring: CellModel
) -> None:
    groups = np.arange(len(cells.rows) + cells.left_out)
    settings = QUICK.model_copy(update={"shortcut": True, "simulated": 8, "diameters": (0.8,)})
    crops = cells.cells.patches.crops(64)
    area = measure_crops(crops)["area"]
    known = np.isfinite(area)
    read = HeadProperties(("area",), (float(np.nanmedian(area)),), (100.0,), "labels")
    head = FormulaHead([parse_formula("area", 32, None, read.names)], (), read)
    measuring = replace(measuring, heads={"size": NamedHead("size", head, ("small", "large"))})
    found = score_head(cells, groups, measuring, settings=settings)
    score = measuring.score(measuring.encode(crops)[0], None, {"area": area})[known, 0]
    assert found.calls == {"small": (score < 0).sum(), "large": (score >= 0).sum()}
    assert min(found.calls.values()) > 2
    row = {row.name: row for row in found.rows}
    assert row["quarter rotations and mirror images"].cells == known.sum()
    assert row["quarter rotations and mirror images"].changed < 0.02
    assert row["diameter × 0.8"].of_class["small"] > 0.5, "small nuclei are large then"
    assert row["diameter × 0.8"].of_class["large"] == 0
    told = " ".join(found.notes)
    assert "size reads area: these were measured anew in every changed crop" in told
    assert "size was trained on nuclei of a given segmentation" in told
    assert "The shortcut index was not measured for size" in told
    assert found.shortcut is None
    assert found.simulated is not None
    assert sum(found.simulated.calls.values()) == 8


def test_a_formula_without_a_value_is_no_class(cells: Segmentation, h2b: CellModel) -> None:
    groups = np.arange(len(cells.rows) + cells.left_out)
    z = h2b.encode(cells.cells.patches.crops(64))[0]
    middle = float(np.median(z[:, 2]))
    head = FormulaHead([parse_formula(f"log(z2 - {middle:.6f}) + 2", 32)])
    model = replace(h2b, heads={"log": NamedHead("log", head, ("no", "yes"))})
    found = score_head(cells, groups, model, settings=QUICK)
    n = int((z[:, 2] > round(middle, 6)).sum())
    assert sum(found.calls.values()) == n == pytest.approx(found.cells / 2, abs=1)
    assert any("its formula has no value for them" in one for one in found.notes)
    exact = next(row for row in found.rows if row.constraint == ORIENTATION)
    assert exact.cells == n


def test_no_answer_to_a_changed_crop_is_a_change(cells: Segmentation, measuring: CellModel) -> None:
    groups = np.arange(len(cells.rows) + cells.left_out)
    settings = QUICK.model_copy(update={"diameters": (0.2,), "blurs": (16.0,)})
    found = score_head(cells, groups, measuring, settings=settings)
    row = {row.name: row for row in found.rows}["diameter × 0.2"]
    assert row.changed == 1, "nuclei are wider than the crop"
    assert np.isfinite(row.score_change)
