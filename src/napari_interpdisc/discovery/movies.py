"""Labelled cells of several movies: kept as patches, and joined to train one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Int32Array, Measured, Progress, silent
from napari_interpdisc.discovery.augmented import labelled_cells, patch_latents
from napari_interpdisc.discovery.labelled import LabelledCells, Labels, check_labels, encode_labels
from napari_interpdisc.discovery.origins import Origins
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.discovery.view_cache import ViewCache
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel, TrainingMovie
from napari_interpdisc.patches import Patches, label_crops, patch_side, patches_of_cells

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.frames import Frames


@dataclass(frozen=True)
class LabelledMovie:
    """Labelled cells of one movie, cut out so that the movie itself is not needed any more.

    Patches and no latents: they can be augmented, and read by another encoder.

    Attributes
    ----------
    name
        The movie: its file or layer. No two movies of a training share one.
    patches
        The N labelled cells, at the model's diameter.
    labels, groups
        (N,) class names, and tracks or other units that are never split between training and test.
    diameter, measured
        Typical nuclear diameter in the movie's image, px, and how it was measured.
    model_diameter
        Typical nuclear diameter in the patches, px.
    places
        Where the cells are in the movie; None if that was not kept.
    regions
        (N, S, S) segmentations of the crops in the middle of the patches, in which properties are
        measured; None without a segmentation.
    """

    name: str
    patches: Patches
    labels: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]
    diameter: float
    measured: Measured
    model_diameter: float
    places: Origins | None = None
    regions: Int32Array | None = None

    def __len__(self) -> int:
        """Number of labelled cells N."""
        return len(self.labels)

    @property
    def origins(self) -> Origins:
        """Where the cells are, as far as that is known."""
        return self.places or Origins.of_groups(self.name, self.groups)

    @property
    def summary(self) -> TrainingMovie:
        """What a model remembers of it."""
        return TrainingMovie(self.name, len(self), float(self.diameter), self.measured)


def labelled_rows(name: str, labels: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Rows of the cells of a movie that have a label.

    Raises
    ------
    InvalidInput
        If none has.
    """
    rows = np.flatnonzero(encode_labels(labels)[0] >= 0)
    if not len(rows):
        raise InvalidInput(f"No cell of {name} has a label; label some, or leave this movie out.")
    return rows


def cut_movie(
    name: str,
    frames: Frames,
    cells: CellTable,
    labels: npt.NDArray[Any],
    groups: npt.NDArray[Any],
    diameter: float,
    measured: Measured,
    model: CellModel,
    progress: Progress = silent,
    segmentation: Any = None,
) -> LabelledMovie:
    """Cut the labelled cells out of a movie.

    Parameters
    ----------
    name
        What to call the movie.
    frames, cells
        The movie and its N labelled cells.
    labels, groups
        (N,) class names, and tracks or other units.
    diameter, measured
        Typical nuclear diameter in it, px, and how it was measured.
    model
        Whose crops the cells will be shown in.
    progress
        Called with (cells cut, cells in all).
    segmentation
        (Y, X) or (T, Y, X) of the movie, in which properties can be measured.

    Raises
    ------
    InvalidInput
        If a cell is outside the image, or the diameter is impossible.
    """
    target, names = encode_labels(labels)
    patches = patches_of_cells(
        frames, cells, diameter, model.model_diameter, model.crop_size, progress
    )
    return LabelledMovie(
        name,
        patches,
        np.array(names)[target],
        np.asarray(groups).astype(str),
        diameter,
        measured,
        model.model_diameter,
        Origins.of_cells(name, cells),
        None
        if segmentation is None
        else label_crops(segmentation, cells, diameter, model.model_diameter, model.crop_size),
    )


def join_labels(
    names: Sequence[str],
    labels: Sequence[npt.NDArray[Any]],
    groups: Sequence[npt.NDArray[Any]],
    folds: int,
    classes: Sequence[str] | None = None,
    group_name: str | None = None,
) -> tuple[Labels, str]:
    """Labels of the cells of several movies, one after another, and what their groups are called.

    With as many movies as folds, and each class in two of them, a movie is a group: heads are then
    tested on movies that they were not fitted on. Else a group is a track of one movie.

    Parameters
    ----------
    names
        Names of the movies.
    labels, groups
        Of each movie the (N,) class names and tracks of its labelled cells.
    folds
        Folds of the cross-validation.
    classes
        Classes that are wanted, in their order; all that occur, sorted, if left out.
    group_name
        What ``groups`` are called, if they are other units than tracks, such as wells. They are
        used as they are: two movies may share one.

    Raises
    ------
    InvalidInput
        If two movies share a name, or the labels cannot be trained on and tested by group.
    """
    twice = next((name for name in names if list(names).count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(f"The movie {twice} is given twice; give each movie once.")
    everything = np.concatenate([np.asarray(own, object) for own in labels])
    if group_name is not None:
        units = np.concatenate([np.asarray(own).astype(str) for own in groups])
        found, what = Labels.from_columns(everything, units, classes), group_name
    else:
        movie = np.repeat(np.arange(len(names)), [len(own) for own in labels])
        found, what = Labels.from_columns(everything, movie, classes), "movie"
        spread = [len(np.unique(found.group[found.target == k])) for k in range(len(found.classes))]
        if len(np.unique(found.group)) < folds or min(spread, default=0) < 2:
            tracks = [
                np.char.add(f"{k} ", np.asarray(own).astype(str)) for k, own in enumerate(groups)
            ]
            found, what = Labels.from_columns(everything, np.concatenate(tracks), classes), "track"
    check_labels(found.target, found.group, found.classes, folds, what)
    return found, what


def label_movies(
    movies: Sequence[LabelledMovie],
    labels: Labels,
    model: CellModel,
    recipe: Recipe,
    progress: Progress = silent,
    cache: ViewCache | None = None,
) -> LabelledCells:
    """Augment and encode the labelled cells of several movies, as if they were one movie's.

    Properties are measured in the segmentations if every movie has one, else in nuclei that are
    found in the crops of all: one training measures in one way.

    Parameters
    ----------
    movies, labels
        The movies, and what :func:`join_labels` made of their labels.
    model
        Whose encoder is used.
    recipe, progress, cache
        See :func:`napari_interpdisc.discovery.augmented.patch_latents`.

    Raises
    ------
    InvalidInput
        If a movie was cut for a model of another crop size or nuclear diameter.
    """
    for movie in movies:
        check_fits(movie, model)
    joined = Patches(
        np.concatenate([movie.patches.pixels for movie in movies]), movies[0].patches.field
    )
    known = [movie.regions for movie in movies if movie.regions is not None]
    regions = None
    if recipe.properties and len(known) == len(movies):
        regions = np.concatenate(known)[labels.rows]
    some = joined.take(labels.rows)
    latents = patch_latents(some, model, recipe, progress, regions, cache)
    return labelled_cells(latents, model, labels, recipe)


def check_fits(movie: LabelledMovie, model: CellModel) -> None:
    """Refuse cells that were cut for another kind of model.

    Raises
    ------
    InvalidInput
        If crops or nuclei have another size in them.
    """
    side = patch_side(model.crop_size)
    if movie.patches.pixels.shape[1:] != (side, side) or (
        abs(movie.model_diameter - model.model_diameter) > 1e-6
    ):
        raise InvalidInput(
            f"The cells of {movie.name} were cut at a nuclear diameter of "
            f"{movie.model_diameter:g} px in {movie.patches.pixels.shape[-1]} px, and "
            f"'{model.name}' sees {model.model_diameter:g} px in {side} px; keep them anew with "
            "this model."
        )
