"""What was tested of a part, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_interpdisc.number_text import signed
from napari_interpdisc.scrutiny.anatomy_findings import Finding, Kind
from napari_interpdisc.scrutiny.anatomy_parts import Part

ASKED: dict[Kind, str] = {
    "responds": "Led by one input",
    "monotone": "Monotone in {}",
    "saturates": "Saturates in {}",
    "orientation": "Independent of orientation",
    "sign": "Of one sign",
}
"""What each test asks; its input is filled in."""


class FindingsView(QWidget):  # type: ignore[misc]
    """One line for each test: what was asked, whether it holds, the number, and a sentence.

    Attributes
    ----------
    lines
        The labels, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[QLabel] = []
        self.setToolTip("What was tested of the part. Point at a line to read how.")
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(3)

    def say(self, text: str) -> None:
        """Say one sentence in place of findings."""
        self._fill([(escape(text), "")])

    def show_findings(self, part: Part, findings: Sequence[Finding]) -> None:
        """Show what was found of a part; that it does not saturate is no news."""
        news = [one for one in findings if one.holds or one.kind != "saturates"]
        self._fill([(told(one, part), one.tested) for one in news])

    def _fill(self, lines: list[tuple[str, str]]) -> None:
        while len(self.lines) > len(lines):
            old = self.lines.pop()
            self._layout.removeWidget(old)
            old.hide()
            old.deleteLater()
        while len(self.lines) < len(lines):
            label = QLabel()
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.RichText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self.lines.append(label)
            self._layout.addWidget(label)
        for label, (text, tip) in zip(self.lines, lines, strict=True):
            label.setText(text)
            label.setToolTip(f"Tested: {tip}" if tip else self.toolTip())


def told(one: Finding, part: Part) -> str:
    """A finding as rich text: what was asked, whether it holds, the number, the sentence."""
    name = "" if one.input is None else part.inputs[one.input].label
    asked = ASKED[one.kind].format(name)
    holds = "holds" if one.holds else "does not hold"
    number = "by construction" if one.tested.startswith("by construction") else signed(one.number)
    return f"<b>{escape(asked)}: {holds}</b> ({number}). {escape(one.sentence)}"
