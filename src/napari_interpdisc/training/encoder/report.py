"""What an encoder makes of crops that it was not trained on, and what fine-tuning changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from napari_interpdisc._types import Float32Array, Float64Array
from napari_interpdisc.crop_measures import spectra
from napari_interpdisc.crops import normalise
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.posterior import kl_per_latent, posterior_sample
from napari_interpdisc.patches import middle
from napari_interpdisc.training.encoder.settings import ACTIVE_KL, PatchSource
from napari_interpdisc.training.loss import total_correlation_stratified

KEPT, RELATED = 0.9, 0.5
"""Correlation of a latent before and after from which it kept its meaning, or some of it."""

MOST_FOR_CORRELATION = 512
"""Most crops that total correlation is estimated on."""

RIDGE = 1.0
"""Penalty of the ridge regression, on standardised latents."""


def plain_crops(sources: Sequence[PatchSource], size: int) -> Float32Array:
    """Normalised crops (N, 1, size, size) from the middle of patches, as the pipeline cuts them."""
    found = [normalise(middle(source.patches, size)) for source in sources]
    return np.concatenate(found)[:, None]


@dataclass(frozen=True)
class EncoderMeasures:
    """One encoder on N crops.

    Attributes
    ----------
    latents
        (N, L) posterior means.
    reconstruction_error
        Mean squared difference of crop and reconstruction, normalised units.
    out_of_distribution
        Share of the crops, 0–1, that are unlike what the model was trained on; None if the model
        does not store what that looked like.
    kl
        (L,) mean posterior KL, nats.
    total_correlation
        By stratified sampling, nats.
    """

    latents: Float32Array
    reconstruction_error: float
    out_of_distribution: float | None
    kl: Float64Array
    total_correlation: float

    @property
    def active(self) -> int:
        """Number of latents whose KL is above :data:`ACTIVE_KL`."""
        return int((self.kl > ACTIVE_KL).sum())


def measure_encoder(model: CellModel, crops: Float32Array, seed: int = 0) -> EncoderMeasures:
    """Encode and decode crops (N, 1, S, S), N ≥ 2; ``seed`` is that of the posterior sample."""
    latents, log_variances = model.encode(crops)
    error = errors_of(model, crops, latents)
    known = model.familiarity
    some = min(len(crops), MOST_FOR_CORRELATION)
    rows = np.random.default_rng(seed).permutation(len(crops))[:some]
    mean, log_variance = torch.from_numpy(latents[rows]), torch.from_numpy(log_variances[rows])
    z = posterior_sample(mean, log_variance, torch.Generator().manual_seed(seed))
    kl = kl_per_latent(torch.from_numpy(latents).double(), torch.from_numpy(log_variances).double())
    return EncoderMeasures(
        latents,
        float(error.mean()),
        None if known is None else float(known.out_of_distribution(latents, spectra(crops)).mean()),
        kl.numpy(),
        float(total_correlation_stratified(z, mean, log_variance, some)),
    )


def errors_of(model: CellModel, crops: Float32Array, latents: Float32Array) -> Float32Array:
    """Mean squared difference (N,) of crops (N, 1, S, S) and what (N, L) latents decode to."""
    found = [
        ((model.decode_whole(latents[i : i + 256]) - model.seen(crops[i : i + 256])) ** 2).mean(
            (1, 2, 3)
        )
        for i in range(0, len(crops), 256)
    ]
    return np.concatenate(found)


@dataclass(frozen=True)
class FineTuneReport:
    """An encoder before and after fine-tuning, on the same held-out crops.

    Attributes
    ----------
    start, name
        Names of the model before and after.
    crops
        Number of held-out crops.
    before, after
        What each encoder makes of them.
    correlation
        (L,) Pearson correlation of each latent before and after; 0 where one of them is constant.
    ridge_r2
        (L,) share of each new latent's variance, at most 1, that a ridge regression on all old
        latents explains; fitted on training crops, tested on the held-out ones.
    labels
        (L,) what the old model calls its latents.
    """

    start: str
    name: str
    crops: int
    before: EncoderMeasures
    after: EncoderMeasures
    correlation: Float64Array
    ridge_r2: Float64Array
    labels: tuple[str, ...]

    @property
    def kept(self) -> list[int]:
        """Latents, active before, that kept their meaning."""
        return [i for i in self._active if self.correlation[i] >= KEPT]

    @property
    def lost(self) -> list[int]:
        """Latents, active before, that mean something else now."""
        return [i for i in self._active if self.correlation[i] < RELATED]

    @property
    def _active(self) -> list[int]:
        return [int(i) for i in np.flatnonzero(self.before.kl > ACTIVE_KL)]

    def rows(self) -> list[tuple[str, str, str]]:
        """The short table: what is measured, before, after."""
        a, b = self.before, self.after
        return [
            (
                "reconstruction error",
                f"{a.reconstruction_error:.4f}",
                f"{b.reconstruction_error:.4f}",
            ),
            (
                "share out of distribution",
                _share(a.out_of_distribution),
                _share(b.out_of_distribution),
            ),
            ("KL (nats)", f"{a.kl.sum():.1f}", f"{b.kl.sum():.1f}"),
            ("active latents", str(a.active), str(b.active)),
            (
                "total correlation (nats)",
                f"{a.total_correlation:.2f}",
                f"{b.total_correlation:.2f}",
            ),
        ]

    def summary(self) -> list[str]:
        """What became of the latents, in sentences."""
        active = self._active
        new = np.flatnonzero(self.after.kl > ACTIVE_KL)
        told = [
            f"Of {len(active)} latents that were active, {len(self.kept)} kept their meaning "
            f"(correlation ≥ {KEPT:g} with what they were), "
            f"{len(active) - len(self.kept) - len(self.lost)} kept some of it, and "
            f"{len(self.lost)} lost it (< {RELATED:g})."
        ]
        if len(new):
            r2 = self.ridge_r2[new]
            told.append(
                f"A ridge regression on the old latents explains {r2.mean():.1%} of the variance "
                f"of the new active ones (from {r2.min():.1%} to {r2.max():.1%})."
            )
        told.append(
            f"Heads of '{self.start}' read the old latents and do not apply to '{self.name}': none "
            "were copied; train new ones with `interpdisc train --model`."
        )
        return told

    def markdown(self) -> str:
        """The whole report."""
        table = "\n".join(f"| {what} | {a} | {b} |" for what, a, b in self.rows())
        latents = "\n".join(
            f"| {self.labels[i]} | {self.before.kl[i]:.2f} | {self.after.kl[i]:.2f} "
            f"| {self.correlation[i]:.2f} | {self.ridge_r2[i]:.2f} | {self._verdict(i)} |"
            for i in np.argsort(-self.before.kl, kind="stable")
        )
        said = "\n".join(f"- {line}" for line in self.summary())
        return f"""# Fine-tuning of {self.start}

On {self.crops} held-out crops, as they are (no augmentation):

| | before | after |
|---|---|---|
{table}

{said}

| latent | KL before (nats) | KL after (nats) | correlation | R² from old latents | |
|---|---|---|---|---|---|
{latents}
"""

    def _verdict(self, latent: int) -> str:
        if self.before.kl[latent] <= ACTIVE_KL:
            return "was not active"
        if latent in self.lost:
            return "lost its meaning"
        return "kept its meaning" if latent in self.kept else "changed"


def compare_encoders(
    old: CellModel, new: CellModel, train: Float32Array, held_out: Float32Array
) -> FineTuneReport:
    """Compare two encoders of one shape.

    Parameters
    ----------
    old, new
        Before and after fine-tuning.
    train, held_out
        Normalised crops (M, 1, S, S) that the regression is fitted on, and (N, 1, S, S), N ≥ 2,
        that everything is measured on.
    """
    before, after = measure_encoder(old, held_out), measure_encoder(new, held_out)
    explained = ridge_r2(old.encode(train)[0], new.encode(train)[0], before.latents, after.latents)
    return FineTuneReport(
        old.name,
        new.name,
        len(held_out),
        before,
        after,
        column_correlation(before.latents, after.latents),
        explained,
        tuple(old.latent_label(i) for i in range(old.n_latents)),
    )


def column_correlation(a: npt.ArrayLike, b: npt.ArrayLike) -> Float64Array:
    """Pearson correlation (L,) of each column of ``a`` (N, L) with that of ``b``; 0 if constant."""
    x, y = (np.asarray(v, np.float64) for v in (a, b))
    x, y = x - x.mean(0), y - y.mean(0)
    norm = np.sqrt((x**2).sum(0) * (y**2).sum(0))
    return np.asarray((x * y).sum(0) / np.where(norm > 0, norm, 1))


def ridge_r2(
    x: npt.ArrayLike, y: npt.ArrayLike, x_test: npt.ArrayLike, y_test: npt.ArrayLike
) -> Float64Array:
    """R² (L,) on test rows of a ridge regression of ``y`` (M, L) on ``x`` (M, K).

    The regression is fitted on standardised columns; R² is 0 where the test values are constant.
    """
    given, wanted = np.asarray(x, np.float64), np.asarray(y, np.float64)
    centre, scale = given.mean(0), given.std(0)
    scale = np.where(scale > 0, scale, 1)
    a, offset = (given - centre) / scale, wanted.mean(0)
    weights = np.linalg.solve(a.T @ a + RIDGE * np.eye(a.shape[1]), a.T @ (wanted - offset))
    truth = np.asarray(y_test, np.float64)
    found = (np.asarray(x_test, np.float64) - centre) / scale @ weights + offset
    total = ((truth - truth.mean(0)) ** 2).sum(0)
    residual = ((truth - found) ** 2).sum(0)
    return np.asarray(np.where(total > 0, 1 - residual / np.where(total > 0, total, 1), 0.0))


def _share(value: float | None) -> str:
    return "not stored" if value is None else f"{value:.1%}"
