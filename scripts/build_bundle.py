"""Make the bundled model folder from a training run.

``python scripts/build_bundle.py --run RUN --evaluation evaluation.json --out FOLDER``: fits the
shipped heads on all labelled cells, measures how much each latent matters, and writes the model
folder with its card. ``--evaluation`` is what ``evaluate_heads.py --out`` wrote.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from sklearn.model_selection import StratifiedGroupKFold

from evaluate_heads import INTERPHASE_SHAPES, VIEWS, labelled_crops, latent_views
from napari_interpdisc.crops import CROP_SIZE, MODEL_DIAMETER, normalise
from napari_interpdisc.models.classifier import Classifier, NamedHead
from napari_interpdisc.models.heads import DenseHead
from napari_interpdisc.models.store import DEFAULT_MODEL, save_model
from napari_interpdisc.models.tcvae import TCVAE
from napari_interpdisc.training.augment import Augmentation, random_views
from napari_interpdisc.training.heads import HeadTraining, train_dense_head
from napari_interpdisc.training.loss import kl_per_latent
from nuclei_patches import all_sources

DATA = Path(__file__).parents[2] / "shared" / "data"


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


HEADS = {"dense": INTERPHASE_SHAPES, "dense-plain": ("Interphase",)}
"""Shipped heads, the default first, and what they count as interphase."""


def held_out_logits(
    encoder: TCVAE, negative: tuple[str, ...], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Logits of all interphase-shaped and metaphase cells from heads that never saw their plate.

    Heads are fitted on ``negative`` and Metaphase cells of four fifths of the plates, in turn.
    """
    crops, labels, plates = labelled_crops()
    keep = np.isin(labels, (*INTERPHASE_SHAPES, "Metaphase"))
    labels, plates = labels[keep], plates[keep]
    y = (labels == "Metaphase").astype(np.int64)
    with torch.inference_mode():
        z = encoder.encode(torch.from_numpy(normalise(crops[keep]))[:, None])[0]
    views = latent_views(encoder, keep, VIEWS)
    logits = np.zeros(len(y))
    for train, test in StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(y, y, plates):
        rows = train[np.isin(labels[train], (*negative, "Metaphase"))]
        head = train_dense_head(views[:, rows], y[rows], 2, HeadTraining(seed=seed))
        with torch.inference_mode():
            logits[test] = head(z[test])[:, 0].numpy()
    return logits, labels


def temperature(logits: np.ndarray, y: np.ndarray) -> float:
    """Divisor of held-out logits that minimises their class-balanced logistic loss."""
    signed = np.where(y == 1, logits, -logits)
    weight = np.where(y == 1, 0.5 / (y == 1).sum(), 0.5 / (y == 0).sum())
    grid = np.geomspace(0.5, 200, 400)
    loss = [(weight * np.logaddexp(0, -signed / t)).sum() for t in grid]
    return float(grid[int(np.argmin(loss))])


def held_out_report(encoder: TCVAE, seeds: int = 5) -> tuple[str, dict[str, float]]:
    """Table of held-out behaviour of the shipped heads (Markdown), and their temperatures."""
    lines = [
        "| head | interphase in training | balanced accuracy, Interphase vs Metaphase | "
        "called metaphase: Interphase | Elongated | other interphase shapes | temperature |",
        "|---|---|---|---|---|---|---|",
    ]
    temperatures = {}
    for name, negative in HEADS.items():
        accuracy, wrong, found = [], [], []
        for seed in range(seeds):
            logits, labels = held_out_logits(encoder, negative, seed)
            called = logits >= 0
            rates = [called[labels == n].mean() for n in ("Metaphase", "Interphase", "Elongated")]
            rest = np.isin(labels, [s for s in INTERPHASE_SHAPES[1:] if s != "Elongated"])
            accuracy.append((rates[0] + 1 - rates[1]) / 2)
            wrong.append([rates[1], rates[2], called[rest].mean()])
            plain = np.isin(labels, (*negative, "Metaphase"))
            found.append(temperature(logits[plain], (labels[plain] == "Metaphase").astype(int)))
        temperatures[name] = float(np.mean(found))
        mean, sd = np.mean(wrong, 0), np.std(wrong, 0, ddof=1)
        cells = " | ".join(f"{m:.3f} ± {s:.3f}" for m, s in zip(mean, sd, strict=True))
        lines.append(
            f"| `{name}` | {', '.join(negative)} | {np.mean(accuracy):.3f} ± "
            f"{np.std(accuracy, ddof=1):.3f} | {cells} | {temperatures[name]:.1f} |"
        )
        print(lines[-1], flush=True)
    return "\n".join(lines), temperatures


def fitted_head(encoder: TCVAE, negative: tuple[str, ...], divisor: float) -> DenseHead:
    """Head fitted on all plates, its logits divided by ``divisor``."""
    _, labels, _ = labelled_crops()
    keep = np.isin(labels, (*negative, "Metaphase"))
    y = (labels[keep] == "Metaphase").astype(np.int64)
    head = train_dense_head(latent_views(encoder, keep, VIEWS), y, 2, HeadTraining(seed=0))
    with torch.no_grad():
        head.linears[-1].weight /= divisor
        head.linears[-1].bias /= divisor
    return head


def training_note(run: Path) -> str:
    """Command, sources and loss curve of the run, in Markdown."""
    training = json.loads((run / "training.json").read_text())
    rows = list(csv.DictReader((run / "log.csv").open()))
    picked = [rows[round(i)] for i in np.geomspace(1, len(rows), 10) - 1]
    curve = "\n".join(
        f"| {r['step']} | {float(r['reconstruction']):.1f} | {float(r['kl']):.1f} "
        f"| {float(r['total_correlation']):.1f} | {r['active_latents']} |"
        for r in picked
    )
    sources = "\n".join(
        f"- `{n}`: {s['patches']} patches (SHA-256 starts {s['sha256']})"
        for n, s in training["sources"].items()
    )
    return f"""```
{training["command"]}
```

{sources}

Settings: `{json.dumps(training["settings"])}`

Wall time {float(rows[-1]["seconds"]) / 60:.0f} min on two CPU cores, shared with other work.

| step | reconstruction (nats) | KL (nats) | TC, stratified (nats) | latents with KL > 0.1 |
|---|---|---|---|---|
{curve}
"""


def evaluation_note(evaluation: dict[str, dict[str, tuple[float, float]]]) -> str:
    """Balanced accuracies in Markdown."""
    lines = ["| task | method | balanced accuracy |", "|---|---|---|"]
    for task, methods in evaluation.items():
        lines += [f"| {task} | {m} | {v[0]:.3f} ± {v[1]:.3f} |" for m, v in methods.items()]
    return "\n".join(lines)


def card(run: Path, evaluation: dict[str, dict[str, tuple[float, float]]], held_out: str) -> str:
    """Write the model card, Markdown."""
    return f"""# {DEFAULT_MODEL}: β-TCVAE of H2B/DNA-labelled nuclei, 64×64 px, 32 latents

Crops of fluorescent nuclei (histone- or DNA-labelled) at a typical interphase diameter of
{MODEL_DIAMETER:g} px, each normalised by its own mean and standard deviation.

![reconstructions](reconstructions.png)
![traversals](traversals.png)
![loss curves](losses.png)

## Encoder

{training_note(run)}
Data: MitoCheck (WayScience/phenotypic_profiling, CC BY 4.0), Cell Tracking Challenge
Fluo-N2DL-HeLa training sequences and N2DH-GOWT1, Data Science Bowl 2018 (CC0),
NIH3T3 of Coelho 2009. Labels were used for one thing in the encoder's training: to draw rare
classes more often.

## Heads

Both are 32→16→16→16→1 with swish, 1040 weights: Interphase (score < 0) or Metaphase (score ≥ 0).
They differ in the interphase cells that they were fitted on. `dense-plain` knows MitoCheck's
`Interphase` cells only, and calls many elongated interphase nuclei metaphase; `dense`, the default,
was also shown interphase nuclei of other shapes, and misses a few more metaphases for it. Shipped
heads are fitted on all plates, in {VIEWS} augmented views of each cell, seed 0; their logits are
divided by a temperature that makes held-out confidences as large as they deserve.

On plates that the heads were not fitted on, mean ± standard deviation over five seeds, each with
its own five folds by plate (`python scripts/build_bundle.py`):

{held_out}

The dense head beside plain baselines on the same folds (`python scripts/evaluate_heads.py`):

{evaluation_note(evaluation)}

The encoder had seen the test plates' pixels, without labels.

## Limits

- Two classes: prometaphase, anaphase and apoptotic cells are forced into one of them.
- HeLa dominates the labelled data; other cell lines were only seen without labels.
- Nuclei that the border of the image cuts are often called metaphase, with high confidence.
- The diameter must be about right: the training varied it by ± 25 %.
- The table above is within one source of labels. How it travels to other microscopes is not
  measured here.
"""


def main() -> None:
    """Parse, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="instead of RUN/weights.safetensors")
    parser.add_argument("--evaluation", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    encoder = TCVAE().eval()
    encoder.load_state_dict(load_file(args.weights or args.run / "weights.safetensors"))
    evaluation = json.loads(args.evaluation.read_text("utf-8")) if args.evaluation else {}
    held_out, temperatures = held_out_report(encoder)
    heads = {}
    for (name, negative), line in zip(HEADS.items(), held_out.splitlines()[2:], strict=True):
        head = fitted_head(encoder, negative, temperatures[name])
        summary = (
            "dense, MitoCheck Metaphase against "
            + ("interphase of any shape" if len(negative) > 1 else "Interphase")
            + f", balanced accuracy {line.split('|')[3].strip()} by plate (Interphase vs Metaphase)"
        )
        heads[name] = NamedHead(name, head, ("Interphase", "Metaphase"), summary)
    kl, sd = latent_statistics(encoder)
    model = Classifier(
        name=DEFAULT_MODEL,
        sha256="",
        encoder=encoder,
        heads=heads,
        model_diameter=MODEL_DIAMETER,
        latent_kl=kl,
        latent_sd=sd,
        card=card(args.run, evaluation, held_out),
        device=torch.device("cpu"),
    )
    if args.out.exists():
        shutil.rmtree(args.out)
    save_model(model, args.out)
    print("wrote", args.out)


if __name__ == "__main__":
    main()
