"""Perturbing a whole movie: rows, stacks and shares agree, and a fault leaves no folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch

from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.cell_model import CellModel, NamedHead
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.heads import DenseHead
from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig
from napari_interpdisc.pipeline import cell_crops
from napari_interpdisc.scrutiny.attacks import AttackSettings, perturb
from napari_interpdisc.scrutiny.movie_attack import METHODS, STACKS, attack_movie


@pytest.fixture
def model() -> CellModel:
    """Return an untrained model with a head of two classes and one of three."""
    torch.manual_seed(0)
    heads = [
        NamedHead("two", DenseHead((6, 4, 1)), ("round", "flat")),
        NamedHead("three", DenseHead((6, 3)), ("a", "b", "c")),
    ]
    encoder = TCVAE(TCVAEConfig(latents=6, widths=(2, 2, 2, 2), hidden=4))
    return CellModel(
        "tiny", "sha", encoder, {h.name: h for h in heads}, 28.0, np.ones(6), np.ones(6),
        device=torch.device("cpu"),
    )  # fmt: skip


@pytest.fixture
def movie(rng: np.random.Generator) -> tuple[Frames, CellTable]:
    """Return three frames of noise, and cells whose rows do not go by frame."""
    frames = Frames(rng.normal(size=(3, 90, 100)))
    yx = np.column_stack([rng.uniform(20, 70, 7), rng.uniform(20, 80, 7)])
    return frames, CellTable.from_arrays([2, 0, 1, 0, 2, 1, 0], yx, [5, 5, 5, 6, 6, 6, 7])


def test_each_row_is_what_its_cell_alone_would_give(
    model: CellModel, movie: tuple[Frames, CellTable], tmp_path: Path
) -> None:
    frames, cells = movie
    settings = AttackSettings(space="image", epsilon=0.3)
    done: list[tuple[int, int]] = []
    counts = attack_movie(
        frames, cells, model, 28.0, settings, tmp_path / "out", note={"image": "movie.tif"},
        progress=lambda *d: done.append(d),
    )  # fmt: skip
    table = pd.read_csv(tmp_path / "out" / "attack.csv")
    np.testing.assert_array_equal(table[["t", "track_id"]], np.c_[cells.t, cells.track_id])
    stacks = {name: tifffile.imread(tmp_path / "out" / f"{name}.tif") for name in STACKS}
    for row in range(7):
        alone = perturb(model, cell_crops(frames, cells.take([row]), model, 28.0), settings)
        for name, stack in stacks.items():
            np.testing.assert_allclose(stack[row], getattr(alone, name)[0, 0], atol=1e-4)
        assert table["score_before"][row] == pytest.approx(float(alone.scores[0, 0]), abs=1e-5)
        assert table["score_after"][row] == pytest.approx(
            float(alone.perturbed_scores[0, 0]), abs=1e-5
        )
        assert table["flipped"][row] == bool(alone.flipped[0])
    assert counts.flips["fgsm"] == table["flipped"].sum() == table["flipped_by_fgsm"].sum()
    assert counts.shares == {method: table[f"flipped_by_{method}"].mean() for method in METHODS}
    note = json.loads((tmp_path / "out" / "attack.json").read_text("utf-8"))
    assert (note["image"], note["head"], note["flipped_share"]) == (
        "movie.tif",
        "two",
        counts.shares,
    )
    assert done[-1] == (7, 7)


def test_three_classes_have_a_score_each(
    model: CellModel, movie: tuple[Frames, CellTable], tmp_path: Path
) -> None:
    settings = AttackSettings(space="latent", epsilon=1, method="pgd")
    attack_movie(*movie, model, 28.0, settings, tmp_path / "out", "three")
    table = pd.read_csv(tmp_path / "out" / "attack.csv")
    columns = [f"score_{c}_{w}" for w in ("before", "after") for c in "abc"]
    assert set(columns) < set(table)
    best = table[[f"score_{c}_before" for c in "abc"]].to_numpy().argmax(1)
    assert table["class_before"].tolist() == [("a", "b", "c")[k] for k in best]


def test_towards_a_class(model: CellModel, movie: tuple[Frames, CellTable], tmp_path: Path) -> None:
    plain = perturb(
        model, cell_crops(*movie, model, 28.0), AttackSettings(space="latent"), "three"
    ).scores.argmax(1)
    aim = next(k for k in range(3) if 0 < (plain == k).sum() < 7 or k == 2)
    settings = AttackSettings(space="latent", epsilon=3, target="abc"[aim])
    counts = attack_movie(*movie, model, 28.0, settings, tmp_path / "out", "three")
    table = pd.read_csv(tmp_path / "out" / "attack.csv")
    already = table["class_before"] == "abc"[aim]
    assert counts.there_already == already.sum() == (plain == aim).sum()
    assert counts.cells == 7 - already.sum()
    reached = ~already & (table["class_after"] == "abc"[aim])
    np.testing.assert_array_equal(table["reached_by_fgsm"], reached)
    assert counts.flips["fgsm"] == reached.sum() > 0
    assert (table["class_after"] == table["class_before"])[already].all()


def test_towards_a_class_that_all_cells_are_of(
    model: CellModel, movie: tuple[Frames, CellTable], tmp_path: Path
) -> None:
    frames, cells = movie
    one = cells.take([0])
    found = perturb(model, cell_crops(frames, one, model, 28.0), AttackSettings(), "two")
    name = ("round", "flat")[int(found.scores[0, 0] >= 0)]
    with pytest.raises(InvalidInput, match=f"All 1 cells are called {name} already"):
        attack_movie(frames, one, model, 28.0, AttackSettings(target=name), tmp_path / "o", "two")
    assert not list(tmp_path.iterdir())


def test_a_fault_half_way_leaves_no_folder(
    model: CellModel, movie: tuple[Frames, CellTable], tmp_path: Path
) -> None:
    def stop(done: int, n: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attack_movie(*movie, model, 28.0, AttackSettings(), tmp_path / "out", progress=stop)
    assert not list(tmp_path.iterdir())
    frames, cells = movie
    beyond = CellTable.from_arrays([9], [[5.0, 5.0]])
    with pytest.raises(InvalidInput, match="the image has 3 frames"):
        attack_movie(frames, beyond, model, 28.0, AttackSettings(), tmp_path / "out")
    assert not list(tmp_path.iterdir())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(InvalidInput, match="is not empty"):
        attack_movie(frames, cells, model, 28.0, AttackSettings(), tmp_path / "full")


def test_cells_without_a_value_are_counted_apart(
    model: CellModel, movie: tuple[Frames, CellTable], tmp_path: Path
) -> None:
    frames, cells = movie
    z = model.encode(cell_crops(frames, cells, model, 28.0))[0]
    middle = float(np.median(z[:, 0]))  # of seven cells, three are below it
    rule = FormulaHead([parse_formula(f"sqrt(z0 - ({middle - 1e-5:.9f})) + 1", 6)])
    never = FormulaHead([parse_formula("log(-1 - z0**2)", 6)])
    heads = {n: NamedHead(n, h, ("a", "b")) for n, h in (("rule", rule), ("never", never))}
    made = replace(model, heads=heads)
    settings = AttackSettings(space="latent", epsilon=8.0)
    counts = attack_movie(frames, cells, made, 28.0, settings, tmp_path / "out", "rule")
    assert (counts.cells, counts.without_class) == (4, 3)
    assert counts.flips["fgsm"] == 0
    assert counts.lost_class["fgsm"] == 4, "all are led out of the root"
    table = pd.read_csv(tmp_path / "out" / "attack.csv")
    without = z[:, 0] < middle - 1e-5
    assert table["class_before"].isna().tolist() == without.tolist()
    assert set(table["class_before"].dropna()) == {"b"}
    assert table["class_after"].isna().all()
    assert not table["flipped"].any()
    note = json.loads((tmp_path / "out" / "attack.json").read_text("utf-8"))
    assert (note["attacked_cells"], note["cells_without_class"]) == (4, 3)
    with pytest.raises(InvalidInput, match="'never' has no value for all 7 cells"):
        attack_movie(frames, cells, made, 28.0, settings, tmp_path / "no", "never")
