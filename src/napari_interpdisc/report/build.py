"""A report on one head: every section from results that others compute, each figure explained."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc import __version__
from napari_interpdisc._types import Float32Array, Progress, silent
from napari_interpdisc.discovery.evidence import reliability_of
from napari_interpdisc.discovery.quality import Quality, measure
from napari_interpdisc.discovery.rashomon import members_of_model, rashomon_set
from napari_interpdisc.discovery.reliability import Reliability, reliability
from napari_interpdisc.errors import InterpdiscError, InvalidInput
from napari_interpdisc.figures.anatomy import graph_figure, panels_figure
from napari_interpdisc.figures.confusion import confusion_figure
from napari_interpdisc.figures.counterfactual import path_figure
from napari_interpdisc.figures.maths import draw_sum
from napari_interpdisc.figures.reliability import reliability_figure
from napari_interpdisc.figures.scorecard import scorecard_figure
from napari_interpdisc.figures.used_latents import used_latents_figure
from napari_interpdisc.io.results import versions, write_whole
from napari_interpdisc.models.cell_model import (
    CellModel,
    NamedHead,
    class_index,
    class_probabilities,
    confidence,
)
from napari_interpdisc.models.formula import FormulaHead
from napari_interpdisc.models.properties import WAYS, missing_properties, title_of, unit_of
from napari_interpdisc.number_text import percent
from napari_interpdisc.report.page import Section, render
from napari_interpdisc.scrutiny.anatomy import part_panels, slice_panels, take_apart
from napari_interpdisc.scrutiny.anatomy_response import Population
from napari_interpdisc.scrutiny.anatomy_response import real_cells as population_of
from napari_interpdisc.scrutiny.counterfactual import counterfactual_path, real_cells
from napari_interpdisc.scrutiny.properties import measure_crops
from napari_interpdisc.scrutiny.score_tests import ScorecardSettings
from napari_interpdisc.scrutiny.scorecard import score_head
from napari_interpdisc.scrutiny.terms import latent_weights, rule_of, told_rule

if TYPE_CHECKING:
    from napari_interpdisc.scrutiny.segmented import Segmentation

BLACK = (0.1, 0.1, 0.1, 1.0)
MATHS_SIZE, MATHS_WIDTH, MATHS_SCALE = 44.0, 1900, 0.45

MOST_LATENTS = 12
"""Latents of a head that are drawn; of more, those that weigh most."""

WEIGHING = 8
"""Latents of a dense head that a table tells."""


@dataclass(frozen=True)
class ReportCells:
    """Cells that a report looks at.

    Attributes
    ----------
    crops
        (N, 1, S, S) normalised crops.
    latents
        (N, L) posterior means.
    groups
        (N,) track or plate.
    names
        (N,) what to call them.
    source
        What is told of where they are from: files, diameter, hashes.
    labels
        (N,) class that they were given; None if they have none.
    segmentation
        Their nuclei, for the scorecard.
    group_name
        What a group is called.
    measured
        (N,) measured properties by name, for heads that read some; NaN where a cell has none.
    """

    crops: Float32Array
    latents: Float32Array
    groups: npt.NDArray[Any]
    names: list[str]
    source: dict[str, Any]
    labels: npt.NDArray[Any] | None
    segmentation: Segmentation
    group_name: str = "track"
    measured: Mapping[str, npt.NDArray[np.floating]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of cells N."""
        return len(self.latents)

    def scores(self, model: CellModel, head: str) -> Float32Array:
        """Scores (N, K) of a head; NaN for cells without what it reads."""
        found = model.score(self.latents, head, self.measured)
        read = model.head(head).head.properties
        if len(read):
            found[missing_properties(read.columns(self.measured))] = np.nan
        return found


def measured_for(
    model: CellModel, crops: Float32Array, masks: npt.NDArray[Any] | None = None
) -> dict[str, npt.NDArray[np.float64]]:
    """Measure what any head of a model reads, in crops (N, 1, S, S); nothing if none reads any.

    ``masks`` (N, S, S) are segmentations of the crops; nuclei are found if they are left out.
    """
    names = model.needed_properties
    return measure_crops(crops, masks, model.model_diameter, names=names) if names else {}


def write_report(
    path: Path,
    model: CellModel,
    head: str | None = None,
    cells: ReportCells | None = None,
    progress: Progress = silent,
    seed: int = 0,
    simulated: int = 200,
) -> None:
    """Write the report on a head as one HTML file that needs no network.

    Parameters
    ----------
    path
        Where to; the file is whole or not there.
    model, head
        The model and the name of its head (the default one if None).
    cells
        Cells to look at it with. Without any, sections that need them say so.
    progress
        Called with (sections done, sections in all); it may raise to cancel.
    seed
        Seed of draws.
    simulated
        Simulated cells on which the domain constraints are tested too; 0 for none.

    Raises
    ------
    InvalidModel
        If the model has no such head.
    InvalidInput
        If the file cannot be written.
    """
    named = model.head(head)
    told = Section("In short")
    makers: list[Callable[[], Section]] = [
        lambda: rule_section(model, named, cells),
        lambda: latents_section(model, named, cells),
        lambda: quality_section(named, cells, model),
        lambda: calibration_section(named, cells, model),
        lambda: scorecard_section(
            model, named, cells, ScorecardSettings(seed=seed, simulated=simulated), told
        ),
        lambda: anatomy_section(model, named, cells, seed),
        lambda: counterfactual_section(model, named, cells),
        lambda: rashomon_section(model, named, cells, told),
        lambda: data_section(model, named, cells),
    ]
    sections = []
    for done, make in enumerate(makers):
        progress(done, len(makers))
        sections.append(make())
    progress(len(makers), len(makers))
    title = f"Would a biologist accept it? Head '{named.name}' of '{model.name}'"
    subtitle = (
        f"Classes: {', '.join(named.classes)}. napari-interpdisc {__version__}, "
        f"{date.today().isoformat()}. SHA-256 of the model: {model.sha256}"
    )
    _shorten(told, model, named)
    page = render(title, subtitle, [told, *sections])
    write_whole(path, lambda partial: partial.write_text(page, "utf-8"))


def _shorten(told: Section, model: CellModel, named: NamedHead) -> None:
    """Put what is known of the head itself before what the sections found."""
    found, told.blocks = told.blocks, []
    evidence = named.evidence
    if evidence is not None:
        low, high = evidence.interval
        sentence = (
            f"On held-out {evidence.group_name}s it is right in {evidence.balanced_accuracy:.1%} "
            f"of the cells, each class counting the same [{low:.1%}, {high:.1%}]."
        )
        told.say(sentence.replace("%", " %"))
        if evidence.calibration is not None:
            told.say(
                f"Its confidences are off by {evidence.calibration.ece:.3f} on average; chance "
                f"alone would make {evidence.calibration.chance_ece:.3f}."
            )
    else:
        told.say("The model does not say how this head did on held-out groups.")
    used = named.head.used_latents
    n = sum(bool(model.latent_name(i)) for i in used)
    have = "has" if n == 1 else "have"
    if used:
        told.say(
            f"{n} of the {len(used)} latents that it uses {have} a name backed by measurements."
        )
    if read := named.head.used_properties:
        told.say(f"It reads measured properties: {', '.join(map(title_of, read))}.")
    told.blocks += found


def rule_section(model: CellModel, named: NamedHead, cells: ReportCells | None) -> Section:
    """Say the rule in words and maths."""
    section = Section("The rule")
    section.say(
        *(one[:1].upper() + one[1:] for one in told_rule(named, model)),
        f"It {model.subject_of(named.name)}.",
    )
    try:
        rule = rule_of(named, model)
    except InvalidInput as fault:
        section.note(str(fault))
        _weights(section, model, named, cells)
        return section
    for which, scored in enumerate(rule.scored):
        caption = f"The score of {scored}, in logits: each term adds to it. " + (
            f"From 0 on, a cell is called {scored}." if len(rule.scored) == 1 else ""
        )
        try:
            maths = draw_sum(rule.latex_parts(which), MATHS_WIDTH, MATHS_SIZE, BLACK)
        except InvalidInput:  # too long to be typeset
            section.say(rule.text(which), caption.strip())
            continue
        section.picture(maths, caption.strip(), MATHS_SCALE)
    if len(rule.scored) > 1:
        section.say("The class with the largest score is called.")
    if rule.sub_networks:
        section.table(
            ("neuron", "reads"),
            [(name, ", ".join(reads)) for name, reads in rule.sub_networks.items()],
            "Each g is what a neuron before the output gives, with all that it reads.",
        )
    section.say(
        f"It has {named.head.expression_size} nodes as an expression tree "
        f"({named.head.size_without_biases} without biases); the paper's dense head has 8641."
    )
    return section


def _weights(
    section: Section, model: CellModel, named: NamedHead, cells: ReportCells | None
) -> None:
    if cells is None:
        section.say("Give cells to see which latents weigh most.")
        return
    if len(named.head.properties):
        section.say("Which inputs weigh most is not told for a network that reads properties.")
        return
    weights = latent_weights(named.head, cells.latents).mean(0)
    order = np.argsort(-weights)[:WEIGHING].tolist()
    section.table(
        ("latent", "weight (logits)", "what it follows"),
        [(model.latent_label(i), f"{weights[i]:.2f}", model.latent_about(i)) for i in order],
        "Mean of |gradient · Δ| over the cells, Δ being the distance to their mean: which latents "
        "weigh most. This is no rule.",
    )


def latents_section(model: CellModel, named: NamedHead, cells: ReportCells | None) -> Section:
    """Tell what the used latents stand for, and show them."""
    section = Section("What it reads")
    used, read = list(named.head.used_latents), named.head.properties
    if named.head.used_properties:
        section.table(
            ("measured property", "unit", "mean of the training cells", "standard deviation"),
            [
                (title_of(name), unit_of(name), f"{centre:.3g}", f"{scale:.3g}")
                for name, centre, scale in zip(read.names, read.centre, read.scale, strict=True)
                if name in named.head.used_properties
            ],
            f"Properties that it reads, measured {WAYS[read.way]}.",
        )
    if not used:
        section.note(
            "This head uses no latent."
            if named.head.used_properties
            else "This head uses no latent: it calls all cells alike."
        )
        return section
    unnamed = [i for i in used if not model.latent_name(i)]
    if len(used) > MOST_LATENTS and cells is not None and not len(read):
        weights = latent_weights(named.head, cells.latents).mean(0)
        shown = sorted(sorted(used, key=lambda i: -weights[i])[:MOST_LATENTS])
    else:
        shown = used[:MOST_LATENTS]
    section.table(
        ("latent", "evidence", "mean KL (nats)"),
        [
            (model.latent_label(i), model.latent_about(i), f"{model.latent_kl[i]:.2f}")
            for i in shown
        ],
        f"{len(used)} latents are used"
        + (f", {len(shown)} of them shown." if len(shown) < len(used) else ".")
        + " Evidence: rank correlation ρ with properties measured on cells, and its 95 % interval.",
    )
    if unnamed:
        section.note(
            f"{len(unnamed)} of {len(used)} have no name: nothing that was measured explains them "
            f"well enough ({', '.join(f'z{i}' for i in unnamed)}). A rule on them can be followed, "
            "and not fully read."
        )
    start = np.zeros(model.n_latents, np.float32)
    crop, held = None, dict(zip(read.names, read.centre, strict=True))
    if cells is not None:
        known = np.flatnonzero(np.isfinite(cells.scores(model, named.name)).all(1))
        row = known[_typical(cells.latents[known])] if len(known) else _typical(cells.latents)
        start, crop = cells.latents[row], cells.crops[row][None]
        if len(known):
            held = {name: float(cells.measured[name][row]) for name in read.names}
    section.figure(
        used_latents_figure(model, shown, start, named.name, crop, held),
        "Each row moves one latent by up to three standard deviations of real cells and leaves the "
        "others; above a picture the latent's value, below it the score. "
        + ("Below is the local contrast, the grain of the chromatin. " * model.has_texture)
        + ("The cell is the most typical one." if cells is not None else "It starts from 0.")
        + (" Measured properties stay as they are." * bool(len(read))),
    )
    return section


def _typical(latents: Float32Array) -> int:
    """Row of the cell nearest to the median."""
    spread = latents.std(0) + 1e-6
    off = ((latents - np.median(latents, 0)) / spread) ** 2
    return int(off.sum(1).argmin())


def quality_section(named: NamedHead, cells: ReportCells | None, model: CellModel) -> Section:
    """Accuracy with intervals by group, and confusion with pictures."""
    section = Section("Accuracy on held-out groups")
    evidence = named.evidence
    if evidence is None:
        section.note("The model does not say how this head did on held-out groups.")
        section.say(named.summary)
    else:
        low, high = evidence.interval
        section.say(
            f"Balanced accuracy {evidence.balanced_accuracy:.3f}, 95 % interval by "
            f"{evidence.group_name} [{low:.3f}, {high:.3f}]: {evidence.cells} labelled cells of "
            f"{evidence.groups} {evidence.group_name}s, {evidence.folds} folds. Each cell was "
            f"called by a head that had not seen its {evidence.group_name}."
        )
        if len(evidence.seeds) > 1:
            told = ", ".join(f"{value:.3f}" for value in evidence.seeds)
            section.say(f"Repeated with {len(evidence.seeds)} seeds: {told}.")
        section.table(
            ("labelled \\ called", *named.classes, "right"),
            [
                (name, *row, percent(row[k] / sum(row)) if sum(row) else "–")
                for k, (name, row) in enumerate(zip(named.classes, evidence.confusion, strict=True))
            ],
            "Number of held-out cells by labelled class (rows) and called class (columns).",
        )
    found = _on_given(named, cells, model)
    if found is None:
        section.say("Give labelled cells to see it on them, with pictures.")
        return section
    rows, target, quality = found
    assert cells is not None
    scores = cells.scores(model, named.name)[rows]
    low, high = quality.interval
    section.say(
        f"On the {len(rows)} labelled cells of this report: balanced accuracy "
        f"{quality.balanced_accuracy:.3f} [{low:.3f}, {high:.3f}]. The head may have been trained "
        "on some of them; if so, this is no held-out figure."
    )
    assert cells.labels is not None
    without = int(np.isin(cells.labels.astype(str), named.classes).sum()) - len(rows)
    if without:
        section.say(
            f"{without} more labelled cell{'s have' if without != 1 else ' has'} no score, and so "
            f"{'are' if without != 1 else 'is'} not among them: the head reads what they lack, or "
            "its formula has no value for them."
        )
    section.figure(
        confusion_figure(
            cells.crops[rows, 0], target, class_index(scores), confidence(scores), named.classes
        ),
        "Cells of this report by labelled class (rows) and called class (columns); the number is "
        "how many there are. Those that are called most surely are shown; wrong ones are framed.",
    )
    return section


def _on_given(
    named: NamedHead, cells: ReportCells | None, model: CellModel
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64], Quality] | None:
    """Rows of the given cells with a class of the head, that class, and the head's quality."""
    if cells is None or cells.labels is None:
        return None
    place = {name: k for k, name in enumerate(named.classes)}
    target = np.array([place.get(str(name), -1) for name in cells.labels], np.int64)
    scores = cells.scores(model, named.name)
    rows = np.flatnonzero((target >= 0) & np.isfinite(scores).all(1))
    if not len(rows):
        return None
    called = class_index(scores[rows])
    group = np.unique(cells.groups[rows].astype(str), return_inverse=True)[1].astype(np.int64)
    return rows, target[rows], measure(target[rows], called, group, len(named.classes))


def calibration_section(named: NamedHead, cells: ReportCells | None, model: CellModel) -> Section:
    """Whether the confidences are right."""
    section = Section("Calibration")
    sets: dict[str, Reliability] = {}
    evidence = named.evidence
    if evidence is not None and evidence.calibration is not None:
        sets[f"held-out {evidence.group_name}s"] = reliability_of(evidence.calibration, evidence)
    found = _on_given(named, cells, model)
    if found is not None:
        assert cells is not None
        rows, target, _ = found
        scores = cells.scores(model, named.name)[rows]
        sets["cells of this report"] = reliability(
            class_probabilities(scores), target, cells.groups[rows]
        )
    if not sets:
        section.note(
            "The model does not say how right the confidences of this head are; give labelled "
            "cells to measure it."
        )
        return section
    section.figure(
        reliability_figure({named.name: sets}),
        "How often the head is right at each confidence: on the dashed line, it is as often right "
        "as it says. Lines show 95 % intervals by group; each class counts the same.",
        "svg",
    )
    section.table(
        ("cells", "Brier score", "constant forecast", "calibration error", "by chance alone"),
        [
            (
                name,
                f"{one.brier:.3f}",
                f"{one.constant_brier:.3f}",
                f"{one.ece:.3f}",
                f"{one.chance_ece:.3f}",
            )
            for name, one in sets.items()
        ],
        "Brier score: squared error of the probabilities, 0 is perfect; a constant forecast has "
        "the one beside it. Calibration error: mean distance of confidence and share right.",
    )
    return section


def scorecard_section(
    model: CellModel,
    named: NamedHead,
    cells: ReportCells | None,
    settings: ScorecardSettings,
    told: Section | None = None,
) -> Section:
    """What must not change a call, and how often it does; ``told`` hears the verdict."""
    section = Section("Domain constraints")
    section.say(
        "What a biologist would not accept: that a call changes with the neighbours, the "
        "orientation, noise, or a pixel's shift of the centroid."
    )
    if cells is None:
        section.note("Give cells to test this head against the domain constraints.")
        return section
    card = score_head(cells.segmentation, cells.groups, model, named.name, settings)
    section.say(*card.sentences())
    if told is not None:
        told.say(f"Domain constraints: {card.sentences()[0]}")
    section.figure(
        scorecard_figure([card], columns=1),
        "Share of cells whose class changes in each test, with its 95 % interval by group; black "
        "marks are limits.",
        "svg",
    )
    return section


def anatomy_section(
    model: CellModel, named: NamedHead, cells: ReportCells | None, seed: int
) -> Section:
    """Draw the parts of the head, and tell what they do."""
    section = Section("Anatomy")
    population: Population | None = None
    if cells is not None:
        population = population_of(cells.latents, "the cells of this report")
    try:
        anatomy = take_apart(model, named.name, population, seed=seed)
    except InvalidInput as fault:
        section.note(str(fault))
        return section
    if cells is None:
        section.say(
            "No cells were given: axes are those of the training data, and no density is drawn."
        )
    held = anatomy.cells.latents[anatomy.cells.middle(anatomy.wholes[0])]
    if anatomy.graph is not None:
        section.figure(
            graph_figure(anatomy),
            "The sparse head as a graph, from the latents it reads to its score. Colour and width "
            "of a line: sign and size of a weight; each sub-network has a colour of its own.",
        )
    panels = part_panels(anatomy, model, held)
    if panels:
        section.figure(
            panels_figure(panels, anatomy.cells, "parts"),
            "What each part answers to its inputs. "
            + ("Grey: no cells there. " if anatomy.cells.is_real else "")
            + "The dot is a typical cell.",
        )
    slices = slice_panels(anatomy, model, held)
    if slices:
        section.figure(
            panels_figure(slices, anatomy.cells, "boundary"),
            "Slices of the whole head through a typical cell: two inputs vary, the others are held "
            "at its values. The thick line is the decision boundary.",
        )
    section.table(
        ("part", "what was found", "how it was tested"),
        [(one.part, one.sentence, one.tested) for one in anatomy.findings],
        "What the parts do, each sentence with the test behind it.",
    )
    return section


def counterfactual_section(
    model: CellModel, named: NamedHead, cells: ReportCells | None
) -> Section:
    """Show what would make a typical cell of each class another."""
    section = Section("What would change the call")
    if cells is None:
        section.note("Give cells to see what would change the call of one.")
        return section
    try:
        real = real_cells(model, cells.latents, named.name, cells.groups)
    except InvalidInput as fault:
        section.note(str(fault))
        return section
    scores = model.score(cells.latents, named.name)
    called = class_index(scores)
    sure = confidence(scores)
    for k, name in enumerate(named.classes):
        rows = np.flatnonzero(called == k)
        if not len(rows):
            section.note(f"No cell is called {name}, so there is none to start from.")
            continue
        # a typical one: of middling sureness among its class
        row = int(rows[np.argsort(sure[rows], kind="stable")[len(rows) // 2]])
        try:
            found = counterfactual_path(
                model, cells.latents[row], real, named.name, group=cells.groups[row]
            )
        except InterpdiscError as fault:
            section.note(str(fault))
            continue
        pictures = model.reconstruct(found.latents, cells.crops[row][None])[:, 0]
        near = cells.crops[found.nearest, 0]
        names = [cells.names[i] for i in found.nearest]
        section.figure(
            path_figure(found, pictures, near, names, model),
            f"From {cells.names[row]}, called {name}, along the smallest move of the used latents "
            "that another class answers to. Above: decoded. Below: the nearest real cell of "
            "another group, because decoded pictures can lie.",
        )
    return section


def rashomon_section(
    model: CellModel,
    named: NamedHead,
    cells: ReportCells | None,
    told: Section | None = None,
) -> Section:
    """Tell which other heads are about as good, and whether they agree; ``told`` hears it."""
    section = Section("Heads of this question that are about as good as the best")
    try:
        members = members_of_model(model, named.name)
    except InvalidInput as fault:
        section.note(str(fault))
        return section
    latents = cells.latents if cells is not None else np.zeros((0, model.n_latents), np.float32)
    none = np.zeros(0)
    measured = cells.measured if cells is not None else {n: none for n in model.needed_properties}
    found = rashomon_set(members, named.classes, latents, measured=measured)
    section.say(found.sentence())
    own = next((one for one in found.others if one.name == named.name), None)
    if own is not None:
        less = found.members[0].balanced_accuracy - own.balanced_accuracy
        section.note(
            f"'{named.name}' itself is not among them: {own.balanced_accuracy:.3f}, which is "
            f"{less:.3f} less than the best."
        )
    if told is not None:
        among = "" if own is None else f" '{named.name}' is not among them."
        told.say(f"Of the heads of this question: {found.sentence()}{among}")
    section.table(
        ("head", "balanced accuracy", "nodes", "what it reads"),
        [
            (
                one.name,
                f"{one.balanced_accuracy:.3f}",
                one.head.expression_size,
                ", ".join(
                    filter(
                        None,
                        (
                            told_latents(model, one.latents),
                            *map(title_of, one.head.used_properties),
                        ),
                    )
                ),
            )
            for one in found.members
        ],
        f"Heads of the same question within {found.delta:g} of the best, on the same held-out "
        "groups.",
    )
    if len(found.members) > 1 and cells is not None:
        section.table(
            ("agreement", *(one.name for one in found.members)),
            [
                (one.name, *(f"{share:.1%}".replace("%", " %") for share in row))
                for one, row in zip(found.members, found.agreement, strict=True)
            ],
            f"Share of {len(cells)} cells to which two heads give the same class.",
        )
    return section


def told_latents(model: CellModel, latents: Sequence[int]) -> str:
    """Labels of latents, or their number if there are many."""
    if len(latents) > MOST_LATENTS:
        return f"{len(latents)} latents"
    return ", ".join(map(model.latent_label, latents))


def data_section(model: CellModel, named: NamedHead, cells: ReportCells | None) -> Section:
    """Data and settings with their hashes, and the model's card."""
    section = Section("Data, settings and hashes")
    rows: list[tuple[str, object]] = [
        ("model", model.name),
        ("SHA-256 of the model", model.sha256),
        ("SHA-256 of the encoder", model.encoder_sha256),
        ("head", named.name),
    ]
    if isinstance(named.head, FormulaHead):
        rows += [("formula as stored", formula.text) for formula in named.head.formulas]
    if named.evidence is not None and named.evidence.data_sha256:
        rows.append(("SHA-256 of the labelled cells", named.evidence.data_sha256))
    rows += [
        (f"trained on {movie.name}", f"{movie.cells} cells, diameter {movie.diameter:.1f} px")
        for movie in model.movies
    ]
    if cells is not None:
        rows.append(("cells of this report", len(cells)))
        rows += [(key, value) for key, value in cells.source.items() if value not in (None, "")]
    rows += [(f"version of {name}", value) for name, value in versions().items()]
    rows.append(("Python", platform.python_version()))
    section.table(("what", "value"), rows)
    if model.card:
        section.say("The card of the model, as it is stored:")
        section.markdown(model.card)
    return section
