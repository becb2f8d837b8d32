"""The model card of a trained encoder."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.training.encoder.report import (
    FineTuneReport,
)
from napari_interpdisc.training.encoder.settings import PatchSource


def best_line(lines: Sequence[dict[str, float]]) -> dict[str, float]:
    """Line with the lowest loss on held-out crops."""
    return min(
        (row for row in lines if not math.isnan(row["held_out_loss"])),
        key=lambda row: row["held_out_loss"],
    )


def encoder_card(
    model: CellModel,
    record: dict[str, Any],
    rows: Sequence[dict[str, float]],
    parts: tuple[Sequence[PatchSource], Sequence[PatchSource]],
    command: str,
    report: FineTuneReport | None,
) -> str:
    """Write the model card, Markdown."""
    measured = [row for row in rows if not math.isnan(row["held_out_loss"])]
    best = best_line(rows)
    picked = sorted({round(i) - 1 for i in np.geomspace(1, len(measured), 12)})
    shown = [measured[i] for i in picked]
    if best not in shown:
        shown = sorted([*shown, best], key=lambda row: row["step"])
    curve = "\n".join(
        f"| {row['step']} | {row['reconstruction']:.1f} | {row['kl']:.1f} "
        f"| {row['total_correlation']:.2f} | {row['active_latents']} "
        f"| {row['held_out_loss']:.1f} | {row['held_out_reconstruction']:.1f} "
        f"| {row['held_out_kl']:.1f} | {row['held_out_total_correlation']:.2f} |"
        for row in shown
    )
    data = "\n".join(
        f"- `{source['name']}`: {source['cells']} cells (groups: {source['groups']}), "
        f"{len(train.patches)} to train on, {len(tested.patches)} held out; "
        f"SHA-256 of the patches {source['sha256']}"
        for source, train, tested in zip(record["sources"], *parts, strict=True)
    )
    text = json.dumps(record["settings"], ensure_ascii=False)
    told = "" if report is None else "\n" + report.markdown().replace("# Fine", "## Fine", 1)
    size = model.crop_size
    return f"""# {model.name}: β-TCVAE, {size}×{size} px, {model.n_latents} latents

An encoder without heads: train some with `interpdisc train --model` and this folder. Typical nuclei
are {model.model_diameter:g} px in its crops. Started from: {record["start"]}.

```
{command or "run_training(...)"}
```

## Data

{data}

## Training

Settings: `{text}` (SHA-256 {hashlib.sha256(text.encode()).hexdigest()[:16]})

{rows[-1]["step"]} steps in {rows[-1]["seconds"] / 60:.1f} min; the weights are those of step
{best["step"]}, whose loss on held-out crops was the lowest.

All in nats per crop; TC by stratified sampling; active latents are those with KL > 0.1.

| step | reconstruction | KL | TC | active | held out: loss | reconstruction | KL | TC |
|---|---|---|---|---|---|---|---|---|
{curve}
{told}
## Limits

- Whether its latents separate classes is not known before a head was trained and tested.
- It knows nuclei like those above, at about the diameter that was given.
"""
