"""The explored cell as image layers, over its place in the viewer. No Qt here."""

from __future__ import annotations

from typing import Any

from napari_interpdisc._types import Float32Array
from napari_interpdisc.widgets.canvas.cell_images import grey_limits, place_crops, show_tile
from napari_interpdisc.widgets.explorer.edited_cell import EditedCell
from napari_interpdisc.widgets.session import Session

GAP = 0.06
"""Between pictures that are laid side by side, relative to their width."""


def show_cell_layers(viewer: Any, session: Session, cell: EditedCell, row: int) -> None:
    """Lay crop, reconstruction and edited cell of cell ``row`` side by side over the image.

    The crop is at the cell's own place, the others beside it: to the right, or to the left where
    the image ends.
    """
    assert session.encoding is not None
    assert session.frames is not None
    cells = session.encoding.cells
    about = {
        "model": cell.model.name,
        "model_sha256": cell.model.sha256,
        "head": cell.model.head(cell.head).name,
        "frame": int(cells.t[row]),
        "track_id": int(cells.track_id[row]),
        "diameter": session.encoding.diameter,
    }
    own, edited = cell.scores()
    limits = grey_limits(cell.crop, cell.reconstruction)
    extras: dict[str, tuple[Float32Array, dict[str, Any]]] = {
        "crop": (cell.crop, {}),
        "cell reconstruction": (cell.reconstruction, {"scores": own.tolist()}),
        "edited": (cell.decoded(), {"scores": edited.tolist(), "z": cell.edited.tolist()}),
    }
    side = cell.crop.shape[-1] / session.zoom * (1 + GAP)
    y, x = (float(v) for v in cells.yx[row])
    if x + (len(extras) - 0.5) * side > session.frames.shape[-1] and x > len(extras) * side:
        side = -side
    for k, (name, (pixels, extra)) in enumerate(extras.items()):
        data, arguments = place_crops(
            session.image,
            session.frames,
            int(cells.t[row]),
            pixels[None],
            (y, x + k * side),
            session.zoom,
        )
        show_tile(viewer, name, data, arguments, limits=limits, about={**about, **extra})
