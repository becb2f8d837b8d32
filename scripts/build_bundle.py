"""Make the bundled model folder from a training run.

``python scripts/build_bundle.py --run RUN --evaluation evaluation.json --out FOLDER``: fits the
shipped head on all labelled cells, measures how much each latent matters, and writes the model
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

from evaluate_heads import TASKS, VIEWS, labelled_crops, latent_views
from napari_interpdisc.crops import CROP_SIZE, MODEL_DIAMETER
from napari_interpdisc.models.classifier import Classifier, NamedHead
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


def card(run: Path, evaluation: dict[str, dict[str, tuple[float, float]]]) -> str:
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

`dense`: 32→16→16→16→1, swish, 1040 weights, Interphase (score < 0) or Metaphase (score ≥ 0), fitted
on all `Interphase` and `Metaphase` cells of MitoCheck (420 and 74) in {VIEWS} augmented views each,
seed 0.

The figures below are for heads fitted on four fifths of the plates and tested on the rest
(`python scripts/evaluate_heads.py`): mean ± standard deviation over five seeds, each with its own
folds. The encoder had seen the test plates' pixels, without labels.

{evaluation_note(evaluation)}

## Limits

- One head, two classes: prometaphase, anaphase and apoptotic cells are forced into one of them.
- HeLa dominates the labelled data; other cell lines were only seen without labels.
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
    _, labels, _ = labelled_crops()
    keep = np.isin(labels, ("Interphase", "Metaphase"))
    y = (labels[keep] == "Metaphase").astype(np.int64)
    head = train_dense_head(latent_views(encoder, keep, VIEWS), y, 2, HeadTraining(seed=0))
    evaluation = json.loads(args.evaluation.read_text("utf-8")) if args.evaluation else {}
    summary = "dense 32→16→16→16→1, 1040 weights, trained on MitoCheck"
    for task, methods in evaluation.items():
        if task == next(iter(TASKS)):
            mean, sd = next(iter(methods.values()))
            summary += f"; balanced accuracy {mean:.3f} ± {sd:.3f} by plate, 5 seeds"
    kl, sd = latent_statistics(encoder)
    model = Classifier(
        name=DEFAULT_MODEL,
        sha256="",
        encoder=encoder,
        heads={"dense": NamedHead("dense", head, ("Interphase", "Metaphase"), summary)},
        model_diameter=MODEL_DIAMETER,
        latent_kl=kl,
        latent_sd=sd,
        card=card(args.run, evaluation),
        device=torch.device("cpu"),
    )
    if args.out.exists():
        shutil.rmtree(args.out)
    save_model(model, args.out)
    print("wrote", args.out)


if __name__ == "__main__":
    main()
