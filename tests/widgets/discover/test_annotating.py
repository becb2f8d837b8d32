"""What the docks of one viewer share: there as long as one of them is open."""

from __future__ import annotations

import gc
from collections.abc import Callable
from types import SimpleNamespace

from napari_interpdisc.widgets.discover.annotating import annotating_of


def test_docks_share_it_and_the_last_one_ends_it(
    make_scene: Callable[..., SimpleNamespace],
) -> None:
    scene = make_scene(window=False)
    viewer, session = scene.viewer, scene.session
    first = annotating_of(viewer, session)
    assert annotating_of(viewer, session) is first
    first.join()
    first.join()
    assert first.annotations.classes == ("class 1", "class 2")
    first.annotations.annotate(session.encoding.cells, {0: "class 2", 4: "class 1"})
    first.annotator.switch(True)
    first.leave()
    assert first.annotator.is_on
    first.leave()
    assert not first.annotator.is_on
    del first
    gc.collect()
    said: list[str] = []
    again = annotating_of(viewer, session)
    again.said.connect(lambda text, fault: said.append(text))
    again.join()
    assert again.annotations.by_row == {0: "class 2", 4: "class 1"}
    assert said == ["2 annotations were found again."]
    again.leave()
