"""Model cards of discovered heads."""

from __future__ import annotations

from napari_interpdisc.discovery.quality import Quality
from napari_interpdisc.discovery.results import Discovery, FrontRow
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import (
    CellModel,
    NamedHead,
)
from napari_interpdisc.models.formula import FormulaHead
from napari_interpdisc.models.store import replace_heads


def discovered_model(
    model: CellModel, found: Discovery, name: str, formula: FrontRow | None = None
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

    Raises
    ------
    InvalidInput
        If the heads belong to another encoder.
    """
    if found.encoder_sha256 and found.encoder_sha256 != model.encoder_sha256:
        raise InvalidInput(
            f"These heads were trained on the latents of another encoder than that of "
            f"'{model.name}'; train them again with it."
        )
    heads: dict[str, NamedHead] = {}
    for kind, fitted in found.heads.items():
        head, quality = fitted.head, fitted.quality
        if kind == "formula" and formula is not None:
            head, quality = formula.head, formula.quality
        heads[kind] = NamedHead(kind, head, found.classes, summary(quality, found))
    return replace_heads(model, name, heads, card(name, model, found, heads))


def summary(quality: Quality, found: Discovery) -> str:
    """One line on how far a head can be trusted."""
    low, high = quality.interval
    return (
        f"balanced accuracy {quality.balanced_accuracy:.3f} [{low:.3f}, {high:.3f}] on held-out "
        f"groups; {found.cells} cells, {found.groups} groups, {found.folds} folds"
    )


def card(name: str, model: CellModel, found: Discovery, heads: dict[str, NamedHead]) -> str:
    """Model card, Markdown: data, split, quality and limits of the heads."""
    counts = next(iter(found.heads.values())).quality.confusion.sum(1)
    told = ", ".join(f"{n} {c}" for n, c in zip(counts, found.classes, strict=True))
    lines = [
        f"# {name}",
        "",
        f"Heads trained on {found.cells} annotated cells ({told}) of {found.groups} groups, on the "
        f"latents of the encoder of '{model.name}' (SHA-256 {model.encoder_sha256[:16]}).",
        f"Balanced accuracy is on groups held out of {found.folds} folds, pooled, with a 95 % "
        "bootstrap interval over groups. The stored heads were fitted on all cells.",
        "",
        "| head | weights | expression size | balanced accuracy |",
        "|---|---|---|---|",
    ]
    for named in heads.values():
        head = named.head
        lines.append(
            f"| {named.name} | {head.n_weights} | {head.expression_size} | {named.summary} |"
        )
    if "formula" in heads:
        formulas = heads["formula"].head
        assert isinstance(formulas, FormulaHead)
        texts = [formula.show(aliases=model.aliases) for formula in formulas.formulas]
        lines += ["", f"Formula ({found.engine}): {'; '.join(texts)}"]
    return "\n".join(lines) + "\n"
