"""The confusion matrix with pictures."""

from __future__ import annotations

import numpy as np

from napari_interpdisc.figures.confusion import confusion_figure


def test_a_field_has_its_cells_the_surest_first() -> None:
    crops = np.arange(7, dtype=np.float32)[:, None, None] * np.ones((7, 4, 4), np.float32)
    target = np.array([0, 0, 0, 0, 0, 1, 1])
    called = np.array([0, 0, 0, 0, 0, 0, 1])
    sure = np.array([0.1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.5])
    figure = confusion_figure(crops, target, called, sure, ("a", "b"))
    fields = {axes.get_title(): axes.get_images()[0].get_array() for axes in figure.axes}
    assert sorted(fields) == ["0", "1", "5"]
    shown = fields["5"]
    assert [shown[y, x] for y, x in ((0, 0), (0, 4), (4, 0), (4, 4))] == [1, 2, 3, 4]
    assert np.ma.count(fields["0"]) == 0
