"""``interpdisc scorecard``: what is written, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_interpdisc.cli import scorecard as command
from napari_interpdisc.models.store import load_model, replace_heads, save_model
from napari_interpdisc.scrutiny.score_tests import LARGEST_SEED, MOST_SIMULATED
from napari_interpdisc.simulate.crops import CropSimulation, simulate_crops

from .conftest import Run, refused


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    """Return an archive of 24 crops on four plates, half of them Interphase."""
    images, _ = simulate_crops(24, 0, CropSimulation(side=112, noise=(0.05, 0.05)))
    np.savez(
        tmp_path / "crops.npz",
        images=images,
        label=np.where(np.arange(24) % 2, "Interphase", "Metaphase"),
        plate=np.arange(24) // 6,
    )
    return tmp_path / "crops.npz"


def test_a_table_sentences_and_pictures(run: Run, crops: Path) -> None:
    out = crops.parent / "out"
    code, told, err = run(
        "scorecard", "h2b", "--head", "dense", "--head", "formula", "--head", "dense",
        "--crops", crops, "--diameter", 26, "--most", 8, "--classes", "Interphase, Anaphase",
        "--simulated", 6, "--out", out,
    )  # fmt: skip
    assert code == 0, err
    assert " ".join(err.split()) == "Note: No cell has the label Anaphase in 'label'."
    assert "6 simulated cells, which are not real cells" in told
    assert "dense of h2b:" in told
    assert "formula of h2b:" in told
    table = pd.read_csv(out / "scorecard.csv")
    assert set(table["head"]) == {"dense", "formula"}
    assert table["changed"].between(0, 1).all()
    note = json.loads((out / "scorecard.json").read_text("utf-8"))
    assert note["classes"] == ["Interphase", "Anaphase"]
    assert note["heads"] == ["dense", "formula"]
    assert note["group"] == "plate"
    assert (note["most"], note["label_column"]) == (8, "label")
    assert note["settings"]["target_limit"] == 0.01
    assert sum(note["calls"]["dense"].values()) == table["cells"].iloc[0]
    sentences = " ".join(note["sentences"]["dense"])
    assert "of h2b" in sentences
    assert "simulated factors" in set(table["constraint"])
    assert "The shortcut index was not measured: it takes 20 cells at least." in sentences
    told = (out / "scorecard.md").read_text("utf-8")
    assert told.startswith("| constraint | what is changed | allowed | dense | formula |")
    files = {path.name for path in out.iterdir()}
    assert {"scorecard.png", "worst-dense.png", "worst-formula.png"} <= files


def test_a_movie_with_masks(run: Run, files: Path) -> None:
    code, _, err = run(
        "scorecard", "h2b", "--image", files / "movie.tif", "--cells", files / "tracks.csv",
        "--labels", files / "masks.tif", "--most", 6, "--simulated", 0, "--out", files / "out",
    )  # fmt: skip
    assert code == 0, err
    assert (files / "out" / "scorecard.csv").is_file()
    note = json.loads((files / "out" / "scorecard.json").read_text("utf-8"))
    assert note["image"].endswith("movie.tif")
    assert note["labels"].endswith("masks.tif")
    assert note["most"] == 6
    assert note["label_column"] is None


def test_what_is_refused(run: Run, crops: Path) -> None:
    out = crops.parent / "out"
    refused(run, "Give --image and --cells, or --crops", "scorecard", "h2b", "--out", out)
    refused(
        run, "No cell has a label of Anaphase in 'label'", "scorecard", "h2b", "--crops", crops,
        "--diameter", 26, "--classes", "Anaphase", "--out", out,
    )  # fmt: skip
    refused(
        run, "has no head 'nothing'", "scorecard", "h2b", "--crops", crops, "--diameter", 26,
        "--head", "nothing", "--out", out,
    )  # fmt: skip
    refused(
        run, "A control is fitted on labels", "scorecard", "h2b", "--crops", crops, "--diameter",
        26, "--control", "forest", "--classes", "Interphase", "--out", out,
    )  # fmt: skip
    refused(
        run, "'svm' is no control; there are cnn and forest", "scorecard", "h2b", "--crops", crops,
        "--diameter", 26, "--control", "svm", "--classes", "Interphase,Metaphase", "--out", out,
    )  # fmt: skip
    refused(
        run, "in 5 groups at least", "scorecard", "h2b", "--crops", crops, "--diameter", 26,
        "--control", "forest", "--classes", "Interphase,Metaphase", "--out", out,
    )  # fmt: skip


def test_a_control_stands_beside_the_heads(run: Run, tmp_path: Path) -> None:
    images, _ = simulate_crops(30, 0, CropSimulation(side=112, noise=(0.05, 0.05)))
    np.savez(tmp_path / "many.npz", images=images, state=np.arange(30) % 2, well=np.arange(30) // 3)
    code, told, err = run(
        "scorecard", "h2b", "--crops", tmp_path / "many.npz", "--diameter", 26, "--control",
        "forest", "--classes", "0,1", "--label-column", "state", "--group-column", "well",
        "--simulated", 0, "--out", tmp_path / "out",
    )  # fmt: skip
    assert code == 0, err
    assert "Head 'dense' does not know 0, 1; these cells are tested too." in " ".join(err.split())
    assert "forest of control:" in told
    table = pd.read_csv(tmp_path / "out" / "scorecard.csv")
    assert set(table["head"]) == {"dense", "forest"}
    assert {"changed_0", "changed_1", "changed_Metaphase"} <= set(table)
    assert "shortcut" not in set(table[table["head"] == "forest"]["constraint"])
    assert (tmp_path / "out" / "worst-forest.png").is_file()


def test_cells_without_contrast_are_tested_on_what_needs_no_mask(run: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "flat.npz", images=np.full((4, 112, 112), 7, np.uint8))
    code, told, err = run(
        "scorecard", "h2b", "--crops", tmp_path / "flat.npz", "--diameter", 26, "--simulated", 0,
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert code == 0, err
    assert "None of 4 cells has a reliable mask" in " ".join(err.split())
    assert "The nuclei have no masks" in told
    assert "calls every cell" in told
    assert (tmp_path / "out" / "scorecard.png").is_file()


@pytest.mark.parametrize(
    ("which", "told_out", "told_err"),
    [
        ("one", "One cell has no other", ""),
        ("edge", "The nuclei have no masks", "All 3 cells are cut by the edge of the image"),
    ],
)
def test_what_can_be_measured_on_poor_cells_is(
    run: Run, files: Path, which: str, told_out: str, told_err: str
) -> None:
    table = pd.read_csv(files / "tracks.csv")
    inside = table[table.y.between(30, 80) & table.x.between(30, 210) & (table.t == 0)]
    masks = tifffile.imread(files / "masks.tif")[0]
    area = [
        (masks == masks[round(y), round(x)]).sum() for y, x in zip(inside.y, inside.x, strict=True)
    ]
    largest = inside.iloc[[int(np.argmax(area))]]
    cells = {"one": largest, "edge": table.head(3).assign(y=4.0)}[which]
    cells.to_csv(files / "cells.csv", index=False)
    code, told, err = run(
        "scorecard", "h2b", "--image", files / "movie.tif", "--cells", files / "cells.csv",
        "--diameter", round(2 * (max(area) / np.pi) ** 0.5), "--labels", files / "masks.tif",
        "--simulated", 0, "--out", files / "out",
    )  # fmt: skip
    assert code == 0, err
    assert told_out in told
    assert told_err in " ".join(err.split())
    assert (files / "out" / "scorecard.csv").is_file()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--labels", "masks.tif"), "--labels describes an image; leave it out with --crops"),
        (("--channel", 0), "--channel describes an image"),
        (
            ("--channel-axis", 0, "--labels", "masks.tif"),
            "--labels and --channel-axis describe an image; leave them out",
        ),
        (("--swap-xy",), "--swap-xy: there is no table of cells to read; leave it out"),
        (("--label-column", "state"), "give --classes too, or leave it out"),
        (("--classes", " , "), "--classes holds no name; give labels such as"),
        (("--classes", ""), "--classes holds no name"),
        (("--out", "."), "'.' is no name for a new folder"),
    ],
)
def test_options_that_do_not_go_together(
    run: Run, tmp_path: Path, words: tuple[object, ...], told: str
) -> None:
    given = ("--crops", tmp_path / "unread.npz", "--diameter", 26, "--out", tmp_path / "out")
    refused(run, told, "scorecard", "h2b", *given, *words)


@pytest.mark.parametrize(
    "words", [("--seed", LARGEST_SEED + 1), ("--simulated", MOST_SIMULATED + 1), ("--seed", -1)]
)
def test_numbers_out_of_range(run: Run, tmp_path: Path, words: tuple[object, ...]) -> None:
    code, _, err = run("scorecard", "h2b", "--out", tmp_path / "out", *words)
    assert code == 2
    assert "Traceback" not in err
    assert f"Invalid value for '{words[0]}'" in err


def test_the_command_and_its_settings_have_the_same_bounds() -> None:
    assert (command.LARGEST_SEED, command.MOST_SIMULATED) == (LARGEST_SEED, MOST_SIMULATED)


@pytest.mark.parametrize("control", ["cnn", "forest"])
def test_a_head_that_is_called_as_a_control(run: Run, crops: Path, control: str) -> None:
    model = load_model(device="cpu")
    head = replace(model.head("dense"), name=control)
    save_model(replace_heads(model, "own", {control: head}, "# own"), crops.parent / "own")
    refused(
        run, f"leave out either --head {control} or --control {control}", "scorecard",
        crops.parent / "own", "--crops", crops, "--diameter", 26, "--control", control,
        "--classes", "Interphase,Metaphase", "--out", crops.parent / "out",
    )  # fmt: skip


@pytest.mark.parametrize("suffix", ["csv", "npz"])
def test_cells_without_a_group(run: Run, files: Path, suffix: str) -> None:
    if suffix == "csv":
        table = pd.read_csv(files / "tracks.csv")
        table["plate"] = ["a", " ", None] + ["b"] * (len(table) - 3)
        table.to_csv(files / "cells.csv", index=False)
        given = ["--image", files / "movie.tif", "--cells", files / "cells.csv"]
        given += ["--group-column", "plate"]
    else:
        images = np.random.default_rng(0).normal(size=(4, 112, 112))
        np.savez(files / "cells.npz", images=images, plate=[0, np.nan, 1, np.nan])
        given = ["--crops", files / "cells.npz"]
    told = f"2 cells have no plate in {files / f'cells.{suffix}'}; give each one"
    refused(run, told, "scorecard", "h2b", *given, "--diameter", 26, "--out", files / "out")


def test_settings_that_look_wrong_are_told(run: Run, crops: Path) -> None:
    with np.load(crops) as archive:
        arrays = dict(archive)
    inverted = crops.with_name("inverted.npz")
    np.savez(inverted, **{**arrays, "images": 255 - arrays["images"]})
    out = crops.parent / "out"
    code, _, err = run(
        "scorecard", "h2b", "--crops", inverted, "--diameter", 26, "--simulated", 0, "--out", out,
    )  # fmt: skip
    assert code == 0, err
    assert "the image is inverted" in " ".join(err.split())
    note = json.loads((out / "scorecard.json").read_text("utf-8"))
    assert [check["check"] for check in note["checks"] if check["advice"]] == ["channel"]
    table = pd.read_csv(out / "scorecard.csv")
    assert table["worst"].dropna().str.match(r"crop \d+").all()
