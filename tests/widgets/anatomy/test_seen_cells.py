from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_interpdisc.widgets.anatomy import seen_cells as module
from napari_interpdisc.widgets.anatomy.seen_cells import seen_cells


def test_the_cells_of_the_session_are_seen(make_scene: Callable[..., Any]) -> None:
    session = make_scene(window=False).session
    seen = seen_cells(session)
    assert seen.are_real
    np.testing.assert_array_equal(seen.rows, np.arange(7))
    np.testing.assert_allclose(seen.population.latents, session.encoding.latents)
    assert seen.note == "Looked at with 7 cells."


def test_of_many_some_are_drawn(
    make_scene: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_CELLS", 4)
    seen = seen_cells(make_scene(window=False).session)
    assert len(seen.population) == len(seen.rows) == 4  # type: ignore[arg-type]
    assert "4 cells, drawn from 7" in seen.note


def test_without_cells_of_the_model_it_draws_and_says_why(make_scene: Callable[..., Any]) -> None:
    session = make_scene(window=False).session
    own, session.encoding = session.encoding, None
    seen = seen_cells(session)
    assert not seen.are_real
    assert not seen.population.is_real
    assert seen.rows is None
    assert "No cells yet: run the Cells widget" in seen.note
    assert "stored density of the training cells" in seen.note
    session.encoding = replace(own, encoder_sha256="another")
    seen = seen_cells(session)
    assert not seen.are_real
    assert "another model" in seen.note
