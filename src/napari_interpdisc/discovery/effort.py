"""Quick and thorough: how much work a training does, in one place.

Both test on the same held-out groups. They differ in how well heads are fitted and how long
formulas are searched, so that a quick figure is as honest as a thorough one, and mostly lower.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from napari_interpdisc.discovery.recipe import Recipe

Effort = Literal["quick", "thorough"]


class EffortSettings(BaseModel):
    """What an effort decides of a training; all else of the recipe stays as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    augmented: int = Field(title="Augmented crops of each cell")
    curve: bool = Field(title="Learning curve")
    dense_steps: int = Field(title="Optimizer steps of a dense head")
    sparse_steps: int = Field(title="Optimizer steps of a sparse head")
    restarts: int = Field(title="Restarts of a sparse head")
    trials: int = Field(title="Densities that Optuna tries, where it chooses")
    search_augmented: int = Field(title="Augmented crops of each cell in a formula search")
    search_cells: int = Field(title="Most crops that a formula search looks at")
    max_size: int = Field(title="Largest formula (nodes)")
    generations: int = Field(title="Generations of the search (operon)")
    individuals: int = Field(title="Individuals in the population (operon)")
    iterations: int = Field(title="Iterations of the search (pysr)")

    def told(self) -> str:
        """One line: what is done."""
        curve = "with" if self.curve else "no"
        return (
            f"{self.augmented} augmented crops a cell; {self.dense_steps} steps a dense head; "
            f"{self.restarts} × {self.sparse_steps} steps a sparse head; formulas of at most "
            f"{self.max_size} nodes, searched on {self.search_cells} crops for {self.generations} "
            f"generations (Operon) or {self.iterations} iterations (PySR); {curve} learning curve"
        )


def settings_of(recipe: Recipe) -> EffortSettings:
    """What a recipe says of the effort."""
    tuning = recipe.tuning
    return EffortSettings(
        augmented=recipe.augmented,
        curve=recipe.curve,
        dense_steps=recipe.dense.steps,
        sparse_steps=recipe.sparse.steps,
        restarts=recipe.sparse.restarts,
        trials=EFFORTS["thorough"].trials if tuning is None else tuning.trials,
        search_augmented=recipe.search_augmented,
        search_cells=recipe.search.cells,
        max_size=recipe.search.max_size,
        generations=recipe.search.generations,
        individuals=recipe.search.individuals,
        iterations=recipe.search.iterations,
    )


EFFORTS: dict[Effort, EffortSettings] = {
    "quick": EffortSettings(
        augmented=8,
        curve=False,
        dense_steps=300,
        sparse_steps=800,
        restarts=2,
        trials=3,
        search_augmented=2,
        search_cells=300,
        max_size=15,
        generations=12,
        individuals=300,
        iterations=10,
    ),
    "thorough": EffortSettings(
        augmented=24,
        curve=True,
        dense_steps=1500,
        sparse_steps=2000,
        restarts=4,
        trials=4,
        search_augmented=5,
        search_cells=1000,
        max_size=25,
        generations=25,
        individuals=500,
        iterations=40,
    ),
}
"""What each effort does; thorough is the recipe as it is without any."""


def with_effort(recipe: Recipe, effort: Effort) -> Recipe:
    """A recipe that does as much as ``effort`` says."""
    own = EFFORTS[effort]
    tuning = recipe.tuning
    search = {
        "cells": own.search_cells,
        "max_size": own.max_size,
        "generations": own.generations,
        "individuals": own.individuals,
        "iterations": own.iterations,
    }
    changes = {
        "augmented": own.augmented,
        "curve": own.curve,
        "dense": recipe.dense.model_copy(update={"steps": own.dense_steps}),
        "sparse": recipe.sparse.model_copy(
            update={"steps": own.sparse_steps, "restarts": own.restarts}
        ),
        "tuning": None if tuning is None else tuning.model_copy(update={"trials": own.trials}),
        "search_augmented": own.search_augmented,
        "search": recipe.search.model_copy(update=search),
    }
    return recipe.model_copy(update=changes)


def effort_of(recipe: Recipe) -> str:
    """Name of the effort whose settings a recipe has; ``own settings`` if they are of none.

    The learning curve changes no head and does not count.
    """

    def compared(one: EffortSettings) -> EffortSettings:
        return one.model_copy(update={"curve": True} | ({"trials": 0} if untuned else {}))

    untuned = recipe.tuning is None
    own = compared(settings_of(recipe))
    return next((name for name, one in EFFORTS.items() if compared(one) == own), "own settings")
