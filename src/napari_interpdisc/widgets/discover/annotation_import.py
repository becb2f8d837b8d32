"""Annotations from what is in the viewer already: a features column, points, or labels. No Qt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from napari.layers import Labels

from napari_interpdisc._types import Progress
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.widgets.canvas.layers import cells_from_layer, label_key
from napari_interpdisc.widgets.canvas.overlay import cell_positions
from napari_interpdisc.widgets.discover.annotations import NO_ROW, Mark, match_marks
from napari_interpdisc.widgets.discover.run import NO_CELLS
from napari_interpdisc.widgets.session import Session

LABEL_VALUE = "value of the label"


@dataclass(frozen=True)
class Imported:
    """Class names of cells, by row.

    Attributes
    ----------
    names, classes
        Class of each cell, and the classes in their order.
    missed
        Labels that are near no cell.
    source
        Where they are from, to be told.
    """

    names: dict[int, str]
    classes: tuple[str, ...]
    missed: int
    source: str

    def sentence(self) -> str:
        """Say what was taken over and what was not."""
        counts = Counter(self.names.values())
        told = ", ".join(f"{counts[name]} {name}" for name in self.classes)
        text = f"{len(self.names)} cells were annotated from {self.source}: {told}."
        if self.missed:
            some = "1 label is" if self.missed == 1 else f"{self.missed} labels are"
            text = f"{text[:-1]}; {some} near no cell and left out."
        return text


def columns_of(layer: Any, session: Session) -> list[str]:
    """Feature columns of a layer that may name classes: those with few values, texts first."""
    if layer is None:
        return []
    table = layer.features
    few = [name for name in table if table[name].nunique() <= max(20, len(table) // 20)]
    plain = [name for name in few if not str(name).startswith(("z_", "interpdisc_"))]
    texts = [n for n in plain if not pd.api.types.is_numeric_dtype(table[n])]
    columns = [*texts, *(n for n in plain if n not in texts)]
    if isinstance(layer, Labels):
        columns = [n for n in columns if n not in ("index", "label", "t")]
        if layer is not session.cells_layer:
            columns = [LABEL_VALUE, *columns]
    return [str(name) for name in columns]


def prepare_import(
    layer: Any, column: str | None, session: Session
) -> Callable[[Progress], Imported]:
    """Read a layer on the main thread, and return the rest of the work, for a thread.

    Raises
    ------
    InvalidInput
        If there are no cells, or the layer holds nothing that can be taken over.
    """
    if session.encoding is None or session.frames is None:
        raise InvalidInput(NO_CELLS)
    if layer is None or not column:
        raise InvalidInput("Choose a layer and a column of its features that names the classes.")
    source = f"'{layer.name}'" if column == LABEL_VALUE else f"'{column}' of '{layer.name}'"
    table = layer.features.reset_index(drop=True)
    if layer is session.cells_layer:
        if len(table) != len(session.encoding.cells):
            raise InvalidInput(
                f"'{layer.name}' has {len(table)} rows for {len(session.encoding.cells)} cells: it "
                "was changed; run Cells again."
            )
        rows = list(range(len(table)))
        return lambda progress: _imported(rows, list(table[column]), 0, source)
    if isinstance(layer, Labels):
        names = {} if column == LABEL_VALUE else _names_of_labels(layer, table, column)
        position = cell_positions(session, layer)
        data = layer.data[0] if layer.multiscale else layer.data
        reach = session.encoding.diameter / 2
        return lambda progress: _from_planes(data, position, names, reach, source, progress)
    points = cells_from_layer(layer, session.image, session.frames)
    marks = [
        Mark(str(i), int(t), float(y), float(x), NO_ROW)
        for i, (t, (y, x)) in enumerate(zip(points.t, points.yx, strict=True))
    ]
    cells, within = session.encoding.cells, session.encoding.diameter / 2
    values = list(table[column])

    def match(progress: Progress) -> Imported:
        labelled = [m for m in marks if _is_label(values[int(m.name)])]
        found = match_marks(labelled, cells, within)
        near = [m for m in found if m.row != NO_ROW]
        missed = sum(m.row == NO_ROW for m in found)
        return _imported([m.row for m in near], [values[int(m.name)] for m in near], missed, source)

    return match


def _imported(rows: list[int], values: list[object], missed: int, source: str) -> Imported:
    from napari_interpdisc.discovery.labelled import encode_labels

    target, classes = encode_labels(values)
    if not len(classes):
        raise InvalidInput(f"No cell has a label in {source}.")
    names = {row: classes[k] for row, k in zip(rows, target.tolist(), strict=True) if k >= 0}
    return Imported(names, classes, missed, source)


def _is_label(value: Any) -> bool:
    return bool(pd.notna(value)) and str(value).strip() != ""


def _names_of_labels(
    layer: Labels, table: pd.DataFrame, column: str
) -> dict[tuple[int | None, int], object]:
    """Value of each label, by frame where the table tells; the frame is None where it does not."""
    key = label_key(table)
    if key is None:
        raise InvalidInput(
            f"The features of '{layer.name}' have no column 'index' that says which label each row "
            f"is about; choose '{LABEL_VALUE}'."
        )
    labels = table[key].astype(int)
    times = table["t"].astype(int) if "t" in table and labels.duplicated().any() else None
    frames = [None] * len(table) if times is None else times
    return dict(zip(zip(frames, labels, strict=True), table[column], strict=True))


def _from_planes(
    data: Any,
    position: npt.NDArray[np.float64],
    names: dict[tuple[int | None, int], object],
    reach: float,
    source: str,
    progress: Progress,
) -> Imported:
    """Give each cell the label that it lies in, or that is nearest to it within ``reach``."""
    from skimage.measure import label, regionprops

    rows: list[int] = []
    values: list[object] = []
    missed = 0
    is_movie = data.ndim > 2
    times = np.rint(position[:, 0]) if is_movie else np.zeros(len(position))
    for frame in range(len(data) if is_movie else 1):
        progress(frame, len(data) if is_movie else 1)
        plane = np.asarray(data[frame] if is_movie else data)
        here = np.flatnonzero(times == frame)
        regions, free = label(plane), list(here)
        for region in regionprops(regions):
            value = int(plane[tuple(region.coords[0])])
            name = names.get((frame, value), names.get((None, value))) if names else value
            if not _is_label(name):
                continue
            inside = [r for r in free if _within(regions, position[r, -2:], region.label)]
            if not inside and free:
                distance = np.hypot(*(position[free, -2:] - region.centroid).T)
                inside = [free[int(distance.argmin())]] if distance.min() <= reach else []
            missed += not inside
            for r in inside:
                free.remove(r)
                rows.append(int(r))
                values.append(name)
    return _imported(rows, values, missed, source)


def _within(regions: npt.NDArray[Any], yx: npt.NDArray[np.float64], number: int) -> bool:
    y, x = np.rint(yx).astype(int)
    height, width = regions.shape
    return bool(0 <= y < height and 0 <= x < width and regions[y, x] == number)
