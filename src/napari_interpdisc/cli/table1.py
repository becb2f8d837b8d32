"""``interpdisc table1``: the paper's Table 1 on labelled crops."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_interpdisc.cli.common import (
    Engine,
    Model,
    RecipeFile,
    check_engine,
    progress_bar,
    say,
)
from napari_interpdisc.cli.stopping import keeps
from napari_interpdisc.writing import check_filled_folder, or_elsewhere

if TYPE_CHECKING:
    from napari_interpdisc.discovery.table1 import Abroad


def table1(
    data: Annotated[Path, typer.Option(help="Archive (.npz) of images, label and plate.")],
    out: Annotated[Path, typer.Option(help="Folder to write; a stopped run there is resumed.")],
    seeds: Annotated[int, typer.Option(min=1, help="Models of each scheme.")] = 10,
    engine: Engine = None,
    recipe: RecipeFile = None,
    diameter: Annotated[
        float, typer.Option(help="Typical interphase nucleus in the crops, px.")
    ] = 26.8,
    group: Annotated[
        str, typer.Option(help="Array of groups, never split between training and test.")
    ] = "plate",
    abroad: Annotated[
        list[Path] | None,
        typer.Option(
            help="Archive (.npz) of labelled images of another laboratory, on which every scheme "
            "is tested too; may be repeated. A number in its array 'diameter' is that of its "
            "nuclei; --diameter without."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that work at the same time.")] = 2,
    model: Model = "h2b",
) -> None:
    """Reproduce the paper's Table 1: four schemes and baselines, tested by plate."""
    from napari_interpdisc.crops import check_diameter
    from napari_interpdisc.discovery.recipe import Recipe
    from napari_interpdisc.discovery.table1 import Table1Settings, run_table1
    from napari_interpdisc.figures.table1 import draw_table1
    from napari_interpdisc.io.labelled_crops import read_labelled_crops
    from napari_interpdisc.io.settings import read_settings

    px = check_diameter(diameter)
    check_filled_folder(out, (data, *(abroad or ())))
    settings = Table1Settings(seeds=seeds)
    asked = settings.recipe if recipe is None else read_settings(recipe, Recipe)
    if asked.tuning is None:
        asked = asked.model_copy(update={"tuning": settings.recipe.tuning})
    if engine is not None:
        asked = asked.model_copy(
            update={"search": asked.search.model_copy(update={"engine": engine})}
        )
    check_engine(asked.search.engine)
    images, labels, groups = read_labelled_crops(data, group=group)
    away = {path.stem: _read_abroad(path, px, group) for path in abroad or []}
    settings = settings.model_copy(update={"recipe": asked.model_copy(update={"curve": False})})
    kept = f"what is finished is kept in {out}; the same command goes on."
    with keeps(kept), progress_bar("models") as progress:
        found = run_table1(
            images, labels, groups, px, out, settings, model, jobs, progress, abroad=away
        )
    or_elsewhere(out / "table1.png", lambda place: draw_table1(place, found.table))
    say(found.text, str(out))


def _read_abroad(path: Path, diameter: float, group: str) -> Abroad:
    """Crops of another laboratory; each is a group of its own if the archive names none."""
    from napari_interpdisc.crops import check_diameter
    from napari_interpdisc.discovery.table1 import Abroad
    from napari_interpdisc.io.labelled_crops import array_names, read_labelled_crops, read_number

    names = array_names(path)
    images, labels, groups = read_labelled_crops(path, group=group if group in names else "label")
    if "diameter" in names:
        diameter = check_diameter(read_number(path, "diameter"))
    return Abroad(images, labels, groups, diameter)
