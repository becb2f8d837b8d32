"""Dense heads and plain baselines on the MitoCheck crops, split by plate.

``python scripts/evaluate_heads.py --weights RUN/weights.safetensors`` (or ``--model NAME``) prints
balanced accuracy, mean ± standard deviation over seeds: each seed draws its own five plate-grouped
folds and its own initial weights; every method sees the same folds. The encoder was trained
without labels, on all plates.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from skimage import feature, filters, measure
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from napari_interpdisc.crops import CROP_SIZE, MODEL_DIAMETER, cut_crops, normalise
from napari_interpdisc.models.store import load_model
from napari_interpdisc.models.tcvae import TCVAE
from napari_interpdisc.training.augment import Augmentation, random_views
from napari_interpdisc.training.heads import HeadTraining, train_dense_head
from nuclei_patches import MITOCHECK_DIAMETER, PATCH, mitocheck

DATA = Path(__file__).parents[2] / "shared" / "data"
VIEWS = 24
INTERPHASE_SHAPES = ("Interphase", "Elongated", "Large", "Binuclear", "Folded", "Polylobed")
"""MitoCheck's classes of nuclei that are in interphase, whatever their shape."""

TASKS = {
    "Interphase vs Metaphase": (("Interphase",), ("Metaphase",)),
    "Interphase vs Metaphase+MetaphaseAlignment": (
        ("Interphase",),
        ("Metaphase", "MetaphaseAlignment"),
    ),
    "Interphase of any shape vs Metaphase": (INTERPHASE_SHAPES, ("Metaphase",)),
}


def labelled_crops() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Raw crops at the model's diameter (N, 64, 64), labels, plates."""
    data = np.load(DATA / "mitocheck_crops.npz", allow_pickle=False)
    zoom = MODEL_DIAMETER / MITOCHECK_DIAMETER
    crops = [
        cut_crops(im.astype(np.float32), [(31.5, 31.5)], zoom, CROP_SIZE) for im in data["images"]
    ]
    return np.concatenate(crops), data["label"], data["plate"]


@torch.inference_mode()
def latent_views(encoder: TCVAE, keep: np.ndarray, views: int, seed: int = 0) -> np.ndarray:
    """Latents of augmented views (views, N, 32) of the crops where ``keep``."""
    source = mitocheck(DATA, keep)
    patches = torch.from_numpy(source.patches).float()[:, None] / 255
    assert patches.shape[-1] == PATCH
    fields = torch.full((len(patches),), source.field)
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(views):
        crops = random_views(patches, fields, Augmentation(edge=0.2), CROP_SIZE, generator)
        found.append(encoder.encode(crops)[0].numpy())
    return np.stack(found)


def hog(crops: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients of normalised crops."""
    return np.array([feature.hog(c, pixels_per_cell=(8, 8)) for c in normalise(crops)])


def shape_features(crops: np.ndarray) -> np.ndarray:
    """Regionprops of the central object after Otsu's threshold, without raw intensity."""
    rows = []
    for crop in normalise(crops):
        smooth = filters.gaussian(crop, 1)
        regions = measure.label(smooth > filters.threshold_otsu(smooth))
        centre = regions[24:40, 24:40]
        centre = centre[centre > 0]
        index = np.bincount(centre).argmax() if centre.size else 1
        p = measure.regionprops((regions == index).astype(int), intensity_image=crop)[0]
        rows.append(
            [
                p.area, p.eccentricity, p.solidity, p.extent, p.perimeter, p.axis_major_length,
                p.axis_minor_length, p.intensity_mean, p.intensity_max,
                crop[regions == index].std(),
            ]
        )  # fmt: skip
    return np.array(rows)


Fit = Callable[[np.ndarray, int], np.ndarray]


def out_of_fold(y: np.ndarray, plates: np.ndarray, seed: int, fit_predict: Callable) -> float:
    """Balanced accuracy of pooled predictions over five plate-grouped folds."""
    predicted = np.empty_like(y)
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    for train, test in folds.split(y, y, plates):
        assert not set(plates[train]) & set(plates[test])
        predicted[test] = fit_predict(train, test, seed)
    return float(balanced_accuracy_score(y, predicted))


def sklearn_method(features: np.ndarray, y: np.ndarray, make: Callable) -> Callable:
    """Fit ``make(seed)`` on the training rows."""
    return lambda train, test, seed: (
        make(seed).fit(features[train], y[train]).predict(features[test])
    )


def evaluate(encoder: TCVAE, seeds: int) -> dict[str, dict[str, tuple[float, float]]]:
    """Mean and standard deviation over seeds, for each task and method."""
    crops, labels, plates = labelled_crops()
    results: dict[str, dict[str, tuple[float, float]]] = {}
    for task, (negative, positive) in TASKS.items():
        keep = np.isin(labels, (*negative, *positive))
        y = np.isin(labels[keep], positive).astype(np.int64)
        with torch.inference_mode():
            z = encoder.encode(torch.from_numpy(normalise(crops[keep]))[:, None])[0].numpy()
        views = latent_views(encoder, keep, VIEWS)
        h, s = hog(crops[keep]), shape_features(crops[keep])

        def dense(train, test, seed, y=y, views=views, z=z):
            head = train_dense_head(views[:, train], y[train], 2, HeadTraining(seed=seed))
            with torch.inference_mode():
                return (head(torch.from_numpy(z[test]))[:, 0] >= 0).long().numpy()

        def logistic(seed: int):
            return make_pipeline(
                StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000)
            )

        def forest(seed: int):
            return RandomForestClassifier(300, class_weight="balanced", random_state=seed)

        def hog_logistic(seed: int):
            return make_pipeline(PCA(50, random_state=seed), *[s[1] for s in logistic(seed).steps])

        methods = {
            "β-TCVAE + dense head (1040 weights)": dense,
            "β-TCVAE + logistic (linear probe)": sklearn_method(z, y, logistic),
            "HOG + PCA + logistic": sklearn_method(h, y, hog_logistic),
            "regionprops + logistic": sklearn_method(s, y, logistic),
            "regionprops + random forest": sklearn_method(s, y, forest),
        }
        results[task] = {}
        for name, method in methods.items():
            scores = [out_of_fold(y, plates[keep], seed, method) for seed in range(seeds)]
            results[task][name] = (float(np.mean(scores)), float(np.std(scores, ddof=1)))
            mean, sd = results[task][name]
            print(f"{task:45s} {name:38s} {mean:.3f} ± {sd:.3f}", flush=True)
    return results


def main() -> None:
    """Parse, evaluate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--model", default="h2b")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.weights:
        encoder = TCVAE().eval()
        encoder.load_state_dict(load_file(args.weights))
    else:
        encoder = load_model(args.model, device="cpu").encoder
    results = evaluate(encoder, args.seeds)
    if args.out:
        args.out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
