"""Labelled cells of several movies, joined to train one model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.discovery.augmented import label_cells
from napari_interpdisc.discovery.cross_validation import discover
from napari_interpdisc.discovery.labelled import Labels
from napari_interpdisc.discovery.movies import (
    LabelledMovie,
    cut_movie,
    join_labels,
    label_movies,
    labelled_rows,
)
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.store import load_model
from napari_interpdisc.simulate.movie import SimulationSettings, simulate_movie

RECIPE = Recipe(kinds=("dense",), folds=2, augmented=2, rotations=1, curve=False)


@pytest.fixture(scope="module")
def model() -> CellModel:
    return load_model(device="cpu")


Scene = tuple[np.ndarray, CellTable, np.ndarray]


@pytest.fixture(scope="module")
def two() -> list[Scene]:
    """Images, cells and class names of two movies."""
    made = [
        simulate_movie(
            SimulationSettings(shape=(2, 200, 200), cells=8, seed=seed, diameter_spread=0.3)
        )
        for seed in (1, 2)
    ]
    scenes = []
    for one in made:
        area = np.asarray(one.cells.extra["area"])
        names = np.where(area > np.median(area), "big", "small")
        scenes.append((np.asarray(one.image), one.cells, names))
    return scenes


def cut(scene: Scene, name: str, model: CellModel) -> LabelledMovie:
    image, cells, names = scene
    return cut_movie(name, Frames(image), cells, names, cells.track_id, 28.0, "segmentation", model)


def joined(movies: list[LabelledMovie], folds: int = 2) -> tuple[Labels, str]:
    return join_labels(
        [m.name for m in movies], [m.labels for m in movies], [m.groups for m in movies], folds
    )


def test_two_movies_equal_their_concatenation(two: list[Scene], model: CellModel) -> None:
    movies = [cut(scene, name, model) for scene, name in zip(two, "ab", strict=True)]
    labels, what = joined(movies, folds=3)
    apart = label_movies(movies, labels, model, RECIPE)
    (first, cells, names), (second, others, more) = two
    both = CellTable.from_arrays(
        np.concatenate([cells.t, others.t + len(first)]),
        np.concatenate([cells.yx, others.yx]),
        np.concatenate([cells.track_id, others.track_id + 1000]),
    )
    one = Labels.from_columns(np.concatenate([names, more]), both.track_id)
    frames = Frames(np.concatenate([first, second]))
    together = label_cells(frames, both, 28.0, model, one, RECIPE)
    assert what == "track"
    np.testing.assert_array_equal(apart.latents, together.latents)
    np.testing.assert_array_equal(apart.augmented, together.augmented)
    np.testing.assert_array_equal(apart.target, together.target)
    same = apart.group[:, None] == apart.group[None]
    np.testing.assert_array_equal(same, together.group[:, None] == together.group[None])
    # and so are heads and held-out figures, where groups have the same numbers
    found = [discover(replace(c, group=together.group), RECIPE) for c in (apart, together)]
    np.testing.assert_array_equal(*(one.heads["dense"].logits for one in found))


def test_folds_are_by_movie_where_there_are_enough(two: list[Scene], model: CellModel) -> None:
    movies = [cut(scene, name, model) for scene, name in zip(two, "ab", strict=True)]
    labels, what = joined(movies, folds=2)
    assert what == "movie"
    assert labels.group.tolist() == [0] * len(movies[0]) + [1] * len(movies[1])
    labels, what = joined(movies, folds=3)  # fewer movies than folds
    assert what == "track"
    assert len(np.unique(labels.group)) == sum(len(np.unique(m.groups)) for m in movies)
    small = movies[1].labels == "small"
    lonely = replace(movies[1], labels=np.where(small, "tiny", movies[1].labels))
    lonely_first = replace(movies[0], labels=np.full(len(movies[0]), "big"))
    assert joined([lonely_first, lonely], folds=2)[1] == "track"  # a class in one movie alone


def test_units_of_ones_own_are_not_told_apart_by_movie() -> None:
    names, wells = ["a", "a", "b", "b"], ["A1", "A1", "B1", "B1"]
    arrays = [np.array(names, object)] * 2, [np.array(wells)] * 2
    with pytest.raises(InvalidInput, match="All cells of class 'a' are on one well"):
        join_labels(["m", "n"], *arrays, 2, None, "well")
    wells_of = [np.array(["A1", "B1", "A1", "B1"])] * 2
    labels, what = join_labels(["m", "n"], arrays[0], wells_of, 2, None, "well")
    assert what == "well"
    assert len(np.unique(labels.group)) == 2, "two movies may share a well"


def test_what_cannot_be_joined(two: list[Scene], model: CellModel) -> None:
    movie = cut(two[0], "a.tif", model)
    with pytest.raises(InvalidInput, match=r"a.tif is given twice"):
        joined([movie, movie])
    with pytest.raises(InvalidInput, match=r"No cell of a.tif has a label"):
        labelled_rows("a.tif", np.array(["", None, np.nan], object))
    labels, _ = joined([movie])
    other = replace(movie, model_diameter=20.0)
    with pytest.raises(InvalidInput, match="keep them anew with this model"):
        label_movies([other], labels, model, RECIPE)


def test_a_movie_is_summed_up_for_the_model(two: list[Scene], model: CellModel) -> None:
    summary = cut(two[0], "a.tif", model).summary
    assert (summary.name, summary.cells) == ("a.tif", len(two[0][1]))
    assert (summary.diameter, summary.measured) == (28.0, "segmentation")


def test_one_training_measures_properties_in_one_way(two: list[Scene], model: CellModel) -> None:
    recipe = RECIPE.model_copy(update={"augmented": 0, "properties": ("area",)})
    movies = []
    for (image, cells, names), name in zip(two, "ab", strict=True):
        masks = np.zeros(image.shape, np.int32)
        for t, (y, x) in zip(cells.t, np.rint(cells.yx).astype(int), strict=True):
            masks[t, y - 3 : y + 4, x - 3 : x + 4] = 1 + masks[t].max()
        movies.append(
            cut_movie(
                name, Frames(image), cells, names, cells.track_id, 28.0, "given", model,
                segmentation=masks,
            )
        )  # fmt: skip
    labels, _ = joined(movies)
    found = label_movies(movies, labels, model, recipe)
    assert found.way == "labels"
    assert np.median(found.measured["area"]) == 49
    # a movie without a segmentation: nuclei are found in all
    mixed = [movies[0], replace(movies[1], regions=None)]
    found = label_movies(mixed, labels, model, recipe)
    assert found.way == "built-in"
    assert np.median(found.measured["area"]) > 200
