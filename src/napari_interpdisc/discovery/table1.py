"""The paper's Table 1 on the user's data: four schemes and the usual baselines, by group.

One unit of work is a task, a seed and a fold; each is stored when it is done, so that a run that
was stopped goes on where it was. Heads are fitted by the recipe, as everywhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field

from napari_interpdisc._types import Float32Array, Float64Array, Progress, silent
from napari_interpdisc.batch.units import missing_units, run_units
from napari_interpdisc.discovery import baselines
from napari_interpdisc.discovery.augmented import pairs_within, patch_latents
from napari_interpdisc.discovery.labelled import LabelledCells
from napari_interpdisc.discovery.recipe import Recipe, Steps, fit_heads, predicted_by
from napari_interpdisc.discovery.table1_summary import aggregate, latent_use, markdown
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel, class_index
from napari_interpdisc.models.formula import FormulaHead
from napari_interpdisc.models.heads import Head
from napari_interpdisc.models.store import load_model
from napari_interpdisc.patches import Patches, middle, patches_of_crops, scaled_to_unit
from napari_interpdisc.training.cnn import CNNTraining, train_cnn
from napari_interpdisc.training.folds import grouped_folds
from napari_interpdisc.training.heads import train_dense_head
from napari_interpdisc.training.tuning import SparsityTuning

if TYPE_CHECKING:
    import pandas as pd

Sides = tuple[Sequence[str], Sequence[str]]
"""Labels of the negative and of the positive class."""

TASKS: dict[str, Sides] = {
    "Interphase vs Metaphase": (("Interphase",), ("Metaphase",)),
    "Interphase vs Metaphase+MetaphaseAlignment": (
        ("Interphase",),
        ("Metaphase", "MetaphaseAlignment"),
    ),
}
"""Classes on either side of each table."""

WIDER = 8
"""Factor on the units of the wide dense head, a control."""


class Table1Settings(BaseModel):
    """Settings of all trainings behind the table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seeds: int = Field(10, title="Models of each scheme; each seed draws its own folds", ge=1)
    cnn: CNNTraining = CNNTraining()
    recipe: Recipe = Recipe(tuning=SparsityTuning(), curve=False)


@dataclass(frozen=True)
class Table1:
    """What a run found.

    Attributes
    ----------
    table
        One row per task and scheme; see :func:`aggregate`.
    text
        The table, and which latents most heads use, as Markdown.
    """

    table: pd.DataFrame
    text: str


@dataclass(frozen=True)
class Table1Inputs:
    """What every unit of one task reads: N cells of two classes.

    Attributes
    ----------
    pixels, field
        Patches (N, P, P) in 0–1, and the side of their field, px.
    latents, augmented
        (N, L) and (V, N, L), of the plain crops and of augmented ones.
    hog, shape
        (N, F) features of the baselines.
    target, group
        (N,) class 0 or 1, and group.
    pairs
        (P, 2) latents that rotate together.
    """

    pixels: Float32Array
    field: float
    latents: Float32Array
    augmented: Float32Array
    hog: Float64Array
    shape: Float64Array
    target: npt.NDArray[np.int64]
    group: npt.NDArray[np.int64]
    pairs: npt.NDArray[np.int64]

    def save(self, path: Path) -> None:
        """Write everything as an ``.npz`` archive."""
        np.savez(path, **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Table1Inputs:
        """Read what :meth:`save` has written."""
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive}
        return cls(**{**arrays, "field": float(arrays["field"])})

    @property
    def cells(self) -> LabelledCells:
        """The cells as heads see them."""
        pairs = tuple((int(a), int(b)) for a, b in self.pairs)
        return LabelledCells(
            self.latents, self.augmented, self.target, self.group, ("0", "1"), pairs
        )


def run_table1(
    images: npt.NDArray[np.generic],
    labels: npt.NDArray[Any],
    groups: npt.NDArray[Any],
    diameter: float,
    out: Path,
    settings: Table1Settings | None = None,
    model: str | Path = "h2b",
    jobs: int = 2,
    progress: Progress = silent,
    tasks: Mapping[str, Sides] = TASKS,
) -> Table1:
    """Train and test every scheme on every task, seed and fold.

    Parameters
    ----------
    images
        (N, H, W) crops with centred cells.
    labels, groups
        (N,) class, and group (plate) that is never split between training and test.
    diameter
        Typical nuclear diameter in the images, px.
    out
        Folder for results; a run that was stopped there is resumed.
    settings, model
        Of all trainings, and whose encoder is used.
    jobs
        Processes that work at the same time.
    progress
        Called with (units done, units in all).
    tasks
        Names of tasks, and the labels of the negative and the positive class.

    Returns
    -------
    The table. Also written: ``table1.csv``, ``table1.md`` and ``settings.json``.

    Raises
    ------
    InvalidInput
        If a class is missing or too small, or ``out`` holds a run with other settings.
    """
    options = settings or Table1Settings()
    for task, sides in tasks.items():
        _check_task(task, labels, groups, sides, options.recipe.folds)
    _check_engine(options)
    loaded = load_model(model, device="cpu")
    note = {
        "settings": options.model_dump(mode="json"),
        "encoder_sha256": loaded.encoder_sha256,
        "diameter": diameter,
        "images_sha256": hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest(),
        "tasks": {task: [list(side) for side in sides] for task, sides in tasks.items()},
    }
    _check_same_run(out, note)
    (out / "units").mkdir(parents=True, exist_ok=True)
    (out / "settings.json").write_text(json.dumps(note, indent=1, ensure_ascii=False), "utf-8")
    units = _units(out, list(tasks), options)
    missing = missing_units(units)
    progress(len(units) - len(missing), len(units))
    if missing:
        inputs = [out / f"inputs{place}.npz" for place in range(len(tasks))]
        for path, sides in zip(inputs, tasks.values(), strict=True):
            _inputs_of(images, labels, groups, diameter, sides, loaded, options).save(path)
        work = run_units(run_stored_unit, missing, jobs)
        for done, _ in enumerate(work, start=len(units) - len(missing) + 1):
            progress(done, len(units))
        for path in inputs:
            path.unlink()
    results = [
        {**json.loads(file.read_text("utf-8")), "task": task}
        for file, (_, task, *_) in units.items()
    ]
    found = Table1(
        aggregate(results), f"{markdown(aggregate(results))}\n{latent_use(results, loaded)}"
    )
    found.table.to_csv(out / "table1.csv", index=False)
    (out / "table1.md").write_text(found.text, "utf-8")
    return found


def _units(
    out: Path, tasks: Sequence[str], options: Table1Settings
) -> dict[Path, tuple[Path, str, int, int, Table1Settings, Path]]:
    """Arguments of :func:`run_stored_unit` by the file of its result."""
    units = {}
    for seed in range(options.seeds):
        for place, task in enumerate(tasks):
            for fold in range(options.recipe.folds):
                file = out / "units" / f"task{place}-seed{seed}-fold{fold}.json"
                studies = out / "studies" / f"inputs{place}" / f"seed{seed}-fold{fold}.db"
                units[file] = (out / f"inputs{place}.npz", task, seed, fold, options, studies)
    return units


def _inputs_of(
    images: npt.NDArray[np.generic],
    labels: npt.NDArray[Any],
    groups: npt.NDArray[Any],
    diameter: float,
    sides: Sides,
    model: CellModel,
    options: Table1Settings,
) -> Table1Inputs:
    negative, positive = sides
    keep = np.isin(labels, (*negative, *positive))
    patches = patches_of_crops(images[keep], diameter, model.model_diameter, model.crop_size)
    patches = Patches(scaled_to_unit(patches.pixels), patches.field)
    latents = patch_latents(patches, model, options.recipe.model_copy(update={"seed": 0}))
    crops = middle(patches.pixels, model.crop_size)
    own = pairs_within(model, latents.plain.shape[1])
    return Table1Inputs(
        pixels=patches.pixels,
        field=patches.field,
        latents=latents.plain,
        augmented=latents.augmented,
        hog=baselines.hog(crops),
        shape=baselines.shape_features(crops),
        target=np.isin(labels[keep], positive).astype(np.int64),
        group=np.unique(groups[keep], return_inverse=True)[1].astype(np.int64),
        pairs=np.array(own, np.int64).reshape(-1, 2),
    )


def run_stored_unit(
    inputs: Path, task: str, seed: int, fold: int, options: Table1Settings, studies: Path
) -> dict[str, Any]:
    """Call :func:`run_unit` with stored inputs, in a worker process."""
    studies.parent.mkdir(parents=True, exist_ok=True)
    return {"task": task, **run_unit(Table1Inputs.load(inputs), seed, fold, options, studies)}


def run_unit(
    inputs: Table1Inputs,
    seed: int,
    fold: int,
    options: Table1Settings,
    studies: Path | None = None,
) -> dict[str, Any]:
    """Train every scheme without one fold, and predict that fold.

    Returns
    -------
    ``target`` (n,), and for each scheme ``predicted`` (n,), ``weights``, ``size``,
    ``size_without_biases``; for the formula its text and latents, for the sparse head its density.
    """
    recipe = options.recipe.model_copy(update={"seed": seed})
    train, test = grouped_folds(inputs.target, inputs.group, recipe.folds, seed)[fold]
    cells, y, z = inputs.cells.take(train), inputs.target[train], inputs.latents[test]
    rows = {"cnn": _cnn_row(inputs, train, test, options.cnn.model_copy(update={"seed": seed}))}
    fitted = fit_heads(cells, recipe, Steps(silent, len(recipe.kinds)), studies)
    for kind, head in fitted.heads.items():
        rows[kind] = _head_row(head, predicted_by(head, z))
    rows["sparse"] |= {
        "density": fitted.density,
        "latents": list(fitted.heads["sparse"].used_latents),
    }
    formula = fitted.heads["formula"]
    assert isinstance(formula, FormulaHead)
    rows["formula"] |= {
        "text": formula.formulas[0].text,
        "latents": list(formula.used_latents),
        "engine": fitted.engine,
        "searched": fitted.searched,
    }
    wider = tuple(WIDER * units for units in recipe.dense.hidden)
    large = train_dense_head(
        cells.augmented, y, 2, recipe.dense.model_copy(update={"seed": seed, "hidden": wider})
    )
    rows["large"] = _head_row(large, predicted_by(large, z))
    for name, features, make in (
        ("probe", inputs.latents.astype(np.float64), baselines.logistic),
        ("forest", inputs.shape, baselines.forest),
        ("shape", inputs.shape, baselines.logistic),
        ("hog", inputs.hog, baselines.pca_logistic),
    ):
        predicted = make(seed).fit(features[train], y).predict(features[test])
        rows[name] = {"predicted": np.asarray(predicted).tolist()}
    return {"seed": seed, "fold": fold, "target": inputs.target[test].tolist(), "schemes": rows}


def _head_row(head: Head, predicted: npt.NDArray[np.int64]) -> dict[str, Any]:
    return {
        "predicted": predicted.tolist(),
        "weights": head.n_weights,
        "size": head.expression_size,
        "size_without_biases": head.size_without_biases,
    }


def _cnn_row(
    inputs: Table1Inputs,
    train: npt.NDArray[np.intp],
    test: npt.NDArray[np.intp],
    settings: CNNTraining,
) -> dict[str, Any]:
    cnn = train_cnn(inputs.pixels[train], inputs.target[train], 2, inputs.field, settings)
    crops = Patches(inputs.pixels[test], inputs.field).crops(cnn.config.crop_size)
    with torch.inference_mode():
        predicted = class_index(cnn(torch.from_numpy(crops)).numpy())
    return _head_row(cnn.head, predicted)


def _check_task(
    task: str, labels: npt.NDArray[Any], groups: npt.NDArray[Any], sides: Sides, folds: int
) -> None:
    for side in sides:
        rows = np.isin(labels, side)
        known = ", ".join(map(str, np.unique(labels)[:20]))
        if rows.sum() < 10 * folds or len(np.unique(groups[rows])) < folds:
            raise InvalidInput(
                f"'{task}' needs {10 * folds} crops labelled {' or '.join(side)} in {folds} groups;"
                f" there are {int(rows.sum())}. The labels are: {known}."
            )


def _check_engine(options: Table1Settings) -> None:
    from napari_interpdisc.symbolic.search import engines

    reason = engines[options.recipe.search.engine].available()
    if reason is not None:
        raise InvalidInput(reason)


def _check_same_run(out: Path, note: Mapping[str, Any]) -> None:
    path = out / "settings.json"
    if not path.exists():
        if out.exists() and any(out.iterdir()):
            raise InvalidInput(f"{out} is not empty; give an empty folder, or one to resume.")
        return
    try:
        before = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        before = None

    def comparable(what: Any) -> Any:
        # more seeds may be added to a run
        copy = json.loads(json.dumps(what))
        copy["settings"].pop("seeds", None)
        return copy

    if not isinstance(before, dict) or "settings" not in before:
        raise InvalidInput(f"{path} is not of a table1 run; give another folder.")
    if comparable(before) != comparable(note):
        raise InvalidInput(
            f"{out} holds a run with other data, model or settings; give another folder, or the "
            "same settings to resume."
        )
