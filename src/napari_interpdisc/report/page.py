"""The HTML page: sections of sentences, figures and tables, all in one file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Literal

import numpy as np
import numpy.typing as npt
from jinja2 import Environment
from markdown_it import MarkdownIt
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from napari_interpdisc.figures.canvas import no_maths

DPI = 110


@dataclass(frozen=True)
class Block:
    """A piece of a section.

    Attributes
    ----------
    kind
        What it is; ``text`` and ``note`` have a sentence, ``figure`` a picture, ``table`` rows,
        ``html`` what was made of Markdown.
    text
        Sentence, or caption of a figure or table.
    uri, width
        Picture, as a data URI, and its width in px, or 0 for all that there is.
    head, rows
        Titles and rows of a table.
    html
        Markup that this module has made.
    """

    kind: Literal["text", "note", "figure", "table", "html"]
    text: str = ""
    uri: str = ""
    width: int = 0
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    html: str = ""


@dataclass
class Section:
    """A part of the report.

    Attributes
    ----------
    title
        Its heading.
    blocks
        What is in it, in order.
    """

    title: str
    blocks: list[Block] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """Name of its place in the page."""
        return "".join(c if c.isalnum() else "-" for c in self.title.lower())

    def say(self, *sentences: str) -> None:
        """Add sentences, a paragraph each."""
        self.blocks += [Block("text", sentence) for sentence in sentences if sentence]

    def note(self, sentence: str) -> None:
        """Add a sentence that is to be seen."""
        self.blocks.append(Block("note", sentence))

    def figure(self, figure: Figure, caption: str, kind: Literal["svg", "png"] = "png") -> None:
        """Add a figure, and the sentence that belongs to it."""
        width = round(float(figure.get_size_inches()[0]) * 96)
        self.blocks.append(Block("figure", caption, uri=figure_uri(figure, kind), width=width))

    def picture(self, pixels: npt.NDArray[np.uint8], caption: str, scale: float = 1.0) -> None:
        """Add a picture (Y, X, 4) RGBA, shown ``scale`` times as large as it is."""
        width = round(pixels.shape[1] * scale)
        self.blocks.append(Block("figure", caption, uri=pixels_uri(pixels), width=width))

    def table(
        self, head: Sequence[str], rows: Sequence[Sequence[object]], caption: str = ""
    ) -> None:
        """Add a table."""
        told = tuple(tuple(map(str, row)) for row in rows)
        self.blocks.append(Block("table", caption, head=tuple(head), rows=told))

    def markdown(self, text: str) -> None:
        """Add Markdown; HTML in it is shown as text, and pictures that it links to are left out."""
        parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
        # headings of a card belong below that of its section
        lowered = "\n".join(
            f"##{line}" if line.startswith("#") else line
            for line in text.splitlines()
            if not line.startswith("![")
        )
        self.blocks.append(Block("html", html=Markup(parser.render(lowered))))


def figure_uri(figure: Figure, kind: Literal["svg", "png"] = "png") -> str:
    """Return a figure as a data URI, the same for the same figure."""
    FigureCanvasAgg(no_maths(figure))
    written = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    with rc_context({"svg.hashsalt": "interpdisc"}):
        figure.savefig(written, format=kind, dpi=DPI, facecolor="white", metadata=metadata)
    mime = "image/svg+xml" if kind == "svg" else "image/png"
    return f"data:{mime};base64,{base64.b64encode(written.getvalue()).decode()}"


def pixels_uri(pixels: npt.NDArray[np.uint8]) -> str:
    """Return a picture (Y, X, 4) RGBA as a data URI."""
    from PIL import Image

    written = io.BytesIO()
    Image.fromarray(pixels).save(written, format="png")
    return f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}"


def render(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """Return the page as HTML that asks for nothing from outside.

    All text is escaped: names of classes and models are those of whoever made the model.
    """
    template = files(__package__).joinpath("page.html").read_text("utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(
        title=title, subtitle=subtitle, sections=sections
    )
