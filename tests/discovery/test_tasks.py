from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from napari_interpdisc.discovery import tasks as module
from napari_interpdisc.discovery.augmented import PatchLatents, patch_latents
from napari_interpdisc.discovery.card import model_of_tasks
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.discovery.tasks import HeadTask, HeadTasks, TaskResult, answer_tasks
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.settings import checked_settings
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.store import load_model
from napari_interpdisc.patches import Patches, patches_of_crops
from napari_interpdisc.simulate.crops import CropSimulation, simulate_crops
from napari_interpdisc.training.augment import Augmentation
from napari_interpdisc.training.heads import HeadTraining
from napari_interpdisc.training.rigl import SparseTraining

TWO = {"round": ("small", "large"), "long": ("long",)}


@pytest.fixture(scope="module")
def model() -> CellModel:
    return load_model(device="cpu")


@pytest.fixture(scope="module")
def nuclei() -> tuple[Patches, np.ndarray, np.ndarray]:
    """Return 120 simulated cells, labelled by shape, on twelve plates."""
    images, factors = simulate_crops(120, 3, CropSimulation(neighbours=(0, 1)))
    labels = np.where(factors["size"] > 24, "large", "small")
    labels = np.where(factors["eccentricity"] > 0.7, "long", labels)
    labels[:6] = "bits"
    return patches_of_crops(images, 23.0), labels, np.arange(120) % 12


@pytest.fixture(scope="module")
def results(model: CellModel, nuclei: tuple[Patches, np.ndarray, np.ndarray]) -> list[TaskResult]:
    recipe = Recipe(folds=2, augmented=2, curve=False, dense=HeadTraining(steps=150))
    tasks = HeadTasks(
        recipe=recipe,
        task=(
            HeadTask(names={"dense": "shape"}, classes=TWO),
            HeadTask(names={"dense": "size"}, classes={"small": ("small",), "large": ("large",)}),
        ),
    )
    seen: list[tuple[int, int]] = []
    found = answer_tasks(*nuclei, model, tasks, (0, 1), lambda *p: seen.append(p))
    assert seen[-1][0] == seen[-1][1]
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    return found


def test_each_task_is_answered_with_every_seed(
    results: list[TaskResult], nuclei: tuple[Patches, np.ndarray, np.ndarray]
) -> None:
    _, labels, _ = nuclei
    shape, size = results
    assert [len(result.found) for result in results] == [2, 2]
    assert shape.found[0].classes == ("round", "long")
    assert shape.found[0].cells == (labels != "bits").sum()
    assert size.found[0].cells == np.isin(labels, ("small", "large")).sum()
    assert shape.found[0].settings["seed"] == 0
    assert shape.found[1].settings["seed"] == 1
    assert all(0.6 < accuracy <= 1 for accuracy in shape.accuracies("dense"))


def test_cells_of_other_labels_are_told_a_class_too(
    results: list[TaskResult], nuclei: tuple[Patches, np.ndarray, np.ndarray]
) -> None:
    """How a head calls nuclei that it was never asked about is part of what it is worth."""
    _, labels, _ = nuclei
    size = results[1]
    assert (size.target[labels == "long"] == -1).all()
    predicted = size.found[0].heads["dense"].predicted
    assert predicted.shape == labels.shape
    assert set(predicted[labels == "long"]) <= {0, 1}


def test_one_model_holds_the_heads_of_all_tasks(
    results: list[TaskResult], model: CellModel
) -> None:
    made = model_of_tasks(model, results, "both", "## Limits\n\n- few cells")
    assert list(made.heads) == ["shape", "size"]
    assert made.heads["shape"].classes == ("round", "long")
    assert "2 seeds" in made.heads["shape"].summary
    assert made.encoder_sha256 == model.encoder_sha256
    assert made.sha256 != model.sha256
    for words in ("- `shape`: round = small, large; long = long", "| `size` |", "- few cells"):
        assert words in made.card, words
    assert made.card.startswith(model.card[:40])


def test_tasks_that_cannot_be_asked() -> None:
    names = {"dense": "x"}
    for classes, told in (
        ({"a": ["l"], "b": ["l"]}, "a label belongs to two classes"),
        ({"a": ["l"]}, "at least 2"),
    ):
        with pytest.raises(InvalidInput, match=told):
            checked_settings({"names": names, "classes": classes}, HeadTask, "tasks.toml")


def test_labels_of_another_laboratory_join_the_training(
    model: CellModel, nuclei: tuple[Patches, np.ndarray, np.ndarray]
) -> None:
    patches, labels, groups = nuclei
    recipe = Recipe(
        folds=2, augmented=1, kinds=("sparse",), sparse=SparseTraining(steps=60, restarts=1)
    )
    classes = {"small": ("small",), "large": ("large",)}
    task = HeadTask(names={"sparse": "size"}, classes=classes, density=0.2)
    tasks = HeadTasks(recipe=recipe.model_copy(update={"curve": False}), task=(task,))
    also = {
        "twins": (patches.take(np.arange(20)), labels[:20]),
        "bits": (patches.take([30]), np.array(["bits"])),
    }
    found = answer_tasks(patches, labels, groups, model, tasks, also=also)[0]
    one = found.found[0]
    assert one.cells == np.isin(labels, ("small", "large")).sum(), "they are not tested on"
    assert len(one.heads["sparse"].predicted) == len(labels) == len(found.target)
    head = one.heads["sparse"].head
    dense = sum(a * b for a, b in pairwise(head.layers))
    assert 0.1 < head.n_weights / dense <= 0.21, "the task chose the density"


def test_a_task_may_have_named_latents_alone(
    model: CellModel, nuclei: tuple[Patches, np.ndarray, np.ndarray]
) -> None:
    patches, labels, groups = nuclei
    recipe = Recipe(
        folds=2, augmented=1, curve=False, kinds=("sparse", "dense"),
        dense=HeadTraining(steps=60), sparse=SparseTraining(steps=60, restarts=1, density=0.5),
    )  # fmt: skip
    classes = {"small": ("small",), "large": ("large",)}
    tasks = HeadTasks(
        recipe=recipe,
        task=(
            HeadTask(names={"dense": "d", "sparse": "s"}, classes=classes, named=True),
            HeadTask(names={"dense": "all"}, classes=classes),
        ),
    )
    read, other = answer_tasks(patches, labels, groups, model, tasks)
    for head in read.heads().values():
        assert all(model.latent_name(i) for i in head.head.used_latents)
    assert other.heads()["all"].head.used_latents == tuple(range(model.n_cell_latents))


def test_a_task_chooses_its_laboratories(
    model: CellModel, nuclei: tuple[Patches, np.ndarray, np.ndarray]
) -> None:
    patches, labels, groups = nuclei
    swapped = np.where(labels == "small", "large", "small")  # one that contradicts the first
    dense = HeadTraining(steps=400)
    recipe = Recipe(folds=2, augmented=4, curve=False, kinds=("dense",), dense=dense)
    classes = {"small": ("small",), "large": ("large",)}

    def asked(also: tuple[str, ...] | None) -> float:
        task = HeadTask(names={"dense": "size"}, classes=classes, also=also)
        tasks = HeadTasks(recipe=recipe, task=(task,))
        others = {"liar": (patches, swapped)}
        found = answer_tasks(patches, labels, groups, model, tasks, also=others)[0]
        return found.accuracies("dense")[0]

    alone = asked(())
    assert alone > 0.85
    assert asked(("liar",)) == asked(None) < alone - 0.25


def test_a_task_has_its_own_augmentation(
    model: CellModel,
    nuclei: tuple[Patches, np.ndarray, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def seen(patches: Patches, model: CellModel, recipe: Recipe, *more: object) -> PatchLatents:
        asked.append(recipe.augmentation)
        return patch_latents(patches, model, recipe)

    monkeypatch.setattr(module, "patch_latents", seen)
    recipe = Recipe(folds=2, augmented=1, curve=False, dense=HeadTraining(steps=20))
    glow = Augmentation(glow=1.0)
    tasks = HeadTasks(
        recipe=recipe,
        task=tuple(
            HeadTask(names={"dense": name}, classes=TWO, augmentation=own)
            for name, own in (("usual", None), ("glow", glow), ("again", None))
        ),
    )
    found = answer_tasks(*nuclei, model, tasks)
    assert asked == [recipe.augmentation, glow], "each is encoded once"
    heads = [result.found[0] for result in found]
    assert [one.settings["augmentation"]["glow"] for one in heads] == [0.0, 1.0, 0.0]
    usual, other, again = (next(one.heads["dense"].head.parameters()) for one in heads)
    assert torch.equal(usual, again)
    assert not torch.equal(usual, other)


def test_an_augmentation_names_what_is_not_usual() -> None:
    classes = {"Interphase": ["round"], "Metaphase": ["long"]}
    task = {"names": {"dense": "dense"}, "classes": classes, "augmentation": {"glow": 0.5}}
    given = HeadTask.model_validate(task).augmentation
    assert given == Recipe().augmentation.model_copy(update={"glow": 0.5})
    with pytest.raises(ValidationError, match=r"augmentation\.glwo"):
        HeadTask.model_validate({**task, "augmentation": {"glwo": 0.5}})
