"""What the docks of one viewer share: there as long as one of them is open."""

from __future__ import annotations

import gc
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from napari_interpdisc.discovery.origins import Origins
from napari_interpdisc.widgets.discover.annotating import annotating_of
from napari_interpdisc.widgets.discover.held_out import HeldOutCells


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
    assert said == ["2 annotations of 'movie' were found again."]
    again.leave()


def test_keys_go_on_as_long_as_one_dock_wants_them(
    make_scene: Callable[..., SimpleNamespace],
) -> None:
    scene = make_scene(window=False)
    shared = annotating_of(scene.viewer, scene.session)
    annotator, told = shared.annotator, []
    annotator.switched.connect(lambda on, clicks: told.append((on, clicks)))
    annotator.switch(True, clicks=False, by="Gallery")
    annotator.switch(True)
    annotator.switch(False)
    annotator.switch(False)
    annotator.switch(False, by="Gallery")
    assert told == [(True, False), (True, True), (True, False), (False, False)]


def test_what_held_out_heads_say_is_told_once(
    make_scene: Callable[..., SimpleNamespace],
) -> None:
    scene = make_scene(window=False)
    shared = annotating_of(scene.viewer, scene.session)
    told: list[object] = []
    shared.held_out_changed.connect(told.append)
    nobody = np.zeros(0, np.int64)
    found = HeldOutCells(Origins.of_groups("x", nobody), ("a", "b"), nobody, nobody, "dense")
    shared.set_held_out(found)
    shared.set_held_out(found)
    shared.set_held_out(None)
    assert told == [found, None]
