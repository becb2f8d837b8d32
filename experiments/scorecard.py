"""The scorecard of the bundled model: MitoCheck with two and five classes, and a crowded movie.

``python experiments/scorecard.py --data ../shared/data --out docs/results/scorecard`` runs
``interpdisc scorecard`` three times, and keeps the tables and some of the pictures. The commands
are printed. The crowded movie is five frames of the Cell Tracking Challenge's HeLa sequence 01, far
apart in time, with its own masks; its cells are grouped by track.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

ROOT = Path(__file__).parents[1]
MITOCHECK = ROOT / "experiments" / "data" / "mitocheck_crops.npz"
TWO = tuple(
    f"{kind}{of}" for of in ("", "-plain", "-strict") for kind in ("dense", "sparse", "formula")
)
FIVE = ("mitosis", "mitosis-plain")
FRAMES = (4, 20, 41, 61, 82)
"""Times of the crowded movie that are used, all of them with masks."""

KEPT = {
    "two": ("worst-formula.png", "worst-cnn.png", "worst-forest.png"),
    "five": ("worst-mitosis.png",),
    "crowded": ("worst-formula.png",),
}
"""Pictures that are kept beside the tables."""


def crowded_movie(data: Path, out: Path) -> None:
    """Write ``movie.tif``, ``masks.tif`` and ``cells.csv`` of some frames of HeLa sequence 01."""
    both = [tifffile.imread(data / "hela_ctc" / f"seq01_t{t:03d}.tif") for t in FRAMES]
    empty = [t for t, frame in zip(FRAMES, both, strict=True) if not frame[1].any()]
    if empty:
        raise SystemExit(f"The frame of t = {empty[0]} has no masks.")
    for name, channel in (("movie", 0), ("masks", 1)):
        pixels = np.stack([frame[channel] for frame in both])
        tifffile.imwrite(
            out / f"{name}.tif", pixels, photometric="minisblack", metadata={"axes": "TYX"}
        )
    table = pd.read_csv(data / "hela_ctc" / "seq01_tracks.csv")
    table = table[table["t"].isin(FRAMES)]
    table = table.assign(t=table["t"].map({t: k for k, t in enumerate(FRAMES)}))
    table[["t", "y", "x", "track_id"]].to_csv(out / "cells.csv", index=False)


def commands() -> dict[str, list[str]]:
    """Words of each command but for its folder; that of the movie runs where the movie is."""
    controls = ["--control", "cnn", "--control", "forest"]
    crops = ["--crops", str(MITOCHECK.relative_to(ROOT)), "--diameter", "26.8"]

    def heads(names: tuple[str, ...]) -> list[str]:
        return [word for name in names for word in ("--head", name)]

    five = "Interphase,Prometaphase,Metaphase,Anaphase,Apoptosis"
    return {
        "crowded": [
            *heads(TWO), "--image", "movie.tif", "--cells", "cells.csv", "--labels", "masks.tif",
        ],
        "two": [*heads(TWO), *controls, *crops, "--classes", "Interphase,Metaphase"],
        "five": [*heads(FIVE), *controls, *crops, "--classes", five],
    }  # fmt: skip


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "scorecard")
    parser.add_argument("--only", nargs="*", default=list(KEPT), choices=list(KEPT))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "crowded" in args.only:
            crowded_movie(args.data, folder)
        for run, words in commands().items():
            if run not in args.only:
                continue
            command = ["scorecard", "h2b", *words, "--out", str(folder / run)]
            print("interpdisc", shlex.join(command), flush=True)
            place = folder if run == "crowded" else ROOT
            subprocess.run(
                [sys.executable, "-m", "napari_interpdisc.cli", *command], cwd=place, check=True
            )
            target = args.out / run
            target.mkdir(parents=True, exist_ok=True)
            for file in (
                "scorecard.csv", "scorecard.json", "scorecard.md", "scorecard.png", *KEPT[run],
            ):  # fmt: skip
                shutil.copyfile(folder / run / file, target / file)


if __name__ == "__main__":
    main()
