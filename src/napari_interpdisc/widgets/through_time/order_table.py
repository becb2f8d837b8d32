"""A grid of classes in which each tick allows one class to follow another."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_interpdisc.through_time.order import Order


class OrderTable(QTableWidget):  # type: ignore[misc]
    """From the class of the row to that of the column; a class may always last.

    Signals
    -------
    edited
        The order, after a tick was set or taken away.
    """

    edited = Signal(object)

    def __init__(self) -> None:
        super().__init__(0, 0)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setToolTip(
            "A tick lets the class of the column follow that of the row from one frame to the "
            "next. A class may always last."
        )
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.itemChanged.connect(lambda *_: self.edited.emit(self.order()))
        self._classes: tuple[str, ...] = ()

    def show_order(self, order: Order) -> None:
        """Show which class may follow which."""
        names = order.classes
        with QSignalBlocker(self):
            self._classes = names
            self.setRowCount(len(names))
            self.setColumnCount(len(names))
            # of long names, the first letters tell classes apart where columns are narrow
            self.setHorizontalHeaderLabels([f"→ {name}" for name in names])
            self.setVerticalHeaderLabels([f"{name}" for name in names])
            for a in range(len(names)):
                for b in range(len(names)):
                    item = QTableWidgetItem()
                    flags = Qt.ItemFlag.ItemIsEnabled
                    if a != b:
                        flags |= Qt.ItemFlag.ItemIsUserCheckable
                        on = Qt.CheckState.Checked if order.allowed[a, b] else self._off()
                        item.setCheckState(on)
                        item.setToolTip(f"{names[b]} may follow {names[a]}")
                    else:
                        item.setText("lasts")
                        item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
                    item.setFlags(flags)
                    self.setItem(a, b, item)
        self._fit()

    @staticmethod
    def _off() -> Qt.CheckState:
        return Qt.CheckState.Unchecked

    def _fit(self) -> None:
        self.resizeRowsToContents()
        height = sum(self.rowHeight(i) for i in range(self.rowCount()))
        head = self.horizontalHeader().sizeHint().height()
        self.setFixedHeight(height + head + 2 * self.frameWidth() + 2)

    def order(self) -> Order:
        """The order that the ticks say."""
        n = len(self._classes)
        allowed = np.eye(n, dtype=bool)
        for a in range(n):
            for b in range(n):
                if a != b:
                    allowed[a, b] = self.item(a, b).checkState() == Qt.CheckState.Checked
        return Order(self._classes, allowed)
