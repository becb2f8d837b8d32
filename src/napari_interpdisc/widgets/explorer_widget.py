"""The *Latent explorer* dock widget: what a cell would be if its latents were others."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from napari_interpdisc.errors import InterpdiscError
from napari_interpdisc.widgets.cell_views import (
    LatentRow,
    PictureView,
    TraversalStrip,
    grey_picture,
)
from napari_interpdisc.widgets.compat import unwrapped
from napari_interpdisc.widgets.editing import EditedCell
from napari_interpdisc.widgets.links import connect_while_alive
from napari_interpdisc.widgets.picking import connect_picking
from napari_interpdisc.widgets.state import session_of
from napari_interpdisc.widgets.tiles import grey_limits, place_crops, show_tile
from napari_interpdisc.widgets.wording import (
    CHANGED_COLOUR,
    SCORE_HELP,
    cell_name,
    class_of,
    score_of,
    signed,
    verdict,
)

REDRAW_MS = 15
"""Slider moves within this time are drawn once."""

TRAVERSAL = np.linspace(-3, 3, 7)

NO_CELLS = "Run <b>Cells</b> first, then click a cell in the viewer."
NO_SELECTION = "Click a cell in the viewer to see its latents."


class ExplorerWidget(QWidget):  # type: ignore[misc]
    """Crop, reconstruction and live decoding of the selected cell, with a slider per latent.

    Parameters
    ----------
    napari_viewer
        The viewer whose cells are explored.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._viewer = unwrapped(napari_viewer)
        self.session = session_of(napari_viewer)
        connect_picking(napari_viewer, self.session)
        self.cell: EditedCell | None = None
        self.traversed: int | None = None
        self.rows: dict[int, LatentRow] = {}
        self._rows_of: str | None = None
        self._limits = (0.0, 1.0)
        self._strip_key: Any = None
        self._stale = True

        self.hint = QLabel(NO_CELLS)
        self.title = QLabel()
        self.image_view = PictureView("image", "The cell as it was cropped and normalised")
        self.reconstruction_view = PictureView(
            "reconstruction", "What the model keeps of the cell: its latents, decoded"
        )
        self.edited_view = PictureView(
            "edited", "The cell with the latents that the sliders show, decoded"
        )
        self.scores = QLabel()
        self.strip_title = QLabel()
        self.strip = TraversalStrip(len(TRAVERSAL))
        self.reset_all = QPushButton("Reset all")
        self.send = QPushButton("Send to layers")
        self._row_box = QVBoxLayout()
        self._redraw = QTimer(self)
        self._build()

        connect_while_alive(
            self,
            (self.session.selected_changed, self._cell_changed),
            (self.session.encoding_changed, self._cell_changed),
            (self.session.classification_changed, self._head_changed),
        )

    # -- parts ------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.hint.setWordWrap(True)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.hint.setToolTip("The explorer shows the cell that is selected in the viewer")
        self.title.setToolTip("The selected cell")
        self.scores.setToolTip(SCORE_HELP)
        self.scores.setWordWrap(True)
        self.scores.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.strip_title.setToolTip(self.strip.toolTip())
        self.reset_all.setToolTip("Set every latent back to the cell's own value")
        self.send.setToolTip(
            "Add the crop, its reconstruction and the edited cell as image layers, laid over the "
            "cell in the viewer"
        )
        self.reset_all.clicked.connect(self._reset_all)
        self.send.clicked.connect(self.send_to_layers)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(REDRAW_MS)
        self._redraw.timeout.connect(self._draw)

        views = QHBoxLayout()
        for view in (self.image_view, self.reconstruction_view, self.edited_view):
            views.addWidget(view)
        inner = QWidget()
        self._row_box.setContentsMargins(0, 0, 0, 0)
        self._row_box.setSpacing(0)
        inner.setLayout(self._row_box)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setMinimumHeight(140)
        scroll.setWidget(inner)
        buttons = QHBoxLayout()
        buttons.addWidget(self.reset_all)
        buttons.addWidget(self.send)

        page = QWidget()
        layout = QVBoxLayout(page)
        layout.addWidget(self.title)
        layout.addLayout(views)
        layout.addWidget(self.scores)
        layout.addWidget(self.strip_title)
        layout.addWidget(self.strip)
        layout.addWidget(scroll, stretch=1)
        layout.addLayout(buttons)
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self.hint)
        self._pages.addWidget(page)

    def _build_rows(self) -> None:
        """One row per latent of the model, the most important first."""
        model = self.session.model
        if self._rows_of == model.sha256:
            return
        for row in self.rows.values():
            self._row_box.removeWidget(row)
            row.deleteLater()
        self.rows = {}
        largest = float(model.latent_kl.max()) or 1.0
        for latent in model.by_importance():
            kl = float(model.latent_kl[latent])
            row = LatentRow(latent, kl, max(0.0, kl / largest))
            row.moved.connect(self._moved)
            row.touched.connect(self._touched)
            row.reset_asked.connect(self._reset_one)
            self._row_box.addWidget(row)
            self.rows[latent] = row
        self._rows_of = model.sha256
        self.traversed = model.by_importance()[0]

    # -- what is shown ----------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Catch up with what changed while hidden."""
        super().showEvent(event)
        if self._stale:
            self._show_cell()

    def _cell_changed(self, *_: Any) -> None:
        self._stale = True
        if self.isVisible():
            self._show_cell()

    def _head_changed(self, *_: Any) -> None:
        if self.cell is not None and not self._stale:
            self.cell.model, self.cell.head = self.session.model, self.session.head_name
            self._strip_key = None
            if self.isVisible():
                self._draw()
            else:
                self._stale = True

    def _show_cell(self) -> None:
        """Take over the selected cell."""
        self._stale = False
        session, row = self.session, self.session.selected
        self.cell = None
        if session.encoding is None or session.frames is None or row is None:
            self.hint.setText(NO_CELLS if session.encoding is None else NO_SELECTION)
            self._pages.setCurrentIndex(0)
            return
        try:
            crop = session.crop(row)
        except InterpdiscError as fault:
            self.hint.setText(str(fault))
            self._pages.setCurrentIndex(0)
            return
        self._build_rows()
        self.cell = EditedCell(
            session.model, session.head_name, crop, session.encoding.latents[row].copy()
        )
        self._limits = grey_limits(crop, self.cell.reconstruction)
        self._strip_key = None
        self.title.setText(f"<b>{cell_name(session.encoding, row, session.frames.is_movie)}</b>")
        self.image_view.show_picture(grey_picture(crop, self._limits))
        self.reconstruction_view.show_picture(grey_picture(self.cell.reconstruction, self._limits))
        for latent in self.rows:
            self._show_row(latent)
        self._pages.setCurrentIndex(1)
        self._draw()

    def _show_row(self, latent: int) -> None:
        assert self.cell is not None
        self.rows[latent].show_value(float(self.cell.own[latent]), float(self.cell.edited[latent]))

    def _draw(self) -> None:
        """Decode and score the edited latents."""
        cell = self.cell
        if cell is None:
            return
        if not self.isVisible():
            self._strip_key = None
            return
        self.edited_view.show_picture(grey_picture(cell.decoded(), self._limits))
        own, edited = cell.scores()
        before, after = verdict(cell.classes, own), verdict(cell.classes, edited)
        changed = class_of(cell.classes, own) != class_of(cell.classes, edited)
        mark = f' style="color:{CHANGED_COLOUR}"' if changed else ""
        self.scores.setText(f"{before} &nbsp;→&nbsp; <b{mark}>{after}</b>")
        self.reset_all.setEnabled(cell.is_edited)
        self._draw_strip(cell)

    def _draw_strip(self, cell: EditedCell) -> None:
        latent = self.traversed
        assert latent is not None
        others: npt.NDArray[np.float32] = cell.edited.copy()
        others[latent] = 0
        key = (latent, others.tobytes())
        if key == self._strip_key:
            return  # only the traversed latent itself moved: the strip stays as it is
        self._strip_key = key
        pictures, scores = cell.traverse(latent, TRAVERSAL)
        self.strip_title.setText(f"Traversal of <b>z{latent}</b>, all others as set below")
        self.strip.show_pictures(
            [grey_picture(p, self._limits) for p in pictures],
            [
                (signed(value, 0), signed(score_of(s)))
                for value, s in zip(TRAVERSAL, scores, strict=True)
            ],
        )

    # -- what the user does -----------------------------------------------------------------------

    def _moved(self, latent: int, value: float) -> None:
        if self.cell is None:
            return
        self.cell.edited[latent] = value
        self.traversed = latent
        row = self.rows[latent]
        row.value.setText(signed(value))
        row.reset.setEnabled(True)
        if not self._redraw.isActive():
            self._redraw.start()

    def _touched(self, latent: int) -> None:
        self.traversed = latent
        self._draw()

    def _reset_one(self, latent: int) -> None:
        if self.cell is not None:
            self.cell.reset(latent)
            self.traversed = latent
            self._show_row(latent)
            self._draw()

    def _reset_all(self, *_: Any) -> None:
        if self.cell is not None:
            self.cell.reset()
            for latent in self.rows:
                self._show_row(latent)
            self._draw()

    def send_to_layers(self, *_: Any) -> None:
        """Lay crop, reconstruction and edited cell over the cell in the viewer."""
        session, cell, row = self.session, self.cell, self.session.selected
        if cell is None or row is None or session.encoding is None or session.frames is None:
            return
        cells = session.encoding.cells
        about = {
            "model": cell.model.name,
            "model_sha256": cell.model.sha256,
            "head": cell.model.head(cell.head).name,
            "frame": int(cells.t[row]),
            "track_id": int(cells.track_id[row]),
            "diameter": session.encoding.diameter,
        }
        own, edited = cell.scores()
        extras: dict[str, tuple[npt.NDArray[np.float32], dict[str, Any]]] = {
            "crop": (cell.crop, {}),
            "cell reconstruction": (cell.reconstruction, {"scores": own.tolist()}),
            "edited": (cell.decoded(), {"scores": edited.tolist(), "z": cell.edited.tolist()}),
        }
        for name, (pixels, extra) in extras.items():
            data, arguments = place_crops(
                session.image,
                session.frames,
                int(cells.t[row]),
                pixels[None],
                cells.yx[row],
                session.zoom,
            )
            show_tile(
                self._viewer, name, data, arguments, limits=self._limits, about={**about, **extra}
            )
