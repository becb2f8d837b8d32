"""The explorer in a viewer, with a cell selected, and with names and an orientation pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from qtpy import API_NAME
from qtpy.QtGui import QImage

from napari_interpdisc.models.cell_model import LatentMeaning
from napari_interpdisc.number_text import with_sign
from napari_interpdisc.widgets.explorer.pair_row import PairRow
from napari_interpdisc.widgets.explorer.widget import (
    ExplorerWidget,
)
from napari_interpdisc.widgets.parts.pictures import grey_picture

from ...earlier_heads import model_with_earlier_heads
from ..conftest import put_up

Scene = SimpleNamespace


ROW = 3


bundled_model = model_with_earlier_heads


@pytest.fixture
def scene(make_scene: Callable[..., Scene], in_window: bool, qtbot: Any) -> Scene:
    made = make_scene(show=in_window, window=in_window)
    made.widget = ExplorerWidget(made.viewer)
    put_up(made.viewer, made.widget, "Latent explorer", qtbot)
    qtbot.waitUntil(made.widget.isVisible)
    return made


@pytest.fixture
def explorer(scene: Scene) -> ExplorerWidget:
    """The explorer with a cell selected."""
    scene.session.select(ROW)
    return scene.widget


def page(widget: ExplorerWidget) -> int:
    return int(widget._pages.currentIndex())


def score(widget: ExplorerWidget, z: np.ndarray) -> str:
    return with_sign(float(widget.session.model.score(z[None])[0, 0]))


def pictures_of(widget: ExplorerWidget, z: np.ndarray) -> Any:
    shown = widget.session.model.reconstruct(z[None], widget.cell.crop[None, None])[0, 0]
    return grey_picture(shown, widget._limits)


def are_alike(one: QImage, other: QImage) -> bool:
    """Whether two grey pictures agree to a grey level.

    A network's output for one cell differs in its last bits from that for the same cell in a batch,
    on some processors.
    """
    values = []
    for picture in (one, other):
        grey = picture.convertToFormat(QImage.Format.Format_Grayscale8)
        bits = grey.constBits()
        if API_NAME == "PyQt6":  # a pointer without a size, where PySide6 gives a memoryview
            bits = bits.asarray(grey.sizeInBytes())
        lines = np.array(bits, np.int16)
        values.append(lines.reshape(grey.height(), -1)[:, : grey.width()])
    return one.size() == other.size() and int(np.abs(values[0] - values[1]).max()) <= 1


@pytest.fixture
def named(scene: Scene) -> ExplorerWidget:
    """The explorer of a cell, with a model that has names and an orientation pair."""
    session = scene.session
    by_kl = session.model.by_importance()
    meanings = [LatentMeaning("", "texture, ρ = 0.21")] * session.model.n_latents
    meanings[by_kl[0]] = LatentMeaning("size", "area, ρ = −0.97")
    meanings[by_kl[1]] = LatentMeaning("elongation_of_the_central_nucleus_cos", "seen")
    meanings[by_kl[2]] = LatentMeaning("elongation_of_the_central_nucleus_sin", "seen")
    pair = (by_kl[1], by_kl[2])
    session.set_model(replace(session.model, meanings=tuple(meanings), orientation_pairs=(pair,)))
    session.select(ROW)
    return scene.widget


def the_pair(widget: ExplorerWidget) -> tuple[PairRow, int, int]:
    ((pair, row),) = widget.sliders.pairs.items()
    return row, *pair
