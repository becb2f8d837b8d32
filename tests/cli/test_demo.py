"""``interpdisc demo``: how its options reach the demo, and when the window opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_interpdisc.errors import MissingExtra

from .conftest import Run


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the demo was asked for, in place of the demo."""
    seen: list[Any] = []

    def run_demo(
        out: Path, frames: int | None, window: bool | None, say: Any, progress: Any
    ) -> Any:
        seen.append((out, frames, window))
        progress(1, 1)
        say("table [of cells]")
        return None if window is False else lambda: seen.append("window")

    monkeypatch.setattr("napari_interpdisc.demo.run_demo", run_demo)
    return seen


def test_the_demo_without_a_window(run: Run, asked: list[Any], tmp_path: Path) -> None:
    done = run("demo", "--out", tmp_path / "d", "--frames", 3, "--no-window")
    assert (done.code, done.err) == (0, "")
    assert done.out == "table [of cells]\n"
    assert asked == [(tmp_path / "d", 3, False)]


def test_the_window_opens_once_the_table_is_written(run: Run, asked: list[Any]) -> None:
    assert run("demo").code == 0
    assert asked == [(Path("interpdisc-demo"), None, None), "window"]


def test_one_frame_is_no_movie(run: Run, asked: list[Any]) -> None:
    assert run("demo", "--frames", 1).code == 2
    assert not asked


def test_a_movie_that_cannot_be_fetched_is_one_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise MissingExtra("The sample movie cannot be downloaded.")

    monkeypatch.setattr("napari_interpdisc.demo.run_demo", missing)
    assert run("demo") == (1, "", "Error: The sample movie cannot be downloaded.\n")
