"""What the commands share: how options are read, and how text is printed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_interpdisc.cli.common import (
    MovieFiles,
    check_engine,
    crop_diameter,
    diameter_of,
    names_of,
    progress_bar,
)
from napari_interpdisc.errors import InvalidInput, MissingExtra
from napari_interpdisc.nuclei.diameter import diameter_from_labels
from napari_interpdisc.symbolic.search import engines


@pytest.mark.parametrize(
    ("text", "px"), [("28", 28.0), (" 26.8 ", 26.8), ("auto", None), (" AUTO", None)]
)
def test_a_diameter_is_a_number_or_auto(text: str, px: float | None) -> None:
    assert diameter_of(text) == px


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("wide", r"^'wide' is no diameter: give a number of pixels, or auto"),
        ("", r"^'' is no diameter"),
        ("28px", r"^'28px' is no diameter"),
        ("0", "A nuclear diameter of 0 px"),
        ("inf", "A nuclear diameter of inf px"),
    ],
)
def test_diameters_that_cannot_be(text: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        diameter_of(text)
    with pytest.raises(InvalidInput, match=told):
        crop_diameter(text)


def test_the_diameter_of_crops_is_never_estimated() -> None:
    assert crop_diameter("26.8") == 26.8
    with pytest.raises(InvalidInput, match="give it with --diameter"):
        crop_diameter("auto")


@pytest.mark.parametrize(
    ("text", "names"),
    [("", ()), ("A", ("A",)), (" A, B C ,,D", ("A", "B C", "D")), (" , ", ())],
)
def test_names_in_a_list(text: str, names: tuple[str, ...]) -> None:
    assert names_of(text) == names


def test_an_engine_that_cannot_run_is_told_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = type(engines["pysr"])
    monkeypatch.setattr(engine, "available", lambda _: "PySR needs Julia.")
    with pytest.raises(MissingExtra, match=r"^PySR needs Julia\.$"):
        check_engine("pysr")
    monkeypatch.setattr(engine, "available", lambda _: None)
    check_engine("pysr")


def test_progress_leaves_nothing_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress_bar("cells") as progress:
        progress(1, 2)
        progress(2, 2)
    assert capsys.readouterr().err.strip() == ""


def test_a_movie_and_its_cells_are_opened(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = MovieFiles(files / "movie.tif", files / "tracks.csv", diameter="30")
    opened = given.open()
    table = pd.read_csv(files / "tracks.csv")
    assert opened.frames.shape == (5, 110, 240)
    assert opened.diameter == 30
    np.testing.assert_array_equal(opened.cells.yx, table[["y", "x"]])
    told = "tracks.csv: t from 't' (0…4, counted from 0), y from 'y', x from 'x', "
    assert capsys.readouterr().out.startswith(told)


def test_a_diameter_that_was_measured_is_told(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = files / "masks.tif"
    opened = MovieFiles(files / "movie.tif", files / "tracks.csv", masks).open()
    assert opened.diameter == pytest.approx(diameter_from_labels(tifffile.imread(masks)))
    assert f"nuclear diameter: {opened.diameter:.1f} px (estimated)" in capsys.readouterr().out


def test_files_that_do_not_fit_each_other(files: Path) -> None:
    short = files / "short.tif"
    tifffile.imwrite(short, np.zeros((2, 110, 240), np.uint8), photometric="minisblack")
    with pytest.raises(InvalidInput, match="has shape"):
        MovieFiles(files / "movie.tif", files / "tracks.csv", short, "28").open()
    with pytest.raises(InvalidInput, match="the image has 2 frames"):
        MovieFiles(short, files / "tracks.csv", diameter="28").open()
    with pytest.raises(InvalidInput, match="'wide' is no diameter"):
        MovieFiles(files / "no.tif", files / "no.csv", diameter="wide").open()
