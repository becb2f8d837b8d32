"""Crops per second of ``fit_tcvae``, and of a bare training loop of the same network.

``python benchmarks/encoder_training.py`` reads nothing: random patches. The bare loop has the same
network, precision, batch and memory format, the loss of a plain VAE on crops that lie ready, and
the same optimizer; it neither augments nor turns, estimates no total correlation, and logs nothing.
Rounds of both take turns, so that what else runs on the machine slows both alike; the fastest step
of each counts.
On the CPU the ratio of processor time is told too, which waiting for a busy core does not change.
"""

from __future__ import annotations

import argparse
import itertools
import time

import numpy as np
import torch

from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig
from napari_interpdisc.training.encoder.loop import fit_tcvae
from napari_interpdisc.training.encoder.run import AUGMENTATION, precision_of
from napari_interpdisc.training.encoder.settings import EncoderTraining, PatchSource

Times = np.ndarray
"""(steps, 2) seconds."""


def bare_steps(settings: EncoderTraining, device: str, synchronise: bool) -> Times:
    """Seconds of each step of the bare loop, by the clock and of the processor."""
    torch.manual_seed(0)
    model = TCVAE(settings.network).to(device).train()
    model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    size = settings.network.crop_size
    crops = torch.randn(settings.batch, 1, size, size, device=device)
    half = settings.precision == "bfloat16"
    at = []
    for _ in range(settings.steps):
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half):
            shown, mean, log_variance = model(crops)
        error = 0.5 * (crops - shown.float()).square().flatten(1).sum(1).mean()
        mean, log_variance = mean.float(), log_variance.float()
        kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean()
        optimizer.zero_grad(set_to_none=True)
        (error + kl).backward()
        optimizer.step()
        if synchronise:
            torch.cuda.synchronize()
        at.append((time.perf_counter(), time.process_time()))
    return np.diff(at, axis=0)


def whole_steps(
    source: PatchSource, settings: EncoderTraining, device: str, synchronise: bool
) -> Times:
    """Seconds of each step of ``fit_tcvae``, by the clock and of the processor."""
    at = []

    def progress(done: int, _: int) -> None:
        if synchronise:
            torch.cuda.synchronize()
        at.append((time.perf_counter(), time.process_time()))

    fit_tcvae([source], settings, device=device, progress=progress)
    return np.diff(at, axis=0)


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--steps", type=int, default=8, help="steps of a round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--precision", nargs="*", default=["float32", "bfloat16"])
    parser.add_argument("--network", nargs="*", default=["plain", "turning"])
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    draw = np.random.default_rng(0)
    patches = draw.integers(0, 255, (2000, 96, 96), dtype=np.uint8)
    source = PatchSource("random", patches, 96.0, np.ones(len(patches)))
    print(
        f"{args.device}, {torch.get_num_threads()} threads, batch {args.batch}; "
        f"auto is {precision_of('auto', args.device)} here"
    )
    synchronise = args.device.startswith("cuda")
    networks = {"plain": TCVAEConfig(), "turning": TCVAEConfig.equivariant()}
    for precision, network in itertools.product(args.precision, args.network):
        settings = EncoderTraining(
            steps=args.steps,
            batch=args.batch,
            precision=precision,
            network=networks[network],
            augmentation=AUGMENTATION,
            log_every=20,
        )
        rounds = [
            (
                bare_steps(settings, args.device, synchronise),
                whole_steps(source, settings, args.device, synchronise),
            )
            for _ in range(args.rounds)
        ]
        bare, whole = (np.concatenate(part).min(0) for part in zip(*rounds, strict=True))
        print(f"{precision}, {network} network")
        print(f"  bare loop      {args.batch / bare[0]:7.0f} crops/s")
        print(f"  fit_tcvae  {args.batch / whole[0]:7.0f} crops/s")
        print(f"  ratio          {whole[0] / bare[0]:7.2f}", end="")
        print("" if synchronise else f"  (of processor time {whole[1] / bare[1]:.2f})")


if __name__ == "__main__":
    main()
