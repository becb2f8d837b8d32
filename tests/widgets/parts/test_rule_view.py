"""The rule in a window: of each kind of head, with a cell's values, and while there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_interpdisc.models.cell_model import CellModel, NamedHead
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.heads import SparseHead
from napari_interpdisc.models.properties import HeadProperties
from napari_interpdisc.number_text import with_sign
from napari_interpdisc.scrutiny.terms import latent_weights
from napari_interpdisc.widgets.parts import rule_view
from napari_interpdisc.widgets.parts.rule_view import (
    CUT,
    MOST_LATENTS,
    NO_CELL,
    NO_CELLS,
    NO_MODEL,
    UNDEFINED,
    RuleView,
    readable,
    rule_part,
)
from napari_interpdisc.widgets.session import Session

Scene = SimpleNamespace
ROW = 3


@pytest.fixture
def scene(make_scene: Callable[..., Scene], qtbot: Any) -> Scene:
    made = make_scene(window=False)
    made.view = RuleView(made.session)
    qtbot.addWidget(made.view)
    made.view.resize(320, 400)
    made.view.show()
    return made


def choose(scene: Scene, *texts: str, classes: tuple[str, ...] = ("round", "<flat>")) -> None:
    """Give the session a formula head."""
    head = NamedHead("mine", FormulaHead([parse_formula(t) for t in texts]), classes)
    scene.session.set_model(
        replace(scene.session.model, sha256="".join(texts), heads={"mine": head})
    )


def values(view: RuleView) -> list[float]:
    return [bar.value for bar in view.bars.bars]


def test_the_terms_of_the_selected_cell_sum_to_its_score(scene: Scene) -> None:
    session, view = scene.session, scene.view
    session.set_model(session.model, "formula")
    assert view.cell.text() == NO_CELL
    assert not view.bars.isVisible()
    assert view.about.text() == "Score ≥ 0 ⇒ Metaphase, else Interphase."
    for row in (ROW, 0):
        session.select(row)
        score = float(session.classification.scores[row, 0])
        assert sum(values(view)) == pytest.approx(score, abs=2e-3)
        assert view.bars.total.value == pytest.approx(score, abs=2e-3)
        assert view.cell.text() == f"Cell {session.encoding.cells.track_id[row]}, frame " + str(
            session.encoding.cells.t[row]
        )
        name = session.classification.classes[int(score >= 0)]
        assert f"<b>{name}</b>" in view.verdict.text()
    z = session.encoding.latents[0]
    first = view.bars.bars[0]
    assert first.name == "6.79·granularity_coarse_z2"
    assert first.filled == readable(f"6.79*{z[2]:.2f}" if z[2] >= 0 else f"6.79*({z[2]:.2f})")
    assert "z2 granularity_coarse: coarse granularity, ρ = 0.92" in first.tip
    assert view.maths[0].parts[0] == r"\mathrm{score} ="
    assert len(view.maths[0].parts) == 5
    assert "0.255*granularity_coarse_z2" in view.maths[0].toolTip(), "the formula as it is stored"
    session.select(None)
    assert view.cell.text() == NO_CELL


def test_of_several_classes_the_one_that_decides_is_marked(scene: Scene) -> None:
    session, view = scene.session, scene.view
    session.select(ROW)
    session.set_model(session.model, "states-sparse")
    scores = session.classification.scores[ROW]
    best = int(scores.argmax())
    assert [line.name for line in view.classes] == list(session.classification.classes)
    assert [line.decides for line in view.classes] == [k == best for k in range(4)]
    np.testing.assert_allclose([line.score for line in view.classes], scores, atol=1e-3)
    assert len(view.maths) == 4
    assert sum(values(view)) == pytest.approx(float(scores[best]), abs=1e-3)
    assert "(size_z0, " in "".join(bar.name for bar in view.bars.bars), "inputs are named"
    assert f"The highest score ⇒ <b>{session.classification.classes[best]}</b>" in (
        view.verdict.text()
    )


def test_a_dense_head_has_no_rule_and_latents_that_weigh_most(scene: Scene) -> None:
    session, view = scene.session, scene.view
    session.set_model(session.model, "dense")
    assert "dense network of 832 weights: there is no rule to read" in view.about.text()
    assert "score of 7 cells" in view.cell.text()
    weights = latent_weights(session.model.head("dense").head, session.encoding.latents)[0]
    assert values(view) == pytest.approx(sorted(weights, reverse=True)[:MOST_LATENTS])
    assert view.bars.bars[0].name == session.model.latent_label(int(weights.argmax()))
    assert not view.bars.signed
    assert not view.maths
    session.set_model(session.model, "formula")
    session.select(ROW)
    session.set_model(session.model, "dense")
    assert values(view) == pytest.approx(sorted(weights, reverse=True)[:MOST_LATENTS])
    session.clear()
    assert view.cell.text() == NO_CELLS
    assert not view.bars.isVisible()


def test_latents_are_weighed_once_for_the_same_cells(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    weigh = rule_view.latent_weights
    monkeypatch.setattr(
        rule_view, "latent_weights", lambda head, z: asked.append(len(z)) or weigh(head, z)
    )
    scene.session.set_model(scene.session.model, "dense-plain")
    scene.session.select(ROW)
    scene.session.select(0)
    assert asked == [7]
    monkeypatch.setattr(rule_view, "MOST_CELLS", 3)
    scene.session.set_model(scene.session.model, "states")
    assert asked == [7, 3]
    assert "scores of the classes of 3 cells" in scene.view.cell.text()


def test_names_of_classes_are_no_mark_up(scene: Scene) -> None:
    choose(scene, "z1 - 100")
    assert "&lt;flat&gt;" in scene.view.about.text()
    scene.session.select(ROW)
    assert scene.view.verdict.text() == "Score &lt; 0 ⇒ <b>round</b>, else &lt;flat&gt;"


@pytest.mark.parametrize(
    ("text", "begins", "told"),
    [
        ("log(0 - 1 - z1**2)", "Score –.", UNDEFINED),
        ("1000000*(z1**2 + 2)", "Score ≥ 0 ⇒ <b>&lt;flat&gt;</b>", CUT),
    ],
)
def test_what_the_head_does_to_its_sum_is_said(
    scene: Scene, text: str, begins: str, told: str
) -> None:
    scene.session.select(ROW)
    choose(scene, text)
    assert scene.view.verdict.text().startswith(begins)
    assert told in scene.view.verdict.text()
    choose(scene, "z1")
    assert told not in scene.view.verdict.text()


def test_nothing_is_done_while_hidden(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    view, session = scene.view, scene.session
    asked: list[str] = []
    rule_of = rule_view.rule_of
    monkeypatch.setattr(
        rule_view, "rule_of", lambda named, model: asked.append(named.name) or rule_of(named, model)
    )
    view.hide()
    titles: list[str] = []
    view.titled.connect(titles.append)
    session.set_model(session.model, "sparse")
    session.set_model(session.model, "formula")
    session.select(ROW)
    assert asked == []
    assert view.rule is None
    assert titles[-1] == "Rule: 'formula'"
    view.show()
    assert asked == ["formula"]
    assert view.bars.bars


def test_before_there_is_a_model_none_is_loaded(
    qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_interpdisc.widgets.session.load_model", None)
    view = RuleView(Session())
    qtbot.addWidget(view)
    view.show()
    assert view.about.text() == NO_MODEL
    assert view.title == "Rule"
    assert not view.bars.isVisible()


def test_a_model_without_a_head_is_one_sentence(scene: Scene, bundled_model: CellModel) -> None:
    scene.session._model = replace(bundled_model, heads={})
    scene.session.clear()
    assert "has no head yet" in scene.view.about.text()


def test_a_cell_without_pixels_has_no_values(scene: Scene) -> None:
    session = scene.session
    session.set_model(session.model, "formula")
    session.encoding.no_pixels[ROW] = "a blank frame"
    session.encoding.__dict__.pop("usable", None)  # it is worked out once
    session.select(ROW)
    assert scene.view.cell.text() == "This cell has a blank frame, and so no values."
    assert not scene.view.bars.isVisible()


def test_the_owner_may_tell_the_latents(scene: Scene, qtbot: Any) -> None:
    view = RuleView(scene.session, own_cell=False)
    qtbot.addWidget(view)
    scene.session.set_model(scene.session.model, "formula")
    scene.session.select(ROW)
    view.show()
    assert not view.bars.isVisible(), "not those of the selected cell"
    z = np.zeros(32, np.float32)
    z[7] = 1
    view.show_latents(z)
    assert view.bars.total.value == pytest.approx(
        float(scene.session.model.score(z[None], "formula")[0, 0]), abs=1e-3
    )
    assert with_sign(values(view)[1]) == "+26.64"
    view.show_latents(None)
    assert not view.bars.isVisible()


def test_the_part_folds_and_grows_with_what_it_shows(scene: Scene, qtbot: Any) -> None:
    view = RuleView(scene.session)
    part = rule_part(view)
    qtbot.addWidget(part)
    scene.session.set_model(scene.session.model, "formula")
    part.resize(320, 600)
    part.show()
    assert part.text() == "Rule: 'formula'"
    qtbot.waitUntil(lambda: view.maths[0].pixmap is not None)
    low = part.sizeHint().height()
    scene.session.select(ROW)
    qtbot.waitUntil(lambda: part.sizeHint().height() > low + 60)
    part.collapse(animate=False)
    assert not view.isVisible()
    scene.session.set_model(scene.session.model, "dense")
    assert part.text() == "No rule: 'dense' is a dense network"
    part.expand(animate=False)
    assert "no rule" in view.about.text()


def test_text_of_a_formula_is_printed_as_maths() -> None:
    assert readable("-2.5*z1**2 - z2**3*z3**0.5") == "−2.5·z1² − z2³·z3^0.5"


def by_area(scene: Scene, head: object = None) -> HeadProperties:
    """Give the session cells with areas, and a head that reads them."""
    read = HeadProperties(("area",), (400.0,), (100.0,))
    areas = np.full(len(scene.session.encoding.latents), 550.0)
    areas[0] = np.nan
    scene.session.set_measured(replace(scene.session.encoding, properties={"area": areas}))
    rule = parse_formula("2*area - z1", 32, None, read.names)
    made = head or FormulaHead([rule], (), read)
    named = NamedHead("mine", made, ("small", "large"))
    scene.session.set_model(replace(scene.session.model, sha256="area", heads={"mine": named}))
    return read


def test_a_rule_of_properties_is_filled_with_the_cells_own(scene: Scene) -> None:
    by_area(scene)
    view, session = scene.view, scene.session
    session.select(ROW)
    bars = {bar.name: bar for bar in view.bars.bars}
    assert bars["2·area"].value == pytest.approx(3.0)
    assert bars["2·area"].numbers == "2·1.50" if hasattr(bars["2·area"], "numbers") else True
    score = float(session.classification.scores[ROW, 0])
    assert view.bars.total.value == pytest.approx(score, abs=2e-3)
    assert "area = (measured − 400) / 100, in px²" in view.about.text()
    session.select(0)
    assert not view.bars.isVisible()
    assert "No whole nucleus was found" in view.cell.text()


def test_a_sparse_head_of_properties_says_what_it_reads(scene: Scene) -> None:
    read = HeadProperties(("area",), (400.0,), (100.0,))
    head = SparseHead((33, 1), properties=read)
    head.masks[0][0, 32] = True
    head.weights[0].data[0, 32] = 1.0
    by_area(scene, head)
    scene.session.select(ROW)
    assert "1 weights that reads measured properties" in scene.view.about.text()
    assert "area = (measured − 400) / 100" in scene.view.about.text()
    assert not scene.view.bars.isVisible()
