"""What a perturbation is asked for, from the words of the window."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel, LatentMeaning, latent_names
from napari_interpdisc.scrutiny.attacks import AttackSettings, Perturbation
from napari_interpdisc.widgets.perturb.run import PerturbResult, PerturbRun, frozen_from_text


@pytest.mark.parametrize(
    ("text", "frozen"), [("", ()), ("3,17", (3, 17)), ("z_3; Z17 3", (3, 17)), (" ", ())]
)
def test_frozen_latents_as_they_are_written(text: str, frozen: tuple[int, ...]) -> None:
    assert frozen_from_text(text, 32) == frozen


def test_latents_are_frozen_by_name() -> None:
    names = latent_names([LatentMeaning("size"), LatentMeaning(), LatentMeaning("texture")])
    assert frozen_from_text("size, 4 texture_z2", 32, names) == (0, 2, 4)
    with pytest.raises(InvalidInput, match=r"'Size' is not a latent.*or by name"):
        frozen_from_text("Size", 32, names)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("3, x", "'x' is not a latent"),
        ("1.5", "'1.5' is not a latent"),
        ("-1", "'-1' is not a latent"),
        ("32", "Latent 32 cannot be frozen"),
        ("0 1", None),
    ],
)
def test_other_words_are_refused(text: str, sentence: str | None) -> None:
    with pytest.raises(InvalidInput, match=sentence or "All latents are frozen"):
        frozen_from_text(text, 32 if sentence else 2)


def made(
    model: CellModel, smallest: float | None, by: tuple[str, ...] = (), **settings: Any
) -> PerturbResult:
    """Cells 7 and 8, of which the second is selected, and flipped by some methods."""
    cells = CellTable.from_arrays([4, 4], np.zeros((2, 2)), [7, 8])
    encoding: Any = SimpleNamespace(cells=cells, diameter=20.0)
    frames: Any = SimpleNamespace(is_movie=True)
    asked = AttackSettings(**settings)
    selected = None if smallest is None else 1
    run = PerturbRun(frames, encoding, np.arange(2), selected, model, None, asked, "", True)
    scores = np.array([[3.0], [-2.0]], np.float32)
    empty = np.zeros((2, 1, 2, 2), np.float32)
    latents = np.zeros((2, 4), np.float32)
    target = None if asked.target is None else ("Interphase", "Metaphase").index(asked.target)
    shown = Perturbation(*[empty] * 5, latents, latents, scores, scores, target)
    flips = {m: np.array([False, m in by]) for m in ("fgsm", "pgd", "random")}
    return PerturbResult(run, shown, flips, smallest)


@pytest.mark.parametrize(
    ("smallest", "by", "settings", "told"),
    [
        (None, (), {}, "Select one of the cells to learn its smallest ε."),
        (0.45, ("fgsm",), {}, "FGSM: the smallest ε that flips cell 8 is 0.45."),
        (np.inf, (), {}, "FGSM: no ε up to 3 flips cell 8."),
        (
            np.inf,
            ("pgd", "random"),
            {},
            "FGSM: no ε up to 3 flips cell 8. At ε = 0.5, PGD and random do.",
        ),
        (
            0.75,
            (),
            {"method": "pgd"},
            "PGD: the smallest ε that flips cell 8 is 0.75, in steps of 0.25.",
        ),
        (
            np.inf,
            ("fgsm",),
            {"method": "pgd", "target": "Metaphase", "epsilon": 1},
            "PGD: no ε up to 3, in steps of 0.25, brings cell 8 to Metaphase. At ε = 1, FGSM does.",
        ),
        (
            0.0,
            (),
            {"target": "Interphase"},
            "Cell 8 is called Interphase already; it was not changed.",
        ),
    ],
)
def test_the_smallest_step_is_told_with_its_method(
    bundled_model: CellModel,
    smallest: float | None,
    by: tuple[str, ...],
    settings: dict[str, Any],
    told: str,
) -> None:
    assert made(bundled_model, smallest, by, **settings).smallest_told() == told


def test_head_model_and_frame_are_in_the_heading(bundled_model: CellModel) -> None:
    result = made(bundled_model, None, ("pgd",), method="pgd", target="Metaphase", space="latent")
    assert result.heading == (
        "2 cells of frame 4: PGD towards Metaphase on latents, ε = 0.5. Head 'dense' of model "
        "'h2b'."
    )
    # the first cell is a metaphase already
    assert result.attacked == 1
    assert result.counted("pgd") == "1 of 1 (100%)"
    assert result.counted("fgsm") == "0 of 1 (0%)"


def test_cells_without_a_value_are_told(bundled_model: CellModel) -> None:
    result = made(bundled_model, np.inf, ("pgd",))
    assert result.without_told() == ""
    scores = np.array([[3.0], [np.nan]], np.float32)
    without = replace(result, shown=replace(result.shown, scores=scores, perturbed_scores=scores))
    assert (without.attacked, without.counted("fgsm")) == (1, "0 of 1 (0%)")
    assert without.without_told() == " The formula has no value for 1, which stays as it is."
    assert without.smallest_told() == (
        "The formula has no value for cell 8, so there is no class to change."
    )
    lost = replace(result, shown=replace(result.shown, perturbed_scores=scores))
    assert lost.attacked == 2
    assert lost.without_told() == (" 1 came to where the formula has no value: no change of class.")
