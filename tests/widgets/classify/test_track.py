"""The selected track through time."""

from typing import Any

import numpy as np

from napari_interpdisc.widgets.classify.widget import ClassifyWidget
from napari_interpdisc.widgets.session import Session


def test_the_plot_follows_the_selected_track(
    viewer: Any, widget: ClassifyWidget, session: Session
) -> None:
    assert widget.plot.series is None
    session.select(2)
    series = widget.plot.series
    assert series is not None
    assert series.t.tolist() == [0, 1, 2]
    np.testing.assert_allclose(series.lines[:, 0], [-4, 2, 3])
    assert series.point_colors[0] != series.point_colors[1]
    assert series.title.startswith("Cell 1, frame 0: Interphase")
    viewer.dims.set_current_step(0, 2)
    assert "frame 2: Metaphase" in widget.plot.series.title
    session.select(None)
    assert widget.plot.series is None
