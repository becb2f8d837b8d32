"""The encoder's network by torch and by ONNX Runtime, in several types, layouts and batches.

``python benchmarks/backends.py`` prints cells a second of the bare network, the fastest of some
repetitions, and how far latents are from those of float32. ONNX Runtime needs the extra ``export``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from napari_interpdisc.models.inference import FastEncoder, has_bfloat16
from napari_interpdisc.models.onnx_files import export_onnx
from napari_interpdisc.models.store import load_model
from napari_interpdisc.simulate.crops import CropSimulation, simulate_crops

CELLS = 2048
BATCHES = (32, 64, 128, 256, 512)

Run = Callable[[np.ndarray], np.ndarray]


def fastest(run: Run, crops: np.ndarray, batch: int, repeats: int) -> float:
    """Cells a second."""
    parts = [crops[start : start + batch] for start in range(0, len(crops), batch)]
    run(parts[0])
    best = np.inf
    for _ in range(repeats):
        began = time.perf_counter()
        for part in parts:
            run(part)
        best = min(best, time.perf_counter() - began)
    return len(crops) / best


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    model = load_model(device="cpu")
    crops = simulate_crops(CELLS, 0, CropSimulation())[0][:, None].astype(np.float32)
    crops -= crops.mean((2, 3), keepdims=True)
    crops /= crops.std((2, 3), keepdims=True)

    def torch_run(dtype: torch.dtype, layout: torch.memory_format) -> Run:
        network = FastEncoder(model.encoder, dtype).to(memory_format=layout)

        def run(part: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                given = torch.from_numpy(part).contiguous(memory_format=layout)
                return np.asarray(network(given)[0].numpy())

        return run

    plain, last = torch.contiguous_format, torch.channels_last
    runs = {
        "torch float32": torch_run(torch.float32, plain),
        "torch float32, channels last": torch_run(torch.float32, last),
    }
    if has_bfloat16(torch.device("cpu")):
        runs["torch bfloat16"] = torch_run(torch.bfloat16, plain)
        runs["torch bfloat16, channels last"] = torch_run(torch.bfloat16, last)
    with tempfile.TemporaryDirectory() as folder:
        try:
            import onnxruntime
        except ImportError:
            print("ONNX Runtime is not installed.")
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                export_onnx(model, Path(folder), crops[:64])
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = asked.threads
            session = onnxruntime.InferenceSession(
                Path(folder) / "encoder.onnx", options, providers=["CPUExecutionProvider"]
            )
            field = session.get_inputs()[0].name
            runs["ONNX Runtime float32"] = lambda part: session.run(None, {field: part})[0]
        exact = runs["torch float32"](crops[:256])
        print(f"{asked.threads} threads, {CELLS} crops, cells/s by crops in a batch")
        print(f"{'':30s}" + "".join(f"{batch:>9d}" for batch in BATCHES) + f"{'latents':>10s}")
        for name, run in runs.items():
            away = float(np.abs(run(crops[:256]) - exact).max())
            rates = [fastest(run, crops, batch, asked.repeats) for batch in BATCHES]
            print(f"{name:30s}" + "".join(f"{rate:9.0f}" for rate in rates) + f"{away:10.1e}")


if __name__ == "__main__":
    main()
