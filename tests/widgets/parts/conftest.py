"""Rules that are told and drawn do not change with the bundle."""

from __future__ import annotations

import pytest

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.store import DEFAULT_MODEL, load_model

from ...earlier_heads import with_earlier_heads


@pytest.fixture(scope="session")
def bundled_model() -> CellModel:
    """Return the bundled model with heads whose rules stay the same, for all windows."""
    return with_earlier_heads(load_model(DEFAULT_MODEL))
