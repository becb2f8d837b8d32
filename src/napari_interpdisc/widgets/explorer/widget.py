"""The *Latent explorer* dock widget: what a cell would be if its latents were others."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from napari_interpdisc.errors import InterpdiscError
from napari_interpdisc.flags import flag_name
from napari_interpdisc.number_text import with_sign
from napari_interpdisc.widgets.canvas.cell_images import grey_limits, place_crops, show_tile
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.picking import connect_picking
from napari_interpdisc.widgets.explorer.edited_cell import EditedCell
from napari_interpdisc.widgets.explorer.latent_row import LatentRow
from napari_interpdisc.widgets.explorer.pair_row import PairRow, cartesian
from napari_interpdisc.widgets.parts.links import connect_while_alive
from napari_interpdisc.widgets.parts.pictures import PictureView, TraversalStrip, grey_picture
from napari_interpdisc.widgets.parts.sliders import NAME_WIDTH, WIDEST_NAME, NameButton
from napari_interpdisc.widgets.parts.wording import (
    CHANGED_COLOUR,
    SCORE_HELP,
    cell_name,
    class_of,
    score_of,
    verdict,
)
from napari_interpdisc.widgets.session import session_of

REDRAW_MS = 15
"""Slider moves within this time are drawn once."""

TRAVERSAL = np.linspace(-3, 3, 7)
"""Of a latent."""

RADII = np.linspace(0, 3, 7)
ANGLES = np.linspace(-180, 180, 7)
"""Of an orientation pair; angles in degrees."""

Pair = tuple[int, int]

PICTURE, TEXTURE = "picture", "local contrast"
"""What the explorer can draw."""

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
        self.traversed: int | tuple[Pair, str] | None = None
        self.rows: dict[int, LatentRow] = {}
        self.pairs: dict[Pair, PairRow] = {}
        self._rows_of: Any = None
        self._limits = (0.0, 1.0)
        self._strip_key: Any = None
        self._stale = True

        self.hint = QLabel(NO_CELLS)
        self.title = QLabel()
        self.title.setWordWrap(True)
        self.image_view = PictureView("image", "The cell as it was cropped and normalised")
        self.reconstruction_view = PictureView(
            "reconstruction", "What the model keeps of the cell: its latents, decoded"
        )
        self.edited_view = PictureView(
            "edited", "The cell with the latents that the sliders show, decoded"
        )
        self.show_what = QComboBox()
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
        self.strip_title.setWordWrap(True)
        self.strip_title.setToolTip(self.strip.toolTip())
        self.reset_all.setToolTip("Set every latent back to the cell's own value")
        self.send.setToolTip(
            "Add the crop, its reconstruction and the edited cell as image layers, laid over the "
            "cell in the viewer"
        )
        self.reset_all.clicked.connect(self._reset_all)
        self.send.clicked.connect(self.send_to_layers)
        self.show_what.addItems([PICTURE, TEXTURE])
        self.show_what.setToolTip(
            "What is drawn: the cell, or its local contrast (the grain that chromosomes make), "
            "which the model predicts beside the picture"
        )
        self.show_what.currentTextChanged.connect(self._show_other)
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
        head = QHBoxLayout()
        head.addWidget(self.title, stretch=1)
        head.addWidget(self.show_what)
        layout.addLayout(head)
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
        """One row per orientation pair, then one per latent, the most important first."""
        model = self.session.model
        shown = (
            model.encoder_sha256,
            model.latent_kl.tobytes(),
            model.meanings,
            model.orientation_pairs,
        )
        if self._rows_of == shown:
            return
        before: list[QWidget] = [*self.pairs.values(), *self.rows.values()]
        for old in before:
            self._row_box.removeWidget(old)
            old.deleteLater()
        self.rows, self.pairs = {}, {}
        labels = {latent: model.latent_label(latent) for latent in model.by_importance()}
        width = NAME_WIDTH
        if model.aliases:
            widest = max(map(self.fontMetrics().horizontalAdvance, labels.values()))
            width = min(WIDEST_NAME, max(width, widest + NameButton.AIR + 4))
        for pair in model.orientation_pairs:
            about = [f"z{i} {told}" for i in pair if (told := model.latent_about(i))]
            # as wide as the name and the bar of a latent
            whole = PairRow(pair, model.pair_label(*pair), about, width + 30)
            whole.moved.connect(self._pair_moved)
            whole.touched.connect(self._pair_touched)
            whole.reset_asked.connect(self._reset_pair)
            self._row_box.addWidget(whole)
            self.pairs[pair] = whole
        largest = float(model.latent_kl.max()) or 1.0
        for latent, label in labels.items():
            kl = float(model.latent_kl[latent])
            row = LatentRow(
                latent, kl, max(0.0, kl / largest), label, model.latent_about(latent), width
            )
            row.moved.connect(self._moved)
            row.touched.connect(self._touched)
            row.reset_asked.connect(self._reset_one)
            self._row_box.addWidget(row)
            self.rows[latent] = row
        self._rows_of = shown
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
            self._build_rows()
            self._show_rows()
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
        self.show_what.setVisible(session.model.has_texture)
        self._strip_key = None
        name = cell_name(session.encoding, row, session.frames.is_movie)
        result = session.classification
        flags = "" if result is None else flag_name(int(result.encoding.flags[row]))
        self.title.setText(f"<b>{name}</b>" + (f" ({flags})" if flags else ""))
        self._show_rows()
        self._pages.setCurrentIndex(1)
        self._draw()

    def _show_rows(self) -> None:
        """Show the cell in every row, each slider as far as it needs to reach."""
        assert self.cell is not None
        own, edited = self.cell.own, self.cell.edited
        for latent, row in self.rows.items():
            row.show_value(float(own[latent]), float(edited[latent]))
        for pair, whole in self.pairs.items():
            whole.show_values(own[list(pair)], edited[list(pair)])

    def _follow(self, *latents: int, but: QWidget | None = None) -> None:
        """Show latents that changed in their rows and those of their pairs, except in ``but``."""
        assert self.cell is not None
        own, edited = self.cell.own, self.cell.edited
        for latent in latents:
            if self.rows[latent] is not but:
                self.rows[latent].follow(float(own[latent]), float(edited[latent]))
        for pair, whole in self.pairs.items():
            if whole is not but and set(pair) & set(latents):
                whole.follow(own[list(pair)], edited[list(pair)])

    @property
    def texture(self) -> bool:
        """Whether local contrast is drawn."""
        return self.session.model.has_texture and self.show_what.currentText() == TEXTURE

    def _show_other(self, *_: Any) -> None:
        self._strip_key = None
        self._draw()

    def _draw(self) -> None:
        """Decode and score the edited latents."""
        cell = self.cell
        if cell is None:
            return
        if not self.isVisible():
            self._strip_key = None
            return
        crop, reconstruction, decoded = cell.shown(self.texture)
        self._limits = grey_limits(crop, reconstruction)
        for view, pixels in (
            (self.image_view, crop),
            (self.reconstruction_view, reconstruction),
            (self.edited_view, decoded),
        ):
            view.show_picture(grey_picture(pixels, self._limits))
        own, edited = cell.scores()
        before, after = verdict(cell.classes, own), verdict(cell.classes, edited)
        changed = class_of(cell.classes, own) != class_of(cell.classes, edited)
        mark = f' style="color:{CHANGED_COLOUR}"' if changed else ""
        self.scores.setText(f"{before} &nbsp;→&nbsp; <b{mark}>{after}</b>")
        self.reset_all.setEnabled(cell.is_edited)
        self._draw_strip(cell)

    def _draw_strip(self, cell: EditedCell) -> None:
        title, latents, values, labels = self._traversal()
        others: npt.NDArray[np.float32] = cell.edited.copy()
        others[latents] = 0
        key = (title, values.tobytes(), others.tobytes(), self.texture)
        if key == self._strip_key:
            return  # only what is traversed moved: the strip stays as it is
        self._strip_key = key
        pictures, scores = cell.traverse(latents, values, self.texture)
        self.strip_title.setText(f"{title}, all others as set below")
        self.strip.show_pictures(
            [grey_picture(p, self._limits) for p in pictures],
            [(label, with_sign(score_of(s))) for label, s in zip(labels, scores, strict=True)],
        )

    def _traversal(self) -> tuple[str, list[int], npt.NDArray[np.float32], list[str]]:
        """Title, latents, their values (7, 1 or 2) and how these are written."""
        what, model = self.traversed, self.session.model
        if isinstance(what, tuple):
            pair, part = what
            whole = self.pairs[pair]
            name = f"<b>{part}</b> of <b>{model.pair_label(*pair)}</b>"
            if part == "r":
                return name, list(pair), cartesian(RADII, whole.angle), [f"{r:g}" for r in RADII]
            rotated = cartesian(np.full(len(ANGLES), whole.r), ANGLES)
            return name, list(pair), rotated, [f"{with_sign(angle, 0)}°" for angle in ANGLES]
        assert what is not None
        values = TRAVERSAL.astype(np.float32)[:, None]
        return (
            f"Traversal of <b>{model.latent_label(what)}</b>",
            [what],
            values,
            [with_sign(value, 0) for value in TRAVERSAL],
        )

    # -- what the user does -----------------------------------------------------------------------

    def _moved(self, latent: int, value: float) -> None:
        if self.cell is None:
            return
        self.cell.edited[latent] = value
        self.traversed = latent
        row = self.rows[latent]
        row.value.setText(with_sign(value))
        row.reset.setEnabled(True)
        self._follow(latent, but=row)
        self._draw_soon()

    def _pair_moved(self, pair: Pair, r: float, angle: float, part: str) -> None:
        if self.cell is None:
            return
        self.cell.edited[list(pair)] = cartesian(r, angle)
        self.traversed = pair, part
        self._follow(*pair, but=self.pairs[pair])
        self._draw_soon()

    def _draw_soon(self) -> None:
        if not self._redraw.isActive():
            self._redraw.start()

    def _pair_touched(self, pair: Pair, part: str) -> None:
        self.traversed = pair, part
        self._draw()

    def _touched(self, latent: int) -> None:
        self.traversed = latent
        self._draw()

    def _reset_one(self, latent: int) -> None:
        if self.cell is not None:
            self.cell.reset(latent)
            self.traversed = latent
            self._follow(latent)
            self._draw()

    def _reset_pair(self, pair: Pair) -> None:
        if self.cell is not None:
            self.cell.reset(*pair)
            self._follow(*pair)
            self._draw()

    def _reset_all(self, *_: Any) -> None:
        if self.cell is not None:
            self.cell.reset()
            self._show_rows()
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
        limits = grey_limits(cell.crop, cell.reconstruction)
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
            show_tile(self._viewer, name, data, arguments, limits=limits, about={**about, **extra})
