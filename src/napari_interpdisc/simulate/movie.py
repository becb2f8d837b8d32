"""Simulated H2B movies with known truth: size, eccentricity, orientation, density, noise, state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput

STATES = ("Interphase", "Metaphase", "Anaphase")


class SimulationSettings(BaseModel):
    """What is simulated; the seed decides the rest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shape: tuple[int, int, int] = Field((12, 384, 384), title="Frames, height, width (px)")
    cells: int = Field(40, title="Cells at the start", ge=1)
    diameter: float = Field(28.0, title="Typical interphase nuclear diameter (px)", ge=6, le=200)
    diameter_spread: float = Field(0.1, title="Its standard deviation, as a fraction", ge=0, le=0.4)
    crowding: float = Field(
        0.3, title="0: cells anywhere; 1: as close together as they can be", ge=0, le=1
    )
    dividing: float = Field(0.3, title="Share of cells that divide during the movie", ge=0, le=1)
    mitosis_frames: int = Field(3, title="Frames that a cell spends in metaphase", ge=1)
    contrast: float = Field(1500.0, title="Brightness of an interphase nucleus (counts)", gt=0)
    background: float = Field(200.0, title="Background (counts)", ge=0)
    noise: float = Field(12.0, title="Read noise (counts); shot noise comes on top", ge=0)
    blur: float = Field(1.0, title="Width of the point spread function (σ, px)", ge=0)
    seed: int = Field(0, title="Seed")


@dataclass(frozen=True)
class SimulatedMovie:
    """A movie and the truth about it.

    Attributes
    ----------
    image
        (T, Y, X) uint16.
    labels
        (T, Y, X) int32, each object having its track id.
    cells
        Rows sorted by track and time, with the mothers of daughters. ``extra`` has ``state`` (a
        name), ``area`` (px²), ``eccentricity``, ``orientation`` (rad, of the major axis, from the
        x axis towards y), ``n_neighbours`` (within three diameters) and ``neighbour_distance``
        (px).
    """

    image: npt.NDArray[np.uint16]
    labels: npt.NDArray[np.int32]
    cells: CellTable


@dataclass
class _Nucleus:
    """One nucleus in one frame."""

    track_id: int
    y: float
    x: float
    state: str
    semi_major: float
    semi_minor: float
    orientation: float
    brightness: float


def simulate_movie(settings: SimulationSettings | None = None) -> SimulatedMovie:
    """Simulate nuclei that wander, turn, and now and then divide.

    An interphase nucleus is a textured ellipse; a metaphase plate a bright, thin, ragged rod; in
    anaphase two such rods part, each with a track of its own, and become two interphase nuclei.

    Raises
    ------
    InvalidInput
        If so many cells of this diameter do not fit into the frame.
    """
    options = settings or SimulationSettings()
    draw = np.random.default_rng(options.seed)
    frames, parents = _life(options, draw)
    n_frames, height, width = options.shape
    image = np.empty(options.shape, np.uint16)
    labels = np.zeros(options.shape, np.int32)
    textures: dict[int, npt.NDArray[np.float32]] = {}
    for t in range(n_frames):
        signal = np.zeros((height, width), np.float32)
        for nucleus in frames[t]:
            _paint(nucleus, signal, labels[t], textures, options, draw)
        signal = ndimage.gaussian_filter(signal, options.blur) + np.float32(options.background)
        # ten photons a count: shot noise grows with the square root of the signal
        noisy = draw.poisson(signal * 10) / 10 + draw.normal(0, options.noise, signal.shape)
        image[t] = np.clip(np.rint(noisy), 0, np.iinfo(np.uint16).max)
    return SimulatedMovie(image, labels, _truth(frames, labels, options.diameter, parents))


def _places(options: SimulationSettings, draw: np.random.Generator) -> npt.NDArray[np.float64]:
    """Centroids (n, 2) that keep a nuclear diameter apart, drawn together by ``crowding``."""
    _, height, width = options.shape
    margin = 0.75 * options.diameter
    if min(height, width) <= 2 * margin:
        raise InvalidInput(
            f"A nucleus of {options.diameter:g} px does not fit into {height} by {width} px; "
            "enlarge the frame."
        )
    size = np.array([height, width]) - 2 * margin
    shrunk = size * (1 - 0.5 * options.crowding)
    found: list[npt.NDArray[np.float64]] = []
    apart = options.diameter * (1.5 - 0.4 * options.crowding)
    for _ in range(400 * options.cells):
        place = margin + (size - shrunk) / 2 + draw.uniform(0, 1, 2) * shrunk
        if all(np.hypot(*(place - other)) >= apart for other in found):
            found.append(place)
        if len(found) == options.cells:
            return np.array(found)
    raise InvalidInput(
        f"{options.cells} nuclei of {options.diameter:g} px do not fit into {height} by {width} "
        "px; ask for fewer cells or a larger frame."
    )


def _life(
    options: SimulationSettings, draw: np.random.Generator
) -> tuple[list[list[_Nucleus]], dict[int, int]]:
    """Nuclei of every frame, and the mother of each daughter."""
    n_frames, height, width = options.shape
    frames: list[list[_Nucleus]] = [[] for _ in range(n_frames)]
    parents: dict[int, int] = {}
    next_id = options.cells + 1
    queue: list[tuple[int, int, float, float, float, bool]] = []
    divides = draw.permutation(options.cells) < round(options.dividing * options.cells)
    for i, (y, x) in enumerate(_places(options, draw)):
        queue.append(
            (i + 1, 0, float(y), float(x), float(draw.uniform(0, np.pi)), bool(divides[i]))
        )
    while queue:
        track_id, start, y, x, angle, divide = queue.pop(0)
        radius = options.diameter / 2 * float(np.exp(draw.normal(0, options.diameter_spread)))
        ratio = float(draw.uniform(0.62, 0.95))
        brightness = options.contrast * float(np.exp(draw.normal(0, 0.2)))
        last = n_frames
        enters = (
            int(draw.integers(start, max(start + 1, n_frames - options.mitosis_frames)))
            if divide
            else n_frames + 1
        )
        leaves = enters + options.mitosis_frames
        plate = float(draw.uniform(0, np.pi))
        for t in range(start, last):
            wander = 0.04 * options.diameter
            y = float(np.clip(y + draw.normal(0, wander), radius, height - 1 - radius))
            x = float(np.clip(x + draw.normal(0, wander), radius, width - 1 - radius))
            angle += float(draw.normal(0, 0.08))
            if t < enters:
                grown = radius / np.sqrt(ratio)
                frames[t].append(
                    _Nucleus(
                        track_id, y, x, STATES[0], grown, grown * ratio, angle % np.pi, brightness
                    )
                )
            elif t < leaves:
                frames[t].append(
                    _Nucleus(
                        track_id, y, x, STATES[1], 0.72 * radius, 0.24 * radius, plate % np.pi,
                        3.2 * brightness,
                    )
                )  # fmt: skip
            else:
                queue += _daughters(
                    frames, t, next_id, y, x, plate, radius, brightness, options, draw
                )
                parents |= {next_id: track_id, next_id + 1: track_id}
                next_id += 2
                break
    return frames, parents


def _daughters(
    frames: list[list[_Nucleus]],
    start: int,
    first_id: int,
    y: float,
    x: float,
    plate: float,
    radius: float,
    brightness: float,
    options: SimulationSettings,
    draw: np.random.Generator,
) -> list[tuple[int, int, float, float, float, bool]]:
    """Two frames of anaphase from frame ``start`` on; then the daughters' interphase lives."""
    _, height, width = options.shape
    # chromatids part at right angles to the plate
    away = np.array([np.cos(plate), -np.sin(plate)])
    lives = []
    for k, side in enumerate((-1, 1)):
        place = np.array([y, x])
        for step in range(2):
            place = np.array([y, x]) + side * away * radius * (0.55 + 0.5 * step)
            place = np.clip(place, radius, np.array([height, width]) - 1 - radius)
            if start + step < len(frames):
                frames[start + step].append(
                    _Nucleus(
                        first_id + k, float(place[0]), float(place[1]), STATES[2],
                        0.55 * radius, 0.2 * radius, plate % np.pi, 2.8 * brightness,
                    )
                )  # fmt: skip
        lives.append(
            (
                first_id + k,
                start + 2,
                float(place[0]),
                float(place[1]),
                float(draw.uniform(0, np.pi)),
                False,
            )
        )
    return lives


def _paint(
    nucleus: _Nucleus,
    signal: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int32],
    textures: dict[int, npt.NDArray[np.float32]],
    options: SimulationSettings,
    draw: np.random.Generator,
) -> None:
    """Add one nucleus to a frame's signal and label image."""
    reach = int(np.ceil(nucleus.semi_major * 1.3)) + 2
    cy, cx = round(nucleus.y), round(nucleus.x)
    y0, y1 = max(0, cy - reach), min(signal.shape[0], cy + reach + 1)
    x0, x1 = max(0, cx - reach), min(signal.shape[1], cx + reach + 1)
    rows, cols = np.mgrid[y0:y1, x0:x1]
    dy, dx = rows - nucleus.y, cols - nucleus.x
    cos, sin = np.cos(nucleus.orientation), np.sin(nucleus.orientation)
    along, across = dx * cos + dy * sin, -dx * sin + dy * cos
    if nucleus.track_id not in textures:
        rough = draw.normal(0, 1, (96, 96))
        smooth = ndimage.gaussian_filter(rough, 0.07 * options.diameter, mode="wrap")
        textures[nucleus.track_id] = (smooth / smooth.std()).astype(np.float32)
    texture = textures[nucleus.track_id]
    at = [(across + 48) % 96, (along + 48) % 96]
    grain = ndimage.map_coordinates(texture, at, order=1, mode="grid-wrap")
    if nucleus.state == STATES[0]:
        distance = np.sqrt((along / nucleus.semi_major) ** 2 + (across / nucleus.semi_minor) ** 2)
        inside = distance <= 1 + 0.02 * grain
        profile = np.sqrt(np.clip(1.25 - distance**2, 0, None)) * (1 + 0.14 * grain)
    else:
        # a rod with a ragged outline; a fourth power makes it blunt, as plates are
        distance = (
            (np.abs(along) / nucleus.semi_major) ** 4
            + (np.abs(across) / (nucleus.semi_minor * (1 + 0.2 * grain))) ** 2
        ) ** 0.5
        inside = distance <= 1
        profile = 1 + 0.1 * grain
    value = np.where(inside, np.clip(profile, 0.05, None) * nucleus.brightness, 0)
    window = signal[y0:y1, x0:x1]
    np.maximum(window, value.astype(np.float32), out=window)
    labels[y0:y1, x0:x1][inside] = nucleus.track_id


def _truth(
    frames: list[list[_Nucleus]],
    labels: npt.NDArray[np.int32],
    diameter: float,
    parents: dict[int, int],
) -> CellTable:
    """Cell table of everything that was painted and can be seen."""
    rows: list[tuple[Any, ...]] = []
    for t, nuclei in enumerate(frames):
        areas = np.bincount(labels[t].ravel())
        centres = np.array([(n.y, n.x) for n in nuclei]).reshape(-1, 2)
        tree = cKDTree(centres) if len(centres) else None
        for n, centre in zip(nuclei, centres, strict=True):
            assert tree is not None
            near = len(tree.query_ball_point(centre, 3 * diameter)) - 1
            gap = float(np.asarray(tree.query(centre, k=2)[0])[1])
            area = int(areas[n.track_id]) if n.track_id < len(areas) else 0
            if area:
                eccentricity = float(np.sqrt(1 - (n.semi_minor / n.semi_major) ** 2))
                rows.append(
                    (n.track_id, t, n.y, n.x, n.state, area, eccentricity, n.orientation, near, gap)
                )
    rows.sort(key=lambda row: row[:2])
    columns = list(zip(*rows, strict=True))
    names = (
        "state", "area", "eccentricity", "orientation", "n_neighbours", "neighbour_distance",
    )  # fmt: skip
    return CellTable.from_arrays(
        np.array(columns[1]),
        np.column_stack([columns[2], columns[3]]),
        np.array(columns[0]),
        source="simulated cells",
        extra={name: np.array(columns[4 + k]) for k, name in enumerate(names)},
        graph={
            child: (parent,)
            for child, parent in parents.items()
            if {child, parent} <= set(columns[0])
        },
    )
