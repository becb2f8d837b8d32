"""Model cards of discovered heads: data, split, quality and limits, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from napari_interpdisc.discovery.effort import effort_of, settings_of
from napari_interpdisc.discovery.evidence import evidence_of
from napari_interpdisc.discovery.quality import Quality
from napari_interpdisc.discovery.rashomon import RashomonSet
from napari_interpdisc.discovery.recipe import Recipe
from napari_interpdisc.discovery.reliability import Reliabilities, Reliability
from napari_interpdisc.discovery.results import Discovery, FrontRow
from napari_interpdisc.discovery.tasks import TaskResult, heads_of
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import CellModel, NamedHead
from napari_interpdisc.models.formula import Formula, FormulaHead
from napari_interpdisc.models.heads import Head
from napari_interpdisc.models.store import replace_heads
from napari_interpdisc.number_text import mean_sd


def discovered_model(
    model: CellModel,
    found: Discovery,
    name: str,
    formula: FrontRow | None = None,
    compared: RashomonSet | None = None,
) -> CellModel:
    """Return a model with the same encoder and the heads that were found.

    Parameters
    ----------
    model
        Whose encoder made the latents.
    found
        The heads; they are named by their kind.
    name
        Name of the new model.
    formula
        Row of the front to use instead of the formula that was chosen.
    compared
        All heads of the training that are about as good, for the card; what they call the labelled
        cells.

    Raises
    ------
    InvalidInput
        If the heads belong to another encoder.
    """
    _check_encoder(model, found)
    heads: dict[str, NamedHead] = {}
    for kind, fitted in found.heads.items():
        head, quality = fitted.head, fitted.quality
        evidence = evidence_of(found, kind)
        if kind == "formula" and formula is not None and formula.head.formulas != _formulas(head):
            head, quality = formula.head, formula.quality
            evidence = evidence_of(found, kind, quality)
        heads[kind] = NamedHead(kind, head, found.classes, summary(quality, found), evidence)
    card = discovery_card(name, model, found, heads, compared)
    return replace_heads(model, name, heads, card, found.movies)


def model_of_tasks(
    model: CellModel, results: Sequence[TaskResult], name: str, more: str = ""
) -> CellModel:
    """Return a model with the same encoder and the heads of several tasks.

    Parameters
    ----------
    model
        Whose encoder made the latents; its own card comes first.
    results
        What was found for each task.
    name
        Name of the new model.
    more
        Further text of the card, Markdown.

    Raises
    ------
    InvalidInput
        If the heads belong to another encoder.
    """
    for result in results:
        _check_encoder(model, result.found[0])
    heads = heads_of(results)
    card = "\n".join([model.card.rstrip(), "", tasks_section(model, results), more.rstrip()])
    return replace_heads(model, name, heads, card.rstrip() + "\n")


def _formulas(head: Head) -> tuple[Formula, ...]:
    return head.formulas if isinstance(head, FormulaHead) else ()


def summary(quality: Quality, found: Discovery) -> str:
    """One line on how far a head can be trusted."""
    low, high = quality.interval
    return (
        f"balanced accuracy {quality.balanced_accuracy:.3f} [{low:.3f}, {high:.3f}] on held-out "
        f"groups; {found.cells} cells, {found.groups} groups, {found.folds} folds"
    )


def discovery_card(
    name: str,
    model: CellModel,
    found: Discovery,
    heads: Mapping[str, NamedHead],
    compared: RashomonSet | None = None,
) -> str:
    """Model card of the heads of one training, and of all that are about as good."""
    rows = [(h.name, h.head.n_weights, h.head.expression_size, h.summary) for h in heads.values()]
    lines = [
        f"# {name}",
        "",
        f"Heads trained on {found.cells} annotated cells ({counts(found)}) of {found.groups} "
        f"groups, on the latents of the encoder of '{model.name}' (SHA-256 "
        f"{model.encoder_sha256[:16]}).",
        f"Balanced accuracy is on groups ({found.group_name}s) held out of {found.folds} folds, "
        "pooled, with a 95 % bootstrap interval over groups. The stored heads were fitted on all "
        "cells.",
        *effort_told(found),
        "",
        *_of_movies(found),
        *table(("head", "weights", "expression size", "balanced accuracy"), rows),
    ]
    if "formula" in heads:
        texts = formulas_of(heads["formula"], model)
        lines += ["", f"Formula ({found.engine}): {'; '.join(texts)}"]
    told = {named.head.properties.told() for named in heads.values()} - {""}
    if told:
        lines += ["", f"Measured properties, as heads read them: {' '.join(sorted(told))}"]
    if compared is not None:
        lines += ["", *rashomon_section(compared, model)]
    return "\n".join(lines) + "\n"


def effort_told(found: Discovery) -> list[str]:
    """One line on how much work the training did; none where its settings are not known."""
    if not found.settings:
        return []
    recipe = Recipe.model_validate(found.settings)
    return [f"Effort: {effort_of(recipe)} ({settings_of(recipe).told()})."]


def rashomon_section(compared: RashomonSet, model: CellModel) -> list[str]:
    """Lines of Markdown: heads that are about as good as the best, and what they agree on."""
    rows = []
    for one in compared.members:
        named = ", ".join([*map(model.latent_label, one.latents), *one.head.used_properties])
        rows.append((one.name, f"{one.balanced_accuracy:.3f}", one.head.expression_size, named))
    return [
        "## Rashomon set",
        "",
        compared.sentence().replace(" cells.", " labelled cells."),
        "The stored heads saw these cells in their training. Where they disagree, the data do not "
        "say which of them is right.",
        "",
        *table(("head", "balanced accuracy", "expression size", "reads"), rows),
    ]


def _of_movies(found: Discovery) -> list[str]:
    """Table of the movies, with the nuclear diameter in each; nothing where they are not known."""
    if not found.movies:
        return []
    rows = [(m.name, m.cells, f"{m.diameter:.1f}", m.measured) for m in found.movies]
    return [*table(("movie", "labelled cells", "nuclear diameter, px", "measured by"), rows), ""]


def tasks_section(model: CellModel, results: Sequence[TaskResult]) -> str:
    """Heads of several tasks: what they were asked, how they did on held-out groups, formulas."""
    first = results[0].found[0]
    seeds = len(results[0].found)
    rows, formulas = [], []
    for result in results:
        heads = result.heads()
        for kind, name in result.task.names.items():
            kept = [one.heads[kind].head for one in result.found]
            sizes = [float(head.expression_size) for head in kept]
            weights = "–" if kind == "formula" else f"{np.mean([h.n_weights for h in kept]):.0f}"
            rows.append(
                (
                    f"`{name}`",
                    ", ".join(result.task.classes),
                    weights,
                    mean_sd(sizes, 0),
                    mean_sd(result.accuracies(kind)),
                )
            )
            if kind == "formula":
                texts = "; ".join(formulas_of(heads[name], model))
                formulas.append(f"    {name}:  {texts}{' ≥ 0' * (len(result.task.classes) == 2)}")
    asked = "\n".join(
        f"- {', '.join(f'`{n}`' for n in result.task.names.values())}: "
        + "; ".join(f"{name} = {', '.join(own)}" for name, own in result.task.classes.items())
        for result in results
    )
    lines = [
        "## Heads",
        "",
        "Classes, and the labels that belong to each:",
        "",
        asked,
        "",
        f"Balanced accuracy is on groups held out of {first.folds} folds, pooled; mean and "
        f"standard deviation of {seeds} seed{'s' * (seeds > 1)}. The stored heads were fitted on "
        "all cells with the first seed. Their logits were calibrated on held-out cells.",
        "",
        *table(("head", "classes", "weights", "expression size", "balanced accuracy"), rows),
        "",
    ]
    if formulas:
        engines = {one.engine for result in results for one in result.found if one.engine}
        told = ", ".join(sorted(engines)) or "see the settings"
        lines += [f"Formulas ({told}):", "", *formulas, ""]
    return "\n".join(lines)


def calibration_section(found: Reliabilities, picture: str = "reliability.png") -> list[str]:
    """Lines of Markdown: Brier score and calibration error of each head, on each set of cells.

    The first set is that of held-out groups. A set that a head was not tested on has a dash.

    Parameters
    ----------
    found
        Reliability of each head on each set of cells, by what to call them.
    picture
        File of the reliability diagram, relative to the card.
    """
    sets = list(dict.fromkeys(name for own in found.values() for name in own))
    rows = []
    for head, own in found.items():
        constant = [f"{one.constant_brier:.2f}" for one in own.values()]
        told = [own.get(name) for name in sets]
        rows.append(
            [
                f"`{head}`",
                ", ".join(constant if len(set(constant)) > 1 else constant[:1]),
                *map(_brier, told),
                *map(_calibration_error, told),
            ]
        )
    headings = ["head", "constant forecast"]
    headings += [f"{figure}, {name}" for figure in ("Brier", "ECE") for name in sets]
    return [
        "## Calibration",
        "",
        f"How right confidences are; `{picture}` is the diagram. Confidences are calibrated for",
        "classes that are equally frequent, so cells are weighted such that all classes count the",
        "same.",
        "Of the first seed: held-out cells have the logits of heads that did not see their group,",
        "times a factor fitted on the other folds. Other cells have those of the stored heads.",
        "",
        "- Brier: squared error of the probabilities, summed over classes; 0 is perfect. With the",
        "  95 % bootstrap interval by group. *Constant forecast* is the score of a head that gives",
        "  the frequencies of the classes that occur, whatever the cell.",
        "- ECE: expected calibration error, the mean distance of confidence and share right over",
        "  bins of equal count. In parentheses: what as many cells have by chance alone.",
        "",
        *table(headings, rows),
    ]


def _brier(one: Reliability | None) -> str:
    if one is None:
        return "–"
    low, high = one.interval
    return f"{one.brier:.2f}" + f" [{low:.2f}, {high:.2f}]" * bool(np.isfinite(low))


def _calibration_error(one: Reliability | None) -> str:
    return "–" if one is None else f"{one.ece:.2f} ({one.chance_ece:.2f})"


def counts(found: Discovery) -> str:
    """Number of cells of each class: ``420 Interphase, 74 Metaphase``."""
    numbers = next(iter(found.heads.values())).quality.confusion.sum(1)
    return ", ".join(f"{n} {name}" for n, name in zip(numbers, found.classes, strict=True))


def formulas_of(named: NamedHead, model: CellModel) -> list[str]:
    """Formulas of a head to read, latents by name; none if it is of another kind."""
    if not isinstance(named.head, FormulaHead):
        return []
    return [formula.show(aliases=model.aliases) for formula in named.head.formulas]


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = [f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"]
    return [*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)]


def _check_encoder(model: CellModel, found: Discovery) -> None:
    if found.encoder_sha256 and found.encoder_sha256 != model.encoder_sha256:
        raise InvalidInput(
            f"These heads were trained on the latents of another encoder than that of "
            f"'{model.name}'; train them again with it."
        )
