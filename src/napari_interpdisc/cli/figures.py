"""``interpdisc figures``: Figures 1 to 10 of the paper and Table 1, on public data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from napari_interpdisc.cli.common import (
    Engine,
    Model,
    check_engine,
    crop_diameter,
    names_of,
    note,
    progress_bar,
    say,
)
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.writing import check_filled_folder, or_elsewhere, write_whole

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from napari_interpdisc.discovery.paper import PaperAttacks
    from napari_interpdisc.models.cell_model import CellModel


def figures(
    data: Annotated[Path, typer.Option(help="Archive (.npz) of images, label and plate.")],
    out: Annotated[Path, typer.Option(help="Folder to write; a Table 1 in it is resumed.")],
    heads: Annotated[
        str, typer.Option(metavar="A,B,C", help="Dense, sparse and formula head of one question.")
    ] = "dense-strict,sparse-strict,formula-strict",
    anatomy_head: Annotated[
        str, typer.Option(help="Sparse head that Figures 2 to 4 take apart.")
    ] = "sparse",
    compare: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="A second model, whose attacks are compared."),
    ] = None,
    compare_heads: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="Its heads; the same names if left out.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Models of schemes that are trained.")] = 3,
    table: Annotated[
        bool, typer.Option("--table1/--no-table1", help="Train everything that Table 1 needs.")
    ] = True,
    diameter: Annotated[
        str, typer.Option(help="Typical interphase nucleus in the crops, px.")
    ] = "26.8",
    engine: Engine = None,
    model: Model = "h2b",
) -> None:
    """Remake the paper's figures and Table 1 with a stored model, and test its findings."""
    px = crop_diameter(diameter)
    if table:
        check_engine(engine or "pysr")
    from napari_interpdisc.io.labelled_crops import read_labelled_crops
    from napari_interpdisc.models.store import load_model

    check_filled_folder(out, (data,))
    if table:
        check_filled_folder(out / "table1", (data,))
    loaded = load_model(model, device="cpu")
    named = _three(heads, loaded)
    loaded.head_of_latents(anatomy_head, "The anatomy of a head")
    other = load_model(compare, device="cpu") if compare else None
    theirs = _three(compare_heads or heads, other) if other is not None else []
    images, labels, plates = read_labelled_crops(data)
    out.mkdir(parents=True, exist_ok=True)
    classes = loaded.head(named[0]).classes
    import numpy as np

    keep = np.isin(labels.astype(str), classes)
    if not keep.any():
        raise InvalidInput(
            f"No image of {data} has a label of {', '.join(classes)}, the classes of {named[0]}."
        )
    some = images[keep], labels[keep].astype(str), plates[keep]
    found = _attacks(loaded, named, *some, px, seeds, "attacks")
    _draw(out, loaded, named, anatomy_head, *some, px, found)
    second = None
    if other is not None:
        second = _attacks(other, theirs, *some, px, seeds, "attacks of the other model")
    from napari_interpdisc.discovery.paper import told_findings
    from napari_interpdisc.figures.paper import findings_table

    told = told_findings(found, second)
    say(*told)
    text = [findings_table(found.findings), ""]
    if second is not None:
        text += ["With the other model:", "", findings_table(second.findings), ""]
    whole = "\n".join([*text, *told, ""])
    or_elsewhere(
        out / "findings.md",
        lambda place: write_whole(place, lambda partial: partial.write_text(whole, "utf-8")),
    )
    if table:
        _table1(out / "table1", data, px, seeds, model, engine or "pysr")
    say(str(out))


def _three(text: str, model: CellModel) -> list[str]:
    names = list(names_of(text))
    if len(names) != 3:
        raise InvalidInput(
            f"'{text}' is not three heads: give a dense, a sparse and a formula one."
        )
    for name, kind in zip(names, ("dense", "sparse", "formula"), strict=True):
        if model.head_of_latents(name, "A figure of the paper").head.kind != kind:
            raise InvalidInput(f"Head '{name}' of '{model.name}' is no {kind} head.")
    return names


def _attacks(
    model: CellModel,
    heads: list[str],
    images: np.ndarray,
    labels: np.ndarray,
    plates: np.ndarray,
    diameter: float,
    seeds: int,
    what: str,
) -> PaperAttacks:
    from napari_interpdisc.discovery.paper import study_attacks
    from napari_interpdisc.patches import patches_of_crops
    from napari_interpdisc.scrutiny.segmented import segment_cells

    patches = patches_of_crops(images, diameter, model.model_diameter, model.crop_size)
    segmentation = segment_cells(patches, None, model.model_diameter, None)
    with progress_bar(what) as progress:
        return study_attacks(model, heads, segmentation, labels, plates, seeds, progress)


def _draw(
    out: Path,
    model: CellModel,
    heads: list[str],
    anatomy_head: str,
    images: np.ndarray,
    labels: np.ndarray,
    plates: np.ndarray,
    diameter: float,
    found: PaperAttacks,
) -> None:
    """Write figure1.png to figure10.png."""
    import numpy as np

    from napari_interpdisc.figures.anatomy import graph_figure, panels_figure
    from napari_interpdisc.figures.paper import attacked_cnn, attacked_latents, unperturbed
    from napari_interpdisc.figures.used_latents import used_latents_figure
    from napari_interpdisc.patches import patches_of_crops
    from napari_interpdisc.scrutiny.anatomy import part_panels, slice_panels, take_apart
    from napari_interpdisc.scrutiny.anatomy_response import real_cells
    from napari_interpdisc.scrutiny.attacks import AttackSettings, perturb
    from napari_interpdisc.scrutiny.segmented import segment_cells

    formula = heads[2]
    patches = patches_of_crops(images, diameter, model.model_diameter, model.crop_size)
    rows = segment_cells(patches, None, model.model_diameter, None).rows
    crops = patches.take(rows).crops(model.crop_size)
    latents = model.encode(crops)[0]
    cells = real_cells(latents, f"{len(crops)} labelled cells")
    used = model.head(formula).head.used_latents
    with progress_bar("figures") as progress:
        of_formula = take_apart(model, formula, cells)
        held = latents[cells.middle(of_formula.wholes[0])].astype(np.float64)
        figure = used_latents_figure(model, used, held, formula)
        _save(figure, out / "figure1.png")
        progress(1, 5)
        of_sparse = take_apart(model, anatomy_head, cells)
        panels = part_panels(of_sparse, model, held)
        _save(panels_figure(panels[:1], cells, "Sub-network 1"), out / "figure2.png")
        _save(graph_figure(of_sparse), out / "figure3.png")
        if panels[1:]:
            _save(panels_figure(panels[1:], cells, "Other parts"), out / "figure4.png")
        else:
            note(f"Head '{anatomy_head}' has one part, so there is no Figure 4.")
        progress(2, 5)
        parts = part_panels(of_formula, model, held)
        _save(panels_figure(parts, cells, "Terms of the formula"), out / "figure5.png")
        slices = slice_panels(of_formula, model, held)
        if slices:
            _save(panels_figure(slices, cells, "Decision boundary"), out / "figure6.png")
        else:
            note(f"Head '{formula}' reads one input, so there is no Figure 6.")
        progress(3, 5)
        shown = crops[found.rows]
        _save(unperturbed(shown, model), out / "figure7.png")
        _save(attacked_cnn(found.cnn, found.cnn_rows), out / "figure8.png")
        progress(4, 5)
        one = AttackSettings(space="latent", epsilon=1.0)
        figure = attacked_latents(perturb(model, shown, one, formula), "Scheme 4", False)
        _save(figure, out / "figure9.png")
        frozen = one.model_copy(update={"frozen_latents": found.shape_latents})
        told = f"Scheme 2, {len(found.shape_latents)} latents of the shape frozen"
        figure = attacked_latents(perturb(model, shown, frozen, heads[0]), told, True)
        _save(figure, out / "figure10.png")
        progress(5, 5)


def _save(figure: Figure, path: Path) -> None:
    from napari_interpdisc.figures.canvas import save_figure

    or_elsewhere(path, lambda place: save_figure(figure, place))


def _table1(
    out: Path,
    data: Path,
    diameter: float,
    seeds: int,
    model: str,
    engine: Literal["pysr", "operon"],
) -> None:
    """Run Table 1, or go on with it."""
    from napari_interpdisc.discovery.table1 import Table1Settings, run_table1
    from napari_interpdisc.figures.table1 import draw_table1
    from napari_interpdisc.io.labelled_crops import read_labelled_crops

    settings = Table1Settings(seeds=seeds)
    search = settings.recipe.search.model_copy(update={"engine": engine})
    settings = settings.model_copy(
        update={"recipe": settings.recipe.model_copy(update={"search": search})}
    )
    images, labels, groups = read_labelled_crops(data)
    with progress_bar("models of Table 1") as progress:
        found = run_table1(
            images, labels, groups, diameter, out, settings, model, progress=progress
        )
    or_elsewhere(out / "table1.png", lambda place: draw_table1(place, found.table))
    say(found.text)
