"""Which cell is asked about next: unlike the labelled ones, then where the own head is unsure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_interpdisc.discovery.rashomon import Member, rashomon_set
from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.widgets.discover.suggestions import (
    NOT_COMPARED,
    NOT_TRAINED,
    OwnHead,
    Suggestions,
    own_head,
)
from napari_interpdisc.widgets.session import Session

from .conftest import TRACKS, made_up

Scene = SimpleNamespace


@pytest.fixture
def session(scene: Scene) -> Session:
    return scene.session  # type: ignore[no-any-return]


def head_of(session: Session, is_shown: bool = True) -> OwnHead:
    shown = session.classification
    assert shown is not None
    return OwnHead(shown.classes, shown.scores, is_shown)


def test_without_a_head_of_its_own_it_asks_for_variety(session: Session) -> None:
    suggestions, annotated = Suggestions(), {0: "round"}
    rows = []
    for _ in range(TRACKS - 1):
        found = suggestions.next(session, annotated)
        assert found is not None
        assert found.why.startswith("typical of ")
        rows.append(found.row)
        annotated[found.row] = "long"
    tracks = session.encoding.cells.track_id[rows]
    assert len(set(tracks.tolist())) == TRACKS - 1


def test_with_a_head_of_its_own_it_asks_where_that_is_unsure(session: Session) -> None:
    suggestions, own = Suggestions(), head_of(session)
    sure = session.classification.confidence
    unsure = int(sure.argmin())
    seen: list[Any] = [
        suggestions.next(session, {unsure: "x"}, "automatic", own) for _ in range(TRACKS)
    ]
    rows = [found.row for found in seen]
    assert unsure not in rows
    assert (np.diff(sure[rows]) >= 0).all()
    assert len(set(session.encoding.cells.track_id[rows].tolist())) == TRACKS
    assert seen[0].why.startswith("the head is unsure: ")
    assert seen[0].why.endswith(f" {sure[rows[0]]:.2f}")
    assert suggestions.next(session, {unsure: "x"}, "automatic", own) is None
    again = suggestions.next(session, {unsure: "x"}, "automatic", own)
    assert again is not None
    assert again.row == rows[0]


def test_what_needs_a_head_of_its_own_says_so(session: Session) -> None:
    suggestions = Suggestions()
    with pytest.raises(InvalidInput, match=NOT_TRAINED):
        suggestions.next(session, {}, "uncertainty")
    with pytest.raises(InvalidInput, match=NOT_COMPARED):
        suggestions.next(session, {}, "disagreement", head_of(session))


def test_where_heads_disagree(session: Session) -> None:
    latents = session.encoding.latents
    heads = [
        Member(t, FormulaHead([parse_formula(t, 32)]), 0.9)
        for t in ("1", "2", f"z0 - {np.median(latents[:, 0])}")
    ]
    session.set_compared(rashomon_set(heads, ("no", "yes"), latents, 1))
    suggestions = Suggestions()
    with pytest.raises(InvalidInput, match=NOT_COMPARED):
        suggestions.next(session, {}, "disagreement", head_of(session, is_shown=False))
    apart = set(session.encoding.cells.track_id[session.disagreement > 0].tolist())
    assert 0 < len(apart) < TRACKS
    rows = []
    for _ in apart:
        found = suggestions.next(session, {}, "disagreement", head_of(session))
        assert found is not None
        assert found.why == "33 % of the heads disagree with the others"
        rows.append(found.row)
    assert (session.disagreement[rows] > 0).all()
    assert set(session.encoding.cells.track_id[rows].tolist()) == apart
    assert suggestions.next(session, {}, "disagreement", head_of(session)) is None


def test_a_head_is_ones_own_if_it_answers_the_question(
    scene: Scene, session: Session, make_viewer: Callable[..., Any]
) -> None:
    results, base = scene.widget.results, session.model
    names = set(session.classification.classes)
    assert own_head(session, results, names) is None, "a bundled head was trained on other labels"
    session.set_model(replace(base, name="mine", sha256="mine"), session.head_name)
    assert own_head(session, results, set()) is None
    found = own_head(session, results, names)
    assert found is not None
    assert found.is_shown
    assert found.scores is session.classification.scores
    assert own_head(session, results, {*names, "third"}) is None
    session.set_model(base)
    results.show_found(base, made_up(base.encoder_sha256))
    assert own_head(session, results, {"class 1", "third"}) is None
    found = own_head(session, results, {"class 1"})
    assert found is not None
    assert not found.is_shown
    assert found.classes == ("class 1", "class 2")
    assert len(found.scores) == len(session.encoding.cells)
