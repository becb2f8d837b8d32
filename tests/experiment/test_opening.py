"""One image of an experiment with its cells, opened as the plan says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_interpdisc.batch.inputs import Item, find_items
from napari_interpdisc.batch.plan import Plan
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.experiment.opening import asked_of, open_frames, open_item


@pytest.fixture
def item(plan: Plan) -> Item:
    return find_items(plan.images)[0]


def changed(plan: Plan, section: str, **values: Any) -> Plan:
    return plan.model_copy(update={section: getattr(plan, section).model_copy(update=values)})


def test_a_diameter_that_is_given_or_estimated(item: Item, plan: Plan) -> None:
    opened = open_item(item, plan)
    assert (opened.diameter, opened.measured, opened.interval) == (22, "given", 300)
    assert "track_id" in opened.told[0]
    assert open_item(replace(item, diameter=30.0), plan).diameter == 30
    estimated = open_item(replace(item, diameter="auto"), plan)
    assert estimated.measured == "detection"
    assert f"nuclear diameter: {estimated.diameter:.1f} px (estimated)" in estimated.told


def test_what_the_plan_says_of_tables_is_used(item: Item, plan: Plan) -> None:
    plain, swapped = (
        open_item(item, changed(plan, "cells", swap_xy=swap)).cells for swap in (False, True)
    )
    assert swapped.yx.tolist() == plain.yx[:, ::-1].tolist()
    asked = asked_of(changed(plan, "cells", columns="t=t,y=x,x=y", first_frame=0, unit="px"))
    assert asked.columns == {"t": "t", "y": "x", "x": "y"}
    assert (asked.first_frame, asked.unit) == (0, "px")
    with pytest.raises(InvalidInput, match="no column 'wet mass'"):
        open_item(item, changed(plan, "cells", keep_numbers=("wet mass",)))


def test_divisions_of_a_table_of_their_own(item: Item, plan: Plan, tmp_path: Path) -> None:
    ids = sorted(set(open_item(item, plan).cells.track_id.tolist()))
    path = tmp_path / "splits.csv"
    path.write_text(f"parent_track_id,child_track_id\n{ids[0]},{ids[-1]}\n")
    assert open_item(replace(item, splits=path), plan).cells.graph == {ids[-1]: (ids[0],)}


def test_a_channel_of_one_image(item: Item, plan: Plan) -> None:
    with pytest.raises(InvalidInput, match="channel"):
        open_frames(replace(item, channel=3), plan)


def test_cells_of_a_label_image_in_ome_zarr(tmp_path: Path, plan: Plan) -> None:
    labels = np.zeros((2, 40, 50), np.uint16)
    labels[0, 8:20, 8:20] = 4
    labels[1, 9:21, 10:22] = 4
    labels[:, 25:37, 30:42] = 6
    for place, data in (("", 100 + 50 * labels), ("labels/nuclei", labels)):
        group = zarr.open_group(tmp_path / "f.zarr" / place, mode="a")
        group.create_array("0", data=data)
        axes = [{"name": name} for name in "tyx"]
        group.attrs["ome"] = {"multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}
    item = Item("f", tmp_path / "f.zarr", cells_label="nuclei", diameter="auto")
    opened = open_item(item, plan)
    assert opened.cells.track_id.tolist() == [4, 6, 4, 6]
    assert opened.cells.yx[2].tolist() == [14.5, 15.5]
    assert opened.measured == "segmentation"
    np.testing.assert_allclose(opened.diameter, 12 * np.sqrt(4 / np.pi), rtol=0.02)


def test_a_segmentation_of_another_image(item: Item, plan: Plan, tmp_path: Path) -> None:
    labels = np.zeros((5, 40, 50), np.int32)
    labels[:, 3:20, 3:20], labels[:, 30:38, 3:20] = 1, 2
    np.save(tmp_path / "labels.npy", labels)
    with pytest.raises(InvalidInput, match=r"has shape \(5, 40, 50\), the image \(5, 80, 100\)"):
        open_item(replace(item, labels=tmp_path / "labels.npy"), plan)
