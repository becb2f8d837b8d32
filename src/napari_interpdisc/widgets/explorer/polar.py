"""An orientation pair in polar form: z_a = r cos α, z_b = r sin α. No Qt here."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float32Array


def polar(values: npt.ArrayLike) -> tuple[float, float]:
    """Radius r and angle α, in degrees from −180 to 180, of (z_a, z_b)."""
    a, b = (float(v) for v in np.asarray(values))
    return float(np.hypot(a, b)), float(np.degrees(np.arctan2(b, a)))


def cartesian(r: npt.ArrayLike, angle: npt.ArrayLike) -> Float32Array:
    """Latents (z_a, z_b) of r and α in degrees; for arrays (n,) one row each: (n, 2)."""
    length, radians = np.asarray(r), np.radians(np.asarray(angle))
    both = np.stack([length * np.cos(radians), length * np.sin(radians)], axis=-1)
    return both.astype(np.float32)
