"""Images and segmentations from files, read lazily."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import numpy as np

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames

TIFF = (".tif", ".tiff")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")


def read_frames(
    path: str | Path, channel: int | None = None, channel_axis: int | None = None
) -> Frames:
    """Open an image file as frames; pixels are read when they are asked for.

    Parameters
    ----------
    path
        TIFF, .npy, .zarr (OME-Zarr: its finest level), or a picture (.png …); or a folder of TIFFs
        of equal shape, one per time, in the order of the numbers in their names.
    channel
        Number of the channel. The channel axis is the file's own (C in TIFF or OME-Zarr axes) or
        ``channel_axis``.
    channel_axis
        Where the channel axis is, if the file does not say so.

    Raises
    ------
    InvalidInput
        If the file is missing, unreadable, RGB, a z-stack, or has a channel axis and no channel
        was chosen.
    """
    data, axes = _open(Path(path))
    if "S" in axes:
        raise InvalidInput(
            f"{path} is an RGB image; save the channel with the nuclei as a greyscale image."
        )
    if "Z" in axes:
        raise InvalidInput(
            f"{path} is a 3D stack (axes {axes}); give one plane or a projection along z."
        )
    axis = channel_axis
    if axis is None and "C" in axes:
        axis = axes.index("C")
    if axis is None and channel is not None and len(data.shape) > 2:
        raise InvalidInput(
            f"{path} does not say which of its axes {tuple(data.shape)} is the channel axis; give "
            "the channel axis too."
        )
    if axis is not None and channel is None:
        n = data.shape[axis] if -len(data.shape) <= axis < len(data.shape) else 0
        if n > 1:
            raise InvalidInput(f"{path} has {n} channels; choose one, from 0 to {n - 1}.")
    if axis is None and len(data.shape) == 3 and data.shape[-1] in (3, 4) and axes in ("", "YXS"):
        raise InvalidInput(
            f"{path} looks like an RGB image (shape {tuple(data.shape)}); save the channel with "
            "the nuclei as a greyscale image, or give the channel and channel axis 2."
        )
    return Frames(data, axis, channel or 0)


def read_labels(path: str | Path) -> Any:
    """Open a segmentation, (Y, X) or (T, Y, X), as a lazily read array of integers.

    Raises
    ------
    InvalidInput
        If the file is missing or unreadable, or does not hold whole numbers.
    """
    data, axes = _open(Path(path))
    if np.dtype(data.dtype).kind not in "bui":
        raise InvalidInput(
            f"{path} holds values of type {data.dtype}; a segmentation holds whole numbers, one "
            "per object."
        )
    if len(data.shape) not in (2, 3) or set(axes) & {"Z", "C", "S"}:
        raise InvalidInput(
            f"{path} has shape {tuple(data.shape)}; a segmentation has axes (y, x) or (t, y, x)."
        )
    return data


def _open(path: Path) -> tuple[Any, str]:
    """Array and its axes, as letters of TYXCZS, or "" where the file does not tell."""
    if not path.exists():
        raise InvalidInput(f"There is no file {path}; check the path.")
    suffix = path.suffix.lower()
    try:
        if suffix == ".zarr" or (path.is_dir() and _is_zarr(path)):
            return _open_zarr(path)
        if path.is_dir():
            return _open_folder(path)
        if suffix in TIFF:
            return _open_tiff(path)
        if suffix == ".npy":
            return np.load(path, mmap_mode="r", allow_pickle=False), ""
        if suffix in PICTURES:
            from skimage.io import imread

            picture = imread(path)
            return picture, "YXS" if picture.ndim == 3 else "YX"
    except InvalidInput:
        raise
    except Exception as fault:
        text = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise InvalidInput(f"{path} cannot be read as an image ({text}).") from None
    raise InvalidInput(
        f"{path} is not a kind of image that can be read: give TIFF, .npy, .zarr or .png."
    )


def _open_tiff(path: Path) -> tuple[Any, str]:
    import dask.array as da
    import tifffile
    from dask.delayed import delayed

    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        # an unnamed first axis (Q, I) of a plain stack is taken for time
        axes = "".join("T" if a in "QI" else a for a in series.axes)
        if series.kind == "shaped" and axes == "SYX":
            # tifffile, not told otherwise, writes three or four frames as colours in planes
            axes = "TYX"
        keep = [i for i, n in enumerate(series.shape) if n > 1 or axes[i] in "YX"]
        shape, axes, dtype = series.shape, "".join(axes[i] for i in keep), series.dtype
        page_shape, n_pages = tuple(series.keyframe.shape), len(series.pages)
    if axes.count("T") > 1:
        raise InvalidInput(
            f"{path} has shape {shape} and does not name its axes; save it with named axes."
        )
    with contextlib.suppress(ValueError, OSError):
        mapped: Any = tifffile.memmap(path, mode="r")
        return mapped.reshape([shape[i] for i in keep]), axes
    # Compressed files cannot be mapped: a page is decoded when its frame is read, by opening the
    # file anew, since an open file would outlive the last reader's interest in it.
    if n_pages > 1 and shape == (*shape[: len(shape) - len(page_shape)], *page_shape):

        def page(block_info: Any = None) -> Any:
            k = block_info[None]["chunk-location"][0]
            return tifffile.imread(path, key=int(k)).reshape(1, *page_shape)

        data: Any = da.map_blocks(
            page,
            chunks=((1,) * n_pages, *((n,) for n in page_shape)),
            dtype=dtype,
            meta=np.empty((0,) * (1 + len(page_shape)), dtype),
        )
    else:

        def whole() -> Any:
            return tifffile.imread(path)

        data = da.from_delayed(delayed(whole)(), shape, dtype)
    return data.reshape([shape[i] for i in keep]), axes


def _open_folder(path: Path) -> tuple[Any, str]:
    import dask.array as da

    files = sorted((f for f in path.iterdir() if f.suffix.lower() in TIFF), key=_numbered)
    if not files:
        raise InvalidInput(f"The folder {path} holds no TIFF files.")
    opened = [_open_tiff(f) for f in files]
    if len({(tuple(data.shape), axes) for data, axes in opened}) > 1:
        raise InvalidInput(f"The TIFF files in {path} differ in shape; give frames of one movie.")
    if "T" in opened[0][1]:
        raise InvalidInput(
            f"The TIFF files in {path} are movies themselves; give one file, or single frames."
        )
    return da.stack([da.asarray(data) for data, _ in opened]), "T" + opened[0][1]


def _numbered(path: Path) -> list[tuple[int, str]]:
    """Sort key under which t2 comes before t10."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _is_zarr(path: Path) -> bool:
    return any((path / name).exists() for name in ("zarr.json", ".zarray", ".zgroup"))


def _open_zarr(path: Path) -> tuple[Any, str]:
    import zarr

    node: Any = zarr.open(str(path), mode="r")
    if isinstance(node, zarr.Array):
        return node, ""
    attributes: dict[str, Any] = dict(node.attrs)
    scales: list[Any] = attributes.get("ome", attributes).get("multiscales", [])
    if not scales:
        raise InvalidInput(f"{path} is a Zarr group without OME-Zarr images; give one array of it.")
    array: Any = node[scales[0]["datasets"][0]["path"]]
    letters = [a["name"] if isinstance(a, dict) else a for a in scales[0].get("axes", [])]
    axes = "".join(letters).upper()
    if len(axes) == array.ndim:
        single = [i for i, n in enumerate(array.shape) if n == 1 and axes[i] not in "YX"]
        if single:
            import dask.array as da

            lazy = da.from_zarr(array)
            index = tuple(0 if i in single else slice(None) for i in range(array.ndim))
            return lazy[index], "".join(a for i, a in enumerate(axes) if i not in single)
    return array, axes
