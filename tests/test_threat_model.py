"""The page on threats has the limits of the code."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from napari_interpdisc.guarded_files import size_text

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "threat-model.md"
ROW = re.compile(r"^\| .* \| ([^|]+) \| `([\w.]+):(\w+)(?:\[(.+)\])?` \|$", re.MULTILINE)
LIMITS = ROW.findall(PAGE.read_text("utf-8"))


def test_the_table_is_found() -> None:
    assert len(LIMITS) > 20


@pytest.mark.parametrize(("told", "module", "name", "key"), LIMITS, ids=lambda text: text)
def test_a_limit_is_that_of_the_code(told: str, module: str, name: str, key: str) -> None:
    value = getattr(import_module(f"napari_interpdisc.{module}"), name)
    value = value[key] if key else value
    whole = [f"{value:,}", size_text(value)] if isinstance(value, int) else []
    assert told in (*whole, f"{value:g}")
