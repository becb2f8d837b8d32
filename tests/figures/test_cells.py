"""Pictures of cells: which panels there are, and what they show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from matplotlib.figure import Figure

from napari_interpdisc.cells import CellTable
from napari_interpdisc.figures.cells import (
    LABEL_CHARACTERS,
    crop_of,
    draw_latents,
    draw_overlay,
    draw_perturbation,
    shorten,
)
from napari_interpdisc.figures.palette import class_colors
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.cell_model import CellModel, LatentMeaning, NamedHead
from napari_interpdisc.models.heads import DenseHead
from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig
from napari_interpdisc.number_text import with_sign
from napari_interpdisc.pipeline import Classification, cell_crops, encode_cells
from napari_interpdisc.scrutiny.attacks import AttackSettings, perturb

from .conftest import whole_picture


@pytest.fixture
def model() -> CellModel:
    """Return an untrained model whose last latent, z5, matters most and has a long name."""
    torch.manual_seed(0)
    head = NamedHead("two", DenseHead((6, 4, 1)), ("round", "flat"))
    meanings = [LatentMeaning()] * 5 + [LatentMeaning("elongation_of_the_central_nucleus")]
    encoder = TCVAE(TCVAEConfig(latents=6, widths=(2, 2, 2, 2), hidden=4))
    return CellModel(
        "tiny", "sha", encoder, {"two": head}, 28.0, np.arange(6) / 10, np.ones(6),
        meanings=tuple(meanings), device=torch.device("cpu"),
    )  # fmt: skip


@pytest.fixture
def image(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    return rng.normal(100, 10, (2, 90, 120)).astype(np.float32)


@pytest.fixture
def result(model: CellModel, image: npt.NDArray[np.float32]) -> Classification:
    cells = CellTable.from_arrays([0, 1, 1, 1], [[45, 60], [30, 30], [45, 60], [60, 90]])
    encoding = encode_cells(Frames(image), cells, model, 28.0)
    return Classification(
        encoding, "two", ("round", "flat"), np.array([[1], [-1], [2], [3]], np.float32)
    )


@pytest.fixture
def crop(
    image: npt.NDArray[np.float32], result: Classification, model: CellModel
) -> npt.NDArray[np.float32]:
    return crop_of(image, result, model, 2)


def test_the_crop_is_that_of_the_pipeline(
    crop: npt.NDArray[np.float32],
    image: npt.NDArray[np.float32],
    result: Classification,
    model: CellModel,
) -> None:
    assert crop.shape == (1, 1, 64, 64)
    every = cell_crops(Frames(image), result.encoding.cells, model, 28.0)
    np.testing.assert_array_equal(crop[0], every[2])


def test_the_overlay_shows_the_frame_of_the_cell(
    image: npt.NDArray[np.float32], result: Classification, tmp_path: Path, drawn: list[Figure]
) -> None:
    planes = np.zeros(image.shape, np.uint8)
    planes[1, 20:40, 20:40], planes[1, 50:70, 80:100] = 1, 2
    draw_overlay(tmp_path / "o.png", image, planes, result, 2)
    whole_picture(tmp_path / "o.png")
    (axes,) = drawn[0].axes
    frame, tint = axes.images
    np.testing.assert_array_equal(frame.get_array(), image[1])
    assert axes.get_title() == "frame 1: class of every segmented cell"
    # cells of frame 1 alone
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["round (1)", "flat (2)"]
    colors, shown = class_colors(("round", "flat")), np.asarray(tint.get_array())
    np.testing.assert_allclose(shown[30, 30, :3], colors["round"][:3])
    np.testing.assert_allclose(shown[60, 90, :3], colors["flat"][:3])
    assert shown[30, 30, 3] < 0.2 < shown[20, 30, 3], "outlined, and seen through"
    assert shown[5, 5, 3] == 0
    (circle,) = axes.patches
    assert circle.get_center() == (60, 45)
    assert circle.get_radius() == 28


def test_a_line_for_each_of_the_latents_that_matter_most(
    crop: npt.NDArray[np.float32], model: CellModel, tmp_path: Path, drawn: list[Figure]
) -> None:
    draw_latents(tmp_path / "l.png", crop, model, n=3)
    whole_picture(tmp_path / "l.png")
    panels = drawn[0].axes
    assert len(panels) == (3 + 1) * 7
    with_pictures = [axes for axes in panels if axes.images]
    assert len(with_pictures) == 2 + 3 * 7
    z = model.encode(crop)[0][0]
    labels = [axes.get_ylabel() for axes in panels if axes.get_ylabel()]
    assert [label.splitlines()[0] for label in labels] == ["z5", "z4", "z3"]
    assert labels[0].splitlines()[1] == "elongation_of_the_c…"
    assert labels[1].splitlines() == ["z4", f"now {with_sign(z[4], 1)}"]
    # the fifth picture of the second line: z4 at 1
    at = np.array(z)
    at[4] = 1
    panel = panels[2 * 7 + 4]
    np.testing.assert_allclose(panel.images[0].get_array(), model.decode(at[None])[0, 0], atol=1e-5)
    assert panel.get_xlabel() == with_sign(float(model.score(at[None])[0, 0]), 1)
    assert [axes.get_title() for axes in panels[7:14]] == ["−3", "−2", "−1", "0", "+1", "+2", "+3"]


def test_both_spaces_are_shown_before_and_after(
    crop: npt.NDArray[np.float32], model: CellModel, tmp_path: Path, drawn: list[Figure]
) -> None:
    draw_perturbation(tmp_path / "p.png", crop, model)
    whole_picture(tmp_path / "p.png")
    panels = drawn[0].axes
    assert [axes.get_title().splitlines()[0] for axes in panels] == [
        "crop", "perturbed", "perturbation", "perturbed, reconstructed",
        "crop", "reconstruction", "perturbed", "perturbation",
    ]  # fmt: skip
    assert [axes.get_ylabel() for axes in panels if axes.get_ylabel()] == [
        "image space, ε = 0.5",
        "latent space, ε = 1",
    ]
    found = perturb(model, crop, AttackSettings(space="image", epsilon=0.5))
    score = with_sign(float(found.perturbed_scores[0, -1]))
    assert panels[1].get_title() == f"perturbed\nscore {score}"
    np.testing.assert_allclose(panels[2].images[0].get_array(), found.perturbation[0, 0], atol=1e-6)
    low, high = panels[2].images[0].get_clim()
    assert low == -high, "no change is in the middle of the colours"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("size", "size"), ("x" * 20, "x" * 20), ("x" * 21, "x" * 19 + "…"), ("", "")],
)
def test_long_names_are_cut(text: str, shown: str) -> None:
    assert shorten(text, LABEL_CHARACTERS) == shown
