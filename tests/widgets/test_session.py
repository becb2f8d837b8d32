import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy

from napari_interpdisc.cells import CellTable
from napari_interpdisc.discovery.rashomon import Member, rashomon_set
from napari_interpdisc.errors import InvalidInput, InvalidModel
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.cell_model import CellModel, NamedHead
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.properties import HeadProperties
from napari_interpdisc.models.store import load_model
from napari_interpdisc.pipeline import Classification, classify
from napari_interpdisc.widgets.session import Session, session_of


@pytest.fixture(scope="module")
def model() -> CellModel:
    return load_model()


@pytest.fixture
def frames(rng: np.random.Generator) -> Frames:
    return Frames(rng.random((2, 80, 90)))


@pytest.fixture
def result(frames: Frames, model: CellModel) -> Classification:
    cells = CellTable.from_arrays([0, 0, 1], [[20, 20], [20, 50], [60, 60]], [1, 2, 1])
    return classify(frames, cells, model, 20.0)


@pytest.fixture
def session(frames: Frames, result: Classification) -> Session:
    made = Session()
    made.set_result("image", "cells", None, frames, result)
    return made


def test_a_result_is_told_and_unselects(session: Session, result: Classification) -> None:
    told: list[Any] = []
    session.classification_changed.connect(told.append)
    session.select(2)
    session.set_result("image", "cells", "labels", session.frames, result)  # type: ignore[arg-type]
    assert told == [result]
    assert session.selected is None


def test_only_rows_that_exist_are_selected(session: Session) -> None:
    told: list[Any] = []
    session.selected_changed.connect(told.append)
    for row in (1, 3, -1):
        session.select(row)
    assert told == [1, None, None]


def test_nearest_cell(session: Session) -> None:
    assert session.nearest(0, 22, 21) == 0
    assert session.nearest(0, 22, 48) == 1
    assert session.nearest(1, 22, 48) is None
    assert session.nearest(0, 45, 20) is None
    assert session.nearest(0, 45, 20, within=30) == 0
    assert session.nearest(7, 20, 20) is None


def test_crop_is_that_of_the_pipeline(session: Session, model: CellModel) -> None:
    crop = session.crop(1)
    assert crop.shape == (model.crop_size, model.crop_size)
    means, _ = model.encode(crop[None, None])
    assert session.encoding is not None
    np.testing.assert_allclose(means[0], session.encoding.latents[1], rtol=1e-3, atol=1e-4)


def test_the_same_encoder_keeps_the_cells_another_drops_them(
    session: Session, model: CellModel
) -> None:
    session.set_model(model)
    assert session.classification is not None
    session.set_model(replace(model, name="other heads", sha256="another"))
    assert session.classification is not None
    assert session.classification.settings["model"] == "other heads"
    session.set_model(replace(model, encoder_sha256="another"))
    assert session.encoding is None
    assert session.classification is None


def test_who_is_told_of_a_head_finds_the_classes_of_that_head(session: Session) -> None:
    session.set_model(session.model, "mitosis")
    told: list[tuple[str, ...]] = []

    def tell(model: CellModel) -> None:
        assert session.classification is not None
        told.append(session.classification.classes)

    session.model_changed.connect(tell)
    session.set_model(session.model, "states")
    assert told == [session.model.head("states").classes]


def test_an_unknown_head_changes_nothing(session: Session, model: CellModel) -> None:
    before = session.classification
    with pytest.raises(InvalidModel, match="has no head 'none such'"):
        session.set_model(model, "none such")
    assert session.classification is before


def test_removed_layers_are_forgotten(session: Session) -> None:
    session.labels = "labels"
    session.forget_layer("labels")
    assert session.labels is None
    assert session.encoding is not None
    session.forget_layer("image")
    assert session.encoding is None


def test_one_session_for_a_viewer_and_its_proxies() -> None:
    viewer = ViewerModel()
    assert session_of(viewer) is session_of(PublicOnlyProxy(viewer))
    assert session_of(ViewerModel()) is not session_of(viewer)


def test_a_session_goes_with_its_viewer() -> None:
    viewer = ViewerModel()
    reference = weakref.ref(session_of(viewer))
    gc.collect()
    assert reference() is not None
    del viewer
    gc.collect()
    assert reference() is None


def test_a_session_knows_whether_its_model_is_loaded() -> None:
    session = Session()
    assert not session.has_model
    assert session.model.name == "h2b"
    assert session.has_model


def test_edited_latents_start_as_the_cells_own_and_are_told_with_who_edited(
    session: Session,
) -> None:
    told: list[Any] = []
    session.edited_changed.connect(told.append)
    session.edit(np.ones(32), by="nobody")
    assert session.edited is None
    session.select(1)
    own = session.encoding.latents[1]  # type: ignore[union-attr]
    np.testing.assert_array_equal(session.edited, own)  # type: ignore[arg-type]
    assert not session.is_edited
    moved = own.copy()
    moved[3] = 2
    session.edit(moved, by="a dock")
    moved[3] = 9
    assert session.edited is not None
    assert session.edited[3] == 2, "a copy is kept"
    assert session.is_edited
    assert own[3] != 2, "the cell itself stays"
    session.reset_edited()
    assert not session.is_edited
    assert told == ["a dock", None]
    session.edit(moved)
    session.select(1)
    assert not session.is_edited, "selecting starts anew"
    session.clear()
    assert session.edited is None


def test_heads_are_compared_until_there_are_other_cells_or_another_head(
    make_scene: Callable[..., SimpleNamespace],
) -> None:
    session = make_scene(window=False).session
    n, latents = len(session.encoding.cells), session.encoding.latents
    members = [
        Member(text, FormulaHead([parse_formula(text, 32)]), accuracy)
        for text, accuracy in (("z0", 0.96), ("-z0", 0.955), ("z1", 0.9))
    ]
    seen: list[Any] = []
    session.compared_changed.connect(seen.append)
    session.set_compared(rashomon_set(members, ("no", "yes"), latents, 1))
    assert [m.name for m in session.as_good.members] == ["z0", "-z0"]
    np.testing.assert_array_equal(session.disagreement, np.full(n, 0.5))
    session.set_delta(0)
    np.testing.assert_array_equal(session.disagreement, np.zeros(n))
    session.set_delta(0)
    assert [len(found.members) for found in seen] == [2, 1]
    session.set_model(session.model, session.head_name)
    assert (session.as_good, session.disagreement, seen[-1]) == (None, None, None)
    session.set_compared(rashomon_set(members, ("no", "yes"), latents, 1))
    session.clear()
    assert session.disagreement is None


def test_what_cells_are_coloured_by_is_told_once() -> None:
    session, seen = Session(), []
    session.colouring_changed.connect(seen.append)
    session.set_colouring("disagreement")
    session.set_colouring("disagreement")
    session.set_colouring("class")
    assert seen == ["disagreement", "class"]


def test_many_cells_are_chosen_together_and_told_with_who_chose(session: Session) -> None:
    told: list[tuple[Any, list[int]]] = []
    session.chosen_changed.connect(lambda by: told.append((by, session.chosen.tolist())))
    session.choose([2, 0, 2, 7, -1], by="gallery")
    session.choose([0, 2], by="plot")  # the same cells again
    session.select(1)
    assert told == [("gallery", [0, 2])]
    session.choose(())
    assert told[-1] == (None, [])


def test_chosen_cells_are_those_of_the_present_result(
    session: Session, frames: Frames, result: Classification
) -> None:
    session.choose([1])
    session.set_result("image", "cells", None, frames, result)
    assert not len(session.chosen)
    session.choose([1])
    session.clear()
    assert not len(session.chosen)
    session.choose([0])
    assert not len(session.chosen)


def test_a_head_of_properties_is_chosen_once_they_are_known(
    session: Session, model: CellModel
) -> None:
    read = HeadProperties(("area",), (400.0,), (100.0,))
    head = FormulaHead([parse_formula("area", 32, None, read.names)], (), read)
    sized = replace(model, heads={"size": NamedHead("size", head, ("small", "large"))})
    before = session.classification
    with pytest.raises(InvalidInput, match="tick 'Measure properties' in Cells"):
        session.set_model(sized, "size")
    assert "size" not in session.model.heads
    assert session.classification is before
    encoding = session.encoding
    assert encoding is not None
    areas = np.array([300.0, 500.0, np.nan])
    elsewhere = replace(encoding, cells=encoding.cells.take([0, 1, 2]))
    session.set_measured(elsewhere)  # of other cells: not taken
    assert session.encoding is encoding
    session.set_measured(replace(encoding, properties={"area": areas}))
    session.set_model(sized, "size")
    assert session.classification is not None
    assert session.classification.index.tolist() == [0, 1, -1]


def test_cells_that_are_listed_are_those_of_the_present_result(
    session: Session, frames: Frames, result: Classification
) -> None:
    told: list[Any] = []
    session.listed_changed.connect(told.append)
    session.list_cells("some")
    assert (session.listed, told) == ("some", ["some"])
    session.set_result("image", "cells", None, frames, result)
    assert session.listed is None
    session.list_cells("others")
    session.clear()
    assert session.listed is None
