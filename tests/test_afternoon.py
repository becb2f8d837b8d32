"""One round of ``benchmarks.afternoon``: nothing is lost as windows go while work runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


def test_a_round_of_an_afternoon_loses_no_annotation(
    make_napari_viewer: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The round itself asserts it; by hand it is done for half an hour."""
    monkeypatch.setenv("INTERPDISC_CACHE", str(tmp_path))
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.afternoon import Afternoon

    Afternoon(make_napari_viewer, (2, 200, 200), 8, ("Cells", "Discover")).round(0)
    assert not list(tmp_path.rglob("*.json")), "what was offered was discarded at the end"
