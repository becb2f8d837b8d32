"""napari layers as tables and back: coordinates, features with their types, and where they lie.

A layer is the tuple (data, arguments, kind) of napari's readers and writers. What a table cannot
say, such as the types of features, the graph of tracks and the scale, is in a note.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import LayerData
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.tables import check_parquet

if TYPE_CHECKING:
    import pandas as pd

NOTE = "layer"
"""Key of the note in the settings of a table, and in the attributes of a Parquet file."""

PLACEMENT = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
"""Arguments of a layer that say where it lies in the world."""


def _boolean(value: Any) -> bool:
    """Read True or False; spreadsheets write them in capitals."""
    text = str(value).lower()
    if text not in ("true", "false"):
        raise ValueError(f"'{value}' is neither True nor False")
    return text == "true"


def _integer(value: Any) -> int:
    """Read a whole number; spreadsheets may write it with a decimal point."""
    try:
        return int(value)
    except ValueError:
        if not float(value).is_integer():
            raise
        return int(float(value))


READ: dict[str, Any] = {
    "boolean": _boolean,
    "integer": _integer,
    "floating": float,
    "mixed-integer-float": float,
    "string": str,
    "empty": str,
}
"""How values are read from text, by kind, in the words of pandas' ``infer_dtype``."""


def axis_names(kind: str, ndim: int) -> list[str]:
    """Columns of the coordinates of a layer with so many axes.

    Points of four axes or more may have channels or depth: their axes have numbers, as napari's do.
    """
    names = {2: ["y", "x"], 3: ["t", "y", "x"]}
    if kind == "tracks":
        names[4] = ["t", "z", "y", "x"]
    return names.get(ndim, [f"axis-{i}" for i in range(ndim)])


def layer_to_table(
    kind: str, data: Any, arguments: Mapping[str, Any], axes: list[str] | None = None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Table of a Tracks, Points or Labels layer, row i of its features in row i, and its note.

    Parameters
    ----------
    kind
        ``tracks``, ``points`` or ``labels``.
    data
        Data of the layer: (N, 1 + D) for tracks, (N, D) for points. Pixels of labels are not read.
    arguments
        The layer's own, as napari hands them to writers.
    axes
        Columns of the coordinates, if others than those of :func:`axis_names`.

    Raises
    ------
    InvalidInput
        If a feature holds values that a table cannot keep.
    """
    import pandas as pd

    features = pd.DataFrame(arguments.get("features")).reset_index(drop=True)
    columns: dict[str, Any] = {}
    note: dict[str, Any] = {"kind": kind, "name": arguments.get("name", kind)}
    if kind != "labels":
        values = np.asarray(data)
        names = axes or axis_names(kind, values.shape[1] - (kind == "tracks"))
        note |= {"axes": names, "dtype": str(values.dtype)}
        if kind == "tracks":
            columns["track_id"] = values[:, 0].astype(np.int64)
        columns |= dict(zip(names, values[:, kind == "tracks" :].T, strict=True))
    note["features"] = []
    for name in features:
        series = features[name]
        about = {"name": name if isinstance(name, int) else str(name), **_describe(series)}
        column = str(name)
        copied = kind == "tracks" and column == "track_id"  # napari's own copy of the ids
        if not (copied and np.array_equal(series, columns[column])):
            while column in columns:
                column += "_feature"
            columns[column] = _as_text(series)
        note["features"].append({**about, "column": column})
    if kind == "tracks":
        graph = arguments.get("graph") or {}
        note["graph"] = {str(k): [int(p) for p in np.atleast_1d(v)] for k, v in graph.items()}
    placement = {key: arguments[key] for key in PLACEMENT if arguments.get(key) is not None}
    note["placement"] = {key: _plain(value) for key, value in placement.items()}
    ours = (arguments.get("metadata") or {}).get("interpdisc")
    if ours is not None:
        note["interpdisc"] = json.loads(json.dumps(ours, default=str))
    note["rows"] = len(features) if kind == "labels" else len(data)
    return pd.DataFrame(columns, index=range(note["rows"])), note


def fits_note(table: pd.DataFrame, note: Mapping[str, Any]) -> bool:
    """Whether a table has the rows and the coordinates of which the note of a layer tells."""
    return len(table) == note["rows"] and set(_coordinates(note)) <= set(table)


def _coordinates(note: Mapping[str, Any]) -> list[str]:
    if note["kind"] == "labels":
        return []
    return [*(["track_id"] if note["kind"] == "tracks" else []), *note["axes"]]


def table_to_layer(table: pd.DataFrame, note: Mapping[str, Any], pixels: Any = None) -> LayerData:
    """Layer of a table and its note: what :func:`layer_to_table` was given.

    Values and columns may have been edited since. Features that are gone are left out, and further
    columns are features.

    Parameters
    ----------
    table
        As read from a file, and as :func:`fits_note` wants it; text where the file has no types.
    note
        The layer's note.
    pixels
        Data of a Labels layer.

    Raises
    ------
    InvalidInput
        If a value does not have the type of which the note tells.
    """
    import pandas as pd

    _check_note(note)
    kind, names = note["kind"], _coordinates(note)
    known = {about["column"] for about in note["features"]}
    features: dict[Any, Any] = {}
    column = ""
    try:
        for about in note["features"]:
            column = about["column"]
            if column in table:
                features[about["name"]] = restored(table[column], about)
        for column in (str(name) for name in table):
            if column not in known and column not in (*names, "index"):
                features[column] = _inferred(table[column])
        data = pixels
        if kind != "labels":
            column = "track_id, y or x"
            data = np.column_stack([table[name].astype(np.float64) for name in names])
            data = data.reshape(-1, len(names)).astype(note["dtype"])
    except (KeyError, TypeError, ValueError) as fault:
        raise InvalidInput(
            f"Column '{column}' of the table of layer '{note['name']}' was changed since it was "
            f"saved ({fault}); repair it, or open the table without the JSON file beside it."
        ) from None
    frame = pd.DataFrame(features, index=range(len(table)))
    arguments: dict[str, Any] = {"name": note["name"], "features": frame, **note["placement"]}
    if kind == "tracks":
        arguments["graph"] = {int(k): v for k, v in note["graph"].items()}
    if "interpdisc" in note:
        arguments["metadata"] = {"interpdisc": note["interpdisc"]}
    return data, arguments, kind


def _check_note(note: Mapping[str, Any]) -> None:
    """Refuse a note whose parts are of other types than those that were saved."""
    wanted = {"name": str, "placement": dict, "features": list}
    wrong = [key for key, kind in wanted.items() if not isinstance(note.get(key), kind)]
    if note["kind"] == "tracks" and not isinstance(note.get("graph"), dict):
        wrong.append("graph")
    if note["kind"] not in ("tracks", "points", "labels"):
        wrong.append("kind")
    if not wrong and (unknown := [key for key in note["placement"] if key not in PLACEMENT]):
        wrong.append(f"placement: {str(unknown[0])[:40]}")
    if wrong:
        raise InvalidInput(
            f"The note of a saved layer was changed: '{wrong[0]}' is not as it was saved; save the "
            "layer again, or open its table without the JSON file beside it."
        )


def _inferred(column: pd.Series[Any]) -> pd.Series[Any]:
    """Column that somebody added: numbers if all values are, else as it is."""
    import pandas as pd

    try:
        return pd.Series(pd.to_numeric(column))
    except (TypeError, ValueError):
        return column


def read_note(path: str | Path) -> dict[str, Any] | None:
    """Note of the layer that was saved as this CSV or Parquet file; None if none was."""
    source = Path(path)
    if source.suffix.lower() == ".parquet":
        import pyarrow
        from pyarrow import parquet

        try:
            kept = parquet.read_schema(source).metadata or {}
        except (OSError, pyarrow.ArrowException):
            return None
        text = kept.get(b"PANDAS_ATTRS", b"")
    else:
        try:
            text = source.with_suffix(".json").read_bytes()
        except OSError:
            return None
    try:
        note = json.loads(text).get(NOTE)
    except (ValueError, AttributeError, RecursionError):
        return None
    return note if isinstance(note, dict) and "features" in note else None


def read_typed(path: str | Path) -> pd.DataFrame:
    """Table of a saved layer: types from the file if it has them, else every value as text.

    Raises
    ------
    InvalidInput
        If the file cannot be read.
    """
    import pandas as pd

    source = Path(path)
    try:
        if source.suffix.lower() == ".parquet":
            check_parquet(source)
            return pd.read_parquet(source)
        return pd.read_csv(source, dtype=object, na_filter=False)
    except pd.errors.EmptyDataError:
        return pd.DataFrame()  # of a layer without features
    except InvalidInput:
        raise
    except Exception as fault:
        text = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise InvalidInput(f"{source} cannot be read as a table ({text}).") from None


def restored(column: pd.Series[Any], about: Mapping[str, Any]) -> pd.Series[Any]:
    """Values of a feature with the type that they had when they were saved."""
    import pandas as pd

    values: npt.NDArray[Any] = column.to_numpy(dtype=object)
    dtype, kind = about["dtype"], about["kind"]
    missing = np.zeros(len(values), bool)
    missing[about["missing"]] = True
    if dtype == "category":
        known = {str(value): value for value in about["categories"]}
        texts = [None if m else str(v) for v, m in zip(values, missing, strict=True)]
        new = list(dict.fromkeys(text for text in texts if text is not None and text not in known))
        chosen = [None if text is None else known.get(text, text) for text in texts]
        dtype = "object" if new else about["category_dtype"]
        categories = pd.Index([*about["categories"], *new], dtype=dtype)
        return pd.Series(pd.Categorical(chosen, categories=categories, ordered=about["ordered"]))
    if kind.startswith(("datetime", "timedelta")):
        return pd.Series(values).where(~missing, None).astype(dtype)
    nothing: Any = np.nan if dtype in ("object", "str") or dtype.startswith("float") else pd.NA
    if about["none"]:
        nothing = None
    read = READ[kind]
    found = [nothing if m else read(v) for v, m in zip(values, missing, strict=True)]
    series: pd.Series[Any] = pd.Series(found, dtype=dtype)
    return series


def _describe(column: pd.Series[Any]) -> dict[str, Any]:
    """Type of a column, and in which rows it has no value."""
    import pandas as pd

    missing = column.isna().to_numpy()
    about: dict[str, Any] = {
        "dtype": str(column.dtype),
        "missing": np.flatnonzero(missing).tolist(),
        "none": any(value is None for value in column[missing]),
    }
    if isinstance(column.dtype, pd.CategoricalDtype):
        categories = column.cat.categories
        about |= {
            "dtype": "category",
            "kind": "category",
            "categories": categories.tolist(),
            "category_dtype": str(categories.dtype),
            "ordered": bool(column.cat.ordered),
        }
        kind = pd.api.types.infer_dtype(categories)
        kept = kind in READ
    else:
        kind = about["kind"] = pd.api.types.infer_dtype(column, skipna=True)
        kept = kind in READ or kind.startswith(("datetime", "timedelta"))
    if not kept:
        raise InvalidInput(
            f"Feature '{column.name}' holds values of type {kind}, which a file cannot keep; turn "
            "it into text or numbers, or remove it."
        )
    return about


def _as_text(column: pd.Series[Any]) -> pd.Series[Any]:
    """Column whose categories, if it has any, are texts: each format writes numbers otherwise."""
    import pandas as pd

    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column
    texts = [str(value) for value in column.cat.categories.tolist()]
    return pd.Series(column.cat.rename_categories(texts))


def _plain(value: Any) -> Any:
    """Numbers and texts, in lists, of an argument of a layer."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, int | float | str) else str(value)
