"""One press of *Run* in the Cells widget: what it reads, does and tells. No Qt here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from napari.layers import Image, Labels

from napari_interpdisc._types import Measured, Progress
from napari_interpdisc.cells import CellTable
from napari_interpdisc.checks import Check
from napari_interpdisc.frames import Frames, Picture
from napari_interpdisc.io.label_values import objects_of
from napari_interpdisc.io.results import versions
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.pipeline import (
    Classification,
    classify_encoding,
    encode_cells,
    with_area_um2,
    with_channel_means,
)
from napari_interpdisc.widgets.canvas.layers import cells_from_planes, label_columns, write_features
from napari_interpdisc.widgets.session import Session

if TYPE_CHECKING:
    from napari_interpdisc.nuclei.diameter import DiameterEstimate

DISAGREEMENT = "disagreement"
"""Feature, and what the metadata tell of it."""


STATE = "state"
"""Feature of states through time, and what the metadata tell of it."""


@dataclass(frozen=True)
class WatchedFrames(Frames):
    """Frames that report each one read: progress and cancel for any function over frames."""

    progress: Progress | None = None

    @classmethod
    def watching(cls, frames: Frames, progress: Progress) -> WatchedFrames:
        """Return ``frames`` under watch."""
        given = {one.name: getattr(frames, one.name) for one in fields(Frames)}
        return cls(**given, progress=progress)

    def picture(self, t: int, plane: int | None = None) -> Picture:
        """Read frame ``t``, saying so."""
        if self.progress is not None:
            self.progress(t, len(self))
        return super().picture(t, plane)


def _finest(layer: Any) -> Any:
    return layer.data[0] if layer.multiscale else layer.data


def _may_be_measured(layer: Any) -> bool:
    """Whether a layer is a picture of numbers that are no result of ours."""
    return isinstance(layer, Image) and not layer.rgb and "interpdisc" not in layer.metadata


def _same_places(one: Any, other: Any) -> bool:
    """Whether pixels of two image layers lie on each other."""
    same = all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("scale", "translate")
    )
    return same and _finest(one).shape == _finest(other).shape


@dataclass(frozen=True)
class Choice:
    """What one run works on, read from the layers on the main thread and checked.

    Attributes
    ----------
    image, cells_layer, labels
        The layers; only the main thread touches them.
    frames
        The image.
    cells
        The cells, or None where they are the objects of ``planes``.
    planes
        Pixels of the segmentation, or None.
    before
        The cells layer's data as it was, to find out whether it was changed meanwhile.
    taken
        What the numbers in ``planes`` were taken for, if they do not number objects themselves.
    channels
        By name, what is measured inside nuclei along with properties.
    """

    image: Any
    cells_layer: Any
    labels: Any
    frames: Frames
    cells: CellTable | None
    planes: Any
    before: npt.NDArray[Any] | None
    taken: str = ""
    channels: Mapping[str, Frames] = field(default_factory=dict)

    @property
    def segmented(self) -> Any:
        """The layer that ``planes`` are of, or None."""
        return self.cells_layer if isinstance(self.cells_layer, Labels) else self.labels

    def checked(self) -> Choice:
        """Make objects of a mask or a map of classes, as of a file; on a thread.

        Raises
        ------
        InvalidInput
            If the labels are no segmentation, such as an inverted mask or an image.
        """
        if self.planes is None:
            return self
        objects, taken = objects_of(self.planes, f"'{self.segmented.name}'")
        return replace(self, planes=objects, taken=taken)

    def classify(
        self,
        model: CellModel,
        head: str | None,
        diameter: float | None,
        progress: Progress,
        measured: Measured = "given",
        properties: bool = False,
        pixel_size: tuple[float, float] | None = None,
    ) -> Classification:
        """Do the whole work; on a thread. ``measured`` says where the diameter comes from.

        ``properties`` asks for measured properties, in the segmentation if there is one;
        ``pixel_size`` is the height and width of a pixel, µm.
        """
        model.head(head)
        doubts: tuple[Check, ...] = ()
        if diameter is None:
            found = self.diameter(progress)
            diameter, measured = found.diameter, found.measured
            if found.doubt:
                doubts = (Check("estimate", diameter, found.low, found.high, found.doubt),)
        cells = self.cells
        if cells is None:
            cells = cells_from_planes(self.planes, self.frames, self.cells_layer.name, progress)
        encoding = encode_cells(
            self.frames, cells, model, diameter, progress, measured, properties, self.planes
        )
        encoding = with_area_um2(encoding, model, pixel_size)
        encoding = with_channel_means(
            encoding, self.frames, self.channels, model, self.planes, progress
        )
        encoding = replace(encoding, checks=(*doubts, *encoding.checks))
        return classify_encoding(encoding, model, head)

    def with_channels(self, layers: Iterable[Any]) -> Choice:
        """Have every channel of the image measured, and every other image of the same places.

        ``layers`` are those of the viewer. Pictures that are colours or results are left out.
        """
        axis, image = self.frames.channel_axis, self.image
        found = {image.name: self.frames}
        if axis is not None:
            n = int(self.frames.data.shape[axis])
            found = {f"channel_{k}": replace(self.frames, channel=k) for k in range(n)}
        for layer in layers if axis is None else ():
            if layer is not image and _may_be_measured(layer) and _same_places(layer, image):
                found[layer.name] = replace(self.frames, data=_finest(layer))
        return replace(self, channels=found)

    def linked(
        self, diameter: float | None, reach: float, divisions: bool, progress: Progress
    ) -> CellTable:
        """Link the cells into tracks; on a thread. The diameter is estimated if it is None."""
        from napari_interpdisc.nuclei.linking import link_cells

        if diameter is None:
            diameter = self.diameter(progress).diameter
        cells = self.cells
        if cells is None:
            cells = cells_from_planes(self.planes, self.frames, self.cells_layer.name, progress)
        return link_cells(cells, diameter, reach, divisions, progress)

    def diameter(self, progress: Progress) -> DiameterEstimate:
        """Estimate the nuclear diameter; on a thread."""
        from napari_interpdisc.nuclei.diameter import SAMPLED_FRAMES, measure_diameter

        n, read = min(len(self.frames), SAMPLED_FRAMES), count()

        def watched(*_: int) -> None:
            progress(min(next(read), n), n)

        return measure_diameter(WatchedFrames.watching(self.frames, watched), self.planes)


def result_columns(result: Classification, model: CellModel) -> pd.DataFrame:
    """Feature columns of a result: class, score, confidence, flags and their measures, z_0 ….

    Model, head and diameter are the same for all cells: the layer's metadata have them.
    """
    return result.results().drop(columns=["model", "head", "diameter"])


def result_note(result: Classification, choice: Choice) -> dict[str, Any]:
    """Return what ``metadata["interpdisc"]`` says of a result: settings and versions."""
    return {
        **result.settings,
        "image": choice.image.name,
        "channel": None if choice.frames.channel_axis is None else choice.frames.channel,
        "segmentation": None if choice.labels is None else choice.labels.name,
        "versions": versions(),
    }


def forget_states(layer: Any) -> None:
    """Take states through time from a layer's features: they belong to classes of before.

    A feature of that name that the user brought stays: the metadata tell which is ours.
    """
    note = layer.metadata.get("interpdisc", {})
    if STATE in note:
        layer.metadata["interpdisc"] = {k: v for k, v in note.items() if k != STATE}
        if STATE in layer.features:
            layer.features = layer.features.drop(columns=STATE)


def rewrite_classes(session: Session) -> None:
    """Make the features of the cells layer say what the session's present head says.

    Latents are kept. Class, score, confidence and flags change with the head, and so do model and
    head in the metadata: what is saved is what is seen.

    Raises
    ------
    InvalidInput
        If cells were added to the layer or taken from it since they were encoded.
    """
    layer, result = session.cells_layer, session.classification
    if layer is None or result is None or "interpdisc" not in layer.metadata:
        return
    note = layer.metadata["interpdisc"]
    decisive = ("model_sha256", "head", "unfamiliar_share")
    if all(note.get(key) == result.settings.get(key) for key in decisive):
        return
    forget_states(layer)
    note = layer.metadata["interpdisc"]
    columns = result_columns(result, session.model)
    measured = ("z_", "reconstruction_error", "latent_norm")  # of the encoder alone
    kept = [name for name in columns if not str(name).startswith(measured)]
    columns = columns[kept]
    ours = ["score", *(f"score_{name}" for name in note.get("classes", ()))]
    compared_before = DISAGREEMENT in note and session.disagreement is None
    ours += [DISAGREEMENT] * compared_before
    stale = [name for name in ours if name in layer.features and name not in columns]
    if isinstance(layer, Labels):
        cells = result.encoding.cells
        columns = pd.concat([label_columns(cells.track_id, cells.t), columns], axis=1)
    write_features(layer, columns)
    if stale:
        layer.features = layer.features.drop(columns=stale)
    kept_note = {k: v for k, v in note.items() if k != DISAGREEMENT or not compared_before}
    layer.metadata["interpdisc"] = {**kept_note, **result.settings}


def rewrite_disagreement(session: Session) -> None:
    """Make the feature ``disagreement`` of the cells layer say what the compared heads say.

    Without a comparison, the layer has no such feature.

    Raises
    ------
    InvalidInput
        If cells were added to the layer or taken from it since they were encoded.
    """
    layer, encoding, apart = session.cells_layer, session.encoding, session.disagreement
    if layer is None or encoding is None or "interpdisc" not in layer.metadata:
        return
    note = {k: v for k, v in layer.metadata["interpdisc"].items() if k != DISAGREEMENT}
    if apart is None or session.as_good is None:
        if DISAGREEMENT in layer.metadata["interpdisc"]:
            layer.features = layer.features.drop(columns=DISAGREEMENT, errors="ignore")
            layer.metadata["interpdisc"] = note
        return
    columns = pd.DataFrame({DISAGREEMENT: apart})
    if isinstance(layer, Labels):
        cells = encoding.cells
        columns = pd.concat([label_columns(cells.track_id, cells.t), columns], axis=1)
    write_features(layer, columns)
    layer.metadata["interpdisc"] = {**note, DISAGREEMENT: session.as_good.note()}
