"""``interpdisc latents``: what is stored, what is measured, and what is refused before any work."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.models.cell_model import LatentMeaning
from napari_interpdisc.models.properties import PROPERTIES
from napari_interpdisc.models.store import load_model, save_model
from napari_interpdisc.simulate.movie import SimulationSettings

from .conftest import Run, refused, simulated


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with movie.tif, masks.tif and cells.csv of nuclei of many sizes."""
    made = simulated(
        tmp_path,
        SimulationSettings(
            shape=(3, 380, 380), cells=36, dividing=0, diameter_spread=0.25, crowding=0.3, seed=2
        ),
    )
    table = made.cells.to_frame()
    table["side"] = np.where(table["track_id"] % 2, "odd", "even")
    table.to_csv(tmp_path / "cells.csv", index=False)
    return tmp_path


def words(files: Path, *more: object) -> list[object]:
    return [
        "latents", "--image", files / "movie.tif", "--cells", files / "cells.csv",
        "--diameter", 28, *more,
    ]  # fmt: skip


def test_latents_are_measured_written_drawn_and_stored(run: Run, files: Path) -> None:
    code, out, err = run(
        *words(files, "--labels", files / "masks.tif", "--csv", files / "map.csv"),
        "--figure", files / "map.png", "--out", files / "named",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "could be measured, in 36 groups (track_id)" in out
    table = pd.read_csv(files / "map.csv", keep_default_na=False)
    assert set(table["property"]) == set(PROPERTIES)
    assert {f"z{i}" for i in range(32)} <= set(table["latent"])
    about = json.loads((files / "map.json").read_text("utf-8"))
    assert about["group"] == "track_id"
    assert about["diameter"] == 28
    assert (files / "map.png").read_bytes()[:4] == b"\x89PNG"
    plain, model = load_model(device="cpu"), load_model(files / "named", device="cpu")
    assert model.sha256 == plain.sha256
    assert len(model.meanings) == 32
    size = next(i for i, meaning in enumerate(model.meanings) if meaning.name == "size")
    assert model.meanings[size].evidence.startswith("area, ρ = ")
    assert len(model.orientation_pairs) == sum(pair["order"] == 2 for pair in about["pairs"])
    # the copy tells what was found
    code, out, err = run("latents", "--model", files / "named", "--csv", files / "stored.csv")
    assert (code, err) == (0, "")
    stored = pd.read_csv(files / "stored.csv", keep_default_na=False)
    assert stored["name"][stored["latent"] == f"z{size}"].item() == "size"
    assert stored["kl"].is_monotonic_decreasing
    assert "size" in out
    assert "area, ρ = " in out
    for a, b in model.orientation_pairs:
        assert f"z{a}, z{b}: an orientation pair" in out
        assert stored["pair"][stored["latent"] == f"z{a}"].item() == f"z{b}"


def test_without_labels_nuclei_are_found_and_stored_names_compared(run: Run, files: Path) -> None:
    plain = load_model(device="cpu")
    meanings = (LatentMeaning("whatever", "guessed"),) + (LatentMeaning(),) * 31
    save_model(replace(plain, meanings=meanings), files / "guessed")
    code, out, err = run(
        *words(files, "--group-column", "side", "--model", files / "guessed"), "--threshold", 0.999
    )
    assert (code, err) == (0, "")
    assert "was whatever" in out
    assert out.count("the same") == 31
    assert "in 2 groups (side)" in out
    assert "fewer than 10 groups are rough" in out


def test_crops_and_classes_in_place_of_a_movie(
    run: Run, microscopy: Callable[[str], Path], tmp_path: Path
) -> None:
    code, out, err = run(
        "latents", "--crops", microscopy("mitocheck_crops.npz"), "--diameter", 26.8,
        "--classes", "Elongated,Metaphase", "--csv", tmp_path / "map.csv",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "of 184 cells could be measured" in out
    assert "groups (plate)" in out
    assert "orientation pair (order 2)" in out
    table = pd.read_csv(tmp_path / "map.csv")
    assert table["rho"].abs().max() > 0.85
    whose = table.drop_duplicates("latent").set_index("latent")["of"]
    assert (whose["z0"], whose["z25"], whose["z26"]) == ("cell", "cell", "surroundings")


def test_a_model_without_meanings_says_so(run: Run, tmp_path: Path) -> None:
    save_model(replace(load_model(device="cpu"), meanings=()), tmp_path / "mute")
    code, out, err = run("latents", "--model", tmp_path / "mute", "--csv", tmp_path / "t.csv")
    assert (code, err) == (0, "")
    assert "stores no meanings" in out
    assert len(pd.read_csv(tmp_path / "t.csv")) == 32


def test_faults_are_told_before_anything_is_measured(
    run: Run, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "napari_interpdisc.scrutiny.properties.measure_crops",
        lambda *a, **k: pytest.fail("measuring began"),
    )
    (files / "there").mkdir()
    np.savez(files / "some.npz", images=np.zeros((9, 64, 64)), plate=np.arange(9))

    def refused(told: str, *arguments: object) -> None:
        code, out, err = run(*arguments)
        assert code == 1, (out, err)
        assert all(line.startswith("cells.csv: t from") for line in out.splitlines())
        assert told in " ".join(err.split())
        *notes, last = err.splitlines()
        assert last.startswith("Error: ")
        assert all(line.startswith("Note: ") for line in notes)

    refused("Give --image and --cells, or --crops", "latents", "--image", files / "movie.tif")
    refused("Give --image and --cells, or --crops", *words(files, "--crops", files / "some.npz"))
    refused("segmentation of an image", "latents", "--labels", files / "masks.tif")
    refused("need cells to measure", "latents", "--out", files / "new")
    refused("end the file name in .png", *words(files, "--figure", files / "map.pdf"))
    refused("end the file name in .csv", *words(files, "--csv", files / "map.txt"))
    refused("does not exist", *words(files, "--figure", files / "no" / "map.png"))
    refused("already exists", *words(files, "--out", files / "there"))
    refused("There is no model", *words(files, "--model", "none"))
    refused("There is no file", "latents", "--image", files / "x.tif", "--cells", files / "x.csv")
    refused("no column 'phase'", *words(files, "--classes", "a", "--label-column", "phase"))
    refused("no column 'plate'", *words(files, "--group-column", "plate"))
    refused(
        "No cell has the label 'mixed'; the labels are even, odd",
        *words(files, "--classes", "odd,mixed", "--label-column", "side"),
    )
    refused("give it with --diameter", "latents", "--crops", files / "some.npz")
    refused(
        "There are 9 cells, fewer than the 50", "latents", "--crops", files / "some.npz",
        "--diameter", 28,
    )  # fmt: skip
    refused("no array 'side'", "latents", "--crops", files / "some.npz", "--diameter", 28,
            "--group-column", "side")  # fmt: skip
    refused("is no diameter", *words(files, "--diameter", "wide"))
    table = pd.read_csv(files / "cells.csv")
    table.assign(track_id=1).to_csv(files / "cells.csv", index=False)
    refused("All cells have the same track_id", *words(files))
    table[:30].to_csv(files / "cells.csv", index=False)
    refused("There are 30 cells, fewer than the 50", *words(files))
    assert not (files / "new").exists()


def test_cells_that_cannot_be_measured_are_told(run: Run, tmp_path: Path) -> None:
    empty = np.random.default_rng(0).normal(100, 3, (60, 64, 64))
    empty[:, :4] += 50  # something bright, far from the centre
    np.savez(tmp_path / "empty.npz", images=empty, plate=np.arange(60))
    code, _, err = run(
        "latents", "--crops", tmp_path / "empty.npz", "--diameter", 28, "--out", tmp_path / "new"
    )
    assert code == 1
    assert "Only 0 cells could be measured" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_inputs_are_not_replaced(run: Run, files: Path) -> None:
    (files / "picture.png").write_bytes(b"")
    given = ("latents", "--image", files / "picture.png", "--cells", files / "tracks.csv")
    told = "which is read here; choose another name"
    refused(run, told, *given, "--csv", files / "tracks.csv")
    refused(run, told, *given, "--figure", files / "picture.png")
