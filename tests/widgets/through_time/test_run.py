"""What the dock does with layers and files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.through_time.order import default_order
from napari_interpdisc.through_time.result import ThroughTime
from napari_interpdisc.through_time.viterbi import PathSettings
from napari_interpdisc.widgets.canvas.layers import ROW_KEY
from napari_interpdisc.widgets.cells.run import forget_states
from napari_interpdisc.widgets.through_time.run import (
    columns_of,
    events_of,
    first_event,
    follow,
    interval_of,
    own_columns,
    row_at,
    save,
    write_states,
)

from .conftest import Scene

MakeScene = Callable[..., Scene]


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    made = make_scene(window=False)
    made.cells.metadata["interpdisc"] = {"model": "h2b"}
    return made


def followed(scene: Scene) -> ThroughTime:
    result = scene.session.classification
    return follow(result, default_order(result.classes)[0], PathSettings(), None)


def test_states_are_a_feature_that_goes_with_its_classes(scene: Scene) -> None:
    found = followed(scene)
    before = list(scene.cells.features)
    write_states(scene.session, found)
    assert scene.cells.features["state"].tolist() == found.names().tolist()
    note = scene.cells.metadata["interpdisc"]
    assert note["model"] == "h2b"
    assert note["state"]["order"] == "Interphase > Metaphase > Interphase"
    write_states(scene.session, found)  # its own feature is replaced
    forget_states(scene.cells)
    assert set(scene.cells.features) == {*before, ROW_KEY}
    assert scene.cells.metadata["interpdisc"] == {"model": "h2b"}
    forget_states(scene.cells)


def test_a_feature_of_the_users_own_is_not_replaced(scene: Scene) -> None:
    scene.cells.features = pd.DataFrame({"state": list("abcdefg")})
    with pytest.raises(InvalidInput, match="has a feature 'state' of its own"):
        write_states(scene.session, followed(scene))
    forget_states(scene.cells)
    assert scene.cells.features["state"].tolist() == list("abcdefg")


def test_the_interval_of_an_image_is_known_where_its_unit_is_one_of_time(
    make_scene: MakeScene,
) -> None:
    timed = make_scene(window=False, scale=(2, 1, 1), units=("minute", "pixel", "pixel"))
    assert interval_of(timed.session) == pytest.approx(120)


def test_without_a_unit_or_an_image_no_interval_is_known(scene: Scene) -> None:
    assert interval_of(scene.session) is None
    scene.session.clear()
    assert interval_of(scene.session) is None
    assert row_at(scene.session, 1, 0) is None
    assert own_columns(scene.session) == {}


def test_rows_of_tracks(scene: Scene) -> None:
    assert row_at(scene.session, 3, 1) == 3
    assert row_at(scene.session, 3, 2) is None


def test_events_and_columns_that_there_are(found: ThroughTime) -> None:
    assert events_of(found) == ["Interphase", "Metaphase", "Anaphase", "division"]
    assert first_event(["Interphase", "Metaphase"]) == "Metaphase"
    assert first_event(["Interphase", "division"]) == "division"
    assert first_event(["Blob"]) == "Blob"
    assert first_event([]) == ""
    found.observed.columns["score_A"] = np.zeros(1)  # type: ignore[index]
    assert columns_of(found) == ["score_A", "p_M", "t", "y", "x"]
    del found.observed.columns["score_A"]  # type: ignore[attr-defined]


def test_a_folder_is_written(scene: Scene, tmp_path: Path) -> None:
    save(scene.session, followed(scene), "", "", tmp_path / "out")
    cells = pd.read_csv(tmp_path / "out" / "cells.csv")
    assert len(cells) == 7
    assert {"class", "state", "z_0"} <= set(cells)


def test_the_users_own_numbers_can_be_aligned(scene: Scene) -> None:
    area = np.arange(7) * 10
    scene.cells.features = pd.DataFrame({"area": area, "score": 9.0, "name": list("abcdefg")})
    own = own_columns(scene.session)
    assert list(own) == ["area"]  # the score is that of the result
    result = scene.session.classification
    order = default_order(result.classes)[0]
    found = follow(result, order, PathSettings(), None, None, own)
    assert found.observed.columns["area"].tolist() == area.tolist()
    assert found.observed.columns["score"].tolist() == result.scores[:, 0].tolist()
