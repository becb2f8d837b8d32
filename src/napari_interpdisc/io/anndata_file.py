"""Results as AnnData, the table of single-cell analysis: latents as X, cells as obs."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_interpdisc.errors import MissingExtra
from napari_interpdisc.io.results import settings_text, write_whole

if TYPE_CHECKING:
    import pandas as pd


def check_anndata() -> None:
    """Raise unless AnnData can be written.

    Raises
    ------
    MissingExtra
        If the package is not installed.
    """
    if find_spec("anndata") is None:
        raise MissingExtra(
            "Writing .h5ad needs the package anndata: pip install 'napari-interpdisc[anndata]', or "
            "write .csv, .parquet or .geff."
        )


def write_anndata(table: pd.DataFrame, settings: Mapping[str, Any], path: str | Path) -> Path:
    """Write a table of results as ``.h5ad``, whole or not at all.

    ``X`` (N, L) has the latents, ``obs`` every other column, ``obsm["spatial"]`` (N, 2) x and y,
    and ``uns["interpdisc"]`` model, head, classes, rule and diameter, and all settings as JSON.

    Raises
    ------
    MissingExtra
        If the package anndata is not installed.
    InvalidInput
        If the file cannot be written.
    """
    check_anndata()
    import anndata

    latents = [n for n in table if str(n).startswith("z_") and str(n)[2:].isdecimal()]
    obs = table.drop(columns=latents)
    obs.index = [str(i) for i in range(len(obs))]
    told = ("model", "model_sha256", "head", "classes", "rule", "diameter")
    notes = {key: settings[key] for key in told if settings.get(key) not in (None, [])}
    data = anndata.AnnData(
        X=table[latents].to_numpy(np.float32),
        obs=obs,
        var={"latent": range(len(latents))},
        obsm={"spatial": table[["x", "y"]].to_numpy(np.float64)},
        uns={"interpdisc": {**notes, "settings": settings_text(settings)}},
    )
    data.var_names = [str(name) for name in latents]
    return write_whole(path, data.write_h5ad)
