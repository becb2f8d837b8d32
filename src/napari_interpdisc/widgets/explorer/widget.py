"""The *Latent explorer* dock widget: edit the latents of a cell, and see it decoded."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QSignalBlocker, Qt, QTimer
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
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.number_text import with_sign
from napari_interpdisc.pipeline import UNDEFINED, UNMEASURED
from napari_interpdisc.widgets.canvas.cell_images import grey_limits
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.picking import connect_picking
from napari_interpdisc.widgets.explorer.edited_cell import EditedCell, What
from napari_interpdisc.widgets.explorer.layers import show_cell_layers
from napari_interpdisc.widgets.explorer.polar import cartesian
from napari_interpdisc.widgets.explorer.rows import SliderRows
from napari_interpdisc.widgets.explorer.traversal import STEPS, Pair, Traversal, of_latent, of_pair
from napari_interpdisc.widgets.parts.controls import ScrolledPage, StillLabel
from napari_interpdisc.widgets.parts.links import connect_while_alive
from napari_interpdisc.widgets.parts.pictures import PictureView, TraversalStrip, grey_picture
from napari_interpdisc.widgets.parts.rule_view import RuleView, rule_part
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

RESTRIP_MS = 120
"""Rest after which the strip follows a drag in another dock: it costs as much as all the rest."""

SHOWN: dict[What, str] = {
    "cell": "picture",
    "whole": "with surroundings",
    "texture": "local contrast",
}
"""What can be drawn of a cell, and what it is called on screen."""

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
        self._limits = (0.0, 1.0)
        self._strip_key: Any = None
        self._stale = True

        self.hint = QLabel(NO_CELLS)
        self.title = QLabel()
        self.title.setWordWrap(True)
        self.image_view = PictureView("image", "The crop of the cell, normalised")
        self.reconstruction_view = PictureView("reconstruction", "The latents of the cell, decoded")
        self.edited_view = PictureView("edited", "The latents of the sliders, decoded")
        self.show_what = QComboBox()
        self.scores = StillLabel()
        self.strip_title = QLabel()
        self.strip = TraversalStrip(STEPS)
        self.reset_all = QPushButton("Reset all")
        self.send = QPushButton("Send to layers")
        self.rule = RuleView(self.session, own_cell=False)
        self.sliders = SliderRows()
        self._redraw, self._restrip = QTimer(self), QTimer(self)
        self._build()

        connect_while_alive(
            self,
            (self.session.selected_changed, self._cell_changed),
            (self.session.edited_changed, self._edited_elsewhere),
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
        self.strip_title.setWordWrap(True)
        self.strip_title.setToolTip(self.strip.toolTip())
        self.reset_all.setToolTip("Set every latent back to the cell's own value")
        self.send.setToolTip(
            "Add the crop, its reconstruction and the edited cell as image layers, laid over the "
            "cell in the viewer"
        )
        self.reset_all.clicked.connect(self._reset_all)
        self.send.clicked.connect(self.send_to_layers)
        self.show_what.setToolTip(
            "What is drawn: the cell; the cell with the light from around it, where the model "
            "tells them apart; or its local contrast, the grain that chromosomes make"
        )
        self.show_what.currentTextChanged.connect(self._show_other)
        for timer, pause, action in (
            (self._redraw, REDRAW_MS, self._draw),
            (self._restrip, RESTRIP_MS, self._draw),
        ):
            timer.setSingleShot(True)
            timer.setInterval(pause)
            timer.timeout.connect(action)
        self.sliders.moved.connect(self._moved)
        self.sliders.touched.connect(self._touched)
        self.sliders.reset_asked.connect(self._reset_one)
        self.sliders.pair_moved.connect(self._pair_moved)
        self.sliders.pair_touched.connect(self._pair_touched)
        self.sliders.pair_reset_asked.connect(self._reset_pair)

        views = QHBoxLayout()
        for view in (self.image_view, self.reconstruction_view, self.edited_view):
            views.addWidget(view)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setMinimumHeight(140)
        below = QWidget()
        inner = QVBoxLayout(below)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(4)
        inner.addWidget(rule_part(self.rule))
        inner.addWidget(self.sliders)
        inner.addStretch()
        scroll.setWidget(below)
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
        self._pages.addWidget(ScrolledPage(page))

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
            self._show_model()
            self.sliders.show_cell(self.cell.own, self.cell.edited)
            if self.isVisible():
                self._draw()
            else:
                self._stale = True

    def _edited_elsewhere(self, by: object) -> None:
        """Follow what another dock did to the latents of the cell."""
        cell, edited = self.cell, self.session.edited
        if by is self or self._stale or cell is None or edited is None:
            return
        if not self.isVisible():
            self._stale = True
            return
        changed = np.flatnonzero(cell.edited != edited)
        cell.edited[:] = edited
        self._follow(*changed.tolist())
        self._restrip.start()
        self._draw_soon()

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
        result = session.classification
        if result is not None and not result.scored[row]:
            why = UNDEFINED if result.undefined[row] else UNMEASURED
            self.hint.setText(f"This cell has {why}.")
            self._pages.setCurrentIndex(0)
            return
        self._show_model()
        self.cell = EditedCell(
            session.model, session.head_name, crop, session.encoding.latents[row].copy(),
            {name: float(v[row]) for name, v in session.encoding.properties.items()},
        )  # fmt: skip
        if session.edited is not None:  # another dock may have edited it already
            self.cell.edited[:] = session.edited
        self._offer_what(session.model)
        self._strip_key = None
        name = cell_name(session.encoding, row, session.frames.is_movie)
        flags = "" if result is None else flag_name(int(result.encoding.flags[row]))
        held = ""
        if len(session.model.head(session.head_name).head.properties):
            held = "<br>Measured properties are held at the cell's own values."
        self.title.setText(f"<b>{name}</b>" + (f" ({flags})" if flags else "") + held)
        self.sliders.show_cell(self.cell.own, self.cell.edited)
        self._pages.setCurrentIndex(1)
        self._draw()

    def _show_model(self) -> None:
        """Make the rows of the session's model, if they are not there."""
        model = self.session.model
        named = model.head(self.session.head_name)
        anew = self.sliders.show_model(model)
        if self.sliders.arrange(named.name, named.head.used_latents) or anew:
            read = set(named.head.used_latents)
            chosen = self.traversed[0] if isinstance(self.traversed, tuple) else (self.traversed,)
            if anew or not read & set(chosen):
                ranked = model.by_importance()
                self.traversed = next((i for i in ranked if i in read), ranked[0])

    def _offer_what(self, model: CellModel) -> None:
        """Offer to draw what the model decodes; a choice that it has too stays."""
        whats: list[What] = ["cell"]
        whats += ["whole"] * model.describes_cell
        whats += ["texture"] * model.has_texture
        known = [self.show_what.itemData(i) for i in range(self.show_what.count())]
        if whats == known:
            return
        chosen = self.what
        with QSignalBlocker(self.show_what):
            self.show_what.clear()
            for what in whats:
                self.show_what.addItem(SHOWN[what], what)
            self.show_what.setCurrentIndex(whats.index(chosen) if chosen in whats else 0)
        self.show_what.setVisible(len(whats) > 1)

    @property
    def what(self) -> What:
        """What is drawn of the cell."""
        return self.show_what.currentData() or "cell"

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
        crop, reconstruction, decoded = cell.shown(self.what)
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
        self.rule.show_latents(cell.edited)
        if not self._restrip.isActive():
            self._draw_strip(cell)

    def _draw_strip(self, cell: EditedCell) -> None:
        what = self._traversal()
        others = cell.edited.copy()
        others[what.latents] = 0
        key = (what.title, what.values.tobytes(), others.tobytes(), self.what)
        if key == self._strip_key:
            return  # only what is traversed moved: the strip stays as it is
        self._strip_key = key
        pictures, scores = cell.traverse(what.latents, what.values, self.what)
        self.strip_title.setText(f"{what.title}, all others as set below")
        self.strip.show_pictures(
            [grey_picture(p, self._limits) for p in pictures],
            [(label, with_sign(score_of(s))) for label, s in zip(what.labels, scores, strict=True)],
        )

    def _traversal(self) -> Traversal:
        """What the strip goes through: that which was touched last."""
        what, model = self.traversed, self.session.model
        if isinstance(what, tuple):
            pair, part = what
            row = self.sliders.pairs[pair]
            return of_pair(model, pair, part, row.r, row.angle)
        assert what is not None
        return of_latent(model, what)

    # -- what the user does -----------------------------------------------------------------------

    def _moved(self, latent: int, value: float) -> None:
        if self.cell is None:
            return
        self.cell.edited[latent] = value
        self._tell_edited()
        self.traversed = latent
        self._follow(latent, but=self.sliders.latents[latent])
        self._draw_soon()

    def _pair_moved(self, pair: Pair, r: float, angle: float, part: str) -> None:
        if self.cell is None:
            return
        self.cell.edited[list(pair)] = cartesian(r, angle)
        self._tell_edited()
        self.traversed = pair, part
        self._follow(*pair, but=self.sliders.pairs[pair])
        self._draw_soon()

    def _tell_edited(self) -> None:
        assert self.cell is not None
        self.session.edit(self.cell.edited, by=self)

    def _follow(self, *latents: int, but: QWidget | None = None) -> None:
        assert self.cell is not None
        self.sliders.follow(self.cell.own, self.cell.edited, *latents, but=but)

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
            self._tell_edited()
            self.traversed = latent
            self._follow(latent)
            self._draw()

    def _reset_pair(self, pair: Pair) -> None:
        if self.cell is not None:
            self.cell.reset(*pair)
            self._tell_edited()
            self._follow(*pair)
            self._draw()

    def _reset_all(self, *_: Any) -> None:
        if self.cell is not None:
            self.cell.reset()
            self._tell_edited()
            self.sliders.show_cell(self.cell.own, self.cell.edited)
            self._draw()

    def send_to_layers(self, *_: Any) -> None:
        """Lay crop, reconstruction and edited cell over the cell in the viewer."""
        session, cell, row = self.session, self.cell, self.session.selected
        if cell is None or row is None or session.encoding is None or session.frames is None:
            return
        show_cell_layers(self._viewer, session, cell, row)
