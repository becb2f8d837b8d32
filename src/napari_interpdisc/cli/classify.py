"""``interpdisc classify``: a table of classes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from napari_interpdisc._types import Precision
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
    note,
    note_renamed,
    progress_bar,
    say,
)
from napari_interpdisc.cli.reading import PLAIN, Reading, reads_images
from napari_interpdisc.cli.table_options import AS_IT_TELLS, TableOptions, reads_tables
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.writing import or_elsewhere, place_of

if TYPE_CHECKING:
    from napari_interpdisc.discovery.rashomon import Member
    from napari_interpdisc.frames import Frames

LONGEST_CHANNEL = 10
"""Digits of a number of a channel; longer ones are not converted to a number."""


@reads_images
@reads_tables
def classify(
    image: ImagePath,
    tracks: Tracks,
    out: Annotated[
        Path,
        typer.Option(
            help="What to write: a table (.csv, .parquet), a GEFF store (.geff), a copy of "
            "btrack's file (.h5), or AnnData (.h5ad)."
        ),
    ],
    labels: LabelsPath = None,
    diameter: Diameter = "auto",
    channel: Channel = None,
    channel_axis: ChannelAxis = None,
    model: Model = "h2b",
    head: Head = None,
    disagreement: Annotated[
        bool,
        typer.Option(
            "--disagreement",
            help="Add a column: the share of heads that give a cell another class than most do. "
            "Asked are the model's heads for the same question that are about as good.",
        ),
    ] = False,
    delta: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="With --disagreement: balanced accuracy that heads may lose against the best; "
            "0.01 if left out.",
        ),
    ] = None,
    errors: Annotated[
        bool,
        typer.Option(
            "--reconstruction-error",
            help="Add a column: the mean squared difference of each crop and its reconstruction. "
            "Every cell is decoded for it, which takes about twice as long.",
        ),
    ] = False,
    precision: Annotated[
        Precision,
        typer.Option(
            help="Of the encoder's network. bfloat16 is faster where the processor has it, and "
            "latents differ by about 0.01; auto takes it there, and float32 elsewhere."
        ),
    ] = "float32",
    properties: Annotated[
        bool,
        typer.Option(
            "--properties",
            help="Add columns of measured properties: area, solidity, grain and others, of the "
            "nuclei in --labels, else of nuclei that are found. They are measured anyway if a head "
            "of the model reads them. Areas are in px² of the crops, and in µm² where the image "
            "or --pixel-size gives the size of a pixel.",
        ),
    ] = False,
    mean_of: Annotated[
        str | None,
        typer.Option(
            "--mean-of",
            help="Add columns: the mean grey level of channels inside each nucleus, in the file's "
            "own units and with the background. Channels are counted from 0: 1, or 0,2, or all.",
        ),
    ] = None,
    reading: Reading = PLAIN,
    table_options: TableOptions = AS_IT_TELLS,
) -> None:
    """Classify every cell: one row each, and a JSON file with the settings beside the table.

    A GEFF store or btrack's file as --out is a copy of --tracks with the results in it.
    """
    from napari_interpdisc.io.exports import Result, check_result_path, write_result

    check_result_path(out, tracks, (image, labels))
    diameter_of(diameter)
    measured = None if mean_of is None else _wanted_channels(mean_of)
    if delta is not None and not disagreement:
        raise InvalidInput("--delta says which heads are compared: give --disagreement with it.")
    choices = table_options.asked()
    from napari_interpdisc import pipeline
    from napari_interpdisc.crops import without_pixels
    from napari_interpdisc.io.calibration import read_calibration
    from napari_interpdisc.models.inference import used_precision
    from napari_interpdisc.models.store import load_model
    from napari_interpdisc.number_text import percent

    loaded = load_model(model)
    loaded.head(head)
    members: list[Member] = []
    if disagreement:
        from napari_interpdisc.discovery.rashomon import DELTA, members_of_model, rashomon_set

        members = members_of_model(loaded, head)
        _check_compared(members, loaded.head(head).name, DELTA if delta is None else delta)
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
    ).open()
    channels = {} if measured is None else _channels(opened.frames, measured, image)
    with progress_bar("cells") as progress:
        result = pipeline.classify(
            opened.frames,
            opened.cells,
            loaded,
            opened.diameter,
            head,
            progress,
            opened.measured,
            properties,
            opened.segmentation,
            opened.pixel_size,
            errors=errors,
            precision=precision,
            channels=channels,
        )
    compared = None
    if disagreement:
        lost = DELTA if delta is None else delta
        compared = rashomon_set(
            members, result.classes, result.encoding.latents, lost, result.encoding.properties
        )
        result = replace(result, disagreement=compared.disagreement)
    settings = {
        **result.settings,
        "disagreement": None if compared is None else compared.note(),
        "image": str(image),
        "tracks": str(tracks),
        "labels": str(labels) if labels else None,
        "channel": channel,
        "channel_axis": channel_axis,
        "mean_of": mean_of,
        "frame_interval": table_options.frame_interval or read_calibration(image).frame_interval,
        "swap_xy": table_options.swap_xy,
        **reading.note(),
        "model_diameter": loaded.model_diameter,
        "precision": used_precision(precision, loaded.device),
        "diameter_doubt": opened.doubt or None,
        "rule": [formula.text for formula in getattr(loaded.head(head).head, "formulas", ())],
    }
    table, flags_of = result.to_frame(), result.encoding.flags
    written = Result(
        result.encoding.cells, table, result.results(), result.classes, flags_of, settings
    )
    for sentence in or_elsewhere(out, lambda place: write_result(written, place, tracks)):
        note(sentence)
    note_renamed(opened.cells, map(str, table))
    counts = table["class"].value_counts(sort=False)
    say(f"{len(table)} cells: {', '.join(f'{n} {name}' for name, n in counts.items())}")
    encoding, flags = result.encoding, []
    if encoding.familiarity is not None:
        share = percent(encoding.out_of_distribution.mean())
        strange = encoding.out_of_distribution
        told = f"{strange.sum()} ({share}) unlike the training data"
        if strange.any():
            of_class = table["class"][strange].value_counts(sort=False)
            told += f" ({', '.join(f'{n} {name}' for name, n in of_class.items() if n)})"
        flags.append(told)
    flags.append(f"{encoding.touches_edge.sum()} may be cut by the edge of the image")
    if encoding.saturated.any():
        flags.append(f"{encoding.saturated.sum()} saturated")
    say(f"flagged: {', '.join(flags)}")
    if compared is not None:
        say(f"{', '.join(one.name for one in compared.members)}: {compared.sentence()}")
        if len(compared.members) == 1:
            note("There is no other head to disagree with; allow more with --delta.")
    say(str(place_of(out)))
    if not encoding.usable.all():
        note(f"{without_pixels(encoding.no_pixels)}; they have no class.")
    if encoding.properties:
        say(f"properties: measured {result.settings['properties_measured']}")
        if result.settings["not_measured"]:
            note(
                f"{result.settings['not_measured']} cells have no class: no whole nucleus was "
                "found in the middle to measure."
            )
    if n := int(result.undefined.sum()):
        note(f"{n} of the cells have no class: the formula has no value for them.")
    for warning in pipeline.movie_warnings(encoding, loaded):
        note(warning)


def _wanted_channels(text: str) -> list[int] | Literal["all"]:
    """Channels that ``--mean-of`` names, as far as it can be judged without an image."""
    if text.strip() == "all":
        return "all"
    words = [word.strip() for word in text.split(",")]
    numbers = all(word.isascii() and word.isdecimal() for word in words)
    if not numbers or max(map(len, words)) > LONGEST_CHANNEL:
        raise InvalidInput(
            f"--mean-of takes numbers of channels from 0, such as 0,2, or all, not '{text}'."
        )
    return list(dict.fromkeys(map(int, words)))


def _channels(frames: Frames, asked: list[int] | Literal["all"], image: Path) -> dict[str, Frames]:
    """Return the channels of an image that are to be measured, by name."""
    n = 1 if frames.channel_axis is None else int(frames.data.shape[frames.channel_axis])
    wanted = list(range(n)) if asked == "all" else asked
    if outside := [k for k in wanted if k >= n]:
        raise InvalidInput(
            f"{image.name} has {n} channel{'s' * (n > 1)}, counted from 0, and --mean-of asks for "
            f"{outside[0]}; if one of its axes is channels, name it with --channel-axis."
        )
    if frames.channel_axis is None:
        return {"channel_0": frames}
    return {f"channel_{k}": replace(frames, channel=k) for k in wanted}


def _check_compared(members: list[Member], head: str, delta: float) -> None:
    """Refuse a comparison that the chosen head is not in, or that it is alone in."""
    best = max(members, key=lambda one: one.balanced_accuracy)
    lost = {one.name: best.balanced_accuracy - one.balanced_accuracy for one in members}
    inside = [name for name, less in lost.items() if less <= delta + 1e-9]
    if head in inside and len(inside) > 1:
        return
    others = sorted(less for name, less in lost.items() if name not in inside)
    if not others:
        raise InvalidInput(
            f"There is no other head of the question of '{head}', so that none can disagree."
        )
    needed = lost[head] if head not in inside else others[0]
    raise InvalidInput(
        f"Within {delta:g} of the best balanced accuracy ({best.balanced_accuracy:.3f}) there is "
        f"{', '.join(inside)} alone; give --delta {_up(needed):g} to compare '{head}' with it."
        if len(inside) == 1
        else f"'{head}' is {needed:.3f} below the best balanced accuracy "
        f"({best.balanced_accuracy:.3f}) and is not compared; give --delta {_up(needed):g}."
    )


def _up(value: float) -> float:
    """A number with two digits that is not less."""
    return math.ceil(value * 100) / 100
