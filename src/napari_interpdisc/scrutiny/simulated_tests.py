"""Simulated cells of which one factor at a time is changed, for the scorecard.

Simulated cells are not real cells: they are smooth textured ellipses. But of these everything is
known, and one thing can be changed with everything else held fixed, noise and texture included.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import BoolArray, Float32Array, Float64Array
from napari_interpdisc.crops import normalise
from napari_interpdisc.scrutiny.score_tests import SIMULATED, ScorecardSettings, Test
from napari_interpdisc.simulate.crops import CropSimulation, Range, draw_factors, render_crops

NOISE_RANGE, OFFSET_RANGE = (0.02, 0.1), (-2.0, 2.0)
"""Noise (σ at brightness 1: an SNR of 10 and above) and offset (px) that must not matter."""

SIZE_RANGE, ECCENTRICITY_RANGE = (14.0, 26.0), (0.5, 0.97)
"""Diameters (px) and eccentricities from round interphase nuclei to narrow plates."""

Factors = dict[str, Float64Array]


@dataclass(frozen=True)
class SimulatedCells:
    """Simulated cells, and what is changed in them.

    Attributes
    ----------
    crops
        (N, 1, S, S) normalised crops before any change.
    crowded
        (N,) whether there is a neighbour.
    tests
        One for each factor. Size, eccentricity and grain may matter, and have no limit.
    """

    crops: Float32Array
    crowded: BoolArray
    tests: tuple[Test, ...]


def simulated_cells(n: int, size: int, options: ScorecardSettings) -> SimulatedCells:
    """Draw n simulated cells, and prepare a test of each factor.

    Parameters
    ----------
    n
        Number of cells.
    size
        Side of a crop, px.
    options
        Seed, and the share of changed classes that is allowed.
    """
    settings = CropSimulation(
        side=size,
        size=SIZE_RANGE,
        eccentricity=ECCENTRICITY_RANGE,
        noise=NOISE_RANGE,
        offset=OFFSET_RANGE,
    )
    base = draw_factors(n, options.seed, settings)
    limit = options.simulated_limit

    def crops(factors: Factors) -> Float32Array:
        return normalise(render_crops(factors, options.seed, settings))[:, None]

    def constant(name: str, value: float) -> Factors:
        return {**base, name: np.full(n, value)}

    def rotated(degrees: float) -> Factors:
        # the columns are cos 2θ and sin 2θ of the orientation θ
        cos, sin = np.cos(2 * np.deg2rad(degrees)), np.sin(2 * np.deg2rad(degrees))
        a, b = base["orientation_cos"], base["orientation_sin"]
        return {**base, "orientation_cos": cos * a - sin * b, "orientation_sin": sin * a + cos * b}

    def moved(y: float, x: float) -> Factors:
        return {**base, "offset_y": np.full(n, y), "offset_x": np.full(n, x)}

    crowded = base["neighbours"] > 0
    beside = np.flatnonzero(crowded)

    def test(
        name: str,
        asked: float | None,
        changed: list[Factors],
        rows: npt.NDArray[np.intp] | None = None,
    ) -> Test:
        def make(factors: Factors) -> Float32Array:
            return crops(factors) if rows is None else crops(factors)[rows]

        return Test(SIMULATED, name, asked, [partial(make, one) for one in changed], rows)

    def levels(
        name: str,
        told: str,
        between: Range,
        asked: float | None,
        rows: npt.NDArray[np.intp] | None = None,
    ) -> Test:
        values = [between[0], sum(between) / 2, between[1]]
        text = "{:.2g}, {:.2g} and {:.2g}".format(*values)
        return test(told.format(text), asked, [constant(name, v) for v in values], rows)

    low, high = OFFSET_RANGE
    distance = settings.neighbour_distance
    tests = (
        test("0, 2, 4 and 6 neighbours", limit, [constant("neighbours", k) for k in (0, 2, 4, 6)]),
        levels("neighbour_distance", "neighbours at {} px", distance, limit, beside),
        levels("noise", "noise of {}", settings.noise, limit),
        test(
            f"centroid ± {high:g} px", limit,
            [moved(low, 0), moved(high, 0), moved(0, low), moved(0, high)],
        ),
        test("rotations by 45°, 90° and 135°", limit, [rotated(a) for a in (45, 90, 135)]),
        levels("size", "diameters of {} px (may matter)", settings.size, None),
        levels("eccentricity", "eccentricities of {} (may matter)", settings.eccentricity, None),
        levels("grain", "grain of {} (may matter)", settings.grain, None),
    )  # fmt: skip
    return SimulatedCells(crops(base), np.asarray(crowded), tests)
