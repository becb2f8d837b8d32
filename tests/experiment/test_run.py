"""Whole experiments: results, what is done again and what is not, and what is refused."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc import pipeline
from napari_interpdisc.batch.inputs import find_items
from napari_interpdisc.batch.lock import FolderLock
from napari_interpdisc.batch.plan import Plan, read_plan
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.experiment import parts
from napari_interpdisc.experiment.opening import open_item
from napari_interpdisc.experiment.run import RunResult, duration, run_plan
from napari_interpdisc.io.results import CannotWrite
from napari_interpdisc.models.store import load_model

from .conftest import Break, contents

STAND_IN = Path(__file__).with_name("stand_in_killed.py")


def data_of(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out / "cells")


def test_the_data_set_is_what_classify_says(plan: Plan, lab: Path) -> None:
    told: list[str] = []
    steps: list[tuple[int, int]] = []
    result = run_plan(plan, "threads", 2, lambda *step: steps.append(step), told.append)
    table = data_of(plan.out)
    assert result.finished == ["A1_0", "B2_0"]
    assert result.cells == result.cells_in_all == len(table)
    assert told == [f"2 images; {len(table)} cells to classify"]
    assert steps[0] == (0, len(table))
    assert steps[-1] == (len(table), len(table))
    for item in find_items(plan.images):
        opened = open_item(item, plan)
        direct = pipeline.classify(opened.frames, opened.cells, load_model(), 22).to_frame()
        own = table[table["image"] == item.name]
        assert set(own["well"]) == {item.well}
        assert own["t"].is_monotonic_increasing
        joined = own.set_index("row").loc[direct.index]
        assert joined["class"].tolist() == direct["class"].tolist()
        np.testing.assert_allclose(joined["z_3"], direct["z_3"], atol=1e-4)
    tracks = pd.read_csv(plan.out / "tracks.csv")
    assert set(tracks["track_id"]) == set(table["track_id"])
    assert (tracks["cells"].groupby(tracks["image"]).sum() == table.groupby("image").size()).all()
    images, wells = pd.read_csv(plan.out / "images.csv"), pd.read_csv(plan.out / "wells.csv")
    assert images["n_Metaphase"].sum() == (table["class"] == "Metaphase").sum()
    assert wells["well"].tolist() == ["A1", "B2"]
    assert pd.read_csv(plan.out / "failures.csv").empty
    about = json.loads((plan.out / "run.json").read_text("utf-8"))
    assert about["model_sha256"] == load_model().sha256
    assert about["images_of_plan"]["pattern"] == "../movies/{well}_{name}.tif"
    assert about["images"][0]["inputs"][0]["size"] == (lab / "movies" / "A1_0.tif").stat().st_size
    assert about["images"][0]["frame_interval"] == 300


def test_a_finished_run_does_nothing_again_and_changes_nothing(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_plan(plan)
    before = contents(plan.out)
    monkeypatch.setattr(pipeline, "encode_cells", None)  # not called
    told: list[str] = []
    again = run_plan(plan, tell=told.append)
    assert again.cells == 0
    assert told == ["2 images; 2 are finished already; 0 cells to classify"]
    assert contents(plan.out) == before


def test_a_broken_image_is_told_and_done_once_it_is_mended(
    plan: Plan, lab: Path, break_one: Break
) -> None:
    break_one()
    result = run_plan(plan)
    assert result.finished == ["A1_0", "B2_0"]
    assert "damaged or incomplete" in result.failures["C3_0"]
    assert result.sentence().endswith("1 image failed.")
    failures = pd.read_csv(plan.out / "failures.csv")
    assert failures["image"].tolist() == ["C3_0"]
    assert set(data_of(plan.out)["image"]) == {"A1_0", "B2_0"}
    shutil.copy(lab / "movies" / "A1_0.tif", lab / "movies" / "C3_0.tif")
    mended = run_plan(plan)
    assert not mended.failures
    assert 0 < mended.cells < mended.cells_in_all
    assert "of them by earlier runs" in mended.sentence()


def test_a_blank_movie_fails_and_a_blank_frame_does_not(plan: Plan, lab: Path) -> None:
    import tifffile

    for name, blank in (("A1_0", slice(2, 3)), ("B2_0", slice(None))):
        path = lab / "movies" / f"{name}.tif"
        movie = tifffile.imread(path)
        movie[blank] = 0
        tifffile.imwrite(path, movie, photometric="minisblack", metadata={"axes": "TYX"})
    result = run_plan(plan)
    assert result.finished == ["A1_0"]
    assert "No cell of 'B2_0' can be used" in result.failures["B2_0"]
    table = data_of(plan.out)
    assert table["class"].isna().eq(table["t"] == 2).all()
    assert set(table["flag"][table["t"] == 2]) != {""}


def test_it_goes_on_from_another_folder_and_when_all_is_moved(
    plan: Plan, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_plan(plan)
    before = contents(plan.out)
    moved = lab.rename(lab.with_name("moved"))
    monkeypatch.chdir(moved)
    assert run_plan(read_plan("PLAN.toml")).cells == 0
    assert contents(moved / "results") == before


def test_earlier_results_of_an_image_that_cannot_be_read_now_are_kept(
    plan: Plan, lab: Path
) -> None:
    run_plan(plan)
    (lab / "tracks" / "B2_0.csv").unlink()
    images = plan.images.model_copy(update={"missing": "skip"})
    result = run_plan(plan.model_copy(update={"images": images}))
    assert result.failures["B2_0"].endswith("Its results of an earlier run are kept.")
    for name in ("images.csv", "failures.csv"):
        assert "B2_0" in set(pd.read_csv(plan.out / name)["image"])
    assert set(data_of(plan.out)["image"]) == {"A1_0", "B2_0"}


def test_what_auto_means_is_settled_once(plan: Plan) -> None:
    model = plan.model.model_copy(update={"precision": "auto"})
    run_plan(plan.model_copy(update={"model": model}))
    about = json.loads((plan.out / "run.json").read_text("utf-8"))
    assert about["plan"]["model"]["precision"] in ("float32", "bfloat16")


def test_one_image_that_changed_is_done_again_and_no_other(plan: Plan, lab: Path) -> None:
    run_plan(plan)
    cells = pd.read_csv(lab / "tracks" / "B2_0.csv")
    cells.iloc[:-1].to_csv(lab / "tracks" / "B2_0.csv", index=False)
    told: list[str] = []
    result = run_plan(plan, tell=told.append)
    assert told[0] == "B2_0 has changed since it was done; it is done again."
    assert result.cells == len(cells) - 1
    table = data_of(plan.out)
    assert (table["image"] == "B2_0").sum() == len(cells) - 1


def test_a_part_that_was_damaged_is_done_again(plan: Plan) -> None:
    run_plan(plan)
    before = contents(plan.out)
    part = next((plan.out / "cells" / "A1" / "A1_0").iterdir())
    part.write_bytes(part.read_bytes()[:-7])
    told: list[str] = []
    result = run_plan(plan, tell=told.append)
    assert told[0] == "Files of A1_0 are not as they were written; it is done again."
    assert result.finished == ["A1_0", "B2_0"]
    assert contents(plan.out) == before


def test_another_plan_or_images_that_are_gone_are_refused(plan: Plan, lab: Path) -> None:
    run_plan(plan)
    before = contents(plan.out)
    text = (lab / "PLAN.toml").read_text()
    (lab / "PLAN.toml").write_text(text.replace("diameter = 22", "diameter = 23"))
    with pytest.raises(InvalidInput, match=r"made otherwise \(reading.diameter: 22.0 → 23.0\); ch"):
        run_plan(read_plan(lab / "PLAN.toml"))
    (lab / "movies" / "B2_0.tif").unlink()
    with pytest.raises(InvalidInput, match=r"results of 1 image that the plan .*first: B2_0"):
        run_plan(plan)
    assert contents(plan.out) == before


def test_the_folder_of_another_is_refused(plan: Plan) -> None:
    plan.out.mkdir()
    (plan.out / "thesis.doc").write_text("")
    with pytest.raises(InvalidInput, match="no results of interpdisc run"):
        run_plan(plan)
    shutil.rmtree(plan.out)
    plan.out.write_text("")
    with pytest.raises(InvalidInput, match="is a file; give the name of a folder"):
        run_plan(plan)


def test_a_second_run_is_refused(plan: Plan) -> None:
    (plan.out / "work").mkdir(parents=True)
    with (
        FolderLock(plan.out / "work" / "lock", "the other"),
        pytest.raises(InvalidInput, match=rf"in use by another run \(process {os.getpid()} on "),
    ):
        run_plan(plan)


@pytest.mark.parametrize("n", [4, 9])
def test_a_full_disk_ends_in_a_sentence_and_the_run_goes_on(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    """The disk is full from the n-th part or note on."""
    written = 0
    whole = plan.model_copy(update={"out": plan.out.with_name("whole")})
    run_plan(whole)

    def write(*given: Any) -> Path:
        nonlocal written
        written += 1
        if written >= n:
            raise CannotWrite("x was not written: the disk is full; free some space.")
        return Path(real(*given))

    real = parts.write_whole
    for module in ("parts", "part_table"):
        name = f"napari_interpdisc.experiment.{module}.write_whole"
        monkeypatch.setattr(name, write, raising=False)
    monkeypatch.setattr("napari_interpdisc.batch.run_folder.write_whole", write)
    with pytest.raises(InvalidInput, match="the disk is full"):
        run_plan(plan)
    monkeypatch.undo()
    for part in plan.out.rglob("*.parquet"):
        pd.read_parquet(part)
    run_plan(plan)
    assert contents(plan.out) == contents(whole.out)


def test_a_disk_that_is_full_for_pyarrow_too(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("napari_interpdisc.experiment.parts.write_part", full)
    with pytest.raises(CannotWrite, match=r"the disk is full; free some space. All finished"):
        run_plan(plan)
    assert not list(plan.out.rglob("*.partial*"))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_killed_at_random_times_the_result_is_the_same(lab: Path) -> None:
    path = lab / "PLAN.toml"
    path.write_text("anndata = true\n" + path.read_text("utf-8"), "utf-8")
    words = [sys.executable, str(STAND_IN), str(path), str(lab)]
    done = subprocess.run(
        [*words, "3", "0", "threads"], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["died"] >= 2
    whole = contents(lab / "whole")
    assert "cells.h5ad" in whole
    assert len([name for name in whole if name.endswith(".parquet")]) == 6
    for k in range(3):
        assert contents(lab / f"killed{k}") == whole


@pytest.mark.slow
def test_processes_give_the_same_bytes_as_threads(plan: Plan) -> None:
    other = plan.model_copy(update={"out": plan.out.with_name("other")})
    run_plan(plan, "threads", 2)
    run_plan(other, "processes", 1)
    assert contents(plan.out) == contents(other.out)


def test_what_cannot_be_is_told_before_any_work(plan: Plan) -> None:
    kept = plan.cells.model_copy(update={"keep_texts": ("flag",)})
    with pytest.raises(InvalidInput, match="'flag' that the plan keeps is one of the result"):
        run_plan(plan.model_copy(update={"cells": kept}))
    order = plan.tracks.model_copy(update={"order": "Interphase > Prophase"})
    with pytest.raises(InvalidInput, match="names 'Prophase', which is no class"):
        run_plan(plan.model_copy(update={"tracks": order}))
    assert not plan.out.exists()


def test_sentences() -> None:
    assert [duration(s) for s in (4.4, 99, 101, 7500)] == ["4 s", "99 s", "2 min", "2 h 5 min"]
    result = RunResult(3, ["a", "b"], {"c": "why"}, 10_000, 12_000, 5.0)
    assert result.sentence() == (
        "12,000 cells of 2 images, 2,000 of them by earlier runs; 10,000 cells in 5 s "
        "(2,000 cells/s); 1 image failed."
    )


def test_results_in_the_place_of_an_input_are_refused(plan: Plan) -> None:
    item = find_items(plan.images)[0]
    for path in (item.image, item.cells):
        assert path is not None
        with pytest.raises(InvalidInput, match=r"would replace .*, which is read here"):
            run_plan(plan.model_copy(update={"out": path}))
