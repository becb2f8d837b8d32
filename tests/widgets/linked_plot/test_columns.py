"""What can be an axis, and what is held, without a window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from napari_interpdisc.scrutiny.embedding import principal_components
from napari_interpdisc.widgets.linked_plot.columns import (
    PC,
    Column,
    columns_of,
    held_values,
    values_of,
)

Scene = SimpleNamespace


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    made = make_scene(window=False)
    made.session.set_model(made.session.model, "formula-strict")
    return made


def test_what_the_head_reads_comes_first(scene: Scene) -> None:
    labels = [one.label for one in columns_of(scene.session, {})]
    assert labels[:4] == ["z2 granularity_coarse", "r(z18, z19 elongation)", "score", "confidence"]
    assert len(labels) == len(set(labels))
    assert any(label.startswith("z31") for label in labels)
    scene.session.set_model(scene.session.model, "states")
    labels = [one.label for one in columns_of(scene.session, {})]
    assert "score of Anaphase" in labels


def test_every_column_has_a_value_for_every_cell(scene: Scene) -> None:
    session = scene.session
    session.set_measured(replace(session.encoding, properties={"area": np.arange(7.0)}))
    found = {PC: principal_components(session.encoding.latents)}
    columns = columns_of(session, found)
    for column in columns:
        assert values_of(session, column, found).shape == (7,), column.label
    by_label = {one.label: one for one in columns}
    z = session.encoding.latents
    radius = values_of(session, by_label["r(z18, z19 elongation)"], found)
    np.testing.assert_allclose(radius, np.hypot(z[:, 18], z[:, 19]))
    assert values_of(session, by_label["area (px²)"], found).tolist() == list(range(7))
    assert values_of(session, by_label["frame"], found).tolist() == [0, 0, 1, 1, 1, 2, 2]
    pc = values_of(session, by_label["PC 2"], found)
    np.testing.assert_array_equal(pc, found[PC].values[:, 1])


def test_all_else_is_held_in_the_selected_cell_or_in_the_median_one(scene: Scene) -> None:
    session = scene.session
    latents, _, whose = held_values(session)
    assert whose == "in the median cell"
    np.testing.assert_allclose(latents, np.median(session.encoding.latents, 0))
    session.select(3)
    latents, _, whose = held_values(session)
    assert whose == "in the selected cell"
    np.testing.assert_allclose(latents, session.encoding.latents[3])


def test_without_cells_there_is_nothing(make_scene: Callable[..., Scene]) -> None:
    assert columns_of(make_scene(window=False, finished=False).session, {}) == []
    assert Column("score", (0,), "score").input is None
