"""``interpdisc counterfactual``: what would make one cell another class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_interpdisc.cli.common import (
    Channel,
    ChannelAxis,
    Diameter,
    Head,
    ImagePath,
    LabelsPath,
    Model,
    MovieFiles,
    Tracks,
    diameter_of,
    progress_bar,
    say,
)
from napari_interpdisc.cli.reading import PLAIN, Reading, reads_images
from napari_interpdisc.cli.table_options import AS_IT_TELLS, TableOptions, reads_tables

if TYPE_CHECKING:
    import pandas as pd

    from napari_interpdisc.models.cell_model import CellModel
    from napari_interpdisc.scrutiny.counterfactual import CounterfactualPath


@reads_images
@reads_tables
def counterfactual(
    image: ImagePath,
    tracks: Tracks,
    cell: Annotated[
        str, typer.Option(metavar="TRACK:FRAME", help="The cell: its track, and its frame.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write; it must not exist or be empty.")],
    to: Annotated[
        str | None,
        typer.Option(metavar="CLASS", help="Class to reach; the runner-up if left out."),
    ] = None,
    margin: Annotated[
        float, typer.Option(min=0, max=20, help="Margin to reach, in logits; 0 is the boundary.")
    ] = 0.0,
    steps: Annotated[
        int, typer.Option(min=2, max=50, help="Pictures of the strip, both ends among them.")
    ] = 9,
    labels: LabelsPath = None,
    diameter: Diameter = "auto",
    channel: Channel = None,
    channel_axis: ChannelAxis = None,
    model: Model = "h2b",
    head: Head = None,
    reading: Reading = PLAIN,
    table_options: TableOptions = AS_IT_TELLS,
) -> None:
    """Find the smallest change of one cell that another class answers to, among real cells."""
    from napari_interpdisc.io.results import check_empty_folder

    check_empty_folder(out)
    diameter_of(diameter)
    choices = table_options.asked()
    from napari_interpdisc.cells import row_of
    from napari_interpdisc.models.store import load_model
    from napari_interpdisc.pipeline import cell_crops, encode_cells
    from napari_interpdisc.scrutiny.counterfactual import counterfactual_path, real_cells

    loaded = load_model(model)
    named = loaded.head(head)
    opened = MovieFiles(
        image,
        tracks,
        labels,
        diameter,
        channel,
        channel_axis,
        reading,
        table_options.swap_xy,
        choices,
    ).open_usable()
    row = row_of(opened.cells, cell)
    with progress_bar("cells") as progress:
        encoding = encode_cells(
            opened.frames, opened.cells, loaded, opened.diameter, progress, opened.measured
        )
    track = opened.cells.track_id
    real = real_cells(loaded, encoding.latents, named.name, track)
    found = counterfactual_path(
        loaded, encoding.latents[row], real, named.name, to, track[row], steps, margin
    )
    say(*found.sentences(loaded))
    own = cell_crops(opened.frames, opened.cells.take([row]), loaded, opened.diameter)
    near = cell_crops(opened.frames, opened.cells.take(found.nearest), loaded, opened.diameter)
    cells = opened.cells
    names = [f"track {cells.track_id[i]}, frame {cells.t[i]}" for i in found.nearest]
    settings = {
        "image": str(image),
        "tracks": str(tracks),
        "diameter": opened.diameter,
        "model": loaded.name,
        "model_sha256": loaded.sha256,
        "head": named.name,
        "classes": list(named.classes),
        "cell": {"track_id": _plain(track[row]), "t": int(cells.t[row])},
        "to": found.classes[found.target],
        "margin": margin,
        "reached": found.reached,
        "length": found.length,
        "monotone": found.monotone,
        "sentences": list(found.sentences(loaded)),
        **reading.note(),
    }
    table = _table(found, loaded, cells.track_id, cells.t)
    from napari_interpdisc.figures.counterfactual import draw_path
    from napari_interpdisc.io.results import new_folder, write_table

    with new_folder(out) as folder:
        write_table(table, settings, folder / "path.csv")
        pictures = loaded.reconstruct(found.latents, own)[:, 0]
        draw_path(folder / "path.png", found, pictures, near[:, 0], names, loaded)
    say(str(out))


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _table(found: CounterfactualPath, model: CellModel, track_id: Any, t: Any) -> pd.DataFrame:
    """One row per step."""
    import numpy as np
    import pandas as pd

    from napari_interpdisc.models.cell_model import class_index

    table = pd.DataFrame({"step": range(len(found.scores))})
    table["class"] = np.array(found.classes, object)[class_index(found.scores)]
    suffixes = [""] if found.scores.shape[1] == 1 else [f"_{name}" for name in found.classes]
    for k, suffix in enumerate(suffixes):
        table[f"score{suffix}"] = found.scores[:, k]
    table["margin"] = found.margins
    table["among_real_cells"] = found.real
    table["nearest_track_id"] = track_id[found.nearest]
    table["nearest_t"] = t[found.nearest]
    table["nearest_distance"] = found.distances
    for i in range(model.n_latents):
        table[f"z_{i}"] = found.latents[:, i]
    return table
