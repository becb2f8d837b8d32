"""Tables of a part: their columns and types are the same in all images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from napari_interpdisc.batch.inputs import Item
from napari_interpdisc.batch.plan import Plan
from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.experiment.part_table import (
    Keep,
    check_keep,
    keep_of,
    part_of,
    part_schema,
    read_block_of_cells,
    write_cells,
    write_part,
)
from napari_interpdisc.pipeline import Classification, Encoding

CELLS = CellTable.from_arrays(
    [5, 0, 0, 2],
    [[1, 2], [3, 4], [5, 6], [7, 8]],
    [1, 2, 3, 1],
    extra={"area": [9, 8, 7, 6], "drug": ["a", None, "b", "c"], "z": [0, 1, 2, 3]},
)
KEEP = Keep(("area",), ("drug",))


def test_blocks_are_row_groups_in_the_order_of_frames(tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    assert write_cells(CELLS, KEEP, 2, path) == [[0, 2], [1, 1], [2, 1]]
    first = read_block_of_cells(path, 0)
    assert first["row"].tolist() == [1, 2]
    assert first["y"].tolist() == [3, 5]
    assert first["drug"].tolist() == [None, "b"]
    assert first["area"].tolist() == [8, 7]
    assert first["z"].dtype == np.float64
    assert read_block_of_cells(path, 2)["t"].tolist() == [5]


def test_a_column_that_holds_no_numbers(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="'drug' of 'cells' holds no numbers; keep it with"):
        write_cells(CELLS, Keep(numbers=("drug",)), 2, tmp_path / "x.parquet")
    assert not list(tmp_path.iterdir())


def classified(cells: CellTable, classes: tuple[str, ...], usable: bool = True) -> Classification:
    n, k = len(cells), len(classes) - 1 if len(classes) == 2 else len(classes)
    why = np.full(n, "" if usable else "no values", object)
    latents = np.full((n, 4), 1 if usable else np.nan, np.float32)
    encoding = Encoding(cells, latents, latents[:, 0], 22.0, "h2b", "", no_pixels=why)
    scores = np.full((n, k), 2 if usable else np.nan, np.float32)
    return Classification(encoding, "dense", classes, scores)


@pytest.mark.parametrize("classes", [("A", "B"), ("A", "B", "C")])
def test_types_do_not_depend_on_values(classes: tuple[str, ...]) -> None:
    item = Item("001", Path("001.tif"), well="02")
    schema = part_schema(classes, 4, KEEP)
    whole = part_of(classified(CELLS, classes), item, KEEP)
    empty = part_of(classified(CELLS, classes, usable=False), item, KEEP)
    assert whole.schema == empty.schema == schema
    assert whole["image"].to_pylist() == ["001"] * 4
    assert whole["well"].to_pylist() == ["02"] * 4
    assert whole["class"].to_pylist() == [classes[1] if len(classes) == 2 else "A"] * 4
    assert empty["class"].null_count == 4
    assert empty["flag"].to_pylist() == ["no values"] * 4
    assert schema.field("image").type == pa.string()
    assert ("score" in schema.names) == (len(classes) == 2)


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    table = part_of(classified(CELLS, ("A", "B")), Item("a", Path("a.tif")), Keep())
    for name in ("1", "2"):
        write_part(table, tmp_path / name)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    read = pq.read_table(tmp_path / "1")
    assert read.schema == table.schema
    assert read.to_pandas().equals(table.to_pandas())


def test_columns_that_cannot_be_kept(plan: Plan) -> None:
    assert keep_of(plan) == Keep()
    own = part_schema(("A", "B"), 4, Keep()).names
    check_keep(KEEP, own)
    with pytest.raises(InvalidInput, match="'z_3' that the plan keeps is one of the result"):
        check_keep(Keep(("z_3",)), own)
    with pytest.raises(InvalidInput, match="'a' that the plan keeps is named twice"):
        check_keep(Keep(("a",), ("a",)), own)
