"""``interpdisc train``: the model that it writes, and what it refuses before any work."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from napari_interpdisc.cells import CellTable
from napari_interpdisc.discovery.kept_cells import write_kept
from napari_interpdisc.discovery.movies import cut_movie
from napari_interpdisc.io.images import read_frames
from napari_interpdisc.models.store import load_model, save_model
from napari_interpdisc.simulate.movie import SimulationSettings
from napari_interpdisc.symbolic.search import julia_is_present

from .conftest import Run, simulated


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with movie.tif and cells.csv, the labels being big and small nuclei."""
    made = simulated(
        tmp_path,
        SimulationSettings(
            shape=(4, 420, 420), cells=24, dividing=0, diameter_spread=0.3, crowding=0, seed=2
        ),
    )
    table = made.cells.to_frame()
    area = pd.Series(made.cells.extra["area"])
    table["state"] = np.select(
        [area > area.median() * 1.1, area < area.median() * 0.9], ["big", "small"], ""
    )
    table.to_csv(tmp_path / "cells.csv", index=False)
    return tmp_path


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Return a TOML file of settings under which a training takes seconds."""
    path = tmp_path / "quick.toml"
    path.write_text(
        """
        augmented = 4
        curve = false
        search_augmented = 1
        [dense]
        steps = 200
        [sparse]
        steps = 300
        restarts = 2
        [search]
        generations = 5
        individuals = 100
        cells = 200
        """
    )
    return path


def words(files: Path, *more: object) -> list[object]:
    return [
        "train", "--image", files / "movie.tif", "--cells", files / "cells.csv",
        "--label-column", "state", "--diameter", 28, "--engine", "operon", "--folds", 3,
        "--out", files / "mine", *more,
    ]  # fmt: skip


def test_a_movie_with_labels_becomes_a_model_that_classifies(
    run: Run, files: Path, recipe: Path
) -> None:
    code, out, err = run(*words(files, "--kind", "sparse", "--seed", 3, "--recipe", recipe))
    assert (code, err) == (0, "")
    assert "stage: Sparse heads (4 trainings)" in out
    assert "sparse is ready after" in out
    assert "held-out balanced accuracy" in out
    assert "calibration: Brier score" in out
    assert "1 head within 0.01 of the best" in out
    card = (files / "mine" / "card.md").read_text("utf-8")
    assert "## Rashomon set" in card
    assert "Effort: own settings (4 augmented crops a cell" in card
    check, truth = (
        pd.read_csv(files / "mine" / "labels_to_check.csv"),
        pd.read_csv(files / "cells.csv"),
    )
    assert str(files / "mine" / "labels_to_check.csv") in out
    assert check["quality"].is_monotonic_increasing
    check = check.merge(truth, left_on=["track", "frame"], right_on=["track_id", "t"])
    assert len(check) == truth["state"].notna().sum()
    assert (check["label"] == check["state"]).all()
    np.testing.assert_allclose(check["y_x"], check["y_y"], atol=0.01)
    model = load_model(files / "mine", device="cpu")
    assert model.name == "mine"
    assert model.head().classes == ("big", "small")
    assert model.head().head.n_weights < 40
    assert "big" in model.card
    code, out, err = run(
        "classify", files / "movie.tif", "--tracks", files / "cells.csv", "--diameter", 28,
        "--model", files / "mine", "--out", files / "table.csv",
    )  # fmt: skip
    assert (code, err) == (0, "")
    table, truth = pd.read_csv(files / "table.csv"), pd.read_csv(files / "cells.csv")
    known = truth["state"].notna().to_numpy()
    assert (table["class"][known] == truth["state"][known]).mean() > 0.9
    code, out, _ = run("models", "--long", "--model", files / "mine")
    assert code == 0
    used = model.head("sparse").head.used_latents
    assert all(f"z{i}" in out for i in used)


def test_crops_in_place_of_a_movie_and_a_formula_that_is_printed(
    run: Run, microscopy: Callable[[str], Path], tmp_path: Path, recipe: Path
) -> None:
    data = np.load(microscopy("mitocheck_crops.npz"), allow_pickle=False)
    keep = np.flatnonzero(np.isin(data["label"], ("Interphase", "Metaphase")))[::6]
    np.savez(
        tmp_path / "some.npz",
        images=data["images"][keep], label=data["label"][keep], plate=data["plate"][keep],
    )  # fmt: skip
    code, out, err = run(
        "train", "--crops", tmp_path / "some.npz", "--kind", "formula", "--engine", "operon",
        "--folds", 2, "--diameter", 26.8, "--recipe", recipe, "--out", tmp_path / "mine",
    )  # fmt: skip
    assert (code, err) == (0, "")
    model = load_model(tmp_path / "mine", device="cpu")
    formula = model.head("formula").head.formulas[0]  # type: ignore[attr-defined]
    assert formula.show(aliases=model.aliases) in out
    check = pd.read_csv(tmp_path / "mine" / "labels_to_check.csv")
    assert sorted(check["row"]) == list(range(len(keep)))
    assert (check["label"] == data["label"][keep][check["row"]]).all()
    config = json.loads((tmp_path / "mine" / "config.json").read_text("utf-8"))
    assert config["heads"][0]["formulas"] == [formula.text]
    code, out, _ = run("models", "--long", "--model", tmp_path / "mine")
    assert f"Metaphase: {formula.show(aliases=model.aliases)} ≥ 0" in out


def test_faults_are_told_before_any_training(
    run: Run, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "napari_interpdisc.discovery.cross_validation.fit_heads",
        lambda *a: pytest.fail("training began"),
    )
    table = pd.read_csv(files / "cells.csv")

    def refused(told: str, *arguments: object) -> None:
        code, out, err = run(*arguments)
        assert code == 1, (out, err)
        assert all(line.startswith(("nuclear", "cells.csv: t from")) for line in out.splitlines())
        assert told in " ".join(err.split())
        assert err.count("Error: ") == 1
        assert not (files / "mine").exists()

    refused("no column 'phase'; it has", *words(files, "--label-column", "phase"))
    refused("no column 'well'", *words(files, "--group-column", "well"))
    refused("No cell has the label 'flat'", *words(files, "--classes", "big,flat"))
    refused("all labelled cells are 'big'", *words(files, "--classes", "big"))
    refused("Give --image and --cells", "train", "--out", files / "mine")
    refused(
        "Give --image and --cells", "train", "--crops", files / "x.npz", "--image",
        files / "movie.tif", "--out", files / "mine",
    )  # fmt: skip
    refused("There is no model", *words(files, "--model", "none"))
    refused(
        "does not exist", "train", "--crops", files / "x.npz", "--diameter", 28, "--kind", "dense",
        "--out", files / "mine",
    )  # fmt: skip
    refused(
        "give it with --diameter", "train", "--crops", files / "x.npz", "--kind", "dense",
        "--out", files / "mine",
    )  # fmt: skip
    table.assign(track_id=1).to_csv(files / "cells.csv", index=False)
    refused("on one track", *words(files))
    table.assign(state=np.where(np.arange(len(table)) < 1, "big", "small")).to_csv(
        files / "cells.csv", index=False
    )
    refused("Class 'big' has 1 labelled cell, fewer than the 3 folds", *words(files))
    # cells of one track would be on both sides of a split
    table.rename(columns={"track_id": "label_id"}).to_csv(files / "cells.csv", index=False)
    refused("no column of tracks that is known (it has t, y, x, label_id,", *words(files))
    # a number that no two cells share is none of tracks
    ids = table.drop(columns="track_id").assign(ID=range(len(table)))
    ids.to_csv(files / "cells.csv", index=False)
    refused("name it with --columns, such as track_id=Track, or other groups", *words(files))
    refused("no column 'well'", *words(files, "--group-column", "well"))
    refused("has no column 'Spur', which", *words(files, "--columns", "track_id=Spur"))
    (files / "mine").mkdir()
    code, _, err = run(*words(files))
    assert code == 1
    assert "already exists" in err


def test_effort_and_recipe_exclude_each_other(run: Run, files: Path, recipe: Path) -> None:
    code, _, err = run(*words(files, "--effort", "quick", "--recipe", recipe))
    assert code != 0
    assert "--recipe and --effort both say how much work is done" in err
    assert not (files / "mine").exists()


@pytest.mark.skipif(julia_is_present(), reason="Julia is installed: PySR is not missing")
def test_without_julia_the_user_is_told_and_chooses(run: Run, files: Path) -> None:
    code, _, err = run(*words(files, "--engine", "pysr"))
    assert code == 1
    assert "Julia" in err
    assert "operon" in err
    code, _, err = run("table1", "--data", files / "none.npz", "--out", files / "t")
    assert code == 1
    assert "operon" in err
    # heads that need no search need no engine
    code, _, err = run(*words(files, "--engine", "pysr", "--kind", "dense", "--label-column", "no"))
    assert "no column 'no'" in err


def test_a_recipe_that_cannot_be_used_is_told_before_any_training(
    run: Run, files: Path, recipe: Path
) -> None:
    for text, told in (
        ("fold = 3", "has a setting 'fold' that cannot be used"),
        ("[sparse]\ndensity = 2", "has a setting 'sparse.density' that cannot be used"),
        ("folds: 3", "is not a TOML file"),
    ):
        recipe.write_text(text)
        code, out, err = run(*words(files, "--recipe", recipe))
        assert (code, out) == (1, "")
        assert err.startswith(f"Error: {recipe}")
        assert told in err
        assert err.count("\n") == 1
    code, _, err = run(*words(files, "--recipe", files / "none.toml"))
    assert code == 1
    assert "There is no file" in err
    assert not (files / "mine").exists()


def test_the_command_line_wins_over_the_recipe(
    run: Run, files: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def stop(cells: Any, asked: Any, *_: Any) -> None:
        seen.append((asked, cells.augmented.shape[0]))
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_interpdisc.discovery.cross_validation.discover", stop)
    recipe.write_text("folds = 7\naugmented = 1\nrotations = 1\nkinds = ['dense']\nseed = 9\n")
    assert run(*words(files, "--recipe", recipe, "--seed", 3)).code == 130
    (asked, copies), *_ = seen
    assert (asked.folds, asked.seed, asked.search.seed) == (3, 3, 3)
    assert (asked.kinds, copies) == (("dense",), 1)


def second(files: Path) -> pd.DataFrame:
    """Copy the movie, and give half of the tracks to each."""
    (files / "second.tif").write_bytes((files / "movie.tif").read_bytes())
    table = pd.read_csv(files / "cells.csv")
    odd = table["track_id"] % 2 == 1
    table[~odd].to_csv(files / "cells.csv", index=False)
    table[odd].to_csv(files / "more.csv", index=False)
    return table


def test_several_movies_train_one_model(run: Run, files: Path, recipe: Path) -> None:
    table = second(files)
    more = ("--image", files / "second.tif", "--cells", files / "more.csv", "--recipe", recipe)
    code, out, err = run(*words(files, *more, "--kind", "dense"))
    assert (code, err) == (0, "")
    told = " ".join(out.split())
    known = table[table["state"].notna()]
    groups = known["track_id"].nunique()
    assert f"{len(known)} labelled cells" in told
    assert f"in {groups} groups" in told
    model = load_model(files / "mine", device="cpu")
    assert [m.name for m in model.movies] == ["movie.tif", "second.tif"]
    assert sum(m.cells for m in model.movies) == len(known)
    assert {(m.diameter, m.measured) for m in model.movies} == {(28.0, "given")}
    assert "| second.tif |" in model.card
    # the same from a table of movies, tested by movie where there are as many as folds
    movies = pd.DataFrame(
        {"image": ["movie.tif", "second.tif"], "cells": ["cells.csv", "more.csv"]}
    )
    movies.assign(diameter=["28", ""]).to_csv(files / "movies.csv", index=False)
    code, out, err = run(
        "train", "--movies", files / "movies.csv", "--label-column", "state", "--diameter", 28.5,
        "--folds", 2, "--kind", "dense", "--recipe", recipe, "--out", files / "theirs",
    )  # fmt: skip
    assert (code, err) == (0, "")
    model = load_model(files / "theirs", device="cpu")
    assert [m.diameter for m in model.movies] == [28.0, 28.5]
    assert "groups (movies) held out of 2 folds" in model.card


def test_movies_that_do_not_pair_up(run: Run, files: Path) -> None:
    second(files)

    def refused(told: str, *arguments: object) -> None:
        code, out, err = run(*arguments)
        assert (code, out) == (1, ""), err
        assert told in " ".join(err.split())
        assert err.count("\n") == 1
        assert not (files / "mine").exists()

    refused("do not pair up (2 --image, 1 --cells)", *words(files, "--image", files / "second.tif"))
    refused("do not pair up (1 --image, 1 --cells, 2 --labels)",
            *words(files, "--labels", "a.tif", "--labels", "b.tif"))  # fmt: skip
    again = ("--image", files / "movie.tif", "--cells", files / "cells.csv")
    code, _, err = run(*words(files, *again))
    assert code == 1
    assert "is given twice" in " ".join(err.split())
    movies = files / "movies.csv"
    of_table = ("train", "--movies", movies, "--out", files / "mine", "--diameter", 28)
    movies.write_text("image,cells\na,\n")
    refused("has no image or no cells in row 0", *of_table)
    refused("Give --image and --cells", *of_table, "--image", files / "movie.tif")


def test_cells_that_discover_kept(run: Run, files: Path, recipe: Path) -> None:
    table = pd.read_csv(files / "cells.csv")
    known = table[table["state"].notna()]
    model = load_model(device="cpu")
    cells = CellTable.from_frame(known[["t", "y", "x", "track_id"]])
    kept = cut_movie(
        "m.tif", read_frames(files / "movie.tif"), cells, known["state"].to_numpy(object),
        cells.track_id, 28.0, "detection", model,
    )  # fmt: skip
    write_kept(files / "kept.npz", [kept])
    code, _, err = run(
        "train", "--crops", files / "kept.npz", "--kind", "dense", "--folds", 3, "--recipe", recipe,
        "--out", files / "mine",
    )  # fmt: skip
    assert (code, err) == (0, "")
    mine = load_model(files / "mine", device="cpu")
    assert mine.movies == (kept.summary,)
    # the same heads as from the movie itself
    code, _, err = run(
        "train", "--image", files / "movie.tif", "--cells", files / "cells.csv", "--label-column",
        "state", "--diameter", 28, "--kind", "dense", "--folds", 3, "--recipe", recipe, "--out",
        files / "again",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert load_model(files / "again", device="cpu").sha256 == mine.sha256


def test_a_column_of_groups_tells_no_images_apart(
    run: Run, files: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.read_csv(files / "cells.csv")
    table["well"] = table["track_id"].map(lambda track: f"w{track % 4}")
    table.to_csv(files / "cells.csv", index=False)
    code, _, err = run(*words(files, "--recipe", recipe))
    assert (code, "cells of several images" in err) == (1, True)
    monkeypatch.setattr(
        "napari_interpdisc.discovery.cross_validation.discover",
        lambda *a: (_ for _ in ()).throw(KeyboardInterrupt),
    )
    named = words(files, "--recipe", recipe, "--group-column", "well")
    assert run(*named).code == 130, "training began"


def test_a_model_whose_name_was_taken_meanwhile_is_kept_with_its_table(
    run: Run, files: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_interpdisc.discovery import cross_validation

    own = cross_validation.discover

    def discover(*given: Any) -> Any:
        (files / "mine").mkdir()
        (files / "mine" / "of another training").touch()
        return own(*given)

    monkeypatch.setattr(cross_validation, "discover", discover)
    done = run(*words(files, "--kind", "dense", "--recipe", recipe))
    (kept,) = files.glob("mine-*")
    assert done.code == 4
    assert f"The result was kept in {kept}" in done.err
    assert {file.name for file in kept.iterdir()} == {
        "card.md", "config.json", "labels_to_check.csv", "weights.safetensors",
    }  # fmt: skip
    assert [file.name for file in (files / "mine").iterdir()] == ["of another training"]


def test_heads_of_properties_are_trained_stored_and_classify(
    run: Run, files: Path, recipe: Path
) -> None:
    code, out, err = run(
        *words(files, "--kind", "formula", "--recipe", recipe, "--labels", files / "masks.tif"),
        "--properties", "area,solidity", "--no-latents",
    )  # fmt: skip
    assert code == 0, err
    assert "properties: measured in the given segmentation" in out
    assert "area = (measured − " in out
    head = load_model(files / "mine", device="cpu").head("formula").head
    assert head.properties.way == "labels"
    assert head.used_properties == ("area",)
    assert head.used_latents == ()
    assert "Measured properties, as heads read them: area = " in (
        files / "mine" / "card.md"
    ).read_text("utf-8")
    done = run(
        "classify", files / "movie.tif", "--tracks", files / "cells.csv", "--model",
        files / "mine", "--diameter", 28, "--labels", files / "masks.tif", "--out",
        files / "out.csv",
    )  # fmt: skip
    assert done.code == 0, done.err
    table = pd.read_csv(files / "out.csv")
    known = table[table["state"].notna() & table["class"].notna()]
    # -area: a threshold of its own does no better on held-out groups, as the two big nuclei next
    # to it are in one group of folds, and so the smaller formula is taken
    assert (known["state"] == known["class"]).mean() > 0.8
    (formula,) = head.formulas
    z = (table["nucleus_area_px2"] - head.properties.centre[0]) / head.properties.scale[0]
    measured = torch.tensor(np.stack([z, 0 * z], 1))
    value = formula.evaluate(torch.zeros(len(z), 1), None, measured) * head.scales[0]
    np.testing.assert_allclose(table["score"], value, atol=1e-3)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--properties", "size"], "There is no property 'size'"),
        (["--no-latents"], "--no-latents needs --properties"),
        (
            ["--named", "--no-latents", "--properties", "area"],
            "--named chooses among latents, and no latent is read",
        ),
    ],
)
def test_properties_that_cannot_be_read(run: Run, files: Path, more: list[str], told: str) -> None:
    code, _, err = run(*words(files, *more))
    assert code == 1
    assert told in " ".join(err.split())
    assert not (files / "mine").exists()


def test_named_latents_alone_need_a_model_with_names(run: Run, files: Path, tmp_path: Path) -> None:
    nameless = replace(load_model(device="cpu"), meanings=())
    save_model(nameless, tmp_path / "nameless")
    code, _, err = run(*words(files, "--named", "--model", tmp_path / "nameless"))
    assert code == 1
    told = " ".join(err.split())
    assert "has a name, so that nothing is left to read; name them with interpdisc latents" in told
    assert not (files / "mine").exists()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--study", "study.db"), "it is no database; give another name"),
        (("--study", "no/study.db"), "does not exist; create it"),
        (("--study", "movie.tif"), "which is read here"),
    ],
)
def test_places_are_tested_before_any_work(
    run: Run, files: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch,
    more: tuple[str, str], told: str,
) -> None:  # fmt: skip
    def load(*_: object) -> None:
        raise AssertionError("work began")

    monkeypatch.setattr("napari_interpdisc.models.store.load_model", load)
    (files / "study.db").write_text("no database")
    code, out, err = run(*words(files, "--recipe", recipe, more[0], files / more[1]))
    assert (code, out) == (1, "")
    assert told in err
