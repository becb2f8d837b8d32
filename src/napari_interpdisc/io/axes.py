"""Which axis of an array is time, z, channel, y and x: by the file, or by what the user says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.planes import rearranged
from napari_interpdisc.io.source import UNNAMED, Source

ZMode = Literal["max", "mid", "centroid"]
"""How a z-stack becomes planes: brightest pixel, middle plane, or the plane of each cell."""

ORDER = "TZCYX"

SHORT = 32
"""Pixels that no image of cells has along x while its other axes are four times as long."""

NAMES = {"T": "time", "Z": "z", "C": "channels", "Y": "y", "X": "x"}


@dataclass(frozen=True)
class AxisChoice:
    """What the user says of the axes of an image.

    Attributes
    ----------
    channel
        Number of the channel, from 0.
    channel_axis, time_axis
        Position of the axis, or the letter that the file gives it.
    z
        How a z-stack becomes planes.
    """

    channel: int | None = None
    channel_axis: int | str | None = None
    time_axis: int | str | None = None
    z: ZMode | None = None


@dataclass(frozen=True)
class Arranged:
    """An array with the axes (t), (z), (c), y, x, in this order.

    Attributes
    ----------
    data
        The array, read lazily.
    axes
        Its axes, some of TZCYX.
    taken
        What was taken for what, in phrases.
    """

    data: Any
    axes: str
    taken: tuple[str, ...]

    def position(self, axis: str) -> int | None:
        """Position of an axis, or None."""
        return self.axes.index(axis) if axis in self.axes else None


def arrange(source: Source, choice: AxisChoice) -> Arranged:
    """Put the axes of a file in order, and leave out those of length 1.

    Raises
    ------
    InvalidInput
        If the file does not say what an axis is and neither does the user, or if what the user
        says does not fit the file.
    """
    letters, shape = _named(source, choice), source.shape
    kept = _without_single(letters, shape, choice)
    if UNNAMED in letters:
        _check_colours(source, letters, kept)
        _check_last(source, letters, kept)
    _name_plane(letters, kept)
    told = list(source.taken)
    _name_rest(source, letters, kept, choice, told)
    _check(source, letters, kept, choice)
    if choice.time_axis is not None:
        told.append(_told_of(source, letters, "T"))
    order = [k for wanted in ORDER for k in kept if letters[k] == wanted]
    axes = "".join(letters[k] for k in order)
    return Arranged(rearranged(source.data, order), axes, tuple(told))


def _told_of(source: Source, letters: list[str], axis: str) -> str:
    at = letters.index(axis)
    of_file = source.axes[at]
    called = f"axis {at}" if of_file == UNNAMED else f"axis {of_file}"
    return f"{NAMES[axis]} is {called} of the file ({source.shape[at]})"


def _position(source: Source, axis: int | str, option: str) -> int:
    """Position of an axis that the user names by a number or by the file's letter."""
    text = str(axis).strip()
    n = len(source.axes)
    try:
        number = int(text)
    except ValueError:
        letter = text.upper()
        if source.axes.count(letter) == 1 and letter != UNNAMED:
            return source.axes.index(letter)
        raise InvalidInput(
            f"{option} {axis}: {source.path} has no axis of that name (it has "
            f"{source.described()}); give its position, from 0 to {n - 1}."
        ) from None
    if not -n <= number < n:
        raise InvalidInput(
            f"{option} {number} does not exist: the image has {n} axes ({source.described()}); "
            f"choose one between 0 and {n - 1}."
        )
    return number % n


def _named(source: Source, choice: AxisChoice) -> list[str]:
    """Letter of each axis, once the user has named those that he names."""
    letters = list(source.axes)
    asked = [
        (letter, option, _position(source, axis, option))
        for letter, option, axis in (
            ("T", "--time-axis", choice.time_axis),
            ("C", "--channel-axis", choice.channel_axis),
        )
        if axis is not None
    ]
    if len({at for _, _, at in asked}) < len(asked):
        raise InvalidInput(
            f"--time-axis and --channel-axis are the same axis of {source.path} "
            f"({source.described()}); give two."
        )
    for letter, _, at in asked:
        if letters[at] in "YX":
            # what a writer called y or x, not knowing better, says nothing of the other either
            letters = [UNNAMED if other in "YX" else other for other in letters]
        letters = [UNNAMED if other == letter else other for other in letters]
        letters[at] = letter
    if "S" in letters and choice.channel is not None and not _long(letters, source.shape, "C"):
        letters = ["C" if letter == "S" else letter for letter in letters]
    return letters


def _long(letters: list[str], shape: tuple[int, ...], axis: str) -> bool:
    return any(a == axis and n > 1 for a, n in zip(letters, shape, strict=True))


def _without_single(letters: list[str], shape: tuple[int, ...], choice: AxisChoice) -> list[int]:
    """Axes that are longer than 1, y and x, and a time axis that the user names."""
    kept = list(range(len(letters)))
    named = "YX" + ("T" if choice.time_axis is not None else "")
    for k in range(len(letters)):
        planar = sum(letters[j] in "YX" or letters[j] == UNNAMED for j in kept)
        spare = letters[k] not in named and (letters[k] != UNNAMED or planar > 2)
        if shape[k] == 1 and spare:
            kept.remove(k)
    return kept


def _check_colours(source: Source, letters: list[str], kept: list[int]) -> None:
    """Refuse an array that may well be a picture in colours."""
    if len(kept) != 3 or any(letters[k] != UNNAMED for k in kept):
        return
    n, height, last = (source.shape[k] for k in kept)
    eight_bit = np.dtype(source.data.dtype) == np.uint8
    if min(n, height) > 4 and (last == 3 or (last == 4 and eight_bit)):
        raise InvalidInput(
            f"{source.path} looks like an RGB image (shape {source.shape}); choose one colour with "
            f"--channel and --channel-axis {kept[-1]}, or give --time-axis {kept[0]} if it is a "
            "movie."
        )


def _check_last(source: Source, letters: list[str], kept: list[int]) -> None:
    """Refuse an array whose last axis is so short that it may well be time, and x none."""
    # writers that know no axes call the last two y and x
    if "".join(letters[k] for k in kept) not in (3 * UNNAMED, UNNAMED + "YX"):
        return
    first, middle, last = (source.shape[k] for k in kept)
    if last < SHORT and min(first, middle) >= 4 * last:
        raise InvalidInput(
            f"{source.path} has shape {source.shape} and does not say what its axes are; if the "
            f"last one is time give --time-axis {kept[-1]}, if the first one is give --time-axis "
            f"{kept[0]}."
        )


def _name_plane(letters: list[str], kept: list[int]) -> None:
    """The last two axes without a name are y and x."""
    missing = [a for a in "YX" if a not in letters]
    free = [k for k in kept if letters[k] == UNNAMED]
    for k, letter in zip(
        free[len(free) - len(missing) :] if missing else [], missing, strict=False
    ):
        letters[k] = letter


def _name_rest(
    source: Source, letters: list[str], kept: list[int], choice: AxisChoice, told: list[str]
) -> None:
    """One axis that is left without a name is z, where z was asked for, or else time."""
    free = [k for k in kept if letters[k] == UNNAMED]
    has = {letters[k] for k in kept}
    if not free:
        return
    if len(free) == 1 and choice.z is not None and "Z" not in has:
        letters[free[0]] = "Z"
    elif len(free) == 1 and "T" not in has and not _asks_channel(letters, kept, choice):
        letters[free[0]] = "T"
        told.append(f"axis {free[0]}, which the file does not name, is taken for time")
    elif len(free) == 1 and _asks_channel(letters, kept, choice):
        raise InvalidInput(
            f"{source.path} does not say which of its axes {source.shape} is the channel axis; "
            "give it with --channel-axis."
        )
    else:
        raise InvalidInput(
            f"{source.path} has shape {source.shape} and does not say what its axes are "
            f"({source.described()}); give --time-axis, --channel-axis, or --z for a z-stack."
        )


def _asks_channel(letters: list[str], kept: list[int], choice: AxisChoice) -> bool:
    return choice.channel is not None and "C" not in {letters[k] for k in kept}


def _check(source: Source, letters: list[str], kept: list[int], choice: AxisChoice) -> None:
    """Refuse what cannot be made of these axes, with the option that helps."""
    found = [letters[k] for k in kept]
    of = {letters[k]: source.shape[k] for k in kept}
    strange = [a for a in found if a not in ORDER + "S"]
    if strange:
        raise InvalidInput(
            f"{source.path} has axes that are neither time, z, channel, y nor x "
            f"({source.described()}); save one position or one repeat as a file of its own."
        )
    if found.count("Y") != 1 or found.count("X") != 1 or len(set(found)) < len(found):
        raise InvalidInput(
            f"{source.path} has axes {source.described()}; a 2D image (y, x) or a movie (t, y, x) "
            "is needed: give --time-axis, --channel-axis, or --z for a z-stack."
        )
    if "S" in of:
        raise InvalidInput(f"{source.path} is an RGB image; choose one colour with --channel.")
    if "Z" in of and choice.z is None:
        raise InvalidInput(
            f"{source.path} is a z-stack of {of['Z']} planes ({source.described()}); give --z max, "
            "--z mid or --z centroid" + _or_time(source, letters, "Z")
        )
    if choice.z is not None and "Z" not in of and not _single(source, letters, "Z"):
        raise InvalidInput(
            f"--z needs a z-stack, and {source.path} has the axes {source.described()}; leave --z "
            "out, or save the planes with z as their axis."
        )
    if "C" in of and choice.channel is None:
        raise InvalidInput(
            f"{source.path} has {of['C']} channels; choose one, from 0 to {of['C'] - 1}, with "
            "--channel" + _or_time(source, letters, "C")
        )
    if choice.channel is not None and not 0 <= choice.channel < of.get("C", 1):
        n = of.get("C", 1)
        raise InvalidInput(
            f"Channel {choice.channel} does not exist: the image has {n} "
            f"channel{'s' * (n > 1)} ({source.described()})"
            + (f"; choose one between 0 and {n - 1}." if n > 1 else "; leave --channel out.")
        )


def _or_time(source: Source, letters: list[str], axis: str) -> str:
    """How to say that an axis is time after all, where no other is."""
    if "T" in letters and source.shape[letters.index("T")] > 1:
        return "."
    at = letters.index(axis)
    name = source.axes[at] if source.axes[at] != UNNAMED else at
    return f"; if they are time points, give --time-axis {name}."


def _single(source: Source, letters: list[str], axis: str) -> bool:
    return axis in letters and source.shape[letters.index(axis)] == 1
