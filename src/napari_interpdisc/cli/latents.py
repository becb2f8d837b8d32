"""``interpdisc latents``: what each latent stands for, as stored and as found on given cells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_interpdisc.cli.common import (
    Channel,
    ChannelAxis,
    Diameter,
    Model,
    MovieFiles,
    crop_diameter,
    diameter_of,
    names_of,
    progress_bar,
    say,
)
from napari_interpdisc.cli.console import console, plain
from napari_interpdisc.cli.reading import PLAIN, Reading, reads_images
from napari_interpdisc.cli.table_options import AS_IT_TELLS, TableOptions, reads_tables
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.writing import check_new_folder, or_elsewhere, place_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    from rich.console import Console

    from napari_interpdisc.models.cell_model import CellModel, LatentMeaning
    from napari_interpdisc.scrutiny.naming import LatentStudy

MOST_CELLS = 5000
"""Cells that are measured at most, drawn at random."""

FEW_GROUPS = 10
"""Below so many groups an interval is told to be rough."""

TABLE_WIDTH = 160
"""Characters of a table that is written to no terminal."""


@dataclass(frozen=True)
class _Chosen:
    """Classes that are wanted, all if there are none, and the column that has them."""

    classes: tuple[str, ...]
    column: str


@dataclass(frozen=True)
class _Given:
    """Cells to measure: normalised crops, wider patches of some, segmentations, groups."""

    crops: npt.NDArray[np.float32]
    patches: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32] | None
    groups: npt.NDArray[Any]
    found: int
    note: dict[str, Any]


@reads_images
@reads_tables
def latents(
    image: Annotated[
        Path | None, typer.Option(help="Image or movie of cells on which to measure.")
    ] = None,
    cells: Annotated[
        Path | None, typer.Option(help="Table of its cells (t, y, x, track_id).")
    ] = None,
    crops: Annotated[
        Path | None,
        typer.Option(help="Archive (.npz) of images and group, in place of image and cells."),
    ] = None,
    group_column: Annotated[
        str | None,
        typer.Option(
            help="Column, or array, of groups that are drawn together for the intervals; track_id, "
            "or plate for --crops, if left out."
        ),
    ] = None,
    classes: Annotated[
        str,
        typer.Option(metavar="A,B", help="Only cells with these labels; all if left out."),
    ] = "",
    label_column: Annotated[
        str, typer.Option(help="Column, or array, with the labels that --classes means.")
    ] = "label",
    threshold: Annotated[
        float,
        typer.Option(min=0, max=1, help="Least |ρ| for a name: the lower end of its interval."),
    ] = 0.5,
    csv: Annotated[
        Path | None,
        typer.Option(help="Table to write: every latent with every property, or what is stored."),
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Heat map to write, .png: |ρ| of latents and properties.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for a copy of the model with these meanings; must not exist."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything.")] = 0,
    labels: Annotated[
        Path | None,
        typer.Option(help="Segmentation of the image: nuclei and diameter are measured in it."),
    ] = None,
    diameter: Diameter = "auto",
    channel: Channel = None,
    channel_axis: ChannelAxis = None,
    model: Model = "h2b",
    reading: Reading = PLAIN,
    table_options: TableOptions = AS_IT_TELLS,
) -> None:
    """Tell what each latent stands for: as the model says, or as measured on your cells."""
    _check_call(image, cells, crops, labels, figure, out)
    from napari_interpdisc.io.results import check_table_path, check_writable

    inputs = (image, cells, crops, labels)
    if csv is not None:
        check_table_path(csv, inputs)
    if figure is not None:
        if figure.suffix.lower() != ".png":
            raise InvalidInput(f"{figure} is no picture: end the file name in .png.")
        check_writable(figure, inputs)
    if out is not None:
        check_new_folder(out, inputs)
    diameter_of(diameter)
    choices = table_options.asked(group_column, label_column)
    from napari_interpdisc.models.store import load_model

    loaded = load_model(model)
    if image is None and crops is None:
        _tell_stored(loaded, csv)
        return
    chosen = _Chosen(names_of(classes), label_column)
    if crops is not None:
        given = _from_crops(crops, group_column or "plate", chosen, diameter, loaded, seed)
    else:
        assert image is not None
        assert cells is not None
        files = MovieFiles(
            image,
            cells,
            labels,
            diameter,
            channel,
            channel_axis,
            reading,
            table_options.swap_xy,
            choices,
        )
        given = _from_movie(files, group_column or "track_id", chosen, loaded, seed)
    study = _studied(given, loaded, threshold, seed)
    _tell(loaded, study, given, threshold)
    note = {**given.note, "model": loaded.name, "encoder_sha256": loaded.encoder_sha256}
    _write(loaded, study, {**note, "threshold": threshold, "seed": seed}, csv, figure, out)


def _check_call(
    image: Path | None,
    cells: Path | None,
    crops: Path | None,
    labels: Path | None,
    figure: Path | None,
    out: Path | None,
) -> None:
    if (image is None) != (cells is None) or (crops is not None and image is not None):
        raise InvalidInput("Give --image and --cells, or --crops in their place.")
    if labels is not None and image is None:
        raise InvalidInput("--labels is the segmentation of an image; give --image and --cells.")
    if image is None and crops is None and (figure is not None or out is not None):
        raise InvalidInput(
            "--figure and --out need cells to measure; give --image and --cells, or --crops."
        )


def _console() -> Console:
    """A console whose tables are not squeezed into 80 characters when they go into a file."""
    own = console()
    return own if own.is_terminal else console(width=TABLE_WIDTH)


def _partners(pairs: tuple[tuple[int, int], ...]) -> dict[int, int]:
    return {a: b for pair in pairs for a, b in (pair, pair[::-1])}


def _subject(model: CellModel, latent: int) -> str:
    """Whose latent it is."""
    if not model.describes_cell:
        return "crop"
    return "surroundings" if model.is_around(latent) else "cell"


def _tell_stored(model: CellModel, csv: Path | None) -> None:
    """Print, and write, what the model stores."""
    import pandas as pd
    from rich.table import Table

    from napari_interpdisc.io.results import write_table

    partner = _partners(model.orientation_pairs)
    order = model.by_importance()
    evidence = [m.evidence for m in model.meanings] or [""] * model.n_latents
    shown = _console()
    if not model.meanings:
        told = f"Model '{model.name}' stores no meanings of its latents; measure them on cells: "
        told += "give --image and --cells, or --crops."
        say(told, to=shown)
    else:
        whose = ["of"] * model.describes_cell
        table = Table("latent", *whose, "KL", "name", "evidence", box=None, pad_edge=False)
        for i in order:
            of = [_subject(model, i)] * model.describes_cell
            row = (
                f"z{i}", *of, f"{model.latent_kl[i]:.2f}", model.latent_name(i) or "–", evidence[i],
            )  # fmt: skip
            table.add_row(*map(plain, row))
        shown.print(table, highlight=False)
        for a, b in model.orientation_pairs:
            told = f"z{a}, z{b}: an orientation pair; z{a}² + z{b}² is invariant as a cell rotates"
            shown.print(told, highlight=False)
    if csv is not None:
        frame = pd.DataFrame(
            {
                "latent": [f"z{i}" for i in order],
                "of": [_subject(model, i) for i in order],
                "kl": model.latent_kl[order],
                "name": [model.latent_name(i) for i in order],
                "evidence": [evidence[i] for i in order],
                "pair": [f"z{partner[i]}" if i in partner else "" for i in order],
            }
        )
        about = {"model": model.name, "encoder_sha256": model.encoder_sha256}
        or_elsewhere(csv, lambda place: write_table(frame, about, place))
        say(str(place_of(csv)), to=shown)


def _rows(
    groups: npt.NDArray[Any],
    labels: npt.NDArray[Any] | None,
    wanted: tuple[str, ...],
    what: str,
    seed: int,
) -> tuple[npt.NDArray[np.intp], int]:
    """Rows to measure, and how many cells there were; checked before anything is measured."""
    import numpy as np

    from napari_interpdisc.scrutiny.relations import FEWEST_CELLS

    rows = np.arange(len(groups))
    if labels is not None:
        names = np.array([str(value).strip() for value in labels], dtype=object)
        for name in wanted:
            if name not in names:
                there = ", ".join(sorted(set(names))[:20])
                raise InvalidInput(f"No cell has the label '{name}'; the labels are {there}.")
        rows = np.flatnonzero(np.isin(names, wanted))
    found = len(rows)
    if found < FEWEST_CELLS:
        raise InvalidInput(
            f"There are {found} cells, fewer than the {FEWEST_CELLS} that are needed to relate "
            "latents to anything; give more."
        )
    if found > MOST_CELLS:
        drawn = np.random.default_rng(seed).choice(rows, MOST_CELLS, replace=False)
        rows = np.sort(drawn)
    if len(np.unique(groups[rows].astype(str))) < 2:
        raise InvalidInput(
            f"All cells have the same {what}, so no interval can be computed; give cells of "
            "several, or name another --group-column."
        )
    return rows, found


def _from_crops(
    path: Path,
    group: str,
    chosen: _Chosen,
    diameter: str,
    model: CellModel,
    seed: int,
) -> _Given:
    from napari_interpdisc.io.labelled_crops import read_labelled_crops
    from napari_interpdisc.patches import patches_of_crops

    px = crop_diameter(diameter)
    wanted, label = chosen.classes, chosen.column
    images, names, groups = read_labelled_crops(path, label if wanted else group, group)
    rows, found = _rows(groups, names if wanted else None, wanted, group, seed)
    patches = patches_of_crops(images[rows], px, model.model_diameter, model.crop_size)
    note = {"crops": str(path), "classes": list(wanted), "group": group, "diameter": px}
    return _Given(patches.crops(model.crop_size), patches.pixels, None, groups[rows], found, note)


def _from_movie(
    files: MovieFiles,
    group: str,
    chosen: _Chosen,
    model: CellModel,
    seed: int,
) -> _Given:
    import numpy as np

    from napari_interpdisc.patches import label_crops, patches_of_cells
    from napari_interpdisc.pipeline import cell_crops
    from napari_interpdisc.scrutiny.rotation import ROTATED_CELLS

    opened = files.open_usable()
    table, px = opened.cells, opened.diameter
    wanted, label = chosen.classes, chosen.column
    groups = table.column(group)
    names = table.column(label) if wanted else None
    rows, found = _rows(groups, names, wanted, group, seed)
    some = table.take(rows)
    rotated = np.random.default_rng(seed).permutation(len(some))[:ROTATED_CELLS]
    segmentation = None
    if opened.segmentation is not None:
        segmentation = label_crops(
            opened.segmentation, some, px, model.model_diameter, model.crop_size
        )
    note = {
        "image": str(files.image),
        "cells": str(files.tracks),
        "labels": str(files.labels or ""),
    }
    return _Given(
        cell_crops(opened.frames, some, model, px),
        patches_of_cells(
            opened.frames, some.take(np.sort(rotated)), px, model.model_diameter, model.crop_size
        ).pixels,
        segmentation,
        groups[rows],
        found,
        {**note, "classes": list(wanted), "group": group, "diameter": px},
    )


def _studied(given: _Given, model: CellModel, threshold: float, seed: int) -> LatentStudy:
    from napari_interpdisc.scrutiny.naming import study_latents
    from napari_interpdisc.scrutiny.properties import measure_crops
    from napari_interpdisc.scrutiny.rotation import find_rotating_pairs

    with progress_bar("cells measured") as progress:
        properties = measure_crops(
            given.crops, given.labels, model.model_diameter, progress=progress
        )
    with progress_bar("crops rotated") as progress:
        pairs = find_rotating_pairs(model, given.patches, seed=seed, progress=progress)
    with progress_bar("correlations") as progress:
        return study_latents(
            model.encode(given.crops)[0], properties, given.groups, pairs,
            threshold=threshold, seed=seed, progress=progress,
        )  # fmt: skip


def _against(stored: LatentMeaning | None, found: LatentMeaning) -> str:
    """How a name compares with the stored one."""
    if stored is None:
        return ""
    if stored.name == found.name:
        return "the same"
    return f"was {stored.name}" if stored.name else "was unnamed"


def _tell(model: CellModel, study: LatentStudy, given: _Given, threshold: float) -> None:
    """Print the table of latents, and what else there is to know."""
    import numpy as np
    from rich.table import Table

    from napari_interpdisc.scrutiny.naming import r2_text, rho_text, strongest, title_of

    relations = study.relations
    partner = _partners(tuple((pair.a, pair.b) for pair in study.pairs))
    whose = ["of"] * model.describes_cell
    headings = ["latent", *whose, "KL", "name", "follows", "ρ [95 %]", "nats", "pair"]
    table = Table(*headings, box=None, pad_edge=False)
    if model.meanings:
        table.add_column("stored")
    for i in model.by_importance():
        p = strongest(relations, i)
        nats = relations.information[i, p] if relations.information is not None else np.nan
        alive = bool(np.isfinite(relations.rho[i, p]))
        follows, closely = "–", "–"
        if i in study.named_after_two:
            own = study.functions[i]
            follows = f"{own.first if own.order else title_of(own.first)}, {title_of(own.second)}"
            closely = f"r² {r2_text(own)}"
        elif alive:
            follows, closely = title_of(relations.properties[p]), rho_text(relations, i, p)
        row = [
            f"z{i}",
            *[_subject(model, i)] * model.describes_cell,
            f"{model.latent_kl[i]:.2f}",
            study.meanings[i].name or "–",
            follows,
            closely,
            f"{nats:.2f}" if np.isfinite(nats) else "–",
            f"z{partner[i]}" if i in partner else "",
        ]
        if model.meanings:
            row.append(_against(model.meanings[i], study.meanings[i]))
        table.add_row(*map(plain, row))
    shown = _console()
    shown.print(table, highlight=False)
    for line in _remarks(model, study, given, threshold):
        say(line, to=shown)


def _remarks(model: CellModel, study: LatentStudy, given: _Given, threshold: float) -> list[str]:
    from napari_interpdisc.scrutiny.naming import rho_text, strongest, title_of
    from napari_interpdisc.scrutiny.relations import FEWEST_CELLS

    relations = study.relations
    lines = []
    for k, pair in enumerate(study.pairs):
        row = model.n_latents + k
        p = strongest(relations, row)
        kind = f"rotating pair of order {pair.order}"
        kind = {1: f"{kind} (a direction)", 2: "orientation pair (order 2)"}.get(pair.order, kind)
        lines.append(
            f"z{pair.a}, z{pair.b}: {kind}, "
            f"score {pair.score:.2f}; {relations.quantities[row]} changes by {pair.wobble:.2f} of "
            f"its variance when cells rotate, and follows {title_of(relations.properties[p])}, "
            f"ρ {rho_text(relations, row, p)}"
        )
    for name, n in zip(relations.properties, relations.cells, strict=True):
        if n == 0:
            lines.append(
                f"{title_of(name)}: not ranked; the same in every cell, or known in fewer than "
                f"{FEWEST_CELLS}"
            )
    measured, n = int(relations.cells.max()), len(given.crops)
    drawn = f" (drawn from {given.found})" if given.found > n else ""
    lines.append(
        f"{measured} of {n} cells{drawn} could be measured, in {relations.groups} groups "
        f"({given.note['group']}); a name needs |ρ| ≥ {threshold:g} throughout its interval"
    )
    if relations.groups < FEW_GROUPS:
        lines.append(f"intervals from fewer than {FEW_GROUPS} groups are rough")
    return lines


def _write(
    model: CellModel,
    study: LatentStudy,
    note: dict[str, Any],
    csv: Path | None,
    figure: Path | None,
    out: Path | None,
) -> None:
    """Write what was asked for."""
    from dataclasses import asdict, replace

    from napari_interpdisc.io.results import write_table
    from napari_interpdisc.models.store import save_model

    written = []
    if csv is not None:
        frame: pd.DataFrame = study.relations.to_frame()
        names = {f"z{i}": meaning.name for i, meaning in enumerate(study.meanings)}
        stored = {f"z{i}": model.latent_name(i) for i in range(model.n_latents)}
        first = frame["latent"].str.extract(r"z(\d+)", expand=False).astype(int)
        frame.insert(1, "of", [_subject(model, i) for i in first])
        frame.insert(2, "name", frame["latent"].map(names).fillna(""))
        frame.insert(3, "stored_name", frame["latent"].map(stored).fillna(""))
        pairs = [asdict(pair) for pair in study.pairs]
        told = {**note, "pairs": pairs}
        or_elsewhere(csv, lambda place: write_table(frame, told, place))
        written.append(csv)
    if figure is not None:
        from napari_interpdisc.figures.latent_map import draw_latent_map

        found = study.relations, model.latent_kl, study.meanings
        or_elsewhere(figure, lambda place: draw_latent_map(place, *found))
        written.append(figure)
    if out is not None:
        changed = replace(model, meanings=study.meanings, orientation_pairs=study.orientation_pairs)
        or_elsewhere(out, lambda place: save_model(changed, place))
        written.append(out)
    say(*(str(place_of(path)) for path in written))
