"""All sliders of the explorer: a row for each orientation pair, then one for each latent."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_interpdisc._types import Float32Array
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.widgets.explorer.latent_row import LatentRow
from napari_interpdisc.widgets.explorer.pair_row import PairRow
from napari_interpdisc.widgets.explorer.traversal import Pair
from napari_interpdisc.widgets.parts.sliders import NAME_WIDTH, WIDEST_NAME, NameButton


class SliderRows(QWidget):  # type: ignore[misc]
    """The rows of one model, the most important latent first.

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
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(0)

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
        before: list[QWidget] = [*self.pairs.values(), *self.latents.values()]
        for old in before:
            self._box.removeWidget(old)
            old.deleteLater()
        self.latents, self.pairs = {}, {}
        labels = {latent: model.latent_label(latent) for latent in model.by_importance()}
        width = NAME_WIDTH
        if model.aliases:
            widest = max(map(self.fontMetrics().horizontalAdvance, labels.values()))
            width = min(WIDEST_NAME, max(width, widest + NameButton.AIR + 4))
        for pair in model.orientation_pairs:
            self._add_pair(model, pair, width)
        for latent, label in labels.items():
            self._add_latent(model, latent, label, width)
        return True

    def _add_pair(self, model: CellModel, pair: Pair, width: int) -> None:
        about = [f"z{i} {told}" for i in pair if (told := model.latent_about(i))]
        # as wide as the name and the bar of a latent
        row = PairRow(pair, model.pair_label(*pair), about, width + 30)
        row.moved.connect(self.pair_moved)
        row.touched.connect(self.pair_touched)
        row.reset_asked.connect(self.pair_reset_asked)
        self._box.addWidget(row)
        self.pairs[pair] = row

    def _add_latent(self, model: CellModel, latent: int, label: str, width: int) -> None:
        kl, largest = float(model.latent_kl[latent]), float(model.latent_kl.max()) or 1.0
        row = LatentRow(
            latent, kl, max(0.0, kl / largest), label, model.latent_about(latent), width
        )
        row.moved.connect(self.moved)
        row.touched.connect(self.touched)
        row.reset_asked.connect(self.reset_asked)
        self._box.addWidget(row)
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
