"""``interpdisc anatomy``: what is written, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc.models.cell_model import NamedHead
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.store import load_model, save_model
from napari_interpdisc.simulate.crops import CropSimulation, simulate_crops

from ..earlier_heads import with_earlier_heads
from .conftest import Run, refused


@pytest.fixture(scope="module")
def h2b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of the bundled model with heads that stay the same."""
    folder = tmp_path_factory.mktemp("models") / "h2b"
    save_model(with_earlier_heads(load_model("h2b", device="cpu")), folder)
    return folder


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    """Return an archive of 30 crops on ten plates, half of them Interphase."""
    images, _ = simulate_crops(30, 0, CropSimulation(side=96))
    label = np.where(np.arange(30) % 2, "Interphase", "Metaphase")
    np.savez(tmp_path / "crops.npz", images=images, label=label, plate=np.arange(30) // 3)
    return tmp_path / "crops.npz"


def test_a_formula_on_labelled_crops(run: Run, crops: Path, h2b: Path) -> None:
    out = crops.parent / "out"
    code, told, err = run(
        "anatomy", h2b, "--head", "formula-strict", "--crops", crops, "--diameter", 26,
        "--cell", 4, "--pair", "z2,elongation_cos", "--draws", 20, "--out", out,
    )  # fmt: skip
    assert code == 0, err
    assert err == ""
    assert "held at crop 4: score of Metaphase " in told
    assert "score = 0.351*granularity_coarse_z2" in told
    assert "Unchanged as (z18, z19) rotates, by construction" in told
    assert "refitted on 30 cells, 20 draws of 10 groups" in told
    assert "saturate" not in told or "Saturates" in told
    note = json.loads((out / "anatomy.json").read_text("utf-8"))
    assert note["cells"]["real"] is True
    assert note["source"]["group"] == "plate"
    assert note["settings"]["pairs"] == [[2, 18]]
    assert (out / "slices.svg").is_file()
    assert (out / "constants.csv").is_file()


def test_a_sparse_head_without_any_cells(run: Run, tmp_path: Path, h2b: Path) -> None:
    code, told, err = run(
        "anatomy", h2b, "--head", "sparse", "--pair", "2,5", "--out", tmp_path / "out"
    )
    assert code == 0, err
    assert "No cells were given: axes come from the stored density" in " ".join(err.split())
    assert "sub-network 1 (neuron 1.4: 1 effective input):" in told
    assert "n1.4 = swish(" in told
    assert (tmp_path / "out" / "graph.svg").is_file()


def test_cells_of_a_movie_without_labels_and_a_rule_of_one_latent(run: Run, files: Path) -> None:
    model = load_model(device="cpu")
    head = FormulaHead([parse_formula("z2 - 0.3")])
    named = {"one": NamedHead("one", head, ("Interphase", "Metaphase"))}
    save_model(replace(model, heads=named), files / "model")
    code, told, err = run(
        "anatomy", files / "model", "--image", files / "movie.tif", "--cells",
        files / "tracks.csv", "--diameter", 26, "--cell", "1:0", "--out", files / "out",
    )  # fmt: skip
    assert code == 0, err
    assert "held at track 1, t 0" in told
    notes = " ".join(err.split())
    assert "The cells have no labels, so constants have no intervals." in notes
    assert "reads one input alone, so it has curves and no slices" in notes
    names = {path.name for path in (files / "out").iterdir()}
    assert names == {"anatomy.json", "components.csv", "components.png", "components.svg"}


def test_a_class_without_cells_is_told_and_the_rest_still_works(run: Run, crops: Path) -> None:
    code, _, err = run(
        "anatomy", "h2b", "--head", "formula-strict", "--crops", crops, "--diameter", 26,
        "--classes", "Interphase", "--out", crops.parent / "out",
    )  # fmt: skip
    assert code == 0, err
    assert "Constants have no intervals: no cell has the label Metaphase" in " ".join(err.split())
    assert (crops.parent / "out" / "slices.png").is_file()


def test_what_is_refused(run: Run, crops: Path) -> None:
    out = crops.parent / "out"
    base = ("anatomy", "h2b", "--out", out)
    refused(run, "Head 'dense' has no sparse form", *base)
    refused(run, "has no head 'nothing'", *base, "--head", "nothing")
    refused(run, "--cell says something of cells", *base, "--head", "sparse", "--cell", "1:1")
    refused(run, "--image and --cells go together", *base, "--image", "movie.tif")
    refused(
        run, "or --crops in their place, and not both", *base, "--crops", crops, "--image", "a",
        "--cells", "b",
    )  # fmt: skip
    refused(run, "--labels is a segmentation of --image", *base, "--labels", "masks.tif")
    refused(run, "'z2' is no pair of latents", *base, "--head", "sparse", "--pair", "z2")
    refused(run, "'z2,z99' is no pair", *base, "--head", "sparse", "--pair", "z2,z99")
    refused(run, "does not read z0", *base, "--head", "formula", "--crops", crops, "--diameter",
            26, "--pair", "0,2")  # fmt: skip
    assert not out.exists()
    out.mkdir()
    (out / "mine.txt").write_text("mine", "utf-8")
    refused(run, "already exists and is not empty", *base, "--head", "sparse")
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
