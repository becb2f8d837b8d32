"""All sliders of the explorer: those that the head reads, and the others, folded away."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtGui import QFontMetrics
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_interpdisc._types import Float32Array
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.widgets.explorer.latent_row import LatentRow
from napari_interpdisc.widgets.explorer.pair_row import PairRow
from napari_interpdisc.widgets.explorer.traversal import Pair
from napari_interpdisc.widgets.parts.controls import folded, let_grow
from napari_interpdisc.widgets.parts.sliders import NAME_WIDTH, WIDEST_NAME, NameButton


class SliderRows(QWidget):  # type: ignore[misc]
    """The rows of one model: pairs, then latents, the most important first.

    Those that the head reads stand first, their names bold; the others can be folded away.

    Signals
    -------
    moved, touched, reset_asked
        Those of :class:`LatentRow`.
    pair_moved, pair_touched, pair_reset_asked
        Those of :class:`PairRow`.

    Attributes
    ----------
    latents, pairs
        The rows, by latent and by pair.
    others
        The part with the rows that the head does not read.
    """

    moved = Signal(int, float)
    touched = Signal(int)
    reset_asked = Signal(int)
    pair_moved = Signal(object, float, float, str)
    pair_touched = Signal(object, str)
    pair_reset_asked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.latents: dict[int, LatentRow] = {}
        self.pairs: dict[Pair, PairRow] = {}
        self._shown: Any = None
        self._arranged: Any = None
        self.heading = QLabel()
        self.heading.setWordWrap(True)
        self.heading.setToolTip("Move these to change the score. Their names are bold.")
        self.others = folded("")
        self.others.toggleButton().setToolTip(
            "Latents that the head does not read: they change the picture, and never the score."
        )
        self._first, self._rest = QVBoxLayout(), QVBoxLayout()
        outer = QVBoxLayout(self)
        for box in (outer, self._first, self._rest):
            box.setContentsMargins(0, 0, 0, 0)
            box.setSpacing(0)
        inner = QWidget()
        inner.setLayout(self._rest)
        let_grow(self.others, inner)
        outer.addWidget(self.heading)
        outer.addLayout(self._first)
        outer.addWidget(self.others)

    def show_model(self, model: CellModel) -> bool:
        """Make the rows of a model; False if they are there already."""
        shown = (
            model.encoder_sha256,
            model.latent_kl.tobytes(),
            model.meanings,
            model.orientation_pairs,
        )
        if self._shown == shown:
            return False
        self._shown = shown
        for old in self._rows():
            old.setParent(None)
            old.deleteLater()
        self._arranged = None
        self.latents, self.pairs = {}, {}
        labels = {latent: model.latent_label(latent) for latent in model.by_importance()}
        width = self._room(labels.values()) if model.aliases else NAME_WIDTH
        pairs = [model.pair_label(*pair) for pair in model.orientation_pairs]
        # at least as wide as the name and the bar of a latent
        pair_width = max(self._room(pairs), min(width + 30, WIDEST_NAME))
        for pair in model.orientation_pairs:
            self._add_pair(model, pair, pair_width)
        for latent, label in labels.items():
            self._add_latent(model, latent, label, width)
        self.arrange("", labels)
        return True

    def _room(self, labels: Iterable[str]) -> int:
        """Width that the names of rows need, px: bold, as those that the head reads."""
        font = self.font()
        font.setBold(True)
        widest = max(map(QFontMetrics(font).horizontalAdvance, labels), default=0)
        # the font grows a little once napari's style is applied
        return min(WIDEST_NAME, max(NAME_WIDTH, round(1.06 * widest) + NameButton.AIR))

    def _rows(self) -> list[PairRow | LatentRow]:
        return [*self.pairs.values(), *self.latents.values()]

    def arrange(self, head: str, used: Iterable[int]) -> bool:
        """Put the rows of the latents that a head reads first, and mark them.

        Without the name of a head, nothing is marked. False if they stand like that already.
        """
        read = frozenset(used)
        if (head, read) == self._arranged:
            return False
        self._arranged = head, read
        n = 0
        for row in self._rows():
            mine = {row.latent} if isinstance(row, LatentRow) else set(row.pair)
            is_read = bool(mine & read)
            (self._first if is_read else self._rest).addWidget(row)
            row.mark(f"The head '{head}' reads it" if head and is_read else "")
            n += isinstance(row, LatentRow) and not is_read
        self.heading.setVisible(bool(head))
        self.heading.setText(f"Latents that '{escape(head)}' reads ({len(self.latents) - n})")
        self.others.setText(f"Other latents ({n})")
        self.others.setVisible(n > 0)
        return True

    def _add_pair(self, model: CellModel, pair: Pair, width: int) -> None:
        about = [f"z{i} {told}" for i in pair if (told := model.latent_about(i))]
        row = PairRow(pair, model.pair_label(*pair), about, width)
        row.moved.connect(self.pair_moved)
        row.touched.connect(self.pair_touched)
        row.reset_asked.connect(self.pair_reset_asked)
        self.pairs[pair] = row

    def _add_latent(self, model: CellModel, latent: int, label: str, width: int) -> None:
        kl, largest = float(model.latent_kl[latent]), float(model.latent_kl.max()) or 1.0
        row = LatentRow(
            latent, kl, max(0.0, kl / largest), label, model.latent_about(latent), width
        )
        row.moved.connect(self.moved)
        row.touched.connect(self.touched)
        row.reset_asked.connect(self.reset_asked)
        self.latents[latent] = row

    def show_cell(self, own: Float32Array, edited: Float32Array) -> None:
        """Show a cell in every row, each slider as far as it needs to reach."""
        for latent, row in self.latents.items():
            row.show_value(float(own[latent]), float(edited[latent]))
        for pair, whole in self.pairs.items():
            whole.show_values(own[list(pair)], edited[list(pair)])

    def follow(
        self, own: Float32Array, edited: Float32Array, *latents: int, but: QWidget | None = None
    ) -> None:
        """Show latents that changed in their rows and those of their pairs, except in ``but``."""
        for latent in latents:
            if self.latents[latent] is not but:
                self.latents[latent].follow(float(own[latent]), float(edited[latent]))
        for pair, whole in self.pairs.items():
            if whole is not but and set(pair) & set(latents):
                whole.follow(own[list(pair)], edited[list(pair)])
