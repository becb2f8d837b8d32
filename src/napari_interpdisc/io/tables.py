"""Tables as other programs write them: text of any separator and encoding, and Parquet.

What a column means is not decided here (:mod:`napari_interpdisc.io.columns`).
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.guarded_files import check_growth, check_kind, size_text
from napari_interpdisc.io.dialects import (
    COMMON,
    DIALECTS,
    PLAIN,
    Column,
    matching_dialects,
    unit_of,
)

if TYPE_CHECKING:
    import pandas as pd

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".tab", ".dat", ".xls")
"""Of tables as text; ImageJ gives its own the suffix of Excel."""

STDIN = "-"

HEADER_WITHIN = 60
"""Lines in which the names of the columns are looked for."""

UNIT_ROWS = 4
"""Most rows between the names of columns and the first cell; TrackMate writes three."""

LARGEST_TEXT = 2 * 2**30
"""Bytes of a table of text, unpacked; a larger one is read as Parquet."""

_SEPARATORS = (",", ";", "\t", "|", " ")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.I)
_MINUS = re.compile(r"\u2212(?=[\d.,])")
_THOUSANDS = re.compile(
    r"[+-]?\d{1,3}((,\d{3})+\.\d+|(,\d{3}){2,}|(\.\d{3})+,\d+|([ '\xa0]\d{3})+.*)"
)
_DECIMAL_COMMA = re.compile(r"[+-]?(\d+),(\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Table:
    """A table as it was read.

    Attributes
    ----------
    frame
        Its rows; columns that may number tracks are text, so that no number is rounded.
    source
        Name of the file.
    units
        Units of columns that stand in a row of their own.
    told
        What had to be found out to read it, each a few words.
    """

    frame: pd.DataFrame
    source: str
    units: Mapping[str, str] = field(default_factory=dict)
    told: tuple[str, ...] = ()


def read_table(path: Path, named: Iterable[str] = (), of_cells: bool = True) -> Table:
    """Read a table of text, plain or gzipped, or ``-`` for standard input.

    Parameters
    ----------
    path
        The file.
    named
        Columns that the user named: the header is the row that has them.
    of_cells
        Whether each row holds numbers, so that those below the names that hold none are units.

    Raises
    ------
    InvalidInput
        If the file is empty, is no text, or its rows do not fit its header.
    """
    if str(path) == STDIN:
        return parse_table(sys.stdin.buffer.read(), "standard input", named, of_cells)
    try:
        about = check_kind(path, "a table", pipes=True)
        if about.st_size > LARGEST_TEXT:
            raise _too_large(str(path))
        with path.open("rb") as file:  # a pipe has no size
            raw = file.read(LARGEST_TEXT + 1)
        if len(raw) > LARGEST_TEXT:
            raise _too_large(str(path))
    except OSError as fault:
        raise InvalidInput(f"{path} cannot be read ({fault.strerror or fault}).") from None
    return parse_table(raw, path.name, named, of_cells)


def parse_table(raw: bytes, source: str, named: Iterable[str] = (), of_cells: bool = True) -> Table:
    """Read the bytes of a table of text; see :func:`read_table`."""
    text, told = _decoded(raw, source)
    text = _MINUS.sub("-", text)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not any(line.strip() for line in lines):
        raise InvalidInput(f"{source} is empty; give a table with columns t, y, x, track_id.")
    at, n_lines, separator, names = _header(lines, [*named])
    if all(_NUMBER.fullmatch(name.strip()) for name in names if name.strip()):
        raise InvalidInput(
            f"{source} has no row of column names (it starts with {', '.join(names[:4])}); add "
            "one, such as track_id,t,y,x."
        )
    if at:
        told.append(f"the names of the columns are in line {at + 1}")
    if n_lines > 1:
        told.append(f"names from {n_lines} rows")
    body = at + n_lines
    lines[body:] = ["" if line.startswith("#") else line for line in lines[body:]]
    rows = [_cells(line, separator) for line in lines[body : body + 200] if line.strip()]
    units, skipped = _units(rows, names) if of_cells else ({}, 0)
    if skipped:
        told.append(f"{skipped} more header row{'s' * (skipped > 1)}")
    names, row_names = _fitted(rows[skipped:], names, source, body + skipped + 1)
    if row_names:
        told.append("the first column, which has no name, holds names of rows")
    kept = [line for line in lines[body:] if line.strip()][skipped:]
    commas = separator != "," or '"' in text
    decimal = _decimal(_split(kept, separator) if commas else [], names, separator, source, named)
    if decimal == ",":
        told.append("decimal commas")
    frame = _parsed(kept, names, separator, decimal, source)
    return Table(_without_blanks(frame), source, units, tuple(told))


def read_parquet(path: Path) -> Table:
    """Read a Parquet file; levels of its index become columns, unless they only count the rows.

    Raises
    ------
    InvalidInput
        If it cannot be read.
    """
    import pandas as pd

    try:
        check_parquet(path)
        frame = pd.read_parquet(path)
    except InvalidInput:
        raise
    except Exception as fault:
        text = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise InvalidInput(f"{path} cannot be read as a table ({text}).") from None
    levels = [
        level
        for level, name in enumerate(frame.index.names)
        if name is not None and name not in frame.columns
    ]
    if levels:
        frame = frame.reset_index(level=levels)
    return Table(frame.reset_index(drop=True), path.name)


def check_parquet(path: Path) -> None:
    """Refuse a Parquet file that would grow out of proportion in memory.

    Raises
    ------
    InvalidInput
        If so; what pyarrow raises of a file that is no Parquet is not caught.
    """
    from pyarrow import parquet

    about = parquet.read_metadata(path)
    check_growth(path, about.num_rows * about.num_columns * 8, path.stat().st_size)


def columns_of_file(path: str | Path) -> list[str]:
    """Names of the columns of a table; none of a file that is no table."""
    source = Path(path)
    suffixes = {suffix.lower() for suffix in source.suffixes}
    try:
        if ".parquet" in suffixes:
            return [str(name) for name in read_parquet(source).frame]
        if suffixes & set(TEXT_SUFFIXES):
            return [str(name) for name in read_table(source).frame]
    except InvalidInput:
        pass
    return []


def _decoded(raw: bytes, source: str) -> tuple[str, list[str]]:
    if raw[:2] == b"\x1f\x8b":
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
                raw = file.read(LARGEST_TEXT + 1)
        except (OSError, EOFError, zlib.error):
            raise InvalidInput(f"{source} is a damaged gzip file; make it again.") from None
        if len(raw) > LARGEST_TEXT:
            raise _too_large(source)
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _decode(raw, "utf-16", source), ["UTF-16"]
    # every other byte of plain text in UTF-16 is 0
    for encoding, zeros in (("utf-16-le", raw[1:200:2]), ("utf-16-be", raw[0:200:2])):
        if len(zeros) > 1 and not any(zeros):
            return _decode(raw, encoding, source), ["UTF-16"]
    if b"\x00" in raw[:4096]:
        raise InvalidInput(
            f"{source} is no table of text; save it as CSV with the program that made it."
        )
    try:
        return raw.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode("cp1252"), ["Windows-1252, not UTF-8"]
    except UnicodeDecodeError:
        return raw.decode("latin-1"), ["Latin-1, not UTF-8"]


def _too_large(source: str) -> InvalidInput:
    return InvalidInput(
        f"{source} is a table of more than {size_text(LARGEST_TEXT)} of text; save it as Parquet, "
        "or keep the cells of one movie."
    )


def _decode(raw: bytes, encoding: str, source: str) -> str:
    try:
        return raw.decode(encoding).lstrip("\ufeff")
    except UnicodeDecodeError:
        raise InvalidInput(f"{source} is damaged: it is no whole UTF-16 text.") from None


def _cells(line: str, separator: str) -> list[str]:
    if separator == " ":
        return next(csv.reader([" ".join(line.split())], delimiter=" "), [])
    return next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])


def _split(lines: Sequence[str], separator: str) -> list[list[str]]:
    return [_cells(line, separator) for line in lines if "," in line or "." in line]


def _header(lines: Sequence[str], named: Sequence[str]) -> tuple[int, int, str, list[str]]:
    """Line of the column names, how many lines they fill, the separator, and the names.

    It is the first line with the names of a table of cells that has numbers below it.
    """
    doubtful: tuple[int, int, str, list[str]] | None = None
    for at, line in enumerate(lines[:HEADER_WITHIN]):
        for separator in _SEPARATORS:
            cells = [cell.strip() for cell in _cells(line, separator)]
            below = [_cells(row, separator) for row in lines[at + 1 : at + 10] if row.strip()]
            if len(cells) < 2 or (below and all(len(row) < 2 for row in below)):
                continue
            n_lines = 1
            if not _may_be_header(cells, named):
                cells, n_lines = _joined(cells, below), 2
                if not cells or not _may_be_header(cells, named):
                    continue
            found = (at, n_lines, separator, cells)
            if any(sum(_is_number(cell) for cell in row) > 1 for row in below):
                return found
            doubtful = doubtful or found
    if doubtful is not None:
        return doubtful
    return _unknown_header(lines)


def _joined(cells: Sequence[str], below: Sequence[Sequence[str]]) -> list[str]:
    """Names of two rows, where those of the first come several times: Spot position, and X, Y."""
    names = [cell for cell in cells if cell]
    if not below or len(below[0]) != len(cells) or len(set(names)) == len(names):
        return []
    if any(_is_number(cell) for cell in below[0]):
        return []
    pairs = zip(cells, below[0], strict=True)
    return [f"{first} {second.strip()}".strip() for first, second in pairs]


def _unknown_header(lines: Sequence[str]) -> tuple[int, int, str, list[str]]:
    """The first line that has as many cells as the numbers below it, else the first line."""
    filled = [i for i, line in enumerate(lines[:HEADER_WITHIN]) if line.strip()]
    for at, after in pairwise(filled):
        for separator in _SEPARATORS[:-1]:
            cells = [cell.strip() for cell in _cells(lines[at], separator)]
            below = _cells(lines[after], separator)
            if len(cells) > 1 and len(below) == len(cells) and any(map(_is_number, below)):
                return at, 1, separator, cells
    at = filled[0] if filled else next(i for i, line in enumerate(lines) if line.strip())
    most = max(_SEPARATORS[:-1], key=lambda separator: len(_cells(lines[at], separator)))
    cells = [cell.strip() for cell in _cells(lines[at], most)]
    if len(cells) == 1 and len(lines[at].split()) > 1:
        return at, 1, " ", lines[at].split()
    return at, 1, most, cells


def _may_be_header(cells: Sequence[str], named: Sequence[str]) -> bool:
    if named:
        here = {Column.of(cell).key for cell in cells} | set(cells)
        return all(name in here or Column.of(name).key in here for name in named)
    return bool(matching_dialects(cells))


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell.strip()) is not None


def _units(rows: Sequence[Sequence[str]], names: Sequence[str]) -> tuple[dict[str, str], int]:
    """Units by column, and how many rows below the names are no cells: they hold no number."""
    skipped = 0
    for row in rows[:UNIT_ROWS]:
        texts = [cell.strip() for cell in row if cell.strip()]
        if not texts or any(_is_number(cell) for cell in texts):
            break
        skipped += 1
    if skipped == len(rows) or not skipped:
        return {}, skipped if skipped < len(rows) else 0
    last = [cell.strip() for cell in rows[skipped - 1]]
    bracketed = any(cell[:1] in ("(", "[") for cell in last)
    found = {
        name: unit_of(cell)
        for name, cell in zip(names, last, strict=False)
        if cell and (not bracketed or cell[0] in "([")
    }
    known = {"px", "um", "nm", "mm", "cm", "s", "ms", "min", "h"}
    if not bracketed and not known & set(found.values()):
        return {}, skipped
    return {name: unit for name, unit in found.items() if unit}, skipped


def _fitted(
    rows: Sequence[Sequence[str]], names: list[str], source: str, first: int
) -> tuple[list[str], bool]:
    """Names for all cells of a row, blank ones for what is empty; whether rows have names.

    Rows that are longer than the header end in a separator, or begin with the name of the row.
    """
    n = len(names)
    longer = [row for row in rows if len(row) > n]
    if not longer:
        return names, False
    most = max(map(len, longer))
    if not any(cell.strip() for row in longer for cell in row[n:]):
        return names + [""] * (most - n), False
    firsts = [row[0].strip() for row in rows if row]
    counted = [str(i) for i in range(len(rows) + 1)]
    if (
        all(len(row) == n + 1 for row in rows)
        and len(set(firsts)) == len(firsts)
        and (firsts in (counted[:-1], counted[1:]) or not all(map(_is_number, firsts)))
    ):
        return ["", *names], True
    bad = next(i for i, row in enumerate(rows) if len(row) > n)
    raise InvalidInput(
        f"{source} has {n} column names, but {len(rows[bad])} values in line {first + bad}; "
        "repair the header, so that each column has its name."
    )


def _decimal(
    rows: Sequence[Sequence[str]],
    names: Sequence[str],
    separator: str,
    source: str,
    named: Iterable[str],
) -> str:
    """The decimal sign of positions: a point or a comma; thousands separators are refused."""
    wanted = {*named} or {
        column.name
        for dialect in (*matching_dialects(names), PLAIN)
        for role, columns in dialect.roles([Column.of(name) for name in names]).items()
        if role in ("y", "x", "t")
        for column in columns
    }
    at = [i for i, name in enumerate(names) if name in wanted]
    cells = [(names[i], row[i].strip()) for row in rows for i in at if i < len(row)]
    for name, cell in cells:
        if _THOUSANDS.fullmatch(cell):
            raise InvalidInput(
                f"Column '{name}' of {source} writes thousands with a separator ({cell}); export "
                "the table without it."
            )
    commas = [found for _, cell in cells if (found := _DECIMAL_COMMA.fullmatch(cell))]
    if not commas:
        return "."
    clear = any(len(f[2]) != 3 or len(f[1]) > 3 or f[1].startswith("0") for f in commas)
    if not clear and separator != ";":
        raise InvalidInput(
            f"In {source}, {commas[0][0]} may be a number with a decimal comma or one with "
            "thousands; export the table with decimal points."
        )
    return ","


def _parsed(
    lines: Sequence[str], names: Sequence[str], separator: str, decimal: str, source: str
) -> pd.DataFrame:
    import pandas as pd

    unique = _unique(names)
    texts = {name: str for name in unique if _may_number(Column.of(name))}
    try:
        return pd.read_csv(
            io.StringIO("\n".join(lines)),
            sep=r"\s+" if separator == " " else separator,
            names=unique,
            header=None,
            index_col=False,
            dtype=texts,
            decimal=decimal,
            skipinitialspace=True,
            low_memory=False,
        )
    except pd.errors.EmptyDataError:
        return pd.DataFrame(columns=unique)
    except Exception as fault:
        text = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise InvalidInput(f"{source} cannot be read as a table ({text}).") from None


def _may_number(column: Column) -> bool:
    """Whether a column may number tracks: it is read as text, since a float would round it."""
    return (
        any(
            column in dialect.roles([column]).get(role, [])
            for dialect in (PLAIN, *DIALECTS)
            for role in ("track_id", "parent")
        )
        or column.key in COMMON["parent"]
    )


def _unique(names: Sequence[str]) -> list[str]:
    """Names that differ, a blank one as spaces and its number."""
    found: list[str] = []
    for i, name in enumerate(names):
        text, k = name.strip() or f"{_BLANK}{i}", 1
        while text in found:
            text, k = f"{name.strip()}.{k}", k + 1
        found.append(text)
    return found


_BLANK = "unnamed column "


def _without_blanks(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out columns without a name that are empty or only count the rows."""
    import numpy as np

    def says_nothing(name: str) -> bool:
        if not str(name).startswith(_BLANK):
            return False
        column = frame[name]
        if column.isna().all():
            return True
        if not np.issubdtype(column.to_numpy().dtype, np.integer):
            return column.is_unique and column.dtype.kind not in "f"
        values = column.to_numpy()
        return bool(len(values) and (np.diff(values) == 1).all() and values[0] in (0, 1))

    return frame.drop(columns=[name for name in frame if says_nothing(str(name))])
