"""The page: text is escaped, figures are inside, and nothing is asked for from outside."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from napari_interpdisc.report.page import Section, figure_uri, pixels_uri, render


def test_names_of_strangers_are_text() -> None:
    section = Section("On <b>cells</b>")
    section.say("A class called <script>alert(1)</script>.")
    section.table(("<i>", "b"), [("<img src=x onerror=alert(1)>", 3)], "<u>caption</u>")
    page = render("<title>", "& more", [section])
    assert "<script>" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<title>&lt;title&gt;</title>" in page


def test_markdown_of_strangers_is_text_and_its_pictures_stay_out() -> None:
    section = Section("Card")
    section.markdown(
        "# h2b\n\n<script>alert(1)</script>\n\n![x](http://example.com/x.png)\n\n"
        "text with ![y](http://example.com/y.png)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    page = render("t", "s", [section])
    assert "<script>" not in page
    assert "<img" not in page
    assert "<h3>h2b</h3>" in page
    assert "<td>1</td>" in page


def test_a_section_has_its_place_in_the_contents() -> None:
    page = render("t", "s", [Section("The rule"), Section("Data, hashes")])
    for anchor in ("the-rule", "data--hashes"):
        assert f'href="#{anchor}"' in page
        assert f'id="{anchor}"' in page


def test_the_same_figure_gives_the_same_bytes() -> None:
    def drawn() -> Figure:
        figure = Figure(figsize=(1, 1))
        figure.subplots().plot([0, 1])
        return figure

    for kind, start in (("svg", "data:image/svg+xml;base64,"), ("png", "data:image/png;base64,")):
        first, second = (figure_uri(drawn(), kind) for _ in range(2))  # type: ignore[arg-type]
        assert first.startswith(start)
        assert first == second


def test_a_figure_has_its_sentence() -> None:
    section = Section("S")
    section.figure(Figure(figsize=(2, 1)), "What it shows.")
    section.picture(np.zeros((4, 10, 4), np.uint8), "A rule.", 0.5)
    page = render("t", "s", [section])
    assert page.count("<figcaption>") == 2
    assert 'width="192"' in page
    assert 'width="5"' in page
    assert pixels_uri(np.zeros((4, 10, 4), np.uint8)) in page
