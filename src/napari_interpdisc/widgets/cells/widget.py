"""Dock widget *Cells*: choose the movie and its cells, encode and classify them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from napari.layers import Image, Labels, Points, Tracks
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QBoxLayout,
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_interpdisc._types import Measured, Progress
from napari_interpdisc.cells import CellTable
from napari_interpdisc.crops import check_diameter
from napari_interpdisc.errors import InterpdiscError, InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.io.planes import as_dask
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.nuclei.linking import REACH, told_links
from napari_interpdisc.pipeline import (
    Classification,
    Encoding,
    classify_encoding,
    movie_warnings,
)
from napari_interpdisc.widgets.canvas.annotation_home import is_aside
from napari_interpdisc.widgets.canvas.annotation_layer import is_annotations
from napari_interpdisc.widgets.canvas.chosen_marks import is_chosen_marks
from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.flip_marks import is_flip_marks
from napari_interpdisc.widgets.canvas.layers import (
    affine_of,
    cells_from_layer,
    channel_axis_of,
    check_segmentation,
    frames_from_layer,
    image_axes,
    label_columns,
    meaning_of_axis,
    movie_of_layer,
    placed_like,
    write_features,
)
from napari_interpdisc.widgets.canvas.overlay import follow_session, is_overlay, update_overlay
from napari_interpdisc.widgets.cells.run import (
    Choice,
    WatchedFrames,
    forget_states,
    result_columns,
    result_note,
)
from napari_interpdisc.widgets.opening import add_cells, ask_file, ask_store
from napari_interpdisc.widgets.parts.controls import (
    ScrolledPage,
    StatusLine,
    Told,
    button,
    combo,
    row,
)
from napari_interpdisc.widgets.parts.links import connect_while_alive
from napari_interpdisc.widgets.parts.workers import Work
from napari_interpdisc.widgets.session import session_of

if TYPE_CHECKING:
    from napari_interpdisc.nuclei.diameter import DiameterEstimate

MOST_CHANNELS = 5
"""A three-axis image whose shortest axis is longer than this has no channels."""

DIAMETER_CHECKS = ("diameter", "estimate")
"""Checks of a movie whose advice stands beside the diameter."""

ASK = "ask"
"""Choice of an axis that is still to be made."""


class CellsWidget(QWidget):  # type: ignore[misc]
    """Choose layers and diameter, run, and find the results in the cells layer's features.

    All layers are read before the work starts and written after it ended, on the main thread; the
    work itself sees arrays only. It does not say which model is used: *Classify* does.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._viewer = unwrapped(napari_viewer)
        self._session = session_of(self._viewer)
        self.work = Work(self)
        self._linking = False
        self._labels_chosen = self._cells_chosen = False
        self._first_axis_of: tuple[Any, ...] = ()
        self._build()
        self.work.progressed.connect(self.told.progress.show_progress)
        self.work.running_changed.connect(self._show_running)
        events = self._viewer.layers.events
        connect_while_alive(
            self,
            (events.inserted, self._layer_inserted),
            (events.removed, self._layers_changed),
            (events.reordered, self._layers_changed),
            *((layer.events.name, self._layers_changed) for layer in self._viewer.layers),
        )
        follow_session(self._viewer, self._session)
        self._layers_changed()

    def _build(self) -> None:
        self.image = combo(self._images, "Choose the image: 2D, or a movie (t, y, x).")
        self.channel_axis = combo(
            self._axes, "Choose the axis of the channels (stains). Its length is in brackets."
        )
        self.channel = combo(
            self._channels, "Choose the channel of the nuclear stain, such as H2B or DAPI."
        )
        self.first_axis = combo(
            self._first_axes,
            "Say whether the axis before y and x is time or z: the layers do not tell. Of a "
            "z-stack, the brightest pixel along z, the middle plane, or each cell's plane is used.",
        )
        self.cells = combo(
            self._cell_layers,
            "Choose where the cells are: tracks, points at their centres, or segmentation labels.",
        )
        self.labels = combo(
            self._segmentations,
            "Choose labels of the nuclei, if there are any, to colour them by class. "
            "Without labels, discs are drawn.",
        )
        self._measured: dict[float, Measured] = {}
        self.diameter = QDoubleSpinBox()
        self.diameter.setRange(0, 9999)
        self.diameter.setDecimals(1)
        self.diameter.setSuffix(" px")
        self.diameter.setSpecialValueText("automatic")
        self.diameter.setToolTip(
            "Typical diameter of an interphase nucleus, in pixels of the image. Crops are resized "
            "to the diameter that the model was trained on. At 0 it is estimated."
        )
        self.estimate = button(
            "Estimate", self._estimate, "Measure the diameter in the image or the segmentation."
        )
        self.detect = button(
            "Detect cells",
            self._detect,
            "Find the nuclei of the image and add them as a Points layer.",
        )
        self.link = button(
            "Link to tracks",
            self._link,
            "Link the chosen points or labels of successive frames into tracks (laptrack). "
            "Good enough to try; track with btrack or trackastra for science.",
        )
        self.reach = QDoubleSpinBox()
        self.reach.setRange(0.1, 10)
        self.reach.setSingleStep(0.1)
        self.reach.setValue(REACH)
        self.reach.setDecimals(1)
        self.reach.setSuffix(" ⌀")  # there is no room for the word
        self.reach.setToolTip(
            "How far a nucleus may move from one frame to the next, in nuclear diameters."
        )
        self.divisions = QCheckBox("with divisions")
        self.divisions.setToolTip("Let a track end where two others begin.")
        self.links = row(self.reach, self.divisions, self.link)
        self.open = QPushButton("Open …")
        self.open.setToolTip(
            "Open a table, an HDF5 file or a GEFF store of cells as a layer. If the columns of a "
            "table are not known, a form asks which are which."
        )
        menu = QMenu(self.open)
        menu.addAction("Table or HDF5 file …", lambda: self._open(ask_file))
        menu.addAction("GEFF store …", lambda: self._open(ask_store))
        self.open.setMenu(menu)
        self.properties = QCheckBox("Measure properties")
        self.properties.setToolTip(
            "Add area, solidity, grain and more to the features: of the nuclei in the "
            "segmentation, else of nuclei that are found; and the mean of each channel, and of "
            "each image of the same size, inside them. Takes about 5 ms for a cell. They are "
            "measured anyway if a head of the model reads them."
        )
        self.run = button(
            "Run", self._run, "Encode and classify every cell; results go into the cells layer."
        )
        self.run.setDefault(True)
        self.cancel = button("Cancel", self._cancel, "Stop. Nothing is changed.")
        self.cancel.setEnabled(False)
        self.told = Told("How much of the work is done.")
        self.status = self.told.status
        self.warned, self.diameter_warned = StatusLine(), StatusLine()
        for line, about in (
            (self.warned, "Warnings about this movie as a whole."),
            (self.diameter_warned, "Warning about the nuclear diameter of the last run."),
        ):
            line.setToolTip(about)

        self._diameter_row = row(self.diameter, self.estimate)
        introduction = QLabel("Choose the image and where its cells are, then press <b>Run</b>.")
        introduction.setWordWrap(True)
        self.form = QFormLayout()
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        for label, field in (
            ("Image", self.image.native),
            ("Channel axis", self.channel_axis.native),
            ("Channel", self.channel.native),
            ("First axis", self.first_axis.native),
            ("Cells", self.cells.native),
            ("Link", self.links),
            ("Segmentation", self.labels.native),
            ("Nuclear diameter", self._diameter_row),
            ("Properties", self.properties),
        ):
            self.form.addRow(label, field)
            self.form.labelForField(field).setToolTip(field.toolTip())
        self._cells_row = row(self.open, self.detect)
        at = self.form.getWidgetPosition(self.cells.native)[0]
        self.form.insertRow(at + 1, "", self._cells_row)
        at = self.form.getWidgetPosition(self._diameter_row)[0]
        self.form.insertRow(at + 1, self.diameter_warned)
        self.form.setRowVisible(self.diameter_warned, False)
        page = QWidget()
        self._lines = QVBoxLayout(page)
        self._run_row = row(self.run, self.cancel)
        self._lines.addWidget(introduction)
        self._lines.addLayout(self.form)
        for part in (self._run_row, self.warned):
            self._lines.addWidget(part)
        self._lines.addStretch()
        self.warned.setVisible(False)
        self.told.stand_below(self._run_row, self._lines)
        self._page = ScrolledPage(page)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._page)
        self.labels.native.activated.connect(self._labels_were_chosen)
        self.cells.native.activated.connect(self._cells_were_chosen)
        self.image.changed.connect(self._image_changed)
        self.channel_axis.changed.connect(self._axis_changed)
        self.cells.changed.connect(self._axis_changed)
        self.first_axis.changed.connect(self._offer_labels)
        # what is wrong with a choice, or with the diameter, is no longer so once it is changed
        boxes = (self.image, self.channel_axis, self.channel, self.first_axis, self.cells)
        for box in (*boxes, self.labels):
            box.changed.connect(self._forget)
        self.diameter.valueChanged.connect(self._forget)

    def _forget(self, *_: Any) -> None:
        """Take back what was wrong with choices that are others now."""
        self.status.forget_fault()
        self._warn_of_diameter("")
        self._warn("")

    def _warn(self, text: str) -> None:
        self.warned.warn(text)
        self.warned.setVisible(bool(text))

    def _warn_of_diameter(self, text: str) -> None:
        self.diameter_warned.warn(text)
        self.form.setRowVisible(self.diameter_warned, bool(text))

    # -- choices, always those of the layer list ------------------------------------------------

    def _layers_of(self, *kinds: Any) -> list[tuple[str, Any]]:
        return [
            (layer.name, layer)
            for layer in reversed(list(self._viewer.layers))
            if isinstance(layer, kinds)
            and not (is_overlay(layer) or is_flip_marks(layer) or is_chosen_marks(layer))
        ]

    def _images(self, _: Any = None) -> list[tuple[str, Any]]:
        # What this package laid over a movie is not a movie to choose.
        return [
            (name, layer)
            for name, layer in self._layers_of(Image)
            if "interpdisc" not in layer.metadata
        ]

    def _cell_layers(self, _: Any = None) -> list[tuple[str, Any]]:
        kinds = (Tracks, Points, Labels)  # the likelier first
        # a run would write its classes over those that were annotated
        return [
            (name, layer)
            for kind in kinds
            for name, layer in self._layers_of(kind)
            if not (is_annotations(layer) or is_aside(layer))
        ]

    def _segmentations(self, _: Any = None) -> list[tuple[str, Any]]:
        return [("none", None), *self._layers_of(Labels)]

    def _axes(self, _: Any = None) -> list[tuple[str, Any]]:
        image = self.image.value if self._images() else None
        if image is None or image.rgb or not self._may_have_channels(image):
            return [("none", None)]
        shape = image.data.shape
        axes: list[tuple[str, Any]] = [
            (f"axis {i} (length {n})", i) for i, n in enumerate(shape[:-2])
        ]
        known = channel_axis_of(image)
        if known is not None:
            axes.insert(0, axes.pop(known))
            return axes
        return [("choose …", ASK) if image.ndim == 4 else ("none", None), *axes]

    @property
    def _channels_along(self) -> int | None:
        """Axis of the channels that is chosen; None as long as there is none."""
        axis = self.channel_axis.value
        return None if axis == ASK else axis

    def _channels(self, _: Any = None) -> list[tuple[str, Any]]:
        axis = self._channels_along if hasattr(self, "channel_axis") else None
        if axis is None or self.image.value is None:
            return [("0", 0)]
        return [(str(i), i) for i in range(self.image.value.data.shape[axis])]

    def _may_have_channels(self, image: Any) -> bool:
        shape = image.data.shape
        few = len(shape) == 3 and shape[0] <= MOST_CHANNELS
        return len(shape) > 3 or (few and meaning_of_axis(0, image) is None)

    def _first_axes(self, _: Any = None) -> list[tuple[str, Any]]:
        kinds = [
            *(("time", "t"), ("z (maximum)", "max"), ("z (middle)", "mid")),
            ("z (plane of each cell)", "centroid"),
        ]
        image = self.image.value if hasattr(self, "image") else None
        known = None if image is None else self._meaning(image)
        return [("choose …", None), *(kinds[1:] if known == "z" else kinds)]

    def _before_plane(self, image: Any) -> int | None:
        """Position of the one axis that is left before y and x, if there is one."""
        channel = self._channels_along
        left = [a for a in range(image.ndim - 2) if channel is None or a != channel % image.ndim]
        return left[0] if len(left) == 1 and not image.rgb else None

    def _meaning(self, image: Any) -> str | None:
        """What the axis before y and x is, by the layers: "t" or "z"; None if they do not tell."""
        axis = self._before_plane(image)
        if axis is None or image.data.shape[axis] == 1:
            return "t"
        cells = self.cells.value if hasattr(self, "cells") else None
        return meaning_of_axis(axis, image, *([] if cells is None else [cells]))

    def _show_first_axis(self, _: Any = None) -> None:
        """Ask for the first axis where the layers do not say what it is; nothing is preset."""
        image = self.image.value
        asked = image is not None and self._meaning(image) != "t"
        key = (id(image), self.channel_axis.value, self._meaning(image) if asked else "t")
        if key != self._first_axis_of:
            self._first_axis_of = key
            self.first_axis.reset_choices()
            self.first_axis.value = None
        self.form.setRowVisible(self.first_axis.native, asked)

    def _layer_inserted(self, event: Any) -> None:
        connect_while_alive(self, (event.value.events.name, self._layers_changed))
        self._layers_changed()

    def _layers_changed(self, _: Any = None) -> None:
        before = self.cells.value
        for box in (self.image, self.cells, self.labels):
            box.reset_choices()
        if self.cells.value is not before and before is not None:
            self._cells_chosen = False  # what was chosen by hand is gone
        self._image_changed()
        self._prefer_tracks()

    def _image_changed(self, _: Any = None) -> None:
        self.channel_axis.reset_choices()
        self._axis_changed()
        shown = len(self._axes()) > 1
        self.form.setRowVisible(self.channel_axis.native, shown)
        has_image = self.image.value is not None
        for knob in (self.estimate, self.detect):
            knob.setEnabled(has_image and not self.work.running)

    def _labels_were_chosen(self, _: int) -> None:
        self._labels_chosen = True

    def _cells_were_chosen(self, _: int) -> None:
        self._cells_chosen = True

    def _prefer_tracks(self) -> None:
        """Take tracks that came later in place of masks or points, unless the user chose those."""
        before = self.cells.value
        if self._cells_chosen or before is None or isinstance(before, Tracks):
            return
        for name, layer in self._layers_of(Tracks):
            self.cells.value = layer
            with contextlib.suppress(InterpdiscError):
                if self.image.value is not None:
                    frames = self._frames()
                    cells_from_layer(layer, self.image.value, frames).check_inside(frames)
                self._tell_below(self._cells_row, self.form)
                self.status.say(
                    f"The tracks '{name}' are now chosen as cells, in place of '{before.name}'."
                )
                return
        self.cells.value = before

    def _tell_below(self, field: QWidget, layout: QFormLayout | QBoxLayout) -> None:
        """Tell what follows below the control that it is about."""
        self.told.stand_below(field, layout)

    def _offer_labels(self, _: Any = None) -> None:
        """Take the one segmentation that fits the image, unless the user has made a choice."""
        if self._labels_chosen or self.labels.value is not None:
            return
        fitting = []
        for _name, layer in self._layers_of(Labels):
            with contextlib.suppress(InterpdiscError):
                check_segmentation(layer, self.image.value, self._frames())
                fitting.append(layer)
        if len(fitting) == 1 and fitting[0] in self.labels.choices:
            self.labels.value = fitting[0]

    def _axis_changed(self, _: Any = None) -> None:
        self._show_first_axis()
        self.form.setRowVisible(self.links, isinstance(self.cells.value, Points | Labels))
        self._offer_labels()
        self.channel.reset_choices()
        self.form.setRowVisible(self.channel.native, self._channels_along is not None)

    # -- work -----------------------------------------------------------------------------------

    def _frames(self) -> Frames:
        if self.image.value is None:
            raise InvalidInput("There is no image: open one (File ▸ Open, or File ▸ Open Sample).")
        image, channel_axis, channel = self.image.value, self._channels_along, self.channel.value
        if self.channel_axis.value == ASK:
            raise InvalidInput(
                f"'{image.name}' has {image.ndim} axes, and neither the layer nor its file says "
                "which are channels: choose it at 'Channel axis'."
            )
        if self._meaning(image) == "t":
            return frames_from_layer(image, channel_axis, channel or 0)
        wanted, axis = self.first_axis.value, self._before_plane(image)
        if wanted is None and axis is not None:
            raise InvalidInput(
                f"The layers do not say whether axis {axis} of '{image.name}' "
                f"({image.data.shape[axis]} long) is time or z: choose it at 'First axis'"
                + (
                    ", or at 'Channel axis' if it has channels."
                    if self._may_have_channels(image)
                    else "."
                )
                if self._meaning(image) is None
                else f"'{image.name}' is a z-stack: choose at 'First axis' how its planes are used."
            )
        if wanted == "t":
            return frames_from_layer(image, channel_axis, channel or 0)
        return frames_from_layer(image, channel_axis, channel or 0, axis, wanted)

    def _planes(self, frames: Frames) -> Any:
        labels = self.labels.value
        if labels is None:
            return None
        check_segmentation(labels, self.image.value, frames)
        return labels.data[0] if labels.multiscale else labels.data

    def _choice(self) -> Choice:
        """Read and check all that was chosen, without reading pixels."""
        frames = self._frames()
        image, layer = self.image.value, self.cells.value
        if layer is None:
            raise InvalidInput(
                "There are no cells: open tracks, points or labels, or press 'Detect cells'."
            )
        planes = self._planes(frames)
        if not isinstance(layer, Labels):
            cells = cells_from_layer(layer, image, frames)
            cells.check_inside(frames)
            return Choice(
                image, layer, self.labels.value, frames, cells, planes, np.array(layer.data)
            )
        check_segmentation(layer, image, frames)
        if frames.z_axis is not None and frames.z == "centroid":
            raise InvalidInput(
                f"Objects of '{layer.name}' have no z. Choose points or tracks with a z, or the "
                "maximum or the middle at 'First axis'."
            )
        labels = self.labels.value if self.labels.value is not None else layer
        own = layer.data[0] if layer.multiscale else layer.data
        return Choice(image, layer, labels, frames, None, own, None)

    def _start(self, begin: Callable[[], None]) -> None:
        self.status.say("")
        try:
            begin()
        except InterpdiscError as fault:
            self.status.fault(str(fault))

    def _open(self, ask: Callable[[QWidget], str]) -> None:
        if path := ask(self):
            self._tell_below(self._cells_row, self.form)
            self._start(lambda: self.add_table(path))

    def add_table(self, path: str) -> None:
        """Add the cells of a file, placed on the image; ask for what the file leaves open.

        Raises
        ------
        InvalidInput
            If it cannot be read, or the user does not answer.
        """
        image, frames = self.image.value, None
        if image is not None:
            # the cells may tell whether its first axis is time
            with contextlib.suppress(InvalidInput):
                frames = self._frames()
        self.cells.value, taken = add_cells(self._viewer, path, image, frames, self)
        self._cells_chosen = True
        if taken.sentence:
            self.status.say(" ".join((f"{taken.sentence}.", *taken.notes)))

    def _run(self) -> None:
        self._tell_below(self._run_row, self._lines)
        self._forget()
        self._start(self._begin_run)

    def _begin_run(self) -> None:
        choice = self._choice()
        model, head = self._session.model, self._session.head_name
        given = self.diameter.value()
        diameter = check_diameter(given) if given > 0 else None
        measured = self._measured.get(given, "given")

        properties = self.properties.isChecked()
        pixel_size = None
        if properties:
            choice = choice.with_channels(self._viewer.layers)
        if properties or model.needed_properties:
            pixel_size = movie_of_layer(choice.image, choice.frames).pixel_size

        def work(progress: Progress) -> tuple[Choice, Classification]:
            checked = choice.checked()
            return checked, checked.classify(
                model, head, diameter, progress, measured, properties, pixel_size
            )

        def done(found: tuple[Choice, Classification]) -> None:
            self._start(lambda: self._take(found[0], model, found[1]))

        self.status.say("Working …")
        self.work.start(work, done, self.status.fault)

    def _take(self, choice: Choice, model: CellModel, result: Classification) -> None:
        """Write a finished run into the layers and the session."""
        layer, session = choice.cells_layer, self._session
        if any(used not in self._viewer.layers for used in (choice.image, layer)):
            raise InvalidInput("A layer of this run was removed meanwhile; nothing was written.")
        if choice.before is not None and not np.array_equal(choice.before, layer.data):
            raise InvalidInput(f"'{layer.name}' was changed meanwhile; press Run again.")
        if session.model.sha256 != model.sha256:
            raise InvalidInput("The model was changed meanwhile; press Run again.")
        if session.head_name is not None and session.head_name != result.head:
            result = classify_encoding(result.encoding, model, session.head_name)
        if choice.taken:
            choice = self._with_objects(choice)
            layer = choice.cells_layer
        columns = result_columns(result, model)
        if isinstance(layer, Labels):
            cells = result.encoding.cells
            columns = pd.concat([label_columns(cells.track_id, cells.t), columns], axis=1)
        forget_states(layer)
        write_features(layer, columns)
        layer.metadata["interpdisc"] = result_note(result, choice)
        labels = choice.labels if choice.labels in self._viewer.layers else None
        session.set_result(choice.image, layer, labels, choice.frames, result)
        update_overlay(self._viewer, session).visible = True
        if not self.diameter.value():
            self._show_diameter(result.encoding.diameter, result.encoding.measured)
        counts = pd.Series(result.names()).value_counts()
        told = ", ".join(f"{counts.get(name, 0)} {name}" for name in result.classes)
        cut = int(result.encoding.touches_edge.sum())
        strange = int(result.encoding.out_of_distribution.sum())
        without = int((~result.encoding.usable).sum())
        undefined = int(result.undefined.sum())
        unmeasured = int((result.encoding.usable & ~result.scored).sum()) - undefined
        how = result.settings.get("properties_measured")
        words = [
            f"{len(result.index)} cell{'s' if len(result.index) != 1 else ''}: {told}.",
            f"{unmeasured} have no class: no whole nucleus was found to measure."
            if unmeasured
            else "",
            f"{undefined} have no class: the formula has no value for them." if undefined else "",
            f"Properties were measured {how}." if how else "",
            f"{strange} look{'s' if strange == 1 else ''} unlike the training data."
            if strange
            else "",
            f"{cut} may be cut by the edge of the image." if cut else "",
            f"{without} have no pixels and no class." if without else "",
            f"'{choice.segmented.name}' is {choice.taken}." if choice.taken else "",
            f"Scores and latents are in the features of '{layer.name}'.",
        ]
        self.status.say(" ".join(filter(None, words)))
        self._show_warnings(result.encoding, model)

    def _show_warnings(self, encoding: Encoding, model: CellModel) -> None:
        """Warn of the diameter beside it, and of the rest below *Run*."""
        of_diameter = {c.advice for c in encoding.checks if c.name in DIAMETER_CHECKS} - {""}
        warnings = movie_warnings(encoding, model)
        self._warn_of_diameter("\n".join(f"⚠ {one}" for one in warnings if one in of_diameter))
        self._warn("\n".join(f"⚠ {one}" for one in warnings if one not in of_diameter))

    def _with_objects(self, choice: Choice) -> Choice:
        """Add the objects of a mask as a layer, which takes the place of the mask.

        Features and colours need a number for each object.
        """
        mask, objects = choice.segmented, choice.planes
        data = as_dask(objects) if objects.ndim > 2 else np.asarray(objects)
        layer = self._viewer.add_labels(data, name=f"{mask.name} objects", **placed_like(mask))
        mask.visible = False
        if choice.cells_layer is mask:
            self.cells.value = layer
        if self.labels.value is mask:
            self.labels.value = layer
        return replace(
            choice,
            cells_layer=layer if choice.cells_layer is mask else choice.cells_layer,
            labels=layer if choice.labels is mask else choice.labels,
        )

    def _show_diameter(self, diameter: float, measured: Measured) -> None:
        """Show a diameter, and remember how it was measured for as long as it stands there."""
        self.diameter.setValue(diameter)
        self._measured = {self.diameter.value(): measured}

    def _estimate(self) -> None:
        self._tell_below(self._diameter_row, self.form)
        self._start(self._begin_estimate)

    def _begin_estimate(self) -> None:
        frames = self._frames()
        planes = self._planes(frames)
        choice = Choice(self.image.value, None, self.labels.value, frames, None, planes, None)

        def done(found: DiameterEstimate) -> None:
            self._show_diameter(found.diameter, found.measured)
            self.status.say(f"Nuclei are typically {found.diameter:.1f} px wide.")
            if found.doubt:
                self.status.warn(f"⚠ {found.doubt}")

        self.status.say("Measuring nuclei …")
        self.work.start(
            lambda progress: choice.checked().diameter(progress), done, self.status.fault
        )

    def _detect(self) -> None:
        self._tell_below(self._cells_row, self.form)
        self._start(self._begin_detect)

    def _begin_detect(self) -> None:
        from napari_interpdisc.nuclei.detection import detect_movie

        image, frames, given = self.image.value, self._frames(), self.diameter.value()
        if frames.z_axis is not None and frames.z == "centroid":
            raise InvalidInput(
                "Nuclei are found in one plane and have no z: choose the maximum or the middle at "
                "'First axis'."
            )
        diameter = check_diameter(given) if given > 0 else None

        skipped: list[str] = []

        def done(cells: CellTable) -> None:
            self._start(lambda: self._add_points(image, frames, cells, skipped))

        self.status.say("Looking for nuclei …")
        self.work.start(
            lambda progress: detect_movie(
                WatchedFrames.watching(frames, progress), diameter, skipped.append
            ),
            done,
            self.status.fault,
        )

    def _add_points(
        self, image: Any, frames: Frames, cells: CellTable, skipped: Sequence[str] = ()
    ) -> None:
        if image not in self._viewer.layers:
            raise InvalidInput("The image was removed meanwhile; nothing was added.")
        columns = [cells.t, cells.yx[:, 0], cells.yx[:, 1]][0 if frames.is_movie else 1 :]
        others = {frames.channel_axis: frames.channel, frames.z_axis: frames.n_planes // 2}
        for axis in sorted(axis for axis in others if axis is not None):
            columns.insert(axis, np.full(len(cells), others[axis]))
        layer = self._viewer.add_points(
            np.column_stack(columns),
            name="detected cells",
            size=6,
            face_color="transparent",
            border_color="yellow",
            **placed_like(image),
        )
        self.cells.value = layer
        found = f"{len(cells)} nuclei were found; check them, then press Run."
        self.status.say(" ".join((found, *skipped)))

    def _link(self) -> None:
        self._tell_below(self.links, self.form)
        self._start(self._begin_link)

    def _begin_link(self) -> None:
        choice = self._choice()
        if len(choice.frames) < 2:
            raise InvalidInput(f"'{choice.image.name}' has one frame: there is nothing to link.")
        given, reach = self.diameter.value(), self.reach.value()
        divisions = self.divisions.isChecked()

        def work(progress: Progress) -> CellTable:
            return choice.checked().linked(given or None, reach, divisions, progress)

        def done(found: CellTable) -> None:
            self._start(lambda: self._add_tracks(choice, found))

        self.status.say("Linking …")
        self.work.start(work, done, self.status.fault)
        self._linking = True

    def _add_tracks(self, choice: Choice, cells: CellTable) -> None:
        """Add linked cells as a Tracks layer, and choose it."""
        source = choice.cells_layer
        if source not in self._viewer.layers or choice.image not in self._viewer.layers:
            raise InvalidInput("A layer was removed meanwhile; nothing was added.")
        order = np.lexsort((cells.t, cells.track_id))
        axes = image_axes(choice.image, choice.frames)
        own = source.features.iloc[order] if isinstance(source, Points) else pd.DataFrame()
        layer = self._viewer.add_tracks(
            np.column_stack([cells.track_id, cells.t, cells.yx])[order],
            name=f"{source.name} linked",
            graph={child: list(parents) for child, parents in cells.graph.items()},
            features=own.reset_index(drop=True),
            affine=_affine_of_axes(choice.image, axes),
            units=tuple(choice.image.units[axis] for axis in axes),
        )
        source.visible = False
        self.cells.value = layer
        if isinstance(source, Labels) and self.labels.value is None:
            self.labels.value = source
        self.status.say(f"{told_links(cells)} Check them, then press Run.")

    # -- what is going on -----------------------------------------------------------------------

    def _cancel(self) -> None:
        if not self._linking:
            self.work.cancel()
            self.status.say("Stopping …")
            return
        self.work.leave()
        self.status.say("Cancelled. Linking cannot be stopped midway: it ends unseen.")

    def _show_running(self, running: bool) -> None:
        self._linking = False
        self.told.progress.show_running(running)
        self.cancel.setEnabled(running)
        for knob in (self.run, self.estimate, self.detect, self.link, self.open):
            knob.setEnabled(not running)
        if not running:
            self._image_changed()
            self.status.say("Cancelled; nothing was changed.")


def _affine_of_axes(image: Image, axes: Sequence[int]) -> npt.NDArray[np.float64]:
    """Affine (d + 1, d + 1) from some of an image's pixels to the world along the same axes."""
    matrix, offset = affine_of(image)
    affine = np.eye(len(axes) + 1)
    affine[:-1, :-1], affine[:-1, -1] = matrix[np.ix_(axes, axes)], offset[list(axes)]
    return affine
