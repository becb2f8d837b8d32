"""Track ids from whatever numbers tracks in a file: text, decimals, very large numbers, nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import BoolArray

if TYPE_CHECKING:
    import pandas as pd

_WHOLE = re.compile(r"\s*([+-]?\d+)(\.0*)?\s*")
_EXPONENT = re.compile(r"\s*[+-]?(\d+)(?:\.(\d*))?[eE]\+?(\d{1,3})\s*")
_LARGEST = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Numbered:
    """Tracks of N cells.

    Attributes
    ----------
    ids
        (N,) track of each cell.
    missing
        (N,) whether the file gave it none; its id is then its own.
    text
        Whether the file's ids are no whole numbers, so that tracks were numbered from 1.
    known
        Track by the id that the file gives it, as text without decimals.
    """

    ids: npt.NDArray[np.int64]
    missing: BoolArray
    text: bool
    known: Mapping[str, int]

    def parents(
        self, parent: pd.Series[Any], names: pd.Series[Any] | None = None
    ) -> npt.NDArray[np.int64]:
        """Track that each cell's track descends from, (N,); 0 for none, −1 where 0 is a track.

        ``names`` are the ids (N,) to which ``parent`` refers if these are not the tracks'.
        """
        known = self.known
        if names is not None:
            known = {id_text(name): int(i) for name, i in zip(names, self.ids, strict=True)}
        keys = [id_text(value) for value in parent]
        ids = set(self.ids.tolist())
        own = any(
            known.get(key, 0) == track != 0 for key, track in zip(keys, self.ids, strict=True)
        )
        if 0 in ids and not own and not any(key == "" or key.startswith("-") for key in keys):
            # nothing else says "no parent", and no track is its own: so 0 does
            known = {key: track for key, track in known.items() if key != "0"}
        none = -1 if 0 in ids else 0
        parents = {key: self._parent(key, known, ids, none) for key in set(keys)}
        found = np.array([parents[key] for key in keys], dtype=np.int64)
        found[(found == self.ids) | self.missing] = none
        return _of_whole_tracks(self.ids, found, none)

    def _parent(self, key: str, known: Mapping[str, int], ids: set[int], none: int) -> int:
        if key in known:
            return known[key]
        # a parent that is not among the cells is still told, if its number cannot be another's
        whole = _WHOLE.fullmatch(key)
        if whole is None or self.text or known is not self.known:
            return none
        number = int(whole[1])
        return number if 0 < number <= _LARGEST and number not in ids else none


def number_tracks(raw: pd.Series[Any], none: BoolArray | None = None) -> Numbered:
    """Track ids (N,) as whole numbers, exact if they are such in the file.

    Parameters
    ----------
    raw
        (N,) ids as they were read.
    none
        (N,) whether an id stands for no track.
    """
    missing = raw.isna().to_numpy(bool)
    if none is not None:
        missing = missing | none
    keys = [id_text(value) for value in raw]
    missing = missing | np.array([not key for key in keys], bool)
    names = list(dict.fromkeys(k for k, gone in zip(keys, missing, strict=True) if not gone))
    numbers = [_WHOLE.fullmatch(name) for name in names]
    text = not all(found is not None and abs(int(found[1])) <= _LARGEST for found in numbers)
    known = {
        name: i + 1 if text or found is None else int(found[1])
        for i, (name, found) in enumerate(zip(names, numbers, strict=True))
    }
    ids = np.array([known.get(k, 0) for k in keys], dtype=np.int64)
    ids[missing] = _unused(list(known.values()), int(missing.sum()))
    return Numbered(ids, missing, text and bool(names), known)


def _unused(known: list[int], n: int) -> list[int]:
    """So many ids that no track has."""
    top = max([0, *known])
    if top <= _LARGEST - n:
        return list(range(top + 1, top + 1 + n))
    taken, at = set(known), 1
    found: list[int] = []
    while len(found) < n:
        if at not in taken:
            found.append(at)
        at += 1
    return found


def _of_whole_tracks(
    ids: npt.NDArray[np.int64], parent: npt.NDArray[np.int64], none: int
) -> npt.NDArray[np.int64]:
    """Give all cells of a track its parent, where only its first cell tells."""
    first: dict[int, int] = {}
    pairs = list(zip(ids.tolist(), parent.tolist(), strict=True))
    for track, one in pairs:
        if one != none:
            first.setdefault(track, one)
    told = [one if one != none else first.get(track, none) for track, one in pairs]
    return np.array(told, dtype=np.int64)


def id_text(value: Any) -> str:
    """An id as text: ``7`` of 7, 7.0 and "7.0"; empty for none."""
    if isinstance(value, float | np.floating):
        if not np.isfinite(value):
            return ""
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    text = str(value).strip()
    whole = _WHOLE.fullmatch(text)
    if text.casefold() in ("nan", "none", "null", "na", "<na>", "inf", "-inf", "infinity"):
        return ""
    if _EXPONENT.fullmatch(text) and (number := Decimal(text)) == int(number):
        return str(int(number))
    return str(int(whole[1])) if whole is not None else text


def are_rounded(raw: pd.Series[Any]) -> bool:
    """Whether ids lost digits before they came here, as spreadsheets do: ``1.00001E+15``."""
    if raw.dtype.kind == "f":
        return bool((raw.abs() > 2**53).any())
    found = (_EXPONENT.fullmatch(str(value)) for value in raw)
    return any(part is not None and len(part[2] or "") < int(part[3]) for part in found)


def parents_of(
    ids: npt.NDArray[np.int64], parent: npt.NDArray[np.int64]
) -> dict[int, tuple[int, ...]]:
    """Graph of tracks: each track that descends from others, and those; napari's Tracks take it.

    Parents that are no track of ``ids`` are left out.
    """
    pairs = np.unique(np.column_stack([ids, parent]), axis=0)
    tracks = {int(i) for i in np.unique(ids)}
    graph: dict[int, tuple[int, ...]] = {}
    for child, one in pairs.tolist():
        if one in tracks and one != child:
            graph[child] = (*graph.get(child, ()), one)
    return graph
