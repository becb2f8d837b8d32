"""Tiles in a window: only those in sight are drawn, and their pictures asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import (
    QAbstractListModel,
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QPoint,
    QRect,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from qtpy.QtGui import QColor, QImage, QKeyEvent, QPainter, QPen, QPolygon, QResizeEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from napari_interpdisc._types import RGBA
from napari_interpdisc.widgets.gallery.pictures import Picture

ROW = Qt.ItemDataRole.UserRole

SIDES = (32, 160)
SIDE = 64
"""Side of a picture, px: the smallest, the largest, and at first."""

BORDER, GAP = 3, 3
"""Of the frame in the colour of the class, and around it, px."""

CAPTION_FROM = 48
"""Side from which there is room for a number."""

DASH_WIDTH = 2
CHOSEN = "#ffffff"
SEEN_SOON_MS = 15


@dataclass(frozen=True)
class Look:
    """What a tile looks like beside its picture.

    Attributes
    ----------
    color
        Of its class; grey without one.
    mark
        Colour of its annotation, or None.
    text
        A few characters.
    is_wrong, is_flagged
        Whether held-out heads contradict the annotation; whether not to trust the class.
    """

    color: RGBA
    mark: RGBA | None = None
    text: str = ""
    is_wrong: bool = False
    is_flagged: bool = False


class TileModel(QAbstractListModel):  # type: ignore[misc]
    """Rows of cells in the order of their tiles."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: npt.NDArray[np.intp] = np.zeros(0, np.intp)
        self._places: npt.NDArray[np.intp] = np.zeros(0, np.intp)
        self.tip_of: Callable[[int], str] = str

    def set_rows(self, rows: npt.NDArray[np.intp], n: int) -> None:
        """Show other tiles; ``n`` is the number of all cells."""
        self.beginResetModel()
        self.rows = rows
        self._places = np.full(n, -1, np.intp)
        self._places[rows] = np.arange(len(rows))
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 (Qt's name)
        """Return the number of tiles."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Row of the cell, and what is known of it."""
        if not index.isValid():
            return None
        row = int(self.rows[index.row()])
        if role == ROW:
            return row
        return self.tip_of(row) if role == Qt.ItemDataRole.ToolTipRole else None

    def places(self, rows: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """Places of the tiles of some cells, rising; those that have none are left out."""
        wanted = np.asarray(rows, np.intp)
        found = self._places[wanted[wanted < len(self._places)]]
        return np.sort(found[found >= 0])


class TileDelegate(QStyledItemDelegate):  # type: ignore[misc]
    """Draws a tile: frame in the colour of the class, picture, annotation in a corner."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.side = SIDE
        self.selected: int | None = None
        self.picture_of: Callable[[int], Picture | None] = lambda row: None
        self.look_of: Callable[[int], Look] = lambda row: Look((0.5, 0.5, 0.5, 1.0))

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # noqa: N802
        """The same for all tiles."""
        whole = self.side + 2 * (BORDER + GAP)
        return QSize(whole, whole)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Draw one tile."""
        row = index.data(ROW)
        look = self.look_of(row)
        painter.save()
        frame = option.rect.adjusted(GAP, GAP, -GAP, -GAP)
        square = frame.adjusted(BORDER, BORDER, -BORDER, -BORDER)
        painter.fillRect(frame, QColor.fromRgbF(*look.color))
        self._draw_picture(painter, square, self.picture_of(row))
        if look.mark is not None:
            self._draw_mark(painter, square, look)
        if look.is_flagged:
            self._draw_flag(painter, square)
        if look.text and self.side >= CAPTION_FROM:
            self._draw_text(painter, square, look.text)
        if option.state & QStyle.StateFlag.State_Selected:
            # beside the frame, which stays in the colour of the class
            painter.setPen(QPen(option.palette.windowText().color(), GAP - 1))
            painter.drawRect(option.rect.adjusted(1, 1, -2, -2))
        if row == self.selected:
            for color, style in (
                ("#000000", Qt.PenStyle.SolidLine),
                (CHOSEN, Qt.PenStyle.DashLine),
            ):
                painter.setPen(QPen(QColor(color), DASH_WIDTH, style))
                painter.drawEllipse(square.adjusted(2, 2, -3, -3))
        painter.restore()

    @staticmethod
    def _draw_picture(painter: QPainter, square: QRect, picture: Picture | None) -> None:
        if picture is None:
            painter.fillRect(square, QColor(60, 60, 60))
            return
        height, width = picture.shape
        data = picture.tobytes()  # held while the image, which does not copy it, is drawn
        image = QImage(data, width, height, width, QImage.Format.Format_Grayscale8)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(square, image)

    @staticmethod
    def _draw_mark(painter: QPainter, square: QRect, look: Look) -> None:
        """A corner in the colour of the annotation, crossed out where held-out heads differ."""
        assert look.mark is not None
        side = max(12, square.width() // 4)
        corner = square.topRight()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor("#000000"), 1))
        painter.setBrush(QColor.fromRgbF(*look.mark))
        left, below = corner - QPoint(side, 0), corner + QPoint(0, side)
        painter.drawPolygon(QPolygon([corner, left, below]))
        if look.is_wrong:
            painter.setPen(QPen(QColor("#000000"), 2))
            painter.drawLine(corner - QPoint(side // 2, 0), corner + QPoint(0, side // 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)

    @staticmethod
    def _draw_flag(painter: QPainter, square: QRect) -> None:
        """Stripes in a corner, as the overlay has on flagged cells."""
        side = max(8, square.width() // 6)
        corner = QRect(square.left(), square.top(), side, side)
        painter.fillRect(corner, QColor(190, 190, 190))
        painter.fillRect(corner, QColor(0, 0, 0))
        painter.setPen(QPen(QColor(220, 220, 220), 1))
        for step in range(3, 2 * side, 4):
            painter.drawLine(
                corner.left() + max(0, step - side), corner.top() + min(step, side),
                corner.left() + min(step, side), corner.top() + max(0, step - side),
            )  # fmt: skip

    @staticmethod
    def _draw_text(painter: QPainter, square: QRect, text: str) -> None:
        font = painter.font()
        font.setPixelSize(max(9, square.width() // 7))
        painter.setFont(font)
        strip = QRect(square)
        strip.setTop(square.bottom() - painter.fontMetrics().height())
        strip.setWidth(min(square.width(), painter.fontMetrics().horizontalAdvance(text) + 6))
        painter.fillRect(strip, QColor(0, 0, 0, 150))
        painter.setPen(QColor("#ffffff"))
        painter.drawText(strip, int(Qt.AlignmentFlag.AlignCenter), text)


class TileView(QListView):  # type: ignore[misc]
    """Tiles side by side, as many in a line as fit.

    Signals
    -------
    chosen
        The user chose other tiles.
    picked
        Row of the cell that was clicked, or gone to by an arrow key.
    jumped
        Row of the cell that was double-clicked, or Enter was pressed on.
    pressed_key
        A key that may mean a class.
    seen
        Rows of the cells in sight, after they changed.
    """

    chosen = Signal()
    picked = Signal(int)
    jumped = Signal(int)
    pressed_key = Signal(str)
    seen = Signal(list)

    def __init__(self) -> None:
        super().__init__()
        self.tiles = TileModel(self)
        self.delegate = TileDelegate(self)
        self.setModel(self.tiles)
        self.setItemDelegate(self.delegate)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setUniformItemSizes(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setSelectionRectVisible(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # else the width, and so the lines, would change with the number of tiles
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setDragEnabled(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._quiet = False
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(SEEN_SOON_MS)
        self._soon.timeout.connect(self._tell_seen)
        self.verticalScrollBar().valueChanged.connect(self._look_soon)
        self.selectionModel().selectionChanged.connect(self._selection_changed)
        self.clicked.connect(lambda index: self.picked.emit(index.data(ROW)))
        self.doubleClicked.connect(lambda index: self.jumped.emit(index.data(ROW)))

    # -- what is shown --------------------------------------------------------------------------

    def set_rows(self, rows: npt.NDArray[np.intp], n: int, chosen: npt.ArrayLike) -> None:
        """Show other tiles, with those of the chosen cells chosen; the place is kept."""
        at = self.verticalScrollBar().value()
        self._quiet = True
        self.tiles.set_rows(rows, n)
        self._quiet = False
        self.choose(chosen)
        self.verticalScrollBar().setValue(at)
        self._look_soon()

    def set_side(self, side: int) -> None:
        """Show larger or smaller tiles; the first in sight stays there."""
        first = self.indexAt(QPoint(2 * GAP, 2 * GAP))
        self.delegate.side = side
        self.scheduleDelayedItemsLayout()
        self.executeDelayedItemsLayout()
        if first.isValid():
            self.scrollTo(first, QAbstractItemView.ScrollHint.PositionAtTop)
        self._look_soon()

    def choose(self, rows: npt.ArrayLike) -> None:
        """Choose the tiles of some cells and no others, without telling."""
        places = self.tiles.places(rows)
        wanted = QItemSelection()
        for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1):
            if len(run):
                wanted.select(self.tiles.index(int(run[0])), self.tiles.index(int(run[-1])))
        self._quiet = True
        self.selectionModel().select(wanted, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self._quiet = False

    def chosen_rows(self) -> npt.NDArray[np.intp]:
        """Rows of the cells whose tiles are chosen, rising."""
        parts = [
            self.tiles.rows[one.top() : one.bottom() + 1]
            for one in self.selectionModel().selection()
        ]
        return np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.intp)

    def select(self, row: int | None, *, come: bool = True) -> None:
        """Ring the tile of a cell, and bring it into sight, or leave the place as it is."""
        self.delegate.selected = row
        places = self.tiles.places([] if row is None else [row])
        if len(places):
            index = self.tiles.index(int(places[0]))
            self.setAutoScroll(come)  # else Qt brings what is current into sight
            self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
            self.setAutoScroll(True)
            if come:
                self.scrollTo(index)
        self.viewport().update()

    def rows_in_sight(self) -> list[int]:
        """Rows of the cells whose tiles can be seen, and of one more line."""
        first = self.indexAt(QPoint(2 * GAP, 2 * GAP))
        if not first.isValid():
            return []
        whole = self.delegate.side + 2 * (BORDER + GAP)
        room = self.viewport().size()
        n = max(1, room.width() // whole) * (room.height() // whole + 2)
        return [int(row) for row in self.tiles.rows[first.row() : first.row() + n]]

    # -- what the user does ---------------------------------------------------------------------

    def _selection_changed(self, *_: object) -> None:
        if not self._quiet:
            self.chosen.emit()

    def _look_soon(self, *_: object) -> None:
        if not self._soon.isActive():  # not put off again and again while the bar is dragged
            self._soon.start()

    def _tell_seen(self) -> None:
        self.seen.emit(self.rows_in_sight())

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt's name)
        """Keys of classes, Enter, and Qt's own: arrows, Ctrl+A; none searches by letters."""
        key, plain = event.key(), not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        named = {Qt.Key.Key_Delete: "Delete", Qt.Key.Key_Backspace: "Backspace"}
        current = self.currentIndex()
        if plain and (key in named or event.text().isdigit()):
            self.pressed_key.emit(named.get(key, event.text()))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and current.isValid():
            self.jumped.emit(current.data(ROW))
        elif event.text().isprintable() and event.text().strip() and plain:
            event.ignore()
        else:
            super().keyPressEvent(event)
            moved = self.currentIndex()
            if moved.isValid() and moved != current:
                self.picked.emit(moved.data(ROW))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name)
        """Ask for what comes into sight."""
        super().resizeEvent(event)
        self._look_soon()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 (Qt's name)
        """Stay grey without cells."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.EnabledChange:
            self.viewport().update()
