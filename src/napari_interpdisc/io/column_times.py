"""Frame numbers from the columns of a table: counts of frames, times in seconds, times of day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float64Array
from napari_interpdisc.cells import LAST_FRAME
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.clock import numbers_of, seconds_of
from napari_interpdisc.io.column_roles import TableReading, finite
from napari_interpdisc.io.dialects import (
    FRAME,
    FRAME_NAMES,
    PIXEL,
    SECONDS,
    TIME_NAMES,
    Column,
)

if TYPE_CHECKING:
    pass

_SLICES = ("slice", "slicenumber", "slicen")


def times_of(reading: TableReading) -> Float64Array | None:
    """Frame numbers as the table counts them; None without a column of them."""
    candidates = reading.roles.get("t", [])
    if not candidates:
        return None
    candidates, values = _readable_times(reading, candidates)
    empty = [c for c in candidates if not np.isfinite(values[c.name]).any()]
    candidates = [c for c in candidates if c not in empty]
    if not candidates:
        return None
    if "t" not in reading.asked.columns and len(candidates) > 1:
        # the one frame of a z-stack, or the one slice of a movie, is no time
        moving = [c for c in candidates if np.ptp(finite(values[c.name])) > 0]
        still = [c for c in candidates if c not in moving]
        one_frame = reading.movie is not None and reading.movie.frames == 1
        candidates = (still or moving) if one_frame else (moving or still)
    if "t" not in reading.asked.columns:
        candidates = _frames_before_images(reading, candidates, values)
    chosen = candidates[0]
    reading.roles["t"] = [chosen]
    if "t" not in reading.asked.columns:
        frame = chosen.key.startswith("frame")
        for other in candidates[1:]:
            if frame and other.key in _SLICES and _counts(values[other.name]):
                continue  # planes of a stack
            _check_agreement(reading, chosen, values[chosen.name], other, values[other.name])
    reading.used.add(chosen.name)
    return _in_frames(reading, chosen, values[chosen.name])


def _readable_times(
    reading: TableReading, candidates: Sequence[Column]
) -> tuple[list[Column], dict[str, Float64Array]]:
    """Columns of times, and their values; one that holds none is left out if there is another.

    Times of day (``0:05:00``) become seconds, and texts such as ``t0003`` their numbers.
    """
    values: dict[str, Float64Array] = {}
    readable: list[Column] = []
    fault: InvalidInput | None = None
    for column in candidates:
        raw = reading.table[reading.by_name[column.name]]
        seconds = seconds_of(raw, column.unit)
        numbers = numbers_of(raw) if seconds is None else None
        try:
            found = seconds if seconds is not None else numbers
            values[column.name] = reading.values(column) if found is None else found
        except InvalidInput as why:
            fault = fault or why
            continue
        readable.append(column if seconds is None else replace(column, unit="s"))
    if fault is not None and not readable:
        raise fault
    return readable, values


def _frames_before_images(
    reading: TableReading, candidates: list[Column], values: Mapping[str, Float64Array]
) -> list[Column]:
    """Columns of frames, if there are any, without the count of all images of a run.

    The count tells where the frames begin, if the run begins with this movie.
    """
    images = [c for c in candidates if c.key in reading.dialect.counts_images]
    frames = [c for c in candidates if c not in images and _counts(values[c.name])]
    if not images or not frames:
        reading.counts_images = bool(images)
        return images or candidates
    apart = np.unique(finite(values[images[0].name] - values[frames[0].name]))
    if len(apart) == 1 and apart[0] in (0, 1):
        reading.counted_from = 1 - int(apart[0])
    return frames


def _check_agreement(
    reading: TableReading, chosen: Column, frames: Float64Array, other: Column, times: Float64Array
) -> None:
    """Refuse two columns of times that contradict each other.

    Times in seconds must grow with the frames; another count of frames must do so evenly.
    """
    good = np.isfinite(frames) & np.isfinite(times)
    if good.sum() < 2:
        return
    order = np.lexsort((times[good], frames[good]))
    f, s = frames[good][order], times[good][order]
    step = np.diff(f)
    tolerance = 1e-6 * max(1.0, float(np.abs(s).max()))
    same = bool(np.abs(np.diff(s))[step == 0].max(initial=0) <= tolerance)
    grows = bool((np.diff(s)[step > 0] > 0).all())
    counts = not other.unit and bool((s == np.rint(s)).all())
    if same and grows and counts and (step > 0).any():
        rate = np.diff(s)[step > 0] / step[step > 0]
        grows = bool(np.ptp(rate) <= tolerance)
        if grows and abs(rate[0] - 1) <= tolerance and s[0] == 0 and f[0] == 1:
            reading.counted_from = 1  # the other column counts the same frames from 0
    if not (same and grows):
        raise InvalidInput(
            f"Columns '{chosen.name}' and '{other.name}' of '{reading.source}' contradict each "
            f"other; say which one counts the frames: --columns t={chosen.name} or "
            f"--columns t={other.name}."
        )


def _in_frames(reading: TableReading, column: Column, values: Float64Array) -> Float64Array:
    """Times in seconds become frame numbers; frame numbers stay."""
    unit = column.unit if column.unit != FRAME else ""
    asked = "t" in reading.asked.columns
    if unit and unit not in SECONDS:
        if asked or unit == PIXEL:
            return values
        raise InvalidInput(
            f"Column '{column.name}' of '{reading.source}' is in '{unit}', which cannot be "
            f"converted to frames; name the column of frames with --columns t=… (it has "
            f"{reading.names})."
        )
    # TrackMate writes POSITION_T in the time unit of the image, which the header may leave out
    physical = column.key in ("positiont", "post")
    interval = reading.asked.frame_interval
    if reading.counts_images and not asked:
        # the images of one movie among those of a run
        high = finite(values).max()
        if reading.movie is None or high > reading.movie.frames:
            counted = _one_a_frame(reading, values)
            if counted is not None:
                reading.keep(column)
                n = len(np.unique(finite(values)))
                reading.taken.append(f"t from the {n} images of '{column.name}', one a frame")
                return counted
    if not unit and not physical and interval is None:
        if _steps(reading, column, values) == 1:
            return values
        counted = _one_a_frame(reading, values)
        if counted is None:
            raise InvalidInput(
                f"Column '{column.name}' of '{reading.source}' goes in steps of "
                f"{_steps(reading, column, values):g}; give --frame-interval if these are seconds, "
                f"or --columns t={column.name} if it counts frames."
            )
        reading.keep(column)
        reading.taken.append(f"t from the times of '{column.name}', one for each frame")
        return counted
    if not unit and asked and interval is None:
        return values
    if interval is None and reading.movie is not None:
        interval = reading.movie.frame_interval
    # a column that the user named and gave an interval for holds times
    named = asked and reading.asked.frame_interval is not None and column.key not in FRAME_NAMES
    if not (unit or named or physical or interval is None or column.key in TIME_NAMES):
        return values  # a count of frames needs no interval
    if interval is None or (physical and not unit and reading.asked.frame_interval is None):
        counted = _one_a_frame(reading, values)
        if counted is not None:
            reading.keep(column)
            n = reading.movie.frames if reading.movie is not None else 0
            reading.taken.append(f"t from the {n} times of '{column.name}', one for each frame")
            return counted
        what = f"is in {unit}" if unit else "is a time of unknown unit"
        raise InvalidInput(
            f"'{reading.source}' has no column of frames: '{column.name}' {what}. Give "
            f"--frame-interval, in seconds, or --columns t={column.name} if it counts frames "
            f"(it has {reading.names})."
        )
    frames = values * SECONDS.get(unit, 1.0) / interval
    spread = np.ptp(finite(frames))
    if 0 < spread < 0.5:
        raise InvalidInput(
            f"All times in column '{column.name}' of '{reading.source}' lie within one frame of "
            f"{interval:g} s; leave --frame-interval out if it counts frames, or correct it."
        )
    off = np.abs(frames - np.rint(frames)) > 0.2
    if off[np.isfinite(frames)].any():
        first = values[np.isfinite(frames)][off[np.isfinite(frames)]][0]
        raise InvalidInput(
            f"Column '{column.name}' of '{reading.source}' has a time of {first:g} {unit or 's'}, "
            f"which is no multiple of {interval:g} s, the time between frames; check "
            "--frame-interval, or name a column of frames with --columns t=…."
        )
    reading.keep(column)
    reading.taken.append(f"t from '{column.name}' in {unit or 's'} ÷ {interval:g} s")
    return np.asarray(np.rint(frames))


def _one_a_frame(reading: TableReading, values: Float64Array) -> Float64Array | None:
    """Frame numbers of times that are even and as many as the image has frames, else None."""
    good = np.isfinite(values)
    found = np.unique(values[good])
    if reading.movie is None or len(found) < 2 or len(found) != reading.movie.frames:
        return None
    if np.ptp(np.diff(found)) > 1e-3 * np.diff(found).mean():
        return None
    return np.where(good, np.searchsorted(found, values), np.nan)


def _steps(reading: TableReading, column: Column, values: Float64Array) -> float:
    """Least step of a column that may be a time; 1 of what can only count frames."""
    found = np.unique(values[np.isfinite(values)])
    asked = "t" in reading.asked.columns
    if asked or column.key == "t" or column.key not in TIME_NAMES or len(found) < 3:
        return 1.0
    return max(1.0, float(np.diff(found).min()))


def frames_of(reading: TableReading, times: Float64Array) -> npt.NDArray[np.int64]:
    """Frame numbers from 0."""
    column = reading.roles["t"][0]
    whole = np.rint(times)
    off = (np.abs(times - whole) > 1e-6) | (whole < 0) | (whole > LAST_FRAME)
    if off.any():
        raise InvalidInput(
            f"'{reading.source}' has a time of {times[off][0]:g} in column '{column.name}'; times "
            f"are frame numbers: whole and not negative, at most {LAST_FRAME}."
        )
    converted = reading.taken and reading.taken[-1].startswith("t from")
    low, high = int(whole.min()), int(whole.max())
    first = 0 if converted else _first_frame(reading, column, low, high)
    if not converted:
        reading.taken.append(f"t from '{column.name}' ({low}…{high}, counted from {first})")
    if first:
        reading.keep(column)
    return np.asarray(whole, np.int64) - first


def _first_frame(reading: TableReading, column: Column, low: int, high: int) -> int:
    """Number of the first frame: as asked, as the dialect counts, or as the image tells."""
    asked = reading.asked.first_frame
    if asked is not None:
        if low < asked:
            raise InvalidInput(
                f"Column '{column.name}' of '{reading.source}' holds frame {low}, which is before "
                f"--first-frame {asked}."
            )
        return asked
    if low == 0 or reading.counted_from is not None:
        return reading.counted_from or 0
    frames = reading.movie.frames if reading.movie is not None else None
    if frames is not None and high == frames:
        return 1  # there is no frame of that number if the first one is 0
    images = reading.dialect.counts_images
    if reading.dialect.first_frame is not None and (not images or column.key in images):
        return reading.dialect.first_frame
    if frames is not None and low == 1 and column.key != "t" and high < frames:
        raise InvalidInput(
            f"Column '{column.name}' of '{reading.source}' begins with 1 and the image has "
            f"{frames} frames: give --first-frame 0 if its first frame is 0, or --first-frame "
            "1."
        )
    return 0


def _counts(values: Float64Array) -> bool:
    """Whether whole numbers go in steps of 1 somewhere, as a count of frames does."""
    found = np.unique(finite(values))
    whole = bool((found == np.rint(found)).all())
    return whole and (len(found) < 2 or float(np.diff(found).min()) == 1)
