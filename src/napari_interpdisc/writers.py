"""Save napari's Tracks, Points and Labels layers with their features: what is saved is the result.

Each takes what napari hands to the writer of a single layer, and returns the files it wrote.
"""

from __future__ import annotations

from typing import Any

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.layer_files import write_layer


def write_tracks(path: str, data: Any, arguments: dict[str, Any]) -> list[str]:
    """Save a Tracks layer, its features and its graph as CSV, Parquet or GEFF.

    Raises
    ------
    InvalidInput
        If the path cannot be written to, or a feature cannot be kept.
    """
    return _written(path, "tracks", data, arguments)


def write_points(path: str, data: Any, arguments: dict[str, Any]) -> list[str]:
    """Save a Points layer and its features as CSV, which napari opens too, Parquet or GEFF.

    Raises
    ------
    InvalidInput
        If the path cannot be written to, or a feature cannot be kept.
    """
    return _written(path, "points", data, arguments)


def write_labels(path: str, data: Any, arguments: dict[str, Any]) -> list[str]:
    """Save the features of a Labels layer as CSV, Parquet or GEFF, and its pixels with them.

    Raises
    ------
    InvalidInput
        If the path cannot be written to, or a feature cannot be kept.
    """
    return _written(path, "labels", data, arguments)


def _written(path: str, kind: str, data: Any, arguments: dict[str, Any]) -> list[str]:
    """Files that were written. napari hides the sentence of a fault, so it is shown here."""
    try:
        return [str(file) for file in write_layer(path, kind, data, arguments)]
    except InvalidInput as fault:
        from napari_interpdisc.widgets.notices import tell_fault

        tell_fault(fault)
        raise
