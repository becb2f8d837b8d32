"""Make the pictures of the README and the docs: ``python docs/screenshots.py`` (needs a display).

On a machine without one: ``xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots.py``.
Uses the demo's movie, which is fetched if need be.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import napari
import numpy as np
from qtpy.QtWidgets import QApplication, QDockWidget, QScrollArea

from napari_interpdisc.cells import CellTable
from napari_interpdisc.demo import example_cell, fetch_hela_movie
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.store import load_model
from napari_interpdisc.nuclei.diameter import diameter_from_labels
from napari_interpdisc.nuclei.linking import link_cells
from napari_interpdisc.pipeline import Classification, classify, classify_encoding
from napari_interpdisc.samples import link_masks
from napari_interpdisc.widgets.docks import (
    AnatomyDock,
    CellsDock,
    DiscoverDock,
    Dock,
    GalleryDock,
    PlotDock,
    ScorecardDock,
    ThroughTimeDock,
)
from napari_interpdisc.widgets.explorer.widget import SHOWN, ExplorerWidget
from napari_interpdisc.widgets.layout import lay_out
from napari_interpdisc.widgets.perturb.widget import PerturbWidget
from napari_interpdisc.widgets.session import session_of

IMAGES = Path(__file__).parent / "images"
SIZE = (1600, 1000)

HEAD = "formula-strict"
"""Head whose rule is shown."""

FILES = {"Explorer": "latent-explorer"}
"""Names of pictures that are not those of their tabs."""


def settle(seconds: float = 1.0) -> None:
    """Let the window draw and the workers finish."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        QApplication.processEvents()
        time.sleep(0.01)


def opened(viewer: napari.Viewer, kind: type[Dock]) -> Any:
    """Open a dock, which joins the tabs of the others, and return its widget."""
    dock = kind(viewer)
    viewer.window.add_dock_widget(dock, name=dock.title, area="right")
    settle()
    return dock.load()


def discover(viewer: napari.Viewer, result: Classification, per_class: int = 40) -> None:
    """Photograph a training on annotations that are the classes of the bundled head."""
    widget = opened(viewer, DiscoverDock)
    draw = np.random.default_rng(0)
    names = {}
    for k, name in enumerate(result.classes):
        widget.annotations.rename_class(f"class {k + 1}", name)
        rows = np.flatnonzero(result.index == k)
        names |= {int(row): name for row in draw.permutation(rows)[:per_class]}
    widget.annotations.annotate(result.encoding.cells, names)
    widget.training.engine.setCurrentIndex(widget.training.engine.findData("operon"))
    widget.train()
    while widget.work.running:
        settle(0.1)
    print(widget.status.text())
    settle(1)
    scroll = widget.findChild(QScrollArea)
    scroll.verticalScrollBar().setValue(widget.results.y() - 10)
    settle(1)
    viewer.screenshot(str(IMAGES / "discover.png"), canvas_only=False)


def gallery(viewer: napari.Viewer, result: Classification) -> None:
    """Photograph the least certain cells: two are annotated, and some of one frame are chosen."""
    widget, session = opened(viewer, GalleryDock), session_of(viewer)
    annotations, tiles = widget.shared.annotations, widget.tiles
    annotations.start_with(*result.classes)
    first, *others = tiles.tiles.rows[[1, 2, 7, 8]].tolist()
    annotations.annotate(
        result.encoding.cells, {first: result.classes[1], others[0]: result.classes[0]}
    )
    tiles.jumped.emit(first)
    cells = result.encoding.cells
    here = np.flatnonzero(cells.t == cells.t[first])
    near = np.hypot(*(cells.yx[here] - cells.yx[first]).T)
    session.choose([*others, *here[np.argsort(near)[1:5]]])
    settle(2)
    viewer.screenshot(str(IMAGES / "gallery.png"), canvas_only=False)
    annotations.start_with()
    session.choose(())


def scorecard(viewer: napari.Viewer, heads: tuple[str, ...] = ("dense", "formula")) -> None:
    """Photograph what the scorecard finds of two heads, and one of the worst cells."""
    widget = opened(viewer, ScorecardDock)
    for name in heads:
        widget.choice.tick(name)
    widget.run()
    while widget.work.running:
        settle(0.1)
    print(widget.summary.text())
    widget.worst.buttons[0].click()
    settle(1)
    viewer.screenshot(str(IMAGES / "scorecard.png"), canvas_only=False)


def anatomy(viewer: napari.Viewer, head: str = "sparse") -> None:
    """Photograph a head taken apart, the selected cell dragged a little."""
    widget = opened(viewer, AnatomyDock)
    session = widget.session
    before = session.head_name
    session.set_model(session.model, head)
    settle(2)
    while widget.tests.running:
        settle(0.1)
    assert widget.view is not None
    x, y = widget.view.ground.points
    widget.plot.dragged.emit(np.array([np.quantile(x, 0.8), np.quantile(y, 0.75)]))
    widget.plot.pointed.emit(np.array([np.quantile(x, 0.25), np.quantile(y, 0.25)]))
    settle(1)
    viewer.screenshot(str(IMAGES / "anatomy.png"), canvas_only=False)
    session.reset_edited()
    session.set_model(session.model, before)


def through_time(viewer: napari.Viewer, head: str = "states") -> None:
    """Photograph a cell that goes through mitosis, with the durations of its phases beside it."""
    widget = opened(viewer, ThroughTimeDock)
    session = widget.session
    kept = session.classification
    linked = link_cells(kept.encoding.cells, kept.encoding.diameter, divisions=True)
    result = classify_encoding(replace(kept.encoding, cells=linked), session.model, head)
    layers = (session.image, session.cells_layer, session.labels, session.frames)
    session.set_result(*layers, result)
    settle(1)
    while widget.work.running or widget.found is None:
        settle(0.1)
    print(widget.status.text())
    whole = [phase for phase in widget.found.phases if phase.state == 2 and phase.counts]
    longest = max(whole, key=lambda phase: phase.frames)
    widget.go_to(longest.track, longest.first)
    widget.tabs.setCurrentIndex(2)
    settle(1)
    viewer.screenshot(str(IMAGES / "through-time.png"), canvas_only=False)
    session.set_result(*layers, kept)


def plot(viewer: napari.Viewer) -> None:
    """Photograph cells over the two inputs of a short rule, some of them chosen."""
    widget = opened(viewer, PlotDock)
    session = widget.session
    before = session.head_name
    session.set_model(session.model, "formula-strict")
    settle(1)
    (_, right), (low, high) = widget.plot.spans
    corners = np.array([[0.3, low], [right, low], [right, high], [0.3, high]])
    session.choose(np.flatnonzero(widget.plot.inside(corners)))
    settle(1)
    viewer.screenshot(str(IMAGES / "plot.png"), canvas_only=False)
    session.choose(())
    session.set_model(session.model, before)


def counterfactual(viewer: napari.Viewer, widget: PerturbWidget) -> None:
    """Photograph the smallest change of the selected cell by a short rule, half way."""
    session, head = widget.session, widget.session.head_name
    session.set_model(session.model, "formula-strict")
    widget.tabs.setCurrentIndex(1)
    widget.change.margin.setCurrentIndex(widget.change.margin.findData("as sure"))
    widget.change.run()
    while widget.change.work.running:
        settle(0.1)
    print(widget.change.told.text())
    widget.change.slider.setValue(5)
    settle(1)
    viewer.screenshot(str(IMAGES / "counterfactual.png"), canvas_only=False)
    widget.change.remove_button.click()
    widget.tabs.setCurrentIndex(0)
    session.set_model(session.model, head)


def main() -> None:
    """Lay out the demo and photograph each dock widget."""
    IMAGES.mkdir(exist_ok=True)
    movie = fetch_hela_movie(print)
    tracks = link_masks(movie.masks)
    cells = CellTable.from_arrays(tracks[:, 1], tracks[:, 2:], tracks[:, 0], source="tracks")
    model = load_model()
    result = classify(Frames(movie.image), cells, model, diameter_from_labels(movie.masks), HEAD)
    row = example_cell(result)

    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    settle()
    widgets = lay_out(viewer, movie.image, movie.masks, tracks, result, model, row)
    settle(4)
    viewer.screenshot(str(IMAGES / "overview.png"), canvas_only=False)
    widgets = {**widgets, "Cells": opened(viewer, CellsDock)}
    for name, widget in widgets.items():
        dock = widget.parent()
        while not isinstance(dock, QDockWidget):  # what its tab belongs to
            dock = dock.parent()
        dock.raise_()
        settle(1.5)
        file = FILES.get(name, name.lower()) + ".png"
        viewer.screenshot(str(IMAGES / file), canvas_only=False)
        if isinstance(widget, ExplorerWidget) and model.has_texture:
            widget.show_what.setCurrentText(SHOWN["texture"])
            settle(1.5)
            viewer.screenshot(str(IMAGES / "local-contrast.png"), canvas_only=False)
            widget.show_what.setCurrentText(SHOWN["cell"])
        if isinstance(widget, PerturbWidget):
            widget.attack.remove_button.click()
            counterfactual(viewer, widget)
    anatomy(viewer)
    plot(viewer)
    through_time(viewer)
    scorecard(viewer)
    discover(viewer, result)
    gallery(viewer, result)
    for name in sorted(p.name for p in IMAGES.glob("*.png")):
        print(IMAGES / name, np.round((IMAGES / name).stat().st_size / 1024), "KiB")
    viewer.close()


if __name__ == "__main__":
    main()
