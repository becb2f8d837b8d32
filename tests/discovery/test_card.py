from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc.discovery.card import calibration_section, discovered_model
from napari_interpdisc.discovery.cross_validation import discover
from napari_interpdisc.discovery.rashomon import Member, rashomon_set
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.discovery.reliability import reliability
from napari_interpdisc.discovery.results import Discovery
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.store import load_model, save_model

from .conftest import labelled


def test_heads_go_into_a_model_folder_and_come_back(found: Discovery, tmp_path: Path) -> None:
    bundled = load_model(device="cpu")
    mine = replace(found, encoder_sha256=bundled.encoder_sha256)
    model = discovered_model(bundled, mine, "mine", found.front[0])
    assert list(model.heads) == ["dense", "sparse", "formula"]
    assert model.head("formula").head is found.front[0].head
    assert "held-out" in model.head("sparse").summary
    assert "160 annotated cells" in model.card


def test_heads_of_another_encoder_are_refused(found: Discovery) -> None:
    with pytest.raises(InvalidInput, match="another encoder"):
        discovered_model(load_model(device="cpu"), found, "mine")


def test_a_round_trip_keeps_scores_and_identity(quick: Recipe, tmp_path: Path) -> None:
    bundled = load_model(device="cpu")
    cells = labelled(120, n_latents=32)
    result = discover(
        cells, quick.model_copy(update={"curve": False}), encoder_sha256=bundled.encoder_sha256
    )
    model = discovered_model(bundled, result, "mine")
    save_model(model, tmp_path / "mine")
    back = load_model(tmp_path / "mine", device="cpu")
    assert back.sha256 == model.sha256 != bundled.sha256
    assert back.encoder_sha256 == bundled.encoder_sha256
    for kind in ("dense", "sparse", "formula"):
        np.testing.assert_allclose(
            back.score(cells.latents, kind), model.score(cells.latents, kind), rtol=1e-6
        )
        assert back.head(kind).head.expression_size == model.head(kind).head.expression_size


def test_the_section_on_calibration() -> None:
    """Six cells of two classes, one wrong; a movie that has cells of one class alone."""
    p = np.tile([[0.9, 0.1], [0.1, 0.9]], (3, 1))
    target = np.array([0, 1, 0, 1, 0, 0])
    home = reliability(p, target, np.arange(6) // 2)
    away = reliability(p[:4], target[[0, 0, 0, 0]], np.zeros(4))
    lines = calibration_section({"a": {"by plate": home, "movie": away}, "b": {"by plate": home}})
    text = "\n".join(lines)
    assert lines[0] == "## Calibration"
    assert "`reliability.png` is the diagram" in text
    assert "equally frequent" in text
    head, _, first, second = lines[-4:]
    assert head == (
        "| head | constant forecast | Brier, by plate | Brier, movie | ECE, by plate | ECE, movie |"
    )
    cells = [cell.strip() for cell in first.strip("|").split("|")]
    # three of four and two of two are right: (3 × 0.02 + 1.62) / 4 and 0.02, in the mean 0.22
    assert cells[:2] == ["`a`", "0.50, 0.00"]
    assert cells[2].startswith("0.22 [")
    assert cells[3] == "0.82"
    assert cells[4].startswith("0.03 (")
    assert cells[5].startswith("0.40 (")
    cells = [cell.strip() for cell in second.strip("|").split("|")]
    assert cells[1] == "0.50"
    assert cells[3] == cells[5] == "–"


def test_the_card_tells_of_all_heads_that_are_as_good(found: Discovery) -> None:
    bundled = load_model(device="cpu")
    mine = replace(found, encoder_sha256=bundled.encoder_sha256)
    members = [
        Member("a", FormulaHead([parse_formula("z0 + z1", 32)]), 0.96),
        Member("b", FormulaHead([parse_formula("z0", 32)]), 0.955),
        Member("c", FormulaHead([parse_formula("z2", 32)]), 0.8),
    ]
    compared = rashomon_set(
        members, found.classes, np.array([[1.0, -2, *[0] * 30], [1] * 32, [-1] * 32])
    )
    card = discovered_model(bundled, mine, "mine", compared=compared).card
    assert "## Rashomon set" in card
    assert "2 heads within 0.01 of the best" in card
    assert "they agree on 66.7 % of 3 labelled cells." in card
    names = ", ".join(map(bundled.latent_label, (0, 1)))
    assert f"| a | 0.960 | 3 | {names} |" in card
    assert "| c |" not in card
    assert "Rashomon" not in discovered_model(bundled, mine, "mine").card
