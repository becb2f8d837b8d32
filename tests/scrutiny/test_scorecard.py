"""Heads built by hand, each of which breaks one constraint and no other."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.patches import patches_of_crops
from napari_interpdisc.scrutiny.composites import Segmentation, segment_cells
from napari_interpdisc.scrutiny.scorecard import (
    ORIENTATION,
    STORAGE,
    TARGET,
    Scorecard,
    ScorecardSettings,
    mean_interval,
    score_head,
)
from napari_interpdisc.simulate.crops import CropSimulation, simulate_crops

Feature = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]

QUICK = ScorecardSettings(
    brightness=(1.0,), distances=(1.0, 8.0), angles=4, snr=(10.0,), shifts=(2.0,),
    diameters=(0.9,), blurs=(1.0,), gradients=(0.2,), shortcut=False,
)  # fmt: skip
SIDE = 64
Y, X = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
DISC = np.hypot(Y, X) < 7


class HandBuilt:
    """A model whose one latent is a feature of the crop, and whose head asks for its sign."""

    name, crop_size, model_diameter, n_latents = "by hand", SIDE, 28.0, 1

    def __init__(self, feature: Feature) -> None:
        self.feature = feature

    def encode(self, crops: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], None]:
        return self.feature(crops[:, 0]).astype(np.float32)[:, None], None

    def score(self, latents: npt.NDArray[np.float32], _: str) -> npt.NDArray[np.float32]:
        return latents

    def head(self, name: str | None = None) -> Any:
        return SimpleNamespace(name=name or "head", classes=("no", "yes"))


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


def test_one_cell_is_not_enough(cells: Segmentation) -> None:
    one = Segmentation(cells.cells.take([0]), cells.rows[:1], 0)
    with pytest.raises(InvalidInput, match="two cells at least"):
        card(one, horizontal)


def test_intervals_know_groups() -> None:
    values = np.repeat([0.0, 1.0], 50)
    wide = mean_interval(values, np.repeat(np.arange(4), 25))
    narrow = mean_interval(values, np.arange(100))
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])
    assert narrow[0] < 0.5 < narrow[1]
