"""``interpdisc models``: what is installed, and what is known of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from napari_interpdisc.cli.common import say

if TYPE_CHECKING:
    from napari_interpdisc.models.cell_model import CellModel, NamedHead


def models(
    long: Annotated[
        bool, typer.Option("--long", help="Tell what is known of each head, and where it is.")
    ] = False,
    model: Annotated[
        list[str] | None, typer.Option(metavar="NAME|DIR", help="Only this one; may be repeated.")
    ] = None,
) -> None:
    """List the installed models and their heads."""
    from napari_interpdisc.models.store import installed_models, load_model, resolve

    for name in model or installed_models():
        folder, loaded = resolve(name), load_model(name, device="cpu")
        heads = ", ".join(f"{h.name} ({' / '.join(h.classes)})" for h in loaded.heads.values())
        told = f"heads: {heads}" if heads else "no head yet (interpdisc train --model)"
        say(f"{loaded.name}  {loaded.sha256[:12]}  {loaded.n_latents} latents  {told}")
        if long:
            lines = [line for h in loaded.heads.values() for line in _about(h, loaded)]
            lines += _legend(loaded)
            lines += [f"nuclei {loaded.model_diameter:g} px in {loaded.crop_size} px crops"]
            say(*(f"  {line}" for line in lines), f"  {folder}")


def _about(named: NamedHead, model: CellModel) -> Iterator[str]:
    """What is known of a head, line by line."""
    from napari_interpdisc.models.formula import FormulaHead
    from napari_interpdisc.models.heads import SparseHead
    from napari_interpdisc.scrutiny.terms import rule_of, told_rule

    head = named.head
    used, aliases = head.used_latents, model.aliases
    properties = ", ".join(head.used_properties)
    between = ", " if any(i in aliases for i in used) else " "
    weights = "" if head.kind == "formula" else f"{head.n_weights} weights, "
    yield f"{named.name}: {named.summary}"
    yield (
        f"  {head.kind}; {weights}expression size {head.expression_size} "
        f"({head.size_without_biases} without biases); uses {len(used)} latents"
        + (": " + between.join(map(model.latent_label, used)) if head.kind != "dense" else "")
        + f" and measured {properties}" * bool(properties)
    )
    yield f"  {model.subject_of(named.name)}"
    if isinstance(head, FormulaHead) or len(head.properties):
        yield from (f"  {line}" for line in told_rule(named, model))
    elif isinstance(head, SparseHead):
        rule = rule_of(named, model)
        for k, name in enumerate(rule.scored):
            sign = " ≥ 0" if len(rule.terms) == 1 else ""
            yield f"  {name}: {rule.text(k)}{sign}"
        yield from (f"  {name} reads {', '.join(of)}" for name, of in rule.sub_networks.items())
    else:
        yield "  a dense network: there is no rule to read"


def _legend(model: CellModel) -> Iterator[str]:
    """What the latents that sparse heads and formulas use stand for, line by line."""
    heads = [named.head for named in model.heads.values() if named.head.kind != "dense"]
    used = sorted({i for head in heads for i in head.used_latents})
    if model.meanings and used:
        yield "latents, and why they are called so:"
        for i in used:
            yield f"  z{i} {model.latent_about(i)}"
    for a, b in model.orientation_pairs:
        if a in used or b in used:
            yield f"z{a}, z{b}: orientation; z{a}² + z{b}² is invariant as the cell rotates"
