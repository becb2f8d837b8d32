"""A table on its way to cells: which of its columns is what, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float64Array
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.dialects import (
    OTHER_TABLES,
    PLAIN,
    Column,
    Dialect,
    matching_dialects,
    unit_of,
)

if TYPE_CHECKING:
    import pandas as pd

    from napari_interpdisc.io.columns import Asked, Movie

EXAMPLE = "t=Frame,y=Y,x=X,track_id=Track"
"""Columns as the user may name them."""


class TableReading:
    """One table on its way to cells; what is said of it grows on the way."""

    def __init__(
        self,
        table: pd.DataFrame,
        source: str,
        asked: Asked,
        movie: Movie | None,
        units: dict[str, str],
    ) -> None:
        self.table, self.source, self.asked, self.movie = table, source, asked, movie
        self.columns = [_with_unit(Column.of(name), units) for name in table.columns]
        self.by_name = dict(zip(map(str, table.columns), table.columns, strict=True))
        self.names = ", ".join(map(str, table.columns)) or "no columns"
        self.taken: list[str] = []
        self.notes: list[str] = []
        self.kept: dict[str, npt.NDArray[Any]] = {}
        self.used: set[str] = set()
        self.counted_from: int | None = None
        self.counts_images = False
        self.dialect, self.roles = self._chosen()
        self._unit_column()

    def _chosen(self) -> tuple[Dialect, dict[str, list[Column]]]:
        """The dialect, and the columns that can have each role, best first."""
        found = matching_dialects([c.name for c in self.columns])
        found = self._of_other_values([d for d in found if self._has_numbers(d)])
        named = {role: self._named(name) for role, name in self.asked.columns.items()}
        self._check_named_once(named)
        if {"y", "x"} <= named.keys() or len(found) == 1:
            # a dialect is known by its columns: where they mean something else, it is another one
            dialect = found[0] if len(found) == 1 and not {"y", "x"} <= named.keys() else PLAIN
            roles = dialect.roles(self.columns)
            for role, column in named.items():
                roles[role] = [] if column is None else [column]
            roles = {role: columns for role, columns in roles.items() if columns}
            if dialect is PLAIN:
                taken = [column for column in named.values() if column is not None]
                roles = {
                    role: columns if role in named else [c for c in columns if c not in taken]
                    for role, columns in roles.items()
                }
            return dialect, {role: columns for role, columns in roles.items() if columns}
        if found:
            answers = " or ".join(
                f"{d.name} ({', '.join(d.roles(self.columns)[r][0].name for r in ('y', 'x'))})"
                for d in found
            )
            raise InvalidInput(
                f"'{self.source}' can be read in two ways, as {answers}; say which columns are "
                f"meant with --columns, such as {EXAMPLE} (it has {self.names})."
            )
        keys = {column.key for column in self.columns}
        for marks, what in OTHER_TABLES:
            if marks <= keys:
                raise InvalidInput(f"'{self.source}' {what}.")
        roles = PLAIN.roles(self.columns)
        missing = [role for role in ("y", "x") if role not in roles]
        raise InvalidInput(
            f"'{self.source}' has no column for {' and '.join(missing) or 'cells'} that is known "
            f"(it has {self.names}); name its columns with --columns, such as {EXAMPLE}."
        )

    def _has_numbers(self, dialect: Dialect) -> bool:
        """Whether y and x are no names: rows and columns of a plate often are."""
        roles = dialect.roles(self.columns)
        if roles["y"][0].key not in ("row", "r"):
            return True
        try:
            return all(np.isfinite(self.values(roles[role][0])).any() for role in ("y", "x"))
        except InvalidInput:
            return False

    def _of_other_values(self, found: list[Dialect]) -> list[Dialect]:
        """Leave out dialects whose columns hold the same positions as those of one before."""
        if len(found) == 1:
            return found
        kept: list[Dialect] = []
        seen: list[npt.NDArray[np.float64]] = []
        for dialect in found:
            roles = dialect.roles(self.columns)
            here = np.column_stack([self.values(roles[role][0]) for role in ("y", "x")])
            if not any(np.allclose(here, other, equal_nan=True) for other in seen):
                kept.append(dialect)
                seen.append(here)
        return kept

    def _named(self, name: str) -> Column | None:
        """The column that the user named; None for none."""
        if name.lower() in ("", "none") and name not in self.by_name:
            return None
        exact = [c for c in self.columns if c.name.strip() == name.strip()]
        alike = [c for c in self.columns if c.name.strip().casefold() == name.strip().casefold()]
        key = Column.of(name).key
        same = [c for c in self.columns if key and c.key == key]
        for found in (exact, alike, same):
            if len(found) == 1:
                return found[0]
        raise InvalidInput(
            f"'{self.source}' has no column '{name}', which --columns names; it has {self.names}."
        )

    def _check_named_once(self, named: Mapping[str, Column | None]) -> None:
        """Refuse a column that was named for two roles."""
        names = [column.name for column in named.values() if column is not None]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            roles = [role for role, column in named.items() if column and column.name == twice]
            raise InvalidInput(
                f"--columns names '{twice}' for {' and '.join(roles)}; name a column for each "
                f"('{self.source}' has {self.names})."
            )

    def first(self, role: str) -> str:
        """Name of the column that has a role."""
        return self.roles[role][0].name

    def _unit_column(self) -> None:
        """Take the unit of positions from a column of its own, as Imaris writes it."""
        column = next((c for c in self.columns if c.key == "unit"), None)
        if column is None:
            return
        units = {unit_of(str(u)) for u in self.table[self.by_name[column.name]].dropna().unique()}
        if len(units) > 1:
            raise InvalidInput(
                f"'{self.source}' has positions in {' and '.join(sorted(units))}; give a table in "
                "one unit."
            )
        for role in ("y", "x", "z"):
            if units and role in self.roles:
                first = self.roles[role][0]
                self.roles[role] = [replace(first, unit=first.unit or next(iter(units)))]

    def values(self, column: Column) -> Float64Array:
        """A column as numbers; NaN where it is empty."""
        import pandas as pd

        raw = self.table[self.by_name[column.name]]
        if raw.dtype.kind in "mM":
            raise InvalidInput(
                f"Column '{column.name}' of '{self.source}' holds dates; give frame numbers."
            )
        try:
            numbers = pd.to_numeric(raw)
        except (ValueError, TypeError):
            numbers = pd.to_numeric(raw, errors="coerce")
            bad = np.flatnonzero(numbers.isna() & raw.notna() & (raw.astype(str).str.strip() != ""))
            if len(bad):
                raise InvalidInput(
                    f"Column '{column.name}' of '{self.source}' holds values that are not numbers "
                    f"(first '{raw.iloc[bad[0]]}', in row {bad[0]})."
                ) from None
        return np.asarray(numbers.to_numpy(dtype=np.float64, na_value=np.nan))

    def keep(self, column: Column) -> None:
        """Carry a column along although it was used: its values were changed."""
        self.kept[column.name] = self.table[self.by_name[column.name]].to_numpy()


def finite(values: Float64Array) -> Float64Array:
    """Values (n,) that are numbers, of (N,)."""
    return values[np.isfinite(values)]


def _with_unit(column: Column, units: Mapping[str, str]) -> Column:
    return replace(column, unit=column.unit or units.get(column.name, ""))


def shown_unit(unit: str) -> str:
    """A unit as it is written: µm of ``um``."""
    return "µm" if unit == "um" else unit
