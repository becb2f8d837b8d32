"""A figure becomes a file that is whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.figures.canvas import save_figure

from .conftest import whole_picture


def figure() -> Figure:
    made = Figure(figsize=(3, 2))
    made.subplots().plot([1, 2, 1])
    return made


def test_a_picture_has_the_size_that_was_asked(tmp_path: Path) -> None:
    save_figure(figure(), tmp_path / "a.png", dpi=50)
    pixels = whole_picture(tmp_path / "a.png")
    assert pixels.shape[:2] == (100, 150)
    assert (pixels[0, 0, :3] == 1).all(), "white paper"


def test_dollar_signs_in_names_are_no_maths(tmp_path: Path) -> None:
    made = figure()
    made.axes[0].set_title(r"$\frac$ and A$, B$")
    made.suptitle("$x$")
    save_figure(made, tmp_path / "a.png", dpi=50)
    assert whole_picture(tmp_path / "a.png").any()


def test_a_picture_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InvalidInput, match="the disk is full"):
        save_figure(figure(), tmp_path / "a.png")
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="does not exist"):
        save_figure(figure(), tmp_path / "no" / "a.png")


def test_drawings_are_the_same_every_time_and_keep_their_text(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        made = figure()
        made.axes[0].set_title("prior SD")
        save_figure(made, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert ">prior SD</text>" in (tmp_path / "a.svg").read_text("utf-8")


def test_any_other_format_is_png(tmp_path: Path) -> None:
    save_figure(figure(), tmp_path / "a.jpg", dpi=40)
    whole_picture(tmp_path / "a.jpg")
