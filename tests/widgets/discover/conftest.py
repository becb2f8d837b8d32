"""A classified movie, the Discover widget, and a training that is over at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.discovery import cross_validation
from napari_interpdisc.discovery.quality import Quality
from napari_interpdisc.discovery.results import CurvePoint, Discovery, FittedHead, FrontRow
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.heads import DenseHead
from napari_interpdisc.pipeline import classify
from napari_interpdisc.widgets.canvas.layers import frames_from_layer
from napari_interpdisc.widgets.discover.annotations import Annotations
from napari_interpdisc.widgets.discover.widget import DiscoverWidget
from napari_interpdisc.widgets.session import session_of

from ..conftest import put_up

DIAMETER, FRAMES, TRACKS = 20.0, 3, 12


Settled = Callable[[], None]


def round_and_long() -> tuple[np.ndarray, np.ndarray]:
    """Movie (T, Y, X), and cells (N, 4) of track, t, y, x: even tracks are round, odd ones long."""
    draw = np.random.default_rng(1)
    rows, cols = np.mgrid[:150, :200]
    movie = draw.normal(10, 1, (FRAMES, 150, 200))
    cells = []
    for t in range(FRAMES):
        for track in range(TRACKS):
            y, x = 28 + 47 * (track // 4) + t, 28 + 48 * (track % 4) + t
            a, b = (9, 9) if track % 2 == 0 else (4, 11)
            r2 = ((rows - y) / a) ** 2 + ((cols - x) / b) ** 2
            movie[t] += 100 * np.exp(-(r2**2))
            cells.append((track, t, y, x))
    return movie.astype(np.float32), np.array(cells, float)


@pytest.fixture
def scene(make_viewer: Callable[..., Any], qtbot: Any) -> SimpleNamespace:
    """A classified movie of 12 tracks in three frames, and the dock widget."""
    viewer = make_viewer(show=True)
    movie, cells = round_and_long()
    image = viewer.add_image(movie, name="movie", scale=(1, 0.5, 0.5))
    points = viewer.add_points(cells[:, 1:], name="cells", size=4, scale=(1, 0.5, 0.5))
    session, frames = session_of(viewer), frames_from_layer(image)

    def finish() -> None:
        table = CellTable.from_arrays(cells[:, 1], cells[:, 2:], cells[:, 0], source="cells")
        result = classify(frames, table, session.model, DIAMETER)
        session.set_result(image, points, None, frames, result)

    finish()
    widget = DiscoverWidget(viewer)
    put_up(viewer, widget, "Discover", qtbot)
    viewer.dims.set_current_step(0, 0)
    return SimpleNamespace(
        viewer=viewer, widget=widget, session=session, cells=points, table=cells, finish=finish
    )


@pytest.fixture
def settled(scene: SimpleNamespace, qtbot: Any) -> Settled:
    return lambda: qtbot.waitUntil(lambda: not scene.widget.work.running, timeout=120_000)


def world(scene: SimpleNamespace, row: int) -> np.ndarray:
    return scene.table[row, 1:] * (1, 0.5, 0.5)


def click(scene: SimpleNamespace, row: int, drag: float = 0) -> None:
    """Click a cell of the frame shown, as napari would pass it on."""
    position = world(scene, row)
    event = SimpleNamespace(
        type="mouse_press", button=1, modifiers=(), pos=np.zeros(2), position=position
    )
    running = [callback(scene.viewer, event) for callback in scene.viewer.mouse_drag_callbacks]
    running = [generator for generator in running if generator is not None]
    for generator in running:
        next(generator, None)
    if drag:
        event.type, event.pos = "mouse_move", np.array([drag, 0])
        for generator in running:
            next(generator, None)
    event.type = "mouse_release"
    for generator in running:
        next(generator, None)


def press(scene: SimpleNamespace, key: str) -> None:
    scene.viewer.window._qt_viewer.canvas._key_map_handler.press_key(key)


def annotate_all(scene: SimpleNamespace, tracks: int = TRACKS) -> None:
    names = {
        row: scene.widget.annotations.classes[int(track) % 2]
        for row, track in enumerate(scene.table[:, 0])
        if track < tracks
    }
    scene.widget.annotations.annotate(scene.session.encoding.cells, names)


def fault(scene: SimpleNamespace) -> str:
    assert scene.widget.status.is_fault
    assert not scene.widget.work.running
    return str(scene.widget.status.text())


def formula(text: str, accuracy: float) -> FrontRow:
    head = FormulaHead([parse_formula(text, 32)])
    return FrontRow(head, head.expression_size, accuracy, quality(accuracy))


def quality(accuracy: float) -> Quality:
    confusion = np.array([[17, 1], [2, 16]])
    return Quality(accuracy, accuracy, (accuracy - 0.1, accuracy + 0.02), confusion)


def made_up(sha256: str) -> Discovery:
    """What a training might find."""
    front = (formula("z3", 0.8), formula("z3 + 0.5", 0.85), formula("z3 * z7 - 1", 0.9))
    heads = {"dense": DenseHead(), "formula": front[1].head}
    return Discovery(
        ("class 1", "class 2"),
        {
            kind: FittedHead(kind, head, quality(0.85), np.zeros((36, 1), np.float32))  # type: ignore[arg-type]
            for kind, head in heads.items()
        },
        front,
        (CurvePoint(10, 0.7, 0.1), CurvePoint(30, 0.8, 0.05)),
        36,
        12,
        5,
        sha256,
        "operon 1",
        {},
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Training that is over at once; the list holds what was trained on."""
    seen: list[Any] = []

    def discover(
        cells: Any,
        settings: Any,
        report: Any,
        sha256: str = "",
        group: str = "track",
        **_: Any,
    ) -> Discovery:
        seen.append((cells, settings))
        report(1, 1)
        return made_up(sha256)

    monkeypatch.setattr(cross_validation, "discover", discover)
    return seen


def trained(scene: SimpleNamespace, settled: Settled) -> Any:
    annotate_all(scene)
    widget = scene.widget
    widget.training.engine.setCurrentIndex(widget.training.engine.findData("operon"))
    widget.training.augmented.setValue(6)
    widget.training.start.click()
    settled()
    assert not widget.status.is_fault, widget.status.text()
    return widget.results


@pytest.fixture
def annotations() -> Annotations:
    """Return annotations of two classes that no cell has yet."""
    made = Annotations()
    made.start_with("round", "long")
    return made


@pytest.fixture
def truthful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training that is over at once, whose held-out heads know round cells from long ones."""

    def discover(
        cells: Any,
        settings: Any,
        report: Any,
        sha256: str = "",
        group: str = "track",
        **_: Any,
    ) -> Discovery:
        found = made_up(sha256)
        # in frames of 12 cells, even tracks are of the first class
        logits = np.where(np.arange(len(cells)) % 2, 3.0, -3.0)[:, None].astype(np.float32)
        heads = {kind: replace(head, logits=logits) for kind, head in found.heads.items()}
        # heads read the latents of the cell, which come first
        layers = (cells.latents.shape[1], 16, 1)
        heads["dense"] = replace(heads["dense"], head=DenseHead(layers))
        return replace(found, heads=heads, target=cells.target, group=cells.group)

    monkeypatch.setattr(cross_validation, "discover", discover)
