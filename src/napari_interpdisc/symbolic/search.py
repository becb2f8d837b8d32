"""Search engines behind one interface: latents and a target in, candidate expressions out."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol, get_args

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Cancel, Progress
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.symbolic import operon_worker, pysr_worker
from napari_interpdisc.symbolic.settings import EngineName, SearchSettings, Unary
from napari_interpdisc.symbolic.worker import LOG, module_command, run_worker


@dataclass(frozen=True)
class Candidate:
    """What an engine found.

    Attributes
    ----------
    expression
        Text, not yet parsed.
    size
        Size as the engine counts it.
    loss
        Loss as the engine measures it, on the cells that it looked at.
    """

    expression: str
    size: int
    loss: float


class Engine(Protocol):
    """A program that searches formulas."""

    @property
    def name(self) -> str:
        """Its name in settings and results."""

    @property
    def version(self) -> str | None:
        """Its version, read without importing it; None if it is not installed."""

    def available(self) -> str | None:
        """Why it cannot run here, or None. A cheap look: the true test is the run."""

    def search(
        self,
        z: npt.NDArray[np.float64],
        y: npt.NDArray[np.float64],
        names: Sequence[str],
        settings: SearchSettings,
        progress: Progress | None = None,
        cancelled: Cancel | None = None,
    ) -> list[Candidate]:
        """Candidates for the sign of ``y`` (N,), from latents ``z`` (N, L) called ``names``.

        ``y`` is ±1, or between for a class that is less certain. Both classes count the same,
        however many cells they have.

        Raises
        ------
        InvalidInput
            If the arrays do not fit each other, are not finite, or show one class alone.
        EngineMissing, SearchFailed, Cancelled
            If the engine is not there, fails, or is stopped.
        """


@dataclass(frozen=True)
class WorkerEngine:
    """An engine that runs in a worker process of its own.

    Attributes
    ----------
    name, title
        Its name in settings and results, and in sentences.
    package
        The distribution that brings it.
    module
        Module of the worker process.
    functions
        Functions that it searches with.
    needs
        Says why it cannot run although the package is there, or None.
    watch
        Reads how far it is from the worker's folder, for workers that cannot tell themselves.
    """

    name: str
    title: str
    package: str
    module: str
    functions: Sequence[str]
    needs: Callable[[], str | None] = lambda: None
    watch: Callable[[Path], tuple[int, int] | None] | None = None

    @property
    def version(self) -> str | None:
        """Version of the package; None if it is not installed."""
        try:
            return version(self.package)
        except PackageNotFoundError:
            return None

    def available(self) -> str | None:
        """Why it cannot run here, or None."""
        if importlib.util.find_spec(self.package) is None:
            return f"{self.title} is not installed; install it with 'pip install {self.package}'."
        return self.needs()

    def search(
        self,
        z: npt.NDArray[np.float64],
        y: npt.NDArray[np.float64],
        names: Sequence[str],
        settings: SearchSettings,
        progress: Progress | None = None,
        cancelled: Cancel | None = None,
    ) -> list[Candidate]:
        """Search in a worker process; see :class:`Engine`."""
        foreign = sorted(set(settings.unary_operators) - set(self.functions))
        if foreign:
            raise InvalidInput(
                f"{self.title} does not search with {', '.join(foreign)}; its functions are "
                f"{', '.join(self.functions)}."
            )
        found = run_worker(
            module_command(self.module),
            {"settings": settings.model_dump(mode="json"), "names": list(names)},
            _arrays(z, y, names, settings),
            name=self.title,
            progress=progress,
            cancelled=cancelled,
            watch=self.watch,
        )
        return [Candidate(**candidate) for candidate in found]


def _julia_is_missing() -> str | None:
    """Look where juliapkg would find Julia; without it, a run would still try to download it."""
    if julia_is_present():
        return None
    return (
        "PySR needs Julia, which was not found; install Julia "
        "(https://julialang.org/downloads) or choose the engine 'operon'."
    )


def _pysr_progress(folder: Path) -> tuple[int, int] | None:
    """PySR before 2 holds the interpreter while it searches, so its worker cannot tell."""
    with (folder / LOG).open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 10_000))
        return pysr_worker.iterations_told(file.read().decode("utf-8", "replace"))


def julia_is_present() -> bool:
    """Whether Julia is on the path, named by an environment variable, or fetched by juliapkg."""
    executables = (
        os.environ.get("PYTHON_JULIAPKG_EXE"),
        os.environ.get("PYTHON_JULIACALL_EXE"),
        "julia",
        "juliaup",
    )
    if any(shutil.which(executable) for executable in executables if executable):
        return True
    depot = os.environ.get("JULIA_DEPOT_PATH", "").split(os.pathsep)[0] or "~/.julia"
    prefix = sys.prefix if sys.prefix != sys.base_prefix else os.environ.get("CONDA_PREFIX")
    project = os.environ.get("PYTHON_JULIAPKG_PROJECT")
    if not project and prefix:
        project = str(Path(prefix) / "julia_env")
    folder = Path(project or Path(depot).expanduser() / "environments" / "pyjuliapkg")
    return shutil.which(str(folder / "pyjuliapkg" / "install" / "bin" / "julia")) is not None


def balanced_sample(
    y: npt.NDArray[np.float64], cells: int, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Rows (M,) to search on, at most ``cells``, and weights (M,) that make the classes equal.

    Parameters
    ----------
    y
        (N,); the sign is the class.
    cells
        Most rows. A class with few cells keeps all, the other fills up.
    seed
        Decides which rows are drawn.

    Raises
    ------
    InvalidInput
        If a class has no cells.
    """
    positive = y >= 0
    members = [np.flatnonzero(~positive), np.flatnonzero(positive)]
    fewer = min(len(rows) for rows in members)
    if fewer == 0:
        raise InvalidInput("Both classes need cells; a formula separates two classes.")
    draw = np.random.default_rng(seed)
    few = min(fewer, cells // 2)
    drawn = [draw.permutation(own)[: few if len(own) == fewer else cells - few] for own in members]
    rows = np.sort(np.concatenate(drawn))
    counts = {bool(k): len(part) for k, part in enumerate(drawn)}
    weight = np.where(positive[rows], 0.5 / counts[True], 0.5 / counts[False]) * len(rows)
    return rows, weight


def _arrays(
    z: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    names: Sequence[str],
    settings: SearchSettings,
) -> Mapping[str, npt.NDArray[np.float64]]:
    if z.ndim != 2 or y.shape != z.shape[:1] or len(names) != z.shape[1] or not names:
        raise InvalidInput(
            f"Latents {z.shape}, a target {y.shape} and {len(names)} names do not fit each other."
        )
    if not (np.isfinite(z).all() and np.isfinite(y).all()):
        raise InvalidInput("Latents or target hold NaN or infinite values; encode the cells again.")
    rows, weight = balanced_sample(y, settings.cells, settings.seed)
    return {"z": z[rows].astype(np.float64), "y": y[rows].astype(np.float64), "weight": weight}


engines: dict[EngineName, Engine] = {
    "pysr": WorkerEngine(
        "pysr", "PySR", "pysr", pysr_worker.__name__, get_args(Unary), _julia_is_missing,
        _pysr_progress,
    ),
    "operon": WorkerEngine(
        "operon", "Operon", "pyoperon", operon_worker.__name__, tuple(operon_worker.UNARY)
    ),
}  # fmt: skip
"""SymbolicRegression.jl behind PySR, which needs Julia, and Operon in C++; PySR is preferred."""
