"""What can be an axis, or a colour, of the plot: the numbers of the session's cells. No Qt here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_interpdisc._types import Float64Array
from napari_interpdisc.models.properties import AREA_UM2, title_of, unit_of
from napari_interpdisc.scrutiny.boundary import Input
from napari_interpdisc.scrutiny.embedding import Embedding
from napari_interpdisc.widgets.session import Session

Kind = Literal["latent", "radius", "property", "score", "confidence", "frame", "pc", "umap"]

PC, UMAP = "pc", "umap"


@dataclass(frozen=True)
class Column:
    """One number of every cell.

    Attributes
    ----------
    kind
        What it is.
    key
        The latent, the two of a pair, the class of a score, or the number of a component.
    label
        What to call it.
    name
        Name of a measured property.
    """

    kind: Kind
    key: tuple[int, ...]
    label: str
    name: str = ""

    @property
    def input(self) -> Input | None:
        """What a head reads of it, or None."""
        if self.kind == "latent":
            return Input("latent", self.key)
        if self.kind == "radius":
            return Input("radius", self.key)
        if self.kind == "property":
            return Input("property", (), self.name)
        return None


def columns_of(session: Session, embeddings: Mapping[str, Embedding]) -> list[Column]:
    """All columns of the present cells: what the head reads first; none without cells."""
    encoding, result = session.encoding, session.classification
    if encoding is None or result is None:
        return []
    model, head = session.model, session.model.head(session.head_name).head
    used = set(head.used_latents)
    pairs = model.rotating_pairs
    radii = [Column("radius", (a, b), f"r({model.pair_label(a, b)})") for a, b in pairs]
    latents = [Column("latent", (i,), model.latent_label(i)) for i in range(model.n_latents)]
    by_use = [one for one in latents if one.key[0] in used and not _in_pair(one, pairs)]
    by_use += [one for one in radii if used & set(one.key)]
    found = [Column("property", (), _property_label(name), name) for name in _measured(session)]
    read = [one for one in found if one.name in head.used_properties]
    first = [*by_use, *read]
    rest = [one for one in [*latents, *radii, *found] if one not in first]
    two = result.scores.shape[1] == 1
    scores = [
        Column("score", (k,), "score" if two else f"score of {result.classes[k]}")
        for k in range(result.scores.shape[1])
    ]
    others = [*scores, Column("confidence", (), "confidence"), Column("frame", (), "frame")]
    kinds: tuple[tuple[Literal["pc", "umap"], str], ...] = (("pc", "PC"), ("umap", "UMAP"))
    spread = [
        Column(kind, (k,), f"{name} {k + 1}")
        for kind, name in kinds
        if kind in embeddings
        for k in range(embeddings[kind].values.shape[1])
    ]
    return [*first, *others, *spread, *rest]


def values_of(
    session: Session, column: Column, embeddings: Mapping[str, Embedding]
) -> Float64Array:
    """Values (N,) of a column; NaN where a cell has none."""
    encoding, result = session.encoding, session.classification
    assert encoding is not None
    assert result is not None
    if (one := column.input) is not None:
        return one.of(encoding.latents, encoding.properties)
    if column.kind == "score":
        return np.asarray(result.scores[:, column.key[0]], np.float64)
    if column.kind == "confidence":
        return np.asarray(result.confidence, np.float64)
    if column.kind == "frame":
        return np.asarray(encoding.cells.t, np.float64)
    return np.asarray(embeddings[column.kind].values[:, column.key[0]])


def held_values(session: Session) -> tuple[Float64Array, dict[str, float], str]:
    """Latents (L,) and properties at which all but the two axes are held, and whose they are.

    Those of the selected cell, else the medians of all cells.
    """
    encoding = session.encoding
    assert encoding is not None
    own, row = session.own, session.selected
    if own is not None and row is not None:
        held = {name: float(values[row]) for name, values in encoding.properties.items()}
        if all(np.isfinite(held[name]) for name in _needed(session)):
            return np.asarray(own, np.float64), held, "in the selected cell"
    usable = encoding.usable
    middle = np.median(encoding.latents[usable], 0).astype(np.float64)
    found = {
        name: float(np.nanmedian(values)) if np.isfinite(values).any() else 0.0
        for name, values in encoding.properties.items()
    }
    return middle, found, "in the median cell"


def _needed(session: Session) -> tuple[str, ...]:
    return tuple(session.model.head(session.head_name).head.used_properties)


def _measured(session: Session) -> list[str]:
    assert session.encoding is not None
    return [name for name in session.encoding.properties if name != AREA_UM2]


def _property_label(name: str) -> str:
    return f"{title_of(name)} ({unit_of(name)})"


def _in_pair(column: Column, pairs: tuple[tuple[int, int], ...]) -> bool:
    return any(column.key[0] in pair for pair in pairs)
