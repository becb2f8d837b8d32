"""How well single latents stand for single known factors: MIG, SAP and DCI.

All take plain arrays: latents (N, L) and factors (N, K) of the same N crops, the factors
known and independent. They reward one latent per factor: factors that two latents share, such as an
offset in a rotated frame, score low although nothing of them is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_interpdisc._types import Float64Array

BINS = 20
"""Bins of a latent's or a factor's histogram, as Chen et al. and Locatello et al. have them."""


@dataclass(frozen=True)
class Disentanglement:
    """Scores of one set of latents; each is 1 at best, and near 0 for latents that know nothing.

    Attributes
    ----------
    mig, sap
        Means over the factors, and ``mig_per_factor``, ``sap_per_factor`` (K,), 0–1.
    disentanglement, completeness, informativeness
        Of DCI, 0–1; ``completeness_per_factor``, ``informativeness_per_factor`` (K,) and
        ``disentanglement_per_latent`` (L,).
    importance
        (L, K) share of each latent in the prediction of each factor; columns sum to 1 or 0.
    """

    mig: float
    sap: float
    disentanglement: float
    completeness: float
    informativeness: float
    mig_per_factor: Float64Array
    sap_per_factor: Float64Array
    completeness_per_factor: Float64Array
    informativeness_per_factor: Float64Array
    disentanglement_per_latent: Float64Array
    importance: Float64Array


def measure_disentanglement(
    latents: npt.ArrayLike, factors: npt.ArrayLike, seed: int = 0
) -> Disentanglement:
    """Compute all scores of latents (N, L) for known factors (N, K).

    Parameters
    ----------
    latents
        Posterior means, one column per latent.
    factors
        Known values, one column per factor: continuous, or ordered whole numbers.
    seed
        Of the forests behind DCI, and of the split that they are tested on.

    Raises
    ------
    ValueError
        If the shapes do not match, a number is not finite, there are fewer than 100 crops, or a
        factor is constant.
    """
    z, v = _checked(latents, factors)
    gaps = mutual_information_gaps(z, v)
    sap = separated_predictability(z, v)
    importance, informativeness = forest_importance(z, v, seed)
    per_latent, weight = disentanglement_of(importance)
    per_factor = completeness_of(importance)
    return Disentanglement(
        mig=float(gaps.mean()),
        sap=float(sap.mean()),
        disentanglement=float(per_latent @ weight),
        completeness=float(per_factor.mean()),
        informativeness=float(informativeness.mean()),
        mig_per_factor=gaps,
        sap_per_factor=sap,
        completeness_per_factor=per_factor,
        informativeness_per_factor=informativeness,
        disentanglement_per_latent=per_latent,
        importance=importance,
    )


def mutual_information_gaps(
    latents: npt.ArrayLike, factors: npt.ArrayLike, bins: int = BINS
) -> Float64Array:
    """Gap of each factor (K,), whose mean is MIG (Chen et al. 2018, eq. 6).

    (I(z_j*; v_k) − max over j ≠ j* of I(z_j; v_k)) / H(v_k), where j* is the latent that tells most
    about v_k. Latents and factors are cut into ``bins`` bins of equal width over their range;
    factors of no more distinct values than that keep them. Every entropy H is the histogram's plus
    Miller and Madow's (occupied bins − 1) / 2N, and I = H(z) + H(v) − H(z, v), at least 0: without
    it, noise in 20 × 20 bins would carry 361 / 2N nats. With one latent there is no second, and
    it counts as 0.
    """
    z, v = _checked(latents, factors)
    codes = [_binned(column, bins) for column in z.T]
    kept = [
        np.unique(c, return_inverse=True)[1] if len(np.unique(c)) <= bins else _binned(c, bins)
        for c in v.T
    ]
    entropy = np.array([_entropy(k) for k in kept])
    information = np.zeros((len(codes), len(kept)))
    for i, code in enumerate(codes):
        own = _entropy(code)
        for k, known in enumerate(kept):
            joint = _entropy(code * (known.max() + 1) + known)
            information[i, k] = max(0.0, own + entropy[k] - joint)
    return np.asarray(_top_gap(information) / entropy)


def separated_predictability(latents: npt.ArrayLike, factors: npt.ArrayLike) -> Float64Array:
    """Gap of each factor (K,), whose mean is SAP (Kumar et al. 2018, §3).

    The two best R² of predicting v_k linearly from a single latent (the squared correlation,
    cov(z_j, v_k)² / (var z_j · var v_k)), subtracted: SAP's form for continuous factors. Whole
    numbers count as continuous here. A constant latent has R² = 0.
    """
    z, v = _checked(latents, factors)
    z, v = z - z.mean(0), v - v.mean(0)
    spread = np.sqrt((z**2).sum(0))
    moved = np.abs(spread) > 1e-12
    squared = np.zeros((z.shape[1], v.shape[1]))
    squared[moved] = ((z[:, moved] / spread[moved]).T @ (v / np.sqrt((v**2).sum(0)))) ** 2
    return _top_gap(squared)


def forest_importance(
    latents: npt.ArrayLike, factors: npt.ArrayLike, seed: int = 0
) -> tuple[Float64Array, Float64Array]:
    """Share of each latent in a random forest's prediction of each factor, and its R².

    Parameters
    ----------
    latents, factors
        (N, L) and (N, K).
    seed
        Of the forests, and of the quarter of the crops that R² is measured on.

    Returns
    -------
    importance
        (L, K) decrease of variance at the splits on each latent; columns sum to 1, or to 0 where
        the forest found nothing to split on.
    informativeness
        (K,) R² on crops held out, 0 where it is negative. Eastwood & Williams report the error;
        this is one minus its square over the factor's variance.
    """
    from sklearn.ensemble import RandomForestRegressor

    z, v = _checked(latents, factors)
    test, train = _split(len(z), seed)
    importance = np.zeros((z.shape[1], v.shape[1]))
    explained = np.zeros(v.shape[1])
    for k in range(v.shape[1]):
        # large leaves, all latents at each split: what tells nothing is hardly ever split on
        forest = RandomForestRegressor(
            n_estimators=40, min_samples_leaf=10, max_features=None, random_state=seed
        )
        forest.fit(z[train], v[train, k])
        importance[:, k] = forest.feature_importances_
        explained[k] = max(0.0, float(forest.score(z[test], v[test, k])))
    return importance, explained


def regression_r2(
    latents: npt.ArrayLike, factors: npt.ArrayLike, degree: int = 1, seed: int = 0
) -> Float64Array:
    """R² (K,) of predicting each factor from all latents together, 0 where it is negative.

    Ridge regression on the standardised latents, or on their polynomials of ``degree``, its penalty
    chosen by leave-one-out; R² is that of a quarter of the crops, held out. Unlike the forest's
    informativeness it does not mind how the latents are rotated: a high R² beside low MIG, SAP and
    DCI says that factors are known, but spread over latents.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    z, v = _checked(latents, factors)
    test, train = _split(len(z), seed)
    found = np.zeros(v.shape[1])
    for k in range(v.shape[1]):
        model = make_pipeline(
            StandardScaler(),
            PolynomialFeatures(degree, include_bias=False),
            RidgeCV(np.logspace(-2, 5, 15)),
        )
        model.fit(z[train], v[train, k])
        found[k] = max(0.0, float(model.score(z[test], v[test, k])))
    return found


def disentanglement_of(importance: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Disentanglement D_i of each latent (L,), and its weight ρ_i (L,), from ``importance`` (L, K).

    D_i = 1 − H_K(P_i·), P_ik = R_ik / Σ_k R_ik, H_K with logarithms to the base K; ρ_i = Σ_k R_ik /
    Σ R, so that Σ ρ_i D_i is the score (Eastwood & Williams 2018, §2): 1 if every latent that is
    used is used for one factor.
    """
    total = importance.sum()
    weight = importance.sum(1) / total if total > 0 else np.zeros(len(importance))
    return 1 - _spread(importance), weight


def completeness_of(importance: Float64Array) -> Float64Array:
    """Completeness C_k of each factor (K,) from ``importance`` (L, K).

    C_k = 1 − H_L(P̃_·k), P̃_ik = R_ik / Σ_i R_ik (Eastwood & Williams 2018, §2): 1 if a single latent
    tells the factor. Each factor counts the same in the mean, as its importances sum to 1.
    """
    return 1 - _spread(importance.T)


def _split(n: int, seed: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows of a quarter of ``n`` crops to test on, and of the others to fit to."""
    test, train = np.split(np.random.default_rng(seed).permutation(n), [n // 4])
    return test, train


def _spread(rows: Float64Array) -> Float64Array:
    """Entropy of each row (R, C) of shares, between 0 and 1; 1 for rows without any."""
    n = rows.shape[1]
    if n == 1:
        return np.zeros(len(rows))
    sums = rows.sum(1, keepdims=True)
    shares = np.divide(rows, sums, out=np.full(rows.shape, 1 / n), where=sums > 0)
    logs = np.log(shares, out=np.zeros(rows.shape), where=shares > 0)
    return np.asarray(-(shares * logs).sum(1) / np.log(n))


def _top_gap(scores: Float64Array) -> Float64Array:
    """Best minus second best of each column (L, K); one row's second best is 0."""
    if len(scores) == 1:
        return np.asarray(scores[0])
    second, first = np.sort(scores, 0)[-2:]
    return np.asarray(first - second)


def _binned(values: Float64Array, bins: int) -> npt.NDArray[np.intp]:
    """Bin of each value (N,), of ``bins`` equal ones over the range."""
    low, high = values.min(), values.max()
    if high <= low:
        return np.zeros(len(values), np.intp)
    scaled = (values - low) / (high - low) * bins
    return np.asarray(np.minimum(scaled.astype(np.intp), bins - 1))


def _entropy(codes: npt.NDArray[np.intp]) -> float:
    """Entropy in nats of whole numbers (N,), with Miller and Madow's correction."""
    counts = np.bincount(codes)
    shares = counts[counts > 0] / len(codes)
    return float(-(shares * np.log(shares)).sum() + (len(shares) - 1) / (2 * len(codes)))


def _checked(latents: npt.ArrayLike, factors: npt.ArrayLike) -> tuple[Float64Array, Float64Array]:
    """Latents and factors as float64 matrices of the same crops."""
    z, v = np.asarray(latents, np.float64), np.asarray(factors, np.float64)
    if z.ndim != 2 or v.ndim != 2 or len(z) != len(v) or not z.shape[1] or not v.shape[1]:
        raise ValueError(f"latents {z.shape} and factors {v.shape} are not (N, L) and (N, K)")
    if len(z) < 100:
        raise ValueError(f"{len(z)} crops are too few to measure disentanglement: 100 at least")
    if not (np.isfinite(z).all() and np.isfinite(v).all()):
        raise ValueError("a latent or a factor is not a finite number")
    if (v.min(0) == v.max(0)).any():
        raise ValueError("a factor is constant")
    return z, v
