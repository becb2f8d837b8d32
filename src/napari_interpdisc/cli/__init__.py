"""``interpdisc``: the command line. Parse, call, print; nothing is computed here."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from napari_interpdisc import __version__
from napari_interpdisc.errors import InterpdiscError, InvalidInput

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.frames import Frames
    from napari_interpdisc.models.classifier import Classifier, NamedHead
    from napari_interpdisc.pipeline import Progress

app = typer.Typer(
    help="Classify, explain and perturb the cells of a movie.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # a wrong call is told in a sentence, not in a box
    pretty_exceptions_enable=False,
)

ImagePath = Annotated[
    Path, typer.Argument(metavar="IMAGE", help="TIFF, .npy, .zarr, .png, or a folder of TIFFs.")
]
Tracks = Annotated[
    Path,
    typer.Option(help="Cells: .csv or .parquet (t, y, x, track_id), btrack .h5, or a GEFF store."),
]
LabelsPath = Annotated[
    Path | None, typer.Option(help="Segmentation from which the diameter is measured.")
]
Diameter = Annotated[
    str,
    typer.Option(metavar="PX|auto", help="Diameter of a typical interphase nucleus, in pixels."),
]
Channel = Annotated[int | None, typer.Option(help="Channel with the nuclei, counted from 0.")]
ChannelAxis = Annotated[
    int | None, typer.Option(help="Axis of the channels, if the file does not say so.")
]
SwapXY = Annotated[
    bool, typer.Option("--swap-xy", help="The tracks file means the rows of the image by x.")
]
Model = Annotated[str, typer.Option(metavar="NAME|DIR", help="Installed model, or model folder.")]
Head = Annotated[str | None, typer.Option(help="Head of the model; its first one if left out.")]


def main() -> None:
    """Run the command line; the exit code is 0, 1 for a fault that can be mended, 2 for misuse."""
    try:
        app(standalone_mode=True)
    except InterpdiscError as fault:
        Console(stderr=True).print(f"[red]Error:[/red] {_plain(str(fault))}", soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        Console(stderr=True).print("Stopped; nothing unfinished was left behind.")
        sys.exit(130)
    except BrokenPipeError:
        # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _plain(text: str) -> str:
    """Text in which rich finds no markup."""
    return text.replace("[", r"\[")


def _version(wanted: bool) -> None:
    if wanted:
        Console().print(__version__, highlight=False)
        raise typer.Exit


@app.callback()
def _common(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@contextmanager
def _progress(what: str) -> Iterator[Progress]:
    """Progress bar on standard error, as a callback of (done, in all)."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # what is left on standard error, when something is amiss, is the one sentence that says so
    shown = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, n: bar.update(task, completed=done, total=n)


def _diameter(text: str) -> float | None:
    """Diameter that was given, None for auto."""
    from napari_interpdisc.crops import check_diameter

    if text.strip().lower() == "auto":
        return None
    try:
        return check_diameter(float(text))
    except InvalidInput:
        raise
    except ValueError:
        raise InvalidInput(
            f"'{text}' is no diameter: give a number of pixels, or auto to have it estimated."
        ) from None


def _inputs(
    image: Path,
    tracks: Path,
    labels: Path | None,
    diameter: str,
    channel: int | None,
    channel_axis: int | None,
    swap_xy: bool,
) -> tuple[Frames, CellTable, float]:
    """Open and check everything that was given, and estimate the diameter if need be."""
    from napari_interpdisc.detect import estimate_diameter
    from napari_interpdisc.io.images import read_frames, read_labels
    from napari_interpdisc.io.tracks import read_cells

    given = _diameter(diameter)
    frames = read_frames(image, channel, channel_axis)
    segmentation = read_labels(labels) if labels is not None else None
    wanted = frames.shape if frames.is_movie else frames.shape[1:]
    if segmentation is not None and tuple(segmentation.shape) != wanted:
        raise InvalidInput(
            f"{labels} has shape {tuple(segmentation.shape)}, the image {wanted}; give the "
            "segmentation of this image."
        )
    cells = read_cells(tracks, swap_xy)
    cells.check_inside(frames)
    if given is None:
        given = estimate_diameter(frames, segmentation)
        Console().print(f"nuclear diameter: {given:.1f} px (estimated)", highlight=False)
    return frames, cells, given


@app.command()
def classify(
    image: ImagePath,
    tracks: Tracks,
    out: Annotated[Path, typer.Option(help="Table to write: .csv or .parquet.")],
    labels: LabelsPath = None,
    diameter: Diameter = "auto",
    channel: Channel = None,
    channel_axis: ChannelAxis = None,
    swap_xy: SwapXY = False,
    model: Model = "h2b",
    head: Head = None,
) -> None:
    """Classify every cell: one row each, and a JSON file with the settings beside the table."""
    from napari_interpdisc.io.results import check_table_path, write_table

    check_table_path(out)
    _diameter(diameter)
    from napari_interpdisc import pipeline
    from napari_interpdisc.models.store import load_model

    loaded = load_model(model)
    loaded.head(head)
    frames, cells, px = _inputs(image, tracks, labels, diameter, channel, channel_axis, swap_xy)
    with _progress("cells") as progress:
        result = pipeline.classify(frames, cells, loaded, px, head, progress)
    settings = {
        **result.settings,
        "image": str(image),
        "tracks": str(tracks),
        "labels": str(labels) if labels else None,
        "channel": channel,
        "channel_axis": channel_axis,
        "swap_xy": swap_xy,
        "model_diameter": loaded.model_diameter,
    }
    table = result.to_frame()
    write_table(table, settings, out)
    counts = table["class"].value_counts(sort=False)
    told = ", ".join(f"{n} {name}" for name, n in counts.items())
    Console().print(f"{len(table)} cells: {_plain(told)}", soft_wrap=True)
    encoding, flags = result.encoding, []
    if encoding.familiarity is not None:
        share = pipeline.percent(encoding.unfamiliar.mean())
        flags.append(f"{encoding.unfamiliar.sum()} ({share}) unlike the training data")
    flags.append(f"{encoding.touches_edge.sum()} may be cut by the edge of the image")
    Console().print(f"flagged: {', '.join(flags)}\n{_plain(str(out))}", soft_wrap=True)
    if warning := pipeline.unlike_training(encoding):
        Console(stderr=True).print(f"[yellow]Note:[/yellow] {_plain(warning)}", soft_wrap=True)


@app.command()
def detect(
    image: ImagePath,
    out: Annotated[Path, typer.Option(help="Table to write: .csv or .parquet.")],
    diameter: Diameter = "auto",
    channel: Channel = None,
    channel_axis: ChannelAxis = None,
) -> None:
    """Find nuclei in every frame: a table that classify and attack take as --tracks."""
    from napari_interpdisc.detect import detect_movie
    from napari_interpdisc.io.images import read_frames
    from napari_interpdisc.io.results import check_table_path, write_table

    check_table_path(out)
    px = _diameter(diameter)
    frames = read_frames(image, channel, channel_axis)
    cells = detect_movie(frames, px)
    settings = {"image": str(image), "diameter": px or "auto", "channel": channel}
    write_table(cells.to_frame(), settings, out)
    told = f"{len(cells)} cells in {len(frames)} frames\n{out}"
    Console().print(_plain(told), soft_wrap=True, highlight=False)


@app.command()
def attack(
    image: ImagePath,
    tracks: Tracks,
    out: Annotated[Path, typer.Option(help="Folder to write; it must not exist or be empty.")],
    space: Annotated[
        Literal["image", "latent"], typer.Option(help="Where the step is taken.")
    ] = "image",
    epsilon: Annotated[
        float | None,
        typer.Option(help="Step in standard deviations; 0.5 (image) or 1 (latent) if left out."),
    ] = None,
    method: Annotated[
        Literal["fgsm", "pgd", "random"], typer.Option(help="PGD and random are the controls.")
    ] = "fgsm",
    freeze: Annotated[
        str, typer.Option(metavar="3,17", help="Latents, or their names, that stay as they are.")
    ] = "",
    labels: LabelsPath = None,
    diameter: Diameter = "auto",
    channel: Channel = None,
    channel_axis: ChannelAxis = None,
    swap_xy: SwapXY = False,
    model: Model = "h2b",
    head: Head = None,
) -> None:
    """Perturb every cell against its class; writes scores, crops, and the controls' flips."""
    from napari_interpdisc.io.results import check_empty_folder

    check_empty_folder(out)
    _diameter(diameter)
    from pydantic import ValidationError

    from napari_interpdisc.models.store import load_model
    from napari_interpdisc.scrutiny.attacks import AttackSettings, check_frozen
    from napari_interpdisc.scrutiny.movie_attack import attack_movie

    loaded = load_model(model)
    loaded.head(head)
    frozen = _frozen(freeze, loaded.latent_names)
    check_frozen(frozen, loaded.n_latents)
    step = epsilon if epsilon is not None else {"image": 0.5, "latent": 1.0}[space]
    try:
        settings = AttackSettings(space=space, epsilon=step, method=method, frozen_latents=frozen)
    except ValidationError as fault:
        raise InvalidInput(
            f"ε = {step:g} cannot be used ({fault.errors()[0]['msg'].lower()}); give 0 to 8."
        ) from None
    frames, cells, px = _inputs(image, tracks, labels, diameter, channel, channel_axis, swap_xy)
    note = {"image": str(image), "tracks": str(tracks), "diameter": px}
    with _progress("cells") as progress:
        summary = attack_movie(frames, cells, loaded, px, settings, out, head, note, progress)
    console = Console()
    for name, share in summary.items():
        console.print(f"{name:8s} flips {share:6.1%} of {len(cells)} cells", highlight=False)
    console.print(_plain(str(out)), soft_wrap=True)


def _frozen(text: str, names: Mapping[str, int]) -> tuple[int, ...]:
    from napari_interpdisc.models.classifier import latent_of

    found = [latent_of(part.strip(), names) for part in text.split(",") if part.strip()]
    if None in found:
        raise InvalidInput(
            f"'{text}' is no list of latents: give their numbers, like --freeze 3,17"
            + (", or their names." if names else ".")
        )
    return tuple(latent for latent in found if latent is not None)


@app.command()
def models(
    long: Annotated[
        bool, typer.Option("--long", help="Tell what is known of each head, and where it is.")
    ] = False,
    model: Annotated[
        list[str] | None, typer.Option(metavar="NAME|DIR", help="Only this one; may be repeated.")
    ] = None,
) -> None:
    """List the installed models and their heads."""
    from napari_interpdisc.models.store import installed_models, load_model, resolve

    console = Console()
    for name in model or installed_models():
        folder, loaded = resolve(name), load_model(name, device="cpu")
        heads = ", ".join(f"{h.name} ({' / '.join(h.classes)})" for h in loaded.heads.values())
        told = f"heads: {heads}" if heads else "no head yet (interpdisc train --model)"
        line = f"{loaded.name}  {loaded.sha256[:12]}  {loaded.n_latents} latents  {told}"
        console.print(_plain(line), soft_wrap=True, highlight=False)
        if long:
            for h in loaded.heads.values():
                for text in _about(h, loaded):
                    console.print(_plain(f"  {text}"), soft_wrap=True, highlight=False)
            for text in _legend(loaded):
                console.print(_plain(f"  {text}"), soft_wrap=True, highlight=False)
            console.print(f"  nuclei {loaded.model_diameter:g} px in {loaded.crop_size} px crops")
            console.print(_plain(f"  {folder}"), soft_wrap=True, highlight=False)


def _about(named: NamedHead, model: Classifier) -> Iterator[str]:
    """What is known of a head, line by line."""
    from napari_interpdisc.models.formula import FormulaHead

    head = named.head
    used, aliases = head.used_latents, model.aliases
    between = ", " if any(i in aliases for i in used) else " "
    weights = "" if head.kind == "formula" else f"{head.n_weights} weights, "
    yield f"{named.name}: {named.summary}"
    yield (
        f"  {head.kind}; {weights}expression size {head.expression_size} "
        f"({head.size_without_biases} without biases); uses {len(used)} latents"
        + (": " + between.join(map(model.latent_label, used)) if head.kind != "dense" else "")
    )
    if isinstance(head, FormulaHead):
        names = [named.classes[1]] if len(head.formulas) == 1 else named.classes
        for name, formula in zip(names, head.formulas, strict=True):
            sign = " ≥ 0" if len(head.formulas) == 1 else ""
            yield f"  {name}: {formula.show(aliases=aliases)}{sign}"


def _legend(model: Classifier) -> Iterator[str]:
    """What the latents that sparse heads and formulas use stand for, line by line."""
    heads = [named.head for named in model.heads.values() if named.head.kind != "dense"]
    used = sorted({i for head in heads for i in head.used_latents})
    if model.meanings and used:
        yield "latents, and why they are called so:"
        for i in used:
            yield f"  z{i} {model.latent_about(i)}"
    for a, b in model.orientation_pairs:
        if a in used or b in used:
            yield f"z{a}, z{b}: orientation; z{a}² + z{b}² stays when the cell turns"


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the table and pictures.")] = Path(
        "interpdisc-demo"
    ),
    frames: Annotated[
        int | None, typer.Option(help="Only the first so many frames.", min=2)
    ] = None,
    window: Annotated[
        bool | None, typer.Option(help="Open napari, or not; by default where there is a display.")
    ] = None,
) -> None:
    """Classify the cells of a real HeLa movie, and show them."""
    from napari_interpdisc.demo import run_demo

    console = Console()

    def say(text: str) -> None:
        console.print(_plain(text), soft_wrap=True, highlight=False)

    with _progress("cells") as progress:
        shown: Any = run_demo(out, frames, window, say, progress)
    if shown is not None:
        shown()


from napari_interpdisc.cli import encoder as _encoder  # noqa: E402, F401 (adds commands)
from napari_interpdisc.cli import latents as _latents  # noqa: E402, F401 (adds commands)
from napari_interpdisc.cli import training as _training  # noqa: E402, F401 (adds commands)
