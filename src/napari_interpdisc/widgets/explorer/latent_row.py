"""A row of the explorer: one latent."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QWidget,
)

from napari_interpdisc.number_text import with_sign
from napari_interpdisc.widgets.parts.sliders import (
    NAME_WIDTH,
    STEPS_PER_UNIT,
    VALUE_WIDTH,
    ImportanceBar,
    MarkedSlider,
    NameButton,
    fix_size,
    reach,
    small_button,
    wrapped,
)

NOT_MEASURED = "z{} has no name: what it follows was never measured"


class LatentRow(QWidget):  # type: ignore[misc]
    """One latent: name, importance, slider with the cell's own value marked, value, reset.

    Parameters
    ----------
    latent
        Its number.
    kl
        Mean posterior KL on the training data, nats.
    fraction
        The same, relative to the largest: 0–1.
    label
        What to call it: ``z22 size``; its number if left out.
    about
        What it stands for, and why: for the tooltip.
    name_width
        Width of the name, px; a longer one is cut, and the tooltip has all of it.

    Signals
    -------
    moved
        (latent, value) when the user moves the slider.
    touched
        (latent) when the user clicks the slider, its name or its reset button.
    reset_asked
        (latent) when the user presses reset.
    """

    moved = Signal(int, float)
    touched = Signal(int)
    reset_asked = Signal(int)

    def __init__(
        self,
        latent: int,
        kl: float,
        fraction: float,
        label: str = "",
        about: str = "",
        name_width: int = NAME_WIDTH,
    ) -> None:
        super().__init__()
        self.latent = latent
        self.name = NameButton(label or f"z{latent}", name_width)
        about = f"z{latent} {about}" if about else NOT_MEASURED.format(latent)
        self.name.tell(about, f"Show the traversal of z{latent}")
        self.bar = ImportanceBar(fraction)
        self.bar.setToolTip(
            f"z{latent} carries {kl:.2f} nats: its mean posterior KL on the training data. "
            "A longer bar means that it matters more to the reconstruction."
        )
        self.slider = MarkedSlider()
        self.slider.setToolTip(
            wrapped(
                about,
                f"Change z{latent} and watch the edited cell. The triangle marks the cell's own "
                "value.",
            )
        )
        self.value = QLabel()
        fix_size(self.value, VALUE_WIDTH)
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.value.setToolTip(f"Value of z{latent} in standard deviations of the prior")
        self.reset = small_button("↺")
        self.reset.setToolTip(f"Set z{latent} back to the cell's own value")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2, 0, 2, 0)
        layout.setSpacing(4)
        for part in (self.name, self.bar, self.slider, self.value, self.reset):
            layout.addWidget(part, stretch=int(part is self.slider))
        self.slider.valueChanged.connect(self._moved)
        self.slider.sliderPressed.connect(self._touched)
        self.name.clicked.connect(self._touched)
        self.reset.clicked.connect(self._reset)

    def show_value(self, own: float, value: float) -> None:
        """Show a cell's own value and the present one, without any signal."""
        blocked = self.slider.blockSignals(True)
        self.slider.set_limit(reach(own, value))
        self.slider.blockSignals(blocked)
        self.slider.set_mark(own)
        self.follow(own, value)

    def follow(self, own: float, value: float) -> None:
        """Show another value of the same cell, without any signal; the slider's range may grow."""
        if abs(value) > self.slider.limit:
            blocked = self.slider.blockSignals(True)
            self.slider.set_limit(reach(value))
            self.slider.blockSignals(blocked)
        self.slider.show_number(value)
        self.value.setText(with_sign(value))
        self.reset.setEnabled(own != value)

    def mark(self, why: str) -> None:
        """Mark the row, and say why; an empty text takes the mark off."""
        self.name.mark(why)

    def _moved(self, steps: int) -> None:
        value = steps / STEPS_PER_UNIT
        self.value.setText(with_sign(value))
        self.reset.setEnabled(True)
        self.moved.emit(self.latent, value)

    def _touched(self, *_: Any) -> None:
        self.touched.emit(self.latent)

    def _reset(self, *_: Any) -> None:
        self.reset_asked.emit(self.latent)
