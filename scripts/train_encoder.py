"""Train the bundled β-TCVAE: ``python scripts/train_encoder.py --out runs/bundle``.

Reads ``../shared/data``; writes a log (CSV), checkpoints, and ``weights.safetensors``. Resumes
where it stopped.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from napari_interpdisc.models.tcvae import TCVAEConfig
from napari_interpdisc.training.augment import Augmentation
from napari_interpdisc.training.encoder.loop import train_encoder
from napari_interpdisc.training.encoder.settings import EncoderTraining
from nuclei_patches import all_sources

DATA = Path(__file__).parents[2] / "shared" / "data"


def command(args: argparse.Namespace) -> str:
    """The call that makes this run again, on any number of threads."""
    parts = ["python scripts/train_encoder.py --out RUN"]
    for name, value in vars(args).items():
        option = "--" + name.replace("_", "-")
        if name in ("out", "start", "threads") or value in (False, ""):
            continue
        parts.append(option if value is True else f"{option} {value}")
    return " ".join(parts)


def main() -> None:
    """Parse, train, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--beta", type=float, default=2.0)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rim", type=float, default=0.3)
    parser.add_argument("--no-denoise", action="store_true")
    parser.add_argument("--edge", type=float, default=0.1)
    parser.add_argument("--gradient", type=float, default=0.4)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--texture", type=float, default=8.0, help="weight of local contrast")
    parser.add_argument("--plain", action="store_true", help="neither turning nor local contrast")
    parser.add_argument("--without", default="", help="leave this source out")
    parser.add_argument("--start", type=Path, help="weights.safetensors to train on from")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    settings = EncoderTraining(
        steps=args.steps,
        beta=args.beta,
        seed=args.seed,
        batch=args.batch,
        rim=args.rim,
        denoise=not args.no_denoise,
        precision=args.precision,
        texture_weight=args.texture,
        network=TCVAEConfig() if args.plain else TCVAEConfig.equivariant(),
        augmentation=Augmentation(edge=args.edge, gradient=args.gradient),
    )
    sources = [s for s in all_sources(DATA) if s.name != args.without]
    (args.out / "training.json").write_text(
        json.dumps(
            {
                "settings": settings.model_dump(),
                "sources": {
                    s.name: {
                        "patches": len(s.patches),
                        "sha256": hashlib.sha256(s.patches.tobytes()).hexdigest()[:16],
                    }
                    for s in sources
                },
                "command": command(args),
                "start": hashlib.sha256(args.start.read_bytes()).hexdigest() if args.start else "",
            },
            indent=1,
        )
    )
    start = load_file(args.start) if args.start else None
    log_path = args.out / "log.csv"

    def log(row: dict[str, float]) -> None:
        new = not log_path.exists()
        with log_path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow({k: round(v, 3) for k, v in row.items()})

    model = train_encoder(sources, settings, log, args.out / "checkpoint.pt", start=start)
    save_file(model.state_dict(), args.out / "weights.safetensors")


if __name__ == "__main__":
    main()
