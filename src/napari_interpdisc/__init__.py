"""Interpretable discovery of cell states in napari: classify, explain and perturb single cells.

The way of a cell through the package, one module for each step: an image and its centroids
(:mod:`~napari_interpdisc.frames`, :mod:`~napari_interpdisc.cells`) become crops
(:mod:`~napari_interpdisc.crops`), latents and scores (:mod:`~napari_interpdisc.models`), and
classes (:mod:`~napari_interpdisc.pipeline`). Widgets and command line call these same functions.

Importing the package imports neither Qt nor torch.
"""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

try:
    __version__ = version("napari-interpdisc")
except PackageNotFoundError:  # a source tree on the path that was never installed
    __version__ = "0.0.0"
