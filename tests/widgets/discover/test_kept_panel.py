"""Annotated cells of several movies train one model, from the window."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_interpdisc.discovery.kept_cells import read_kept
from napari_interpdisc.widgets.discover.kept_panel import NOTHING

from .conftest import TRACKS, Settled, annotate_all, fault


def test_keep_and_train_on_two_movies(
    scene: SimpleNamespace,
    settled: Settled,
    quick: list[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    widget, path = scene.widget, tmp_path / "kept.npz"
    asked: list[Path] = []
    monkeypatch.setattr(widget.kept, "ask", lambda: asked.append(path))
    widget.kept.keep_button.click()
    assert "No cell is annotated yet" in fault(scene)
    assert asked == [], "before a file is asked for"
    annotate_all(scene)
    widget.kept.keep_button.click()
    assert asked == [path]
    n = len(widget.annotations.marks)
    widget.keep_in(path)
    settled()
    assert widget.status.text() == f"{n} cells of 'movie' are kept in {path}."
    assert widget.kept.told.text() == f"Trains on {n} kept cells of 1 movie too (kept.npz)."
    # the movie in the window counts as it is annotated now, and is not trained on twice
    widget.training.start.click()
    settled()
    assert len(quick[-1][0]) == n
    # another movie
    scene.session.image.name = "second"
    widget.training.start.click()
    settled()
    cells = quick[-1][0]
    assert len(cells) == 2 * n
    assert len(np.unique(cells.group)) == 2 * TRACKS
    np.testing.assert_allclose(cells.latents[:n], cells.latents[n:], atol=1e-5)
    assert [m.name for m in widget.results.model().movies] == ["movie", "second"]
    widget.keep_in(path)
    settled()
    assert [m.name for m in read_kept(path)] == ["movie", "second"]
    widget.keep_in(path)
    settled()
    assert "in place of those that were kept of it before" in widget.status.text()
    widget.kept.close_button.click()
    assert widget.kept.told.text() == NOTHING
    assert path.exists()


def test_open_what_was_kept(
    scene: SimpleNamespace, settled: Settled, quick: list[Any], tmp_path: Path
) -> None:
    widget, path = scene.widget, tmp_path / "kept.npz"
    annotate_all(scene)
    n = len(widget.annotations.marks)
    widget.keep_in(path)
    settled()
    widget.kept.close_file()
    widget.annotations.replace_all(("other",), ())
    (tmp_path / "wrong.npz").write_bytes(b"no archive")
    widget.open_kept(tmp_path / "wrong.npz")
    assert "no file of cells kept for training" in fault(scene)
    assert widget.annotations.classes == ("other",)
    widget.open_kept(path)
    assert widget.annotations.classes == ("class 1", "class 2")
    # kept cells alone can be trained on
    widget.training.start.click()
    settled()
    assert not widget.status.is_fault, widget.status.text()
    assert len(quick[-1][0]) == n


def test_a_file_of_something_else_is_not_replaced(
    scene: SimpleNamespace, settled: Settled, tmp_path: Path
) -> None:
    annotate_all(scene)
    path = tmp_path / "mine.npz"
    np.savez(path, images=np.zeros((2, 4, 4)))
    before = path.read_bytes()
    scene.widget.keep_in(path)
    settled()
    assert "no file of cells kept for training" in fault(scene)
    assert path.read_bytes() == before
    assert scene.widget.kept.path is None
