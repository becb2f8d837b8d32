"""Model folders: ``config.json``, ``weights.safetensors`` and ``card.md``, each with its hash.

Formulas are text in the config; the other heads are tensors. Nothing is pickled and nothing is
evaluated. Everything is checked before anything is used.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from safetensors.torch import save as save_tensors

from napari_interpdisc.errors import InvalidInput, InvalidModel
from napari_interpdisc.guarded_files import read_file
from napari_interpdisc.models.cell_model import (
    CellModel,
    LatentMeaning,
    NamedHead,
    TrainingMovie,
    default_device,
    hash_of,
    latent_names,
)
from napari_interpdisc.models.familiarity import Density, Familiarity
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.heads import DenseHead, SparseHead
from napari_interpdisc.models.limits import LARGEST_FILE
from napari_interpdisc.models.model_config import (
    HASHED,
    FamiliarityConfig,
    HeadConfig,
    MeaningConfig,
    ModelConfig,
    MovieConfig,
    PropertiesConfig,
    QuantilesConfig,
    first_fault,
    parse_config,
    properties_of,
)
from napari_interpdisc.models.properties import NO_PROPERTIES
from napari_interpdisc.models.smoke import check_runs
from napari_interpdisc.models.tcvae import TCVAE
from napari_interpdisc.models.weights_file import read_weights
from napari_interpdisc.writing import CannotWrite, new_folder

BUNDLED = Path(__file__).parent / "bundled"
DEFAULT_MODEL = "h2b"


def installed_models() -> dict[str, Path]:
    """Names and folders of the models inside the package."""
    return {path.parent.name: path.parent for path in sorted(BUNDLED.glob("*/config.json"))}


def resolve(model: str | Path) -> Path:
    """Folder of a bundled model's name, or the folder that ``model`` is.

    Raises
    ------
    InvalidModel
        If there is neither.
    """
    bundled = installed_models()
    if str(model) in bundled:
        return bundled[str(model)]
    try:
        if Path(model).is_dir():
            return Path(model)
    except OSError:
        pass  # no folder has such a name
    raise InvalidModel(
        f"There is no model '{model}': give a model folder, or one of "
        f"{', '.join(bundled) or 'none'}."
    )


def load_model(
    model: str | Path = DEFAULT_MODEL, device: torch.device | str | None = None
) -> CellModel:
    """Load a model folder, or a bundled model by name, checking everything first.

    Raises
    ------
    InvalidModel
        If a file is missing, truncated or changed (hash), of an unknown schema, or holds tensors
        of wrong names, shapes or non-finite values. The sentence names the file and the fault.
    """
    folder = resolve(model)
    config = read_config(folder)
    content = {name: _read_checked(folder, name, config.sha256[name]) for name in HASHED}
    path = folder / "weights.safetensors"
    with torch.device("meta"):  # shapes alone: nothing is allocated before they are checked
        encoder = TCVAE(config.encoder)
        made = [_empty_head(head, config, folder) for head in config.heads]
    modules: dict[str, torch.nn.Module] = {"encoder_decoder.": encoder}
    modules |= {f"heads.{h.name}.": head for h, head in zip(config.heads, made, strict=True)}
    expected = {
        f"{prefix}{name}": tensor
        for prefix, module in modules.items()
        for name, tensor in module.state_dict().items()
    }
    tensors = read_weights(content["weights.safetensors"], expected, path)
    for prefix, module in modules.items():
        own = {name: tensors[f"{prefix}{name}"] for name in module.state_dict()}
        module.load_state_dict(own, assign=True)
    heads = {
        h.name: NamedHead(h.name, head, h.classes, h.summary, h.evidence)
        for h, head in zip(config.heads, made, strict=True)
    }
    for named in heads.values():
        if isinstance(named.head, SparseHead) and not named.head.is_consistent():
            raise InvalidModel(
                f"{path} has weights of head '{named.name}' outside its active connections; store "
                "the model again."
            )
    encoder_sha256 = hash_of(encoder)
    for h in config.heads:
        if h.encoder_sha256 != encoder_sha256:
            raise InvalidModel(
                f"Head '{h.name}' in {folder / 'config.json'} was trained with another encoder; "
                "its latents mean something else here. Train it again with this one."
            )
    loaded = CellModel(
        name=config.name,
        sha256=_identity(config.sha256["weights.safetensors"], config.heads),
        encoder_sha256=encoder_sha256,
        encoder=encoder,
        heads=heads,
        model_diameter=config.model_diameter,
        latent_kl=np.array(config.latent_kl),
        latent_sd=np.array(config.latent_sd),
        meanings=tuple(LatentMeaning(m.name, m.evidence) for m in config.meanings),
        orientation_pairs=config.orientation_pairs,
        familiarity=_familiarity(config.familiarity),
        movies=tuple(TrainingMovie(**movie.model_dump()) for movie in config.movies),
        card=content["card.md"].decode("utf-8", "replace"),
        device=torch.device(device) if device is not None else default_device(),
    )
    check_runs(loaded, str(folder))
    return loaded


class CannotSave(InvalidModel, CannotWrite):
    """A model folder cannot be written: a full disk, no permission, or a name that is taken."""


def save_model(model: CellModel, folder: Path) -> None:
    """Write ``model`` as a model folder.

    The three files are complete in a neighbouring folder before that takes the name ``folder``. Of
    two that are saved to one name at once, one is there and the other is refused.

    Raises
    ------
    InvalidModel
        If ``folder`` already exists or cannot be written (then it is a :class:`CannotSave` too),
        or the model holds what none may, such as a class with a name of 1000 characters.
    """
    if folder.exists():
        raise CannotSave(f"{folder} already exists; choose another name, nothing was written.")
    tensors, card = _tensors(model.encoder, model.heads), model.card.encode("utf-8", "replace")
    content = {"weights.safetensors": save_tensors(tensors), "card.md": card}
    content["config.json"] = _config_text(model, content, folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with new_folder(folder) as partial:
            for name, data in content.items():
                (partial / name).write_bytes(data)
    except OSError as fault:
        raise CannotSave(f"The model cannot be written to {folder}: {fault.strerror}.") from None
    except InvalidInput as fault:
        raise CannotSave(f"The model cannot be saved. {fault}") from None


@contextmanager
def _storable() -> Iterator[None]:
    """Turn what a config may not hold into one sentence."""
    try:
        yield
    except ValidationError as fault:
        where, told = first_fault(fault)
        raise InvalidModel(f"The model cannot be stored: {told}, at '{where}'.") from None


def _config_text(model: CellModel, content: Mapping[str, bytes], folder: Path) -> bytes:
    """What ``config.json`` says of a model and of its other files; it is read once to be sure."""
    with _storable():
        config = ModelConfig(
            name=model.name,
            encoder=model.encoder.config,
            model_diameter=model.model_diameter,
            latent_kl=tuple(round(float(v), 6) for v in model.latent_kl),
            latent_sd=tuple(round(float(v), 6) for v in model.latent_sd),
            meanings=tuple(MeaningConfig(name=m.name, evidence=m.evidence) for m in model.meanings),
            orientation_pairs=model.orientation_pairs,
            familiarity=(
                FamiliarityConfig.model_validate(asdict(model.familiarity))
                if model.familiarity
                else None
            ),
            movies=tuple(MovieConfig.model_validate(asdict(movie)) for movie in model.movies),
            heads=_head_configs(model),
            sha256={name: hashlib.sha256(data).hexdigest() for name, data in content.items()},
        )
    text = (config.model_dump_json(indent=1) + "\n").encode()
    parse_config(text, folder / "config.json")
    return text


def replace_heads(
    model: CellModel,
    name: str,
    heads: Mapping[str, NamedHead],
    card: str,
    movies: Sequence[TrainingMovie] = (),
) -> CellModel:
    """Return a model of the same encoder with other heads; it is not written anywhere.

    ``movies`` are those that the new heads were trained on.

    Raises
    ------
    InvalidModel
        If a head reads latents that the encoder does not have.
    """
    for named in heads.values():
        missing = [i for i in named.head.used_latents if i >= model.n_latents]
        if missing:
            raise InvalidModel(
                f"Head '{named.name}' reads z{missing[0]}, but the encoder of '{model.name}' has "
                f"the latents z0 to z{model.n_latents - 1}."
            )
    changed = replace(model, name=name, heads=dict(heads), card=card, movies=tuple(movies))
    weights = hashlib.sha256(save_tensors(_tensors(model.encoder, heads))).hexdigest()
    return replace(changed, sha256=_identity(weights, _head_configs(changed)))


def _identity(weights_sha256: str, heads: Sequence[HeadConfig]) -> str:
    """Hash of all that decides a result: the tensors, and what is none.

    That is formulas, pairs and measured properties.
    """
    said: list[list[Any]] = [[h.name, h.scales, h.formulas] for h in heads if h.formulas]
    said += [[h.name, h.pairs] for h in heads if h.pairs]
    said += [[h.name, h.properties.model_dump()] for h in heads if h.properties]
    if not said:
        return weights_sha256
    return hashlib.sha256(json.dumps([weights_sha256, said]).encode()).hexdigest()


def _tensors(encoder: TCVAE, heads: Mapping[str, NamedHead]) -> dict[str, torch.Tensor]:
    parts: list[tuple[str, object]] = [("encoder_decoder.", encoder)]
    parts += [(f"heads.{name}.", named.head) for name, named in heads.items()]
    return {
        f"{prefix}{name}": tensor.cpu().contiguous()
        for prefix, module in parts
        if isinstance(module, torch.nn.Module)
        for name, tensor in module.state_dict().items()
    }


def _head_configs(model: CellModel) -> tuple[HeadConfig, ...]:
    found = []
    for named in model.heads.values():
        what: dict[str, Any]
        match named.head:
            case DenseHead(layers=layers, pairs=pairs, batch_norm=False):
                what = {"kind": "dense", "layers": layers, "pairs": pairs}
            case SparseHead(layers=layers, pairs=pairs):
                what = {"kind": "sparse", "layers": layers, "pairs": pairs}
            case FormulaHead(formulas=formulas, scales=scales):
                texts = tuple(formula.text for formula in formulas)
                what = {"kind": "formula", "formulas": texts, "scales": scales}
            case _:
                raise InvalidModel(f"Head '{named.name}' is of a kind that cannot be stored.")
        read = named.head.properties
        with _storable():
            one = HeadConfig(
                name=named.name,
                classes=named.classes,
                summary=named.summary,
                encoder_sha256=model.encoder_sha256,
                evidence=named.evidence,
                properties=PropertiesConfig.model_validate(asdict(read)) if len(read) else None,
                **what,
            )
        found.append(one)
    return tuple(found)


def _empty_head(
    head: HeadConfig, config: ModelConfig, folder: Path
) -> DenseHead | SparseHead | FormulaHead:
    """A head of the right shape, to be filled with tensors; formulas are complete."""
    read = NO_PROPERTIES if head.properties is None else properties_of(head.properties)
    if head.kind != "formula":
        made = DenseHead if head.kind == "dense" else SparseHead
        return made(head.layers, pairs=head.pairs, properties=read)
    try:
        names = latent_names([LatentMeaning(m.name) for m in config.meanings])
        n_latents = config.encoder.latents
        formulas = [parse_formula(text, n_latents, names, read.names) for text in head.formulas]
        return FormulaHead(formulas, head.scales, read)
    except InvalidInput as fault:
        raise InvalidModel(
            f"{folder / 'config.json'} has a formula in head '{head.name}' that cannot be used. "
            f"{fault}"
        ) from None


def _familiarity(known: FamiliarityConfig | QuantilesConfig | None) -> Familiarity | None:
    if not isinstance(known, FamiliarityConfig):
        return None
    latents, spectra = (Density(**dict(d)) for d in (known.latents, known.spectra))
    return Familiarity(latents, spectra, known.diameter, known.noise, known.fineness)


def read_config(folder: Path) -> ModelConfig:
    """Read and check a model's ``config.json`` alone.

    Raises
    ------
    InvalidModel
        If it is missing, damaged, or beyond what a model may hold.
    """
    path = folder / "config.json"
    if not os.path.lexists(path):
        raise InvalidModel(f"{folder} is not a model folder: it has no config.json.")
    return parse_config(_read(folder, path.name), path)


def _read(folder: Path, name: str) -> bytes:
    try:
        return read_file(folder / name, LARGEST_FILE[name], folder)
    except InvalidInput as fault:
        raise InvalidModel(str(fault)) from None


def _read_checked(folder: Path, name: str, digest: str) -> bytes:
    path = folder / name
    if not os.path.lexists(path):
        raise InvalidModel(f"{path} is missing; copy the whole model folder again.")
    data = _read(folder, name)
    if hashlib.sha256(data).hexdigest() != digest:
        raise InvalidModel(
            f"{path} is not the file that config.json describes (its SHA-256 differs): it was "
            "truncated or changed; copy the model folder again."
        )
    return data
