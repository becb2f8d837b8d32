"""Numbered files as one movie: the numbers in their names say which is which frame."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.planes import Planes
from napari_interpdisc.io.source import Source
from napari_interpdisc.io.tiff import SUFFIXES, files_of_series, open_tiff

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")

MOST_LISTED = 4


def is_pattern(path: Path) -> bool:
    """Whether a path is a pattern of file names, such as ``seq/*.tif``, and no file."""
    return not path.exists() and any(letter in str(path) for letter in "*?[")


def open_folder(
    path: Path, channel: int | None = None, channel_pattern: str | None = None
) -> Source:
    r"""Open the images of a folder, or those that fit a pattern of names, as one movie.

    Parameters
    ----------
    path
        A folder, or a pattern such as ``seq/*_C0.tif``. Hidden files are left out.
    channel, channel_pattern
        A regular expression with one group that finds the channel in a name, such as ``_C(\d)``,
        and which of the channels found, in their order and counted from 0.

    Raises
    ------
    InvalidInput
        If the names leave open which file is which frame: more than one number varies, a number
        is missing, or there is none. Also if files differ in shape or cannot be read.
    """
    pattern = is_pattern(path)
    files = _listed(path, pattern)
    taken: tuple[str, ...] = ()
    if len(files) > 1 and (spread := _one_image_in_all(files)) is not None:
        return spread
    if channel_pattern is not None:
        files, said = _of_channel(path, files, channel, channel_pattern)
        taken = (said,)
    files, said = _in_order(path, files, channel_pattern, explicit=pattern)
    opened = [_header(file) for file in files]
    _check_alike(path, files, opened)
    first = opened[0]
    outer, inner = (len(files),), first.shape

    def read(k: int) -> npt.NDArray[Any]:
        return np.asarray(_header(files[k]).data).reshape(inner)

    data = Planes(outer, inner, np.dtype(first.data.dtype), read)
    return Source(path, data, "T" + first.axes, (*taken, said))


def open_picture(path: Path) -> Source:
    """Open a PNG or another picture; only its size and type are read now.

    Raises
    ------
    InvalidInput
        If it holds several pictures, as an animation does.
    """
    from PIL import Image

    with Image.open(path) as picture:
        if getattr(picture, "n_frames", 1) > 1:
            raise InvalidInput(
                f"{path} is an animation; save its frames as a TIFF, or as one picture each."
            )
        probe = Image.new(picture.mode, (1, 1))
        paletted = picture.mode == "P"
        size = picture.size
    one = np.asarray(probe.convert("RGB") if paletted else probe)
    height, width = size[1], size[0]
    shape = (height, width, *one.shape[2:])

    def read(_: int) -> npt.NDArray[Any]:
        with Image.open(path) as again:
            pixels = np.asarray(again.convert("RGB") if again.mode == "P" else again)
        return pixels.reshape(shape)

    data = Planes((), shape, one.dtype, read)
    return Source(path, data, "YXS" if len(shape) == 3 else "YX")


def _header(file: Path) -> Source:
    """One file of a sequence, its pixels unread. What the tag of a single page says is enough."""
    return open_tiff(file) if file.suffix.lower() in SUFFIXES else open_picture(file)


def _listed(path: Path, pattern: bool) -> list[Path]:
    found = [Path(name) for name in glob.glob(str(path))] if pattern else list(path.iterdir())
    files = [f for f in found if f.is_file() and not f.name.startswith(".")]
    images = [f for f in files if f.suffix.lower() in (*SUFFIXES, *PICTURES)]
    if not images:
        if pattern:
            raise InvalidInput(f"No image fits '{path}'; check the folder and the pattern.")
        inside = sorted(d.name for d in found if d.is_dir() and not d.name.startswith("."))
        hint = f"; it holds the folders {_list(inside)}: give one of them" if inside else ""
        raise InvalidInput(f"The folder {path} holds no TIFF files or pictures{hint}.")
    kinds = {_kind(f) for f in images}
    if len(kinds) > 1:
        some = ", ".join(f"*{kind}" for kind in sorted(kinds))
        raise InvalidInput(
            f"{path} holds images of several kinds ({some}); choose one with a pattern in quotes, "
            f"such as '{_within(path, '*' + sorted(kinds)[-1])}'."
        )
    return sorted(images)


def _kind(file: Path) -> str:
    suffix = file.suffix.lower()
    return {".tiff": ".tif", ".jpeg": ".jpg"}.get(suffix, suffix)


def _within(path: Path, name: str) -> str:
    """Return a pattern of names in the folder that was given."""
    return f"{path.parent if is_pattern(path) else path}/{name}"


def _one_image_in_all(files: Sequence[Path]) -> Source | None:
    """The movie of an OME-TIFF in several files, if the files are those of one."""
    if files[0].suffix.lower() not in SUFFIXES:
        return None
    try:
        parts = files_of_series(files[0])
    except Exception:
        return None  # the fault is told when the file is opened
    if len(parts) < 2 or not parts <= set(files):
        return None
    found = open_tiff(files[0])
    said = f"one OME-TIFF in {len(parts)} files"
    return Source(found.path, found.data, found.axes, (*found.taken, said))


def _of_channel(
    path: Path, files: Sequence[Path], channel: int | None, pattern: str
) -> tuple[list[Path], str]:
    """Files of the wanted channel, and what was taken for it."""
    try:
        expression = re.compile(pattern)
    except re.error as fault:
        raise InvalidInput(f"'{pattern}' is no regular expression ({fault}).") from None
    if expression.groups != 1:
        raise InvalidInput(
            f"The channel pattern '{pattern}' needs one group in brackets that holds the channel, "
            r"such as '_C(\d)' or '_(GFP|RFP)'."
        )
    of_file = {f: m[1] for f in files if (m := expression.search(f.stem)) and m[1] is not None}
    missing = [f.name for f in files if f not in of_file]
    if missing:
        raise InvalidInput(
            f"The channel pattern '{pattern}' does not fit {len(missing)} of {len(files)} files in "
            f"{path} ({_list(missing)})."
        )
    names = sorted(set(of_file.values()), key=_natural)
    if channel is None and len(names) > 1:
        raise InvalidInput(
            f"{path} has {len(names)} channels ({_list(names)}); choose one with --channel, from "
            f"0 to {len(names) - 1}."
        )
    number = channel or 0
    if not 0 <= number < len(names):
        raise InvalidInput(
            f"Channel {number} does not exist: the files have {len(names)} channels "
            f"({_list(names)}), counted from 0."
        )
    said = f"channel {number} is '{names[number]}' of {_list(names)} in the file names"
    return [f for f in files if of_file[f] == names[number]], said


def _in_order(
    path: Path, files: Sequence[Path], channel_pattern: str | None, explicit: bool
) -> tuple[list[Path], str]:
    """Files by the number that varies in their names, and what was taken for it."""
    if len(files) == 1:
        return list(files), f"the one file {files[0].name}"
    stems = [f.stem for f in files]
    if channel_pattern is not None:
        stems = [re.sub(channel_pattern, "", stem, count=1) for stem in stems]
    parts = [re.split(r"(\d+)", stem) for stem in stems]
    texts = {tuple(p[::2]) for p in parts}
    if len(texts) > 1:
        names = sorted({"#".join(text) for text in texts})
        raise InvalidInput(
            f"The names in {path} are of several kinds ({_list(names)}), so that their order is "
            "open; choose the files of one movie with a pattern in quotes, such as "
            f"'{_within(path, names[0].replace('#', '*') + files[0].suffix)}', or tell channels "
            "apart with --channel-pattern and --channel."
        )
    numbers = np.array([[int(n) for n in p[1::2]] for p in parts], dtype=object)
    varying = [k for k in range(numbers.shape[1]) if len(set(numbers[:, k])) > 1]
    if not varying and numbers.shape[1]:
        varying = [numbers.shape[1] - 1]  # t1 and t01
    if not varying:
        raise InvalidInput(
            f"No number tells the order of the files in {path} ({_list([f.name for f in files])})."
        )
    column = _time_of(path, files, parts, numbers, varying)
    order = sorted(range(len(files)), key=lambda i: numbers[i, column])
    counted = [int(numbers[i, column]) for i in order]
    ordered = [files[i] for i in order]
    steps = set(np.diff(np.array(counted, dtype=object)).tolist())
    if len(steps) > 1 and not explicit:
        _refuse_gap(path, counted, ordered)
    evenly = "" if len(steps) == 1 else ", with gaps in their numbers,"
    said = (
        f"{len(files)} files{evenly} taken for frames 0 to {len(files) - 1}: {ordered[0].name} is "
        f"frame 0, {ordered[-1].name} frame {len(files) - 1}"
    )
    return ordered, said


def _time_of(
    path: Path, files: Sequence[Path], parts: list[list[str]], numbers: Any, varying: list[int]
) -> int:
    """The varying number that counts frames."""

    def ranks(k: int) -> list[int]:
        return sorted(range(len(files)), key=lambda i: numbers[i, k])

    unique = [k for k in varying if len(set(numbers[:, k])) == len(files)]
    # a second number that rises with the first, such as a time in seconds, leaves nothing open
    if len(unique) == len(varying) and len({tuple(ranks(k)) for k in unique}) == 1:
        even = [k for k in unique if len(set(np.diff(sorted(numbers[:, k])).tolist())) == 1]
        return even[0] if even else unique[0]
    if len(varying) == 1:
        twice = [f.name for f in files if f not in {files[i] for i in _firsts(numbers, varying[0])}]
        raise InvalidInput(
            f"Two files in {path} have the same number ({_list(twice)} is the second of them); "
            "remove one."
        )
    # what is called t or frame, or has most values, is the likelier time
    few = min(
        varying,
        key=lambda k: (
            re.search(r"(?:^|[^a-z])(t|time|frame)_?$", parts[0][2 * k].lower()) is not None,
            len(set(numbers[:, k])),
        ),
    )
    before = parts[0][2 * few]
    tail = re.split(r"[^A-Za-z]", before)[-1]
    tail = before[len(before) - len(tail) - 1 :] if len(before) > len(tail) else tail
    after = parts[0][2 * few + 2]
    one = f"*{tail}{parts[0][2 * few + 1]}{after[:1]}{'*' if after else ''}{files[0].suffix}"
    raise InvalidInput(
        f"{len(varying)} numbers vary in the file names of {path} (such as {files[0].name} and "
        f"{files[-1].name}), so that it is open which counts frames; choose the files of one "
        f"channel with a pattern in quotes, such as '{_within(path, one)}', or give "
        f"--channel-pattern '{re.escape(tail)}(\\d+)' and --channel."
    )


def _firsts(numbers: Any, k: int) -> list[int]:
    return [int(i) for i in np.unique([int(n) for n in numbers[:, k]], return_index=True)[1]]


def _refuse_gap(path: Path, counted: list[int], ordered: Sequence[Path]) -> None:
    step = int(np.min(np.diff(np.array(counted, dtype=object))))
    missing = sorted(set(range(counted[0], counted[-1], step)) - set(counted))
    what = (
        f"{'number' if len(missing) == 1 else 'numbers'} {_list([str(n) for n in missing])} "
        f"{'is' if len(missing) == 1 else 'are'} missing"
        if missing
        else f"numbers {_list([str(n) for n in counted])} are unevenly spaced"
    )
    raise InvalidInput(
        f"{what[0].upper()}{what[1:]} among the files of {path} ({ordered[0].name} to "
        f"{ordered[-1].name}), so that later frames would get another time; add the missing files, "
        "or give a pattern in quotes, such as "
        f"'{_within(path, '*' + ordered[0].suffix)}', to take the files that are there for frames "
        f"0 to {len(ordered) - 1}."
    )


def _check_alike(path: Path, files: Sequence[Path], opened: Sequence[Source]) -> None:
    first = opened[0]
    for file, one in zip(files, opened, strict=True):
        if (one.shape, one.axes) != (first.shape, first.axes):
            raise InvalidInput(
                f"The images in {path} differ in shape ({files[0].name}: {first.described()}; "
                f"{file.name}: {one.described()}); give frames of one movie."
            )
    if any(a == "T" and n > 1 for a, n in zip(first.axes, first.shape, strict=True)):
        raise InvalidInput(
            f"The images in {path} are movies themselves ({files[0].name}: {first.described()}); "
            "give one file, or single frames."
        )


def _natural(text: str) -> list[tuple[int, str]]:
    """Sort key under which t2 comes before t10."""
    parts: list[str] = re.split(r"(\d+)", text)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_LISTED]) + (", …" if len(names) > MOST_LISTED else "")
