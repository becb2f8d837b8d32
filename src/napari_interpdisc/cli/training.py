"""The commands that train: ``interpdisc train`` and ``interpdisc table1``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from napari_interpdisc.cli import (
    Channel,
    ChannelAxis,
    Diameter,
    LabelsPath,
    Model,
    SwapXY,
    _diameter,
    _inputs,
    _plain,
    _progress,
    app,
)
from napari_interpdisc.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from napari_interpdisc.discovery.fit import Discovery, DiscoverySettings
    from napari_interpdisc.discovery.labelled import LabelledCells
    from napari_interpdisc.models.classifier import Classifier
    from napari_interpdisc.pipeline import Progress

Engine = Annotated[
    Literal["pysr", "operon"],
    typer.Option(help="Engine of the formula search: PySR needs Julia, operon nothing more."),
]


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Model folder to write; it must not exist.")],
    image: Annotated[
        Path | None, typer.Option(help="Image or movie of the labelled cells.")
    ] = None,
    cells: Annotated[
        Path | None, typer.Option(help="Table of cells (t, y, x, track_id) with a label column.")
    ] = None,
    label_column: Annotated[
        str, typer.Option(help="Column, or array of the archive, with the classes.")
    ] = "label",
    group_column: Annotated[
        str | None,
        typer.Option(
            help="Column, or array, of groups that never part between training and test; "
            "track_id, or plate for --crops, if left out."
        ),
    ] = None,
    crops: Annotated[
        Path | None,
        typer.Option(
            help="Archive (.npz) of images, label and group, in place of image and cells."
        ),
    ] = None,
    kind: Annotated[
        Literal["all", "dense", "sparse", "formula"], typer.Option(help="Kind of head.")
    ] = "all",
    classes: Annotated[
        str,
        typer.Option(metavar="A,B", help="Classes to tell apart, in this order; all if left out."),
    ] = "",
    engine: Engine = "pysr",
    folds: Annotated[int, typer.Option(min=2, help="Folds of the cross-validation by group.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything.")] = 0,
    study: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Let Optuna choose the sparsity; its study is kept, and resumed, here.",
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the model; the folder's if left out.")] = "",
    labels: LabelsPath = None,
    diameter: Diameter = "auto",
    channel: Channel = None,
    channel_axis: ChannelAxis = None,
    swap_xy: SwapXY = False,
    model: Model = "h2b",
) -> None:
    """Train heads on labelled cells: a model folder that classify and the viewer accept."""
    if (crops is None) == (image is None) or (image is None) != (cells is None):
        raise InvalidInput("Give --image and --cells, or --crops in their place.")
    if out.exists():
        raise InvalidInput(f"{out} already exists; choose another folder, nothing was written.")
    _diameter(diameter)
    from napari_interpdisc.discovery.fit import KINDS, DiscoverySettings, discover, with_heads
    from napari_interpdisc.models.store import load_model, save_model
    from napari_interpdisc.symbolic.settings import SearchSettings
    from napari_interpdisc.training.tuning import SparsityTuning

    kinds = tuple(k for k in KINDS if kind in ("all", k))
    settings = DiscoverySettings(
        kinds=kinds,
        folds=folds,
        seed=seed,
        search=SearchSettings(engine=engine, seed=seed),
        tuning=SparsityTuning() if study is not None else None,
    )
    if "formula" in kinds:
        check_engine(engine)
    loaded = load_model(model)
    wanted = tuple(c.strip() for c in classes.split(",") if c.strip()) or None
    if crops is not None:
        group = group_column or "plate"
        labelled, source = _from_crops(
            crops, label_column, group, wanted, diameter, settings, loaded
        )
    else:
        assert image is not None
        assert cells is not None
        group = group_column or "track_id"
        given = (image, cells, labels, diameter, channel, channel_axis, swap_xy)
        labelled, source = _from_movie(given, label_column, group, wanted, settings, loaded)
    with _progress("training") as progress:
        found = discover(labelled, settings, progress, loaded.encoder_sha256, group, study)
    trained = with_heads(loaded, found, name or out.name)
    save_model(trained, out)
    console = Console()
    for line in _told(found, source, loaded):
        console.print(_plain(line), soft_wrap=True, highlight=False)
    console.print(_plain(str(out)), soft_wrap=True)


def check_engine(engine: Literal["pysr", "operon"]) -> None:
    """Refuse an engine that cannot run, before any work.

    Raises
    ------
    MissingExtra
        With the reason, and the other engine as an offer.
    """
    from napari_interpdisc.symbolic.search import engines

    reason = engines[engine].available()
    if reason is not None:
        from napari_interpdisc.errors import MissingExtra

        raise MissingExtra(reason)


def _labels(
    values: npt.NDArray[Any],
    groups: npt.NDArray[Any],
    wanted: tuple[str, ...] | None,
    folds: int,
    group_name: str,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64], npt.NDArray[np.int64], tuple[str, ...]]:
    """Rows that have a wanted label, their classes and groups; checked before anything is read."""
    import numpy as np

    from napari_interpdisc.discovery.labelled import check_labels, encode_labels

    if wanted is not None:
        _, all_names = encode_labels(values)
        for name in wanted:
            if name not in all_names:
                raise InvalidInput(
                    f"No cell has the label '{name}'; the labels are {', '.join(all_names)}."
                )
        values = np.array([v if str(v).strip() in wanted else None for v in values], dtype=object)
    target, names = encode_labels(values, wanted)
    keep = target >= 0
    group = np.unique(groups[keep].astype(str), return_inverse=True)[1].astype(np.int64)
    check_labels(target[keep], group, names, folds, group_name)
    return keep, target[keep], group, names


def _from_crops(
    path: Path,
    label: str,
    group: str,
    wanted: tuple[str, ...] | None,
    diameter: str,
    settings: DiscoverySettings,
    model: Classifier,
) -> tuple[LabelledCells, str]:
    from napari_interpdisc.discovery.labelled import LabelledCells
    from napari_interpdisc.discovery.views import patch_latents, patches_of_crops
    from napari_interpdisc.io.labelled_crops import read_labelled_crops

    px = _diameter(diameter)
    if px is None:
        raise InvalidInput(
            "Crops show too little to estimate the nuclear diameter from; give it with --diameter."
        )
    images, values, groups = read_labelled_crops(path, label, group)
    keep, target, group_index, names = _labels(values, groups, wanted, settings.folds, group)
    patches = patches_of_crops(images[keep], px, model)
    field = min(images.shape[1:]) * model.model_diameter / px
    with _progress("views") as progress:
        latents, views = patch_latents(
            patches, model, settings.views, settings.seed, field, progress
        )
    cells = LabelledCells(latents, views, target, group_index, names, model.turning_pairs)
    return cells, str(path)


def _from_movie(
    given: tuple[Path, Path, Path | None, str, int | None, int | None, bool],
    label: str,
    group: str,
    wanted: tuple[str, ...] | None,
    settings: DiscoverySettings,
    model: Classifier,
) -> tuple[LabelledCells, str]:
    import numpy as np

    from napari_interpdisc.discovery.views import label_cells

    frames, table, px = _inputs(*given)
    columns = {"track_id": table.track_id, "t": table.t, **table.extra}
    for name in (label, group):
        if name not in columns:
            raise InvalidInput(f"{given[1]} has no column '{name}'; it has {', '.join(columns)}.")
    keep, target, group_index, names = _labels(
        np.asarray(columns[label]), np.asarray(columns[group]), wanted, settings.folds, group
    )
    rows = np.flatnonzero(keep)
    with _progress("views") as progress:
        cells = label_cells(
            frames, table.take(rows), px, model, target, group_index, names,
            settings.views, settings.seed, progress,
        )  # fmt: skip
    return cells, str(given[1])


def _told(found: Discovery, source: str, model: Classifier) -> list[str]:
    """What was found on the latents of a model, line by line."""
    counts = next(iter(found.heads.values())).quality.confusion.sum(1)
    told = ", ".join(f"{n} {c}" for n, c in zip(counts, found.classes, strict=True))
    lines = [
        f"{source}: {found.cells} labelled cells ({told}) in {found.groups} groups, "
        f"{found.folds} folds"
    ]
    for kind, fitted in found.heads.items():
        low, high = fitted.quality.interval
        weights = "" if kind == "formula" else f"{fitted.head.n_weights:5d} weights  "
        lines.append(
            f"{kind:8s} {weights:15s}size {fitted.head.expression_size:5d}  held-out balanced "
            f"accuracy {fitted.quality.balanced_accuracy:.3f} [{low:.3f}, {high:.3f}]"
        )
    names = found.classes[1:] if len(found.classes) == 2 else found.classes
    for row in found.front:
        low, high = row.quality.interval
        lines.append(
            f"  {row.size:3d} nodes  {row.quality.balanced_accuracy:.3f} [{low:.3f}, {high:.3f}]  "
            + "; ".join(
                f"{name}: {formula.show(aliases=model.aliases)}"
                for name, formula in zip(names, row.head.formulas, strict=True)
            )
        )
    return lines


@app.command()
def table1(
    data: Annotated[Path, typer.Option(help="Archive (.npz) of images, label and plate.")],
    out: Annotated[Path, typer.Option(help="Folder to write; a stopped run there is resumed.")],
    seeds: Annotated[int, typer.Option(min=1, help="Models of each scheme.")] = 10,
    engine: Engine = "pysr",
    diameter: Annotated[
        float, typer.Option(help="Typical interphase nucleus in the crops, px.")
    ] = 26.8,
    group: Annotated[str, typer.Option(help="Array of groups that never part.")] = "plate",
    jobs: Annotated[int, typer.Option(min=1, help="Processes that work at the same time.")] = 2,
    model: Model = "h2b",
) -> None:
    """Reproduce the paper's Table 1: four schemes and plain baselines, tested by plate."""
    check_engine(engine)
    from napari_interpdisc.crops import check_diameter
    from napari_interpdisc.discovery.table1 import Table1Settings, run_table1
    from napari_interpdisc.io.labelled_crops import read_labelled_crops
    from napari_interpdisc.symbolic.settings import SearchSettings

    images, labels, groups = read_labelled_crops(data, group=group)
    settings = Table1Settings(seeds=seeds, search=SearchSettings(engine=engine))
    progress: Progress
    with _progress("models") as progress:
        run_table1(
            images, labels, groups, check_diameter(diameter), out, settings, model, jobs, progress
        )
    told = (out / "table1.md").read_text("utf-8")
    Console().print(_plain(told), soft_wrap=True, highlight=False)
    Console().print(_plain(str(out)), soft_wrap=True)
