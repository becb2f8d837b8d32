"""The paper's Table 1 on the user's data: four schemes and the boring baselines, by group.

One unit of work is a task, a seed and a fold; each is stored when it is done, so that a run that
was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field

from napari_interpdisc.crops import normalise
from napari_interpdisc.discovery import baselines
from napari_interpdisc.discovery.fit import most_used
from napari_interpdisc.discovery.views import patch_latents, patches_of_crops
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.classifier import Classifier, class_index
from napari_interpdisc.models.formula import FormulaHead
from napari_interpdisc.models.store import load_model
from napari_interpdisc.symbolic.front import choose, formula_front
from napari_interpdisc.symbolic.settings import SearchSettings
from napari_interpdisc.training.cnn import CNNTraining, train_cnn
from napari_interpdisc.training.heads import HeadTraining, train_dense_head
from napari_interpdisc.training.rigl import SparseTraining, train_sparse_heads
from napari_interpdisc.training.tuning import SparsityTuning, tune_density

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int], None]

TASKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Interphase vs Metaphase": (("Interphase",), ("Metaphase",)),
    "Interphase vs Metaphase+MetaphaseAlignment": (
        ("Interphase",),
        ("Metaphase", "MetaphaseAlignment"),
    ),
}
"""Classes on either side of each table."""

SCHEMES: dict[str, tuple[str, str]] = {
    "cnn": ("CNN", "dense, BatchNorm"),
    "dense": ("β-TCVAE", "dense"),
    "sparse": ("β-TCVAE", "sparse (RigL)"),
    "formula": ("β-TCVAE", "formula"),
    "large": ("β-TCVAE", "dense, 8 × wider"),
    "probe": ("β-TCVAE", "logistic (linear probe)"),
    "forest": ("regionprops", "random forest"),
    "shape": ("regionprops", "logistic"),
    "hog": ("HOG + PCA", "logistic"),
}
"""Encoder and head of each row of the table: the paper's four schemes, two controls, baselines."""


class Table1Settings(BaseModel):
    """Settings of all trainings behind the table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seeds: int = Field(10, title="Models of each scheme; each seed draws its own folds", ge=1)
    folds: int = Field(5, title="Folds by group", ge=2)
    views: int = Field(24, title="Augmented views of each crop", ge=1)
    search_views: int = Field(6, title="Of these, given to the symbolic search", ge=1)
    max_size: int = Field(17, title="Largest formula (nodes): 0.2 % of the dense head's", ge=3)
    max_latents: int = Field(6, title="Most latents that a formula may use", ge=1)
    tolerance: float = Field(
        0.005, title="Training balanced accuracy given up for a smaller formula", ge=0
    )
    cnn: CNNTraining = CNNTraining()
    dense: HeadTraining = HeadTraining()
    sparse: SparseTraining = SparseTraining()
    tuning: SparsityTuning = SparsityTuning()
    search: SearchSettings = SearchSettings()


@dataclass(frozen=True)
class _Inputs:
    """What every unit of one task reads."""

    patches: npt.NDArray[np.float32]
    field: float
    latents: npt.NDArray[np.float32]
    views: npt.NDArray[np.float32]
    hog: npt.NDArray[np.float64]
    shape: npt.NDArray[np.float64]
    target: npt.NDArray[np.int64]
    group: npt.NDArray[np.int64]
    pairs: npt.NDArray[np.int64]

    def save(self, path: Path) -> None:
        np.savez(path, **vars(self))

    @classmethod
    def load(cls, path: Path) -> _Inputs:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive}
        return cls(**{**arrays, "field": float(arrays["field"])})


def run_table1(
    images: npt.NDArray[np.generic],
    labels: npt.NDArray[Any],
    groups: npt.NDArray[Any],
    diameter: float,
    out: Path,
    settings: Table1Settings | None = None,
    model: str | Path = "h2b",
    jobs: int = 2,
    progress: Progress = lambda done, n: None,
    tasks: Mapping[str, tuple[Sequence[str], Sequence[str]]] = TASKS,
) -> pd.DataFrame:
    """Train and test every scheme on every task, seed and fold, and write the table.

    Parameters
    ----------
    images
        (N, H, W) crops with centred cells.
    labels, groups
        (N,) class, and group (plate) that never parts between training and test.
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
    One row per task and scheme; see :func:`aggregate`. Also written: ``table1.csv``,
    ``table1.md``, ``table1.png`` and ``settings.json``.

    Raises
    ------
    InvalidInput
        If a class is missing or too small, or ``out`` holds a run with other settings.
    """
    options = settings or Table1Settings()
    for task, (negative, positive) in tasks.items():
        _check_task(task, labels, groups, negative, positive, options.folds)
    _check_engine(options)
    classifier = load_model(model, device="cpu")
    note = {
        "settings": options.model_dump(mode="json"),
        "encoder_sha256": classifier.encoder_sha256,
        "diameter": diameter,
        "images_sha256": hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest(),
        "tasks": {task: [list(side) for side in sides] for task, sides in tasks.items()},
    }
    _check_same_run(out, note)
    units_folder = out / "units"
    units_folder.mkdir(parents=True, exist_ok=True)
    (out / "settings.json").write_text(json.dumps(note, indent=1, ensure_ascii=False), "utf-8")
    units = [
        (place, task, seed, fold)
        for seed in range(options.seeds)
        for place, task in enumerate(tasks)
        for fold in range(options.folds)
    ]
    files = {
        unit: units_folder / f"task{unit[0]}-seed{unit[2]}-fold{unit[3]}.json" for unit in units
    }
    missing = [unit for unit in units if not files[unit].exists()]
    progress(len(units) - len(missing), len(units))
    if missing:
        for place, (negative, positive) in enumerate(tasks.values()):
            path = out / f"inputs{place}.npz"
            keep = np.isin(labels, (*negative, *positive))
            target = np.isin(labels[keep], positive).astype(np.int64)
            group = np.unique(groups[keep], return_inverse=True)[1].astype(np.int64)
            patches = patches_of_crops(images[keep], diameter, classifier)
            low = patches.min((1, 2), keepdims=True)
            span = np.maximum(patches.max((1, 2), keepdims=True) - low, 1e-6)
            patches = (patches - low) / span
            zoom = classifier.model_diameter / diameter
            # the outermost 3 px show the frame's mean, as crops over the edge of a frame do
            field = min(images.shape[1:]) * zoom + 6
            latents, views = patch_latents(patches, classifier, options.views, 0, field)
            margin = (patches.shape[1] - classifier.crop_size) // 2
            inner = slice(margin, margin + classifier.crop_size)
            crops = patches[:, inner, inner]
            _Inputs(
                patches, field, latents, views,
                baselines.hog(crops), baselines.shape_features(crops), target, group,
                np.array(classifier.turning_pairs, np.int64).reshape(-1, 2),
            ).save(path)  # fmt: skip
        work = [(out / f"inputs{u[0]}.npz", files[u], u[2], u[3], options, out) for u in missing]
        for done, _ in enumerate(_run_all(work, jobs), start=len(units) - len(missing) + 1):
            progress(done, len(units))
        for place in range(len(tasks)):
            (out / f"inputs{place}.npz").unlink()
    results = [json.loads(files[unit].read_text("utf-8")) | {"task": unit[1]} for unit in units]
    table = aggregate(results)
    write_report(table, results, out, _label_of(classifier))
    return table


def run_unit(
    inputs: _Inputs, seed: int, fold: int, options: Table1Settings, studies: Path | None = None
) -> dict[str, Any]:
    """Train every scheme without one fold, and predict that fold.

    Returns
    -------
    ``target`` (n,), and for each scheme ``predicted`` (n,), ``weights``, ``size``,
    ``size_without_biases``; for the formula its text and latents, for the sparse head its density.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(options.folds, shuffle=True, random_state=seed)
    train, test = list(splitter.split(inputs.target, inputs.target, inputs.group))[fold]
    y, views, z = inputs.target[train], inputs.views[:, train], inputs.latents
    rows: dict[str, dict[str, Any]] = {}

    def note(name: str, head: Any, predicted: npt.NDArray[np.int64], **more: Any) -> None:
        rows[name] = {"predicted": predicted.tolist(), **more}
        if head is not None:
            rows[name] |= {
                "weights": head.n_weights,
                "size": head.expression_size,
                "size_without_biases": head.size_without_biases,
            }

    def predict(head: Any) -> npt.NDArray[np.int64]:
        with torch.inference_mode():
            return class_index(head(torch.from_numpy(z[test])).numpy())

    cnn = train_cnn(
        inputs.patches[train], y, 2, inputs.field, options.cnn.model_copy(update={"seed": seed})
    )
    size = cnn.config.crop_size
    inner = slice((inputs.patches.shape[1] - size) // 2, (inputs.patches.shape[1] + size) // 2)
    with torch.inference_mode():
        crops = torch.from_numpy(normalise(inputs.patches[test][:, inner, inner]))[:, None]
        note("cnn", cnn.head, class_index(cnn(crops).numpy()))
    dense_training = options.dense.model_copy(update={"seed": seed})
    dense = train_dense_head(views, y, 2, dense_training)
    note("dense", dense, predict(dense))
    wide = dense_training.model_copy(
        update={"hidden": tuple(8 * units for units in options.dense.hidden)}
    )
    large = train_dense_head(views, y, 2, wide)
    note("large", large, predict(large))

    density = tune_density(
        views, z[train], y, inputs.group[train], 2,
        options.tuning.model_copy(update={"seed": seed}), options.sparse,
        None if studies is None else studies / f"seed{seed}-fold{fold}.db",
    )  # fmt: skip
    sparse = train_sparse_heads(
        views, y, 2, options.sparse.model_copy(update={"seed": seed, "density": density})
    )
    note("sparse", sparse[0], predict(sparse[0]), density=density, latents=sparse[0].used_latents)

    use = most_used([head.used_latents for head in sparse], options.max_latents)
    given = np.concatenate([z[None, train], views[: options.search_views - 1]])
    front = formula_front(
        given.reshape(-1, z.shape[1]),
        np.tile(y, len(given)),
        use,
        options.search.model_copy(update={"seed": seed}),
        pairs=[(int(a), int(b)) for a, b in inputs.pairs],
    )
    small = tuple(row for row in front.rows if row.size <= options.max_size) or front.rows[:1]
    formula = FormulaHead([choose(replace(front, rows=small), options.tolerance).formula])
    note(
        "formula", formula, predict(formula), text=formula.formulas[0].text,
        latents=formula.used_latents, engine=f"{front.engine} {front.engine_version}",
        searched=use,
    )  # fmt: skip

    for name, features, make in (
        ("probe", z.astype(np.float64), baselines.logistic),
        ("forest", inputs.shape, baselines.forest),
        ("shape", inputs.shape, baselines.logistic),
        ("hog", inputs.hog, baselines.pca_logistic),
    ):
        fitted = make(seed).fit(features[train], y)
        note(name, None, np.asarray(fitted.predict(features[test])))
    return {"seed": seed, "fold": fold, "target": inputs.target[test].tolist(), "schemes": rows}


def aggregate(results: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Table of units: predictions of a seed's folds are pooled, then mean and sd over seeds.

    Returns
    -------
    Columns task, scheme, encoder, head, weights, size, size_without_biases, accuracy,
    balanced_accuracy, each measure with ``_sd`` (NaN for one seed), of_dense (ratio of the
    accuracy to the dense head's), and seeds.
    """
    import pandas as pd
    from sklearn.metrics import balanced_accuracy_score

    per_seed = []
    for task, seed in dict.fromkeys((r["task"], r["seed"]) for r in results):
        folds = [r for r in results if (r["task"], r["seed"]) == (task, seed)]
        target = np.concatenate([r["target"] for r in folds])
        for name in folds[0]["schemes"]:
            parts = [r["schemes"][name] for r in folds]
            predicted = np.concatenate([p["predicted"] for p in parts])
            row = {
                "task": task,
                "scheme": name,
                "accuracy": float((predicted == target).mean()),
                "balanced_accuracy": float(balanced_accuracy_score(target, predicted)),
            }
            for measure in ("weights", "size", "size_without_biases"):
                known = [p[measure] for p in parts if measure in p]
                row[measure] = float(np.mean(known)) if known else float("nan")
            per_seed.append(row)
    measures = ["weights", "size", "size_without_biases", "accuracy", "balanced_accuracy"]
    grouped = pd.DataFrame(per_seed).groupby(["task", "scheme"], sort=False)[measures]
    table = grouped.mean().join(grouped.std().add_suffix("_sd")).reset_index()
    table.insert(2, "encoder", [SCHEMES[name][0] for name in table["scheme"]])
    table.insert(3, "head", [SCHEMES[name][1] for name in table["scheme"]])
    dense = table[table["scheme"] == "dense"].set_index("task")
    for measure in ("accuracy", "balanced_accuracy", "weights", "size"):
        table[f"{measure}_of_dense"] = table[measure] / table["task"].map(dense[measure])
    table["seeds"] = grouped.size().to_numpy()
    order = {name: place for place, name in enumerate(SCHEMES)}
    tasks = {task: place for place, task in enumerate(dict.fromkeys(table["task"]))}
    place = [(tasks[t], order[s]) for t, s in zip(table["task"], table["scheme"], strict=True)]
    return table.iloc[sorted(range(len(table)), key=place.__getitem__)].reset_index(drop=True)


def markdown(table: pd.DataFrame) -> str:
    """Return the table as Markdown, one for each task, in the columns of the paper."""

    def told(row: Any, measure: str, digits: int) -> str:
        value, spread = row[measure], row[f"{measure}_sd"]
        if np.isnan(value):
            return "–"
        if np.isnan(spread) or (spread == 0 and digits == 0):
            return f"{value:.{digits}f}"
        return f"{value:.{digits}f} ± {spread:.{digits}f}"

    lines = []
    for task in dict.fromkeys(table["task"]):
        rows = table[table["task"] == task]
        lines += [
            f"**{task}** ({int(rows['seeds'].iloc[0])} seeds)",
            "",
            "| encoder | head | weights | size | size without biases | accuracy | "
            "balanced accuracy |",
            "|---|---|---|---|---|---|---|",
        ]
        for _, row in rows.iterrows():
            weights = "–" if row["scheme"] == "formula" else told(row, "weights", 0)
            cells = [row["encoder"], row["head"], weights]
            cells += [told(row, m, 0) for m in ("size", "size_without_biases")]
            cells += [told(row, m, 3) for m in ("accuracy", "balanced_accuracy")]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _label_of(model: Classifier) -> Callable[[int], str]:
    """What to call a latent before a number: ``z22 (size)``."""

    def label(latent: int) -> str:
        name = model.latent_name(latent)
        return f"z{latent} ({name})" if name else f"z{latent}"

    return label


def latent_use(
    results: Sequence[Mapping[str, Any]], label: Callable[[int], str] = "z{}".format
) -> str:
    """Tell, in Markdown, how many of the sparse heads and formulas use each latent.

    ``label`` says what a latent is called.
    """
    lines = []
    for task in dict.fromkeys(r["task"] for r in results):
        units = [r["schemes"] for r in results if r["task"] == task]
        for name in ("sparse", "formula"):
            counts = Counter(latent for unit in units for latent in unit[name]["latents"])
            told = ", ".join(f"{label(latent)} {n}" for latent, n in counts.most_common(8))
            lines.append(f"- {task}, {name}, of {len(units)}: {told}")
    return "\n".join(["Latents that most heads use:", "", *lines, ""])


def write_report(
    table: pd.DataFrame,
    results: Sequence[Mapping[str, Any]],
    out: Path,
    label: Callable[[int], str] = "z{}".format,
) -> None:
    """Write ``table1.csv``, ``table1.md`` and the figure ``table1.png``: accuracy against size."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    table.to_csv(out / "table1.csv", index=False)
    (out / "table1.md").write_text(f"{markdown(table)}\n{latent_use(results, label)}", "utf-8")
    tasks = list(dict.fromkeys(table["task"]))
    figure = Figure(figsize=(5.2 * len(tasks), 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    markers = dict(zip(SCHEMES, "sDo^vPX*h", strict=True))
    every = figure.subplots(1, len(tasks), squeeze=False)[0]
    for axes, task in zip(every, tasks, strict=True):
        own = table[table["task"] == task]
        # lines lie close together: their names take turns to the right and to the left
        lines = own[own["size"].isna()].sort_values("balanced_accuracy")["scheme"].tolist()
        for _, row in own.iterrows():
            name = f"{row['encoder']} + {row['head']}"
            if np.isnan(row["size"]):
                axes.axhline(row["balanced_accuracy"], color="0.6", lw=0.8, ls="--", zorder=0)
                left = lines.index(row["scheme"]) % 2
                axes.annotate(
                    name, (1 - left, row["balanced_accuracy"]),
                    xycoords=("axes fraction", "data"), textcoords="offset points",
                    xytext=(6 * left - 3, 2), ha="left" if left else "right",
                    fontsize=7, color="0.4",
                )  # fmt: skip
                continue
            axes.errorbar(
                row["size"], row["balanced_accuracy"], row["balanced_accuracy_sd"],
                fmt=markers[row["scheme"]], capsize=3, label=name,
            )  # fmt: skip
        axes.set_xscale("log")
        axes.margins(x=0.25, y=0.15)
        axes.set_xlabel("expression size (nodes)")
        axes.set_ylabel("balanced accuracy, held-out groups")
        axes.set_title(task, fontsize=10)
    handles, names = every[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(3, len(names)), fontsize=9)
    figure.savefig(out / "table1.png", dpi=130)


def _check_task(
    task: str,
    labels: npt.NDArray[Any],
    groups: npt.NDArray[Any],
    negative: Sequence[str],
    positive: Sequence[str],
    folds: int,
) -> None:
    for side in (negative, positive):
        rows = np.isin(labels, side)
        known = ", ".join(map(str, np.unique(labels)[:20]))
        if rows.sum() < 10 * folds or len(np.unique(groups[rows])) < folds:
            raise InvalidInput(
                f"'{task}' needs {10 * folds} crops labelled {' or '.join(side)} in {folds} groups;"
                f" there are {int(rows.sum())}. The labels are: {known}."
            )


def _check_engine(options: Table1Settings) -> None:
    from napari_interpdisc.symbolic.search import engines

    reason = engines[options.search.engine].available()
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


def _run_all(work: Sequence[tuple[Any, ...]], jobs: int) -> Iterator[None]:
    """Do all units, a few at a time; at most a few are waiting, so that stopping is quick."""
    if jobs <= 1:
        for unit in work:
            _do(*unit)
            yield
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_one_thread) as pool:
        waiting: set[Future[None]] = set()
        rest = iter(work)
        try:
            for unit in rest:
                waiting.add(pool.submit(_do, *unit))
                if len(waiting) < jobs + 1:
                    continue
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                    yield
            for future in waiting:
                future.result()
                yield
        except BaseException:
            for process in list(pool._processes.values()):
                process.terminate()
            raise


def _one_thread() -> None:
    torch.set_num_threads(1)


def _do(inputs: Path, file: Path, seed: int, fold: int, options: Table1Settings, out: Path) -> None:
    result = run_unit(_Inputs.load(inputs), seed, fold, options, _studies(out, inputs))
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(result, default=_plain), "utf-8")
    partial.replace(file)


def _studies(out: Path, inputs: Path) -> Path:
    folder = out / "studies" / inputs.stem
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _plain(value: Any) -> Any:
    if isinstance(value, np.integer):
        return int(value)
    raise TypeError(str(type(value)))
