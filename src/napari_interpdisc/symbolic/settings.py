"""What a formula search may use, and for how long."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

EngineName = Literal["pysr", "operon"]
Binary = Literal["+", "-", "*", "/"]
Unary = Literal["square", "exp", "log", "sqrt", "cube", "abs", "sin", "cos", "tanh", "inv", "neg"]


class SearchSettings(BaseModel):
    """Settings of one formula search."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: EngineName = Field("pysr", title="Search engine")
    max_size: int = Field(25, title="Largest size (nodes of the expression tree)", ge=3, le=60)
    binary_operators: tuple[Binary, ...] = Field(
        ("+", "-", "*", "/"), title="Operators", min_length=1
    )
    unary_operators: tuple[Unary, ...] = Field(("square", "exp"), title="Functions")
    cells: int = Field(
        1000, title="Most cells the search looks at, of both classes in equal parts", ge=10
    )
    generations: int = Field(25, title="Generations (operon)", ge=1)
    individuals: int = Field(500, title="Individuals in the population (operon)", ge=10)
    constant_steps: int = Field(
        3, title="Steps of constant fitting for each individual (operon)", ge=0
    )
    iterations: int = Field(40, title="Iterations (pysr)", ge=1)
    populations: int = Field(15, title="Populations (pysr)", ge=1)
    population_size: int = Field(33, title="Individuals in a population (pysr)", ge=5)
    seed: int = Field(0, title="Seed", ge=0, lt=2**32)
