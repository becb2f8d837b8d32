"""A stored model at work: one encoder and the heads that read its latents. Tensors only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from napari_interpdisc._types import Float32Array, Float64Array, Measured, Precision
from napari_interpdisc.errors import InvalidInput, InvalidModel
from napari_interpdisc.models.evidence import Evidence
from napari_interpdisc.models.familiarity import Familiarity
from napari_interpdisc.models.formula import FormulaHead
from napari_interpdisc.models.heads import Head, read_columns
from napari_interpdisc.models.inference import BATCH, FastEncoder, used_precision
from napari_interpdisc.models.tcvae import TCVAE
from napari_interpdisc.models.texture import texture


def hash_of(module: torch.nn.Module) -> str:
    """SHA-256 of the names, shapes and values of a network's tensors."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        values = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{name} {values.dtype.str} {values.shape} ".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def _said_of(head: Head) -> tuple[object, ...]:
    """All that decides the scores of a head."""
    known = vars(head)
    formulas = tuple(formula.text for formula in known.get("formulas", ()))
    tensors = hash_of(head) if isinstance(head, torch.nn.Module) else ""
    shape = [known.get(name) for name in ("layers", "pairs", "batch_norm", "scales")]
    return (head.kind, head.properties, formulas, *shape, tensors)


def default_device() -> torch.device:
    """CUDA or MPS where there is one, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


@dataclass(frozen=True)
class NamedHead:
    """A head with the classes that it tells apart and what is known of its quality.

    Attributes
    ----------
    name, head, classes
        The head.
    summary
        One line on how far it can be trusted.
    evidence
        How it did on held-out groups, if that was stored.
    """

    name: str
    head: Head
    classes: tuple[str, ...]
    summary: str = ""
    evidence: Evidence | None = None

    @property
    def calibration_told(self) -> str:
        """What its confidences are worth: ``calibrated on held-out plates, ECE 0.007``."""
        evidence = self.evidence
        if evidence is None or evidence.calibration is None:
            return "not known to be calibrated on held-out cells"
        ece = evidence.calibration.ece
        return f"calibrated on held-out {evidence.group_name}s, ECE {ece:.3f}"


@dataclass(frozen=True)
class LatentMeaning:
    """What a latent stands for, as found on real cells.

    Attributes
    ----------
    name
        A short identifier such as ``size``, unlike that of any other latent; empty if the evidence
        is too weak for one.
    evidence
        Why, for a person to read: ``area, ρ = 0.91 [0.90, 0.92]``.
    """

    name: str = ""
    evidence: str = ""


def latent_names(meanings: Sequence[LatentMeaning]) -> dict[str, int]:
    """Latent by each of its names: ``size`` and, as in formulas, ``size_z22``."""
    named = {meaning.name: i for i, meaning in enumerate(meanings) if meaning.name}
    return {**named, **{f"{name}_z{i}": i for name, i in named.items()}}


def latent_of(word: str, names: Mapping[str, int] | None = None) -> int | None:
    """Latent that ``17``, ``z17``, ``z_17`` or one of ``names`` means; None if it means none."""
    digits = word.lower().removeprefix("z").removeprefix("_")
    if digits.isascii() and digits.isdigit():
        return int(digits)
    return (names or {}).get(word)


@dataclass(frozen=True)
class TrainingMovie:
    """A movie whose labelled cells heads were trained on, and the nuclear diameter in it.

    Attributes
    ----------
    name
        File or layer.
    cells
        Number of labelled cells.
    diameter, measured
        Typical nuclear diameter in its image, px, and how it was measured.
    """

    name: str
    cells: int
    diameter: float
    measured: Measured


@dataclass(frozen=True)
class CellModel:
    """Encoder, decoder and heads of one stored model.

    Attributes
    ----------
    name, sha256
        Name of the model and the hash of all its weights and formulas: the identity written beside
        every result.
    encoder
        The β-TCVAE, in eval mode.
    heads
        By name; the first is the default. An encoder that was just trained has none.
    model_diameter
        Typical nuclear diameter in crops, px.
    latent_kl
        (L,) mean posterior KL on the training data, in nats: how much each latent matters.
    latent_sd
        (L,) standard deviation of the posterior means on the training data.
    meanings
        (L,) what each latent stands for; empty if that was never looked into.
    orientation_pairs
        Pairs of latents (a, b) that rotate into each other when the crop is rotated; z_a² + z_b²
        does not change then.
    familiarity
        What the training data looked like; None if that was not stored.
    movies
        Movies that the heads were trained on, where that was stored.
    card
        The model card, Markdown.
    encoder_sha256
        Hash of encoder and decoder alone: models that share it read each other's latents.
        Computed if left out.
    """

    name: str
    sha256: str
    encoder: TCVAE
    heads: Mapping[str, NamedHead]
    model_diameter: float
    latent_kl: npt.NDArray[np.float64]
    latent_sd: npt.NDArray[np.float64]
    meanings: tuple[LatentMeaning, ...] = ()
    orientation_pairs: tuple[tuple[int, int], ...] = ()
    familiarity: Familiarity | None = None
    movies: tuple[TrainingMovie, ...] = ()
    card: str = ""
    device: torch.device = field(default_factory=default_device)
    encoder_sha256: str = ""

    def __post_init__(self) -> None:
        """Put everything where it will run, ready for inference."""
        self.encoder.to(self.device).eval().requires_grad_(False)
        if not self.encoder_sha256:
            object.__setattr__(self, "encoder_sha256", hash_of(self.encoder))
        for named in self.heads.values():
            if isinstance(named.head, torch.nn.Module):
                named.head.to(self.device).eval().requires_grad_(False)

    def scores_as(self, other: CellModel, head: str | None, other_head: str | None) -> bool:
        """Whether a head scores crops as a head of another model does, for the same classes.

        Names, cards and other heads of the models do not matter.
        """
        mine, theirs = self.head(head), other.head(other_head)
        return (
            self.encoder_sha256 == other.encoder_sha256
            and self.model_diameter == other.model_diameter
            and mine.classes == theirs.classes
            and (mine.head is theirs.head or _said_of(mine.head) == _said_of(theirs.head))
        )

    @property
    def n_latents(self) -> int:
        """Number of latents L."""
        return self.encoder.config.latents

    @property
    def n_cell_latents(self) -> int:
        """Number of latents, the first ones, that describe the cell; the rest is around it."""
        return self.encoder.config.n_cell

    def is_around(self, latent: int) -> bool:
        """Whether a latent describes what is around the cell, and not the cell."""
        return latent >= self.n_cell_latents

    def subject_of(self, head: str | None = None) -> str:
        """One clause on whose latents a head reads, for a person to read."""
        if not self.describes_cell:
            return "the encoder describes the whole crop, so calls may follow the surroundings"
        own = self.head(head).head
        around = [i for i in own.used_latents if self.is_around(i)]
        if len(own.properties):
            measured = f"measured properties ({', '.join(own.used_properties)})"
            also = f" and latents of the surroundings ({', '.join(map(self.latent_label, around))})"
            beside = "beside latents of the cell" if own.used_latents else "and no latent"
            return f"reads {measured}{also * bool(around)} {beside}"
        if not around:
            return "reads latents of the cell alone"
        told = ", ".join(map(self.latent_label, around))
        return f"reads latents of the surroundings too ({told}), so calls may follow them"

    @property
    def describes_cell(self) -> bool:
        """Whether the encoder has latents of the cell apart from those of its surroundings."""
        return self.n_cell_latents < self.n_latents

    @property
    def crop_size(self) -> int:
        """Side of a crop, px."""
        return self.encoder.config.crop_size

    def head(self, name: str | None = None) -> NamedHead:
        """Return the head called ``name``, or the default one.

        Raises
        ------
        InvalidModel
            If the model has no such head, or none at all.
        """
        if not self.heads:
            raise InvalidModel(
                f"Model '{self.name}' has no head yet; train one with `interpdisc train --model` "
                "and the model's folder."
            )
        if name is None:
            return next(iter(self.heads.values()))
        if name not in self.heads:
            raise InvalidModel(
                f"Model '{self.name}' has no head '{name}'; it has {', '.join(self.heads)}."
            )
        return self.heads[name]

    def by_importance(self) -> list[int]:
        """Latents by falling mean posterior KL."""
        return [int(i) for i in np.argsort(-self.latent_kl, kind="stable")]

    def latent_name(self, index: int) -> str:
        """Name of latent ``index``, or an empty string."""
        return self.meanings[index].name if self.meanings else ""

    def latent_label(self, index: int) -> str:
        """What to call latent ``index`` on screen: ``z22 size``, or ``z22`` if it has no name.

        One of the surroundings without a name is ``z30 surroundings``.
        """
        name = self.latent_name(index) or "surroundings" * self.is_around(index)
        return f"z{index} {name}".rstrip()

    def latent_about(self, index: int) -> str:
        """Name of latent ``index`` and why, or that it has none: ``size: area, ρ = −0.97``.

        Says so if it describes the surroundings; empty if nothing was ever looked into.
        """
        whose = "of the surroundings; " * self.is_around(index)
        if not self.meanings:
            return whose.rstrip("; ")
        meaning = self.meanings[index]
        return whose + ": ".join(filter(None, (meaning.name or "unnamed", meaning.evidence)))

    def pair_label(self, a: int, b: int) -> str:
        """What to call an orientation pair on screen: ``z11, z27 elongation``.

        The name is what ``elongation_cos`` and ``elongation_sin`` have in common, if anything.
        """
        words = zip(self.latent_name(a).split("_"), self.latent_name(b).split("_"), strict=False)
        common = "_".join(first for first, _ in takewhile(lambda w: w[0] == w[1], words))
        return f"z{a}, z{b} {common}".rstrip()

    @property
    def latent_names(self) -> dict[str, int]:
        """Latent by each of its names, as users may write them; see :func:`latent_names`."""
        return latent_names(self.meanings)

    @property
    def aliases(self) -> dict[int, str]:
        """Names for formulas, the index kept: 22 → ``size_z22``; latents without one are absent."""
        return {
            i: f"{meaning.name}_z{i}" for i, meaning in enumerate(self.meanings) if meaning.name
        }

    def _network(self, dtype: torch.dtype) -> FastEncoder:
        """The encoder as it runs fastest; made once for each type."""
        made: dict[torch.dtype, FastEncoder] = self.__dict__.setdefault("_networks", {})
        if dtype not in made:
            network = FastEncoder(self.encoder, dtype)
            # a value that float32 holds may be infinite in bfloat16, or once BatchNorm is in it
            if not all(bool(torch.isfinite(value).all()) for value in network.parameters()):
                raise InvalidModel(
                    f"The encoder of model '{self.name}' has weights that are not finite in "
                    f"{str(dtype).removeprefix('torch.')}."
                )
            made[dtype] = network
        return made[dtype]

    @torch.inference_mode()
    def encode(
        self, crops: Float32Array, precision: Precision = "float32"
    ) -> tuple[Float32Array, Float32Array]:
        """Posterior means and log-variances, each (N, L), of normalised crops (N, 1, S, S).

        Raises
        ------
        InvalidModel
            If a mean is not finite, though all crops are.
        """
        dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}
        network = self._network(dtype[used_precision(precision, self.device)])
        parts = [network(batch) for batch in self._batches(crops)]
        if not parts:
            empty = np.zeros((0, self.n_latents), np.float32)
            return empty, empty.copy()
        means, log_variances = (torch.cat(part).cpu().numpy() for part in zip(*parts, strict=True))
        if not np.isfinite(means).all() and np.isfinite(crops).all():
            raise InvalidModel(
                f"The encoder of model '{self.name}' gives NaN or infinite latents: its weights "
                "are damaged; use another model."
            )
        return means, log_variances

    @torch.inference_mode()
    def seen(self, crops: Float32Array) -> Float32Array:
        """Crops (N, 1, S, S) in the units of reconstructions: as the network normalises them."""
        parts = [self.encoder.seen(batch) for batch in self._batches(crops)]
        return torch.cat(parts).cpu().numpy()

    @torch.inference_mode()
    def decode(self, latents: npt.ArrayLike) -> Float32Array:
        """Crops (N, 1, S, S), in the units of :meth:`seen`, of latents (N, L).

        The cell alone, where the encoder tells it from its surroundings; see :meth:`decode_whole`.
        """
        parts = [self.encoder.decode(batch) for batch in self._batches(latents)]
        return torch.cat(parts).cpu().numpy()

    @torch.inference_mode()
    def decode_whole(self, latents: npt.ArrayLike) -> Float32Array:
        """Crops (N, 1, S, S) of latents (N, L): the cell, and the light from around it."""
        parts = [
            self.encoder.decode(batch) + self.encoder.decode_around(batch)
            for batch in self._batches(latents)
        ]
        return torch.cat(parts).cpu().numpy()

    @torch.inference_mode()
    def reconstruct(
        self, latents: npt.ArrayLike, crops: Float32Array, whole: bool = False
    ) -> Float32Array:
        """Pictures (N, 1, S, S) that latents (N, L) decode to, in the units of some crops.

        Parameters
        ----------
        latents
            (N, L).
        crops
            (N, 1, S, S), or one for all, whose units to use: they are as they are given, and not
            as the network normalises them.
        whole
            Whether to add the light from around the cell.
        """
        mean, spread = (v.cpu().numpy() for v in self.encoder.scale(self._tensor(crops)))
        shown = self.decode_whole(latents) if whole else self.decode(latents)
        return np.asarray(shown * np.where(np.isfinite(spread), spread, 0) + mean, np.float32)

    @property
    def rotating_pairs(self) -> tuple[tuple[int, int], ...]:
        """Latents that rotate together: the network's own, else the pairs that were found."""
        return self.encoder.rotating_pairs or self.orientation_pairs

    @property
    def has_texture(self) -> bool:
        """Whether the decoder predicts local contrast beside the crop."""
        return self.encoder.config.texture

    @torch.inference_mode()
    def texture_of(self, crops: Float32Array) -> Float32Array:
        """Local contrast (N, 1, S/2, S/2) of normalised crops (N, 1, S, S): their grain.

        In the units of :meth:`seen`.
        """
        parts = [texture(self.encoder.seen(batch)) for batch in self._batches(crops)]
        return torch.cat(parts).cpu().numpy()

    @torch.inference_mode()
    def decode_texture(self, latents: npt.ArrayLike) -> Float32Array:
        """Local contrast (N, 1, S/2, S/2), in normalised units, of latents (N, L).

        What :meth:`texture_of` measures on crops, as the decoder expects it: how much grain there
        is, such as chromosomes make, and where.

        Raises
        ------
        InvalidInput
            If the model's decoder does not predict it.
        """
        if not self.has_texture:
            raise InvalidInput(f"Model '{self.name}' does not predict local contrast.")
        parts = []
        for batch in self._batches(latents):
            texture = self.encoder.decode_with_texture(batch)[1]
            assert texture is not None
            parts.append(avg_pool2d(texture, 2))
        return torch.cat(parts).cpu().numpy()

    @torch.inference_mode()
    def decode_with_texture(self, latents: npt.ArrayLike) -> tuple[Float32Array, Float32Array]:
        """What :meth:`decode` and :meth:`decode_texture` give of latents (N, L), in one pass.

        Raises
        ------
        InvalidInput
            If the model's decoder does not predict local contrast.
        """
        if not self.has_texture:
            raise InvalidInput(f"Model '{self.name}' does not predict local contrast.")
        pictures, grain = [], []
        for batch in self._batches(latents):
            decoded, texture = self.encoder.decode_with_texture(batch)
            assert texture is not None
            pictures.append(decoded)
            grain.append(avg_pool2d(texture, 2))
        return torch.cat(pictures).cpu().numpy(), torch.cat(grain).cpu().numpy()

    def head_of_latents(self, name: str | None, what: str) -> NamedHead:
        """Return a head that reads latents alone, for what changes or explains latents.

        ``what`` begins the sentence if it reads more: "An attack".

        Raises
        ------
        InvalidInput
            If the head reads measured properties too: they do not follow changed latents.
        InvalidModel
            As in :meth:`head`.
        """
        named = self.head(name)
        check_reads_latents(named, what)
        return named

    @property
    def needed_properties(self) -> tuple[str, ...]:
        """Measured properties that any head reads."""
        return tuple(
            dict.fromkeys(
                name for named in self.heads.values() for name in named.head.properties.names
            )
        )

    @torch.inference_mode()
    def score(
        self,
        latents: npt.ArrayLike,
        head: str | None = None,
        measured: Mapping[str, npt.NDArray[np.floating]] | None = None,
    ) -> Float32Array:
        """Signed logits (N, K) of latents (N, L) and, if the head reads any, measured properties.

        ``measured`` are (N,) columns by name, in their own units.

        Raises
        ------
        InvalidInput
            If the head reads properties that are not given.
        InvalidModel
            If a score of a network is not finite, though all that it reads is.

        A formula gives NaN where it has no value.
        """
        named = self.head(head)
        columns = self._columns(named, latents, measured)
        parts = [read_columns(named.head, batch) for batch in self._batches(columns)]
        if not parts:
            return np.zeros((0, score_width(named.classes)), np.float32)
        scores = torch.cat(parts).cpu().numpy()
        is_formula = isinstance(named.head, FormulaHead)
        if not (is_formula or np.isfinite(scores).all()) and np.isfinite(columns).all():
            raise InvalidModel(
                f"Head '{named.name}' of model '{self.name}' gives NaN or infinite scores: its "
                "weights are damaged; use another head."
            )
        return scores

    @torch.inference_mode()
    def defined(
        self,
        latents: npt.ArrayLike,
        head: str | None = None,
        measured: Mapping[str, npt.NDArray[np.floating]] | None = None,
    ) -> npt.NDArray[np.bool_]:
        """Whether the head has a value (N,) for latents (N, L); see :meth:`score` for the others.

        A formula has none for the logarithm of a negative number, say; networks always have one.
        """
        named = self.head(head)
        if not isinstance(named.head, FormulaHead):
            return np.ones(len(np.asarray(latents)), bool)
        columns = self._columns(named, latents, measured)
        n = len(named.head.properties)
        parts = [
            named.head.defined(*((batch[:, :-n], batch[:, -n:]) if n else (batch,)))
            for batch in self._batches(columns)
        ]
        return torch.cat(parts).cpu().numpy() if parts else np.zeros(0, bool)

    @staticmethod
    def _columns(
        named: NamedHead,
        latents: npt.ArrayLike,
        measured: Mapping[str, npt.NDArray[np.floating]] | None,
    ) -> Float32Array:
        """What a head reads, side by side: (N, L + P)."""
        z = np.asarray(latents, np.float32)
        if not len(named.head.properties):
            return z
        return np.column_stack([z, named.head.properties.columns(measured)])

    def _batches(self, values: npt.ArrayLike) -> Sequence[Tensor]:
        array = self._tensor(values)
        return torch.split(array, BATCH) if len(array) else ()

    def _tensor(self, values: npt.ArrayLike) -> Tensor:
        array = np.ascontiguousarray(values, dtype=np.float32)
        return torch.from_numpy(array).to(self.device)


def check_reads_latents(named: NamedHead, what: str) -> None:
    """Refuse a head that reads measured properties, for what changes or explains latents.

    Raises
    ------
    InvalidInput
        In a sentence that begins with ``what``: "An attack".
    """
    if len(named.head.properties):
        raise InvalidInput(
            f"{what} needs a head that reads latents alone, and '{named.name}' reads measured "
            f"properties too ({', '.join(named.head.properties.names)}); choose another head."
        )


def score_width(classes: tuple[str, ...]) -> int:
    """Columns of a score: one signed logit for two classes, else one per class."""
    return 1 if len(classes) == 2 else len(classes)


NO_CLASS = -1
"""Position, among the classes, of a cell that has none."""


def class_index(scores: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Class (N,) of scores (N, K): for K = 1, score ≥ 0 means the second class (paper eq. 2).

    −1, no class, where a score is NaN: a formula has no value there.
    """
    values = np.asarray(scores)
    called = (values[:, 0] >= 0) if values.shape[1] == 1 else values.argmax(1)
    return np.where(np.isnan(values).any(1), NO_CLASS, called).astype(np.int64)


def class_changed(before: npt.ArrayLike, after: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Whether cells (N,) have another class by scores (N, K) after than before.

    A cell without a class, before or after, has not changed to another one.
    """
    old, new = class_index(before), class_index(after)
    return np.asarray((old != new) & (old != NO_CLASS) & (new != NO_CLASS))


def confidence(scores: npt.ArrayLike) -> Float32Array:
    """Probability (N,) that the head gives to its own choice, by logistic or softmax: 1/K to 1."""
    return np.asarray(class_probabilities(scores).max(1), dtype=np.float32)


def class_probabilities(scores: npt.ArrayLike) -> Float64Array:
    """Probabilities (N, K) of all K classes, by logistic or softmax of scores (N, 1) or (N, K).

    They sum to 1. Heads are calibrated for classes that are equally frequent.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.shape[1] == 1:
        values = np.concatenate([np.zeros_like(values), values], 1)
    shifted = np.exp(values - values.max(1, keepdims=True))
    return np.asarray(shifted / shifted.sum(1, keepdims=True))
