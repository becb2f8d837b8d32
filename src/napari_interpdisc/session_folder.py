"""A session as a folder of plain files: paths of its layers, latents, annotations, model, settings.

    session.json          versions, paths, model and its hash, settings
    cells.parquet         one row for each cell: t, y, x, track_id, row, and its own columns
    encoding.parquet      latents, log-variances, spectra and flags, row by row
    annotations.csv       t, y, x, track_id, class; if there are any

Pixels are not copied: the folder says where they are. Nothing in it is executed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from napari_interpdisc._types import Measured
from napari_interpdisc.cells import CellTable, Taken
from napari_interpdisc.checks import Check
from napari_interpdisc.crop_measures import BANDS
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.results import new_folder, settings_text, versions
from napari_interpdisc.io.tables import check_parquet
from napari_interpdisc.models.properties import Way
from napari_interpdisc.pipeline import Encoding

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
Ask = Callable[[str, Path], "Path | None"]
"""Asked for the path of what is no longer where it was: (role, old path) → new path, or None."""

CELLS = ("t", "y", "x", "track_id", "row")


class _Note(BaseModel):
    """``session.json``; what others than we have changed in it is of the right kinds all the same.

    Fields are those that :func:`save_session` writes.
    """

    versions: dict[str, str]
    cells: int
    source: str
    model: str
    model_sha256: str
    encoder_sha256: str
    head: str
    diameter: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    measured: Measured
    properties_way: Way = "built-in"
    checks: tuple[Check, ...]
    graph: tuple[tuple[int, tuple[int, ...]], ...]
    taken: Taken
    files: dict[str, dict[str, str | None]]
    settings: dict[str, Any]


@dataclass(frozen=True)
class SavedSession:
    """What a session is made of.

    Attributes
    ----------
    encoding
        The cells and their latents.
    model_sha256
        Hash of the model with all its heads.
    head
        Name of the head that classified them.
    files
        Path of each layer's file by role, such as ``image`` and ``labels``.
    annotations
        t, y, x, track_id and class of the annotated cells, or None.
    settings
        Further settings, such as the channel and the threshold.
    """

    encoding: Encoding
    model_sha256: str
    head: str
    files: Mapping[str, Path] = field(default_factory=dict)
    annotations: pd.DataFrame | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def save_session(
    folder: str | Path, session: SavedSession, beside: Callable[[Path], None] | None = None
) -> Path:
    """Write a session as a new folder, whole or not at all.

    ``beside`` is called with the unfinished folder, to write further files into it.

    Raises
    ------
    InvalidInput
        If something is there already, or the folder cannot be written.
    """
    import pandas as pd

    target, encoding = Path(folder), session.encoding
    cells = encoding.cells
    own = {f"own_{name}": values for name, values in cells.extra.items()}
    columns = (cells.t, cells.yx[:, 0], cells.yx[:, 1], cells.track_id, cells.row)
    rows = pd.DataFrame({**dict(zip(CELLS, columns, strict=True)), **own})
    parts = {
        "z": encoding.latents,
        "spectrum": encoding.spectra,
    }
    measured = pd.DataFrame({f"property_{k}": v for k, v in encoding.properties.items()})
    table = pd.concat(
        [pd.DataFrame(values).add_prefix(f"{name}_") for name, values in parts.items()], axis=1
    )
    if not len(encoding.spectra):
        table = table.drop(columns=[n for n in table if str(n).startswith("spectrum_")])
    table = pd.concat([table, measured], axis=1)
    if len(encoding.reconstruction_error):
        table["reconstruction_error"] = encoding.reconstruction_error
    table["touches_edge"] = encoding.touches_edge
    table["saturated"] = encoding.saturated
    table["no_pixels"] = encoding.no_pixels.astype(str)
    note = {
        "session": SCHEMA,
        "versions": versions(),
        "cells": len(rows),
        "source": cells.source,
        "model": encoding.model_name,
        "model_sha256": session.model_sha256,
        "encoder_sha256": encoding.encoder_sha256,
        "head": session.head,
        "diameter": encoding.diameter,
        "measured": encoding.measured,
        "properties_way": encoding.way,
        "checks": [asdict(check) for check in encoding.checks],
        "graph": [[child, list(parents)] for child, parents in cells.graph.items()],
        "taken": asdict(cells.taken),
        "files": {role: _paths(Path(path), target) for role, path in session.files.items()},
        "settings": dict(session.settings),
    }
    with new_folder(target) as partial:
        rows.to_parquet(partial / "cells.parquet", index=False)
        table.to_parquet(partial / "encoding.parquet", index=False)
        if session.annotations is not None and len(session.annotations):
            session.annotations.to_csv(partial / "annotations.csv", index=False)
        if beside is not None:
            beside(partial)
        (partial / "session.json").write_text(settings_text(note), "utf-8")
    return target


def open_session(folder: str | Path, ask: Ask | None = None) -> SavedSession:
    """Read a session; files that moved are looked for beside the folder, then asked for.

    The caller loads the model, and compares its hash with ``model_sha256``; with
    :func:`napari_interpdisc.pipeline.classify_encoding` the cells have their classes again.

    Parameters
    ----------
    folder
        As :func:`save_session` wrote it.
    ask
        Asked for each file that is at neither of its paths. If it returns None, the file is left
        out of ``files``.

    Raises
    ------
    InvalidInput
        If this is no session, it is damaged, or a file is missing and ``ask`` is left out.
    """
    import pandas as pd

    source = Path(folder)
    try:
        note = json.loads((source / "session.json").read_text("utf-8"))
        if note["session"] != SCHEMA:
            raise InvalidInput(
                f"{source} is a session of another version ({note['session']}); open it with the "
                f"napari-interpdisc that saved it ({note['versions']['napari-interpdisc']})."
            )
        about = _Note.model_validate(note)
        rows, table = (_table(source / name) for name in ("cells.parquet", "encoding.parquet"))
        marks = source / "annotations.csv"
        annotations = pd.read_csv(marks) if marks.exists() else None
        if not len(rows) == len(table) == about.cells:
            raise ValueError("its tables have other numbers of rows")
        cells = CellTable.from_arrays(
            rows["t"],
            rows[["y", "x"]],
            rows["track_id"],
            rows["row"],
            about.source,
            {
                str(n).removeprefix("own_"): rows[n].to_numpy()
                for n in rows
                if str(n).startswith("own_")
            },
        )
        cells = replace(cells, graph=dict(about.graph), taken=about.taken)
        latents, spectra = (
            table[[n for n in table if str(n).startswith(f"{name}_")]].to_numpy(np.float32)
            for name in ("z", "spectrum")
        )
        encoding = Encoding(
            cells,
            latents,
            table.get("reconstruction_error", pd.Series(dtype=np.float32)).to_numpy(np.float32),
            about.diameter,
            about.model,
            about.encoder_sha256,
            table["touches_edge"].to_numpy(bool),
            spectra=spectra if spectra.shape[1] else np.zeros((0, len(BANDS)), np.float32),
            checks=about.checks,
            measured=about.measured,
            saturated=table["saturated"].to_numpy(bool),
            no_pixels=table["no_pixels"].to_numpy(object),
            properties={
                str(n).removeprefix("property_"): table[n].to_numpy(np.float64)
                for n in table
                if str(n).startswith("property_")
            },
            way=about.properties_way,
        )
        files = {role: _found(role, paths, source, ask) for role, paths in about.files.items()}
        return SavedSession(
            encoding,
            about.model_sha256,
            about.head,
            {role: path for role, path in files.items() if path is not None},
            annotations,
            about.settings,
        )
    except InvalidInput:
        raise
    except Exception as fault:
        text = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        if isinstance(fault, ValidationError):
            first = fault.errors(include_url=False)[0]
            text = f"session.json: {first['msg']}, at '{'.'.join(map(str, first['loc']))}'"
        raise InvalidInput(
            f"{source} is not a session that can be opened ({text}); choose the folder that "
            "'Save session' wrote."
        ) from None


def _table(path: Path) -> pd.DataFrame:
    import pandas as pd

    check_parquet(path)
    return pd.read_parquet(path)


def _paths(path: Path, folder: Path) -> dict[str, str | None]:
    """Absolute path, and the one from the session's folder where there is one (one drive)."""
    absolute = path.resolve()
    try:
        relative = Path(os.path.relpath(absolute, folder.resolve())).as_posix()
    except ValueError:
        return {"path": str(absolute), "relative": None}
    return {"path": str(absolute), "relative": relative}


def _found(
    role: str, paths: Mapping[str, str | None], folder: Path, ask: Ask | None
) -> Path | None:
    old, relative = Path(str(paths["path"])), paths["relative"]
    # beside the folder first: a session that was copied with its movie means the copy
    if relative is not None and (folder.resolve() / relative).exists():
        return (folder.resolve() / relative).resolve()
    if old.exists():
        return old
    if ask is None:
        raise InvalidInput(
            f"The {role} of this session, {old}, is not there; put it back, or say where it is "
            "(ask= of open_session)."
        )
    return ask(role, old)
