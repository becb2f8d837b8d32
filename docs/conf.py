"""Configuration of the documentation: Markdown by MyST, built with warnings as errors."""

import sys
from importlib.metadata import version as _version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "napari-interpdisc"
author = "napari-interpdisc contributors"
copyright = "2026, napari-interpdisc contributors"
release = version = _version("napari-interpdisc")

extensions = [
    "generated_reference",
    "github_links",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
# Tables that a command writes are parts of pages, not pages.
exclude_patterns = ["_build", "results/*/*.md"]

napoleon_google_docstring = False
napoleon_use_ivar = True
autodoc_member_order = "bysource"
napoleon_attr_annotations = False
autodoc_default_options = {"exclude-members": "model_config"}
python_maximum_signature_line_length = 88

smartquotes_action = "qe"  # quotes and dots; "--tracks" keeps its two dashes

html_theme = "furo"
html_title = project
