"""A model is run once when it is loaded: on 16 fixed crops, all that it gives must be finite."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import torch

from napari_interpdisc._types import Float32Array
from napari_interpdisc.errors import InvalidInput, InvalidModel
from napari_interpdisc.models.cell_model import CellModel, NamedHead
from napari_interpdisc.models.formula import FormulaHead

CROPS = 16
"""Crops that are encoded: 5 ms for a network of the bundled model's size."""

DRAWS = 48
"""Latents that heads are asked of beside those of the crops, drawn as the prior has them."""

LARGEST = 1e6
"""Size of a latent from which on it is none: its square would soon be infinite."""


@cache
def smoke_crops(size: int) -> Float32Array:
    """Normalised crops (16, 1, S, S): ellipses of several sizes and directions, with some noise."""
    draw = np.random.default_rng(0)
    at = (np.arange(size) - (size - 1) / 2) / size
    y, x = at[:, None], at[None]
    crops = np.empty((CROPS, 1, size, size), np.float32)
    for k in range(CROPS):
        angle, long, short = np.pi * k / CROPS, 0.1 + 0.015 * k, 0.1 + 0.01 * (k % 4)
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        light = np.exp(-((along / long) ** 2) - (across / short) ** 2)
        light += draw.normal(0, 0.05, (size, size))
        crops[k, 0] = (light - light.mean()) / light.std()
    return crops


def check_runs(model: CellModel, where: str) -> None:
    """Refuse a model that gives no numbers; ``where`` begins the sentence: its folder.

    Raises
    ------
    InvalidModel
        If latents, decoded crops or scores of networks of the fixed crops are not finite; if the
        formula of a class has no value for any cell; or if no cell has a value of all classes.
    """
    crops = smoke_crops(model.crop_size).copy()
    try:
        means, log_variances = model.encode(crops)
        pictures = model.decode_whole(means)
    except InvalidModel:
        raise
    except (RuntimeError, MemoryError) as fault:
        told = str(fault).splitlines()[0][:200] if str(fault) else "out of memory"
        raise InvalidModel(f"{where} cannot be run ({told.rstrip('.')}).") from None
    if not (np.abs(means) <= LARGEST).all() or np.isnan(log_variances).any():
        raise InvalidModel(f"{where} gives latents beyond ±{LARGEST:g} for ordinary cells.")
    if not np.isfinite(pictures).all():
        raise InvalidModel(f"{where} decodes ordinary cells to NaN or infinite pixels.")
    drawn = np.random.default_rng(1).standard_normal((DRAWS, model.n_latents))
    latents = np.concatenate([means, drawn.astype(np.float32)])
    for named in model.heads.values():
        _check_head(model, named, latents, where)


def _check_head(model: CellModel, named: NamedHead, latents: Float32Array, where: str) -> None:
    read = named.head.properties
    spread = np.resize([-1.0, 0.0, 1.0, 2.0, -2.0], len(latents))
    measured = {
        name: np.asarray(centre + scale * spread, np.float32)
        for name, centre, scale in zip(read.names, read.centre, read.scale, strict=True)
    }
    try:
        model.score(latents, named.name, measured)
    except InvalidInput as fault:
        raise InvalidModel(f"{where} has a head '{named.name}' that cannot run: {fault}") from None
    if isinstance(named.head, FormulaHead):
        _check_formulas(named, latents, measured, where)


def _check_formulas(
    named: NamedHead, latents: Float32Array, measured: Mapping[str, Float32Array], where: str
) -> None:
    """Look at each class's formula by itself, and at all of them together.

    A formula may lack a value for some cells: those get no class. One that lacks it for all cells
    tells nothing of any, and takes the class from all. So do formulas of which each has values, but
    never all for one cell. An infinite value is one: the score is cut there.
    """
    head = named.head
    assert isinstance(head, FormulaHead)
    known = head.properties.columns(measured) if len(head.properties) else None
    with torch.inference_mode():
        values = head.values(
            torch.from_numpy(latents),
            None if known is None else torch.from_numpy(np.asarray(known, np.float32)),
        ).numpy()
    for k, of_class in enumerate(values.T):
        which = f"formula for '{named.classes[k]}'" if values.shape[1] > 1 else "formula"
        if np.isnan(of_class).all():
            raise InvalidModel(
                f"{where} has a {which} in head '{named.name}' that has no value for any cell."
            )
    if np.isnan(values).any(1).all():
        raise InvalidModel(
            f"{where} has formulas in head '{named.name}' of which no cell has a value of all."
        )
