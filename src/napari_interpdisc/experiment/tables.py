"""The tables of a whole experiment, written when its images are done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from napari_interpdisc.batch.run_folder import ImageFolder
from napari_interpdisc.experiment.summaries import SUMMARIES, columns_of, csv_text
from napari_interpdisc.io.results import write_whole

COUNTED = ("cells", "tracks")

FAILURE_COLUMNS = ("image", "well", "file", "why")


def write_tables(
    root: Path,
    done: Mapping[ImageFolder, Mapping[str, Any]],
    failed: Sequence[Sequence[str]],
    classes: Sequence[str],
) -> None:
    """Write tracks.csv, phases.csv, images.csv, wells.csv and failures.csv.

    Parameters
    ----------
    root
        The folder of the run.
    done
        Notes of the images that are finished, in the order of the rows.
    failed
        Image, well, file, and why, of those that are not.
    classes
        Names of the classes.
    """
    for kind in SUMMARIES:
        header = csv_text([columns_of(kind, classes)]).encode()
        files = [folder.summary(kind) for folder in done]
        write_whole(root / f"{kind}.csv", partial(_joined, header, files))
    counts = [f"n_{name}" for name in classes]
    flags = ["n_without_class", "n_unfamiliar", "n_touches_edge"]
    shares = [f"share_{name}" for name in classes]
    head = [*COUNTED, *counts, *shares, *flags]
    images: list[list[Any]] = []
    wells: dict[str, list[Mapping[str, int]]] = {}
    for note in done.values():
        item, own = note["item"], note["counts"]
        place = [item["name"], item["well"], item["field"], note["shape"][0], note["diameter"]]
        images.append([*place, *_row(own, counts, flags)])
        if item["well"]:
            wells.setdefault(item["well"], []).append(own)
    of_image = ["image", "well", "field", "frames", "diameter"]
    _write(root / "images.csv", [[*of_image, *head], *images])
    of_wells = []
    for well in sorted(wells):
        several = wells[well]
        summed = {key: sum(one[key] for one in several) for key in several[0]}
        of_wells.append([well, len(several), *_row(summed, counts, flags)])
    _write(root / "wells.csv", [["well", "images", *head], *of_wells])
    _write(root / "failures.csv", [FAILURE_COLUMNS, *failed])


def _row(own: Mapping[str, int], counts: list[str], flags: list[str]) -> list[Any]:
    """Numbers of an image or a well: counts, their shares among cells with a class, and flags."""
    has_class = own["cells"] - own["n_without_class"]
    shares = [own[name] / has_class if has_class else float("nan") for name in counts]
    return [
        *(own[name] for name in COUNTED),
        *(own[name] for name in counts),
        *shares,
        *(own[name] for name in flags),
    ]


def _write(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    text = csv_text(rows).encode()
    write_whole(path, lambda path: path.write_bytes(text))


def _joined(header: bytes, files: Sequence[Path], path: Path) -> None:
    with path.open("wb") as out:
        out.write(header)
        for file in files:
            out.write(file.read_bytes())
