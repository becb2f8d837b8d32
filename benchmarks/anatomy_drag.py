"""Time from a drag of the dot in *Anatomy* to the painted plot, picture, score and rule.

``python benchmarks/anatomy_drag.py`` reads nothing: simulated cells. It needs a display
(``xvfb-run -a`` gives one). Each drag is one move of the mouse; the time ends when the window was
painted with its effect. Moves within 15 ms are drawn once, so that a quick one may wait as long.
Beside it, in the same run, is what the same latents cost without a window: decoded, with their
local contrast, and scored. Two frames at 60 Hz are 33 ms.

The dock is measured in a window of its own, as when it floats, and within napari's. There, Qt puts
the canvas and the docks together anew at each change, which a machine without a graphics card does
slowly: what an empty repaint of that window takes is printed too.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import napari
import numpy as np
from qtpy.QtCore import QEvent, QObject, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QScrollArea

from napari_interpdisc.cells import CellTable
from napari_interpdisc.pipeline import classify
from napari_interpdisc.simulate.movie import simulate_movie
from napari_interpdisc.widgets.anatomy.part_view import pictures_of
from napari_interpdisc.widgets.anatomy.widget import AnatomyWidget
from napari_interpdisc.widgets.canvas.layers import frames_from_layer
from napari_interpdisc.widgets.explorer.widget import ExplorerWidget
from napari_interpdisc.widgets.session import session_of

DRAGS, WARM_UP, FRAMES_60_HZ = 120, 20, 2 / 60


def settle(seconds: float = 0.5) -> None:
    """Let the window draw."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        QApplication.processEvents()


def drag(widget: AnatomyWidget, to: QPointF) -> float:
    """Seconds from one move of the mouse to the painted effect."""
    plot = widget.plot
    painted = plot.painted
    shown = widget.pictures.pictures[0].picture
    event = QMouseEvent(
        QEvent.Type.MouseMove, to, plot.mapToGlobal(to), Qt.MouseButton.NoButton,
        Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    start = time.perf_counter()
    plot.mouseMoveEvent(event)
    while plot.painted == painted or widget.pictures.pictures[0].picture is shown:
        QApplication.processEvents()
        if time.perf_counter() - start > 5:
            raise SystemExit("A drag showed no effect.")
    QApplication.processEvents()  # what is painted after the plot
    return time.perf_counter() - start


def timed(work: Callable[[], object]) -> float:
    """Seconds of one run."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def empty_repaint(widget: AnatomyWidget) -> float:
    """Seconds in which a button that looks the same as before is painted."""
    seen: list[float] = []

    class Watch(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
            if event.type() == QEvent.Type.Paint:
                seen.append(time.perf_counter())
            return False

    watch = Watch()
    widget.save.installEventFilter(watch)
    start = time.perf_counter()
    widget.save.update()
    while not seen:
        QApplication.processEvents()
        if time.perf_counter() - start > 5:
            raise SystemExit("A button was not painted.")
    QApplication.processEvents()
    widget.save.removeEventFilter(watch)
    return time.perf_counter() - start


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """Median and 95 % quantile, ms."""
    half, most = np.percentile(seconds, (50, 95)) * 1000
    return float(half), float(most)


def measure(widget: AnatomyWidget, name: str) -> bool:
    """Drag the dot of one part around; print and tell whether it keeps to two frames."""
    session, view = widget.session, widget.view
    assert view is not None
    model, head = session.model, session.model.head(session.head_name).name
    session.reset_edited()
    settle()
    start = widget.plot.place_of_dot()
    assert start is not None
    press = QMouseEvent(
        QEvent.Type.MouseButtonPress, start, widget.plot.mapToGlobal(start),
        Qt.MouseButton.LeftButton, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    widget.plot.mousePressEvent(press)
    angles = np.linspace(0, 6 * np.pi, WARM_UP + DRAGS)
    wide = 0.3 * widget.plot.box.width()
    middle = QPointF(widget.plot.width() / 2, widget.plot.height() / 2)
    drags, bare = [], []
    for k, angle in enumerate(angles):
        seconds = drag(widget, middle + QPointF(wide * np.cos(angle), 60 * np.sin(angle)))
        z = np.asarray(session.edited)[None]
        alone = timed(lambda z=z: (pictures_of(model, z), model.score(z, head)))
        if k >= WARM_UP:
            drags.append(seconds)
            bare.append(alone)
    widget.plot.mouseReleaseEvent(press)
    (half, most), (bare_half, bare_most) = percentiles(drags), percentiles(bare)
    print(f"{name}: drag p50 {half:5.1f} ms, p95 {most:5.1f} ms; ", end="")
    print(f"bare decode + score p50 {bare_half:4.1f} ms, p95 {bare_most:4.1f} ms; ", end="")
    print(f"p95 / bare p95 {most / bare_most:4.1f}; maps computed {view.n_responses}")
    return most <= FRAMES_60_HZ * 1000


def look_at_plot(widget: AnatomyWidget) -> None:
    """Scroll to the plot."""
    settle(2)
    widget.findChild(QScrollArea).verticalScrollBar().setValue(widget.plot.y())
    settle()


def main() -> None:
    """Open windows, time and print."""
    made = simulate_movie()
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 800)
    image = viewer.add_image(made.image, name="movie")
    points = viewer.add_points(np.c_[made.cells.t, made.cells.yx], size=4)
    session = session_of(viewer)
    cells = CellTable.from_arrays(made.cells.t, made.cells.yx, made.cells.track_id)
    frames = frames_from_layer(image)
    session.set_result(image, points, None, frames, classify(frames, cells, session.model, 24.0))
    session.select(0)
    widget = AnatomyWidget(viewer)
    widget.resize(420, 760)
    widget.show()
    kept = True
    for head in ("formula", "sparse"):
        session.set_model(session.model, head)
        look_at_plot(widget)
        kept &= measure(widget, f"{head}, window of its own")
    print("within two frames at 60 Hz (33.3 ms)" if kept else "MISSED: over 33.3 ms")
    viewer.window.add_dock_widget(widget, name="Anatomy", area="right")
    look_at_plot(widget)
    measure(widget, "sparse, docked")
    half, most = percentiles([empty_repaint(widget) for _ in range(50)])
    print(f"an empty repaint of napari's window: p50 {half:5.1f} ms, p95 {most:5.1f} ms")
    explorer = ExplorerWidget(viewer)
    viewer.window.add_dock_widget(explorer, name="Latent explorer", area="left")
    look_at_plot(widget)
    measure(widget, "sparse, docked, explorer open")
    viewer.close()


if __name__ == "__main__":
    main()
