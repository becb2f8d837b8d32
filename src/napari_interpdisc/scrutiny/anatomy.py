"""A head taken apart: its graph or its terms, what each part responds to, and what was found.

``take_apart`` gives what depends on the model and the cells. ``part_panels`` and ``slice_panels``
give what is drawn for one selected cell. Nothing here draws.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float64Array, Progress, silent
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel, NamedHead
from napari_interpdisc.models.formula import FormulaHead
from napari_interpdisc.scrutiny.anatomy_findings import Finding, find
from napari_interpdisc.scrutiny.anatomy_graph import (
    FEW,
    Cut,
    HeadGraph,
    Place,
    bottleneck,
    cut,
    head_graph,
    whole_parts,
)
from napari_interpdisc.scrutiny.anatomy_parts import Part, check_takes_apart
from napari_interpdisc.scrutiny.anatomy_response import (
    Population,
    Response,
    Traversal,
    drawn_cells,
    ground_of,
    response,
    strongest,
    traversals,
)
from napari_interpdisc.scrutiny.anatomy_terms import formula_wholes, term_parts

MOST_INPUTS = {1: 4, 2: 3}
"""Inputs whose pairs are drawn, the strongest: 6 slices of one score, 3 of each of several."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A head and its parts.

    Attributes
    ----------
    model, sha256
        Name and hash of the model.
    head, classes
        Name of the head, and of its classes.
    rule
        The rule to read: a formula for each score, or one line for each neuron.
    graph, cut
        The graph of a sparse head and its sub-networks; None for a formula.
    parts
        Sub-networks and, where one or two neurons carry everything, the trunk above them; or the
        terms of a formula.
    wholes
        The head as functions of all its inputs: its score, or the lead of each class.
    cells
        The cells it was looked at with.
    findings
        Tested sentences about the parts and the wholes.
    """

    model: str
    sha256: str
    head: str
    classes: tuple[str, ...]
    rule: tuple[str, ...]
    graph: HeadGraph | None
    cut: Cut | None
    parts: tuple[Part, ...]
    wholes: tuple[Part, ...]
    cells: Population
    findings: tuple[Finding, ...]

    def findings_of(self, part: Part) -> list[Finding]:
        """What was found of one part."""
        return [one for one in self.findings if one.part == part.name]

    def note(self) -> dict[str, Any]:
        """All but the functions, as JSON holds it."""
        about: dict[str, Any] = {
            "model": self.model,
            "model_sha256": self.sha256,
            "head": self.head,
            "classes": list(self.classes),
            "rule": list(self.rule),
            "cells": {
                "n": len(self.cells),
                "real": self.cells.is_real,
                "source": self.cells.source,
            },
            "parts": [_plain(part) for part in self.parts],
            "wholes": [_plain(part) for part in self.wholes],
            "findings": [asdict(one) for one in self.findings],
        }
        if self.graph is not None and self.cut is not None:
            about["graph"] = {
                "inputs": [
                    {"place": place, "label": one.label, "latents": one.latents}
                    for place, one in self.graph.inputs.items()
                ],
                "neurons": [
                    {"place": place, "bias": bias, "effective": self.graph.effective[place]}
                    for place, bias in self.graph.biases.items()
                ],
                "edges": [asdict(edge) for edge in self.graph.edges],
                "outputs": self.graph.outputs,
                "sub_networks": [
                    {"name": one.part.name, "place": one.place, "neurons": one.neurons}
                    for one in self.cut.sub_networks
                ],
                "trunk": self.cut.trunk,
                "trunk_reads": self.cut.sources,
            }
        return about


def _plain(part: Part) -> dict[str, Any]:
    return {"name": part.name, "about": part.about, "inputs": [i.label for i in part.inputs]}


def take_apart(
    model: CellModel,
    head: str | None = None,
    cells: Population | None = None,
    progress: Progress = silent,
    seed: int = 0,
) -> Anatomy:
    """Take a sparse head or a formula apart, and test what its parts do.

    :func:`parts_of` gives the same untested, in milliseconds.

    Parameters
    ----------
    model, head
        The model, and the name of its head; the default head if left out.
    cells
        Cells to look at it with; draws from the density that the model stored if left out.
    progress
        Called with (parts tested, parts in all); it may raise to cancel.
    seed
        Draws cells, where there are more than are needed.

    Raises
    ------
    InvalidModel
        If the model has no such head.
    InvalidInput
        If the head has no sparse form; those that have one are named.
    """
    known = drawn_cells(model, seed=seed) if cells is None else cells
    anatomy = parts_of(model, head, known)
    found: list[Finding] = []
    every = (*anatomy.parts, *anatomy.wholes)
    for done, part in enumerate(every):
        found += find(part, model, known, seed)
        progress(done + 1, len(every))
    return replace(anatomy, findings=tuple(found))


def parts_of(model: CellModel, head: str | None, cells: Population) -> Anatomy:
    """Take a sparse head or a formula apart without testing anything: it has no findings.

    Parameters
    ----------
    model, head
        The model, and the name of its head; the default head if left out.
    cells
        Cells to look at it with.

    Raises
    ------
    InvalidModel
        If the model has no such head.
    InvalidInput
        If the head has no sparse form; those that have one are named.
    """
    named = model.head(head)
    check_takes_apart(named, model)
    graph = sub = None
    if isinstance(named.head, FormulaHead):
        rule = tuple(
            f"{'score' if len(named.classes) == 2 else named.classes[k]} = "
            + formula.show(3, model.aliases)
            + ("" if scale == 1 else f", times {scale:.3g}")
            for k, (formula, scale) in enumerate(
                zip(named.head.formulas, named.head.scales, strict=True)
            )
        )
        parts, wholes = term_parts(named, model), wholes_of(named, model)
    else:
        graph = head_graph(named, model)
        sub = cut(graph)
        rule = tuple(graph.equations())
        parts = (*(one.part for one in sub.sub_networks), *_trunks(graph, sub))
        wholes = whole_parts(graph, named)
    return Anatomy(
        model.name, model.sha256, named.name, named.classes, rule, graph, sub, parts, wholes,
        cells, (),
    )  # fmt: skip


def _trunks(graph: HeadGraph, sub: Cut) -> list[Part]:
    """The head above one or two neurons that carry everything, for each output that has them."""
    names: dict[Place, str] = {one.place: one.part.name for one in sub.sub_networks}
    found = []
    for output in graph.outputs:
        neck = bottleneck(graph, output)
        if neck:
            part = graph.part(output, neck, f"trunk of {graph.label(output)}", names)
            through = "neuron carries" if len(neck) == 1 else "two neurons carry"
            found.append(replace(part, about=f"all that {through} to it"))
    return found


@dataclass(frozen=True, eq=False)
class Panel:
    """What one picture shows: a response, and the decoded traversals along its axes."""

    response: Response
    traversals: tuple[Traversal, ...]

    @property
    def title(self) -> str:
        """The part."""
        return self.response.part.name


def part_panels(anatomy: Anatomy, model: CellModel, latents: Float64Array) -> list[Panel]:
    """Curve or map of every part, for the selected cell (L,).

    A part of more than two inputs is a slice over its two strongest. A constant has no panel.
    """
    return [
        panel_of(part, axes_of(part, anatomy.cells), anatomy.cells, model, latents)
        for part in anatomy.parts
        if part.inputs
    ]


def slice_panels(
    anatomy: Anatomy,
    model: CellModel,
    latents: Float64Array,
    pairs: Sequence[tuple[int, int]] = (),
) -> list[Panel]:
    """Slices of the whole head through the selected cell (L,), all other inputs held at its values.

    Parameters
    ----------
    anatomy, model
        The head.
    latents
        (L,) latents of the selected cell.
    pairs
        Positions of inputs in the wholes to draw over; all pairs of the strongest if left out:
        of four inputs, of three where there are several scores.

    Returns
    -------
    For each pair, a slice of every whole; none for a head that reads a single input, which has
    curves alone.
    """
    chosen = list(pairs) or strongest_pairs(anatomy)
    return [
        panel_of(whole, pair, anatomy.cells, model, latents)
        for pair in chosen
        for whole in anatomy.wholes
    ]


def strongest_pairs(anatomy: Anatomy) -> list[tuple[int, int]]:
    """Pairs of the inputs that make most of the scores' variance over the cells."""
    effects = np.mean([strongest(whole, anatomy.cells) for whole in anatomy.wholes], axis=0)
    most = MOST_INPUTS[1 if len(anatomy.wholes) == 1 else 2]
    order = [int(i) for i in np.argsort(-effects, kind="stable")[:most]]
    return list(itertools.combinations(order, 2))


def wholes_of(named: NamedHead, model: CellModel) -> tuple[Part, ...]:
    """A head as functions of all its inputs: its score, or the lead of each class.

    Raises
    ------
    InvalidInput
        If the head has no sparse form; those that have one are named.
    """
    check_takes_apart(named, model)
    if isinstance(named.head, FormulaHead):
        return formula_wholes(named, model)
    return whole_parts(head_graph(named, model), named)


def pair_of(whole: Part, latents: tuple[int, int]) -> tuple[int, int]:
    """Positions of two inputs of a whole head, named by latents; either latent names a radius.

    Raises
    ------
    InvalidInput
        If the head does not read one of them, or both are one input.
    """
    inputs = whole.inputs
    found = []
    for latent in latents:
        at = [i for i, one in enumerate(inputs) if latent in one.latents]
        if not at:
            raise InvalidInput(
                f"The head does not read z{latent}; it reads "
                f"{', '.join(one.label for one in inputs)}."
            )
        found.append(at[0])
    if found[0] == found[1]:
        raise InvalidInput(
            f"z{latents[0]} and z{latents[1]} are one input of the head, "
            f"{inputs[found[0]].label}; choose two different ones."
        )
    return found[0], found[1]


def axes_of(part: Part, cells: Population) -> tuple[int, ...]:
    """Inputs to draw a part over: all of them, or its two strongest."""
    if len(part.inputs) <= FEW:
        return tuple(range(len(part.inputs)))
    return tuple(int(i) for i in np.argsort(-strongest(part, cells), kind="stable")[:FEW])


def panel_of(
    part: Part, axes: tuple[int, ...], cells: Population, model: CellModel, latents: npt.ArrayLike
) -> Panel:
    """One picture: a part over some of its inputs, all others held at a cell's latents (L,)."""
    ground = ground_of(part, axes, cells)
    held = part.read(np.asarray(latents)[None])[0]
    return Panel(response(part, ground, held), traversals(part, ground, model, latents))
