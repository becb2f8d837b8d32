"""Buttons that choose many cells in the canvas, and how many are chosen."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from napari_interpdisc.widgets.canvas.choosing import Mode, connect_choosing
from napari_interpdisc.widgets.parts.links import connect_while_alive
from napari_interpdisc.widgets.session import Session

KEYS = (
    "Shift and drag adds the cells in a box, Ctrl (⌘) and drag takes away those that are chosen, "
    "without these buttons too; with a click, one cell."
)
TIPS: dict[Mode, str] = {
    "box": "Drag a box in the canvas: the cells of this frame inside are chosen.\n" + KEYS,
    "lasso": "Drag around cells in the canvas: those of this frame inside are chosen.\n" + KEYS,
}


class ChoosingRow(QWidget):  # type: ignore[misc]
    """*Box*, *Lasso*, the number of chosen cells, and *Choose none*; the same in each dock."""

    def __init__(self, viewer: Any, session: Session) -> None:
        super().__init__()
        self._session = session
        self._chooser = connect_choosing(viewer, session)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.buttons: dict[Mode, QPushButton] = {}
        for mode, tip in TIPS.items():
            made = QPushButton()
            made.setText(mode.capitalize())
            made.setToolTip(tip)
            made.setCheckable(True)
            made.clicked.connect(
                lambda on, mode=mode: self._chooser.set_mode(mode if on else "off")
            )
            self.buttons[mode] = made
            layout.addWidget(made)
        self.told = QLabel()
        self.told.setToolTip("Cells with a thin white outline. A class's key is for all of them.")
        self.none = QPushButton()
        self.none.setText("Choose none")
        self.none.setToolTip("Choose no cells any more; annotations stay.")
        self.none.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.none.clicked.connect(lambda *_: session.choose((), self))
        layout.addWidget(self.told, 1)
        layout.addWidget(self.none)
        self.setToolTip(KEYS)
        connect_while_alive(
            self,
            (session.chosen_changed, self._show_number),
            (self._chooser.mode_changed, self._show_mode),
        )
        self._show_number()
        self._show_mode(self._chooser.mode)

    def leave_off(self) -> None:
        """Let plain drags pan again."""
        self._chooser.set_mode("off")

    def _show_number(self, *_: object) -> None:
        n = len(self._session.chosen)
        self.told.setText(f"{n} cell{'s' if n != 1 else ''} chosen" if n else "")
        self.none.setEnabled(bool(n))

    def _show_mode(self, mode: str) -> None:
        for name, made in self.buttons.items():
            made.setChecked(name == mode)
