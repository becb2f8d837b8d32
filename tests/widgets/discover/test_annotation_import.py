"""Annotations from columns of layers."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.widgets.canvas.layers import label_columns
from napari_interpdisc.widgets.discover.annotation_import import (
    LABEL_VALUE,
    columns_of,
    prepare_import,
)


@pytest.fixture
def scene(make_scene: Callable[..., SimpleNamespace]) -> SimpleNamespace:
    return make_scene(window=False)


def taken(layer: Any, column: str, scene: SimpleNamespace) -> Any:
    return prepare_import(layer, column, scene.session)(lambda done, n: None)


def test_import_from_the_cells_features(scene: SimpleNamespace) -> None:
    scene.cells.features = pd.DataFrame(
        {"mine": ["a", "", "b", None, "a", "b", "a"], "z_0": range(7)}
    )
    assert columns_of(scene.cells, scene.session) == ["mine"]
    found = taken(scene.cells, "mine", scene)
    assert found.names == {0: "a", 2: "b", 4: "a", 5: "b", 6: "a"}
    assert found.sentence() == "5 cells were annotated from 'mine' of 'cells': 3 a, 2 b."
    scene.session.cells_layer.data = scene.cells.data[:3]
    with pytest.raises(InvalidInput, match="was changed; run Cells again"):
        taken(scene.cells, "mine", scene)


def test_import_from_points_counts_what_is_near_no_cell(
    scene: SimpleNamespace, to_world: Any
) -> None:
    places = [to_world(0, (32, 30)), to_world(2, (38, 40)), to_world(1, (5, 110))]
    points = scene.viewer.add_points(places, features={"class": ["a", "b", "b"]}, name="other")
    found = taken(points, "class", scene)
    assert found.names == {0: "a", 5: "b"}
    assert found.sentence().endswith("1 a, 1 b; 1 label is near no cell and left out.")


def test_import_from_labels(scene: SimpleNamespace) -> None:
    planes = np.zeros((3, 120, 130), int)
    planes[0, 25:35, 25:35] = 1
    planes[1, 66:70, 90:94] = 2  # beside the cell
    planes[1, 5:9, 5:9] = 2  # near none
    labels = scene.viewer.add_labels(
        planes, name="brush", scale=scene.image.scale, translate=scene.image.translate
    )
    found = taken(labels, LABEL_VALUE, scene)
    assert found.names == {0: "1", 3: "2"}
    assert found.missed == 1
    labels.features = pd.DataFrame({"index": [0, 1, 2], "name": ["", "a", "b"]})
    assert taken(labels, "name", scene).names == {0: "a", 3: "b"}
    planes[1, 25:37, 25:37] = 1  # the same label, of another class in another frame
    labels.features = pd.DataFrame({"index": [1, 1], "t": [0, 1], "name": ["a", "b"]})
    assert taken(labels, "name", scene).names == {0: "a", 2: "b"}
    by_frame = label_columns([1, 1], [1, 0]).assign(name=["b", "a"])
    labels.features = by_frame
    assert taken(labels, "name", scene).names == {0: "a", 2: "b"}


def test_import_refuses_what_names_no_classes(scene: SimpleNamespace) -> None:
    scene.cells.features = pd.DataFrame({"none": [None] * 7})
    with pytest.raises(InvalidInput, match="No cell has a label"):
        taken(scene.cells, "none", scene)
    with pytest.raises(InvalidInput, match="Choose a layer and a column"):
        taken(None, "none", scene)
    scene.session.clear()
    with pytest.raises(InvalidInput, match="run the Cells widget first"):
        taken(scene.cells, "none", scene)
