"""How long the gallery takes to open, and how long it stalls: ``python benchmarks/gallery.py``.

Needs a display, such as that of ``xvfb-run -a``. Cells are spread over frames of random pixels, 100
in each, with made-up latents. The window's longest pause is measured while the gallery opens, while
it is scrolled from one end to the other, and while all tiles are chosen. A pause under 100 ms is
not felt.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from napari_interpdisc.cells import CellTable
from napari_interpdisc.models.store import load_model
from napari_interpdisc.pipeline import Encoding, classify_encoding
from napari_interpdisc.widgets.canvas.layers import frames_from_layer
from napari_interpdisc.widgets.docks import GalleryDock
from napari_interpdisc.widgets.session import session_of

NUMBERS = (10_000, 100_000)
PER_FRAME = 100
STEPS = 200
"""Steps of the scroll bar, 16 ms apart as in a drag."""


def fill(viewer: napari.Viewer, n: int) -> None:
    """Give the viewer's session ``n`` classified cells."""
    draw = np.random.default_rng(0)
    few = draw.normal(100, 10, (10, 512, 512)).astype(np.float32)
    movie = np.broadcast_to(few, (n // PER_FRAME // 10, *few.shape)).reshape(-1, 512, 512)
    image = viewer.add_image(movie, name="movie", contrast_limits=(60, 140))
    t = np.repeat(np.arange(len(movie)), PER_FRAME)
    yx = draw.uniform(20, 490, (n, 2))
    cells = CellTable.from_arrays(t, yx, np.arange(n) % 1000, source="cells")
    points = viewer.add_points(np.column_stack([t, yx]), name="cells", size=4, visible=False)
    model = load_model()
    z = draw.normal(size=(n, model.n_latents)).astype(np.float32)
    encoding = Encoding(cells, z, np.zeros(0, np.float32), 28.0, model.name, model.encoder_sha256)
    session = session_of(viewer)
    session.set_model(model)
    session.set_result(
        image, points, None, frames_from_layer(image), classify_encoding(encoding, model)
    )


def longest_pause(until: Callable[[], bool], step: Callable[[], Any] = lambda: None) -> float:
    """Longest time, ms, that the window took for one step and all that it caused."""
    longest = 0.0
    while not until():
        began = time.monotonic()
        step()
        QApplication.processEvents()
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.016)
    return 1000 * longest


def measure(n: int) -> None:
    """Open the gallery on ``n`` cells, scroll, choose all; tell how long it took."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 800)
    fill(viewer, n)
    longest_pause(iter([False] * 60 + [True]).__next__)
    began = time.monotonic()
    dock = GalleryDock(viewer)
    viewer.window.add_dock_widget(dock, name=dock.title, area="right")
    widget = dock.load()
    tiles = widget.tiles

    def ready() -> bool:
        rows = tiles.rows_in_sight()
        return bool(rows) and not widget._store.missing(rows)

    opening = longest_pause(ready)
    opened = time.monotonic() - began
    bar = tiles.verticalScrollBar()
    places = iter(np.linspace(0, bar.maximum(), STEPS).astype(int).tolist())
    left = [STEPS]

    def step() -> None:
        bar.setValue(next(places))
        left[0] -= 1

    scrolling = longest_pause(lambda: left[0] == 0, step)
    began = time.monotonic()
    longest_pause(ready)
    caught_up = time.monotonic() - began
    began = time.monotonic()
    tiles.selectAll()
    QApplication.processEvents()
    choosing = time.monotonic() - began
    print(
        f"{n:9,} {opened:10.2f} s {opening:12.0f} ms {scrolling:12.0f} ms {caught_up:10.2f} s "
        f"{1000 * choosing:10.0f} ms {widget._store.nbytes / 2**20:8.1f} MiB"
    )
    viewer.close()


def main() -> None:
    """Measure each number of cells."""
    print(
        f"{'cells':>9} {'all in sight':>12} {'pause opening':>15} {'scrolling':>15} "
        f"{'caught up':>12} {'choose all':>13} {'kept':>12}"
    )
    for n in NUMBERS:
        measure(n)


if __name__ == "__main__":
    main()
