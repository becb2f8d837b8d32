"""What the bundle's heads are fitted on, and how: shared by the scripts that build and test it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from napari_interpdisc.crops import CROP_SIZE, normalise
from napari_interpdisc.discovery.calibration import formula_scale
from napari_interpdisc.discovery.recipe import SEARCH_VIEWS, most_used
from napari_interpdisc.models.formula import FormulaHead
from napari_interpdisc.models.heads import Head
from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig
from napari_interpdisc.symbolic.front import choose, formula_front
from napari_interpdisc.symbolic.settings import SearchSettings
from napari_interpdisc.training.augment import Augmentation, random_views, rotated_latents
from napari_interpdisc.training.heads import HeadTraining, train_dense_head
from napari_interpdisc.training.rigl import SparseTraining, train_sparse_heads
from nuclei_patches import labelled_crops, mitocheck

DATA = Path(__file__).parents[2] / "shared" / "data"
VIEWS = 24
TURNS = 2
"""Times that the latents of each view are turned by any angle."""

MAX_SIZE = 17
"""Nodes of the largest formula: 0.2 % of the dense head's."""

VIEW_AUGMENTATION = Augmentation(edge=0.2, gradient=0.4)

ANY_SHAPE = ("Interphase", "Elongated", "Large", "Binuclear", "Folded", "Polylobed")
"""MitoCheck's classes of nuclei that are in interphase, whatever their shape."""


@dataclass(frozen=True)
class Recipe:
    """Kind of a head, its classes, and MitoCheck's labels that belong to each."""

    kind: str
    classes: Mapping[str, tuple[str, ...]]

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels that the recipe knows."""
        return tuple(label for labels in self.classes.values() for label in labels)

    def target(self, labels: np.ndarray) -> np.ndarray:
        """Class position (N,) of labels, −1 where the recipe does not know them."""
        found = np.full(len(labels), -1)
        for k, own in enumerate(self.classes.values()):
            found[np.isin(labels, own)] = k
        return found


TWO = {"Interphase": ANY_SHAPE, "Metaphase": ("Metaphase",)}
PLAIN = {"Interphase": ("Interphase",), "Metaphase": ("Metaphase",)}
FOUR = {
    "Interphase": ANY_SHAPE,
    "Prometaphase": ("Prometaphase",),
    "Metaphase": ("Metaphase",),
    "Anaphase": ("Anaphase",),
}
FOUR_PLAIN = {**FOUR, "Interphase": ("Interphase",)}
FIVE = {**FOUR, "Apoptosis": ("Apoptosis",)}
FIVE_PLAIN = {**FIVE, "Interphase": ("Interphase",)}


@dataclass(frozen=True)
class LabelledNuclei:
    """Latents (N, L), views of them (V, N, L), labels (N,), plates (N,), and turning pairs."""

    latents: np.ndarray
    views: np.ndarray
    labels: np.ndarray
    plates: np.ndarray
    pairs: tuple[tuple[int, int], ...]


def encoder_of(run: Path) -> TCVAE:
    """Encoder that ``scripts/train_encoder.py`` has written to a folder."""
    settings = json.loads((run / "training.json").read_text())["settings"]
    encoder = TCVAE(TCVAEConfig(**settings["network"])).eval()
    encoder.load_state_dict(load_file(run / "weights.safetensors"))
    return encoder


@torch.inference_mode()
def encode(encoder: TCVAE, crops: np.ndarray) -> np.ndarray:
    """Latents (N, L) of crops (N, 64, 64) that are not normalised yet."""
    batches = torch.from_numpy(normalise(crops))[:, None].split(256)
    return torch.cat([encoder.encode(batch)[0] for batch in batches]).numpy()


@torch.inference_mode()
def labelled_nuclei(encoder: TCVAE, views: int = VIEWS) -> LabelledNuclei:
    """Encode MitoCheck's labelled crops, and augmented views of them (seed 0)."""
    known = np.load(DATA / "mitocheck_crops.npz", allow_pickle=False)["label"]
    keep = np.isin(known, [label for labels in FIVE.values() for label in labels])
    crops, labels, plates = labelled_crops(DATA, keep)
    source = mitocheck(DATA, keep)
    patches = torch.from_numpy(source.patches)[:, None]
    generator = torch.Generator().manual_seed(0)
    seen = []
    for _ in range(views):
        parts: list[list[torch.Tensor]] = [[] for _ in range(TURNS)]
        for some in patches.split(512):
            fields = torch.full((len(some),), source.field)
            view = random_views(some.float() / 255, fields, VIEW_AUGMENTATION, CROP_SIZE, generator)
            latents = encoder.encode(view)[0]
            for part in parts:
                part.append(rotated_latents(encoder, latents, generator))
        seen += [torch.cat(part).numpy() for part in parts]
    latents = encode(encoder, crops)
    return LabelledNuclei(latents, np.stack(seen), labels, plates, encoder.rotating_pairs)


def fitted_head(recipe: Recipe, nuclei: LabelledNuclei, rows: np.ndarray, seed: int) -> Head:
    """Fit a head on those of ``rows`` that its recipe knows."""
    target = recipe.target(nuclei.labels)
    some = rows[target[rows] >= 0]
    y, views, n_classes = target[some], nuclei.views[:, some], len(recipe.classes)
    if recipe.kind == "dense":
        return train_dense_head(views, y, n_classes, HeadTraining(seed=seed, weight_decay=1.0))
    heads = train_sparse_heads(views, y, n_classes, SparseTraining(seed=seed))
    if recipe.kind == "sparse":
        return heads[0]
    given = np.concatenate([nuclei.latents[None, some], views[:SEARCH_VIEWS]])
    use = most_used([head.used_latents for head in heads], 6)
    search = SearchSettings(engine="operon", max_size=MAX_SIZE, seed=seed)
    front = formula_front(given, y, use, search, pairs=nuclei.pairs)
    formula = choose(front, 0.005).formula
    latents, all_y = given.reshape(-1, given.shape[-1]), np.tile(y, len(given))
    return FormulaHead([formula], [formula_scale(formula, latents, all_y == 1)])


@torch.inference_mode()
def logits_of(head: Head, latents: np.ndarray) -> np.ndarray:
    """Logits (N, K) of latents (N, L)."""
    return np.asarray(head(torch.from_numpy(latents)).numpy())
