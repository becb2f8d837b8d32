"""Dialects of cell tables as data: how each program names its columns and counts its frames.

Nothing here reads a file: :func:`matching_dialects` needs the names in the header alone, so that a
reader can look at a table before it claims it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

ROLES = ("t", "y", "x", "z", "track_id", "parent")
"""What a column can be taken for; ``parent`` is the track that a track descends from."""

MICROMETRES: Mapping[str, float] = {"nm": 1e-3, "um": 1.0, "mm": 1e3, "cm": 1e4, "inch": 25_400.0}
"""Micrometres in one of each unit of length."""

SECONDS: Mapping[str, float] = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
"""Seconds in one of each unit of time."""

PIXEL, FRAME = "px", "frame"

_UNITS: Mapping[str, tuple[str, ...]] = {
    PIXEL: ("px", "pix", "pixel", "pixels", "voxel", "voxels", "pxl"),
    "nm": ("nm", "nanometer", "nanometers", "nanometre", "nanometres"),
    # the last three are what wrong encodings make of a micro sign
    "um": (
        *("um", "micron", "microns", "micrometer", "micrometers", "micrometre", "micrometres"),
        *("\ufffdm", "?m", "âum"),
    ),
    "mm": ("mm", "millimeter", "millimeters", "millimetre", "millimetres"),
    "cm": ("cm", "centimeter", "centimeters", "centimetre", "centimetres"),
    "inch": ("inch", "inches"),
    FRAME: ("frame", "frames"),
    "ms": ("ms", "msec", "millisecond", "milliseconds"),
    "s": ("s", "sec", "secs", "second", "seconds"),
    "min": ("min", "mins", "minute", "minutes"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "d": ("d", "day", "days"),
}
_UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words}
_SUFFIXES = sorted(
    {w for w in _UNIT_OF if len(w) > 1 and w.isalpha() and w != "frame"} | {"s", "h"}
)
_IN_BRACKETS = re.compile(r"(?P<name>.*?)\s*[(\[](?P<unit>[^()\[\]]*)[)\]]\s*")
_AS_SUFFIX = re.compile(rf"(?P<name>.+)[_\s.\-](?P<unit>{'|'.join(_SUFFIXES)})")
_TIMES = re.compile(
    r"(^|[^a-z])(t|pos[ _]?t|positiont)$|time|elapsed|age|duration|interval|second|frame"
)
_INSIDE = re.compile(r"\s*[(\[](?P<unit>[^()\[\]]*)[)\]]\s*")
_NUMBERED = re.compile(
    r"(axis|centroid|weightedcentroid|centroidweighted|coord|coords|coordinate)(\d)"
)


def unit_of(text: str) -> str:
    """Common name of a unit: ``um`` of ``Micron`` or ``µm``; an unknown one as it is, stripped.

    Units that say nothing (``none``, ``a.u.``) become the empty string.
    """
    plain = unicodedata.normalize("NFKC", text).casefold().replace("\N{GREEK SMALL LETTER MU}", "u")
    plain = plain.strip().strip("()[]").strip()
    return "" if plain in ("none", "a.u.", "n/a", "-") else _UNIT_OF.get(plain, plain)


def _as_suffix(text: str) -> re.Match[str] | None:
    """Name and unit of a name such as ``time_s``; of x_min and bbox_h, the end is no unit."""
    found = _AS_SUFFIX.fullmatch(text)
    if found is None or (unit_of(found["unit"]) in SECONDS and not _TIMES.search(found["name"])):
        return None
    return found


@dataclass(frozen=True)
class Column:
    """The name of a column, read.

    Attributes
    ----------
    name
        As it is in the file.
    key
        Small letters and digits of the name without its unit: ``positionx`` of ``Position X [µm]``.
    unit
        Its unit (:func:`unit_of`), empty if the name has none.
    """

    name: str
    key: str
    unit: str = ""

    @classmethod
    def of(cls, name: object) -> Column:
        """Read the name of a column."""
        text = unicodedata.normalize("NFKC", str(name)).casefold().strip().lstrip("#").strip()
        text = text.replace("\N{GREEK SMALL LETTER MU}", "u")
        unit = ""
        if found := _IN_BRACKETS.fullmatch(text) or _as_suffix(text):
            text, unit = found["name"], unit_of(found["unit"])
        elif (inside := _INSIDE.search(text)) and inside["unit"].strip() in _UNIT_OF:
            text, unit = _INSIDE.sub(" ", text, count=1), unit_of(inside["unit"])
        return cls(str(name), re.sub(r"[^a-z0-9%]+", "", text), unit)


@dataclass(frozen=True)
class Dialect:
    """How one program writes a table of cells.

    All names are keys (:class:`Column`), best first; ``*`` stands for any letters. A role that is
    not named here has the names of :data:`COMMON`.

    Attributes
    ----------
    name
        The program, to be told.
    needs
        A table is of this dialect if it has a column of each of these groups.
    without
        And none of these.
    names
        Names of the columns of each role.
    first_frame
        The number of the first frame, or None if the program does not fix it.
    length_unit
        What positions are in where no unit is written: ``px``, or empty where that depends on the
        calibration of the image.
    box
        Where y and x are the first corner of a box: names of the columns that have its size along
        them, or its other end.
    box_is
        What these columns have: the size of the box (``size``), its last pixel or edge (``end``),
        or the pixel after its last one (``beyond``).
    parent_of
        Columns to which ``parent`` refers, where that is not the track.
    axes
        Word before the number of an axis, for programs that number them: ``centroid``.
    no_track
        Numbers in the track column of cells that have no track; negative ones never have.
    dummy
        Columns that are true for cells which the program invented.
    shown
        Columns that are 0 for cells which a filter of the program hides.
    counts_images
        Columns that count the images of a whole run, of which a movie may be a part: a column of
        frames comes before them.
    napari
        Whether napari reads the file itself.
    links
        Columns of the frame and the number of each cell, and of those of its parent.
    """

    name: str
    needs: tuple[tuple[str, ...], ...]
    without: tuple[str, ...] = ()
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    first_frame: int | None = None
    length_unit: str = ""
    box: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    box_is: Literal["size", "end", "beyond"] = "size"
    parent_of: tuple[str, ...] = ()
    axes: str = ""
    no_track: tuple[int, ...] = ()
    dummy: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    counts_images: tuple[str, ...] = ()
    napari: bool = False
    links: tuple[str, ...] = ()

    def matches(self, columns: Sequence[Column]) -> bool:
        """Whether a table with these columns is of this dialect."""
        keys = [column.key for column in columns]
        return (
            all(any(_among(keys, name) for name in group) for group in self.needs)
            and not any(_among(keys, name) for name in self.without)
            and {"y", "x"} <= self.roles(columns).keys()
            and all(any(_among(keys, name) for name in names) for names in self.box.values())
        )

    def roles(self, columns: Sequence[Column]) -> dict[str, list[Column]]:
        """Columns that can have each role, best first; without roles that none can have."""
        found: dict[str, list[Column]] = {}
        numbered = _numbered(columns, self.axes)
        for role in ROLES:
            here = _named(columns, self.names.get(role, COMMON[role]))
            if role in numbered:
                here = [numbered[role]] if self.axes else [*here, numbered[role]]
            if here:
                found[role] = here
        if "z" not in found and "t" in found and "depth" in numbered and _has_frame(found["t"]):
            # of numbered axes, the one before y and x is the time, unless another column is
            found["z"] = [numbered["depth"]]
        elif "depth" in numbered and not _has_frame(found.get("t", [])):
            found["t"] = [numbered["depth"], *found.get("t", [])]
        return found


def _has_frame(columns: Sequence[Column]) -> bool:
    return any(column.key in FRAME_NAMES or column.key == "t" for column in columns)


def _among(keys: Iterable[str], name: str) -> bool:
    return any(fnmatchcase(key, name) for key in keys)


def _named(columns: Sequence[Column], names: Iterable[str]) -> list[Column]:
    found: list[Column] = []
    for name in names:
        found += [c for c in columns if fnmatchcase(c.key, name) and c not in found]
    return found


def _numbered(columns: Sequence[Column], stem: str) -> dict[str, Column]:
    """The last two of numbered axes are y and x, and the one before them is time or depth."""
    groups: dict[str, dict[int, Column]] = {}
    for column in columns:
        part = _NUMBERED.fullmatch(column.key)
        if part is not None and stem in ("", part[1]):
            groups.setdefault(part[1], {})[int(part[2])] = column
    for axes in groups.values():
        order = sorted(axes)
        if len(order) < 2 or order != list(range(order[0], order[0] + len(order))):
            continue
        if len(order) > 4:
            continue
        found = {"y": axes[order[-2]], "x": axes[order[-1]]}
        if len(order) == 3:
            found["depth"] = axes[order[0]]
        if len(order) == 4:
            found |= {"t": axes[order[0]], "z": axes[order[1]]}
        return found
    return {}


FRAME_NAMES = (
    *("frame", "frames", "framei", "frameno", "framenumber", "framenum", "frameindex", "frameidx"),
    *("frameid", "timeframe", "timepoint", "timepoints", "timeindex", "tindex", "timestep"),
    *("metadatat", "metadataframe", "metadataframenumber", "metadatatimepoint", "metadatatime"),
    *("timelapseindex", "framenb"),
    *("imagenumber", "slice", "slicenumber", "slicen"),
)
"""Columns that count frames."""

TIME_NAMES = ("t", "time", "times", "positiont", "post", "timeelapsed", "elapsedtime")
"""Columns that count frames, or tell a time."""

OWN_TRACK_NAMES = (
    *("trackid", "track", "tracks", "tracknumber", "trackno", "trackn", "trackindex", "trackidx"),
    *(
        "trackletid",
        "tracklet",
        "trackname",
        "idtrack",
        "tid",
        "particle",
        "particleid",
        "trajectory",
    ),
    *("trajectoryid", "trackobjectslabel*", "trackid1"),
)
"""Columns that number tracks."""

MAYBE_TRACK_NAMES = ("id", "cellid", "cell", "cellnumber", "nucleusid", "nucleus")
"""Columns that number tracks, or cells: what they hold decides."""

COMMON: Mapping[str, tuple[str, ...]] = {
    "t": (*FRAME_NAMES, *TIME_NAMES),
    "y": (
        *("y", "posy", "positiony", "ypos", "yposition", "centroidy", "ycentroid", "centery"),
        *("centrey", "ycenter", "ycentre", "coordy", "ycoord", "ycoordinate", "ym"),
        *("locationcentery", "areashapecentery", "centerofmassy", "ycenterofmass"),
        *("centerofgeometryy", "ycenterofgeometry", "comy", "ycom"),
        *("centroidrow",),
    ),
    "x": (
        *("x", "posx", "positionx", "xpos", "xposition", "centroidx", "xcentroid", "centerx"),
        *("centrex", "xcenter", "xcentre", "coordx", "xcoord", "xcoordinate", "xm"),
        *("locationcenterx", "areashapecenterx", "centerofmassx", "xcenterofmass"),
        *("centerofgeometryx", "xcenterofgeometry", "comx", "xcom"),
        *(
            "centroidcol",
            "centroidcolumn",
        ),
    ),
    "z": (
        *("z", "posz", "positionz", "zpos", "zposition", "centroidz", "zcentroid", "centerz"),
        *("centrez", "zcenter", "coordz", "zcoord", "zcoordinate"),
    ),
    "track_id": (*OWN_TRACK_NAMES, *MAYBE_TRACK_NAMES),
    "parent": ("parenttrackid", "parentid", "parent", "parenttrack", "mothertrackid", "motherid"),
}
"""Names that mean the same in most programs, best first."""

_POSITIONS = (
    *(*COMMON["y"], *COMMON["x"], "centroid0", "weightedcentroid0", "centroidweighted0", "axis0"),
    *("*locationcenterx", "*areashapecenterx", "*positionx", "centeroftheobject0", "objectcenter0"),
)
"""Columns beside which a box, or a row and a column, says nothing new."""

_BOX = ("bbox", "bb", "box", "bndbox", "boundingbox", "")


def _of_box(*names: str) -> tuple[str, ...]:
    """Names of an edge of a box, with what programs put before them."""
    return tuple(f"{before}{name}" for name in names for before in _BOX)


PLAIN = Dialect(
    "a plain table",
    (),
    # what napari writes for shapes, and what says where lines or boxes are
    without=("shapetype", "vertexindex"),
)
"""A table without marks of a program; it is read by the names of :data:`COMMON`."""

OTHER_TABLES: tuple[tuple[frozenset[str], str], ...] = (
    (
        frozenset(("spotsourceid", "spottargetid")),
        "holds the links of TrackMate, not its spots; export the table of spots",
    ),
    (
        frozenset(("trackindex", "numberspots")),
        "holds the tracks of TrackMate as a whole, not their spots; export the table of spots",
    ),
    (
        frozenset(("npredecessors", "nsuccessors")),
        "holds the branches of TrackMate, not their spots; export the table of spots",
    ),
)
"""Tables that are often exported in place of that of the cells: marks, and what is to be said."""

MOVIE_NAMES = (
    *("image", "imagename", "imagefile", "imagefilename", "imagepath", "imageid", "imagenumber"),
    *("file", "filename*", "*metadatafilelocation", "filepath", "pathname*", "movie", "movieid"),
    *("moviename", "moviefile", "video", "videoname", "dataset", "experiment", "experimentid"),
    *("experimentfolderpath", "positionn", "posname", "fov", "fovid", "fovname", "fieldofview"),
    *("field", "fieldid", "fieldindex", "site", "siteid", "well", "wellid", "wellname"),
    *("wellindex", "plate", "plateid", "scene", "sceneindex", "*metadatawell", "*metadatasite"),
    *("*metadataplate", "*metadatafov", "*metadatafield", "*metadataposition"),
    *("*metadatarow", "*metadatacol", "*metadatacolumn", "*metadatawellcolumn"),
)
"""Columns that say which image a cell is in, where a table has the cells of several."""

_RESULT_MARKS = ("reconstructionerror", "latentnorm", "z0")

OWN = Dialect(
    "napari-interpdisc",
    (("t",), ("y",), ("x",), ("trackid",), _RESULT_MARKS),
    names={"t": ("t",), "y": ("y",), "x": ("x",), "z": ("z",), "track_id": ("trackid",)},
    first_frame=0,
    length_unit=PIXEL,
)
"""Results of this program."""

OWN_COLUMNS = (
    *("class", "score", "score_*", "confidence", "disagreement", "model", "head"),
    *("diameter", "flag"),
    *("reconstruction_error", "latent_norm", "surprise", "unfamiliar", "touches_edge", "z_[0-9]*"),
    *("nucleus_area_px2", "nucleus_area_um2", "nucleus_eccentricity", "nucleus_elongation_*"),
    *("nucleus_solidity", "nucleus_brightness", "nucleus_contrast", "nucleus_texture"),
    *("nucleus_granularity_*", "nucleus_edge_sharpness", "nucleus_unevenness"),
    *("nucleus_raggedness", "nucleus_offset_?_px", "nucleus_asymmetry_?", "nucleus_threefold_???"),
    "nucleus_satellite",
    *("nucleus_neighbours", "nucleus_neighbour_distance_px", "nucleus_crowding*"),
)
"""Patterns of the columns that :meth:`napari_interpdisc.pipeline.Classification.results` gives."""

DIALECTS: tuple[Dialect, ...] = (
    OWN,
    Dialect(
        "TrackMate",
        (("positionx",), ("positiony",), ("positiont", "quality", "visibility", "spotid")),
        names={
            "t": ("frame", "positiont"),
            "y": ("positiony",),
            "x": ("positionx",),
            "z": ("positionz",),
            "track_id": ("trackid",),
        },
        first_frame=0,
        shown=("visibility",),
    ),
    Dialect(
        "Mastodon",
        (("spotpositionx",), ("spotpositiony",)),
        names={
            "t": ("spotframe",),
            "y": ("spotpositiony",),
            "x": ("spotpositionx",),
            "z": ("spotpositionz",),
            "track_id": ("spottrackid",),
        },
        first_frame=0,
    ),
    Dialect(
        "celldetective",
        (
            *(("positionx",), ("positiony",), ("frame",), ("trackid",), ("time",)),
            ("class*", "t0*", "status*", "generation", "root", "well*", "posname", "position"),
        ),
        without=("positiont", "quality"),
        names={"t": ("frame", "time"), "y": ("positiony",), "x": ("positionx",)},
        first_frame=0,
        length_unit=PIXEL,
    ),
    Dialect(
        "CellProfiler",
        (
            ("imagenumber",),
            ("*locationcenterx", "*areashapecenterx"),
            ("*locationcentery", "*areashapecentery"),
        ),
        names={
            "t": (
                *("*metadatat", "*metadataframe", "*metadataframenumber", "*metadatatimepoint"),
                *("*metadatatime", "imagenumber"),
            ),
            "y": ("*locationcentery", "*areashapecentery"),
            "x": ("*locationcenterx", "*areashapecenterx"),
            "z": ("*locationcenterz", "*areashapecenterz"),
            "track_id": ("*trackobjectslabel*",),
            "parent": (),
        },
        first_frame=1,
        length_unit=PIXEL,
        no_track=(0,),
        counts_images=("imagenumber",),
        links=(
            "imagenumber",
            "*objectnumber",
            "*trackobjectsparentimagenumber*",
            "*trackobjectsparentobjectnumber*",
        ),
    ),
    Dialect(
        "the ROI Manager of ImageJ",
        (("name",), ("type",), ("x",), ("y",), ("width",), ("height",)),
        names={"t": ("t", "pos"), "y": ("y",), "x": ("x",), "z": ("z",), "track_id": ()},
        first_frame=1,
        length_unit=PIXEL,
        box={"y": ("height",), "x": ("width",)},
    ),
    Dialect(
        "ImageJ Results",
        (
            ("x", "xm"),
            ("y", "ym"),
            # a frame alone is in tables of many programs, which count from 0 or 1
            ("slice", "ch"),
            ("area", "mean", "perim", "intden", "rawintden", "feret", "circ", "label", "slice"),
        ),
        without=("t", "trackid", "particle", "z0", "quality", "class", "mass", "treeid"),
        names={
            "t": ("frame", "slice"),
            "y": ("y", "ym"),
            "x": ("x", "xm"),
            "track_id": ("track", "trackid"),
        },
        first_frame=1,
    ),
    Dialect(
        "Imaris",
        (("*positionx",), ("*positiony",), ("time",), ("category", "collection", "unit")),
        names={
            "t": ("time",),
            # its cells and their parts have "Cell Position X", "Nucleus Position X"
            "y": ("*positiony",),
            "x": ("*positionx",),
            "z": ("*positionz",),
            # before version 9 the track was called the parent
            "track_id": ("trackid", "parent"),
            "parent": (),
        },
        first_frame=1,
    ),
    Dialect(
        "ilastik",
        (("labelimageid", "labelimageoid"), ("objectcenter0", "centeroftheobject0")),
        names={
            "t": ("frame", "timestep"),
            "y": ("centeroftheobject1", "objectcenter1"),
            "x": ("centeroftheobject0", "objectcenter0"),
            "z": ("centeroftheobject2", "objectcenter2"),
            "track_id": ("trackid", "trackid1"),
            "parent": ("parenttrackid",),
        },
        first_frame=0,
        length_unit=PIXEL,
        no_track=(0, 1),
    ),
    Dialect(
        "btrack",
        (("id",), ("t",), ("x",), ("y",), ("parent",), ("root", "generation")),
        names={"t": ("t",), "y": ("y",), "x": ("x",), "track_id": ("id",), "parent": ("parent",)},
        first_frame=0,
        length_unit=PIXEL,
        dummy=("dummy",),
    ),
    Dialect(
        "laptrack",
        (("frame",), ("trackid",), ("treeid",)),
        names={"t": ("frame",), "track_id": ("trackid",)},
        first_frame=0,
    ),
    Dialect(
        "trackpy",
        (("x",), ("y",), ("particle", "mass"), ("frame",)),
        without=("trackid",),
        names={"t": ("frame",), "y": ("y",), "x": ("x",), "track_id": ("particle",)},
        first_frame=0,
        length_unit=PIXEL,
    ),
    Dialect(
        "Cell-ACDC",
        (("framei",), ("cellid",), ("xcentroid",), ("ycentroid",)),
        names={
            "t": ("framei",),
            "y": ("ycentroid",),
            "x": ("xcentroid",),
            "z": ("zcentroid",),
            "track_id": ("cellid",),
            "parent": ("parentidtree",),
        },
        first_frame=0,
        length_unit=PIXEL,
        parent_of=("cellidtree",),
    ),
    Dialect(
        "regionprops_table of scikit-image",
        (("centroid0",), ("centroid1",)),
        axes="centroid",
    ),
    Dialect(
        "boxes of scikit-image",
        (("bbox0",), ("bbox1",), ("bbox2",), ("bbox3",)),
        without=(*_POSITIONS, "bbox4"),
        names={"y": ("bbox0",), "x": ("bbox1",)},
        box={"y": ("bbox2",), "x": ("bbox3",)},
        box_is="beyond",
        length_unit=PIXEL,
    ),
    Dialect(
        "boxes of scikit-image in 3D",
        (("bbox1",), ("bbox2",), ("bbox4",), ("bbox5",)),
        without=_POSITIONS,
        names={"y": ("bbox1",), "x": ("bbox2",)},
        box={"y": ("bbox4",), "x": ("bbox5",)},
        box_is="beyond",
        length_unit=PIXEL,
    ),
    Dialect(
        "boxes by their edges",
        (
            _of_box("ymin", "miny", "y1", "top", "y0"),
            _of_box("xmin", "minx", "x1", "left", "x0"),
        ),
        without=_POSITIONS,
        names={
            "y": _of_box("ymin", "miny", "y0", "y1", "top"),
            "x": _of_box("xmin", "minx", "x0", "x1", "left"),
        },
        box={
            "y": _of_box("ymax", "maxy", "y2", "bottom", "y1"),
            "x": _of_box("xmax", "maxx", "x2", "right", "x1"),
        },
        box_is="end",
    ),
    Dialect(
        "boxes by their corner",
        (("left", "bbleft", "bboxleft", "bx"), ("top", "bbtop", "bboxtop", "by")),
        without=_POSITIONS,
        names={
            "y": ("top", "bbtop", "bboxtop", "by"),
            "x": ("left", "bbleft", "bboxleft", "bx"),
        },
        box={"y": _of_box("height", "h"), "x": _of_box("width", "w")},
    ),
    Dialect(
        "middles cx and cy",
        (("cx",), ("cy",)),
        without=_POSITIONS,
        names={"y": ("cy",), "x": ("cx",)},
    ),
    Dialect(
        "rows and columns of pixels",
        (
            *(("row", "r"), ("col", "column", "c")),
            # of a well, a plate reader says no such thing
            (*FRAME_NAMES, "t", *OWN_TRACK_NAMES, "id", "cellid", "label", "area"),
        ),
        without=_POSITIONS,
        names={"y": ("row", "r"), "x": ("col", "column", "c")},
    ),
    Dialect(
        "napari",
        (("axis0",), ("axis1",), ("index",)),
        without=("shapetype", "vertexindex"),
        names={"track_id": ()},
        axes="axis",
        first_frame=0,
        length_unit=PIXEL,
        napari=True,
    ),
)
"""Every program whose tables are known by their columns."""


def matching_dialects(columns: Iterable[object]) -> list[Dialect]:
    """Dialects that a table with these column names can be of, each with another answer.

    Two dialects that would read the same columns as t, y, x and track are one. A table of no known
    program is a plain one, if it has columns for y and x.
    """
    read = [Column.of(name) for name in columns]
    found: dict[tuple[str, ...], Dialect] = {}
    for dialect in DIALECTS:
        if dialect.matches(read):
            roles = dialect.roles(read)
            answer = tuple(
                roles[role][0].name if role in roles else "" for role in ("t", "y", "x", "track_id")
            )
            found.setdefault(answer, dialect)
    if OWN in found.values():
        return [OWN]  # results keep what else a table had, under its own names
    plain = {"y", "x"} <= {column.key for column in read}
    if PLAIN.matches(read) and (plain or not found):
        roles = PLAIN.roles(read)
        used = {(y, x) for _, y, x, _ in found}
        if (roles["y"][0].name, roles["x"][0].name) not in used:
            found["", "", "", ""] = PLAIN
    return list(found.values())
