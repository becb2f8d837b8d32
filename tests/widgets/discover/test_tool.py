from __future__ import annotations

from typing import Any

from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy

from napari_interpdisc.widgets.discover.annotate import Annotator
from napari_interpdisc.widgets.discover.annotations import Annotations
from napari_interpdisc.widgets.discover.keeping import AnnotationKeeper
from napari_interpdisc.widgets.session import session_of


def test_tools_work_on_the_viewer_itself_and_tell_what_they_did() -> None:
    viewer: Any = ViewerModel()
    session, annotations = session_of(viewer), Annotations()
    told: list[tuple[str, bool]] = []
    for kind in (Annotator, AnnotationKeeper):
        tool: Any = kind(
            PublicOnlyProxy(viewer), session, annotations, lambda *what: told.append(what)
        )
        assert tool._viewer is viewer
        tool._say("one", True)
    assert told == [("one", True)] * 2


def test_each_tool_has_its_own_state() -> None:
    viewer: Any = ViewerModel()
    annotations = Annotations()
    first, second = (
        Annotator(viewer, session_of(viewer), annotations, lambda *_: None) for _ in range(2)
    )
    first.chosen = "round"
    assert second.chosen is None
    assert not first.is_on
