"""Tables of a part: its cells before they are classified, and the result, of fixed types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from napari_interpdisc.batch.inputs import Item
from napari_interpdisc.batch.plan import Plan
from napari_interpdisc.errors import InvalidInput

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.pipeline import Classification

CORE = ("t", "y", "x", "track_id", "row")
"""Columns of the cells of an image, as they wait to be classified."""


@dataclass(frozen=True)
class Keep:
    """Columns of the tables of cells that go into the result, as numbers and as text."""

    numbers: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()


def keep_of(plan: Plan) -> Keep:
    """Columns that a plan keeps."""
    return Keep(plan.cells.keep_numbers, plan.cells.keep_texts)


def check_keep(keep: Keep, own: Sequence[str]) -> None:
    """Refuse to keep a column that is called as one of the result.

    Raises
    ------
    InvalidInput
        If so, or one is named twice.
    """
    names = [*keep.numbers, *keep.texts]
    for name in names:
        if name in own or names.count(name) > 1:
            why = "is one of the result" if name in own else "is named twice"
            raise InvalidInput(f"The column '{name}' that the plan keeps {why}; leave it out.")


def write_cells(cells: CellTable, keep: Keep, frames: int, path: Path) -> list[list[int]]:
    """Write the cells of an image by frame and row, a row group for each block of frames.

    Returns
    -------
    Number and cells of each block that has any, in their order.
    """
    from napari_interpdisc.io.results import write_whole

    order = np.lexsort((cells.row, cells.t))
    arrays: dict[str, Any] = {
        "t": cells.t,
        "y": cells.yx[:, 0],
        "x": cells.yx[:, 1],
        "track_id": cells.track_id,
        "row": cells.row,
    }
    if "z" in cells.extra:
        arrays["z"] = np.asarray(cells.extra["z"], np.float64)
    arrays |= {name: _number(cells, name) for name in keep.numbers}
    arrays |= {name: _text(cells.column(name)) for name in keep.texts}
    table = pa.table({name: pa.array(values[order]) for name, values in arrays.items()})
    numbers = cells.t[order] // frames
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    ends = [*starts[1:], len(order)]

    def write(partial: Path) -> None:
        with pq.ParquetWriter(partial, table.schema) as writer:
            for start, end in zip(starts, ends, strict=True):
                # one row group whatever its size, so that its place is that of the block
                writer.write_table(table.slice(start, end - start), row_group_size=end - start)

    write_whole(path, write)
    return [
        [int(numbers[start]), int(end - start)] for start, end in zip(starts, ends, strict=True)
    ]


def _number(cells: CellTable, name: str) -> npt.NDArray[np.float64]:
    try:
        return np.asarray(cells.column(name), np.float64)
    except (TypeError, ValueError):
        raise InvalidInput(
            f"Column '{name}' of '{cells.source}' holds no numbers; keep it with keep_texts."
        ) from None


def _text(values: npt.NDArray[Any]) -> npt.NDArray[np.object_]:
    import pandas as pd

    column = pd.Series(values, dtype=object)
    return np.asarray([None if pd.isna(v) else str(v) for v in column], object)


def read_block_of_cells(path: Path, at: int) -> dict[str, npt.NDArray[Any]]:
    """Columns of one row group that :func:`write_cells` wrote."""
    with pq.ParquetFile(path) as file:
        table = file.read_row_group(at)
    return {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}


def part_schema(classes: Sequence[str], latents: int, keep: Keep) -> pa.Schema:
    """Names and types of the columns of every part, the same in all images."""
    scores = ["score"] if len(classes) == 2 else [f"score_{name}" for name in classes]
    text, number, single = pa.string(), pa.float64(), pa.float32()
    return pa.schema(
        [
            ("image", text),
            ("well", text),
            ("field", text),
            ("row", pa.int64()),
            ("t", pa.int64()),
            ("y", number),
            ("x", number),
            ("track_id", pa.int64()),
            *((name, number) for name in keep.numbers),
            *((name, text) for name in keep.texts),
            ("class", text),
            *((name, single) for name in scores),
            ("confidence", single),
            ("diameter", number),
            ("latent_norm", number),
            ("surprise", number),
            ("unfamiliar", pa.bool_()),
            ("touches_edge", pa.bool_()),
            ("flag", text),
            *((f"z_{k}", single) for k in range(latents)),
        ]
    )


def part_of(result: Classification, item: Item, keep: Keep) -> pa.Table:
    """Result of a block as a table of :func:`part_schema`, in the order of its cells.

    ``image``, ``well`` and ``field`` are columns, so that a reader needs no names of folders, whose
    types it would guess.
    """
    cells, n = result.encoding.cells, len(result.scores)
    schema = part_schema(result.classes, result.encoding.latents.shape[1], keep)
    found = result.results()
    constant = {"image": item.name, "well": item.well, "field": item.field}
    own: dict[str, npt.NDArray[Any]] = {
        "row": cells.row,
        "t": cells.t,
        "y": cells.yx[:, 0],
        "x": cells.yx[:, 1],
        "track_id": cells.track_id,
        "class": result.names(),
        **{name: cells.extra[name] for name in (*keep.numbers, *keep.texts)},
    }
    columns = []
    for field in schema:
        if field.name in constant:
            columns.append(pa.repeat(pa.scalar(constant[field.name], field.type), n))
            continue
        values = own[field.name] if field.name in own else found[field.name].to_numpy()
        columns.append(pa.array(values, field.type, from_pandas=False))
    return pa.Table.from_arrays(columns, schema=schema)


def write_part(table: pa.Table, path: Path) -> None:
    """Write a part as Parquet: the same bytes for the same rows."""
    pq.write_table(table, path, compression="zstd")
