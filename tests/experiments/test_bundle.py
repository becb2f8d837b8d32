"""A miniature bundle, made as the bundled model is: train-encoder, and the driver of its heads."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc.discovery.tasks import HeadTasks
from napari_interpdisc.io.settings import read_settings
from napari_interpdisc.models.store import load_model
from napari_interpdisc.patches import patches_of_crops
from napari_interpdisc.simulate.crops import CropSimulation, simulate_crops
from napari_interpdisc.training.encoder.settings import EncoderTraining
from napari_interpdisc.training.encoder.sources import EncoderSources

EXPERIMENTS = Path(__file__).parents[2] / "experiments"

SOURCES = """
[[source]]
name = "simulated"
crops = "mitocheck_crops.npz"
diameter = 26.8
leave_out = ["Hole"]
often = ["Metaphase"]
"""
ENCODER = """
batch = 32
[network]
latents = 6
widths = [4, 4, 8, 8]
hidden = 16
texture = true
rotating = [0, 1]
"""
HEADS = """
[recipe]
folds = 2
augmented = 2
curve = false
dense.steps = 150
sparse = { steps = 150, restarts = 1, density = 0.1 }
search = { engine = "operon", max_size = 9, generations = 3, individuals = 60, cells = 100 }

[[task]]
names = { dense = "dense", formula = "formula" }
classes.Interphase = ["Interphase", "Large"]
classes.Metaphase = ["Metaphase"]

[[task]]
names = { dense = "sizes" }
classes.Interphase = ["Interphase"]
classes.Large = ["Large"]
classes.Metaphase = ["Metaphase"]
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with simulated crops: round, large and long nuclei, on six plates."""
    folder = tmp_path_factory.mktemp("data")
    images, factors = simulate_crops(300, 0, CropSimulation(neighbours=(0, 2)))
    label = np.where(factors["size"] > 25, "Large", "Interphase")
    label = np.where(factors["eccentricity"] > 0.7, "Metaphase", label)
    label[:5] = "Hole"
    plate = np.array([f"plate {k % 6}" for k in range(len(label))])
    np.savez(folder / "mitocheck_crops.npz", images=images, label=label, plate=plate)
    for name, text in (("sources", SOURCES), ("encoder", ENCODER), ("heads", HEADS)):
        (folder / f"{name}.toml").write_text(text)
    return folder


def run(*words: object) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_miniature_bundle_is_made_by_the_product_itself(data: Path, tmp_path: Path) -> None:
    encoder, out = tmp_path / "encoder", tmp_path / "mini"
    told = run(
        "-m", "napari_interpdisc.cli", "train-encoder", "--sources", data / "sources.toml",
        "--settings", data / "encoder.toml", "--epochs", 15, "--patience", 0, "--out", encoder,
    )  # fmt: skip
    assert "active latents" in told
    told = run(
        EXPERIMENTS / "bundle.py", "--encoder", encoder, "--data", data, "--out", out,
        "--heads", data / "heads.toml", "--name", "mini", "--seeds", 2, "--threads", 1,
    )  # fmt: skip
    model = load_model(out, device="cpu")
    assert list(model.heads) == ["dense", "formula", "sizes"]
    assert model.name == "mini"
    assert model.n_latents == 6
    assert model.encoder_sha256 == load_model(encoder / "model", device="cpu").encoder_sha256
    assert len(model.meanings) == 6
    for words in (
        "## Data",
        "## Heads",
        "`sizes`",
        "2 seeds",
        "## Limits",
        "simulated",
        "plate",
        "## Calibration",
        "ECE, by plate",
    ):
        assert words in model.card, words
    assert model.card.strip() in told
    for name in ("reconstructions.png", "traversals.png", "losses.png", "reliability.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    with np.load(data / "mitocheck_crops.npz") as archive:
        images = archive["images"]
    z = model.encode(patches_of_crops(images, 26.8).crops())[0]
    for head in model.heads.values():
        assert "balanced accuracy" in head.summary
        assert model.score(z, head.name).shape == (300, 3 if head.name == "sizes" else 1)
    # a miniature encoder learns how large a nucleus is, and little about its shape
    sizes = re.search(r"balanced accuracy (\d\.\d+)", model.head("sizes").summary)
    assert sizes is not None
    assert float(sizes[1]) > 0.4, "above a third, which is chance"
    score = model.score(z, "dense")[:, 0]
    assert np.isfinite(score).all()
    assert len(np.unique(score)) > len(score) // 2


def test_the_settings_of_the_real_bundle_are_read() -> None:
    heads = read_settings(EXPERIMENTS / "bundle" / "heads.toml", HeadTasks)
    names = [name for task in heads.task for name in task.names.values()]
    assert names == list(load_model("h2b", device="cpu").heads)
    sources = read_settings(EXPERIMENTS / "bundle" / "sources.toml", EncoderSources)
    names = [one.name for one in sources.source]
    assert names == ["mitocheck", "hela_ctc", "nuclei_frames", "jurkat", "micronuclei"]
    assert [one.share for one in sources.source] == [2.0, 1.0, 1.0, 1.0, 0.5]
    asked = read_settings(EXPERIMENTS / "bundle" / "encoder.toml", EncoderTraining)
    assert asked.subject == "cell"
    assert asked.network == load_model("h2b", device="cpu").encoder.config
