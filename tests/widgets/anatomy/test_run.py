from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_interpdisc._types import silent
from napari_interpdisc.errors import Cancelled, InvalidInput
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.scrutiny.anatomy import Anatomy
from napari_interpdisc.widgets.anatomy import run as module
from napari_interpdisc.widgets.anatomy.part_view import PartView
from napari_interpdisc.widgets.anatomy.run import (
    find_in_turn,
    plan_report,
    report_cells,
    write_graph,
    write_head_report,
    write_plot,
)


def test_parts_are_tested_in_turn_and_none_twice(
    formula: Anatomy, bundled_model: CellModel
) -> None:
    found: dict[str, Any] = {"term 1": ()}
    told: list[tuple[int, int]] = []
    find_in_turn(
        formula.parts[:3], bundled_model, formula.cells, found, lambda *at: told.append(at)
    )
    assert found["term 1"] == ()
    assert {one.part for one in found["term 3"]} == {"term 3"}
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_what_was_tested_before_a_cancel_stays(formula: Anatomy, bundled_model: CellModel) -> None:
    found: dict[str, Any] = {}

    def stop(done: int, _: int) -> None:
        if done == 1:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        find_in_turn(formula.parts, bundled_model, formula.cells, found, stop)
    assert list(found) == ["term 1"]


def test_a_plot_is_saved_as_picture_and_table(
    formula: Anatomy, bundled_model: CellModel, tmp_path: Path
) -> None:
    view = PartView(formula.wholes[0], formula.cells, bundled_model, (0, 2))
    panel = view.panel(formula.cells.latents[0])
    for name in ("plot.png", "plot.SVG", "plot.csv"):
        write_plot(tmp_path / name, panel, formula.cells, "a head")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert "granularity_coarse" in (tmp_path / "plot.SVG").read_text("utf-8")
    table = pd.read_csv(tmp_path / "plot.csv")
    assert table.y_name[0] == "z11"
    np.testing.assert_allclose(table.value, panel.response.values.ravel(), rtol=1e-5)
    with pytest.raises(InvalidInput, match=r"'plot.jpg' is no name of a plot; let it end with .p"):
        write_plot(tmp_path / "plot.jpg", panel, formula.cells, "a head")


def test_a_graph_is_saved_as_picture_and_table(
    sparse: Anatomy, formula: Anatomy, tmp_path: Path
) -> None:
    write_graph(tmp_path / "graph.svg", sparse)
    assert "Metaphase" in (tmp_path / "graph.svg").read_text("utf-8")
    write_graph(tmp_path / "graph.csv", sparse)
    table = pd.read_csv(tmp_path / "graph.csv")
    assert sparse.graph is not None
    np.testing.assert_allclose(table.weight, [e.weight for e in sparse.graph.edges], rtol=1e-5)
    with pytest.raises(InvalidInput, match="is a formula, which has no graph"):
        write_graph(tmp_path / "none.csv", formula)


def test_a_report_looks_at_the_cells_of_the_session(
    make_scene: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_REPORTED", 5)
    session = make_scene(window=False).session
    session.set_model(session.model, "formula")
    run = plan_report(session)
    assert run.head == "formula"
    cells = report_cells(run)
    assert cells is not None
    assert len(cells) == 5
    assert run.rows is not None
    assert list(cells.groups) == list(session.encoding.cells.track_id[run.rows])
    np.testing.assert_allclose(cells.latents, session.encoding.latents[run.rows])
    np.testing.assert_allclose(
        session.model.encode(cells.crops)[0], cells.latents, atol=2e-3, err_msg="the same crops"
    )
    assert cells.source["segmentation"] == "built-in"
    assert cells.labels is None


def test_a_segmentation_of_the_session_outlines_the_nuclei(
    make_scene: Callable[..., Any],
) -> None:
    scene = make_scene(window=False)
    masks = (np.asarray(scene.image.data) > 50).astype(int)
    scene.session.labels = scene.viewer.add_labels(masks, name="masks")
    run = plan_report(scene.session)
    assert run.planes is not None
    assert run.source is not None
    assert run.source["segmentation"] == "masks"
    assert report_cells(run) is not None


def test_without_cells_a_report_is_of_the_model_alone(
    make_scene: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make_scene(window=False, finished=False).session
    session.set_model(session.model, "formula")
    run = plan_report(session)
    assert report_cells(run) is None
    asked: list[Any] = []
    monkeypatch.setattr(
        "napari_interpdisc.report.build.write_report", lambda *given: asked.append(given)
    )
    write_head_report(tmp_path / "r.html", run, silent)
    assert asked == [(tmp_path / "r.html", session.model, "formula", None, silent)]
