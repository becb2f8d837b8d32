"""One press of *Train* in the Discover widget: what it reads, does and tells. No Qt here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float32Array, Measured, Progress, silent
from napari_interpdisc.cells import CellTable
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.io.label_values import objects_of
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.pipeline import Encoding, measure_cells
from napari_interpdisc.widgets.canvas.layers import planes_of
from napari_interpdisc.widgets.discover.annotations import Annotations
from napari_interpdisc.widgets.session import Session

if TYPE_CHECKING:
    from napari_interpdisc.discovery.earlier import Earlier
    from napari_interpdisc.discovery.labelled import LabelledCells, Labels
    from napari_interpdisc.discovery.movies import LabelledMovie
    from napari_interpdisc.discovery.origins import Origins
    from napari_interpdisc.discovery.rashomon import RashomonSet
    from napari_interpdisc.discovery.recipe import Recipe
    from napari_interpdisc.discovery.results import Discovery, FrontRow
    from napari_interpdisc.discovery.stages import Event
    from napari_interpdisc.discovery.view_cache import ViewCache
    from napari_interpdisc.widgets.discover.held_out import HeldOut


NO_CELLS = "No cells yet: run the Cells widget first, then annotate some of them here."


@dataclass(frozen=True)
class Annotated:
    """Annotated cells of the movie in the window.

    Attributes
    ----------
    name
        What the movie is called.
    frames, cells, labels
        The movie, its N annotated cells, and the class of each.
    diameter, measured
        Typical nuclear diameter in it, px, and how it was measured.
    planes
        Pixels of a segmentation, in which properties can be measured; or None.
    """

    name: str
    frames: Frames
    cells: CellTable
    labels: npt.NDArray[Any]
    diameter: float
    measured: Measured
    planes: Any = None

    def objects(self) -> Any:
        """The segmentation as numbered objects, or None; on a thread."""
        return None if self.planes is None else objects_of(self.planes, "The segmentation")[0]

    def cut(self, model: CellModel, progress: Progress = silent) -> LabelledMovie:
        """Cut the cells out of the movie, for crops of a model; on a thread."""
        from napari_interpdisc.discovery.movies import cut_movie

        return cut_movie(
            self.name, self.frames, self.cells, self.labels, self.cells.track_id, self.diameter,
            self.measured, model, progress, self.objects(),
        )  # fmt: skip


@dataclass(frozen=True)
class Keeping:
    """Annotated cells that are to be kept in a file, beside those of other movies.

    Attributes
    ----------
    movie
        The annotated cells.
    model
        For whose crops they are cut.
    path
        The file, which may be there already.
    """

    movie: Annotated
    model: CellModel
    path: Path

    def carry_out(self, progress: Progress) -> tuple[list[LabelledMovie], bool]:
        """Cut the cells and write the file; on a thread.

        Returns
        -------
        All movies in the file, and whether this one was there before and was replaced.
        """
        from napari_interpdisc.discovery.kept_cells import read_kept, with_movie, write_kept

        before = read_kept(self.path) if self.path.exists() else []
        movies, replaced = with_movie(before, self.movie.cut(self.model, progress))
        write_kept(self.path, movies)
        return movies, replaced


@dataclass(frozen=True)
class Trained:
    """What one training found, and on which cells.

    Attributes
    ----------
    found
        The heads.
    origins, latents, measured
        Where the N labelled cells are, their (N, L) latents, and (N,) measured properties by name.
    held_out
        What held-out heads say of labels and confidences; None if the training tells no labels.
    encoding
        All cells in the window with their properties, if heads read some; else None.
    left_out
        A sentence on annotated cells that could not be measured, or "".
    """

    found: Discovery
    origins: Origins
    latents: Float32Array
    measured: Mapping[str, Float32Array] = field(default_factory=dict)
    held_out: HeldOut | None = None
    encoding: Encoding | None = None
    left_out: str = ""


@dataclass(frozen=True)
class Training:
    """What one training works on, read on the main thread and checked.

    Attributes
    ----------
    present
        The movie in the window with its annotated cells, if there are any.
    kept
        Movies that were kept for training before.
    model
        Whose encoder is used.
    labels, group_name
        Class and group of each cell, the present movie last, and what a group is called.
    recipe
        Kinds of heads, engine, folds and seed.
    left_out
        Number of annotated cells that have no pixels.
    encoding
        All cells in the window, whose properties heads will read too; None without any.
    cache
        What earlier trainings saw of each cell.
    earlier
        What the last training left; None to begin anew.
    """

    present: Annotated | None
    kept: tuple[LabelledMovie, ...]
    model: CellModel
    labels: Labels
    group_name: str
    recipe: Recipe
    left_out: int = 0
    encoding: Encoding | None = None
    cache: ViewCache | None = None
    earlier: Earlier | None = None

    def __len__(self) -> int:
        """Number of cells that are trained on."""
        return len(self.labels.target)

    def carry_out(
        self, progress: Progress, hand_over: Callable[[Event | Trained], None] = lambda _: None
    ) -> Trained:
        """Encode the cells, fit the heads and test the labels; on a thread.

        Parameters
        ----------
        progress
            Called with (done, in all), which the stage that was handed over last explains.
        hand_over
            Given each stage as it begins, formulas before they are tested, and what was found each
            time that heads of another kind are ready.
        """
        from napari_interpdisc.discovery.augmented import left_out
        from napari_interpdisc.discovery.cross_validation import discover
        from napari_interpdisc.discovery.movies import label_movies
        from napari_interpdisc.discovery.origins import Origins
        from napari_interpdisc.discovery.stages import HeadsTested, StageBegan
        from napari_interpdisc.widgets.discover.held_out import held_out_of

        movies = list(self.kept)
        if self.present is not None:
            movies.append(self.present.cut(self.model))
        hand_over(StageBegan("cells", 0, len(self), len(self)))
        labelled = label_movies(movies, self.labels, self.model, self.recipe, progress, self.cache)
        rows = self.labels.rows if labelled.rows is None else self.labels.rows[labelled.rows]
        origins = Origins.joined([movie.origins for movie in movies]).take(rows)
        encoding = self._measured_as(labelled, progress)

        def trained_as(found: Discovery) -> Trained:
            found = replace(found, movies=tuple(movie.summary for movie in movies))
            trained = Trained(
                found, origins, labelled.own_latents, labelled.measured, encoding=encoding,
                left_out=left_out(labelled, len(self.labels.rows)),
            )  # fmt: skip
            return replace(trained, held_out=held_out_of(trained))

        def told(event: Event) -> None:
            hand_over(trained_as(event.found) if isinstance(event, HeadsTested) else event)

        sha256, group = self.model.encoder_sha256, self.group_name
        found = discover(
            labelled, self.recipe, progress, sha256, group, on_stage=told, earlier=self.earlier
        )
        return trained_as(found)

    def _measured_as(self, labelled: LabelledCells, progress: Progress) -> Encoding | None:
        """All cells in the window, their properties measured as those of the labelled ones."""
        known, here = self.encoding, self.present
        if not self.recipe.properties or known is None or here is None:
            return None
        if known.properties and known.way == labelled.way:
            return known
        objects = here.objects() if labelled.way == "labels" else None
        return measure_cells(
            here.frames, known, self.model, lambda *_: progress(len(self), len(self)), objects
        )


def annotated_movie(session: Session, annotations: Annotations) -> Annotated:
    """Annotated cells of the movie in the window, read on the main thread.

    Raises
    ------
    InvalidInput
        If there are no cells, or none is annotated.
    """
    encoding = session.encoding
    if encoding is None or session.frames is None:
        raise InvalidInput(NO_CELLS)
    rows, names = annotations.labelled()
    if not len(rows):
        raise InvalidInput("No cell is annotated yet; annotate some of them first.")
    # annotations where there are no pixels teach nothing
    usable = encoding.usable[rows]
    rows, names = rows[usable], [name for name, has in zip(names, usable, strict=True) if has]
    if not len(rows):
        raise InvalidInput("No annotated cell has pixels; annotate others.")
    return Annotated(
        movie_name(session),
        session.frames,
        encoding.cells.take(rows),
        np.asarray(names, dtype=object),
        encoding.diameter,
        encoding.measured,
        planes_of(session.labels, session.frames),
    )


def movie_name(session: Session) -> str:
    """What the movie in the window is called among those that are kept: its file, or its layer."""
    path = getattr(getattr(session.image, "source", None), "path", None)
    return str(path or getattr(session.image, "name", "image"))


def plan_training(
    session: Session,
    annotations: Annotations,
    recipe: Recipe,
    kept: Sequence[LabelledMovie] = (),
    cache: ViewCache | None = None,
    earlier: Earlier | None = None,
) -> Training:
    """Read and check all that a training needs.

    Kept movies are trained on too, but not one that is in the window: what is annotated there now
    counts.

    Raises
    ------
    InvalidInput
        If there are no cells, or the annotations cannot be trained on; or heads are to read
        named latents, and none has a name.
    """
    from napari_interpdisc.discovery.augmented import unread_latents
    from napari_interpdisc.discovery.movies import check_fits, join_labels

    if recipe.named:
        unread_latents(session.model, session.model.n_cell_latents)
    if "formula" in recipe.kinds:
        reason = engine_faults().get(recipe.search.engine)
        if reason:
            raise InvalidInput(reason)
    present, left_out = None, 0
    if session.encoding is not None and len(annotations.labelled()[0]):
        present = annotated_movie(session, annotations)
        left_out = len(annotations.labelled()[0]) - len(present.labels)
        kept = [movie for movie in kept if movie.name != present.name]
    for movie in kept:
        check_fits(movie, session.model)
    if present is None and not kept:
        annotated_movie(session, annotations)  # says what is missing
    names, labels, groups = (
        [m.name for m in kept],
        [m.labels for m in kept],
        [m.groups for m in kept],
    )
    if present is not None:
        names.append(present.name)
        labels.append(present.labels)
        groups.append(present.cells.track_id.astype(str))
    order = list(annotations.classes)
    found = {str(name) for own in labels for name in own}
    classes = [name for name in order if name in found] + sorted(found - set(order))
    joined, group_name = join_labels(names, labels, groups, recipe.folds, classes)
    known = session.encoding if present is not None else None
    return Training(
        present, tuple(kept), session.model, joined, group_name, recipe, left_out, known, cache,
        earlier,
    )  # fmt: skip


def engine_faults() -> dict[str, str | None]:
    """Why each symbolic search engine cannot run, or None where it can; the preferred first."""
    from napari_interpdisc.symbolic.search import engines

    return {name: engine.available() for name, engine in engines.items()}


def chosen_row(found: Discovery) -> int | None:
    """Place in the front of the formula that the training chose."""
    if "formula" not in found.heads:
        return None
    chosen = found.heads["formula"].head
    rows = (i for i, row in enumerate(found.front) if _texts(row.head) == _texts(chosen))
    return next(rows, None)


def _texts(head: Any) -> list[str]:
    return [formula.text for formula in head.formulas]


def model_of(
    base: CellModel,
    found: Discovery,
    name: str,
    formula: FrontRow | None = None,
    compared: RashomonSet | None = None,
) -> CellModel:
    """Return a model with the heads that were found, on the encoder of ``base``."""
    from napari_interpdisc.discovery.card import discovered_model

    return discovered_model(base, found, name, formula, compared)
