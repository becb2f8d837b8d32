"""Files of microscopes, through bioio: an optional extra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_interpdisc.errors import InvalidInput, MissingExtra
from napari_interpdisc.io.source import Source

SUFFIXES = (".nd2", ".czi", ".lif")

MOST_LISTED = 6


def open_vendor(path: Path, series: int | None = None) -> Source:
    """Open one scene of a microscope's file; planes are read when they are asked for.

    Raises
    ------
    InvalidInput
        If the file holds several scenes and none was chosen, or cannot be read.
    MissingExtra
        If bioio, or its reader for this kind of file, is not installed.
    """
    try:
        from bioio import BioImage
        from bioio_base.exceptions import UnsupportedFileFormatError
    except ImportError:
        raise _missing(path) from None
    try:
        image: Any = BioImage(path)
    except UnsupportedFileFormatError:
        raise _missing(path) from None
    scenes = [str(scene) for scene in image.scenes]
    taken: tuple[str, ...] = ()
    if len(scenes) > 1:
        listed = ", ".join(f"{k} ({name})" for k, name in enumerate(scenes[:MOST_LISTED]))
        if series is None:
            raise InvalidInput(
                f"{path} holds {len(scenes)} scenes ({listed}"
                f"{', …' if len(scenes) > MOST_LISTED else ''}); choose one with --series."
            )
        taken = (f"scene {series} of {len(scenes)}",)
    if not 0 <= (series or 0) < len(scenes):
        raise InvalidInput(f"{path} has no scene {series}; it has {len(scenes)}, counted from 0.")
    image.set_scene(series or 0)
    return Source(path, image.dask_data, str(image.dims.order), taken)


def vendor_calibration(path: Path) -> tuple[tuple[float, float] | None, float | None]:
    """µm per pixel along y and x, and seconds between frames, of the first scene; None if unknown.

    Raises
    ------
    ImportError
        If bioio is not installed.
    """
    from bioio import BioImage

    image: Any = BioImage(path)
    sizes = image.physical_pixel_sizes
    interval = getattr(image, "time_interval", None)
    seconds = getattr(interval, "total_seconds", lambda: interval)()
    return (
        (float(sizes.Y), float(sizes.X)) if sizes.Y and sizes.X else None,
        float(seconds) if seconds else None,
    )


def _missing(path: Path) -> MissingExtra:
    return MissingExtra(
        f"{path} needs the extra 'formats', which reads ND2, CZI and LIF files: "
        'pip install "napari-interpdisc[formats]".'
    )
