"""Model folders: ``config.json``, ``weights.safetensors`` and ``card.md``, each with its hash.

Formulas are text in the config; the other heads are tensors. Nothing is pickled and nothing is
evaluated. Everything is checked before anything is used.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from napari_interpdisc._types import Measured
from napari_interpdisc.crop_measures import BANDS
from napari_interpdisc.errors import InvalidInput, InvalidModel
from napari_interpdisc.models.cell_model import (
    CellModel,
    LatentMeaning,
    NamedHead,
    TrainingMovie,
    default_device,
    hash_of,
    latent_names,
    score_width,
)
from napari_interpdisc.models.evidence import Evidence
from napari_interpdisc.models.familiarity import Density, Familiarity
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.heads import DenseHead, SparseHead
from napari_interpdisc.models.properties import NO_PROPERTIES, HeadProperties, Way
from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig
from napari_interpdisc.writing import CannotWrite, new_folder

SCHEMA: Literal[6] = 6
READABLE = (1, 2, 3, 4, 5, 6)
"""Schema 1 knew dense heads only; schema 2 knew nothing of what latents mean; schema 4 did not
store how heads did on held-out groups; schema 5 knew no measured properties.

Schema 3 judged what is out of distribution by decoded pictures; models of it are read, but flag no
cell for that."""

DENSITIES = 4
"""Schema from which on familiarity is told by densities."""

LARGEST_MEASURE, LARGEST_NOISE, LARGEST_FINENESS = 1e6, 1e3, 100.0
"""Numbers of familiarity that no training data gives are larger than these."""

BUNDLED = Path(__file__).parent / "bundled"
DEFAULT_MODEL = "h2b"


class PropertiesConfig(BaseModel):
    """Measured properties that a head reads after its latents."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    names: tuple[str, ...] = Field(min_length=1)
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    way: Way = Field(title="In whose nuclei they were measured")


class HeadConfig(BaseModel):
    """One head of a stored model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["dense", "sparse", "formula"]
    classes: tuple[str, ...] = Field(min_length=2)
    layers: tuple[int, ...] = Field((), title="Units of a dense or sparse head")
    pairs: tuple[tuple[int, int], ...] = Field(
        (), title="Latents that rotate together, whose radii are the head's last inputs"
    )
    properties: PropertiesConfig | None = Field(
        None, title="Measured properties that it reads, and their centre and scale"
    )
    formulas: tuple[str, ...] = Field((), title="One formula, or one per class")
    scales: tuple[float, ...] = Field((), title="Factor from each formula's value to its logit")
    summary: str = ""
    encoder_sha256: str = Field("", title="Encoder whose latents the head was trained on")
    evidence: Evidence | None = Field(None, title="How it did on held-out groups")


class MeaningConfig(BaseModel):
    """What one latent stands for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field("", pattern=r"^([A-Za-z][A-Za-z0-9_]*)?$", max_length=40)
    evidence: str = ""


class QuantilesConfig(BaseModel):
    """What schema 3 stored of the training data: quantiles that need a decoded picture. Unused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    levels: tuple[float, ...]
    reconstruction_error: tuple[float, ...]
    latent_norm: tuple[float, ...]


class DensityConfig(BaseModel):
    """Density of a measure of training cells."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mean: tuple[float, ...] = Field(min_length=1)
    whitening: tuple[tuple[float, ...], ...]
    levels: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(min_length=3)
    distances: tuple[float, ...]


class FamiliarityConfig(BaseModel):
    """What the training data looked like."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    latents: DensityConfig
    spectra: DensityConfig
    diameter: float = Field(gt=0)
    noise: float
    fineness: float


class MovieConfig(BaseModel):
    """A movie that heads were trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    cells: int = Field(ge=1)
    diameter: float = Field(gt=0)
    measured: Measured


class ModelConfig(BaseModel):
    """Content of ``config.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1, 2, 3, 4, 5, 6] = SCHEMA
    name: str
    encoder: TCVAEConfig
    model_diameter: float = Field(gt=0)
    normalisation: Literal["mean-std-clip8"] = "mean-std-clip8"
    latent_kl: tuple[float, ...]
    latent_sd: tuple[float, ...]
    meanings: tuple[MeaningConfig, ...] = ()
    orientation_pairs: tuple[tuple[int, int], ...] = ()
    familiarity: FamiliarityConfig | QuantilesConfig | None = None
    movies: tuple[MovieConfig, ...] = ()
    heads: tuple[HeadConfig, ...] = Field(title="The first is the default; may be none yet")
    sha256: dict[str, str]


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
    if Path(model).is_dir():
        return Path(model)
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
    config = _read_config(folder)
    content = {name: _read_checked(folder / name, digest) for name, digest in config.sha256.items()}
    for name in ("weights.safetensors", "card.md"):
        if name not in content:
            raise InvalidModel(
                f"{folder / 'config.json'} gives no hash for {name}; store the model again."
            )
    path = folder / "weights.safetensors"
    try:
        tensors = load_tensors(content["weights.safetensors"])
    except SafetensorError as fault:
        raise InvalidModel(f"{path} is not a readable safetensors file ({fault}).") from None
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise InvalidModel(f"{path} holds NaN or infinite values in '{name}'.")
    encoder = TCVAE(config.encoder)
    heads = {
        h.name: NamedHead(h.name, _empty_head(h, config, folder), h.classes, h.summary, h.evidence)
        for h in config.heads
    }
    modules: list[tuple[str, torch.nn.Module]] = [("encoder_decoder.", encoder)]
    modules += [
        (f"heads.{name}.", named.head)
        for name, named in heads.items()
        if isinstance(named.head, torch.nn.Module)
    ]
    known = 0
    for prefix, module in modules:
        part = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        known += len(part)
        _fill(module, part, path, prefix)
    if known != len(tensors):
        raise InvalidModel(
            f"{path} holds {len(tensors) - known} tensors that belong to no part of the model."
        )
    for named in heads.values():
        if isinstance(named.head, SparseHead) and not named.head.is_consistent():
            raise InvalidModel(
                f"{path} has weights of head '{named.name}' outside its active connections; store "
                "the model again."
            )
    encoder_sha256 = hash_of(encoder)
    for h in config.heads:
        if h.encoder_sha256 and h.encoder_sha256 != encoder_sha256:
            raise InvalidModel(
                f"Head '{h.name}' in {folder / 'config.json'} was trained with another encoder; "
                "its latents mean something else here. Train it again with this one."
            )
    return CellModel(
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


class CannotSave(InvalidModel, CannotWrite):
    """A model folder cannot be written: the disk is full, or there is no permission."""


def save_model(model: CellModel, folder: Path) -> None:
    """Write ``model`` as a model folder.

    The three files are complete in a neighbouring folder before that takes the name ``folder``. Of
    two that are saved to one name at once, one is there and the other is refused.

    Raises
    ------
    InvalidModel
        If ``folder`` already exists or cannot be written; then it is a :class:`CannotSave` too.
    """
    if folder.exists():
        raise InvalidModel(f"{folder} already exists; choose another name, nothing was written.")
    tensors, heads = _tensors(model.encoder, model.heads), _head_configs(model)
    content = {"weights.safetensors": save_tensors(tensors), "card.md": model.card.encode()}
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
        heads=heads,
        sha256={name: hashlib.sha256(data).hexdigest() for name, data in content.items()},
    )
    content["config.json"] = (config.model_dump_json(indent=1) + "\n").encode()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with new_folder(folder) as partial:
            for name, data in content.items():
                (partial / name).write_bytes(data)
    except OSError as fault:
        raise CannotSave(f"The model cannot be written to {folder}: {fault.strerror}.") from None
    except InvalidInput as fault:
        raise CannotSave(f"The model cannot be saved. {fault}") from None


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
        found.append(
            HeadConfig(
                name=named.name,
                classes=named.classes,
                summary=named.summary,
                encoder_sha256=model.encoder_sha256,
                evidence=named.evidence,
                properties=PropertiesConfig.model_validate(asdict(read)) if len(read) else None,
                **what,
            )
        )
    return tuple(found)


def _empty_head(
    head: HeadConfig, config: ModelConfig, folder: Path
) -> DenseHead | SparseHead | FormulaHead:
    """A head of the right shape, to be filled with tensors; formulas are complete."""
    read = NO_PROPERTIES if head.properties is None else _properties(head.properties)
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


def _properties(config: PropertiesConfig) -> HeadProperties:
    return HeadProperties(config.names, config.centre, config.scale, config.way)


def _read_config(folder: Path) -> ModelConfig:
    path = folder / "config.json"
    try:
        raw = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InvalidModel(f"{folder} is not a model folder: it has no config.json.") from None
    except RecursionError:
        raise InvalidModel(f"{path} is nested too deeply to be read.") from None
    except (OSError, ValueError) as fault:
        raise InvalidModel(f"{path} cannot be read ({fault}).") from None
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version not in READABLE:
        raise InvalidModel(
            f"{path} has schema version {version}, this release reads version {SCHEMA}; "
            "update napari-interpdisc or store the model again."
        )
    try:
        config = ModelConfig.model_validate(raw)
    except ValidationError as fault:
        where, told = _first_fault(fault, version)
        raise InvalidModel(f"{path} has a fault at '{where}': {told}.") from None
    for fault_text in _config_faults(config):
        raise InvalidModel(f"{path} {fault_text}.")
    return config


def _first_fault(fault: ValidationError, version: int) -> tuple[str, str]:
    """Where the first fault is, and what; of familiarity, by the form that the schema has."""
    forms = [FamiliarityConfig.__name__, QuantilesConfig.__name__]
    other = forms[version >= DENSITIES]
    first = next(error for error in fault.errors() if other not in error["loc"])
    return ".".join(str(part) for part in first["loc"] if part not in forms), first["msg"]


def _config_faults(config: ModelConfig) -> Iterator[str]:
    n = config.encoder.latents
    for name in ("latent_kl", "latent_sd"):
        if len(getattr(config, name)) != n:
            yield f"gives {len(getattr(config, name))} values of {name} for {n} latents"
        if not all(0 <= value < math.inf for value in getattr(config, name)):
            yield f"gives values of {name} that are negative or not finite"
    if config.meanings and len(config.meanings) != n:
        yield f"gives {len(config.meanings)} meanings for {n} latents"
    names = [m.name for m in config.meanings if m.name]
    if len(set(names)) < len(names):
        yield "gives two latents the same name"
    for pair in config.orientation_pairs:
        if pair[0] == pair[1] or not all(0 <= i < n for i in pair):
            yield f"has an orientation pair {pair} that is none of two of its {n} latents"
    if isinstance(config.familiarity, FamiliarityConfig):
        yield from _familiarity_faults(config.familiarity, config.encoder)
    elif config.familiarity is not None and config.schema_version >= DENSITIES:
        yield (
            f"has the quantiles of schema 3 as its familiarity, but schema version "
            f"{config.schema_version}; "
            "store the model again"
        )
    for head in config.heads:
        if head.evidence is not None and len(head.evidence.confusion) != len(head.classes):
            yield (
                f"has evidence of head '{head.name}' for {len(head.evidence.confusion)} classes, "
                f"but it has {len(head.classes)}"
            )
        wanted = (n, score_width(head.classes))
        measured = 0
        if head.properties is not None:
            measured = len(head.properties.names)
            try:
                _properties(head.properties)
            except InvalidInput as fault:
                yield f"has a fault in the properties of head '{head.name}' ({str(fault)[:-1]})"
        inputs = {total - len(head.pairs) + measured for total in (n, config.encoder.n_cell)}
        if measured and not head.pairs:
            inputs.add(measured)  # a head that reads properties alone
        if head.kind == "formula":
            if len(head.formulas) != wanted[1] or head.layers:
                yield (
                    f"has a head '{head.name}' with {len(head.formulas)} formulas, but "
                    f"{len(head.classes)} classes need {wanted[1]}"
                )
            continue
        members = [i for pair in head.pairs for i in pair]
        if len(set(members)) < len(members) or not all(0 <= i < n for i in members):
            yield f"has a head '{head.name}' with pairs that are not of {n} latents, each once"
        if head.formulas or len(head.layers) < 2:
            yield f"has a head '{head.name}' that says nothing of its layers"
        elif head.layers[0] not in inputs or head.layers[-1] != wanted[1]:
            yield (
                f"has a head '{head.name}' from {head.layers[0]} latents to {head.layers[-1]} "
                f"outputs, "
                f"but {n} latents and {len(head.classes)} classes need {wanted[0]} and {wanted[1]}"
            )
    for name in config.sha256:
        if Path(name).name != name:
            yield f"names a file outside the model folder ('{name}')"


def _familiarity_faults(known: FamiliarityConfig, encoder: TCVAEConfig) -> Iterator[str]:
    crop_size = encoder.crop_size
    sizes = {"latents": {encoder.n_cell, encoder.latents}, "spectra": {len(BANDS)}}
    for name, allowed in sizes.items():
        density: DensityConfig = getattr(known, name)
        widths = {len(density.mean), len(density.whitening), *map(len, density.whitening)}
        if len(widths) > 1 or not widths <= allowed:
            yield f"has a density of {name} that is not one of {min(allowed)} measures"
        rows = (density.levels, density.distances)
        rise = all(a < b for row in rows for a, b in pairwise(row))
        if len({len(row) for row in rows}) > 1 or not rise:
            yield f"has quantiles of familiar {name} that do not rise, or not as many of each"
        if min(density.distances, default=0.0) <= 0:
            yield f"has distances of familiar {name} that are not above 0"
        if max(map(abs, density.mean)) > LARGEST_MEASURE:
            yield f"has a mean of familiar {name} beyond ± {LARGEST_MEASURE:g}"
        sizes_of = [abs(value) for row in density.whitening for value in row]
        if not 0 < max(sizes_of, default=0.0) <= LARGEST_MEASURE:
            yield f"has a whitening of familiar {name} of 0 or beyond ± {LARGEST_MEASURE:g}"
    if not 1 <= known.diameter <= crop_size:
        yield (
            f"has a familiar diameter of {known.diameter:g} px, but nuclei in crops of "
            f"{crop_size} px measure 1 to {crop_size} px"
        )
    if not 0 <= known.noise <= LARGEST_NOISE:
        yield f"has a familiar noise of {known.noise:g} outside 0 to {LARGEST_NOISE:g}"
    if abs(known.fineness) > LARGEST_FINENESS:
        yield f"has a familiar fineness of {known.fineness:g} beyond ± {LARGEST_FINENESS:g}"


def _familiarity(known: FamiliarityConfig | QuantilesConfig | None) -> Familiarity | None:
    if not isinstance(known, FamiliarityConfig):
        return None
    latents, spectra = (Density(**dict(d)) for d in (known.latents, known.spectra))
    return Familiarity(latents, spectra, known.diameter, known.noise, known.fineness)


def _read_checked(path: Path, digest: str) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InvalidModel(f"{path} is missing; copy the whole model folder again.") from None
    except OSError as fault:
        raise InvalidModel(f"{path} cannot be read: {fault.strerror}.") from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise InvalidModel(
            f"{path} is not the file that config.json describes (its SHA-256 differs): it was "
            "truncated or changed; copy the model folder again."
        )
    return data


def _fill(module: torch.nn.Module, part: dict[str, torch.Tensor], path: Path, prefix: str) -> None:
    expected = module.state_dict()
    missing = sorted(expected.keys() - part.keys())
    if missing:
        raise InvalidModel(f"{path} lacks the tensor '{prefix}{missing[0]}'.")
    for name, tensor in part.items():
        if name not in expected:
            raise InvalidModel(f"{path} holds an unknown tensor '{prefix}{name}'.")
        if tensor.shape != expected[name].shape:
            raise InvalidModel(
                f"{path} has '{prefix}{name}' of shape {tuple(tensor.shape)}; "
                f"config.json asks for {tuple(expected[name].shape)}."
            )
    module.load_state_dict(part)
