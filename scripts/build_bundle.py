"""Make the bundled model folder from a training run.

``python scripts/build_bundle.py --run RUN [RUN ...] --out FOLDER``: fits the shipped heads on all
labelled cells, tests their like on plates held out, measures how much each latent matters, and
writes the model folder with its card.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from sklearn.model_selection import StratifiedGroupKFold

from napari_interpdisc.crops import CROP_SIZE, MODEL_DIAMETER, normalise
from napari_interpdisc.discovery.calibration import best_factor, cooled, scaled_formula
from napari_interpdisc.discovery.fit import SEARCH_VIEWS, most_used
from napari_interpdisc.models.classifier import Classifier, NamedHead
from napari_interpdisc.models.formula import FormulaHead
from napari_interpdisc.models.heads import Head
from napari_interpdisc.models.store import DEFAULT_MODEL, save_model
from napari_interpdisc.models.tcvae import TCVAE
from napari_interpdisc.symbolic.front import choose, formula_front
from napari_interpdisc.symbolic.settings import SearchSettings
from napari_interpdisc.training.augment import Augmentation, random_views
from napari_interpdisc.training.heads import HeadTraining, train_dense_head
from napari_interpdisc.training.loss import kl_per_latent
from napari_interpdisc.training.rigl import SparseTraining, train_sparse_heads
from nuclei_patches import all_sources, labelled_crops, mitocheck

DATA = Path(__file__).parents[2] / "shared" / "data"
VIEWS = 24
MAX_SIZE = 17
"""Nodes of the largest formula: 0.2 % of the dense head's."""

INTERPHASE_SHAPES = ("Interphase", "Elongated", "Large", "Binuclear", "Folded", "Polylobed")
"""MitoCheck's classes of nuclei that are in interphase, whatever their shape."""


@torch.inference_mode()
def latent_statistics(encoder: TCVAE, per_source: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Mean posterior KL and standard deviation of the means, per latent, over all sources."""
    generator = torch.Generator().manual_seed(0)
    draw = np.random.default_rng(0)
    means, log_variances = [], []
    for source in all_sources(DATA):
        rows = draw.choice(len(source.patches), per_source, p=source.weight / source.weight.sum())
        patches = torch.from_numpy(source.patches[rows]).float()[:, None] / 255
        fields = torch.full((per_source,), source.field)
        for p, f in zip(patches.split(500), fields.split(500), strict=True):
            mean, log_variance = encoder.encode(
                random_views(p, f, Augmentation(), CROP_SIZE, generator)
            )
            means.append(mean)
            log_variances.append(log_variance)
    mean, log_variance = torch.cat(means), torch.cat(log_variances)
    return kl_per_latent(mean, log_variance).numpy(), mean.std(0).numpy()


@dataclass(frozen=True)
class Recipe:
    """Kind of a shipped head, and the labels that it takes for interphase."""

    kind: str
    negative: tuple[str, ...]


HEADS = {
    "dense": Recipe("dense", INTERPHASE_SHAPES),
    "sparse": Recipe("sparse", INTERPHASE_SHAPES),
    "formula": Recipe("formula", INTERPHASE_SHAPES),
    "dense-plain": Recipe("dense", ("Interphase",)),
    "sparse-plain": Recipe("sparse", ("Interphase",)),
    "formula-plain": Recipe("formula", ("Interphase",)),
}
"""Shipped heads, the default first."""


@dataclass(frozen=True)
class LabelledNuclei:
    """Interphase nuclei of any shape and metaphases: latents, views of them, labels, plates."""

    latents: np.ndarray
    views: np.ndarray
    labels: np.ndarray
    plates: np.ndarray


@torch.inference_mode()
def labelled_nuclei(encoder: TCVAE) -> LabelledNuclei:
    """Encode MitoCheck's labelled crops, and augmented views of them."""
    known = np.load(DATA / "mitocheck_crops.npz", allow_pickle=False)["label"]
    keep = np.isin(known, (*INTERPHASE_SHAPES, "Metaphase"))
    crops, labels, plates = labelled_crops(DATA, keep)
    latents = encoder.encode(torch.from_numpy(normalise(crops))[:, None])[0].numpy()
    source = mitocheck(DATA, keep)
    patches = torch.from_numpy(source.patches).float()[:, None] / 255
    fields = torch.full((len(patches),), source.field)
    generator = torch.Generator().manual_seed(0)
    views = [
        encoder.encode(random_views(patches, fields, Augmentation(edge=0.2), CROP_SIZE, generator))[
            0
        ].numpy()
        for _ in range(VIEWS)
    ]
    return LabelledNuclei(latents, np.stack(views), labels, plates)


def fitted_head(recipe: Recipe, nuclei: LabelledNuclei, rows: np.ndarray, seed: int) -> Head:
    """Fit a head on those of ``rows`` that its recipe knows."""
    some = rows[np.isin(nuclei.labels[rows], (*recipe.negative, "Metaphase"))]
    y = (nuclei.labels[some] == "Metaphase").astype(np.int64)
    views = nuclei.views[:, some]
    if recipe.kind == "dense":
        return train_dense_head(views, y, 2, HeadTraining(seed=seed))
    heads = train_sparse_heads(views, y, 2, SparseTraining(seed=seed))
    if recipe.kind == "sparse":
        return heads[0]
    given = np.concatenate([nuclei.latents[None, some], views[:SEARCH_VIEWS]])
    use = most_used([head.used_latents for head in heads], 6)
    search = SearchSettings(engine="operon", max_size=MAX_SIZE, seed=seed)
    front = formula_front(given, y, use, search)
    formula = choose(front, 0.005).formula
    latents, target = given.reshape(-1, given.shape[-1]), np.tile(y, len(given))
    return FormulaHead([formula], [scaled_formula(formula, latents, target == 1)])


def held_out_logits(recipe: Recipe, nuclei: LabelledNuclei, seed: int) -> tuple[np.ndarray, list]:
    """Logits (N, 1) of all nuclei from heads that never saw their plate, and those heads."""
    y = (nuclei.labels == "Metaphase").astype(np.int64)
    logits, heads = np.zeros((len(y), 1)), []
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    for train, test in folds.split(y, y, nuclei.plates):
        heads.append(fitted_head(recipe, nuclei, train, seed))
        with torch.inference_mode():
            logits[test] = heads[-1](torch.from_numpy(nuclei.latents[test])).numpy()
    return logits, heads


@dataclass
class Report:
    """What is known of each shipped head: lines of the card, summaries, factors of the logits."""

    lines: list[str]
    summaries: dict[str, str]
    factors: dict[str, float]


def held_out_report(nuclei: LabelledNuclei, seeds: int) -> Report:
    """Fit every head without a fifth of the plates, in turn, and see how it does there."""
    report = Report(
        [
            "| head | interphase in training | weights | expression size "
            "| balanced accuracy, Interphase vs Metaphase "
            "| called metaphase: Interphase | Elongated | other interphase shapes | factor |",
            "|---|---|---|---|---|---|---|---|---|",
        ],
        {},
        {},
    )
    labels = nuclei.labels
    rest = np.isin(labels, [s for s in INTERPHASE_SHAPES[1:] if s != "Elongated"])
    for name, recipe in HEADS.items():
        accuracy, wrong, factors, weights, sizes = [], [], [], [], []
        for seed in range(seeds):
            logits, heads = held_out_logits(recipe, nuclei, seed)
            called = logits[:, 0] >= 0
            rates = [called[labels == n].mean() for n in ("Metaphase", "Interphase", "Elongated")]
            accuracy.append((rates[0] + 1 - rates[1]) / 2)
            wrong.append([rates[1], rates[2], called[rest].mean()])
            plain = np.isin(labels, (*recipe.negative, "Metaphase"))
            target = (labels[plain] == "Metaphase").astype(np.int64)
            factors.append(best_factor(logits[plain], target))
            weights += [head.n_weights for head in heads]
            sizes += [head.expression_size for head in heads]
        report.factors[name] = float(np.exp(np.mean(np.log(factors))))
        told = f"{np.mean(accuracy):.3f} ± {np.std(accuracy, ddof=1):.3f}"
        mean, sd = np.mean(wrong, 0), np.std(wrong, 0, ddof=1)
        cells = " | ".join(f"{m:.3f} ± {s:.3f}" for m, s in zip(mean, sd, strict=True))
        shape = "of any shape" if len(recipe.negative) > 1 else "`Interphase` alone"
        told_shape = "interphase of any shape" if len(recipe.negative) > 1 else "Interphase alone"
        count = "–" if recipe.kind == "formula" else f"{np.mean(weights):.0f}"
        report.lines.append(
            f"| `{name}` | {shape} | {count} | {np.mean(sizes):.0f} ± {np.std(sizes):.0f} "
            f"| {told} | {cells} | {report.factors[name]:.2g} |"
        )
        report.summaries[name] = (
            f"{recipe.kind}, MitoCheck Metaphase against {told_shape}; "
            f"balanced accuracy {told} by plate, {seeds} seeds (Interphase vs Metaphase)"
        )
        print(report.lines[-1], flush=True)
    return report


def training_note(run: Path, stage: int) -> str:
    """Command, sources and loss curve of one stage of the training, in Markdown."""
    training = json.loads((run / "training.json").read_text())
    rows = list(csv.DictReader((run / "log.csv").open()))
    picked = [rows[i] for i in sorted({round(i) - 1 for i in np.geomspace(1, len(rows), 10)})]
    curve = "\n".join(
        f"| {r['step']} | {float(r['reconstruction']):.1f} | {float(r['kl']):.1f} "
        f"| {float(r['total_correlation']):.1f} | {r['active_latents']} |"
        for r in picked
    )
    sources = "\n".join(
        f"- `{n}`: {s['patches']} patches (SHA-256 starts {s['sha256']})"
        for n, s in training["sources"].items()
    )
    start = f" --start STAGE_{stage - 1}/weights.safetensors" if stage > 1 else ""
    return f"""```
{training["command"]}{start}
```

{sources}

Settings: `{json.dumps(training["settings"])}`

Wall time {float(rows[-1]["seconds"]) / 60:.0f} min on CPU cores shared with other work.

| step | reconstruction (nats) | KL (nats) | TC, stratified (nats) | latents with KL > 0.1 |
|---|---|---|---|---|
{curve}
"""


def card(runs: list[Path], held_out: str, formulas: str, seeds: int) -> str:
    """Write the model card, Markdown."""
    stages = "\n".join(
        f"### Stage {n}\n\n{training_note(run, n)}" for n, run in enumerate(runs, start=1)
    )
    return f"""# {DEFAULT_MODEL}: β-TCVAE of H2B/DNA-labelled nuclei, 64×64 px, 32 latents

Crops of fluorescent nuclei (histone- or DNA-labelled) at a typical interphase diameter of
{MODEL_DIAMETER:g} px, each normalised by its own mean and standard deviation.

![reconstructions](reconstructions.png)
![traversals](traversals.png)
![loss curves](losses.png)

## Encoder

{stages}
Data: MitoCheck (WayScience/phenotypic_profiling, CC BY 4.0), Cell Tracking Challenge
Fluo-N2DL-HeLa training sequences and N2DH-GOWT1, Data Science Bowl 2018 (CC0),
NIH3T3 of Coelho 2009. Labels were used for one thing in the encoder's training: to draw rare
classes more often.

## Heads

All tell Interphase (score < 0) from Metaphase (score ≥ 0). Dense heads are 32→16→16→16→1 with
swish; sparse heads kept few of these weights (RigL); formulas were found by Operon on latents that
sparse heads use. Metaphase is:

{formulas}

The `-plain` heads know MitoCheck's `Interphase` cells only: they are the heads of the paper's
question, and call many elongated interphase nuclei metaphase. The others were also shown interphase
nuclei of other shapes: fewer false calls for the dense head, and a question that so short rules
answer less well. Shipped heads are fitted on
all plates, in {VIEWS} augmented views of each cell ({SEARCH_VIEWS} for the formula), seed 0; their
logits are multiplied by a factor that makes held-out confidences as large as they deserve.

On plates that the heads were not fitted on, mean ± standard deviation over {seeds} seeds, each with
its own five folds by plate (`python scripts/build_bundle.py`); weights and size are means over
those heads:

{held_out}

The encoder had seen the test plates' pixels, without labels. Plain baselines on the same cells are
in Table 1 of the documentation.

## Limits

- Two classes: prometaphase, anaphase and apoptotic cells are forced into one of them.
- HeLa dominates the labelled data; other cell lines were only seen without labels.
- Nuclei that the border of the image cuts are often called metaphase, with high confidence.
- The diameter must be about right: the training varied it by ± 25 %.
- The table above is within one source of labels. How it travels to other microscopes is not
  measured here.
- One encoder and one seed of it: the spreads are over heads and folds. That interphase of any shape
  is shown to the heads, that views hang over the edge, and the weight of the crop's rim were chosen
  after looking at results on these cells: the figures are somewhat optimistic.
- The demo's movie (Fluo-N2DL-HeLa 02) and sequence 01 of the tests were in the encoder's training.
- Whether confidences are right is not measured on cells that their factor was not fitted to.
"""


def main() -> None:
    """Parse, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--run", type=Path, nargs="+", required=True, help="stages of training, in order"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    encoder = TCVAE().eval()
    encoder.load_state_dict(load_file(args.run[-1] / "weights.safetensors"))
    nuclei = labelled_nuclei(encoder)
    report = held_out_report(nuclei, args.seeds)
    everything = np.arange(len(nuclei.labels))
    heads = {}
    for name, recipe in HEADS.items():
        head = cooled(fitted_head(recipe, nuclei, everything, 0), report.factors[name])
        classes = ("Interphase", "Metaphase")
        heads[name] = NamedHead(name, head, classes, report.summaries[name])
    kl, sd = latent_statistics(encoder)
    formulas = "\n".join(
        f"    {name}:  {named.head.formulas[0]} ≥ 0"
        for name, named in heads.items()
        if isinstance(named.head, FormulaHead)
    )
    model = Classifier(
        name=DEFAULT_MODEL,
        sha256="",
        encoder=encoder,
        heads=heads,
        model_diameter=MODEL_DIAMETER,
        latent_kl=kl,
        latent_sd=sd,
        card=card(args.run, "\n".join(report.lines), formulas, args.seeds),
        device=torch.device("cpu"),
    )
    if args.out.exists():
        shutil.rmtree(args.out)
    save_model(model, args.out)
    print("wrote", args.out)


if __name__ == "__main__":
    main()
