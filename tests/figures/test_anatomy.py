"""Pictures of a head taken apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from napari_interpdisc.figures.anatomy import draw_graph, draw_panels, table_of
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.store import load_model
from napari_interpdisc.scrutiny.anatomy import (
    Anatomy,
    Panel,
    part_panels,
    slice_panels,
    take_apart,
)
from napari_interpdisc.scrutiny.anatomy_response import drawn_cells, real_cells

from ..earlier_heads import with_earlier_heads
from .conftest import whole_picture


@pytest.fixture(scope="module")
def h2b() -> CellModel:
    return with_earlier_heads(load_model("h2b", device="cpu"))


@pytest.fixture(scope="module")
def sparse(h2b: CellModel) -> Anatomy:
    return take_apart(h2b, "sparse", real_cells(drawn_cells(h2b, 200).latents))


def texts(figure: Figure) -> str:
    found = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        found += [text.get_text() for text in axes.texts]
        found += [axes.get_title(), axes.get_xlabel(), axes.get_ylabel()]
    return "\n".join(found)


def test_a_graph_names_inputs_and_sub_networks(
    tmp_path: Path, drawn: list[Figure], sparse: Anatomy
) -> None:
    draw_graph(tmp_path / "graph", sparse)
    whole_picture(tmp_path / "graph.png")
    assert (tmp_path / "graph.svg").read_text("utf-8").rstrip().endswith("</svg>")
    told = texts(drawn[0])
    for text in ("z2 granularity_coarse", "√(z24²+z25²)", "sub-network 3", "Metaphase", "2.13"):
        assert text in told
    (axes,) = drawn[0].axes
    colors = [line.get_color() for line in axes.lines if len(line.get_xdata()) == 2]
    assert len(colors) == 19
    assert sparse.graph is not None
    assert colors.count("#E66101") == sum(edge.weight > 0 for edge in sparse.graph.edges)


def test_a_formula_has_no_graph(tmp_path: Path, h2b: CellModel) -> None:
    draw_graph(tmp_path / "graph", take_apart(h2b, "formula", drawn_cells(h2b, 50)))
    assert not list(tmp_path.iterdir())


def test_curves_and_maps_have_names_and_units(
    tmp_path: Path, drawn: list[Figure], h2b: CellModel, sparse: Anatomy
) -> None:
    panels = part_panels(sparse, h2b, sparse.cells.latents[0])
    draw_panels(tmp_path / "parts", panels[:2], sparse.cells, "Parts")
    whole_picture(tmp_path / "parts.png")
    told = texts(drawn[0])
    assert "z5 granularity_fine_2 (prior SD)" in told
    assert "z9 size_and_elongation_2 (prior SD)" in told
    assert "density of 200 cells" in told
    assert "no cell within 5 %" in told
    image = next(axes for axes in drawn[0].axes if axes.get_ylabel().startswith("z9")).images[0]
    low, high = image.get_clim()
    assert low == -high, "white is 0"


def test_without_real_cells_it_says_so(tmp_path: Path, drawn: list[Figure], h2b: CellModel) -> None:
    found = take_apart(h2b, "formula-strict", drawn_cells(h2b, 100))
    draw_panels(tmp_path / "s", slice_panels(found, h2b, found.cells.latents[0]), found.cells, "S")
    told = texts(drawn[0]).replace("\n", " ")
    assert "no cells given: axes from the stored density of the training cells of h2b" in told
    assert "density of 100" not in told


def test_nothing_is_written_for_no_panels(tmp_path: Path, sparse: Anatomy) -> None:
    draw_panels(tmp_path / "none", [], sparse.cells, "None")
    assert not list(tmp_path.iterdir())


def test_a_table_has_what_is_drawn(h2b: CellModel, sparse: Anatomy) -> None:
    panels: list[Panel] = part_panels(sparse, h2b, sparse.cells.latents[0])
    curve, surface = table_of(panels[:2])
    assert len(curve["x"]) == 101
    assert np.isnan(curve["y"]).all()
    assert len(surface["x"]) == 101**2
    names = surface["x_name"], surface["y_name"]
    assert names == ("z6 size_and_elongation", "z9 size_and_elongation_2")
    at = 101 * 7 + 3
    x = np.array([[surface["x"][at], surface["y"][at]]], float)
    assert surface["value"][at] == pytest.approx(panels[1].response.part(x)[0])
