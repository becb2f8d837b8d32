"""Links that GitHub follows, to Markdown files that are no pages: here they become downloads."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

LINK = re.compile(r"\]\(([^)#:\s]+\.md)\)")


def link_files(app: Sphinx, docname: str, source: list[str]) -> None:
    """Mark each link to a Markdown file that is not a page as a link to a file."""
    folder = Path(app.srcdir, docname).parent

    def marked(link: re.Match[str]) -> str:
        target = (folder / link[1]).resolve()
        name = app.env.path2doc(target)
        is_page = name in app.env.found_docs
        return link[0] if is_page or not target.is_file() else f"](path:{link[1]})"

    source[0] = LINK.sub(marked, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Rewrite the links of each page before it is parsed."""
    app.connect("source-read", link_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
