"""``interpdisc table1``: what it writes, and what it refuses before any work."""

from __future__ import annotations

from pathlib import Path

from .conftest import Run


def test_table1_reads_its_data_before_anything(run: Run, tmp_path: Path) -> None:
    code, _, err = run(
        "table1", "--data", tmp_path / "none.npz", "--out", tmp_path / "t", "--engine", "operon"
    )
    assert code == 1
    assert "does not exist" in err
    assert not (tmp_path / "t").exists()
