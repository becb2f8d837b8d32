"""Cells that a command looks at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc.cli.common import MovieFiles
from napari_interpdisc.cli.given_cells import (
    WantedCells,
    cell_of,
    cells_of_crops,
    cells_of_movie,
    check_crops_alone,
    check_groups,
    named_classes,
)
from napari_interpdisc.discovery.kept_cells import write_kept
from napari_interpdisc.discovery.movies import LabelledMovie
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.store import load_model
from napari_interpdisc.patches import Patches
from napari_interpdisc.simulate.crops import CropSimulation, simulate_crops


@pytest.fixture(scope="module")
def h2b() -> CellModel:
    return load_model("h2b", device="cpu")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    images, _ = simulate_crops(12, 0, CropSimulation(side=96))
    label = np.where(np.arange(12) % 2, "A", "B")
    np.savez(tmp_path / "crops.npz", images=images, label=label, plate=np.arange(12) // 3)
    return tmp_path / "crops.npz"


def wanted(**changes: object) -> WantedCells:
    return WantedCells(**{"classes": (), "column": None, "most": 100, "seed": 0, **changes})  # type: ignore[arg-type]


def test_labels_are_read_if_asked_for_or_if_there_are_any(archive: Path, h2b: CellModel) -> None:
    plain = cells_of_crops(archive, None, wanted(), "26", h2b)
    assert plain.labels is None
    assert plain.note["label_column"] is None
    assert plain.groups.tolist() == (np.arange(12) // 3).tolist()
    known = cells_of_crops(archive, None, wanted(labelled=True), "26", h2b)
    assert known.labels is not None
    assert set(known.labels) == {"A", "B"}
    assert known.note["label_column"] == "label"
    some = cells_of_crops(archive, None, wanted(classes=("A",)), "26", h2b)
    assert some.names == [f"crop {row}" for row in range(1, 12, 2)]
    with pytest.raises(InvalidInput, match="has no array 'state'"):
        cells_of_crops(archive, None, wanted(labelled=True, column="state"), "26", h2b)
    with pytest.raises(InvalidInput, match="No cell has a label of C in 'label'; it has A, B"):
        cells_of_crops(archive, None, wanted(classes=("C",)), "26", h2b)


def test_the_selected_crop_is_always_among_them(archive: Path, h2b: CellModel) -> None:
    given = cells_of_crops(archive, None, wanted(most=2, cell=(7,)), "26", h2b)
    assert given.selected is not None
    assert given.names[given.selected] == "crop 7"
    assert len(given.patches) in (2, 3)
    with pytest.raises(InvalidInput, match="has no crop 12; it has 12, counted from 0"):
        cells_of_crops(archive, None, wanted(cell=(12,)), "26", h2b)


def test_kept_cells_tell_their_own_diameter_and_tracks(tmp_path: Path, h2b: CellModel) -> None:
    images, _ = simulate_crops(4, 0, CropSimulation(side=96))
    movies = [
        LabelledMovie(
            name, Patches(images.astype(np.float32), 96.0), np.array(list("ABAB")),
            np.array(list("1122")), 14.0, "given", h2b.model_diameter,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    path = write_kept(tmp_path / "kept.npz", movies)
    given = cells_of_crops(path, None, wanted(labelled=True), "auto", h2b)
    assert given.note["diameter"] == h2b.model_diameter
    assert len(np.unique(given.groups)) == 4, "track 1 of one movie is not track 1 of another"
    with pytest.raises(InvalidInput, match="as Discover cut them; leave --diameter out"):
        cells_of_crops(path, None, wanted(), "14", h2b)


def test_a_cell_of_a_movie_by_track_and_frame(files: Path, h2b: CellModel) -> None:
    movie = MovieFiles(files / "movie.tif", files / "tracks.csv", diameter="26")
    given = cells_of_movie(movie, "track_id", wanted(most=3, cell=(2, 1)), h2b)
    assert given.selected is not None
    assert given.names[given.selected] == "track 2, t 1"
    with pytest.raises(InvalidInput, match=r"has no track 99; it has \d+ tracks, from"):
        cells_of_movie(movie, "track_id", wanted(cell=(99, 0)), h2b)
    with pytest.raises(InvalidInput, match="Track 2 has no cell in frame 50; its frames go from 0"):
        cells_of_movie(movie, "track_id", wanted(cell=(2, 50)), h2b)


@pytest.mark.parametrize(
    ("text", "crops", "cell"),
    [("12:3", False, (12, 3)), ("7", True, (7,)), (" 1 : 2 ", False, (1, 2))],
)
def test_how_a_cell_is_named(text: str, crops: bool, cell: tuple[int, ...]) -> None:
    assert cell_of(text, crops) == cell


@pytest.mark.parametrize(
    ("text", "crops"), [("12", False), ("1:2", True), ("a:b", False), ("", True), ("-1", True)]
)
def test_what_names_no_cell(text: str, crops: bool) -> None:
    with pytest.raises(InvalidInput, match=f"'{text}' names no cell: give"):
        cell_of(text, crops)


def test_options_about_an_image_are_refused_with_crops() -> None:
    check_crops_alone(None, None, None)
    with pytest.raises(InvalidInput, match="--labels and --channel describe an image; leave them"):
        check_crops_alone(Path("masks.tif"), 1, None)


def test_names_of_classes() -> None:
    assert named_classes("A, B,A", None) == ("A", "B")
    assert named_classes(None, None) == ()
    with pytest.raises(InvalidInput, match="--classes holds no name"):
        named_classes(" ,", None)
    with pytest.raises(InvalidInput, match="give --classes too"):
        named_classes(None, "state")


def test_every_cell_needs_its_group() -> None:
    assert check_groups(np.array(["a", "b"]), "plate", Path("x")).tolist() == ["a", "b"]
    with pytest.raises(InvalidInput, match="1 cell has no plate in x"):
        check_groups(np.array(["a", " "], object), "plate", Path("x"))
