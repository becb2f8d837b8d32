"""Configuration of the documentation: Markdown by MyST, built with warnings as errors."""

from importlib.metadata import version as _version

project = "napari-interpdisc"
author = "napari-interpdisc contributors"
copyright = "2026, napari-interpdisc contributors"
release = version = _version("napari-interpdisc")

extensions = ["myst_parser"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = project
