"""Write the labelled cells of other laboratories as archives for ``interpdisc table1 --abroad``.

    python experiments/crops_abroad.py --data experiments/data --out runs/abroad

writes ``hela_ctc.npz`` and ``hela_20x.npz``: patches of the cells in ``experiments/labels`` at the
model's diameter. All labels of interphase nuclei are there, as in ``experiments/bundle.py``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from napari_interpdisc.crops import MODEL_DIAMETER
from other_movies import DATA, SOURCES, other_cells


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for source in SOURCES:
        cells = other_cells(args.data, source)
        path = args.out / f"{source}.npz"
        np.savez_compressed(
            path, images=cells.patches.pixels, label=cells.labels, plate=cells.groups,
            diameter=np.array(MODEL_DIAMETER),
        )  # fmt: skip
        names, counts = np.unique(cells.labels, return_counts=True)
        told = ", ".join(f"{n} {name}" for name, n in zip(names, counts, strict=True))
        print(f"{path}: {told}")


if __name__ == "__main__":
    main()
