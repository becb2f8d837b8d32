"""``interpdisc table1``: what it writes, and what it refuses before any work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc.cli.table1 import _read_abroad
from napari_interpdisc.errors import InvalidInput

from .conftest import Run


def test_table1_reads_its_data_before_anything(run: Run, tmp_path: Path) -> None:
    code, _, err = run(
        "table1", "--data", tmp_path / "none.npz", "--out", tmp_path / "t", "--engine", "operon"
    )
    assert code == 1
    assert "does not exist" in err
    assert not (tmp_path / "t").exists()


def test_crops_of_other_laboratories_may_tell_their_diameter(tmp_path: Path) -> None:
    images, labels = np.zeros((3, 64, 64), np.uint8), np.array(["a", "b", "a"])
    np.savez(tmp_path / "plain.npz", images=images, label=labels)
    np.savez(tmp_path / "told.npz", images=images, label=labels, diameter=28.0, plate=labels)
    assert _read_abroad(tmp_path / "plain.npz", 26.8, "plate").diameter == 26.8
    told = _read_abroad(tmp_path / "told.npz", 26.8, "plate")
    assert (told.diameter, len(told.images)) == (28.0, 3)
    with pytest.raises(InvalidInput, match="does not exist"):
        _read_abroad(tmp_path / "none.npz", 26.8, "plate")
