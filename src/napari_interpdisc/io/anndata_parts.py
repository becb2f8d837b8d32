"""A table of any length as AnnData, written a part at a time, without the package anndata.

The file is as https://anndata.readthedocs.io/en/stable/fileformat-prose.html says: HDF5, read by
anndata from 0.8 on. The package itself writes what is in memory as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float32Array, Float64Array
from napari_interpdisc.io.hdf5_files import hdf5_file

CHUNK = 1 << 14
"""Rows of a chunk of the file."""

TEXT = h5py.string_dtype()


class AnnDataParts:
    """A file of N cells with L latents, to which parts of the cells are added; a context.

    ``X`` has the latents, ``obs`` the other columns, ``obsm["spatial"]`` x and y. Columns of texts
    become categories, and None no category. The same parts give the same bytes.

    Parameters
    ----------
    path
        A new file. It is no AnnData until the context has ended.
    latents
        Names of the L columns of ``X``.
    notes
        What ``uns["interpdisc"]`` says: texts, or lists of texts, by name.
    """

    def __init__(
        self, path: Path, latents: Sequence[str], notes: Mapping[str, str | Sequence[str]]
    ) -> None:
        self._open = ExitStack()
        self._file, self._below = self._open.enter_context(hdf5_file(path, "w"))
        self._rows = 0
        self._categories: dict[str, dict[str, int]] = {}
        self._columns: list[str] = []
        _encoded(self._file, "anndata", "0.1.0")
        for name in ("layers", "obsm", "obsp", "uns", "varm", "varp"):
            _encoded(self._file.create_group(name), "dict", "0.1.0")
        own = _encoded(self._file.create_group("uns/interpdisc"), "dict", "0.1.0")
        for name, said in notes.items():
            if isinstance(said, str):
                _encoded(own.create_dataset(name, data=said, dtype=TEXT), "string", "0.2.0")
            else:
                _texts(own, name, said)
        var = _frame(self._file, "var", ["latent"])
        _texts(var, "_index", latents)
        _encoded(var.create_dataset("latent", data=np.arange(len(latents))), "array", "0.2.0")
        self._obs = self._file.create_group("obs")
        _growing(self._obs, "_index", TEXT, "string-array")
        _growing(self._file, "X", np.dtype(np.float32), columns=len(latents))
        _growing(self._file["obsm"], "spatial", np.dtype(np.float64), columns=2)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        with self._open:
            if fault is not None:
                raise fault
            self._end()

    def add(
        self,
        names: Sequence[str],
        columns: Mapping[str, npt.NDArray[Any]],
        latents: Float32Array,
        xy: Float64Array,
    ) -> None:
        """Add n cells.

        Parameters
        ----------
        names
            n names, unlike those of all others.
        columns
            (n,) each: the same columns of the same types in every part.
        latents, xy
            (n, L) and (n, 2).

        Raises
        ------
        OSError
            If the disk refuses what was added before.
        """
        self._below.check()
        self._append(self._obs["_index"], np.array(names, object))
        self._append(self._file["X"], latents)
        self._append(self._file["obsm/spatial"], xy)
        if not self._columns:
            self._columns = list(columns)
            for name, values in columns.items():
                if values.dtype == object:
                    self._categories[name] = {}
                    group = self._obs.create_group(name)
                    _encoded(group, "categorical", "0.2.0").attrs["ordered"] = False
                    _growing(group, "codes", np.dtype(np.int32))
                else:
                    _growing(self._obs, name, values.dtype)
        for name, values in columns.items():
            if name in self._categories:
                self._append(self._obs[name]["codes"], self._codes(name, values))
            else:
                self._append(self._obs[name], values)
        self._rows += len(names)

    def _append(self, data: h5py.Dataset, values: npt.NDArray[Any]) -> None:
        data.resize(self._rows + len(values), axis=0)
        data[self._rows :] = values

    def _codes(self, name: str, values: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
        known = self._categories[name]
        return np.array(
            [-1 if v is None else known.setdefault(str(v), len(known)) for v in values], np.int32
        )

    def _end(self) -> None:
        for name, known in self._categories.items():
            _texts(self._obs[name], "categories", list(known))
        _frame(self._file, "obs", self._columns)


def _encoded(node: Any, kind: str, version: str) -> Any:
    node.attrs["encoding-type"], node.attrs["encoding-version"] = kind, version
    return node


def _frame(above: Any, name: str, columns: Sequence[str]) -> Any:
    """A group that is a table, with the order of its columns."""
    group = _encoded(above.require_group(name), "dataframe", "0.2.0")
    group.attrs["_index"] = "_index"
    group.attrs.create("column-order", np.array(columns, object), dtype=TEXT)
    return group


def _texts(above: Any, name: str, texts: Sequence[str]) -> None:
    data = above.create_dataset(name, data=np.array(texts, object), dtype=TEXT)
    _encoded(data, "string-array", "0.2.0")


def _growing(above: Any, name: str, kind: Any, encoding: str = "array", columns: int = 0) -> None:
    """Make room for rows that are not there yet."""
    more = (columns,) if columns else ()
    # latents are noise to a compressor, and columns of codes and flags are not
    squeezed = {} if columns else {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    data = above.create_dataset(
        name, (0, *more), kind, maxshape=(None, *more), chunks=(CHUNK, *more), **squeezed
    )
    _encoded(data, encoding, "0.2.0")
