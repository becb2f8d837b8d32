"""PySR's worker process: ``python -m napari_interpdisc.symbolic.pysr_worker FOLDER``.

Importing this module imports neither pysr nor numpy; running it imports pysr first, because torch
or numpy loaded before Julia can crash it.
"""

from __future__ import annotations

import csv
import math
import re
from io import StringIO
from pathlib import Path
from typing import Any

from napari_interpdisc.symbolic.channel import Channel, main_channel
from napari_interpdisc.symbolic.settings import SearchSettings

RUN = "search"
LOSS = (
    "balanced_logistic(prediction, target, weight) = "
    "weight * (max(-prediction * target, zero(prediction)) "
    "+ log1p(exp(-abs(prediction * target))))"
)
"""Logistic loss of a score and a class of ±1, written so that it cannot overflow."""


def pysr_keywords(settings: SearchSettings, folder: Path) -> dict[str, Any]:
    """Keywords of ``PySRRegressor``, each known to PySR 1.5 and to 2.7.

    Parameters
    ----------
    settings
        What to search, and for how long.
    folder
        Where PySR writes its files.
    """
    return {
        "binary_operators": list(settings.binary_operators),
        "unary_operators": list(settings.unary_operators),
        "niterations": settings.iterations,
        "populations": settings.populations,
        "population_size": settings.population_size,
        "maxsize": max(7, settings.max_size),  # the least that PySR takes
        "elementwise_loss": LOSS,
        # the same formulas again, from the same seed
        "deterministic": True,
        "parallelism": "serial",
        "random_state": settings.seed,
        "batching": False,
        "precision": 32,
        "model_selection": "accuracy",
        "output_directory": str(folder),
        "run_id": RUN,
        "tempdir": str(folder),
        "temp_equation_file": False,
        "delete_tempfiles": True,
        # it tells its iterations only in what it prints
        "verbosity": 1,
        "update_verbosity": 0,
        "progress": False,
        "input_stream": "devnull",
    }


def read_hall_of_fame(text: str) -> list[dict[str, object]]:
    """Candidates in PySR's CSV (columns Complexity, Loss, Equation); nothing is evaluated."""
    candidates: list[dict[str, object]] = []
    for row in csv.DictReader(StringIO(text)):
        equation = row.get("Equation")
        try:
            size, loss = int(float(row["Complexity"])), float(_plain(row["Loss"]))
        except (KeyError, TypeError, ValueError, OverflowError):
            continue  # a line that was being written
        if equation and math.isfinite(loss):
            candidates.append({"expression": _plain(equation), "size": size, "loss": loss})
    return candidates


def iterations_told(log: str) -> tuple[int, int] | None:
    """Iterations (done, of) that PySR printed last, if any."""
    found = re.findall(r"(\d+) */ *(\d+) total iterations", log)
    return (int(found[-1][0]), int(found[-1][1])) if found else None


def missing_julia(fault: BaseException) -> str:
    """The sentence for an import of pysr that failed."""
    why = re.sub(r"\s+", " ", str(fault)).strip(" .<>")[:150] or type(fault).__name__
    return (
        f"PySR needs Julia, which is neither installed nor could be downloaded ({why}); install "
        "Julia (https://julialang.org/downloads) or choose the engine 'operon'."
    )


def _plain(text: str) -> str:
    """Julia's numbers and powers as ours: 1.5f-3 is 1.5e-3, and ^ is **."""
    return re.sub(r"(?<=[\d.])f(?=[+-]?\d)", "e", text.strip()).replace("^", "**")


def _search(channel: Channel) -> None:
    try:
        import pysr
    except Exception as fault:
        channel.fault("missing", missing_julia(fault))
        return
    import numpy as np

    settings = SearchSettings.model_validate(channel.request["settings"])
    with np.load(channel.folder / "arrays.npz", allow_pickle=False) as arrays:
        z, y, weight = (arrays[name] for name in ("z", "y", "weight"))
    model = pysr.PySRRegressor(**pysr_keywords(settings, channel.folder))
    names = list(channel.request["names"])
    file = channel.folder / RUN / "hall_of_fame.csv"
    try:
        # a soft target is a class, and how much it counts
        model.fit(z, np.where(y < 0, -1.0, 1.0), weights=weight * np.abs(y), variable_names=names)
    except Exception as fault:
        if not file.exists():
            channel.fault("failed", f"{type(fault).__name__}: {fault}")
            return
    channel.result(read_hall_of_fame(file.read_text("utf-8")))


if __name__ == "__main__":
    _search(main_channel())
