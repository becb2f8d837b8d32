"""The overlay of classes: one Labels layer, painted frame by frame."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import pandas as pd
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap
from napari.utils.notifications import show_warning

from napari_interpdisc._types import RGBA, Float64Array, Plane
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.figures.palette import class_colors, disagreement_colors, disagreement_level
from napari_interpdisc.flags import FLAG_NAMES, N_FLAGS, NO_PIXELS, flag_name
from napari_interpdisc.paint import MOST_VALUES, hatch, paint_discs, paint_labels
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.hover import follow_cursor
from napari_interpdisc.widgets.canvas.layers import affine_of, image_axes, placed_like, positions_in
from napari_interpdisc.widgets.cells.run import rewrite_classes, rewrite_disagreement

if TYPE_CHECKING:
    from napari_interpdisc.widgets.session import Session


OVERLAY_NAME = "cell classes"

STRIPE_COLOR = (0.0, 0.0, 0.0, 1.0)

NO_CLASS = FLAG_NAMES[NO_PIXELS]
"""Name of the value of cells without pixels, which have no class and are grey."""

NO_CLASS_COLOR = (0.35, 0.35, 0.35, 1.0)

_serial = itertools.count()


@dataclass(frozen=True)
class ClassPlanes:
    """Class values of a whole movie, painted when a frame is asked for.

    A label may name cells of different classes at different times, so a colour for each label will
    not do; values are looked up frame by frame instead, and the segmentation is only read.

    Attributes
    ----------
    t, yx
        (N,) frame and (N, 2) centroid of each cell, in pixels of the planes to paint.
    values
        (N,) class index + 1.
    radius
        Radius of a cell, px.
    shape
        (T, Y, X).
    labels
        Segmentation of that shape, or (Y, X) for a still image; None to paint discs.
    flags
        (N,) flags by which cells are hatched; None for none.
    n_values
        Number of values; see :func:`hatch`.
    """

    t: npt.NDArray[np.int64]
    yx: Float64Array
    values: Plane
    radius: float
    shape: tuple[int, int, int]
    labels: Any = None
    flags: Plane | None = None
    n_values: int = 0

    def plane(self, t: int) -> Plane:
        """Paint frame ``t``, (Y, X)."""
        here = np.flatnonzero(self.t == t)
        values = self.values[here]
        if self.flags is not None:
            # a cell without pixels has a value of its own, and no stripes
            values = values + np.uint8(self.n_values) * (self.flags[here] % N_FLAGS)
        if self.labels is None:
            plane = paint_discs(self.yx[here], values, self.radius, self.shape[1:])
        else:
            own = self.labels if self.labels.ndim == 2 else self.labels[t]
            if isinstance(own, da.Array):
                # on a thread of dask, which would start more threads
                own = own.compute(scheduler="synchronous")
            plane = paint_labels(np.asarray(own), self.yx[here], values, self.radius)
        return plane if self.flags is None else hatch(plane, self.n_values, self.radius)

    def movie(self) -> da.Array:
        """All frames, (T, Y, X), each painted when it is read."""
        height, width = self.shape[1:]

        def block(block_info: Any = None) -> Plane:
            return self.plane(int(block_info[None]["array-location"][0][0]))[None]

        # The name is new each time: napari caches blocks by name, and values change under it.
        movie: da.Array = da.map_blocks(
            block,
            chunks=((1,) * self.shape[0], (height,), (width,)),
            dtype=np.uint8,
            meta=np.empty((0, 0, 0), np.uint8),
            name=f"cell-classes-{next(_serial)}",
        )
        return movie


def overlay_values(session: Session) -> Plane:
    """(N,) class index + 1 of every cell.

    Number of classes + 1 where it is unsure, + 2 where the cell has no pixels.
    """
    result = session.classification
    assert result is not None
    n = len(result.classes)
    unsure = result.confidence < session.threshold
    values = np.where(unsure, n, np.where(result.index < 0, n + 1, result.index))
    return values.astype(np.uint8) + np.uint8(1)


@dataclass(frozen=True)
class Shown:
    """What the overlay colours cells by.

    Attributes
    ----------
    what
        "class", "state" or "disagreement".
    colors
        Colour of each value from 1 on, by name.
    values
        (N,) value of every cell; one more than there are colours where a cell has no pixels.
    """

    what: str
    colors: Mapping[str, RGBA]
    values: Plane


def shown(session: Session) -> Shown:
    """Classes, or states along tracks or how far heads disagree, if that is wanted and known."""
    result, apart, states = session.classification, session.disagreement, session.states
    assert result is not None
    if session.colouring == "state" and states is not None and len(states) == len(result.index):
        known = class_colors(result.classes)
        values = np.where(states < 0, len(result.classes), states).astype(np.uint8)
        return Shown("state", {c: known[c] for c in result.classes}, values + np.uint8(1))
    if session.colouring != "disagreement" or apart is None or len(apart) != len(result.scores):
        return Shown("class", class_colors(result.classes), overlay_values(session))
    colors = disagreement_colors(len(result.classes))
    level = disagreement_level(apart)
    values = np.where(level < 0, len(colors), level.clip(0, len(colors) - 1))
    return Shown("disagreement", colors, values.astype(np.uint8) + np.uint8(1))


def cell_flags(session: Session, n_values: int) -> Plane | None:
    """(N,) flags of every cell, or None if the overlay should not, or cannot, hatch."""
    result = session.classification
    if result is None or not session.mark_flagged or n_values > MOST_VALUES:
        return None
    return result.encoding.flags


def _legend(own: Shown) -> tuple[dict[int | None, Any], pd.DataFrame]:
    """Colour of every value of the overlay, and what the status bar says of it."""
    names = [*own.colors, NO_CLASS]
    colors = {**own.colors, NO_CLASS: NO_CLASS_COLOR}
    color_dict: dict[int | None, Any] = {None: (0, 0, 0, 0), 0: (0, 0, 0, 0)}
    told: list[tuple[str | None, str | None]] = [(None, None)]
    can_hatch = len(names) <= MOST_VALUES
    for striped in (False, True)[: 1 + can_hatch]:
        for flag in range(N_FLAGS if can_hatch else 1):
            for name in names:
                color_dict[len(told)] = STRIPE_COLOR if striped else colors[name]
                told.append((name, flag_name(flag) or None))
    # "index" is how napari finds the row of the value under the cursor, for the status bar.
    table = pd.DataFrame(told, columns=[own.what, "flag"])
    table.insert(0, "index", np.arange(len(told)))
    return color_dict, table


def update_overlay(viewer: Any, session: Session) -> Labels:
    """Show the classes, or the disagreement of heads, in the overlay that is there or a new one.

    With a segmentation, its objects are coloured and its pixels left alone; else discs are painted.
    """
    viewer = unwrapped(viewer)
    assert session.classification is not None
    assert session.image is not None
    base = session.image if session.labels is None else session.labels
    own = shown(session)
    data = _overlay_data(session, base, own)
    color_dict, features = _legend(own)
    note = {
        "role": "overlay",
        **session.classification.settings,
        "threshold": session.threshold,
        "shown": [own.what, *own.colors],
    }
    layer = find_overlay(viewer)
    if layer is not None and (layer.ndim != data.ndim or not _same_place(layer, base)):
        viewer.layers.remove(layer)
        layer = None
    if layer is None:
        layer = Labels(
            data,
            name=OVERLAY_NAME,
            opacity=0.5,
            blending="translucent",
            features=features,
            metadata={"interpdisc": note},
            **placed_like(base),
        )
        layer.colormap = DirectLabelColormap(color_dict=color_dict)
        above = [i for i, other in enumerate(viewer.layers) if isinstance(other, Image | Labels)]
        chosen = set(viewer.layers.selection)
        viewer.layers.insert(above[-1] + 1 if above else 0, layer)
        viewer.layers.selection = chosen  # the user goes on with the layer that was at hand
    else:
        layer.data = data
        if layer.metadata.get("interpdisc", {}).get("shown") != note["shown"]:
            layer.colormap = DirectLabelColormap(color_dict=color_dict)
        layer.features = features
        layer.metadata["interpdisc"] = note
        _raise_above(viewer, layer, session.image)
    layer.editable = False
    return layer


def _raise_above(viewer: Any, layer: Labels, image: Any) -> None:
    """Let an overlay not stay below the image of a later run, which would hide it."""
    order = list(viewer.layers)
    if image in order and order.index(layer) < order.index(image):
        viewer.layers.move(order.index(layer), order.index(image) + 1)


def _overlay_data(session: Session, base: Any, own: Shown) -> Any:
    """Planes in the axes of ``base``: an array for a still image, a lazy one for a movie."""
    frames, encoding = session.frames, session.encoding
    assert frames is not None
    assert encoding is not None
    cells, values, radius = encoding.cells, own.values, encoding.diameter / 2
    n_values = len(own.colors) + 1
    marks = cell_flags(session, n_values), n_values
    if session.labels is None:
        planes = ClassPlanes(cells.t, cells.yx, values, radius, frames.shape, None, *marks)
        data = planes.movie() if frames.is_movie else planes.plane(0)
        # A layer without the channel or z axis would slide along it in place of time.
        missing = sorted(set(range(base.ndim)) - set(image_axes(base, frames)))
        if not missing:
            return data
        return da.broadcast_to(da.expand_dims(da.asarray(data), missing), base.data.shape)
    labels = base.data[0] if base.multiscale else base.data
    position = cell_positions(session, base)
    yx = position[:, -2:]
    if labels.ndim == 2:
        shape = (1, *labels.shape)
        return ClassPlanes(cells.t * 0, yx, values, radius, shape, labels, *marks).plane(0)
    t = np.rint(position[:, 0]).astype(np.int64)
    return ClassPlanes(t, yx, values, radius, labels.shape, labels, *marks).movie()


def cell_positions(session: Session, base: Any) -> Float64Array:
    """Cells in the pixels of a segmentation, which may have a scale and an offset of its own."""
    assert session.frames is not None
    assert session.encoding is not None
    cells = session.encoding.cells
    return positions_in(base, session.image, session.frames, cells.t, cells.yx)


def _same_place(layer: Any, base: Any) -> bool:
    return layer.ndim == base.ndim and all(
        np.allclose(a, b) for a, b in zip(affine_of(layer), affine_of(base), strict=True)
    )


def is_overlay(layer: Any) -> bool:
    """Whether a layer is the class overlay, and not a segmentation of the user's."""
    note = layer.metadata.get("interpdisc")
    return isinstance(note, dict) and note.get("role") == "overlay"


def find_overlay(viewer: Any) -> Labels | None:
    """Return the overlay layer of a viewer, or None."""
    return next((layer for layer in unwrapped(viewer).layers if is_overlay(layer)), None)


_followed: weakref.WeakSet[Any] = weakref.WeakSet()


def follow_session(viewer: Any, session: Session) -> None:
    """From now on keep overlay and features in step with the session; once per session."""
    if session in _followed:
        return
    _followed.add(session)
    follow_cursor(viewer, session)
    # The session outlives no viewer, but its signals must not be what keeps one alive.
    reference = weakref.ref(unwrapped(viewer))

    def refresh(*_: Any) -> None:
        owner = reference()
        layer = None if owner is None else find_overlay(owner)
        if layer is not None and session.classification is None:
            layer.visible = False  # its classes are nobody's any more
            return
        # A hidden overlay is brought up to date when it is shown.
        if layer is not None and layer.visible:
            update_overlay(owner, session)

    def store(*_: Any) -> None:
        try:
            rewrite_classes(session)
        except InvalidInput as fault:
            show_warning(f"The features still hold the classes of before. {fault}")

    def compared(*_: Any) -> None:
        try:
            rewrite_disagreement(session)
        except InvalidInput as fault:
            show_warning(f"The features do not hold the disagreement of heads. {fault}")
        if session.colouring == "disagreement":
            refresh()

    def states_found(*_: Any) -> None:
        if session.colouring == "state":
            refresh()

    session.classification_changed.connect(store)
    session.classification_changed.connect(refresh)
    session.compared_changed.connect(compared)
    session.colouring_changed.connect(refresh)
    session.states_changed.connect(states_found)
    session.threshold_changed.connect(refresh)
    session.mark_flagged_changed.connect(refresh)
