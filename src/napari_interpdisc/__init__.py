"""Interpretable discovery of cell states in napari: classify, explain and perturb single cells.

The way of a cell through the package, one module for each step: an image and its centroids
(:mod:`~napari_interpdisc.frames`, :mod:`~napari_interpdisc.cells`) become crops
(:mod:`~napari_interpdisc.crops`), latents and scores (:mod:`~napari_interpdisc.models`), and
classes (:mod:`~napari_interpdisc.pipeline`). Widgets and command line call these same functions.

Importing the package imports neither Qt nor torch: the names below are imported when they are first
used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_interpdisc.cells import CellTable
    from napari_interpdisc.discovery.audit import audit_labels
    from napari_interpdisc.discovery.augmented import label_cells, label_ready_crops
    from napari_interpdisc.discovery.card import discovered_model
    from napari_interpdisc.discovery.cross_validation import discover
    from napari_interpdisc.discovery.labelled import LabelledCells, Labels
    from napari_interpdisc.discovery.rashomon import rashomon_set
    from napari_interpdisc.discovery.recipe import Recipe
    from napari_interpdisc.discovery.results import Discovery
    from napari_interpdisc.errors import Cancelled, InterpdiscError, InvalidInput, InvalidModel
    from napari_interpdisc.frames import Frames
    from napari_interpdisc.io.images import read_frames, read_labels
    from napari_interpdisc.io.tracks import read_cells
    from napari_interpdisc.models.cell_model import CellModel
    from napari_interpdisc.models.formula import parse_formula
    from napari_interpdisc.models.store import installed_models, load_model, save_model
    from napari_interpdisc.nuclei.detection import detect_movie
    from napari_interpdisc.nuclei.diameter import estimate_diameter
    from napari_interpdisc.pipeline import (
        Classification,
        Encoding,
        classify,
        encode_cells,
        movie_warnings,
    )
    from napari_interpdisc.scrutiny.anatomy import Anatomy, take_apart
    from napari_interpdisc.scrutiny.attacks import AttackSettings, Perturbation, perturb
    from napari_interpdisc.scrutiny.counterfactual import (
        CounterfactualPath,
        counterfactual_path,
        real_cells,
    )
    from napari_interpdisc.scrutiny.score_results import Scorecard
    from napari_interpdisc.scrutiny.score_tests import ScorecardSettings
    from napari_interpdisc.scrutiny.scorecard import score_head, score_heads
    from napari_interpdisc.scrutiny.segmented import segment_cells
    from napari_interpdisc.scrutiny.terms import Rule, Term, latent_weights, rule_of
    from napari_interpdisc.simulate.movie import simulate_movie

try:
    __version__ = version("napari-interpdisc")
except PackageNotFoundError:  # a source tree on the path that was never installed
    __version__ = "0.0.0"

_PLACES = {
    "Anatomy": "scrutiny.anatomy",
    "AttackSettings": "scrutiny.attacks",
    "Cancelled": "errors",
    "CellTable": "cells",
    "Classification": "pipeline",
    "CellModel": "models.cell_model",
    "CounterfactualPath": "scrutiny.counterfactual",
    "Discovery": "discovery.results",
    "Encoding": "pipeline",
    "Frames": "frames",
    "InterpdiscError": "errors",
    "InvalidInput": "errors",
    "InvalidModel": "errors",
    "LabelledCells": "discovery.labelled",
    "Labels": "discovery.labelled",
    "Perturbation": "scrutiny.attacks",
    "Recipe": "discovery.recipe",
    "Rule": "scrutiny.terms",
    "SavedSession": "session_folder",
    "Scorecard": "scrutiny.score_results",
    "ScorecardSettings": "scrutiny.score_tests",
    "Term": "scrutiny.terms",
    "audit_labels": "discovery.audit",
    "classify": "pipeline",
    "counterfactual_path": "scrutiny.counterfactual",
    "detect_movie": "nuclei.detection",
    "discover": "discovery.cross_validation",
    "discovered_model": "discovery.card",
    "encode_cells": "pipeline",
    "estimate_diameter": "nuclei.diameter",
    "installed_models": "models.store",
    "label_cells": "discovery.augmented",
    "label_ready_crops": "discovery.augmented",
    "latent_weights": "scrutiny.terms",
    "load_model": "models.store",
    "movie_warnings": "pipeline",
    "open_session": "session_folder",
    "parse_formula": "models.formula",
    "perturb": "scrutiny.attacks",
    "read_cells": "io.tracks",
    "read_frames": "io.images",
    "rashomon_set": "discovery.rashomon",
    "read_labels": "io.images",
    "real_cells": "scrutiny.counterfactual",
    "rule_of": "scrutiny.terms",
    "save_model": "models.store",
    "save_session": "session_folder",
    "score_head": "scrutiny.scorecard",
    "score_heads": "scrutiny.scorecard",
    "segment_cells": "scrutiny.segmented",
    "simulate_movie": "simulate.movie",
    "take_apart": "scrutiny.anatomy",
}
"""Module of each public name."""

__all__ = [
    "Anatomy",
    "AttackSettings",
    "Cancelled",
    "CellModel",
    "CellTable",
    "Classification",
    "CounterfactualPath",
    "Discovery",
    "Encoding",
    "Frames",
    "InterpdiscError",
    "InvalidInput",
    "InvalidModel",
    "LabelledCells",
    "Labels",
    "Perturbation",
    "Recipe",
    "Rule",
    "SavedSession",
    "Scorecard",
    "ScorecardSettings",
    "Term",
    "__version__",
    "audit_labels",
    "classify",
    "counterfactual_path",
    "detect_movie",
    "discover",
    "discovered_model",
    "encode_cells",
    "estimate_diameter",
    "installed_models",
    "label_cells",
    "label_ready_crops",
    "latent_weights",
    "load_model",
    "movie_warnings",
    "open_session",
    "parse_formula",
    "perturb",
    "rashomon_set",
    "read_cells",
    "read_frames",
    "read_labels",
    "real_cells",
    "rule_of",
    "save_model",
    "save_session",
    "score_head",
    "score_heads",
    "segment_cells",
    "simulate_movie",
    "take_apart",
]


def __getattr__(name: str) -> object:
    """Import a public name from its module when it is first used."""
    if name not in _PLACES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    value = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """All public names, imported or not."""
    return sorted(__all__)
