"""A small classified movie in a viewer, for the widgets that look at its cells."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.store import DEFAULT_MODEL, load_model

PATIENCE = 120.0
"""Seconds to wait for what takes a moment: a wait ends as soon as there is nothing to wait for."""

COUNT = count()

DIAMETER = 20.0
SCALE, TRANSLATE = (2.0, 0.5, 0.25), (10.0, -30.0, 7.0)
# (t, y, x, track): track 2 is absent from the first frame, track 3 from the last.
CELLS = np.array(
    [
        [0, 30, 30, 1],
        [0, 60, 90, 3],
        [1, 34, 33, 1],
        [1, 61, 92, 3],
        [1, 88, 40, 2],
        [2, 38, 36, 1],
        [2, 90, 42, 2],
    ],
    float,
)


def blobs(shape: tuple[int, int], cells: np.ndarray) -> np.ndarray:
    """Frame with one bright ellipse per (y, x), of different shapes."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    out = np.random.default_rng(0).normal(10, 1, shape)
    for i, (y, x) in enumerate(cells):
        r2 = ((rows - y) / (5 + 2 * i)) ** 2 + ((cols - x) / 9) ** 2
        out += 100 * np.exp(-(r2**2))
    return out.astype(np.float32)


@pytest.fixture(scope="session")
def bundled_model() -> CellModel:
    """Return the bundled model, loaded once for all windows: nothing changes it."""
    return load_model(DEFAULT_MODEL)


@pytest.fixture(autouse=True)
def _model_loaded_once(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    def load(source: Any = DEFAULT_MODEL, *given: Any, **named: Any) -> CellModel:
        if source == DEFAULT_MODEL and not given and not named:
            return cast("CellModel", request.getfixturevalue("bundled_model"))
        return load_model(source, *given, **named)

    monkeypatch.setattr("napari_interpdisc.widgets.session.load_model", load)


class Never:
    """A timer whose time does not come, so that no test waits for it, or writes after its end."""

    name = ""

    def __init__(self, seconds: float, action: Callable[[], object]) -> None:
        self.action = action

    def start(self) -> None:
        """Do nothing."""

    def cancel(self) -> None:
        """Do nothing."""


@pytest.fixture(scope="session", autouse=True)
def _no_cache_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep unsaved annotations apart; those of windows that go late are written here too."""
    from napari_interpdisc.widgets.discover import unsaved

    folder = tmp_path_factory.mktemp("cache")
    unsaved.cache_folder = lambda: folder  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def unsaved_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the folder of unsaved annotations of this test; they are written at its end alone."""
    from qtpy.QtCore import QCoreApplication, QEvent

    from napari_interpdisc.widgets.discover import autosave, unsaved

    if QCoreApplication.instance() is not None:
        # what windows of earlier tests leave is none of this test
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    folder = tmp_path_factory.getbasetemp() / f"unsaved-{next(COUNT)}"
    monkeypatch.setattr(unsaved, "cache_folder", lambda: folder)
    monkeypatch.setattr(autosave, "Timer", Never)
    return folder / unsaved.FOLDER


@pytest.fixture
def qtbot(qtbot: Any) -> Any:
    """Return pytest-qt's robot, with patience for a busy machine."""
    qtbot.waitUntil = partial(qtbot.waitUntil, timeout=round(1000 * PATIENCE))
    return qtbot


IN_WINDOW = pytest.mark.parametrize("in_window", [True], ids=["in a window"])
"""Marks a test whose viewer must have napari's window; without one a test is much faster."""


@pytest.fixture
def in_window() -> bool:
    """Return whether the viewer has a window: see :data:`IN_WINDOW`."""
    return False


@pytest.fixture
def make_viewer(in_window: bool, request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Return a function that makes a viewer, with napari's window where the test asks for it."""
    from napari.components import ViewerModel

    if in_window:
        return cast("Callable[..., Any]", request.getfixturevalue("make_napari_viewer"))
    return lambda show=False: ViewerModel()


def put_up(viewer: Any, widget: Any, name: str, qtbot: Any) -> None:
    """Dock a widget where there is a window, and show it by itself where there is none."""
    if hasattr(viewer, "window"):
        viewer.window.add_dock_widget(widget, name=name)
        return
    qtbot.addWidget(widget)
    widget.show()
    qtbot.waitUntil(widget.isVisible)


@pytest.fixture
def make_scene(request: pytest.FixtureRequest) -> Callable[..., SimpleNamespace]:
    """Return a function that opens a viewer with a movie, its tracks, and a finished result.

    Without a window it is much faster: what concerns layers and sessions alone needs none.
    """
    from napari.components import ViewerModel

    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.pipeline import classify
    from napari_interpdisc.widgets.canvas.layers import frames_from_layer
    from napari_interpdisc.widgets.session import session_of

    def make(
        show: bool = False,
        channel_axis: int | None = None,
        finished: bool = True,
        window: bool = True,
        **placed: Any,
    ) -> SimpleNamespace:
        if window:
            viewer = request.getfixturevalue("make_napari_viewer")(show=show)
        else:
            viewer = ViewerModel()
        movie = np.stack([blobs((120, 130), CELLS[CELLS[:, 0] == t, 1:3]) for t in range(3)])
        placed = placed or {"scale": SCALE, "translate": TRANSLATE}
        data = movie if channel_axis is None else np.stack([movie, movie], channel_axis)
        image = viewer.add_image(data, name="movie", **placed)
        frames = frames_from_layer(image, channel_axis)
        cells = viewer.add_points(
            CELLS[:, :3], name="cells", size=4, **(placed if image.ndim == 3 else {})
        )
        session = session_of(viewer)

        def finish() -> None:
            table = CellTable.from_arrays(
                CELLS[:, 0], CELLS[:, 1:3], CELLS[:, 3], source=cells.name
            )
            result = classify(frames, table, session.model, DIAMETER)
            session.set_result(image, cells, None, frames, result)

        if finished:
            finish()
        viewer.dims.set_point(0, image.data_to_world((0,) * image.ndim)[0])
        return SimpleNamespace(
            viewer=viewer, image=image, cells=cells, frames=frames, session=session, finish=finish
        )

    return make


@pytest.fixture
def to_world() -> Callable[[Any, Any], np.ndarray]:
    """World position (t, y, x) of a pixel of the scene as it is placed by default."""

    def world(t: float, yx: Any) -> np.ndarray:
        return np.array([t, *yx]) * SCALE + TRANSLATE

    return world
