"""Time of each stage of a training, beside scikit-learn on the same folds.

``python benchmarks/training.py`` reads nothing: 60 simulated cells of three classes, each a group
of its own, in five folds. It trains with one effort (quick, or the one that is named), then again
with five further cells, as after a few more annotations. The peer is ``LogisticRegressionCV`` on
the same latents and the same folds: it chooses its penalty and is fitted to each fold. Times are
wall and processor seconds, and wall seconds as multiples of the peer's.
"""

from __future__ import annotations

import itertools
import sys
import time
import warnings
from typing import Literal, cast

import numpy as np

from napari_interpdisc.discovery.augmented import labelled_cells, patch_latents
from napari_interpdisc.discovery.cross_validation import discover
from napari_interpdisc.discovery.effort import with_effort
from napari_interpdisc.discovery.labelled import Labels
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.discovery.stages import Event, HeadsTested, StageBegan
from napari_interpdisc.discovery.view_cache import ViewCache
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.store import load_model
from napari_interpdisc.patches import Patches, patches_of_cells
from napari_interpdisc.simulate.movie import STATES, SimulationSettings, simulate_movie
from napari_interpdisc.symbolic.settings import SearchSettings
from napari_interpdisc.training.folds import grouped_folds

CELLS, MORE = 60, 5


def simulated() -> tuple[Patches, Labels]:
    """Patches and classes of 65 cells, the classes in turn."""
    movie = simulate_movie(SimulationSettings(shape=(24, 700, 700), cells=60, dividing=1.0, seed=1))
    states = np.asarray(movie.cells.extra["state"])
    draw = np.random.default_rng(0)
    of_class = [draw.permutation(np.flatnonzero(states == name)) for name in STATES]
    rows = np.stack([own[: CELLS // 3 + 2] for own in of_class], 1).ravel()[: CELLS + MORE]
    patches = patches_of_cells(Frames(movie.image), movie.cells.take(rows), 28.0)
    labels = Labels.from_columns(states[rows].astype(object), np.arange(len(rows)), STATES)
    return patches, labels


def peer_seconds(latents: np.ndarray, target: np.ndarray, recipe: Recipe) -> float:
    """Seconds in which LogisticRegressionCV is fitted to each fold."""
    from sklearn.linear_model import LogisticRegressionCV

    start = time.perf_counter()
    for train, test in grouped_folds(target, np.arange(len(target)), recipe.folds, recipe.seed):
        LogisticRegressionCV(cv=3, max_iter=500).fit(latents[train], target[train]).predict(
            latents[test]
        )
    return time.perf_counter() - start


def main() -> None:
    """Print one line a stage, of a first training and of one after five more labels."""
    warnings.simplefilter("ignore", FutureWarning)  # scikit-learn tells of changes to come
    effort = cast('Literal["quick", "thorough"]', (sys.argv[1:] or ["quick"])[0])
    recipe = with_effort(Recipe(search=SearchSettings(engine="operon")), effort)
    model, cache, earlier, (patches, labels) = load_model("h2b"), ViewCache(), None, simulated()
    patch_latents(patches.take([0]), model, recipe)  # warm up
    for title, n in (("first training", CELLS), ("five more labels", CELLS + MORE)):
        rows = np.arange(n)
        own = Labels(rows, labels.target[:n], labels.group[:n], labels.classes)
        begun = [("cells", time.perf_counter(), time.process_time())]
        told: dict[str, str] = {}

        def tell(event: Event, begun: list = begun, told: dict = told) -> None:
            if isinstance(event, StageBegan):
                begun.append((event.name, time.perf_counter(), time.process_time()))
            if isinstance(event, HeadsTested):
                kind, fitted = list(event.found.heads.items())[-1]
                told[kind] = f"  balanced accuracy {fitted.quality.balanced_accuracy:.3f}"

        seen = patch_latents(patches.take(rows), model, recipe, cache=cache)
        cells = labelled_cells(seen, model, own, recipe)
        found = discover(cells, recipe, on_stage=tell, earlier=earlier)
        begun.append(("end", time.perf_counter(), time.process_time()))
        earlier = found.earlier
        peer = peer_seconds(cells.latents, cells.target, recipe)
        print(f"{title}: {n} cells, {effort}; LogisticRegressionCV {peer:.2f} s")
        for (name, wall, cpu), (_, later, cpu_later) in itertools.pairwise(begun):
            print(
                f"  {name:8s} {later - wall:6.1f} s  {cpu_later - cpu:6.1f} s of processor  "
                f"{(later - wall) / peer:6.1f} × the peer{told.get(name, '')}"
            )
        total = begun[-1][1] - begun[0][1]
        print(f"  {'all':8s} {total:6.1f} s  {'':23s}{total / peer:6.1f} × the peer")


if __name__ == "__main__":
    main()
