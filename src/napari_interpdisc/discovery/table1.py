"""The paper's Table 1 on the user's data: four schemes and the usual baselines, by group.

One unit of work is a task, a seed and a fold; each is stored when it is done, so that a run that
was stopped goes on where it was. Heads are fitted by the recipe, as everywhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from sklearn.metrics import balanced_accuracy_score

from napari_interpdisc._types import Float32Array, Float64Array, Progress, silent
from napari_interpdisc.batch.units import missing_units, run_units
from napari_interpdisc.discovery import baselines, glass_boxes
from napari_interpdisc.discovery.augmented import pairs_within, patch_latents
from napari_interpdisc.discovery.glass_boxes import GlassBox
from napari_interpdisc.discovery.labelled import LabelledCells
from napari_interpdisc.discovery.recipe import (
    Recipe,
    Steps,
    fit_heads,
    predicted_by,
    read_as_radii,
)
from napari_interpdisc.discovery.table1_summary import (
    SCHEMES,
    aggregate,
    latent_use,
    markdown,
)
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.guarded_files import one_sentence
from napari_interpdisc.io.results import write_table
from napari_interpdisc.models.cell_model import CellModel, class_index
from napari_interpdisc.models.cnn import CNN
from napari_interpdisc.models.formula import FormulaHead
from napari_interpdisc.models.heads import Head, head_inputs
from napari_interpdisc.models.store import load_model
from napari_interpdisc.patches import Patches, middle, patches_of_crops, scaled_to_unit
from napari_interpdisc.training.cnn import CNNTraining, train_cnn
from napari_interpdisc.training.folds import grouped_folds
from napari_interpdisc.training.heads import train_dense_head
from napari_interpdisc.training.tuning import SparsityTuning
from napari_interpdisc.writing import (
    check_filled_folder,
    or_elsewhere,
    sweep_partials,
    write_whole,
)

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

Predict = Callable[["Table1Inputs"], npt.NDArray[np.int64]]
"""From the cells of one laboratory to the class of each."""


class Table1Settings(BaseModel):
    """Settings of all trainings behind the table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seeds: int = Field(10, title="Models of each scheme; each seed draws its own folds", ge=1)
    cnn: CNNTraining = CNNTraining()
    recipe: Recipe = Recipe(tuning=SparsityTuning(), curve=False)


@dataclass(frozen=True)
class Abroad:
    """Labelled crops of one laboratory.

    Attributes
    ----------
    images
        (N, H, W) crops with centred cells.
    labels, groups
        (N,) label, and group.
    diameter
        Typical nuclear diameter in the images, px.
    """

    images: npt.NDArray[np.generic]
    labels: npt.NDArray[Any]
    groups: npt.NDArray[Any]
    diameter: float

    def note(self) -> dict[str, Any]:
        """What is recorded of it."""
        digest = hashlib.sha256(np.ascontiguousarray(self.images).tobytes()).hexdigest()
        return {"cells": len(self.images), "images_sha256": digest, "diameter": self.diameter}


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
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        write_whole(path, lambda partial: np.savez(partial, **arrays))

    @classmethod
    def load(cls, path: Path) -> Table1Inputs:
        """Read what :meth:`save` has written."""
        with (
            one_sentence(path, "the inputs of Table 1", "start the command again"),
            np.load(path, allow_pickle=False) as archive,
        ):
            arrays = {name: archive[name] for name in archive}
        return cls(**{**arrays, "field": float(arrays["field"])})

    @property
    def cells(self) -> LabelledCells:
        """The cells as heads see them."""
        pairs = tuple((int(a), int(b)) for a, b in self.pairs)
        return LabelledCells(
            self.latents, self.augmented, self.target, self.group, ("0", "1"), pairs
        )

    @property
    def radii(self) -> tuple[tuple[int, int], ...]:
        """Pairs whose radii the heads read in place of their members."""
        return read_as_radii(self.cells)

    def read(self, latents: Float32Array) -> Float64Array:
        """What heads read of latents (N, L): (N, D), the radii of pairs last."""
        width = latents.shape[1] - len(self.radii)
        read = head_inputs(torch.from_numpy(latents), width, self.radii)
        return np.asarray(read.numpy(), np.float64)

    def take(self, rows: npt.NDArray[np.intp]) -> Table1Inputs:
        """The cells at some rows."""
        whole = ("field", "pairs", "augmented")
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        some = {name: value[rows] for name, value in arrays.items() if name not in whole}
        some["augmented"] = self.augmented[:, rows]
        return Table1Inputs(**{**arrays, **some})


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
    abroad: Mapping[str, Abroad] | None = None,
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
    abroad
        Labelled crops of other laboratories, by name: every scheme is tested on them too, and never
        trained on them.

    Returns
    -------
    The table. Also written: ``table1.csv`` with ``table1.json``, ``table1.md`` and
    ``settings.json``.

    Raises
    ------
    InvalidInput
        If a class is missing or too small, ``out`` holds a run with other settings, or heads are to
        read measured properties.
    """
    options = settings or Table1Settings()
    if options.recipe.properties or not options.recipe.latents:
        raise InvalidInput(
            "Table 1 compares heads that read latents alone; leave 'properties' and 'latents' out "
            "of the recipe."
        )
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
        "abroad": {place: own.note() for place, own in (abroad or {}).items()},
    }
    _check_same_run(out, note)
    check_filled_folder(out)
    (out / "units").mkdir(parents=True, exist_ok=True)
    text = json.dumps(note, indent=1, ensure_ascii=False)
    write_whole(out / "settings.json", lambda partial: partial.write_text(text, "utf-8"))
    for folder in (out, out / "units"):
        sweep_partials(folder)
    places = list(abroad or {})
    units = _units(out, list(tasks), options, places)
    missing = missing_units(units)
    progress(len(units) - len(missing), len(units))
    if missing:
        inputs = [out / f"inputs{place}.npz" for place in range(len(tasks))]
        for path, sides in zip(inputs, tasks.values(), strict=True):
            home = Abroad(images, labels, groups, diameter)
            _inputs_of(home, sides, loaded, options).save(path)
            for place, own in (abroad or {}).items():
                file = _of_place(path, place)
                _inputs_of(own, sides, loaded, options, plain=True).save(file)
        work = run_units(run_stored_unit, missing, jobs)
        for done, _ in enumerate(work, start=len(units) - len(missing) + 1):
            progress(done, len(units))
        for path in inputs:
            path.unlink()
            for place in places:
                _of_place(path, place).unlink()
    results = [
        {**json.loads(file.read_text("utf-8")), "task": task}
        for file, (_, task, *_) in units.items()
    ]
    told = f"{markdown(aggregate(results))}\n{latent_use(results, loaded)}"
    absent = glass_boxes.left_out()
    if absent:
        names = ", ".join(SCHEMES[name][1] for name in absent)
        told += f"\nLeft out for want of a package ({', '.join(absent.values())}): {names}.\n"
    found = Table1(aggregate(results), told)
    _write(found, out, note)
    return found


def _write(found: Table1, out: Path, note: Mapping[str, Any]) -> None:
    """Write the text, then the table; its settings name the hashes of both."""
    text = found.text.encode("utf-8")
    or_elsewhere(
        out / "table1.md",
        lambda place: write_whole(place, lambda partial: partial.write_bytes(text)),
    )
    about = {**note, "text": "table1.md", "text_sha256": hashlib.sha256(text).hexdigest()}
    or_elsewhere(out / "table1.csv", lambda place: write_table(found.table, about, place))


def _of_place(inputs: Path, place: str) -> Path:
    """File of the inputs of another laboratory."""
    digest = hashlib.sha256(place.encode()).hexdigest()[:8]
    return inputs.with_name(f"{inputs.stem}-{digest}.npz")


def _units(
    out: Path, tasks: Sequence[str], options: Table1Settings, places: Sequence[str]
) -> dict[Path, tuple[Path, str, int, int, Table1Settings, Path, dict[str, Path]]]:
    """Arguments of :func:`run_stored_unit` by the file of its result."""
    units = {}
    for seed in range(options.seeds):
        for place, task in enumerate(tasks):
            for fold in range(options.recipe.folds):
                file = out / "units" / f"task{place}-seed{seed}-fold{fold}.json"
                studies = out / "studies" / f"inputs{place}" / f"seed{seed}-fold{fold}.db"
                path = out / f"inputs{place}.npz"
                away = {name: _of_place(path, name) for name in places}
                units[file] = (path, task, seed, fold, options, studies, away)
    return units


def _inputs_of(
    cells: Abroad, sides: Sides, model: CellModel, options: Table1Settings, plain: bool = False
) -> Table1Inputs:
    """What every unit reads of some cells; ``plain`` makes no augmented crops."""
    negative, positive = sides
    keep = np.isin(cells.labels, (*negative, *positive))
    patches = patches_of_crops(
        cells.images[keep], cells.diameter, model.model_diameter, model.crop_size
    )
    patches = Patches(scaled_to_unit(patches.pixels), patches.field)
    recipe = options.recipe.model_copy(update={"seed": 0} | ({"augmented": 0} if plain else {}))
    latents = patch_latents(patches, model, recipe)
    crops = middle(patches.pixels, model.crop_size)
    own = pairs_within(model, latents.plain.shape[1])
    return Table1Inputs(
        pixels=patches.pixels,
        field=patches.field,
        latents=latents.plain,
        augmented=latents.augmented,
        hog=baselines.hog(crops),
        shape=baselines.shape_features(crops),
        target=np.isin(cells.labels[keep], positive).astype(np.int64),
        group=np.unique(cells.groups[keep], return_inverse=True)[1].astype(np.int64),
        pairs=np.array(own, np.int64).reshape(-1, 2),
    )


def run_stored_unit(
    inputs: Path, task: str, seed: int, fold: int, options: Table1Settings, studies: Path,
    places: Mapping[str, Path],
) -> dict[str, Any]:  # fmt: skip
    """Call :func:`run_unit` with stored inputs, in a worker process."""
    studies.parent.mkdir(parents=True, exist_ok=True)
    abroad = {place: Table1Inputs.load(path) for place, path in places.items()}
    own = Table1Inputs.load(inputs)
    return {"task": task, **run_unit(own, seed, fold, options, studies, abroad)}


def run_unit(
    inputs: Table1Inputs,
    seed: int,
    fold: int,
    options: Table1Settings,
    studies: Path | None = None,
    abroad: Mapping[str, Table1Inputs] | None = None,
) -> dict[str, Any]:
    """Train every scheme without one fold, and predict that fold, and cells of other laboratories.

    Returns
    -------
    ``target`` (n,), and for each scheme ``predicted`` (n,), ``weights``, ``size``,
    ``size_without_biases`` and, with ``abroad``, the balanced accuracy on each; for the formula its
    text and latents, for the sparse head its density.
    """
    recipe = options.recipe.model_copy(update={"seed": seed})
    train, test = grouped_folds(inputs.target, inputs.group, recipe.folds, seed)[fold]
    cells, y = inputs.cells.take(train), inputs.target[train]
    held_out = inputs.take(test)
    away = dict(abroad or {})

    def row(predict: Predict, **about: Any) -> dict[str, Any]:
        """What a scheme calls the held-out cells, and how well it does abroad."""
        found = {"predicted": predict(held_out).tolist(), **about}
        if away:
            found["abroad"] = {
                place: float(balanced_accuracy_score(own.target, predict(own)))
                for place, own in away.items()
            }
        return found

    cnn = train_cnn(
        inputs.pixels[train], y, 2, inputs.field, options.cnn.model_copy(update={"seed": seed})
    )
    rows = {"cnn": row(partial(_called_by_cnn, cnn), **_sizes(cnn.head))}
    fitted = fit_heads(cells, recipe, Steps(silent, len(recipe.kinds)), studies)
    for kind, head in fitted.heads.items():
        rows[kind] = row(partial(_called_by_head, head), **_sizes(head))
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
    rows["large"] = row(partial(_called_by_head, large), **_sizes(large))
    # glass boxes are given what the formula search is given
    given = np.concatenate([cells.latents, *cells.augmented[: recipe.search_augmented]])
    times = len(given) // len(y)
    for name, fit in glass_boxes.available().items():
        box = fit(
            inputs.read(given), np.tile(y, times), np.tile(cells.group, times), seed,
            len(inputs.radii),
        )  # fmt: skip
        rows[name] = row(partial(_called_by_box, box), size=box.size, inputs=list(box.inputs))
    for name, features, make in (
        ("probe", "latents", baselines.logistic),
        ("forest", "shape", baselines.forest),
        ("shape", "shape", baselines.logistic),
        ("hog", "hog", baselines.pca_logistic),
    ):
        model = make(seed).fit(getattr(inputs, features)[train].astype(np.float64), y)
        rows[name] = row(partial(_called_by_baseline, model, features))
    return {"seed": seed, "fold": fold, "target": held_out.target.tolist(), "schemes": rows}


def _sizes(head: Head) -> dict[str, Any]:
    return {
        "weights": head.n_weights,
        "size": head.expression_size,
        "size_without_biases": head.size_without_biases,
    }


def _called_by_head(head: Head, inputs: Table1Inputs) -> npt.NDArray[np.int64]:
    return predicted_by(head, inputs.cells)


def _called_by_box(box: GlassBox, inputs: Table1Inputs) -> npt.NDArray[np.int64]:
    return box.predict(inputs.read(inputs.latents))


def _called_by_baseline(model: Any, features: str, inputs: Table1Inputs) -> npt.NDArray[np.int64]:
    return np.asarray(model.predict(getattr(inputs, features).astype(np.float64)), np.int64)


def _called_by_cnn(cnn: CNN, inputs: Table1Inputs) -> npt.NDArray[np.int64]:
    crops = Patches(inputs.pixels, inputs.field).crops(cnn.config.crop_size)
    with torch.inference_mode():
        return class_index(cnn(torch.from_numpy(crops)).numpy())


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
    except (OSError, ValueError, RecursionError):
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
