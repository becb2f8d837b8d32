"""A head with its encoder as a bioimage.io model package (specification 0.5)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_interpdisc._types import Float32Array
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import check_reads_latents
from napari_interpdisc.models.onnx_files import Classify, check_packages, write_onnx
from napari_interpdisc.processes import scratch_folder
from napari_interpdisc.writing import write_whole

if TYPE_CHECKING:
    from napari_interpdisc.models.cell_model import CellModel, NamedHead

OPSET = 20
"""Of ONNX, as torch's exporter writes it by default."""

PAPER = (
    "Soelistyo and Lowe (2024), Discovering interpretable models of scientific image data with "
    "deep learning",
    "10.48550/arXiv.2402.03115",
)

TESTED = 8
"""Crops that the package holds as its test."""


def write_package(model: CellModel, head: str | None, path: Path, crops: Float32Array) -> float:
    """Write a package, and have bioimage.io's own library check it.

    Parameters
    ----------
    model
        On the CPU.
    head
        Name of the head; the default one if None.
    path
        The ``.zip`` to write.
    crops
        (N, 1, S, S) crops as they were cut, N ≥ 2; the first of them are the package's test.

    Returns
    -------
    How far ONNX Runtime is from torch on all of the crops.

    Raises
    ------
    InvalidInput
        If a package of the extra is missing, the head reads measured properties, or the library
        finds a fault.
    """
    check_packages()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from bioimageio import spec
    except ImportError:
        raise InvalidInput(
            "A bioimage.io package needs bioimageio.spec: install it with "
            "pip install 'napari-interpdisc[export]'."
        ) from None
    named = model.head(head)
    check_reads_latents(named, "A package")
    with TemporaryDirectory(dir=scratch_folder()) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library, on what is optional
        inside = Path(folder)
        network = Classify(model, named)
        difference = write_onnx(
            network, inside / "classifier.onnx", crops, "crops", ("probabilities", "latents")
        )
        given = crops[:TESTED]
        with torch.inference_mode():
            probabilities, latents = network(torch.from_numpy(given))
        tensors = {"crops": given, "probabilities": probabilities, "latents": latents}
        for name, values in tensors.items():
            np.save(inside / f"{name}.npy", np.asarray(values, np.float32))
        (inside / "README.md").write_text(_readme(model, named), encoding="utf-8")
        described = _description(model, named, inside)

        def packed(partial: Path) -> None:
            spec.save_bioimageio_package(described, output_path=partial)
            found = spec.load_description(partial).validation_summary
            if found.status == "failed":
                raise InvalidInput(f"bioimage.io's check failed: {_first_fault(found)}")

        write_whole(path, packed)
    return difference


def _description(model: CellModel, named: NamedHead, inside: Path) -> Any:
    """What the package holds, in the words of bioimage.io."""
    from bioimageio.spec.model import v0_5 as v

    def file(name: str) -> Any:
        return v.FileDescr(source=inside / name)

    size = model.crop_size
    outputs = [
        v.OutputTensorDescr(
            id=v.TensorId(name),
            description=about,
            axes=[v.BatchAxis(), v.ChannelAxis(channel_names=[v.Identifier(n) for n in names])],
            test_tensor=file(f"{name}.npy"),
        )
        for name, about, names in (
            ("probabilities", "One for each class.", _identifiers(named.classes)),
            ("latents", "Posterior means.", [f"z{i}" for i in range(model.n_latents)]),
        )
    ]
    text, doi = PAPER
    onnx = v.OnnxWeightsDescr(source=inside / "classifier.onnx", opset_version=OPSET)
    return v.ModelDescr(
        name=_plain(f"napari-interpdisc {model.name} {named.name}"),
        description=(
            f"Classes of single cells ({', '.join(named.classes)}) from {model.n_latents} latents "
            f"of a beta-TCVAE; crops of {size} px in which a typical nucleus has "
            f"{model.model_diameter:g} px."
        )[:512],
        authors=[v.Author(name="napari-interpdisc contributors")],
        cite=[v.CiteEntry(text=text, doi=v.Doi(doi))],
        license=v.LicenseId("BSD-3-Clause"),
        documentation=file("README.md"),
        tags=["nucleus", "2d", "fluorescence-light-microscopy", "classification"],
        inputs=[
            v.InputTensorDescr(
                id=v.TensorId("crops"),
                description="Crops centred on one cell each; gain and offset do not matter.",
                axes=[
                    v.BatchAxis(),
                    v.ChannelAxis(channel_names=[v.Identifier("nuclei")]),
                    v.SpaceInputAxis(id=v.AxisId("y"), size=size),
                    v.SpaceInputAxis(id=v.AxisId("x"), size=size),
                ],
                test_tensor=file("crops.npy"),
            )
        ],
        outputs=outputs,
        weights=v.WeightsDescr(onnx=onnx),
    )


def _identifiers(names: Sequence[str]) -> list[str]:
    """Names of columns as bioimage.io takes them: letters, digits and _, each once."""
    plain = [re.sub(r"[^0-9a-zA-Z]+", "_", name).strip("_") for name in names]
    whole = all(re.match("[a-zA-Z]", name) for name in plain) and len(set(plain)) == len(plain)
    return plain if whole else [f"class_{k}_{name}".rstrip("_") for k, name in enumerate(plain)]


def _plain(text: str) -> str:
    """Text in the letters that a name may have."""
    return re.sub(r"[^a-zA-Z0-9_+\- ()]", "_", text)[:64]


def _readme(model: CellModel, named: NamedHead) -> str:
    return f"""# {model.name}: {named.name}

{named.summary or "Nothing is stored of how it did on held-out cells."}

- Input: crops (N, 1, {model.crop_size}, {model.crop_size}), each centred on one cell, resampled
  so that a typical interphase nucleus has {model.model_diameter:g} px. They are normalised inside.
- Output `probabilities`: of {", ".join(named.classes)}.
- Output `latents`: the {model.n_latents} posterior means of the β-TCVAE.
- Model {model.name}, SHA-256 {model.sha256}.

{model.card}
"""


def _first_fault(summary: Any) -> str:
    for detail in summary.details:
        for fault in detail.errors:
            return str(fault.msg).splitlines()[0]
    return "no reason was given"
