"""A row of the explorer: a pair of latents that rotate together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QWidget,
)

from napari_interpdisc._types import Float32Array
from napari_interpdisc.number_text import with_sign
from napari_interpdisc.widgets.explorer.polar import polar
from napari_interpdisc.widgets.parts.sliders import (
    STEPS_PER_UNIT,
    VALUE_WIDTH,
    MarkedSlider,
    NameButton,
    fix_size,
    reach,
    small_button,
    wrapped,
)


class PairRow(QWidget):  # type: ignore[misc]
    """An orientation pair in polar form: z_a = r cos α, z_b = r sin α; two sliders, reset.

    When the cell rotates, α changes and r² = z_a² + z_b² is invariant.

    Parameters
    ----------
    pair
        Its latents (a, b).
    label
        What to call it: ``z11, z27 elongation``.
    about
        What both latents stand for, line by line: for the tooltip.
    name_width
        Width of the name, px.

    Signals
    -------
    moved
        (pair, r, α in degrees, the part that moved: ``"r"`` or ``"α"``) when the user moves a
        slider.
    touched
        (pair, part) when the user clicks a slider or the name.
    reset_asked
        (pair) when the user presses reset.
    """

    moved = Signal(object, float, float, str)
    touched = Signal(object, str)
    reset_asked = Signal(object)

    def __init__(
        self, pair: tuple[int, int], label: str, about: Sequence[str], name_width: int
    ) -> None:
        super().__init__()
        self.pair = pair
        self.r, self.angle = 0.0, 0.0
        a, b = pair
        self.name = NameButton(label, name_width)
        self._invariant = f"z{a}² + z{b}² does not change when the cell rotates"
        self.name.tell(
            *about, f"An orientation pair: r² = {self._invariant}", "Show what a rotation does"
        )
        self.r_slider, self.angle_slider = MarkedSlider(), MarkedSlider(1)
        self.r_slider.setToolTip(
            wrapped(f"Change r = √(z{a}² + z{b}²) at the same angle α: z{a} and z{b} follow.")
        )
        self.angle_slider.setToolTip(
            wrapped(
                f"Rotate z{a} and z{b} together at the same r: the cell rotates. From −180° to "
                "180° the cell makes half a rotation. After that, an axis looks the same."
            )
        )
        self.angle_slider.set_limit(180)
        self.angle_slider.setPageStep(15)
        self.angle_slider.setSingleStep(5)
        self.r_value, self.angle_value = QLabel(), QLabel()
        for value, tip, widest in (
            (self.r_value, self._invariant, "r 9.99"),
            (self.angle_value, f"α, where z{a} = r cos α and z{b} = r sin α", "+180°"),
        ):
            # the font may grow a little once napari's style is applied
            room = value.fontMetrics().horizontalAdvance(widest) + 12
            fix_size(value, max(VALUE_WIDTH, room))
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            value.setToolTip(tip)
        self.reset = small_button("↺")
        self.reset.setToolTip(f"Set z{a} and z{b} back to the cell's own values")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2, 0, 2, 0)
        layout.setSpacing(4)
        sliders = (self.r_slider, self.angle_slider)
        for slider in sliders:
            slider.setMinimumWidth(42)
        for part in (
            self.name,
            self.r_slider,
            self.r_value,
            self.angle_slider,
            self.angle_value,
            self.reset,
        ):
            layout.addWidget(part, stretch=int(part in sliders))
        layout.insertSpacing(3, 6)
        self.r_slider.valueChanged.connect(self._r_moved)
        self.angle_slider.valueChanged.connect(self._angle_moved)
        self.r_slider.sliderPressed.connect(self._r_touched)
        self.angle_slider.sliderPressed.connect(self._angle_touched)
        self.name.clicked.connect(self._angle_touched)
        self.reset.clicked.connect(self._reset)

    def mark(self, why: str) -> None:
        """Mark the row, and say why; an empty text takes the mark off."""
        self.name.mark(why)

    def show_values(self, own: Float32Array, values: Float32Array) -> None:
        """Show a cell's own values (2,) and the present ones, without any signal."""
        r, angle = polar(own)
        blocked = self.r_slider.blockSignals(True)
        self.r_slider.set_limit(reach(r, polar(values)[0]), 0)
        self.r_slider.blockSignals(blocked)
        self.r_slider.set_mark(r)
        self.angle_slider.set_mark(angle if r > 0 else None)
        self.follow(own, values)

    def follow(self, own: Float32Array, values: Float32Array) -> None:
        """Show other values of the same cell, without any signal; at r = 0 the angle is kept."""
        r, angle = polar(values)
        if r > self.r_slider.limit:
            blocked = self.r_slider.blockSignals(True)
            self.r_slider.set_limit(reach(r), 0)
            self.r_slider.blockSignals(blocked)
        self.r, self.angle = r, angle if r > 0 else self.angle
        self.r_slider.show_number(self.r)
        self.angle_slider.show_number(self.angle)
        self._tell()
        self.reset.setEnabled(not np.array_equal(own, values))

    def _tell(self) -> None:
        self.r_value.setText(f"r {self.r:.2f}")
        self.r_value.setToolTip(f"r² = {self.r**2:.2f}: {self._invariant}")
        self.angle_value.setText(f"{with_sign(self.angle, 0)}°")

    def _moved(self, part: str) -> None:
        self._tell()
        self.reset.setEnabled(True)
        self.moved.emit(self.pair, self.r, self.angle, part)

    def _r_moved(self, steps: int) -> None:
        self.r = steps / STEPS_PER_UNIT
        self._moved("r")

    def _angle_moved(self, steps: int) -> None:
        self.angle = float(steps)
        self._moved("α")

    def _r_touched(self, *_: Any) -> None:
        self.touched.emit(self.pair, "r")

    def _angle_touched(self, *_: Any) -> None:
        self.touched.emit(self.pair, "α")

    def _reset(self, *_: Any) -> None:
        self.reset_asked.emit(self.pair)
