"""``interpdisc run``: what it prints, and its exit codes; tests/experiment has the rest."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from napari_interpdisc.cli.run import SOME_FAILED

from .conftest import Run, refused


@pytest.fixture
def plan(run: Run, files: Path) -> Path:
    """Return a plan with comments, changed to find ``files``."""
    path = files / "PLAN.toml"
    done = run("run", path, "--init")
    assert (done.code, done.out.strip()) == (0, str(path))
    text = path.read_text("utf-8").replace("movies/{name}.tif", "{name}.tif")
    path.write_text(text.replace("tracks/{name}.csv", "tracks.csv"), "utf-8")
    (files / "masks.tif").unlink()
    return path


def test_a_plan_is_written_dry_run_and_done(run: Run, plan: Path, files: Path) -> None:
    dry = run("run", plan, "--dry-run", "--workers", "1")
    assert dry.code == 0, dry.err
    assert dry.out.startswith("1 image, from movie to movie")
    assert not (files / "results").exists()
    done = run("run", plan, "--workers", "1")
    assert done.code == 0, done.err
    *_, last, where = done.out.splitlines()
    n = len(pd.read_parquet(files / "results" / "cells"))
    assert last.startswith(f"{n} cells of 1 image; {n} cells in ")
    assert last.endswith("0 images failed.")
    assert where == str(files / "results")
    assert "Note: run.json has notes on 1 image, such as on movie: " in done.err


def test_a_broken_image_is_told_by_the_exit_code(run: Run, plan: Path, files: Path) -> None:
    (files / "movie.tif").write_bytes(b"II*\0")
    done = run("run", plan)
    assert done.code == SOME_FAILED
    assert "Note: movie failed: " in done.err
    assert done.out.splitlines()[-2].endswith("1 image failed.")


def test_what_is_refused(run: Run, plan: Path, files: Path) -> None:
    refused(run, "is there already; give another name.", "run", plan, "--init")
    refused(run, "leave --dry-run out", "run", files / "x.toml", "--init", "--dry-run")
    refused(run, "There is no file", "run", files / "none.toml")
    refused(run, "--scheduler slurm is not known", "run", plan, "--scheduler", "slurm")
    address = ("--scheduler", "tcp://a:1", "--workers", 3)
    refused(run, "--workers is for threads and processes", "run", plan, *address)
