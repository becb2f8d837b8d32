"""``interpdisc export``: a model for other programs, as ONNX or as a bioimage.io package."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_interpdisc.cli.common import note, progress_bar, say
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.writing import or_elsewhere, place_of

if TYPE_CHECKING:
    from napari_interpdisc.models.onnx_files import Written


class Form(StrEnum):
    """What is written."""

    onnx = "onnx"
    bioimage = "bioimage.io"


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Installed model, or folder.")],
    out: Annotated[
        Path,
        typer.Option(help="Folder to make (onnx), or .zip to write (bioimage.io)."),
    ],
    form: Annotated[
        Form,
        typer.Option(
            "--format",
            help="onnx: encoder, decoder and heads, a file each. bioimage.io: one package of the "
            "encoder with one head.",
        ),
    ] = Form.onnx,
    head: Annotated[
        list[str] | None,
        typer.Option(help="Only this head; may be repeated. All, or the default one, if left out."),
    ] = None,
    crops: Annotated[
        int,
        typer.Option(min=2, help="Simulated crops that each file is compared with torch on."),
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of these crops.")] = 0,
) -> None:
    """Write a model for other programs, and compare what was written with torch.

    Crops of any gain and offset go in. A typical interphase nucleus has to have the model's
    diameter in them. Needs the extra 'export'.
    """
    import numpy as np

    from napari_interpdisc.io.results import check_empty_folder, check_writable, new_folder
    from napari_interpdisc.models.onnx_files import check_packages, export_onnx
    from napari_interpdisc.models.store import load_model
    from napari_interpdisc.simulate.crops import simulate_crops

    check_packages()
    names = tuple(head or ())
    if form is Form.bioimage:
        if out.suffix != ".zip":
            raise InvalidInput(f"A bioimage.io package is a .zip file; '{out}' is none.")
        if len(names) > 1:
            raise InvalidInput("A bioimage.io package holds one head: give --head once.")
        check_writable(out)
        if out.exists():
            raise InvalidInput(f"'{out}' exists already; give another name.")
    else:
        check_empty_folder(out)
    loaded = load_model(model, device="cpu")
    for name in names:
        loaded.head(name)
    given = simulate_crops(crops, seed)[0][:, None].astype(np.float32)
    if form is Form.bioimage:
        from napari_interpdisc.models.bioimage_package import write_package

        one = names[0] if names else None
        difference = or_elsewhere(out, lambda place: write_package(loaded, one, place, given))
        say(f"{loaded.head(one).name}: at most {difference:.1g} from torch")
        say(str(place_of(out)))
        return

    def write(place: Path) -> list[Written]:
        with new_folder(place) as folder, progress_bar("files") as progress:
            written = export_onnx(loaded, folder, given, names, progress)
            about = {
                "model": loaded.name,
                "model_sha256": loaded.sha256,
                "crop_size": loaded.crop_size,
                "model_diameter": loaded.model_diameter,
                "latents": {i: loaded.latent_name(i) for i in range(loaded.n_latents)},
                "heads": {
                    name: list(loaded.head(name).classes) for name in (names or tuple(loaded.heads))
                },
                "checked_on": {"simulated crops": crops, "seed": seed},
                "difference_from_torch": {w.path.name: w.difference for w in written},
            }
            (folder / "model.json").write_text(
                json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
            )
        return written

    written = or_elsewhere(out, write)
    worst = max(written, key=lambda one: one.difference)
    say(
        f"{len(written)} files, compared with torch on {crops} simulated crops (seed {seed}); "
        f"at most {worst.difference:.1g} apart, in {worst.path.name}"
    )
    say(str(place_of(out)))
    note("They hold the networks alone: cutting and resampling of crops stays with the caller.")
