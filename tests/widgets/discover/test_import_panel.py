"""The panel that takes annotations from a layer."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from .conftest import (
    Settled,
)


def test_import_by_the_panel(scene: SimpleNamespace, settled: Settled) -> None:
    widget = scene.widget
    names = np.where(scene.table[:, 0] % 2 == 0, "round", "long")
    scene.cells.features = pd.DataFrame({"shape": names})
    widget.imports.refresh()
    assert widget.imports.layer.value is scene.cells
    assert widget.imports.column.value == "shape"
    widget.imports.take.click()
    settled()
    assert widget.status.text().endswith("18 long, 18 round.")
    assert widget.annotations.classes == ("long", "round")
    assert [label.text() for label in widget.classes.counts[1]] == ["18", "6"]
