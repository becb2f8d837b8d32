"""``interpdisc train-encoder``: an encoder of one's own cells, new or fine-tuned."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from napari_interpdisc.cli.common import (
    MovieFiles,
    crop_diameter,
    diameter_of,
    progress_bar,
    say,
)
from napari_interpdisc.cli.console import console
from napari_interpdisc.cli.reading import PLAIN, Reading, reads_images
from napari_interpdisc.cli.stopping import keeps
from napari_interpdisc.cli.table_options import AS_IT_TELLS, TableOptions, reads_tables
from napari_interpdisc.errors import InvalidInput

if TYPE_CHECKING:
    from napari_interpdisc.models.cell_model import CellModel
    from napari_interpdisc.models.tcvae import TCVAEConfig
    from napari_interpdisc.training.encoder.data import EncoderSource
    from napari_interpdisc.training.encoder.run import EncoderRun
    from napari_interpdisc.training.encoder.settings import EncoderTraining

T = TypeVar("T")

EACH = "once for all, or once for each source"
GROUPS = ("plate", "track_id", "group")
"""Arrays of an archive that are taken for groups, if --group-column names none."""


@reads_images
@reads_tables
def train_encoder(
    out: Annotated[Path, typer.Option(help="Folder to write: logs, checkpoint, and model/.")],
    frames: Annotated[
        list[Path] | None, typer.Option(help="Image or movie; may be repeated, as --centroids.")
    ] = None,
    centroids: Annotated[
        list[Path] | None,
        typer.Option(help="Cells of each image: .csv, .parquet, btrack .h5, or a GEFF store."),
    ] = None,
    crops: Annotated[
        list[Path] | None,
        typer.Option(help="Archive (.npz) of images (N, H, W); may be repeated."),
    ] = None,
    sources: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="TOML file that names many data sets, in place of the above."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the data sets in --sources; the file's own if left out."),
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="Data set of --sources to leave out; may be repeated.")
    ] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            help="Segmentation of each image, for the diameter and the outlines of cells."
        ),
    ] = None,
    diameter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PX|auto",
            help=f"Diameter of a typical interphase nucleus, px: {EACH}, images first.",
        ),
    ] = None,
    channel: Annotated[
        list[int] | None, typer.Option(help=f"Channel with the nuclei, counted from 0: {EACH}.")
    ] = None,
    channel_axis: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AXIS",
            help="Axis of the channels, by position or letter, if the file does not say so.",
        ),
    ] = None,
    group_column: Annotated[
        str | None,
        typer.Option(help="Array of an archive with the groups that are held out as a whole."),
    ] = None,
    start: Annotated[
        str,
        typer.Option(metavar="NAME|DIR|none", help="Model to fine-tune; none: random weights."),
    ] = "none",
    epochs: Annotated[
        int | None,
        typer.Option(help="Most epochs; 300, or 100 to fine-tune, if left out."),
    ] = None,
    patience: Annotated[
        int,
        typer.Option(help="Stop after this many epochs without a lower held-out loss; 0: never."),
    ] = 20,
    beta: Annotated[
        float | None, typer.Option(help="Weight β of total correlation; 2 if left out.")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Crops in a batch; 256 if left out.")] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(help="Peak learning rate; 1e-3, or 3e-4 to fine-tune, if left out."),
    ] = None,
    latents: Annotated[
        int | None, typer.Option(help="Number of latents; 32, or those of --start.")
    ] = None,
    network: Annotated[
        Literal["equivariant", "plain", "turning"] | None,
        typer.Option(
            help="equivariant (if left out): latents that rotate with the cell or are "
            "invariant, and local contrast predicted; plain: the paper's. With --start, that of "
            "the model. turning is the old name of equivariant."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of everything; 0 if left out.")
    ] = None,
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"] | None,
        typer.Option(help="auto (if left out) is bfloat16 where the device has it in hardware."),
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="auto is cuda where there is one.")
    ] = "auto",
    settings_file: Annotated[
        Path | None,
        typer.Option(
            "--settings",
            metavar="FILE",
            help="TOML file (fields: Settings of a training, in the reference).",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume the stopped run in --out.")
    ] = False,
    name: Annotated[str, typer.Option(help="Name of the model; the folder's if left out.")] = "",
    reading: Reading = PLAIN,
    table_options: TableOptions = AS_IT_TELLS,
) -> None:
    """Train the encoder on your own cells, from random weights or from an installed model."""
    from napari_interpdisc.crops import MODEL_DIAMETER
    from napari_interpdisc.io.settings import read_settings
    from napari_interpdisc.training.encoder.data import split_sources, with_masks
    from napari_interpdisc.training.encoder.run import (
        check_run_folder,
        precision_of,
        run_training,
        training_settings,
    )
    from napari_interpdisc.training.encoder.settings import EncoderTraining

    read = (*(frames or ()), *(centroids or ()), *(crops or ()), *(labels or ()), sources)
    check_run_folder(out, resume, read)
    fine_tune = start != "none"
    wanted_epochs = epochs if epochs is not None else (100 if fine_tune else 300)
    place = _device(device)
    base = EncoderTraining()
    if settings_file is not None:
        base = read_settings(settings_file, EncoderTraining)
    if precision is None:
        precision = base.precision if "precision" in base.model_fields_set else "auto"
    exact = precision_of(precision, place)
    loaded, shape = _network(start, latents, network, base)

    def settings_for(patches: int) -> EncoderTraining:
        return training_settings(
            patches, wanted_epochs, base=base, batch=batch, beta=beta, seed=seed,
            patience=patience, precision=exact, learning_rate=learning_rate, network=shape,
            fine_tune=fine_tune,
        )  # fmt: skip

    # a number that is out of range is told before anything is read
    asked = settings_for(batch or base.batch)
    model_diameter = loaded.model_diameter if loaded is not None else MODEL_DIAMETER
    fit = _Fit(model_diameter, shape.crop_size, asked.subject == "cell")
    if sources is not None:
        if frames or centroids or crops:
            raise InvalidInput("Give --sources, or --frames and --crops, not both.")
        found = _from_file(sources, data, without or [], fit)
    else:
        given = _paired(frames or [], centroids or [], crops or [], labels or [])
        one_each = (
            _each(diameter or ["auto"], len(given), "--diameter"),
            _each(channel or [None], len(given), "--channel"),
            _each(channel_axis or [None], len(given), "--channel-axis"),
        )
        found = _from_files(given, *one_each, table_options, group_column, fit, reading)
    if fit.masks:
        found = [with_masks(source, model_diameter) for source in found]
    train, held_out = split_sources(found, asked.batch, asked.seed)
    n_train = sum(len(s.patches) for s in train)
    settings = settings_for(n_train)
    told = (
        f"{n_train} cells to train on, {sum(len(s.patches) for s in held_out)} held out, from "
        f"{len(found)} source{'s' * (len(found) != 1)}; an epoch is {settings.evaluate_every} "
        f"steps, {place}, {exact}"
    )
    say(told)
    shown = console()  # one for all lines: the progress bar is drawn below them
    kept = f"the same command with --resume goes on with {out}."
    with keeps(kept), progress_bar("steps") as progress:
        run = run_training(
            found,
            settings,
            out,
            start=loaded,
            model_diameter=model_diameter,
            name=name,
            resume=resume,
            device=place,
            command=shlex.join(["interpdisc", *sys.argv[1:]]),
            log=lambda row: say(_log_line(row, settings), to=shown),
            progress=progress,
        )
    say(*_summary(run, settings), str(run.folder))


def _paired(
    frames: Sequence[Path], centroids: Sequence[Path], crops: Sequence[Path], labels: Sequence[Path]
) -> list[tuple[Path, Path | None, Path | None]]:
    """Sources: (image, cells, segmentation or None), then (archive, None, None)."""
    if not frames and not crops and not centroids:
        raise InvalidInput("Give --frames and --centroids, or --crops in their place.")
    if len(frames) != len(centroids):
        raise InvalidInput(
            f"--frames was given {len(frames)} times and --centroids {len(centroids)} times; each "
            "image needs its own cells."
        )
    if labels and len(labels) != len(frames):
        raise InvalidInput(
            f"--labels was given {len(labels)} times for {len(frames)} images; give one for each "
            "image, or none."
        )
    segmented: Sequence[Path | None] = labels or [None] * len(frames)
    for path in (*frames, *centroids, *labels, *crops):
        if not path.exists():
            raise InvalidInput(f"There is no file {path}; check the path.")
    return [
        *zip(frames, centroids, segmented, strict=True),
        *((archive, None, None) for archive in crops),
    ]


def _each(values: Sequence[T], n: int, option: str) -> list[T]:
    """One value for each source."""
    if len(values) not in (1, n):
        raise InvalidInput(
            f"{option} was given {len(values)} times for {n} sources; give it {EACH}."
        )
    return list(values) * (n if len(values) == 1 else 1)


def _device(wanted: str) -> str:
    import torch

    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if not torch.cuda.is_available():
        raise InvalidInput("There is no CUDA device that torch can use; give --device cpu.")
    return "cuda"


def _network(
    start: str, latents: int | None, kind: str | None, base: EncoderTraining
) -> tuple[CellModel | None, TCVAEConfig]:
    """The model to fine-tune, if any, and the network's shape."""
    from pydantic import ValidationError

    from napari_interpdisc.models.store import load_model
    from napari_interpdisc.models.tcvae import TCVAEConfig

    kind = "equivariant" if kind == "turning" else kind
    if start == "none":
        if latents is None and kind is None and "network" in base.model_fields_set:
            return None, base.network
        make = TCVAEConfig if kind == "plain" else TCVAEConfig.equivariant
        try:
            return None, make(latents=32 if latents is None else latents)
        except ValidationError:
            raise InvalidInput(f"{latents} latents cannot be used; give 1 to 256.") from None
    loaded = load_model(start, device="cpu")
    network = loaded.encoder.config
    if latents not in (None, network.latents):
        raise InvalidInput(
            f"Model '{loaded.name}' has {network.latents} latents, not {latents}; leave --latents "
            "out to fine-tune it."
        )
    own = "equivariant" if network.rotating else "plain"
    if kind not in (None, own):
        raise InvalidInput(
            f"The network of model '{loaded.name}' is {own}, not {kind}; leave --network out to "
            "fine-tune it."
        )
    return loaded, network


@dataclass(frozen=True)
class _Fit:
    """What patches must fit: the model's nuclear diameter, and the side of its crops, px.

    ``masks``: whether the outline of the central cell must be known.
    """

    diameter: float
    crop_size: int
    masks: bool = False


def _from_file(
    sources: Path, data: Path | None, without: Sequence[str], fit: _Fit
) -> list[EncoderSource]:
    from napari_interpdisc.training.encoder.sources import read_sources

    folder = data if data is not None else sources.parent
    with progress_bar("data sets") as progress:
        return read_sources(
            sources, folder, fit.diameter, fit.crop_size, without, progress, fit.masks
        )


def _from_files(
    given: Sequence[tuple[Path, Path | None, Path | None]],
    diameters: Sequence[str],
    channels: Sequence[int | None],
    axes: Sequence[str | None],
    options: TableOptions,
    group: str | None,
    fit: _Fit,
    reading: Reading,
) -> list[EncoderSource]:
    for text in diameters:
        diameter_of(text)
    asked = options.asked()
    found = []
    for (image, table, labels), px, channel, axis in zip(
        given, diameters, channels, axes, strict=True
    ):
        if table is None:
            found.append(_from_crops(image, px, fit, group))
        else:
            files = MovieFiles(
                image, table, labels, px, channel, axis, reading, options.swap_xy, asked
            )
            found.append(_from_frames(files, fit))
    return found


def _from_frames(files: MovieFiles, fit: _Fit) -> EncoderSource:
    from napari_interpdisc.nuclei.masks import cell_masks
    from napari_interpdisc.patches import label_crops, patch_side
    from napari_interpdisc.training.encoder.data import masked, source_of_cells

    opened = files.open_usable()
    with progress_bar("cells") as progress:
        source = source_of_cells(
            opened.frames, opened.cells, opened.diameter, fit.diameter, fit.crop_size,
            str(files.image), progress,
        )  # fmt: skip
    if not fit.masks or opened.segmentation is None:
        return source
    whole, side = opened.segmentation, patch_side(fit.crop_size)
    labels = label_crops(whole, opened.cells, opened.diameter, fit.diameter, side)
    return masked(source, cell_masks(source.patches, labels, fit.diameter), fit.diameter)


def _from_crops(path: Path, diameter: str, fit: _Fit, group: str | None) -> EncoderSource:
    from napari_interpdisc.io.labelled_crops import array_names, read_crops
    from napari_interpdisc.training.encoder.data import source_of_crops

    px = crop_diameter(diameter)
    if group is None:
        group = next((g for g in GROUPS if g in array_names(path)), None)
    images, *groups = read_crops(path, group)
    return source_of_crops(
        images, px, fit.diameter, fit.crop_size, str(path), groups[0] if groups else None,
        group or "crop",
    )  # fmt: skip


def _log_line(row: dict[str, float], settings: EncoderTraining) -> str:
    """The loss terms, and those on held-out cells where known."""
    epoch = row["step"] / settings.evaluate_every
    line = (
        f"epoch {epoch:6.1f}  step {row['step']:6.0f}  reconstruction {row['reconstruction']:7.1f}"
        + (f"  texture {row['texture']:6.1f}" if "texture" in row else "")
        + f"  KL {row['kl']:6.1f}  TC {row['total_correlation']:6.2f}"
        f"  active latents {row['active_latents']:3.0f}"
    )
    if row["held_out_loss"] == row["held_out_loss"]:
        line += f"  held-out loss {row['held_out_loss']:7.1f}"
    return line


def _summary(run: EncoderRun, settings: EncoderTraining) -> list[str]:
    """What came of it: the weights that were kept, and the table of fine-tuning."""
    last, best = run.lines[-1], run.best
    early = "stopped early, " if last["step"] < settings.steps else ""
    lines = [
        f"{early}{last['step']} steps in {last['seconds'] / 60:.1f} min; kept the weights of step "
        f"{best['step']} (held-out loss {best['held_out_loss']:.1f})"
    ]
    if run.report is not None:
        rows = [("on held-out cells", "before", "after"), *run.report.rows()]
        lines += [f"{what:26s} {before:>10s} {after:>10s}" for what, before, after in rows]
        lines += run.report.summary()
    return lines
