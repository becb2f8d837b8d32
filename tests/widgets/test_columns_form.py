"""The form that asks which columns are which."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.columns import Asked, Movie
from napari_interpdisc.widgets.columns_form import ColumnsForm, in_words_of_the_form


@pytest.fixture
def form(qtbot: QtBot) -> ColumnsForm:
    """Return a form of three columns, one of an unlucky name."""
    made = ColumnsForm(["Zeile", "none", "as the table tells"], "It has no column for y.")
    qtbot.addWidget(made)
    return made


def test_nothing_is_chosen_at_first(form: ColumnsForm) -> None:
    assert form.asked() == Asked()


def test_what_is_chosen_is_what_the_options_say(form: ColumnsForm) -> None:
    form.columns["y"].setCurrentIndex(2)
    form.columns["x"].setCurrentIndex(4)
    form.columns["track_id"].setCurrentIndex(1)
    form.first_frame.setCurrentText("1")
    form.unit.setCurrentText("um")
    form.pixel_size.setValue(0.65)
    form.frame_interval.setValue(300)
    columns = {"y": "Zeile", "x": "as the table tells", "track_id": ""}
    assert form.asked() == Asked(columns, 1, "um", 0.65, 300)


def test_what_the_image_says_is_shown(form: ColumnsForm, qtbot: QtBot) -> None:
    assert form.pixel_size.text() == "not known"
    made = ColumnsForm(["a"], "Why?", movie=Movie(3, 40, 50, (0.65, 0.65), 120.0))
    qtbot.addWidget(made)
    assert made.pixel_size.text() == "0.65, of the image"
    assert made.frame_interval.text() == "120, of the image"
    assert made.asked() == Asked()


def test_what_cannot_be_is_told(form: ColumnsForm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form.pixel_size, "value", lambda: -1.0)
    with pytest.raises(InvalidInput, match="pixel size of -1 is impossible"):
        form.asked()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("name them with --columns, such as t=F,y=Y,x=X.", "name them below."),
        ("meant with --columns, such as t=F (it has F, G).", "meant below (it has F, G)."),
        ("choose --columns t=A or --columns t=B.", "choose 'Time (frame)' A or 'Time (frame)' B."),
        ("give --first-frame 1 or --pixel-size.", "give 'First frame' 1 or 'Pixel size (µm)'."),
    ],
)
def test_options_of_the_command_line_are_fields_of_the_form(said: str, shown: str) -> None:
    assert in_words_of_the_form(said) == shown
