"""A package that bioimage.io's own library accepts."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc.models.bioimage_package import _identifiers, write_package
from napari_interpdisc.models.store import load_model
from napari_interpdisc.simulate.crops import simulate_crops

pytest.importorskip("bioimageio.spec", reason="the extra 'export' is not installed")


@pytest.mark.filterwarnings("ignore")
def test_a_package_is_whole_and_valid(tmp_path: Path) -> None:
    from bioimageio.spec import load_description

    model, path = load_model(device="cpu"), tmp_path / "states.zip"
    crops = simulate_crops(20, 0)[0][:, None].astype(np.float32)
    assert write_package(model, "states", path, crops) < 1e-3
    found = load_description(path)
    assert found.validation_summary.status != "failed"
    classes = next(a for a in found.outputs[0].axes if a.type == "channel").channel_names
    assert [str(name) for name in classes] == list(model.head("states").classes)
    inside = zipfile.ZipFile(path)
    assert {"classifier.onnx", "crops.npy", "rdf.yaml", "README.md"} <= set(inside.namelist())
    assert model.sha256 in inside.read("README.md").decode()


def test_names_of_classes_become_identifiers_that_differ() -> None:
    assert _identifiers(["Interphase", "Metaphase, late"]) == ["Interphase", "Metaphase_late"]
    assert _identifiers(["G1", "G1 "]) == ["class_0_G1", "class_1_G1"]
    assert _identifiers(["有糸分裂", "2N"]) == ["class_0", "class_1_2N"]
