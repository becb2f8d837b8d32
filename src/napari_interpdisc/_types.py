"""Names of types that many modules share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
Int32Array = npt.NDArray[np.int32]
BoolArray = npt.NDArray[np.bool_]

Plane = npt.NDArray[np.uint8]
"""One frame of small whole numbers, such as class positions: (Y, X) uint8."""

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all). It may raise, for example Cancelled, to stop the work."""

Cancel = Callable[[], bool]
"""Asked about ten times a second whether to stop."""

Measured = Literal["given", "segmentation", "detection"]
"""Where a nuclear diameter comes from: a person, a segmentation, or nuclei that were detected."""

Precision = Literal["float32", "bfloat16", "auto"]
"""Of the encoder's network; auto is bfloat16 where the processor has it natively, else float32."""

RGBA = tuple[float, float, float, float]
"""A colour: red, green, blue and opacity, each 0–1."""

LayerData = tuple[Any, dict[str, Any], str]
"""What a napari reader gives for one layer: data, arguments, and the kind of layer."""


def silent(done: int, total: int) -> None:
    """Tell nobody: the progress of those who did not ask for any."""
