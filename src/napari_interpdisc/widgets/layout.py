"""The demo's window: movie, tracks, overlay, dock widgets, one selected and perturbed cell."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.pipeline import Classification
from napari_interpdisc.widgets.canvas.compat import camera_of
from napari_interpdisc.widgets.canvas.layers import frames_from_layer, write_features
from napari_interpdisc.widgets.canvas.overlay import update_overlay
from napari_interpdisc.widgets.docks import ClassifyDock, ExplorerDock, PerturbDock
from napari_interpdisc.widgets.session import session_of


def lay_out(
    viewer: Any,
    image: npt.NDArray[Any],
    masks: npt.NDArray[Any],
    tracks: npt.NDArray[np.float64],
    result: Classification,
    model: CellModel,
    row: int,
) -> dict[str, Any]:
    """Fill a viewer with a classified movie, select a cell and perturb it.

    Parameters
    ----------
    viewer
        An empty napari viewer with a window.
    image, masks
        (T, Y, X) movie and instance masks.
    tracks
        (N, 4) of track id, t, y, x, sorted; row i is cell i of ``result``.
    result, model
        The classes of the cells, and what made them.
    row
        The cell to select.

    Returns
    -------
    The dock widgets by the titles of their tabs.
    """
    low, high = (float(v) for v in np.percentile(image[0], (1, 99.8)))
    movie = viewer.add_image(image, name="H2B", colormap="gray", contrast_limits=(low, high))
    segmentation = viewer.add_labels(masks, name="masks", visible=False)
    layer = viewer.add_tracks(tracks, name="tracks", tail_length=6, opacity=0.5, tail_width=1)
    write_features(layer, result.to_frame().drop(columns=["t", "y", "x", "track_id"]))
    layer.metadata["interpdisc"] = dict(result.settings)
    session = session_of(viewer)
    session.set_model(model, result.head)
    session.set_result(movie, layer, segmentation, frames_from_layer(movie), result)
    update_overlay(viewer, session)

    widgets = {}
    for kind in (ClassifyDock, PerturbDock, ExplorerDock):  # the last one is on top
        dock = kind(viewer)
        viewer.window.add_dock_widget(dock, name=dock.title, area="right")
        widgets[dock.title] = dock.load()
    perturb = widgets[PerturbDock.title]

    cells = result.encoding.cells
    viewer.dims.set_point(0, int(cells.t[row]))
    session.select(row)
    camera = camera_of(viewer)
    y, x = cells.yx[row]
    camera.center = (0.0, float(y), float(x))
    camera.zoom = 2.2
    perturb.attack.run()
    return widgets


def show_demo(
    image: npt.NDArray[Any],
    masks: npt.NDArray[Any],
    tracks: npt.NDArray[np.float64],
    result: Classification,
    model: CellModel,
    row: int,
) -> None:
    """Open napari with the demo laid out, and return when it is closed."""
    import napari

    viewer = napari.Viewer(title="napari-interpdisc demo")
    lay_out(viewer, image, masks, tracks, result, model, row)
    napari.run()
