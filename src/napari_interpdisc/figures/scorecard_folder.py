"""The folder of a scorecard: tables, sentences and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_interpdisc._types import Float32Array, Progress, silent
from napari_interpdisc.figures.scorecard import draw_scorecard, draw_worst
from napari_interpdisc.io.results import new_folder, safe_name, write_table
from napari_interpdisc.scrutiny.scorecard import Scorecard, markdown


def write_scorecard(
    out: Path,
    cards: Sequence[Scorecard],
    crops: Float32Array,
    note: Mapping[str, Any],
    progress: Progress = silent,
    names: Sequence[str] | None = None,
) -> Path:
    """Write tables, sentences and pictures of scorecards into a new folder.

    Parameters
    ----------
    out
        The folder; it must not exist or be empty. It is whole or not there.
    cards
        Scorecards of the same n cells, one for each head.
    crops
        (n, 1, S, S) crops of these cells, as they are.
    note
        Source, model and settings, which ``scorecard.json`` keeps.
    progress
        Called with (files written, files in all); it may raise to cancel.
    names
        (n,) what to call the cells, such as ``track 12, t 3``; their numbers if left out.

    Raises
    ------
    InvalidInput
        If something is there already, or the disk is full or may not be written to.
    """
    import pandas as pd

    n = 3 + len(cards)
    with new_folder(out) as folder:
        table = pd.concat([card.to_frame(names) for card in cards], ignore_index=True)
        told = {card.head: card.sentences() for card in cards}
        about = {**note, "sentences": told, **_shares(cards)}
        write_table(table, about, folder / "scorecard.csv")
        progress(1, n)
        (folder / "scorecard.md").write_text(markdown(cards), "utf-8")
        progress(2, n)
        draw_scorecard(folder / "scorecard.png", cards)
        progress(3, n)
        for k, card in enumerate(cards):
            draw_worst(folder / f"worst-{safe_name(card.head)}.png", card, crops, names)
            progress(4 + k, n)
    return out


def _shares(cards: Sequence[Scorecard]) -> dict[str, Any]:
    """How much of each latent's variance surroundings make, and whose latent it is."""
    for card in cards:
        if card.shortcut is not None:
            share = [round(float(value), 3) for value in card.shortcut.share]
            return {
                "surroundings_share": share,
                "latents_of_surroundings": card.shortcut.surroundings,
                "latents_of_cell": card.shortcut.cell,
            }
    return {}
