"""VAE, β-VAE and β-TCVAE on simulated crops with known factors.

``python experiments/beta_sweep.py``

Trains every model of :data:`MODELS` with one net, one data set, as many steps and the same random
numbers, and measures reconstruction, KL, total correlation, MIG, SAP and DCI on crops held out.
Writes weights and one JSON per model into ``--runs`` (what is there is not done again; a
stopped training goes on at its last checkpoint), then ``beta_sweep.csv``, ``.md`` and ``.png`` into
``--docs``. ``--only-report`` writes these from the JSONs that there are.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from safetensors.torch import load_file, save_file

from napari_interpdisc.crops import CLIP, normalise
from napari_interpdisc.models.posterior import kl_per_latent, posterior_sample
from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig
from napari_interpdisc.scrutiny.disentanglement import measure_disentanglement, regression_r2
from napari_interpdisc.simulate.crops import FACTORS, CropSimulation, simulate_crops
from napari_interpdisc.training.augment import Augmentation
from napari_interpdisc.training.encoder.loop import fit_tcvae
from napari_interpdisc.training.encoder.settings import ACTIVE_KL, EncoderTraining, PatchSource
from napari_interpdisc.training.loss import total_correlation_stratified

PLAIN, EQUIVARIANT = TCVAEConfig(), TCVAEConfig.equivariant()
MODELS = {
    "VAE": ("beta-vae", 1.0, PLAIN),
    "β-VAE, β = 2": ("beta-vae", 2.0, PLAIN),
    "β-VAE, β = 4": ("beta-vae", 4.0, PLAIN),
    "β-TCVAE, β = 2": ("tcvae", 2.0, PLAIN),
    "β-TCVAE, β = 4": ("tcvae", 4.0, PLAIN),
    "β-TCVAE, β = 8": ("tcvae", 8.0, PLAIN),
    "equivariant, β = 1": ("tcvae", 1.0, EQUIVARIANT),
    "equivariant, β = 2": ("tcvae", 2.0, EQUIVARIANT),
    "equivariant, β = 4": ("tcvae", 4.0, EQUIVARIANT),
}
"""Objective, β and network; *equivariant* is the bundled network, with the same convolutions."""
RESULTS = Path(__file__).parents[1] / "docs" / "results" / "beta_sweep"
TRAIN_SEED, TEST_SEED = 1, 2

MEASURES = {
    "reconstruction": ("reconstruction", 1),
    "kl": ("KL", 1),
    "total_correlation": ("TC", 1),
    "active_latents": ("active", 1),
    "mig": ("MIG", 3),
    "sap": ("SAP", 3),
    "disentanglement": ("D", 3),
    "completeness": ("C", 3),
    "informativeness": ("I", 3),
    "linear": ("R² linear", 3),
    "quadratic": ("R² quadratic", 3),
}
WORDS = {
    "orientation_cos": "orientation, cos 2θ",
    "orientation_sin": "orientation, sin 2θ",
    "grain": "texture (grain)",
    "offset_y": "offset, y",
    "offset_x": "offset, x",
    "neighbour_distance": "neighbour distance",
}
COLOURS = {
    "VAE": "#000000",
    "β-VAE": "#E69F00",
    "β-TCVAE": "#0072B2",
    "equivariant": "#009E73",
}  # Okabe & Ito
SHAPES = {"VAE": "D", "β-VAE": "s", "β-TCVAE": "o", "equivariant": "^"}


def settings_of(name: str, seed: int, args: argparse.Namespace) -> EncoderTraining:
    """Settings of one training: only objective, β, network and seed differ between models."""
    objective, beta, network = MODELS[name]
    return EncoderTraining.model_validate(
        {
            "objective": objective,
            "beta": beta,
            "network": network,
            "steps": args.steps,
            "batch": args.batch,
            "warm_up": min(200, args.steps),
            "seed": seed,
            "denoise": False,
            "precision": args.precision,
            "checkpoint_every": 250,
            # the eight orientations of a square remain; no factor is varied but orientation
            "augmentation": Augmentation(diameter=0, shift=0, blur=0, gamma=0, noise=0),
        }
    )


def measure(model: TCVAE, patches: np.ndarray, factors: dict[str, np.ndarray]) -> dict[str, Any]:
    """Everything that is reported of one model, from held-out crops as they are."""
    shown = torch.from_numpy(normalise(patches.astype(np.float32)))[:, None]
    drawn = torch.Generator().manual_seed(0)
    means, logs, errors, correlations = [], [], [], []
    with torch.no_grad():
        for some in shown.split(512):
            mean, log_variance = model.encode(some)
            z = posterior_sample(mean, log_variance, drawn)
            errors.append(0.5 * (model.decode(z) - some).square().sum((1, 2, 3)))
            if len(some) == 512:
                correlations.append(
                    total_correlation_stratified(z, mean, log_variance, len(shown)).item()
                )
            means.append(mean)
            logs.append(log_variance)
    kl = kl_per_latent(torch.cat(means), torch.cat(logs))
    active = (kl > ACTIVE_KL).numpy()
    result: dict[str, Any] = {
        "reconstruction": torch.cat(errors).mean().item(),
        "kl": kl.sum().item(),
        "total_correlation": float(np.mean(correlations)),
        "active_latents": int(active.sum()),
    }
    known = np.column_stack([factors[name] for name in FACTORS])
    latents = torch.cat(means).numpy()[:, active]
    scores = measure_disentanglement(latents, known)
    for key in ("mig", "sap", "disentanglement", "completeness", "informativeness"):
        result[key] = getattr(scores, key)
    for key in ("mig", "sap", "completeness", "informativeness"):
        values = getattr(scores, f"{key}_per_factor")
        result |= {f"{key}_{n}": float(v) for n, v in zip(FACTORS, values, strict=True)}
    for key, degree in (("linear", 1), ("quadratic", 2)):
        explained = regression_r2(latents, known, degree)
        result[key] = float(explained.mean())
        result |= {f"{key}_{n}": float(v) for n, v in zip(FACTORS, explained, strict=True)}
    return result


def run(name: str, seed: int, args: argparse.Namespace, data: tuple[Any, ...]) -> None:
    """Train and measure one model, unless its JSON is there."""
    settings = settings_of(name, seed, args)
    kind = "equivariant" if settings.network.rotating else settings.objective
    stem = args.runs / f"{kind}-{settings.beta:g}-{seed}"
    made_with = settings.model_dump(mode="json")
    made_with |= {"train": args.train, "test": args.test, "clip": CLIP}
    done = stem.with_suffix(".json")
    if done.exists():
        if json.loads(done.read_text("utf-8"))["settings"] != made_with:
            raise SystemExit(f"{done} was made with other settings: give another --runs")
        return
    train, test, factors = data
    weights = stem.with_suffix(".safetensors")
    if weights.exists():
        model = TCVAE(settings.network)
        model.load_state_dict(load_file(weights))
        model.eval()
    else:
        source = PatchSource("simulated", train, float(train.shape[-1]), np.ones(len(train)))
        model = fit_tcvae(
            [source],
            settings,
            lambda row: print(name, seed, {k: round(v, 2) for k, v in row.items()}, flush=True),
            stem.with_suffix(".checkpoint"),
        )
        save_file(model.state_dict(), weights)
    row = {"model": name, "seed": seed, **measure(model, test, factors), "settings": made_with}
    done.write_text(json.dumps(row, indent=1, ensure_ascii=False), "utf-8")
    print({k: row[k] for k in ("model", "seed", *MEASURES)}, flush=True)


def finished(runs: Path) -> list[dict[str, Any]]:
    """Rows of all models that are measured, in the order of :data:`MODELS`."""
    rows = [json.loads(p.read_text("utf-8")) for p in runs.glob("*.json")]
    return sorted(rows, key=lambda row: (list(MODELS).index(row["model"]), row["seed"]))


def write_tables(rows: list[dict[str, Any]], docs: Path) -> None:
    """Write ``beta_sweep.csv`` (a row per model and seed) and ``beta_sweep.md`` (mean ± sd)."""
    columns = [key for key in rows[0] if key != "settings"]
    with (docs / "beta_sweep.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()})
    names = [name for name in MODELS if any(row["model"] == name for row in rows)]
    seeds = {n: [row["seed"] for row in rows if row["model"] == n] for n in names}
    made = rows[0]["settings"]

    def cell(name: str, key: str, digits: int) -> str:
        values = [row[key] for row in rows if row["model"] == name]
        if len(values) == 1:
            return str(values[0]) if isinstance(values[0], int) else f"{values[0]:.{digits}f}"
        return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"

    counts = sorted({len(s) for s in seeds.values()})
    said = "one seed per model, so that no spread is known"
    if counts[-1] > 1:
        said = (
            f"{' or '.join(map(str, counts))} seeds per model, "
            "mean ± standard deviation where there is more than one"
        )
    lines = [
        f"{made['steps']:,} steps of {made['batch']} crops each, {made['train']:,} simulated crops "
        f"to train on and {made['test']:,} others to measure on, normalised and clipped to "
        f"± {made['clip']:g} SD; "
        f"{said}.",
        "",
        "| model | " + " | ".join(word for word, _ in MEASURES.values()) + " |",
        "|---" * (len(MEASURES) + 1) + "|",
    ]
    lines += [
        f"| {name} | " + " | ".join(cell(name, k, d) for k, (_, d) in MEASURES.items()) + " |"
        for name in names
    ]
    for key, title in (
        ("mig", "MIG of each factor"),
        ("linear", "R² of each factor, linear in all latents"),
        ("quadratic", "R² of each factor, quadratic in all latents"),
    ):
        lines += ["", f"{title}:", "", "| factor | " + " | ".join(names) + " |"]
        lines += ["|---" * (len(names) + 1) + "|"]
        for factor in FACTORS:
            values = " | ".join(cell(name, f"{key}_{factor}", 2) for name in names)
            lines.append(f"| {WORDS.get(factor, factor)} | {values} |")
    (docs / "beta_sweep.md").write_text("\n".join(lines) + "\n", "utf-8")


def draw_figure(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw each score against reconstruction: a small point per seed, a large one per model."""
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    shown = {
        "total_correlation": "total correlation (nats)",
        "mig": "MIG",
        "sap": "SAP",
        "disentanglement": "DCI: disentanglement",
        "completeness": "DCI: completeness",
        "informativeness": "DCI: informativeness (R²)",
    }
    figure, axes = plt.subplots(2, 3, figsize=(10.5, 6.2), layout="constrained", sharex=True)
    for axis, (key, label) in zip(axes.flat, shown.items(), strict=True):
        for kind, colour in COLOURS.items():
            middle = []
            for name, (_, beta, _) in MODELS.items():
                mine = [row for row in rows if row["model"] == name]
                if name.split(",")[0] != kind or not mine:
                    continue
                x, y = ([row[k] for row in mine] for k in ("reconstruction", key))
                axis.plot(x, y, SHAPES[kind], color=colour, ms=4, alpha=0.45, mec="none")
                middle.append((np.mean(x), np.mean(y)))
                if kind != "VAE":
                    axis.annotate(
                        f"{beta:g}",
                        middle[-1],
                        (0, 8) if kind == "β-VAE" else (0, -17),
                        textcoords="offset points",
                        color=colour,
                        ha="center",
                    )
            if middle:
                x, y = zip(*middle, strict=True)
                label_of = kind if kind == "VAE" else f"{kind} (number: β)"
                axis.plot(x, y, f"{SHAPES[kind]}-", color=colour, ms=8, lw=1, label=label_of)
        axis.set_ylabel(label)
        axis.margins(x=0.15)
        axis.set_ylim(0, 1.15 * max(row[key] for row in rows))
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[1]:
        axis.set_xlabel("reconstruction error (nats per crop)")
    axes[1, 2].legend(frameon=False, loc="lower right")
    figure.savefig(path, dpi=130, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    """Parse, simulate, train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs/beta_sweep"))
    parser.add_argument(
        "--docs", type=Path, default=Path(__file__).parents[1] / "docs" / "results" / "beta_sweep"
    )
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--train", type=int, default=16_384)
    parser.add_argument("--test", type=int, default=4096)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--precision", default="bfloat16", choices=["float32", "bfloat16"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="train models whose name begins so")
    parser.add_argument("--only-report", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.runs.mkdir(parents=True, exist_ok=True)
    args.docs.mkdir(parents=True, exist_ok=True)
    if not args.only_report:
        train, _ = simulate_crops(args.train, TRAIN_SEED, CropSimulation())
        test, factors = simulate_crops(args.test, TEST_SEED, CropSimulation())
        for seed in range(args.seeds):
            for name in [name for name in MODELS if name.startswith(args.only)]:
                run(name, seed, args, (train, test, factors))
    rows = finished(args.runs)
    write_tables(rows, args.docs)
    draw_figure(rows, args.docs / "beta_sweep.png")


if __name__ == "__main__":
    main()
