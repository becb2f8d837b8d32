"""Options that say how an image file is to be read, given to every command that reads one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from napari_interpdisc.errors import InvalidInput

if TYPE_CHECKING:
    from napari_interpdisc.frames import Frames

TimeAxis = Annotated[
    str | None,
    typer.Option(
        metavar="AXIS",
        help="Axis of time, by its position or its letter in the file, if the file calls it "
        "something else: Z for a movie that Fiji saved as a z-stack.",
    ),
]
Z = Annotated[
    Literal["max", "mid", "centroid"] | None,
    typer.Option(
        help="Planes of a z-stack: the brightest pixel, the middle plane, or for each cell the "
        "plane of its column z."
    ),
]
Series = Annotated[
    int | None,
    typer.Option(help="Series, scene or position to read, where a file holds several."),
]
ChannelPattern = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help=r"For a folder: where the file names hold the channel, such as '_C(\d)'; --channel "
        "counts the channels that are found.",
    ),
]


@dataclass(frozen=True)
class Reading:
    """How an image file is to be read, beside its channel; see ``read_frames``."""

    time_axis: str | None = None
    z: Literal["max", "mid", "centroid"] | None = None
    series: int | None = None
    channel_pattern: str | None = None

    def frames(self, image: Path, channel: int | None, channel_axis: str | None) -> Frames:
        """Open an image."""
        from napari_interpdisc.io.images import read_frames

        return read_frames(image, channel, channel_axis, **asdict(self))

    def note(self) -> dict[str, Any]:
        """Return what was given, to be written beside a result."""
        return {name: value for name, value in asdict(self).items() if value is not None}


PLAIN = Reading()
"""As the file says by itself."""

OPTIONS: dict[str, tuple[Any, Any]] = {
    "time_axis": (TimeAxis, None),
    "z": (Z, None),
    "series": (Series, None),
    "channel_pattern": (ChannelPattern, None),
}
"""Type and default of each option."""


def reads_images(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of :class:`Reading`, in place of its argument ``reading``."""

    def collected(given: dict[str, Any]) -> Reading:
        reading = Reading(**{name: given.pop(name, None) for name in OPTIONS})
        if reading.note() and not any(given.get(name) for name in ("image", "frames", "movies")):
            names = ", ".join("--" + name.replace("_", "-") for name in reading.note())
            raise InvalidInput(f"{names}: there is no image to read; leave it out, or give one.")
        return reading

    return options_of(command, "reading", OPTIONS, collected, after="channel_axis")


def options_of(
    command: Callable[..., None],
    argument: str,
    options: Mapping[str, tuple[Any, Any]],
    collect: Callable[[dict[str, Any]], Any],
    after: str,
) -> Callable[..., None]:
    """Give a command options in place of one argument that holds them all.

    Parameters
    ----------
    command
        The function; typer reads its signature.
    argument
        The argument in whose place the options are.
    options
        Type and default of each.
    collect
        Takes the options out of all that was given, and returns the argument.
    after
        The argument that they follow.
    """

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        made = collect(given)
        command(**given, **{argument: made})

    hints = get_type_hints(command, include_extras=True)
    parameters = [
        p.replace(annotation=hints.get(p.name, p.annotation), kind=inspect.Parameter.KEYWORD_ONLY)
        for p in inspect.signature(command).parameters.values()
        if p.name != argument
    ]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in options.items()
    ]
    at = [p.name for p in parameters].index(after) + 1
    signature = inspect.Signature([*parameters[:at], *added, *parameters[at:]])
    with_options.__signature__ = signature  # type: ignore[attr-defined]
    # of an argument that another decorator replaces, typer sees nothing
    with_options.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    del with_options.__wrapped__
    return with_options
