"""Image and cells in; latents, scores and classes out. Widgets, commands and scripts share this."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc import crops as cropping
from napari_interpdisc._types import (
    BoolArray,
    Float32Array,
    Float64Array,
    Measured,
    Plane,
    Precision,
    Progress,
)
from napari_interpdisc.checks import FLAT, SAMPLE, Check, check_movie
from napari_interpdisc.crop_measures import (
    BANDS,
    CropMeasures,
    flat_share,
    joined_measures,
    measure_crops,
)
from napari_interpdisc.crop_measures import spectra as take_spectra
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.flags import CUT, NO_PIXELS, OUT_OF_DISTRIBUTION, REASONS, SATURATED
from napari_interpdisc.models.cell_model import (
    CellModel,
    NamedHead,
    class_index,
    confidence,
    score_width,
)
from napari_interpdisc.models.familiarity import SURPRISED, Familiarity, latent_norm
from napari_interpdisc.models.inference import set_threads, side_by_side_threads
from napari_interpdisc.models.properties import (
    AREA_UM2,
    PROPERTIES,
    Way,
    column_title,
    missing_properties,
    unit_of,
)
from napari_interpdisc.models.properties import (
    WAYS as PROPERTY_WAYS,
)
from napari_interpdisc.models.store import installed_models
from napari_interpdisc.number_text import percent
from napari_interpdisc.patches import label_crops
from napari_interpdisc.read_ahead import ahead, side_by_side
from napari_interpdisc.scrutiny.channel_means import channel_means
from napari_interpdisc.scrutiny.properties import measure_crops as measure_properties

if TYPE_CHECKING:
    import pandas as pd

    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.frames import Frames


UNSURE = "unsure"

UNMEASURED = "no class: no whole nucleus was found in the middle to measure"
"""Reason of a cell without a class, where a head reads measured properties."""

UNDEFINED = "no class: the formula has no value for this cell"
"""Reason of a cell without a class, where a formula takes the logarithm of less than 0, say."""

BATCH = 512
"""Crops that are encoded at once."""

AT_ONCE = 1 << 14
"""Cells whose latents are read at once by heads and densities, which make copies of them."""

TOO_MANY = 0.05
"""Share of out-of-distribution cells from which a movie as a whole is called so."""

FEWEST = 20
"""Cells that it takes to say so."""


@dataclass(frozen=True)
class Encoding:
    """Latents of N cells: what is left of the image once it is encoded.

    Attributes
    ----------
    cells
        The cells, in the order of the rows below.
    latents
        (N, L) posterior means.
    reconstruction_error
        (N,) mean squared difference of crop and reconstruction, normalised units; of length 0 if it
        was not taken.
    diameter
        Typical nuclear diameter in the image, px.
    model_name, encoder_sha256
        The model that made them, and its encoder.
    touches_edge
        (N,) whether the centroid is within half a nuclear diameter of the edge of the image, so
        that a part of the nucleus may be missing; all False if left out.
    familiarity
        What the training data of that encoder looked like, or None if the model does not say.
    spectra
        (N, B) power of each crop by frequency (:func:`napari_interpdisc.crop_measures.spectra`);
        of length 0 if it was not taken.
    checks
        What was found of the movie's settings, on a sample of its cells.
    measured
        Where the diameter comes from.
    saturated
        (N,) whether the nucleus is cut off at the top of the frame's brightness.
    no_pixels
        (N,) why a cell has no pixels, in words; empty for one that has. Its latents are NaN.
    properties
        (N,) measured properties by name, in the units of
        :data:`napari_interpdisc.models.properties.PROPERTIES`; NaN where no whole nucleus was
        found in the middle. Empty if they were not measured.
    way
        In whose nuclei properties were measured.
    """

    cells: CellTable
    latents: Float32Array
    reconstruction_error: Float32Array
    diameter: float
    model_name: str
    encoder_sha256: str
    touches_edge: BoolArray = field(default_factory=lambda: np.zeros(0, bool))
    familiarity: Familiarity | None = None
    spectra: Float32Array = field(default_factory=lambda: np.zeros((0, len(BANDS)), np.float32))
    checks: tuple[Check, ...] = ()
    measured: Measured = "given"
    saturated: BoolArray = field(default_factory=lambda: np.zeros(0, bool))
    no_pixels: npt.NDArray[np.object_] = field(default_factory=lambda: np.zeros(0, object))
    properties: Mapping[str, Float64Array] = field(default_factory=dict)
    way: Way = "built-in"

    def __post_init__(self) -> None:
        """Give every cell a flag, if only a False one."""
        n = len(self.latents)
        for name in ("touches_edge", "saturated"):
            if len(getattr(self, name)) != n:
                object.__setattr__(self, name, np.zeros(n, bool))
        if len(self.no_pixels) != n:
            object.__setattr__(self, "no_pixels", np.full(n, "", object))

    @cached_property
    def usable(self) -> BoolArray:
        """(N,) whether a cell has pixels, and so latents and a class."""
        return np.asarray(self.no_pixels == "", bool)

    @cached_property
    def latent_norm(self) -> npt.NDArray[np.float64]:
        """(N,) Euclidean norm of the latents: how far from the middle of the training data."""
        found = np.empty(len(self.latents))
        for rows in _some_of(np.ones(len(found), bool)):
            found[rows] = latent_norm(self.latents[rows])
        return found

    @cached_property
    def surprises(self) -> npt.NDArray[np.float64]:
        """(N, 2) how rare a cell's latents, and its spectrum, are among the training cells.

        −log₁₀ of the share of these that are as far from their middle: 2 means one in a hundred.
        NaN if the model does not say what they looked like, and for cells without pixels.
        """
        found = np.full((len(self.latents), 2), np.nan)
        if self.familiarity is not None:
            for rows in _some_of(self.usable):
                spectra = self.spectra[rows] if len(self.spectra) else self.spectra
                found[rows] = self.familiarity.surprises(self.latents[rows], spectra)
        return found

    @property
    def surprise(self) -> npt.NDArray[np.float64]:
        """(N,) the larger of the two :attr:`surprises`: the out-of-distribution score."""
        return np.asarray(self.surprises.max(1, initial=-np.inf))

    @property
    def out_of_distribution(self) -> BoolArray:
        """(N,) whether a cell is unlike the training data; all False if those are not known."""
        return np.asarray(self.surprise > SURPRISED)

    @property
    def flags(self) -> Plane:
        """(N,) sum of the flags of every cell (:mod:`napari_interpdisc.flags`): 0 for most."""
        found = (
            OUT_OF_DISTRIBUTION * self.out_of_distribution
            + CUT * self.touches_edge
            + SATURATED * self.saturated
        )
        return np.where(self.usable, found, NO_PIXELS).astype(np.uint8)

    @property
    def reasons(self) -> npt.NDArray[np.object_]:
        """(N,) why a cell is flagged, in words; empty for most."""
        latents, spectrum = (self.surprises > SURPRISED).T
        told = self.no_pixels.copy()
        why = (latents, spectrum, self.touches_edge, self.saturated)
        for some, reason in zip(why, REASONS, strict=True):
            _also(told, some & self.usable, reason)
        return told


def _also(told: npt.NDArray[np.object_], some: BoolArray, reason: str) -> None:
    """Add a reason to those of some of N cells; cells of the same reasons share one text."""
    before = told[some]
    texts = {text: f"{text}; {reason}".removeprefix("; ") for text in set(before)}
    told[some] = [texts[text] for text in before]


def _some_of(which: BoolArray) -> Iterator[npt.NDArray[np.intp]]:
    """Positions of the True ones, some at a time: what is worked out of them takes memory too."""
    rows = np.flatnonzero(which)
    for start in range(0, len(rows), AT_ONCE):
        yield rows[start : start + AT_ONCE]


@dataclass(frozen=True)
class Classification:
    """Scores and classes of N encoded cells under one head.

    Attributes
    ----------
    encoding
        The latents that were scored.
    head, classes
        Name of the head and of its classes.
    scores
        (N, K) signed logits; K = 1 for two classes.
    disagreement
        (N,) share of heads that are about as good which give another class than most of them do,
        0–1; None if they were not compared.
    undefined
        (N,) whether a formula has no value for the cell, so that it has no score; all False if left
        out.
    """

    encoding: Encoding
    head: str
    classes: tuple[str, ...]
    scores: Float32Array
    settings: dict[str, Any] = field(default_factory=dict)
    disagreement: npt.NDArray[np.float64] | None = None
    undefined: BoolArray = field(default_factory=lambda: np.zeros(0, bool))

    def __post_init__(self) -> None:
        """Say of every cell whether it is undefined, if only that it is not."""
        if len(self.undefined) != len(self.scores):
            object.__setattr__(self, "undefined", np.zeros(len(self.scores), bool))

    @property
    def scored(self) -> BoolArray:
        """(N,) whether a cell has a score, and so a class.

        It has none without pixels, and none where a formula has no value. If the head reads
        measured properties, it also has none where no nucleus was found to measure.
        """
        return np.asarray(self.encoding.usable & ~np.isnan(self.scores).any(1))

    @property
    def reasons(self) -> npt.NDArray[np.object_]:
        """(N,) why a cell is flagged or has no class, in words; empty for most."""
        told = self.encoding.reasons
        unmeasured = self.encoding.usable & ~self.scored & ~self.undefined
        for some, reason in ((unmeasured, UNMEASURED), (self.undefined, UNDEFINED)):
            _also(told, some, reason)
        return told

    @cached_property
    def index(self) -> npt.NDArray[np.int64]:
        """(N,) position of each cell's class in ``classes``; −1 for a cell without a score."""
        return np.where(self.scored, class_index(self.scores), -1)

    @cached_property
    def confidence(self) -> Float32Array:
        """(N,) probability that the head gives to its own choice; NaN without a score."""
        return confidence(self.scores)

    def names(self, threshold: float = 0.0) -> npt.NDArray[np.object_]:
        """(N,) class names; :data:`UNSURE` where the confidence is below ``threshold``.

        None for a cell without a score.
        """
        names = np.array([*self.classes, UNSURE, None], dtype=object)
        unsure = self.confidence < threshold
        return np.asarray(names[np.where(unsure, len(self.classes), self.index)])

    def to_frame(self) -> pd.DataFrame:
        """One row per cell: t, y, x, track_id, and the columns of :meth:`results`."""
        return self.encoding.cells.to_frame(self.results())

    def results(self) -> pd.DataFrame:
        """One row per cell: class, score (one per class if K > 1), and what else was found.

        That is confidence, disagreement if heads were compared, model, head, diameter (px),
        reconstruction_error if it was taken, latent_norm, surprise, unfamiliar, touches_edge, flag,
        measured properties if there are any (``nucleus_area_px2``), and the latents z_0 …. A cell
        without pixels has no class, no score and no latents.
        """
        import pandas as pd

        table = pd.DataFrame(index=range(len(self.scores)))
        table["class"] = pd.Categorical.from_codes(self.index, pd.Index(list(self.classes)))
        if self.scores.shape[1] == 1:
            table["score"] = self.scores[:, 0]
        else:
            for k, name in enumerate(self.classes):
                table[f"score_{name}"] = self.scores[:, k]
        table["confidence"] = self.confidence
        if self.disagreement is not None:
            table["disagreement"] = self.disagreement
        # of one value each, so that a row says what made it wherever it is copied to
        model = str(self.settings.get("model", self.encoding.model_name))
        same = np.zeros(len(table), np.int8)
        table["model"] = pd.Categorical.from_codes(same, pd.Index([model]))
        table["head"] = pd.Categorical.from_codes(same, pd.Index([self.head]))
        table["diameter"] = self.encoding.diameter
        if len(self.encoding.reconstruction_error):
            table["reconstruction_error"] = self.encoding.reconstruction_error
        table["latent_norm"] = self.encoding.latent_norm
        table["surprise"] = self.encoding.surprise
        table["unfamiliar"] = self.encoding.out_of_distribution
        table["touches_edge"] = self.encoding.touches_edge
        table["flag"] = self.reasons
        for name, values in self.encoding.properties.items():
            table[column_title(name)] = values
        z = self.encoding.latents
        columns = {f"z_{i}": z[:, i] for i in range(z.shape[1])}
        return pd.concat([table, pd.DataFrame(columns)], axis=1)


def encode_cells(
    frames: Frames,
    cells: CellTable,
    model: CellModel,
    diameter: float,
    progress: Progress | None = None,
    measured: Measured = "given",
    properties: bool = False,
    segmentation: Any = None,
    *,
    errors: bool = False,
    precision: Precision = "float32",
    any_usable: bool = True,
) -> Encoding:
    """Crop and encode every cell: frames one after the other, in batches of crops across them.

    Memory: two frames, one batch of crops, and L floats per cell.

    Parameters
    ----------
    frames, cells, model, diameter
        The movie, its cells, the model, and the typical nuclear diameter in the movie, px.
    progress
        Called with (cells done, N).
    measured
        Where the diameter comes from.
    properties
        Whether to measure properties; they are measured anyway if any head of the model reads some.
        That takes about 5 ms for a cell.
    segmentation
        (Y, X) or (T, Y, X) like the image: the nuclei to measure. Without one, nuclei are found in
        each crop.
    errors
        Whether to decode every cell for its reconstruction error, which doubles the time.
    precision
        Of the encoder; ``auto`` is bfloat16 where the processor has it natively.
    any_usable
        Whether some cell must have pixels; False for cells that are a part of a movie.

    Raises
    ------
    InvalidInput
        If a cell is outside the image or its time range, or the diameter is impossible, before any
        cell is encoded; or if no cell has pixels and ``any_usable``. A frame that is blank or
        damaged costs its own cells only.
    """
    cells.check_inside(frames)
    cropping.check_diameter(diameter)
    n = len(cells)
    latents = np.full((n, model.n_latents), np.nan, np.float32)
    found_errors = np.full(n if errors else 0, np.nan, np.float32)
    spectra = np.full((n, len(BANDS)), np.nan, np.float32)
    saturated, no_pixels = np.zeros(n, bool), np.full(n, "", object)
    edge = near_edge(cells, frames.shape[1:], diameter)
    inside = np.flatnonzero(~edge)
    read = tuple(PROPERTIES) if properties or model.needed_properties else ()
    columns = {name: np.full(n, np.nan) for name in read}
    sampled = np.zeros(n, bool)
    sampled[inside[np.linspace(0, len(inside) - 1, min(SAMPLE, len(inside))).astype(int)]] = True
    measures: list[CropMeasures] = []
    model.encode(np.zeros((0, 1, model.crop_size, model.crop_size), np.float32), precision)
    # the next batch is read and cut on another thread while others are worked on
    parts = ahead(_normalised(frames, cells, model, diameter))

    reading = Lock()  # readers of a segmentation's file need not be made for several threads

    def work(found: cropping.CutCells) -> _Encoded:
        rows, crops = found.with_pixels()
        if not len(rows):
            return _Encoded(found, rows)
        z = model.encode(crops, precision)[0]
        lost = None
        if errors:
            lost = ((model.decode_whole(z) - model.seen(crops)) ** 2).mean((1, 2, 3))
        own = None
        if read:
            with reading:
                regions = _regions(cells.take(rows), diameter, model, segmentation)
            own = measure_properties(crops, regions, model.model_diameter)
        # pixels are cut off where many are alike at the top of the frame, and not of the crop
        at_top = found.at_top[found.no_pixels == ""]
        flat, top = np.zeros(len(rows)), np.flatnonzero(at_top)
        flat[top] = flat_share(crops[top, 0])
        sample, some = None, sampled[rows]
        if some.any():
            sample = replace(measure_crops(crops[some]), flat=flat[some])
        return _Encoded(found, rows, z, lost, own, take_spectra(crops), flat > FLAT, sample)

    done = 0
    with (
        closing(parts),
        side_by_side_threads(model.device) as (workers, threads),
        closing(side_by_side(work, parts, workers, partial(set_threads, threads))) as results,
    ):
        for one in results:
            no_pixels[one.cut.rows] = one.cut.no_pixels
            if len(one.rows):
                latents[one.rows], spectra[one.rows] = one.latents, one.spectra
                saturated[one.rows] = one.saturated
            if one.errors is not None:
                found_errors[one.rows] = one.errors
            for name, values in (one.properties or {}).items():
                columns[name][one.rows] = values
            if one.sample is not None:
                measures.append(one.sample)
            done += len(one.cut.rows)
            if progress is not None:
                progress(done, n)
    if any_usable and n and (no_pixels != "").all():
        raise InvalidInput(
            f"No cell of '{cells.source}' can be used ({no_pixels[0]}); choose another image or "
            "channel."
        )
    checks = (
        check_movie(joined_measures(measures), model.model_diameter, diameter, model.familiarity)
        if measures
        else ()
    )
    return Encoding(
        cells,
        latents,
        found_errors,
        float(diameter),
        model.name,
        model.encoder_sha256,
        edge,
        model.familiarity,
        spectra,
        checks,
        measured,
        saturated,
        no_pixels,
        columns,
        "built-in" if segmentation is None else "labels",
    )


@dataclass(frozen=True)
class _Encoded:
    """What was made of a batch of cells; ``rows`` are those that have pixels."""

    cut: cropping.CutCells
    rows: npt.NDArray[np.intp]
    latents: Float32Array | None = None
    errors: Float32Array | None = None
    properties: dict[str, Float64Array] | None = None
    spectra: Float32Array | None = None
    saturated: BoolArray | None = None
    sample: CropMeasures | None = None


def _normalised(
    frames: Frames, cells: CellTable, model: CellModel, diameter: float
) -> Iterator[cropping.CutCells]:
    """Cells with normalised crops, in batches of one size across frames.

    Batches of one size are faster than of many: for each new one, torch makes its kernels anew.
    """
    return cropping.iter_cells(
        frames, cells, diameter, model.model_diameter, model.crop_size, BATCH,
        normalised=True, across=True,
    )  # fmt: skip


def _regions(
    cells: CellTable, diameter: float, model: CellModel, segmentation: Any
) -> npt.NDArray[np.int32] | None:
    """Segmentation (n, S, S) of the crops of some cells, if one is given."""
    if segmentation is None:
        return None
    return label_crops(segmentation, cells, diameter, model.model_diameter, model.crop_size)


def measure_cells(
    frames: Frames,
    encoding: Encoding,
    model: CellModel,
    progress: Progress | None = None,
    segmentation: Any = None,
) -> Encoding:
    """The same cells with their properties measured; see :func:`encode_cells`."""
    cells, n = encoding.cells, len(encoding.latents)
    columns = {name: np.full(n, np.nan) for name in PROPERTIES}
    done = 0
    for found in _normalised(frames, cells, model, encoding.diameter):
        rows, crops = found.with_pixels()
        if len(rows):
            some = cells.take(rows)
            regions = _regions(some, encoding.diameter, model, segmentation)
            here = measure_properties(crops, regions, model.model_diameter)
            for name, values in here.items():
                columns[name][rows] = values
        done += len(found.rows)
        if progress is not None:
            progress(done, n)
    way: Way = "built-in" if segmentation is None else "labels"
    return replace(encoding, properties=columns, way=way)


def with_area_um2(
    encoding: Encoding, model: CellModel, pixel_size: tuple[float, float] | None
) -> Encoding:
    """The same cells with the area in µm² too, where areas are measured and pixels have a size.

    ``pixel_size`` is the height and the width of a pixel of the image, µm.
    """
    if pixel_size is None or "area" not in encoding.properties:
        return encoding
    zoom = model.model_diameter / encoding.diameter
    um2 = encoding.properties["area"] * (pixel_size[0] * pixel_size[1] / zoom**2)
    return replace(encoding, properties={**encoding.properties, AREA_UM2: um2})


def with_channel_means(
    encoding: Encoding,
    frames: Frames,
    channels: Mapping[str, Frames],
    model: CellModel,
    segmentation: Any = None,
    progress: Progress | None = None,
) -> Encoding:
    """The same cells with the mean grey level of channels inside each nucleus among properties.

    Parameters and errors are those of
    :func:`napari_interpdisc.scrutiny.channel_means.channel_means`; without channels, nothing is
    done.
    """
    if not channels:
        return encoding
    means = channel_means(
        frames, channels, encoding.cells, encoding.diameter, model.model_diameter,
        model.crop_size, segmentation, progress,
    )  # fmt: skip
    way: Way = "built-in" if segmentation is None else "labels"
    return replace(encoding, properties={**encoding.properties, **means}, way=way)


def near_edge(cells: CellTable, shape: tuple[int, ...], diameter: float) -> BoolArray:
    """Whether each centroid (N,) is within half a diameter of the edge of (Y, X) pixels."""
    to_edge = np.minimum(cells.yx, np.array(shape) - 1 - cells.yx).min(1)
    return np.asarray(to_edge < diameter / 2)


def movie_warnings(encoding: Encoding, model: CellModel | None = None) -> list[str]:
    """What is wrong with a movie as a whole, and what to do: a sentence each, none if it is right.

    First the settings that a check names (:mod:`napari_interpdisc.checks`), then whether its cells
    are out of distribution, then whether ``model`` was trained at a diameter that was measured in
    another way.
    """
    told = [check.advice for check in encoding.checks]
    told.append(unlike_training(encoding))
    if model is not None:
        told.append(measured_otherwise(encoding, model))
        told += properties_otherwise(encoding, model)
    return [sentence for sentence in told if sentence]


def properties_otherwise(encoding: Encoding, model: CellModel) -> list[str]:
    """Sentences on heads whose properties were measured in another way than those of the cells."""
    if not encoding.properties:
        return []
    heads: dict[Way, list[str]] = {}
    for named in model.heads.values():
        read = named.head.properties
        if len(read) and read.way != encoding.way:
            heads.setdefault(read.way, []).append(named.name)
    return [
        f"Properties were measured {PROPERTY_WAYS[way]} for the training of {', '.join(names)}, "
        f"and here {PROPERTY_WAYS[encoding.way]}: areas and shapes may differ between the two; "
        "measure them in the same way, or check the classes."
        for way, names in heads.items()
    ]


WAYS: dict[Measured, str] = {
    "given": "given by hand",
    "segmentation": "measured in a segmentation",
    "detection": "measured in detected nuclei",
}


def measured_otherwise(encoding: Encoding, model: CellModel) -> str:
    """One sentence if heads were trained at a diameter that was measured otherwise, else "".

    The two ways differ by some per cent on one and the same movie. A diameter that is given now is
    taken for what its giver means.
    """
    ways = {movie.measured for movie in model.movies}
    if not ways or encoding.measured in ("given", *ways):
        return ""
    trained = " or ".join(WAYS[way] for way in sorted(ways))
    sizes = [movie.diameter for movie in model.movies]
    low, high = f"{min(sizes):.1f}", f"{max(sizes):.1f}"
    return (
        f"'{model.name}' was trained at a nuclear diameter {trained} "
        f"({low if low == high else f'{low} to {high}'} px), and here it is "
        f"{WAYS[encoding.measured]} ({encoding.diameter:.1f} px): measure it in the same way, or "
        "give it."
    )


def unlike_training(encoding: Encoding) -> str:
    """One sentence if a movie looks unlike the training data, else an empty string.

    It does if more than 5 % of at least 20 cells are out-of-distribution, and if that is more than
    three standard deviations above the share of the training data. Cells that touch the edge are
    not counted: they look unlike it for another reason.
    """
    known, whole = encoding.familiarity, ~encoding.touches_edge & encoding.usable
    n = int(whole.sum())
    if known is None or n < FEWEST:
        return ""
    share, expected = float(encoding.out_of_distribution[whole].mean()), known.expected
    if share <= max(TOO_MANY, expected + 3 * np.sqrt(expected * (1 - expected) / n)):
        return ""
    name = encoding.model_name
    start = name if name in installed_models() else "and the model's folder"
    which = "cells inside the image" if encoding.touches_edge.any() else "cells"
    latents, spectrum = (encoding.surprises[whole] > SURPRISED).mean(0)
    if spectrum > latents:
        what = (
            "most of them in sharpness or grain: check focus and exposure, and that the image was "
            "neither smoothed nor compressed"
        )
    else:
        what = (
            f"most of them in their latents: check the diameter ({encoding.diameter:.4g} px was "
            "used) and the channel"
        )
    return (
        f"{percent(share)} of the {which} look unlike those that '{name}' was trained on (at most "
        f"{percent(expected)} of those do), {what}, or fine-tune the encoder on your own cells "
        f"(interpdisc train-encoder --start {start})."
    )


def classify_encoding(
    encoding: Encoding, model: CellModel, head: str | None = None
) -> Classification:
    """Score encoded cells with one of the model's heads.

    Cells are as familiar as ``model`` says, or as they were if it does not say.

    Raises
    ------
    InvalidInput
        If the latents were made by another encoder, or the head reads properties that were not
        measured.
    InvalidModel
        If the model has no such head.
    """
    if encoding.encoder_sha256 != model.encoder_sha256:
        raise InvalidInput(
            f"These cells were encoded by model '{encoding.model_name}', whose encoder is not that "
            f"of '{model.name}'; encode them again first."
        )
    named = model.head(head)
    if model.familiarity not in (None, encoding.familiarity):
        encoding = replace(encoding, familiarity=model.familiarity)
    usable = encoding.usable
    known = encoding.familiarity is not None and bool(usable.any())
    scored = usable.copy()
    if len(named.head.properties):
        # what a head cannot read it cannot judge: such a cell gets no class, and the reason
        scored &= ~missing_properties(named.head.properties.columns(encoding.properties))
    scores = np.full((len(usable), score_width(named.classes)), np.nan, np.float32)
    undefined = np.zeros(len(usable), bool)
    for rows in _some_of(scored):
        some = {name: values[rows] for name, values in encoding.properties.items()}
        read = (encoding.latents[rows], named.name, some)
        scores[rows], undefined[rows] = model.score(*read), ~model.defined(*read)
    scores[undefined] = np.nan
    return Classification(
        encoding,
        named.name,
        named.classes,
        scores,
        {
            "model": model.name,
            "model_sha256": model.sha256,
            "head": named.name,
            "classes": list(named.classes),
            "confidence": named.calibration_told,
            "diameter": encoding.diameter,
            "diameter_from": encoding.measured,
            "cells": encoding.cells.source,
            "taken": [encoding.cells.taken.sentence, *encoding.cells.taken.notes]
            if encoding.cells.taken.sentence
            else None,
            "unfamiliar_share": round(float(encoding.out_of_distribution[usable].mean()), 4)
            if known
            else None,
            "touches_edge": int(encoding.touches_edge.sum()),
            "saturated": int(encoding.saturated.sum()),
            "no_pixels": int((~usable).sum()),
            **({"no_value": int(undefined.sum())} if undefined.any() else {}),
            **_properties_note(encoding, usable & ~scored, named),
            "checks": [check.note() for check in encoding.checks],
        },
        undefined=undefined,
    )


def _properties_note(
    encoding: Encoding, unmeasured: BoolArray, named: NamedHead
) -> dict[str, object]:
    """What settings tell of measured properties; nothing if there are none."""
    if not encoding.properties:
        return {}
    return {
        "properties": {column_title(name): unit_of(name) for name in encoding.properties},
        "properties_measured": PROPERTY_WAYS[encoding.way],
        "properties_read": list(named.head.properties.names),
        "not_measured": int(unmeasured.sum()),
    }


def classify(
    frames: Frames,
    cells: CellTable,
    model: CellModel,
    diameter: float,
    head: str | None = None,
    progress: Progress | None = None,
    measured: Measured = "given",
    properties: bool = False,
    segmentation: Any = None,
    pixel_size: tuple[float, float] | None = None,
    *,
    errors: bool = False,
    precision: Precision = "float32",
    channels: Mapping[str, Frames] | None = None,
) -> Classification:
    """Crop, encode and classify every cell: the whole way from an image to classes.

    Parameters and errors are those of :func:`encode_cells` and :func:`classify_encoding`; see
    :func:`with_area_um2` for ``pixel_size`` and :func:`with_channel_means` for ``channels``.
    """
    model.head(head)
    encoding = encode_cells(
        frames,
        cells,
        model,
        diameter,
        progress,
        measured,
        properties,
        segmentation,
        errors=errors,
        precision=precision,
    )
    encoding = with_area_um2(encoding, model, pixel_size)
    encoding = with_channel_means(encoding, frames, channels or {}, model, segmentation, progress)
    return classify_encoding(encoding, model, head)


def cell_crops(frames: Frames, cells: CellTable, model: CellModel, diameter: float) -> Float32Array:
    """Cut the normalised crops (N, 1, S, S) of a few cells, in their order, to show or perturb.

    Raises
    ------
    InvalidInput
        If a cell is outside the image or has no pixels, or the diameter is impossible.
    """
    cells.check_inside(frames)
    out = np.empty((len(cells), 1, model.crop_size, model.crop_size), np.float32)
    for found in _normalised(frames, cells, model, diameter):
        without = np.flatnonzero(found.no_pixels != "")
        if len(without):
            y, x = cells.yx[found.rows[without[0]]]
            raise InvalidInput(
                f"The cell at y = {y:.1f}, x = {x:.1f} of frame {cells.t[found.rows[without[0]]]} "
                f"has {found.no_pixels[without[0]]}; leave it out."
            )
        out[found.rows] = found.crops[:, None]
    return out
