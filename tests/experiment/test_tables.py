"""The tables of a whole experiment, of notes that were set by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from napari_interpdisc.batch.run_folder import ImageFolder
from napari_interpdisc.experiment.tables import write_tables


def note(name: str, well: str, a: int, b: int, none: int) -> dict[str, Any]:
    return {
        "item": {"name": name, "well": well, "field": "0"},
        "shape": [4, 9, 9],
        "diameter": 20.5,
        "counts": {
            "cells": a + b + none, "tracks": 2, "n_A": a, "n_B": b, "n_without_class": none,
            "n_unfamiliar": 1, "n_touches_edge": 0,
        },
    }  # fmt: skip


def test_tables_of_images_wells_tracks_and_failures(tmp_path: Path) -> None:
    done = {}
    for name, well, a, b, none in (("x", "A1", 3, 1, 0), ("y", "A1", 1, 3, 2), ("z", "", 0, 0, 2)):
        folder = ImageFolder(tmp_path, name, well)
        folder.make()
        folder.summary("tracks").write_bytes(f"{name},{well}\n".encode())
        folder.summary("phases").write_bytes(b"")
        done[folder] = note(name, well, a, b, none)
    write_tables(tmp_path, done, [["w", "", "w.tif", "It is broken, quite."]], ("A", "B"))
    images = pd.read_csv(tmp_path / "images.csv").set_index("image")
    assert images["cells"].tolist() == [4, 6, 2]
    assert images["share_A"].tolist()[:2] == [0.75, 0.25]
    assert pd.isna(images.loc["z", "share_A"])
    wells = pd.read_csv(tmp_path / "wells.csv")
    assert wells.to_dict("records") == [
        {
            "well": "A1", "images": 2, "cells": 10, "tracks": 4, "n_A": 4, "n_B": 4, "share_A": 0.5,
            "share_B": 0.5, "n_without_class": 2, "n_unfamiliar": 2, "n_touches_edge": 0,
        }
    ]  # fmt: skip
    failures = pd.read_csv(tmp_path / "failures.csv")
    assert failures["why"].tolist() == ["It is broken, quite."]
    lines = (tmp_path / "tracks.csv").read_text().splitlines()
    assert lines[0].startswith("image,well,track_id,parent,")
    assert lines[1:] == ["x,A1", "y,A1", "z,"]
    assert (tmp_path / "phases.csv").read_text().startswith("image,well,track_id,state,")
