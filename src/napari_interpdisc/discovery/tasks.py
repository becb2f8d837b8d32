"""Several questions to the same labelled cells, and one model that holds the heads of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_interpdisc._types import Progress, silent
from napari_interpdisc.discovery.augmented import (
    PatchLatents,
    pairs_within,
    patch_latents,
    unread_latents,
)
from napari_interpdisc.discovery.cross_validation import discover
from napari_interpdisc.discovery.evidence import evidence_of
from napari_interpdisc.discovery.labelled import LabelledCells
from napari_interpdisc.discovery.recipe import HeadAugmentation, Recipe, Steps
from napari_interpdisc.discovery.results import KINDS, Discovery, Kind
from napari_interpdisc.models.cell_model import CellModel, NamedHead
from napari_interpdisc.models.properties import missing_properties
from napari_interpdisc.patches import Patches
from napari_interpdisc.training.augment import Augmentation


class HeadTask(BaseModel):
    """One question: classes, the labels that belong to each, and the heads that answer it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: dict[Kind, str] = Field(title="Name of the head of each kind", min_length=1)
    classes: dict[str, tuple[str, ...]] = Field(
        title="Labels of each class; cells with other labels are not trained on", min_length=2
    )
    density: float | None = Field(
        None, title="Density of the sparse head; the recipe's if left out", gt=0, le=1
    )
    named: bool | None = Field(
        None, title="Whether heads read named latents alone; as the recipe says if left out"
    )
    also: tuple[str, ...] | None = Field(
        None, title="Other laboratories whose cells are trained on; all that are given if left out"
    )
    augmentation: HeadAugmentation | None = Field(
        None,
        title="Strengths of the augmentation, the usual ones where it names none; the recipe's "
        "if left out",
    )

    @model_validator(mode="after")
    def _each_label_once(self) -> Self:
        labels = [label for own in self.classes.values() for label in own]
        if len(set(labels)) < len(labels):
            raise ValueError("a label belongs to two classes")
        return self

    def target(self, labels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Class position (N,) of labels (N,), −1 for those of no class."""
        found = np.full(len(labels), -1, np.int64)
        for k, own in enumerate(self.classes.values()):
            found[np.isin(labels, own)] = k
        return found


class HeadTasks(BaseModel):
    """All questions to one set of labelled cells, and the recipe that answers them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Recipe = Recipe()
    task: tuple[HeadTask, ...] = Field(title="The questions", min_length=1)


@dataclass(frozen=True)
class TaskResult:
    """What was found for one question, with every seed.

    Attributes
    ----------
    task
        The question.
    target
        (N,) class position of each cell, −1 for those of no class.
    found
        One for each seed; the heads of the first are the ones to keep.
    """

    task: HeadTask
    target: npt.NDArray[np.int64]
    found: tuple[Discovery, ...]

    def heads(self) -> dict[str, NamedHead]:
        """The heads to keep, by name, with how far they can be trusted."""
        first = self.found[0]
        return {
            name: NamedHead(
                name,
                first.heads[kind].head,
                first.classes,
                self.summary(kind),
                evidence_of(first, kind, seeds=self.accuracies(kind)),
            )
            for kind, name in self.task.names.items()
        }

    def accuracies(self, kind: Kind) -> list[float]:
        """Balanced accuracy of held-out cells, 0–1, for each seed."""
        return [one.heads[kind].quality.balanced_accuracy for one in self.found]

    def summary(self, kind: Kind) -> str:
        """One line on how far a head can be trusted."""
        from napari_interpdisc.number_text import mean_sd

        first = self.found[0]
        low, high = first.heads[kind].quality.interval
        seeds = f"{len(self.found)} seed{'s' * (len(self.found) > 1)}"
        return (
            f"{kind}, {', '.join(first.classes)}; balanced accuracy "
            f"{mean_sd(self.accuracies(kind))} on held-out groups, {seeds} "
            f"(first seed: [{low:.3f}, {high:.3f}]); {first.cells} cells, {first.groups} groups"
        )


def answer_tasks(
    patches: Patches,
    labels: npt.NDArray[Any],
    groups: npt.NDArray[Any],
    model: CellModel,
    tasks: HeadTasks,
    seeds: Sequence[int] = (0,),
    progress: Progress = silent,
    group_name: str = "plate",
    also: Mapping[str, tuple[Patches, npt.NDArray[Any]]] | None = None,
) -> list[TaskResult]:
    """Fit and test the heads of every task on the same N cells.

    Parameters
    ----------
    patches
        The N cells.
    labels, groups
        (N,) label, and unit that is never split between training and test.
    model
        Whose encoder is used.
    tasks
        The questions and the recipe.
    seeds
        Each draws its own folds, augmentations and initial weights.
    progress
        Called often with (steps done, steps in all).
    group_name
        What a group is called in sentences.
    also
        Patches and labels of cells of other laboratories, by name. They are trained on, where a
        task wants them, and not tested on; in each class every laboratory counts the same.

    Raises
    ------
    InvalidInput
        If a class has too few cells or groups; before any training.
    """
    index = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    laboratories = {"": (patches, labels), **(also or {})}
    strengths = {task.augmentation or tasks.recipe.augmentation for task in tasks.task}
    steps = Steps(progress, len(seeds) * (len(strengths) * len(laboratories) + len(tasks.task)))
    found: list[list[Discovery]] = [[] for _ in tasks.task]
    for seed in seeds:
        encoded: dict[Augmentation, dict[str, tuple[PatchLatents, npt.NDArray[Any]]]] = {}
        for place, task in enumerate(tasks.task):
            strength = task.augmentation or tasks.recipe.augmentation
            recipe = tasks.recipe.model_copy(
                update={
                    "seed": seed,
                    "augmentation": strength,
                    "kinds": tuple(k for k in KINDS if k in task.names),
                }
            )
            if task.named is not None:
                recipe = recipe.model_copy(update={"named": task.named})
            if task.density is not None:
                sparse = recipe.sparse.model_copy(update={"density": task.density})
                recipe = recipe.model_copy(update={"sparse": sparse})
            if strength not in encoded:
                encoded[strength] = {}
                for name, (some, own_labels) in laboratories.items():
                    latents = patch_latents(some, model, recipe, steps)
                    encoded[strength][name] = latents, own_labels
                    steps.finish()
            wanted = [n for n in laboratories if not n or task.also is None or n in task.also]
            every = [encoded[strength][name] for name in wanted]
            cells = _cells(task, every, index, model, recipe)
            found[place].append(discover(cells, recipe, steps, model.encoder_sha256, group_name))
            steps.finish()
    return [
        TaskResult(task, all_seeds[0].target, tuple(all_seeds))
        for task, all_seeds in zip(tasks.task, found, strict=True)
    ]


def heads_of(results: Sequence[TaskResult]) -> Mapping[str, NamedHead]:
    """The heads of all tasks, by name, in their order."""
    return {name: head for result in results for name, head in result.heads().items()}


def _cells(
    task: HeadTask,
    parts: Sequence[tuple[PatchLatents, npt.NDArray[Any]]],
    group: npt.NDArray[np.int64],
    model: CellModel,
    recipe: Recipe,
) -> LabelledCells:
    """The cells of all laboratories; of all but the first, those that have a class.

    Cells without a nucleus are left out where heads read properties.
    """
    names = recipe.properties
    latents = [own for own, _ in parts]
    labels = np.concatenate([own for _, own in parts])
    laboratory = np.repeat(np.arange(len(latents)), [len(own.plain) for own in latents])
    target = task.target(labels)
    keep = np.flatnonzero((laboratory == 0) | (target >= 0))
    plain = np.concatenate([own.plain for own in latents])
    groups = np.concatenate([group, group.max() + 1 + np.arange(len(labels) - len(group))])
    n_latents = plain.shape[1] - len(names)
    cells = LabelledCells(
        plain,
        np.concatenate([own.augmented for own in latents], 1),
        target,
        groups,
        tuple(task.classes),
        pairs_within(model, n_latents),
        laboratory if len(latents) > 1 else None,
        properties=names,
        unread=unread_latents(model, n_latents) if recipe.named else (),
    )
    measured = np.flatnonzero(~missing_properties(plain[:, n_latents:]))
    if len(latents) == 1 and len(measured) == len(cells):
        return cells
    rows = np.intersect1d(keep, measured)
    return replace(cells.take(rows), rows=rows)
