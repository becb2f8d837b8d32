"""Content of a model's ``config.json``: its fields, their limits, and what must fit together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_interpdisc._types import Measured
from napari_interpdisc.crop_measures import BANDS
from napari_interpdisc.errors import InvalidInput, InvalidModel
from napari_interpdisc.guarded_files import strict_json
from napari_interpdisc.models.cell_model import score_width
from napari_interpdisc.models.evidence import MOST_CELLS, Evidence
from napari_interpdisc.models.formula import MAX_CHARACTERS
from napari_interpdisc.models.limits import (
    LARGEST_SHARE,
    LEAST_DIAMETER,
    MOST_CLASSES,
    MOST_DIAMETERS,
    MOST_HEADS,
    MOST_LAYERS,
    MOST_MOVIES,
    MOST_UNITS,
    Digest,
    Name,
    Text,
)
from napari_interpdisc.models.properties import PROPERTIES, HeadProperties, Way
from napari_interpdisc.models.tcvae import MOST_LATENTS, TCVAEConfig

SCHEMA: Literal[6] = 6
READABLE = (1, 2, 3, 4, 5, 6)
"""Schema 1 knew dense heads only; schema 2 knew nothing of what latents mean; schema 4 did not
store how heads did on held-out groups; schema 5 knew no measured properties.

Schema 3 judged what is out of distribution by decoded pictures; models of it are read, but flag no
cell for that."""

LONGEST_PLACE = 60
"""Characters of a key that are told."""

DENSITIES = 4
"""Schema from which on familiarity is told by densities."""

HASHED = ("weights.safetensors", "card.md")
"""Files beside ``config.json``; it has the SHA-256 of each."""

LARGEST_MEASURE, LARGEST_NOISE, LARGEST_FINENESS = 1e6, 1e3, 100.0
"""Numbers of familiarity that no training data gives are larger than these."""

MOST_LEVELS = 1000
Latents = Field(max_length=MOST_LATENTS)
Measures = Field(min_length=1, max_length=MOST_LATENTS)
Levels = Field(min_length=3, max_length=MOST_LEVELS)
Pairs = tuple[tuple[int, int], ...]


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PropertiesConfig(_Stored):
    """Measured properties that a head reads after its latents."""

    names: tuple[str, ...] = Field(min_length=1, max_length=len(PROPERTIES))
    centre: tuple[float, ...] = Field(max_length=len(PROPERTIES))
    scale: tuple[float, ...] = Field(max_length=len(PROPERTIES))
    way: Way = Field(title="In whose nuclei they were measured")


class HeadConfig(_Stored):
    """One head of a stored model."""

    name: Name
    kind: Literal["dense", "sparse", "formula"]
    classes: tuple[Name, ...] = Field(min_length=2, max_length=MOST_CLASSES)
    layers: tuple[Annotated[int, Field(ge=1, le=MOST_UNITS)], ...] = Field(
        (), max_length=MOST_LAYERS, title="Units of a dense or sparse head"
    )
    pairs: Pairs = Field(
        (),
        max_length=MOST_LATENTS,
        title="Latents that rotate together, whose radii are the head's last inputs",
    )
    properties: PropertiesConfig | None = Field(
        None, title="Measured properties that it reads, and their centre and scale"
    )
    formulas: tuple[Annotated[str, Field(max_length=MAX_CHARACTERS)], ...] = Field(
        (), max_length=MOST_CLASSES, title="One formula, or one per class"
    )
    scales: tuple[float, ...] = Field(
        (), max_length=MOST_CLASSES, title="Factor from each formula's value to its logit"
    )
    summary: Text = ""
    encoder_sha256: str = Field(
        "", pattern=r"^([0-9a-f]{64})?$", title="Encoder whose latents the head was trained on"
    )
    evidence: Evidence | None = Field(None, title="How it did on held-out groups")


class MeaningConfig(_Stored):
    """What one latent stands for."""

    name: str = Field("", pattern=r"^([A-Za-z][A-Za-z0-9_]*)?$", max_length=40)
    evidence: Text = ""


class QuantilesConfig(_Stored):
    """What schema 3 stored of the training data: quantiles that need a decoded picture. Unused."""

    levels: tuple[float, ...]
    reconstruction_error: tuple[float, ...]
    latent_norm: tuple[float, ...]


class DensityConfig(_Stored):
    """Density of a measure of training cells."""

    mean: tuple[float, ...] = Measures
    whitening: tuple[Annotated[tuple[float, ...], Measures], ...] = Measures
    levels: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Levels
    distances: tuple[float, ...] = Field(max_length=MOST_LEVELS)


class FamiliarityConfig(_Stored):
    """What the training data looked like."""

    latents: DensityConfig
    spectra: DensityConfig
    diameter: float = Field(gt=0)
    noise: float
    fineness: float


class MovieConfig(_Stored):
    """A movie that heads were trained on."""

    name: Name
    cells: int = Field(ge=1, le=MOST_CELLS)
    diameter: float = Field(gt=0)
    measured: Measured


class ModelConfig(_Stored):
    """Content of ``config.json``."""

    schema_version: Literal[1, 2, 3, 4, 5, 6] = SCHEMA
    name: Name
    encoder: TCVAEConfig
    model_diameter: float = Field(ge=LEAST_DIAMETER)
    normalisation: Literal["mean-std-clip8"] = "mean-std-clip8"
    latent_kl: tuple[float, ...] = Latents
    latent_sd: tuple[float, ...] = Latents
    meanings: Annotated[tuple[MeaningConfig, ...], Latents] = ()
    orientation_pairs: Annotated[Pairs, Latents] = ()
    familiarity: FamiliarityConfig | QuantilesConfig | None = None
    movies: tuple[MovieConfig, ...] = Field((), max_length=MOST_MOVIES)
    heads: tuple[HeadConfig, ...] = Field(
        max_length=MOST_HEADS, title="The first is the default; may be none yet"
    )
    sha256: dict[str, Digest]


def properties_of(config: PropertiesConfig) -> HeadProperties:
    """What a head reads, of what was stored; raises InvalidInput if that cannot be."""
    return HeadProperties(config.names, config.centre, config.scale, config.way)


def parse_config(data: bytes, path: Path) -> ModelConfig:
    """Read and check the content of ``config.json``; ``path`` is named in what is wrong.

    Raises
    ------
    InvalidModel
        If it is no strict JSON, of an unknown schema, beyond the limits, or does not fit together.
    """
    try:
        raw = strict_json(data, str(path))
    except InvalidInput as fault:
        raise InvalidModel(str(fault)) from None
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if isinstance(version, bool) or version not in READABLE:
        raise InvalidModel(
            f"{path} has schema version {str(version)[:20]}, this release reads version {SCHEMA}; "
            "update napari-interpdisc or store the model again."
        )
    try:
        config = ModelConfig.model_validate(raw)
    except ValidationError as fault:
        where, told = first_fault(fault, int(version))
        raise InvalidModel(f"{path} has a fault at '{where}': {told}.") from None
    for fault_text in _config_faults(config):
        raise InvalidModel(f"{path} {fault_text}.")
    return config


def first_fault(fault: ValidationError, version: int = SCHEMA) -> tuple[str, str]:
    """Where the first fault is, and what; of familiarity, by the form that the schema has."""
    forms = [FamiliarityConfig.__name__, QuantilesConfig.__name__]
    other = forms[version >= DENSITIES]
    errors = fault.errors(include_url=False, include_context=False, include_input=False)
    first = next((error for error in errors if other not in error["loc"]), errors[0])
    where = ".".join(str(part)[:LONGEST_PLACE] for part in first["loc"] if part not in forms)
    return where, first["msg"].removeprefix("Value error, ").rstrip(".")


def _config_faults(config: ModelConfig) -> Iterator[str]:
    n = config.encoder.latents
    for name in ("latent_kl", "latent_sd"):
        if len(getattr(config, name)) != n:
            yield f"gives {len(getattr(config, name))} values of {name} for {n} latents"
        if not all(0 <= value < math.inf for value in getattr(config, name)):
            yield f"gives values of {name} that are negative or not finite"
    size, diameter = config.encoder.crop_size, config.model_diameter
    if not size / MOST_DIAMETERS <= diameter <= size * LARGEST_SHARE:
        yield (
            f"has a model diameter of {diameter:g} px, but crops of {size} px need one of "
            f"{size / MOST_DIAMETERS:g} to {size * LARGEST_SHARE:g} px"
        )
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
    if twice := _given_twice(head.name for head in config.heads):
        yield f"has two heads of the name '{twice}'"
    for head in config.heads:
        if not head.encoder_sha256:
            yield (
                f"does not say which encoder head '{head.name}' was trained with "
                "(encoder_sha256), so that its latents may mean something else; train it again"
            )
        if twice := _given_twice(head.classes):
            yield f"has a head '{head.name}' with two classes of the name '{twice}'"
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
                properties_of(head.properties)
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
            yield f"names a file outside the model folder ('{name[:LONGEST_PLACE]}')"
        elif name not in HASHED:
            yield f"gives a hash for '{name[:LONGEST_PLACE]}', which is no file of a model folder"
    for name in HASHED:
        if name not in config.sha256:
            yield f"gives no hash for {name}; store the model again"


def _given_twice(names: Iterable[str]) -> str:
    """A name that occurs twice, if there is one; else an empty string."""
    seen: set[str] = set()
    for name in names:
        if name.strip() in seen:
            return name
        seen.add(name.strip())
    return ""


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
