"""Rules that are told and drawn do not change with the bundle."""

from __future__ import annotations

from ...earlier_heads import model_with_earlier_heads

bundled_model = model_with_earlier_heads
