"""An afternoon in the viewer: ``xvfb-run -a python -m benchmarks.afternoon --minutes 30``.

Each round opens a viewer and its docks, classifies a movie, annotates, begins a training, cancels
it, perturbs a cell, looks at gallery, plot and states, closes a dock, opens a second viewer,
removes layers while work runs, and closes the viewer, now and then while work runs. After each
round stand the threads, handles, memory, and numbers of Qt's objects that are left; at the end the
slopes. An exception in a callback of Qt makes it end with 1, and annotations that were lost at
once; warnings are counted. What was not saved is kept in a folder of its own. One round on a small
movie is one of the tests.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from benchmarks.soak import handles, resident

PATIENCE = 120.0
"""Seconds to wait for work."""

COLUMNS = ("threads", "handles", "MiB", "QObjects", "QWidgets", "viewers")


def settle(seconds: float = 0.1) -> None:
    """Let the window draw, and what waits be done."""
    from qtpy.QtCore import QCoreApplication, QEvent
    from qtpy.QtWidgets import QApplication

    until = time.monotonic() + seconds
    while True:
        QApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        if time.monotonic() > until:
            return
        time.sleep(0.01)


def wait_for(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds.

    Raises
    ------
    TimeoutError
        If it does not come to hold.
    """
    until = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError(what)
        settle(0.02)


class Afternoon:
    """What is done again and again; the number of a round decides what is done while work runs.

    Parameters
    ----------
    make_viewer
        Makes a viewer; napari's own if left out.
    shape, cells
        Of the movie, and cells in a frame.
    in_second
        Titles of the docks that are opened in the second viewer; all if left out.
    """

    def __init__(
        self,
        make_viewer: Callable[..., Any] | None = None,
        shape: tuple[int, int, int] = (4, 260, 260),
        cells: int = 12,
        in_second: tuple[str, ...] = (),
    ) -> None:
        import napari

        from napari_interpdisc.simulate.movie import SimulationSettings, simulate_movie

        self.make_viewer, self.in_second = make_viewer or napari.Viewer, in_second
        made = simulate_movie(SimulationSettings(shape=shape, cells=cells, seed=0))
        table = made.cells
        self.image, self.labels = made.image, made.labels
        self.tracks = np.column_stack([table.track_id, table.t, table.yx])

    def open(self) -> Any:
        """Open a viewer with a movie, its tracks and its segmentation."""
        viewer = self.make_viewer(show=True)
        viewer.add_image(self.image, name="movie")
        viewer.add_labels(self.labels, name="labels")
        viewer.add_tracks(self.tracks, name="tracks")
        settle()
        return viewer

    def docks(self, viewer: Any, titles: tuple[str, ...] = ()) -> dict[str, Any]:
        """Open docks, all if none is named, and return their widgets by title."""
        from napari_interpdisc.widgets import docks

        found = {}
        for kind in [kind for kind in docks.ORDER if not titles or kind.title in titles]:
            dock = kind(viewer)
            viewer.window.add_dock_widget(dock, name=dock.title, area="right")
            settle(0.02)
            found[dock.title] = dock.load()
        settle()
        return found

    def classify(self, widget: Any, wait: bool = True) -> None:
        """Press *Run* in *Cells*."""
        widget.diameter.setValue(28)
        widget.run.click()
        if wait:
            wait_for(lambda: not widget.work.running, "classification")

    def annotate(self, widgets: dict[str, Any], session: Any) -> int:
        """Annotate half of the cells by their class; how many."""
        result = session.classification
        names = {row: result.classes[row % 2] for row in range(0, len(result.index), 2)}
        annotations = widgets["Discover"].annotations
        annotations.start_with(*result.classes)
        annotations.annotate(result.encoding.cells, names)
        settle()
        return len(names)

    def train(self, widget: Any, seconds: float) -> None:
        """Begin a training, and leave it going on."""
        training = widget.training
        training.engine.setCurrentIndex(training.engine.findData("operon"))
        widget.train()
        settle(seconds)

    def round(self, number: int) -> None:
        """Do it once."""
        from napari_interpdisc.widgets.canvas.image_identity import identify
        from napari_interpdisc.widgets.discover.unsaved import discard, find_left
        from napari_interpdisc.widgets.session import session_of

        viewer = self.open()
        self.image_layer = viewer.layers["movie"]
        session = session_of(viewer)
        widgets = self.docks(viewer)
        self.classify(widgets["Cells"])
        assert session.classification is not None, widgets["Cells"].status.text()
        marks = self.annotate(widgets, session)
        self.train(widgets["Discover"], 1.0)
        widgets["Discover"].work.cancel()
        wait_for(lambda: not widgets["Discover"].work.running, "cancelled training")
        session.select(0)
        widgets["Perturb"].attack.run()
        wait_for(lambda: not widgets["Perturb"].attack_work.running, "attack")
        for title in ("Gallery", "Plot", "Through time", "Explorer", "Classify"):
            dock = widgets[title]
            while dock is not None and not hasattr(dock, "toggleViewAction"):
                dock = dock.parentWidget()
            dock.raise_()
            settle(0.2)
        widgets["Through time"].follow()
        wait_for(lambda: not widgets["Through time"].work.running, "states")
        session.choose(np.arange(5))
        viewer.dims.set_current_step(0, 2)
        settle(0.1)
        self.close_dock(viewer, widgets["Gallery"])
        self.second()
        annotated = next(layer for layer in viewer.layers if layer.name.startswith("Annotations"))
        if number % 3 == 0:  # the layers go while work runs on them
            self.classify(widgets["Cells"], wait=False)
            viewer.layers.remove("tracks")
            viewer.layers.remove("movie")
            wait_for(lambda: not widgets["Cells"].work.running, "work without layers")
        elif number % 3 == 1:
            self.train(widgets["Discover"], 0.5)
        else:
            self.classify(widgets["Cells"], wait=False)
        assert len(annotated.data) == marks, "annotations were lost"
        image = identify(self.image_layer)
        viewer.close()
        settle(0.3)
        assert len(annotated.data) == marks, "annotations were lost"
        left, faults = find_left([image])
        assert [len(one.marks) for one in left] == [marks], "annotations are not offered"
        assert not faults, faults
        discard(left[0])

    def close_dock(self, viewer: Any, widget: Any) -> None:
        """Close a dock for good, as its cross does."""
        dock = widget
        while not hasattr(dock, "toggleViewAction"):
            dock = dock.parentWidget()
        dock.destroyOnClose()
        settle()

    def second(self) -> None:
        """Open a second viewer beside the first, classify there, and close it."""
        viewer = self.open()
        widgets = self.docks(viewer, self.in_second)
        self.classify(widgets["Cells"])
        viewer.close()
        settle(0.2)


def held() -> tuple[tuple[float, ...], Counter[str]]:
    """What is held now, in the order of :data:`COLUMNS`; and Qt's objects by their class."""
    import threading

    import napari
    from qtpy.QtCore import QObject
    from qtpy.QtWidgets import QApplication

    for _ in range(3):
        settle(0.05)
        gc.collect()
    if sys.platform == "linux":  # what the allocator keeps for later is no leak
        ctypes.CDLL(None).malloc_trim(0)
    objects = [one for one in gc.get_objects() if isinstance(one, QObject)]
    kinds = Counter(f"{type(one).__module__}.{type(one).__name__}" for one in objects)
    models = sum(type(one) is napari.Viewer for one in gc.get_objects())
    numbers = (
        threading.active_count(), handles(), resident(), len(objects),
        len(QApplication.allWidgets()), models,
    )  # fmt: skip
    return numbers, kinds


def main() -> int:
    """Repeat the round, and print what is left after each; 1 if something warned or failed."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=30)
    asked.add_argument("--rounds", type=int, help="So many rounds, however long they take.")
    asked.add_argument("--kinds", action="store_true", help="Print Qt's objects that became more.")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["INTERPDISC_CACHE"] = cache
        return repeat(given.rounds, given.minutes, given.kinds)


def repeat(rounds: int | None, minutes: float, tell_kinds: bool) -> int:
    """Do so many rounds, or rounds for so many minutes; 1 if something failed."""
    faults: list[str] = []

    def failed(kind: Any, fault: BaseException, trace: Any) -> None:
        faults.append(f"{kind.__name__}: {fault}")
        sys.__excepthook__(kind, fault, trace)

    from qtpy.QtWidgets import QApplication

    app = QApplication.instance() or QApplication([])
    app.setQuitOnLastWindowClosed(False)
    import napari  # noqa: F401  # it sets a hook for exceptions of its own

    sys.excepthook = failed
    work = Afternoon()
    began, rows, kinds, number = time.monotonic(), [], [], 0
    print(f"{'min':>6s}" + "".join(f"{name:>10s}" for name in COLUMNS), flush=True)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        while number < rounds if rounds else time.monotonic() - began < 60 * minutes:
            work.round(number)
            number += 1
            found, counted = held()
            passed = (time.monotonic() - began) / 60
            rows.append((passed, *found))
            kinds.append(counted)
            print(f"{passed:6.1f}" + "".join(f"{value:10.0f}" for value in found), flush=True)
    told = Counter(f"{one.category.__name__}: {one.message}"[:150] for one in warned)
    for text, times in told.most_common(10):
        print(f"warned {times} times: {text}")
    if tell_kinds and len(kinds) > 2:
        for name, more in (kinds[-1] - kinds[1]).most_common(25):
            print(f"{more:+6d} {name}")
    values = np.array(rows)
    later = values[len(values) // 4 :]
    print(f"{number} rounds")
    for k, name in enumerate(COLUMNS, 1):
        slope = np.polyfit(np.arange(len(later)), later[:, k], 1)[0] if len(later) > 1 else 0.0
        low, high = later[:, k].min(), later[:, k].max()
        print(f"{name:10s} {low:.0f} to {high:.0f}, {slope:+.2f} a round")
    for fault in faults[:10]:
        print(f"failed: {fault}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
