"""Whether the names of a model's latents hold on cells of other laboratories.

``python experiments/names_abroad.py --data ../shared/data`` measures each named latent of the cell
on cells of every source of ``experiments/bundle/sources.toml``: its rank correlation |ρ| with the
property that it is named after, or r² of the two properties, fitted anew on the cells of that
source and judged on held-out groups. The first column is of the cells that the names come from.
Writes ``names.md``.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from bundle import WHOLE
from flags import sources_of
from napari_interpdisc import load_model
from napari_interpdisc.crops import normalise
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.properties import FAMILIES, PROPERTIES
from napari_interpdisc.patches import middle
from napari_interpdisc.scrutiny.naming import LatentStudy, study_latents, title_of
from napari_interpdisc.scrutiny.properties import measure_crops
from napari_interpdisc.scrutiny.rotation import RotatingPair, find_rotating_pairs
from napari_interpdisc.scrutiny.two_properties import functions_of_two
from other_movies import DATA, mitocheck

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "cell_encoder"
CELLS = 1000
"""Cells of a source, drawn with seed 0."""


def held(
    study: LatentStudy, latent: int, pairs: dict[int, RotatingPair], z: np.ndarray,
    properties: dict[str, np.ndarray], group: np.ndarray,
) -> tuple[str, str, float]:  # fmt: skip
    """What a latent is named after, the measure, and how well that holds on some cells."""
    if latent in study.named_after_two:
        own = study.functions[latent]
        pair = pairs.get(latent)
        first = FAMILIES[own.order][own.first] if own.order else (own.first,)
        some = {name: properties[name] for name in (*first, own.second)}
        found = functions_of_two(z, some, group, [pair] if pair else [])
        return (
            f"{own.first if own.order else title_of(own.first)}, {title_of(own.second)}",
            "r²",
            (found[latent].r2 if latent in found else np.nan),
        )
    plain = re.sub(r"_\d+$", "", study.meanings[latent].name)
    name = next(name for name, own in PROPERTIES.items() if own.latent == plain)
    known = np.isfinite(properties[name])
    return (
        title_of(name),
        "|ρ|",
        abs(float(spearmanr(z[known, latent], properties[name][known])[0])),
    )


def main() -> None:
    """Name the latents, and measure the names on every source."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="h2b")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model: CellModel = load_model(args.model, device="cpu")
    home = mitocheck(args.data, list(WHOLE))
    rotating = find_rotating_pairs(model, home.patches.pixels)
    crops = home.patches.crops(model.crop_size)
    study = study_latents(model.encode(crops)[0], measure_crops(crops), home.groups, rotating)
    pairs = {i: pair for pair in rotating for i in (pair.a, pair.b)}
    places = {"MitoCheck, whole nuclei": (crops, home.groups)}
    for source in sources_of(args.data):
        rows = np.sort(np.random.default_rng(0).permutation(len(source.patches))[:CELLS])
        pixels = np.asarray(source.patches[rows], np.float32)
        seen = normalise(middle(pixels, model.crop_size))[:, None]
        places[source.name] = seen, np.asarray(source.group)[rows]
    named = [i for i in range(model.n_cell_latents) if study.meanings[i].name]
    table: dict[int, list[str]] = {}
    head = []
    for place, (some, group) in places.items():
        properties = measure_crops(some)
        z = model.encode(some)[0]
        head.append(f"{place} ({int(np.isfinite(properties['area']).sum())})")
        for i in named:
            after, measure, value = held(study, i, pairs, z, properties, group)
            row = table.setdefault(i, [f"z{i} `{study.meanings[i].name}`", after, measure])
            row.append(f"{value:.2f}")
    lines = ["| latent | named after | | " + " | ".join(head) + " |"]
    lines += ["|---" * (3 + len(head)) + "|", *(f"| {' | '.join(row)} |" for row in table.values())]
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "names.md").write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
