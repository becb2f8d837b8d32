from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc.errors import Cancelled, MissingExtra
from napari_interpdisc.symbolic.worker import EngineMissing, SearchFailed, run_worker

from ..conftest import alive

COMMAND = [sys.executable, str(Path(__file__).with_name("stand_in_worker.py"))]
ARRAYS = {"z": np.zeros((2, 2))}
posix = pytest.mark.skipif(os.name != "posix", reason="signals and process groups")


def wait_for(path: Path) -> dict[str, object]:
    for _ in range(600):
        if path.exists():
            return dict(json.loads(path.read_text()))
        time.sleep(0.1)
    raise AssertionError("the worker did not start")


def test_progress_and_result_among_other_lines(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    note = tmp_path / "note"
    found = run_worker(
        COMMAND,
        {"do": "answer", "note": str(note)},
        ARRAYS,
        name="Engine",
        progress=lambda done, of: seen.append((done, of)),
    )
    assert found == [{"expression": "z0", "size": 1, "loss": 0.5}]
    assert seen == [(1, 2), (2, 2)]
    assert not Path(json.loads(note.read_text())["folder"]).exists()


def test_a_fault_is_one_sentence() -> None:
    with pytest.raises(SearchFailed, match=r"^Engine failed: line one line two\.$"):
        run_worker(COMMAND, {"do": "fault", "kind": "failed"}, ARRAYS, name="Engine")


def test_a_missing_engine_is_a_missing_extra() -> None:
    with pytest.raises(EngineMissing, match="line one") as caught:
        run_worker(COMMAND, {"do": "fault", "kind": "missing"}, ARRAYS, name="Engine")
    assert isinstance(caught.value, MissingExtra)


def test_last_words_of_a_worker_that_ends_without_a_result() -> None:
    with pytest.raises(SearchFailed, match=r"exit code 3\).*LoadError in line 3\.$"):
        run_worker(COMMAND, {"do": "words"}, ARRAYS, name="Engine")
    with pytest.raises(SearchFailed, match=r"without a result \(exit code 0\)\.$"):
        run_worker(COMMAND, {"do": "silence"}, ARRAYS, name="Engine")


@posix
@pytest.mark.parametrize(
    ("name", "sentence"),
    [("SIGKILL", "want of memory"), ("SIGSEGV", r"crashed \(SIGSEGV\)"), ("SIGILL", "AVX2")],
)
def test_a_killed_worker(name: str, sentence: str) -> None:
    with pytest.raises(SearchFailed, match=sentence):
        run_worker(COMMAND, {"do": "signal", "signal": name}, ARRAYS, name="Engine")


@posix
@pytest.mark.parametrize("how", ["cancelled", "progress"])
def test_stopping_leaves_nothing_behind(tmp_path: Path, how: str) -> None:
    """Neither the worker, which ignores SIGTERM, nor its child, nor the folder."""
    note = tmp_path / "note"

    def stop(done: int, of: int) -> None:
        raise Cancelled("stopped from the progress bar")

    request = {"do": "hang", "note": str(note)}
    with pytest.raises(Cancelled):
        run_worker(
            COMMAND,
            request,
            ARRAYS,
            name="Engine",
            progress=stop if how == "progress" else None,
            cancelled=note.exists if how == "cancelled" else None,
        )
    left = wait_for(note)
    assert not Path(str(left["folder"])).exists()
    for who in ("pid", "child"):
        for _ in range(600):
            if not alive(int(str(left[who]))):
                break
            time.sleep(0.1)
        else:
            pytest.fail(f"{who} still runs")


def test_progress_of_an_engine_that_is_only_watched(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def progress(done: int, of: int) -> None:
        seen.append((done, of))
        if done == 3:
            raise Cancelled("enough")

    request = {"do": "hang", "note": str(tmp_path / "note")}
    with pytest.raises(Cancelled):
        run_worker(
            COMMAND, request, ARRAYS, name="Engine", progress=progress, watch=lambda _: (3, 9)
        )
    assert seen[-1] == (3, 9)
