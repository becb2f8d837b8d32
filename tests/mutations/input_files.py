"""Seeded changes of images and tables of cells, as damage or a stranger would make them.

Tests and fuzz runs share this. ``SAMPLES`` makes a small valid file of each kind; each change takes
the file and says what it changed. ``read_input`` reads a file as the commands do. ``KINDS`` are the
kinds of a fuzz run, which gives the files to commands as well.
"""

from __future__ import annotations

import io
import json
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import tifffile
import zarr
from PIL import Image

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.calibration import read_calibration
from napari_interpdisc.io.columns import Asked, Movie
from napari_interpdisc.io.geff_files import write_geff
from napari_interpdisc.io.headers import holds_cells
from napari_interpdisc.io.images import open_labels, read_frames
from napari_interpdisc.io.label_cells import cells_of_labels
from napari_interpdisc.io.labelled_crops import read_crops, read_labelled_crops
from napari_interpdisc.io.layer_files import is_saved_layer
from napari_interpdisc.io.tracks import read_cells

from .kinds import Change, Draw, Kind, Use, pick
from .shipped import classified, detected

FRAMES, SIDE = 3, 24

VALUES: tuple[Any, ...] = (
    None, True, 0, 1, -1, 7, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64, -(2**63), 10**12, 10**400,
    0.5, -0.5, 1e-308, 1e19, 3e38, 1e308, float("nan"), float("inf"), -float("inf"), "", " ", "x",
    "1e19", "\x00", "\x1b[31mred", "[/x]", "=1+1", "名", "x" * 5000, [], {}, [0], [[0]], [10**12],
    [10**6, 10**6], "|O", "<u2", "<f8", "<U9", "<M8[s]", "<c16", "uint16", "string", "pickle",
)  # fmt: skip
"""What takes the place of a value."""

LAUGHS = (
    "<!DOCTYPE T [<!ENTITY a 'ha'>"
    + "".join(f"<!ENTITY {n} '{f'&{o};' * 10}'>" for o, n in zip("abcdefgh", "bcdefghi"))  # noqa: B905
    + "]>"
)


def _movie() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 200, (FRAMES, SIDE, SIDE)).astype(np.uint16)


def _table() -> pd.DataFrame:
    rows = [
        {"track_id": k, "t": t, "y": 5.0 + 6 * k, "x": 8.0 + t, "parent": 0, "name": "a"}
        for k in (1, 2)
        for t in range(FRAMES)
    ]
    return pd.DataFrame(rows)


def _tiff(name: str, **options: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        pixels = _movie().astype(np.uint8) if options.get("compression") == "jpeg" else _movie()
        tifffile.imwrite(folder / name, pixels, photometric="minisblack", **options)
        return folder / name

    return make


def _zarr(version: int, shards: bool = False) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        options: dict[str, Any] = {"shards": (1, SIDE, SIDE)} if shards else {}
        group = zarr.open_group(str(folder / "image.zarr"), mode="w", zarr_format=version)
        axes = [{"name": n, "type": k} for n, k in zip("tyx", ("time", "space", "space"))]  # noqa: B905
        said = [{"axes": axes, "datasets": [{"path": "0"}], "version": "0.5"}]
        group.attrs.update(
            {"ome": {"multiscales": said}} if version == 3 else {"multiscales": said}
        )
        made = group.create_array(
            "0", shape=(FRAMES, SIDE, SIDE), dtype="uint16", chunks=(1, 12, 24), **options
        )
        made[...] = _movie()
        return folder / "image.zarr"

    return make


def _labels() -> np.ndarray[Any, Any]:
    masks = np.zeros((FRAMES, SIDE, SIDE), np.uint16)
    masks[:, 4:8, 4:8], masks[:, 14:18, 12:16] = 1, 2
    return masks


def _npy(folder: Path) -> Path:
    np.save(folder / "image.npy", _movie())
    return folder / "image.npy"


def _png(folder: Path) -> Path:
    Image.fromarray(_movie()[0].astype(np.uint8)).save(folder / "image.png")
    return folder / "image.png"


def _label_tiff(folder: Path) -> Path:
    tifffile.imwrite(folder / "labels.tif", _labels(), compression="zlib", photometric="minisblack")
    return folder / "labels.tif"


def _crops(folder: Path) -> Path:
    images = np.random.default_rng(0).integers(0, 99, (6, 16, 16)).astype(np.uint8)
    labels, plates = np.array(["a", "b"] * 3), np.arange(6) // 2
    np.savez_compressed(folder / "crops.npz", images=images, label=labels, plate=plates)
    return folder / "crops.npz"


def _csv(folder: Path) -> Path:
    _table().to_csv(folder / "cells.csv", index=False)
    return folder / "cells.csv"


def _csv_gz(folder: Path) -> Path:
    _table().to_csv(folder / "cells.csv.gz", index=False)
    return folder / "cells.csv.gz"


def _parquet(folder: Path) -> Path:
    _table().to_parquet(folder / "cells.parquet")
    return folder / "cells.parquet"


def _btrack(folder: Path) -> Path:
    table = _table()
    with h5py.File(folder / "tracks.h5", "w") as file:
        objects = file.create_group("objects/obj_type_1")
        zeros = np.zeros(len(table))
        coords = np.column_stack([table["t"], table["x"], table["y"], zeros, zeros])
        objects["coords"] = coords.astype(np.float32)
        objects["labels"] = np.zeros((len(table), 1), np.int32)
        objects["properties/area"] = np.arange(len(table), dtype=np.float32)
        tracks = file.create_group("tracks/obj_type_1")
        tracks["tracks"] = np.arange(len(table), dtype=np.int32)
        tracks["map"] = np.array([[0, 3], [3, 6]], np.int32)
        tracks["LBEPR"] = np.array([[1, 0, 2, 1, 1, 0], [2, 0, 2, 1, 1, 0]], np.int32)
    return folder / "tracks.h5"


def _geff(folder: Path) -> Path:
    table = _table()
    edges = [[0, 1], [1, 2], [3, 4], [4, 5]]
    return write_geff(folder / "cells.geff", table, ["t", "y", "x"], edges, {})


def _trackmate(folder: Path) -> Path:
    names = ("POSITION_X", "POSITION_Y", "POSITION_Z", "POSITION_T", "FRAME", "VISIBILITY")
    features = "".join(
        f'<Feature feature="{n}" name="{n}" shortname="{n}" dimension="NONE" isint="false"/>'
        for n in names
    )
    frames = "".join(
        f'<SpotsInFrame frame="{t}"><Spot ID="{t}" name="s{t}" POSITION_X="4" POSITION_Y="5" '
        f'POSITION_Z="0" POSITION_T="{t}" FRAME="{t}" VISIBILITY="1"/></SpotsInFrame>'
        for t in range(FRAMES)
    )
    edges = "".join(
        f'<Edge SPOT_SOURCE_ID="{t}" SPOT_TARGET_ID="{t + 1}"/>' for t in range(FRAMES - 1)
    )
    (folder / "tracks.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<TrackMate version="7.11.1"><Model '
        f'spatialunits="pixel" timeunits="frame"><FeatureDeclarations><SpotFeatures>{features}'
        '</SpotFeatures><EdgeFeatures><Feature feature="SPOT_SOURCE_ID" name="s" shortname="s" '
        'dimension="NONE" isint="true"/><Feature feature="SPOT_TARGET_ID" name="t" shortname="t" '
        'dimension="NONE" isint="true"/></EdgeFeatures><TrackFeatures><Feature feature="TRACK_ID" '
        'name="T" shortname="T" dimension="NONE" isint="true"/></TrackFeatures>'
        f'</FeatureDeclarations><AllSpots nspots="{FRAMES}">{frames}</AllSpots><AllTracks><Track '
        f'name="T" TRACK_ID="0">{edges}</Track></AllTracks><FilteredTracks><TrackID TRACK_ID="0"/>'
        '</FilteredTracks></Model><Settings><ImageData filename="a.tif" folder="" width="24" '
        'height="24" nslices="1" nframes="3" pixelwidth="1.0" pixelheight="1.0" voxeldepth="1.0" '
        'timeinterval="1.0"/></Settings></TrackMate>'
    )
    return folder / "tracks.xml"


def _detections(folder: Path) -> Path:
    spots = "".join(f'<detection t="{t}" x="5" y="6" z="0"/>' for t in range(FRAMES))
    (folder / "tracks.xml").write_text(
        f'<Tracks nTracks="1" spaceUnits="pixel"><particle nSpots="3">{spots}</particle></Tracks>'
    )
    return folder / "tracks.xml"


def _ctc(folder: Path) -> Path:
    place = folder / "TRA"
    place.mkdir()
    for t, mask in enumerate(_labels()):
        tifffile.imwrite(place / f"man_track{t:03}.tif", mask, compression="zlib")
    (place / "man_track.txt").write_text("1 0 2 0\n2 0 2 1\n")
    return place


SAMPLES: dict[str, Callable[[Path], Path]] = {
    "tiff": _tiff("image.tif"),
    "tiff-lzw": _tiff("image.tif", compression="lzw"),
    "tiff-deflate": _tiff("image.tif", compression="zlib", predictor=True),
    "tiff-jpeg": _tiff("image.tif", compression="jpeg"),
    "tiff-zstd": _tiff("image.tif", compression="zstd"),
    "tiff-tiled": _tiff("image.tif", tile=(16, 16), compression="zlib"),
    "tiff-big": _tiff("image.tif", bigtiff=True, compression="zlib"),
    "tiff-ome": _tiff("image.ome.tif", metadata={"axes": "TYX"}, compression="zlib"),
    "tiff-imagej": _tiff("image.tif", imagej=True, metadata={"axes": "TYX"}),
    "npy": _npy, "png": _png, "labels": _label_tiff,
    "zarr-2": _zarr(2), "zarr-3": _zarr(3), "zarr-3-shards": _zarr(3, shards=True),
    "crops": _crops,
    "csv": _csv, "csv-gz": _csv_gz, "parquet": _parquet, "btrack": _btrack, "geff": _geff,
    "trackmate": _trackmate, "detections": _detections, "ctc": _ctc,
}  # fmt: skip
"""A small valid file of each kind, made in a folder."""


def _file_of(path: Path, draw: Draw) -> Path:
    """The file, or one of a folder."""
    if path.is_file():
        return path
    return Path(pick(draw, sorted(str(p) for p in path.rglob("*") if p.is_file())))


def cut(path: Path, draw: Draw) -> str:
    """Leave out the end of a file."""
    file = _file_of(path, draw)
    data = file.read_bytes()
    end = int(draw.integers(len(data) + 1))
    file.write_bytes(data[:end])
    return f"{file.name} after {end} bytes"


def flip(path: Path, draw: Draw) -> str:
    """Change one to sixteen bytes, half of the time near the start."""
    file = _file_of(path, draw)
    data = bytearray(file.read_bytes())
    most = min(len(data), 400) if draw.random() < 0.5 else len(data)
    for at in draw.integers(max(most, 1), size=int(draw.integers(1, 17))):
        if at < len(data):
            data[int(at)] = int(draw.integers(256))
    file.write_bytes(data)
    return f"bytes of {file.name}"


def blocks(path: Path, draw: Draw) -> str:
    """Swap, blank, repeat or insert a block of a file."""
    file = _file_of(path, draw)
    data = file.read_bytes()
    what = pick(draw, ("swap", "zero", "ones", "repeat", "insert", "empty", "tail"))
    a, b = sorted(int(n) for n in draw.integers(len(data) + 1, size=2))
    block = data[a:b]
    changed = {
        "swap": data[b:] + block + data[:a],
        "zero": data[:a] + bytes(len(block)) + data[b:],
        "ones": data[:a] + b"\xff" * len(block) + data[b:],
        "repeat": data[:b] + block + data[b:],
        "insert": data[:a] + draw.bytes(int(draw.integers(1, 64))) + data[a:],
        "empty": b"",
        "tail": data + draw.bytes(512),
    }[what]
    file.write_bytes(changed)
    return f"{what} in {file.name}"


def replaced(path: Path, draw: Draw) -> str:
    """Put another thing in the place of a file: rubbish, another format, a folder, nothing."""
    file = _file_of(path, draw)
    what = pick(draw, ("rubbish", "text", "folder", "missing", "gzip", "pickle", "zeros"))
    file.unlink()
    if what == "folder":
        file.mkdir()
    elif what != "missing":
        data = {
            "rubbish": draw.bytes(3000), "text": b"not what it is\n" * 9, "zeros": bytes(999),
            "gzip": b"\x1f\x8b\x08\x00" + draw.bytes(99), "pickle": b"\x80\x04\x95\x0b.",
        }[what]  # fmt: skip
        file.write_bytes(data)
    return f"{what} for {file.name}"


def tiff_tag(path: Path, draw: Draw) -> str:
    """Write another number into a tag of a TIFF, or lead its pages in a circle."""
    file = _file_of(path, draw)
    data = bytearray(file.read_bytes())
    if data[:4] not in (b"II*\0", b"II+\0"):
        return flip(path, draw)
    big = data[2] == 43
    wide, entry, count = ("<Q", 20, 8) if big else ("<I", 12, 2)
    size = struct.calcsize(wide)
    at, pages = struct.unpack_from(wide, data, 8 if big else 4)[0], []
    while 0 < at < len(data) - count and at not in pages:
        pages.append(at)
        n = struct.unpack_from("<Q" if big else "<H", data, at)[0]
        end = at + count + n * entry
        if end + size > len(data):
            break
        at = struct.unpack_from(wide, data, end)[0]
    if not pages:
        return flip(path, draw)
    page = pick(draw, pages)
    n = struct.unpack_from("<Q" if big else "<H", data, page)[0]
    if draw.random() < 0.1:
        struct.pack_into(wide, data, page + count + n * entry, pick(draw, pages))
        told = "pages in a circle"
    else:
        k = int(draw.integers(n))
        where = page + count + k * entry
        code, kind = struct.unpack_from("<HH", data, where)
        part = pick(draw, ("value", "value", "value", "count", "kind", "code"))
        number = int(pick(draw, (0, 1, 2, 5, 8, 7, 255, 65535, 2**20, 2**31, 2**32 - 1)))
        if part == "value":
            struct.pack_into(wide, data, where + (12 if big else 8), number)
        elif part == "count":
            struct.pack_into(wide, data, where + 4, number)
        elif part == "kind":
            struct.pack_into("<H", data, where + 2, number % 20)
        else:
            struct.pack_into("<H", data, where, number % 65536)
        told = f"tag {code} of type {kind}: {part} {number}"
    file.write_bytes(data)
    return told


def tiff_pages(path: Path, draw: Draw) -> str:
    """Write a TIFF anew: pages of several shapes, types or ranks, or a description that lies."""
    file = _file_of(path, draw)
    what = pick(draw, ("shapes", "types", "ranks", "lies", "colours", "laughs"))
    file.unlink()
    # OME knows no empty arrays
    with tifffile.TiffWriter(file, ome=False if what == "ranks" else None) as writer:
        if what in ("shapes", "types"):
            for k in range(3):
                side = SIDE + 4 * k * (what == "shapes")
                dtype = ("u1", "u2", "f4")[k] if what == "types" else "u2"
                writer.write(np.ones((side, side), dtype), contiguous=False)
        elif what == "ranks":
            shape = pick(draw, ((1,), (2, 3, 4, 5, 6), (1, 1, 1), (0, 5), (2, 2, 24, 24, 3)))
            writer.write(np.zeros(shape, np.uint16))
        elif what == "colours":
            writer.write(np.zeros((24, 24, 3), np.uint8), photometric="rgb")
        else:
            said = pick(
                draw,
                (
                    '{"shape": [1000000, 24, 24]}', '{"shape": [1e9, "x"]}', '{"shape": []}',
                    "ImageJ=1.53\nimages=100000000\nframes=100000000\nhyperstack=true",
                    "ImageJ=1.53\nimages=-3\nslices=x\n",
                    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image><Pixels '
                    'DimensionOrder="XYCZT" SizeX="9999999" SizeY="9999999" SizeC="1" SizeZ="1" '
                    'SizeT="99999999" Type="uint16"><TiffData/></Pixels></Image></OME>',
                ),
            )  # fmt: skip
            if what == "laughs":
                said = LAUGHS + "<OME>&i;</OME>"
            writer.write(_movie()[0], description=said, metadata=None)
    return what


def json_value(path: Path, draw: Draw) -> str:
    """Replace, drop or add a value in a metadata file of a store."""
    files = [p for p in path.rglob("*") if p.name in ("zarr.json", ".zarray", ".zattrs", ".zgroup")]
    if not path.is_dir() or not files:
        return blocks(path, draw)
    file = Path(pick(draw, sorted(map(str, files))))
    document = json.loads(file.read_text())
    holder, key, told = document, None, ""
    while True:
        items = list(holder.items()) if isinstance(holder, dict) else list(enumerate(holder))
        if not items:
            break
        key, inner = items[int(draw.integers(len(items)))]
        told += f".{key}"
        if not isinstance(inner, (dict, list)) or not inner or draw.random() < 0.3:
            break
        holder = inner
    if key is None:
        return flip(path, draw)
    if draw.random() < 0.2:
        del holder[key]
        value: Any = "nothing"
    else:
        value = holder[key] = pick(draw, VALUES)
    file.write_text(json.dumps(document))
    return f"{file.name}{told} = {str(value)[:30]!r}"


def zarr_array(path: Path, draw: Draw) -> str:
    """Write an array of a store anew: of another rank, type or length, or with odd numbers."""
    arrays = sorted(
        {str(p.parent) for p in path.rglob("*") if p.name in (".zarray", "zarr.json")
         and json.loads(p.read_text()).get("node_type", "array") == "array"}
    ) if path.is_dir() else []  # fmt: skip
    if not arrays:
        return flip(path, draw)
    place = Path(pick(draw, arrays))
    old: Any = zarr.open_array(str(place), mode="r")
    values = np.asarray(old[...])
    new, what = _changed(values, draw)
    version = old.metadata.zarr_format
    shutil.rmtree(place)
    zarr.create_array(str(place), data=new, zarr_format=version)
    return f"{place.name}: {what}"


def _changed(values: Any, draw: Draw) -> tuple[Any, str]:
    """Values of another rank, type or length, or with odd numbers in some places."""
    what = pick(draw, ("rank", "flat", "short", "long", "type", "odd", "odd", "odd", "none"))
    if what == "rank":
        return values[..., None], what
    if what == "flat":
        return values.ravel(), what
    if what == "short":
        return values[:-1], what
    if what == "long":
        return np.concatenate([values, values]), what
    if what == "none":
        return values[:0], what
    if what == "type":
        kind = pick(draw, ("u8", "i8", "f8", "f4", "?", "u1", "U5"))
        numbers = values if values.dtype.kind in "buif" else np.zeros(values.shape)
        return numbers.astype(kind), f"{what} {kind}"
    number = pick(draw, (1e19, -1.0, 0.5, np.nan, np.inf, 2.0**63, 1e308, 2.0**53 + 2, -1e19))
    new = values.astype(np.float64) if values.dtype.kind in "buif" else np.zeros(values.shape)
    if new.size:
        new.reshape(-1)[int(draw.integers(new.size))] = number
    return new, f"{what} {number}"


def hdf5_data(path: Path, draw: Draw) -> str:
    """Write a data set of an HDF5 file anew: odd numbers, another rank, or 18 GiB of nothing."""
    if path.suffix != ".h5":
        return flip(path, draw)
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visititems(
            lambda name, at: names.append(name) if isinstance(at, h5py.Dataset) else None
        )
        name = pick(draw, sorted(names))
        values = file[name][...]
        what = pick(
            draw, ("change", "change", "change", "huge", "drop", "text", "link", "out", "filter")
        )
        if what == "filter":
            rule = pick(draw, ("area>=100", "area>-1", "x", "area>9999999999999999999", "label>1"))
            file["tracks/obj_type_1"].attrs["f_expr"] = rule
            return f"{what} {rule}"
        del file[name]
        if what == "change":
            new, told = _changed(values, draw)
            kind = values.dtype if draw.random() < 0.3 else new.dtype
            with np.errstate(all="ignore"):
                file[name] = new.astype(kind) if kind.kind != "U" else new.astype("S")
            return f"{name}: {told}"
        if what == "huge":
            shape = (int(4e8), *values.shape[1:])
            file.create_dataset(name, shape, values.dtype, chunks=True, fillvalue=1)
        elif what == "text":
            file[name] = np.array([b"a"] * len(values))
        elif what == "link":
            file[name] = h5py.SoftLink("/" + name)
        elif what == "out":
            file[name] = h5py.ExternalLink("/etc/passwd", "/a")
    return f"{what} {name}"


def table_value(path: Path, draw: Draw) -> str:
    """Put odd values into a column of a table: text, Parquet or the lines of a CTC table."""
    number = pick(
        draw,
        (1e19, -1.0, 0.5, np.nan, np.inf, 2**63, 2**64, -(2**63), 10**400, 1e308, "x", "", "1e400",
         b"\xff", "2024-01-01", True, None, [1], "9" * 30, "1,5", "-0", "1e19", "[/x]", "\x1b[0m"),
    )  # fmt: skip
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
        name = pick(draw, list(table))
        column = table[name].astype(object)
        for k in range(len(table) if draw.random() < 0.3 else 1):
            column.iloc[k] = number
        kind = pick(draw, ("mixed", "float", "datetime", "category", "uint64", "double"))
        try:
            if kind == "float":
                column = column.astype(float)
            elif kind == "category":
                column = column.astype(str).astype("category")
            elif kind == "datetime":
                column = pd.Series(pd.date_range("2020", periods=len(table)))
            elif kind == "uint64":
                column = pd.Series(np.full(len(table), 2**64 - 1, np.uint64))
            elif kind == "double":
                table.insert(0, "T", table["t"])
            table[name] = column
            table.to_parquet(path)
        except Exception:  # what pyarrow does not take
            table[name] = [str(value) for value in column]
            table.to_parquet(path)
        return f"{name} {kind} {str(number)[:20]!r}"
    if path.suffix == ".csv":
        lines = path.read_text().splitlines()
    elif (path / "man_track.txt").is_file():
        lines = (path / "man_track.txt").read_text().splitlines()
    else:
        return blocks(path, draw)
    comma = "," if path.suffix == ".csv" else " "
    row = int(draw.integers(len(lines)))
    cells = lines[row].split(comma)
    at = int(draw.integers(len(cells)))
    if draw.random() < 0.15:
        cells = pick(draw, ([], cells * 2, cells[:-1], ['"', *cells], ["#", *cells], cells[:1]))
    else:
        cells[at] = str(number)
    lines[row] = comma.join(cells)
    text = "\n".join(lines)
    file = path if path.is_file() else path / "man_track.txt"
    file.write_text(text, pick(draw, ("utf-8", "utf-8", "utf-16", "utf-8-sig")))
    return f"row {row}, column {at}: {str(number)[:20]!r}"


def xml_value(path: Path, draw: Draw) -> str:
    """Replace an attribute of an XML file, or put definitions, depth or length into it."""
    if path.suffix != ".xml":
        return flip(path, draw)
    text = path.read_text()
    what = pick(draw, ("value", "value", "value", "value", "laughs", "deep", "drop", "long"))
    parts = text.split('"')
    if what == "value":
        k = 2 * int(draw.integers(len(parts) // 2)) + 1
        parts[k] = str(pick(draw, VALUES))[:200].replace("<", "").replace("\x00", "")
        text = '"'.join(parts)
        what = f"{parts[k - 1][-12:]}{parts[k][:20]}"
    elif what == "laughs":
        at = text.index("?>") + 2 if "?>" in text else 0
        text = text[:at] + LAUGHS + text[at:]
    elif what == "deep":
        text = text.replace("</", "<a>" * 20_000 + "</a>" * 20_000 + "</", 1)
    elif what == "long":
        text = text.replace('"', '"' + "9" * 20_000, 1)
    else:
        tags = text.split("<")
        del tags[int(draw.integers(1, len(tags)))]
        text = "<".join(tags)
    path.write_text(text, "utf-8", errors="replace")
    return what


def npz_member(path: Path, draw: Draw) -> str:
    """Change an archive of crops, or the header of an array: ranks, types, sizes, encryption."""
    if path.suffix == ".npy":
        data = path.read_bytes()
        path.write_bytes(_header(draw) + data[128:])
        return "header"
    if path.suffix != ".npz":
        return flip(path, draw)
    with np.load(path) as archive:
        arrays = dict(archive)
    name = pick(draw, sorted(arrays))
    what = pick(
        draw, ("change", "objects", "encrypted", "method", "header", "bomb", "drop", "damage")
    )
    data = bytearray(path.read_bytes())
    if what == "change":
        arrays[name], told = _changed(arrays[name], draw)
        np.savez_compressed(path, **arrays)
        return f"{name}: {told}"
    if what == "objects":
        arrays[name] = np.array([{}, None, "x"], object)
        np.savez_compressed(path, **arrays)
    elif what == "drop":
        del arrays[name]
        np.savez_compressed(path, **arrays)
    elif what in ("encrypted", "method"):
        for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            start = data.find(mark)
            while start >= 0:
                if what == "encrypted":
                    data[start + at] |= 1
                else:
                    data[start + at + 2] = pick(draw, (1, 9, 12, 14, 93, 99))
                start = data.find(mark, start + 4)
        path.write_bytes(data)
    elif what == "damage":
        for at in draw.integers(60, max(len(data) - 200, 61), size=4):
            data[int(at)] ^= 0x55
        path.write_bytes(data)
    else:
        held = io.BytesIO()
        np.save(held, arrays[name])
        inner = _header(draw) + held.getvalue()[128:]
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive_file:
            for other, values in arrays.items():
                if what == "bomb" and other == "images":
                    form = "{'descr': '|u1', 'fortran_order': False, 'shape': (3000, 1024, 1024)}"
                    with archive_file.open("images.npy", "w", force_zip64=True) as stream:
                        stream.write(_numpy_header(form))
                        for _ in range(1300 if draw.random() < 0.2 else 20):
                            stream.write(bytes(2**20))
                elif other == name and what == "header":
                    archive_file.writestr(f"{other}.npy", inner)
                else:
                    held = io.BytesIO()
                    np.save(held, values)
                    archive_file.writestr(f"{other}.npy", held.getvalue())
    return f"{what} {name}"


def _numpy_header(text: str) -> bytes:
    padded = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode("latin-1")


def _header(draw: Draw) -> bytes:
    """Header of a NumPy file that asks for too much, or for something else."""
    shape = pick(
        draw,
        ("(10**12,)", "(1000000, 1000000)", "(1000000000000,)", "(-1, 5)", "()", "(0, 5, 5)",
         "(3, 24)", "(2, 2, 2, 2, 2)", "(1.5, 2)", "'x'", "(4611686018427387904, 4)", "(3, 24, 9)"),
    )  # fmt: skip
    kind = pick(draw, ("'<u2'", "'|O'", "'<f8'", "'<M8[s]'", "'x'", "None", "'|V9'", "'<U999999'"))
    return _numpy_header(f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}")


GENERAL: tuple[Callable[[Path, Draw], str], ...] = (cut, flip, blocks, replaced)
"""Changes of bytes, of any kind of file."""

OF_KIND: dict[str, tuple[Callable[[Path, Draw], str], ...]] = {
    "tiff": (tiff_tag, tiff_tag, tiff_pages), "labels": (tiff_tag, tiff_pages),
    "zarr": (json_value, json_value, zarr_array), "geff": (json_value, zarr_array, zarr_array),
    "npy": (npz_member,), "crops": (npz_member,), "btrack": (hdf5_data, hdf5_data),
    "csv": (table_value, table_value), "parquet": (table_value,), "ctc": (table_value, tiff_tag),
    "trackmate": (xml_value, xml_value), "detections": (xml_value,),
}  # fmt: skip
"""Changes that know the format, by the first word of the kind."""


def changes_of(kind: str) -> tuple[Callable[[Path, Draw], str], ...]:
    """Every change for a kind of ``SAMPLES``."""
    return (*GENERAL, *OF_KIND.get(kind.split("-", 1)[0], ()))


def mutate_input(folder: Path, seed: int) -> tuple[str, Path, str]:
    """Make a file in ``folder`` and change it in one way, both as ``seed`` decides.

    Returns its kind, the file, and what was changed.
    """
    draw = np.random.default_rng(seed)
    kind = list(SAMPLES)[seed % len(SAMPLES)]
    path = SAMPLES[kind](folder)
    change = pick(draw, changes_of(kind))
    return kind, path, f"{change.__name__}: {change(path, draw)}"


def read_input(kind: str, path: Path) -> None:
    """Read a file as the commands do that take one of this kind.

    Raises
    ------
    InterpdiscError
        If it cannot be used; anything else is a fault of the reader.
    """
    if kind == "crops":
        read_crops(path)
        read_labelled_crops(path)
        return
    if kind == "labels":
        labels, _ = open_labels(path, (FRAMES, SIDE, SIDE))
        cells_of_labels(labels, path.name)
        return
    if kind.split("-", 1)[0] in ("tiff", "npy", "png", "zarr"):
        read_calibration(path)
        frames = read_frames(path)
        for t in range(min(len(frames), 8)):
            try:
                frames.picture(t)
            except InvalidInput:  # of a damaged frame, the others are read
                continue
        return
    holds_cells(path)
    is_saved_layer(path)
    movie = Movie(FRAMES, SIDE, SIDE)
    cells = read_cells(path, asked=Asked(), movie=movie)
    cells.check_inside(read_frames_of_movie())
    cells.to_frame()


def read_frames_of_movie() -> Any:
    """Frames that the cells of the samples belong to."""
    from napari_interpdisc.frames import Frames

    return Frames(_movie())


IMAGES = ("tiff", "npy", "png", "zarr")
"""First words of the kinds that are images."""

FILES = {
    "tiff": "image.tif", "tiff-ome": "image.ome.tif", "npy": "image.npy", "png": "image.png",
    "zarr": "image.zarr", "labels": "labels.tif", "crops": "crops.npz", "csv": "cells.csv",
    "csv-gz": "cells.csv.gz", "parquet": "cells.parquet", "btrack": "tracks.h5",
    "geff": "cells.geff", "trackmate": "tracks.xml", "detections": "tracks.xml", "ctc": "TRA",
}  # fmt: skip
"""Name of the file of a kind, or of all whose first word is this."""

STORES = {"geff": ".geff", "btrack": ".h5"}
"""Kinds of cells of which ``classify`` can write a copy with its results, and how that ends."""


def _kind(name: str) -> Kind:
    """Kind of a fuzz run whose samples are read, or given to a command."""
    first = name.split("-", 1)[0]
    folder = f"of-{name}"
    target = f"{folder}/{FILES.get(name, FILES[first])}"

    def make(inputs: Path) -> None:
        (inputs / folder).mkdir()
        made = SAMPLES[name](inputs / folder)
        assert made == inputs / target

    def change(path: Path, draw: Draw) -> str:
        one: Change = pick(draw, changes_of(name))
        return f"{one.__name__}: {one(path, draw)}"

    def read() -> None:
        read_input(name, Path(target))

    uses: list[Use] = [read]
    needs: tuple[str, ...] = ()
    if first in IMAGES:
        uses.append(detected(target))
    elif name not in ("crops", "labels"):
        uses.append(classified(tracks=target))
        if name in STORES:
            uses.append((*classified(tracks=target)[:-1], f"../out/o{STORES[name]}"))
        needs = ("movie.tif", "model")
    return Kind(f"{name}-file", target, change, tuple(uses), needs, make)


KINDS = tuple(map(_kind, SAMPLES))
"""What is changed, and what is done with it."""
