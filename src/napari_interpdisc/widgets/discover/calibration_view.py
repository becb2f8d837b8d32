"""Whether the confidences of the chosen head are right on held-out cells."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_interpdisc.widgets.parts.figure_view import FigureView

if TYPE_CHECKING:
    from napari_interpdisc.discovery.reliability import Reliability

TITLE = "Calibration of confidences"
HEIGHT = 230


class CalibrationView(QWidget):  # type: ignore[misc]
    """A reliability diagram, and one sentence with its figures."""

    def __init__(self) -> None:
        super().__init__()
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.told.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.told.setToolTip(
            "Expected calibration error: mean distance of confidence and share right. Brier score: "
            "squared error of the probabilities, summed over classes; 0 is perfect. Each class "
            "counts the same."
        )
        self.figure = FigureView(HEIGHT)
        self.figure.setToolTip(
            "How often held-out heads are right at each confidence. On the dashed line they are as "
            "often right as they say; below it they are overconfident. Lines: 95 % intervals by "
            "group. Bars: share of cells with that confidence."
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.told)
        layout.addWidget(self.figure)
        self.say("")

    def say(self, text: str) -> None:
        """Say why there is nothing to show."""
        self.told.setText(text)
        self.figure.show_figure(None)

    def show_reliability(self, found: Reliability, group_name: str) -> None:
        """Show how right the confidences of one head are."""
        from napari_interpdisc.figures.reliability import reliability_panel

        self.told.setText(found.sentence(group_name))
        self.figure.show_figure(partial(reliability_panel, found))
