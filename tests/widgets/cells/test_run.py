"""One run of the Cells widget without a window: progress, and what the features say."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels, Points

from napari_interpdisc.cells import CellTable
from napari_interpdisc.discovery.rashomon import Member, rashomon_set
from napari_interpdisc.errors import Cancelled, InvalidInput
from napari_interpdisc.frames import Frames
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.pipeline import Classification, Encoding
from napari_interpdisc.widgets.canvas.layers import write_features
from napari_interpdisc.widgets.cells.run import (
    Choice,
    WatchedFrames,
    result_columns,
    result_note,
    rewrite_classes,
    rewrite_disagreement,
)
from napari_interpdisc.widgets.session import Session

N = 4


@pytest.fixture
def result(bundled_model: CellModel) -> Classification:
    z = np.arange(N * 32, dtype=np.float32).reshape(N, 32)
    cells = CellTable.from_arrays([0, 0, 1, 1], [[9, 9], [9, 40]] * 2, [1, 2, 1, 2])
    encoding = Encoding(
        cells, z, np.zeros(N, np.float32), 20.0, "h2b", bundled_model.encoder_sha256
    )
    classes = bundled_model.head().classes
    note = {"model_sha256": "a", "head": "dense", "classes": list(classes)}
    scores = np.array([[-1], [2], [3], [-4]], np.float32)
    return Classification(encoding, "dense", classes, scores, note)


def test_each_frame_that_is_read_is_reported(rng: np.random.Generator) -> None:
    frames = Frames(rng.normal(size=(3, 2, 8, 9)), 1, 1)
    seen: list[tuple[int, int]] = []
    watched = WatchedFrames.watching(frames, lambda *d: seen.append(d))
    np.testing.assert_array_equal(watched.frame(2), frames.frame(2))
    watched.frame(0)
    assert seen == [(2, 3), (0, 3)]

    def cancel(*_: int) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        WatchedFrames.watching(frames, cancel).frame(1)


def test_columns_are_class_confidence_flags_and_latents(
    result: Classification, bundled_model: CellModel
) -> None:
    table = result_columns(result, bundled_model)
    assert list(table)[:3] == ["class", "score", "confidence"]
    assert [f"z_{i}" for i in range(32)] == list(table)[-32:]
    assert {"unfamiliar", "touches_edge", "latent_norm"} < set(table)
    assert not {"t", "y", "x", "track_id", "model", "head", "diameter"} & set(table)
    np.testing.assert_allclose(table["confidence"], 1 / (1 + np.exp(-np.abs([1, 2, 3, 4]))))


def test_the_note_says_what_was_worked_on(result: Classification) -> None:
    image, labels = Image(np.zeros((2, 3, 8, 9)), name="movie"), Labels(np.zeros((8, 9), int))
    frames = Frames(image.data, 1, 2)
    choice = Choice(image, None, labels, frames, None, None, None)
    note = result_note(result, choice)
    assert (note["image"], note["channel"], note["segmentation"]) == ("movie", 2, labels.name)
    assert note["head"] == "dense"
    assert "python" in note["versions"]
    bare = result_note(result, replace(choice, labels=None, frames=Frames(np.zeros((8, 9)))))
    assert (bare["channel"], bare["segmentation"]) == (None, None)


def session_with(layer: Any, result: Classification, model: CellModel) -> Any:
    columns = result_columns(result, model)
    write_features(layer, columns)
    layer.metadata["interpdisc"] = dict(result.settings)
    return SimpleNamespace(cells_layer=layer, classification=result, model=model)


def test_another_head_rewrites_the_classes_and_keeps_the_latents(
    result: Classification, bundled_model: CellModel
) -> None:
    layer = Points(np.zeros((N, 3)), features={"mine": list("abcd")})
    session = session_with(layer, result, bundled_model)
    latents = layer.features.filter(regex="^z_").copy()
    session.classification = replace(
        result,
        classes=("a", "b", "c"),
        scores=np.eye(4, 3, dtype=np.float32),
        settings={"model_sha256": "a", "head": "three", "classes": ["a", "b", "c"]},
    )
    rewrite_classes(session)
    assert layer.features["class"].tolist() == ["a", "b", "c", "a"]
    assert {"score_a", "score_b", "score_c"} < set(layer.features)
    assert "score" not in layer.features, "the score of the other head"
    assert layer.features["mine"].tolist() == list("abcd")
    assert layer.features.filter(regex="^z_").equals(latents)
    assert layer.metadata["interpdisc"]["head"] == "three"
    layer.data = np.zeros((N + 1, 3))
    session.classification = result
    with pytest.raises(InvalidInput, match="changed meanwhile"):
        rewrite_classes(session)


def test_states_go_with_the_classes_that_they_are_of(
    result: Classification, bundled_model: CellModel
) -> None:
    layer = Points(np.zeros((N, 3)), features={"state": list("abcd")})
    session = session_with(layer, result, bundled_model)
    other = {"model_sha256": "a", "head": "other", "classes": ["a", "b"]}
    session.classification = replace(result, settings=other)
    rewrite_classes(session)
    assert layer.features["state"].tolist() == list("abcd"), "the user's own"
    layer.metadata["interpdisc"]["state"] = {"order": "any"}
    session.classification = result
    rewrite_classes(session)
    assert "state" not in layer.features
    assert "state" not in layer.metadata["interpdisc"]


def test_the_same_head_writes_nothing(result: Classification, bundled_model: CellModel) -> None:
    layer = Points(np.zeros((N, 3)))
    session = session_with(layer, result, bundled_model)
    layer.features = layer.features.assign(score=7.0)
    rewrite_classes(session)
    assert set(layer.features["score"]) == {7.0}
    session.cells_layer = None
    rewrite_classes(session)


@pytest.mark.parametrize("kind", [Points, Labels])
def test_disagreement_is_a_feature_as_long_as_it_is_known(
    result: Classification, bundled_model: CellModel, kind: type
) -> None:
    cells = result.encoding.cells
    points = np.column_stack([cells.t, cells.yx])
    layer = Points(points) if kind is Points else Labels(np.zeros((2, 50, 50), int))
    layer.metadata["interpdisc"] = dict(result.settings)
    session = Session()
    session.set_model(bundled_model, "dense")
    session.cells_layer, session.encoding = layer, result.encoding
    session.classification = result
    rewrite_disagreement(session)
    assert "disagreement" not in layer.features
    heads = [
        Member(t, FormulaHead([parse_formula(t, 32)]), 0.9) for t in ("1", "z0 - 40", "z0 - 70")
    ]
    session.set_compared(rashomon_set(heads, result.classes, result.encoding.latents, 1))
    rewrite_disagreement(session)
    # z0 is 0, 32, 64 and 96
    np.testing.assert_allclose(layer.features["disagreement"], [1 / 3, 1 / 3, 1 / 3, 0])
    assert layer.metadata["interpdisc"]["disagreement"] == {
        "heads": ["1", "z0 - 40", "z0 - 70"],
        "delta": 0.01,
    }
    session.set_compared(None)
    rewrite_disagreement(session)
    assert "disagreement" not in layer.features
    assert "disagreement" not in layer.metadata["interpdisc"]


def test_another_head_takes_the_disagreement_of_an_opened_layer_away(
    result: Classification, bundled_model: CellModel
) -> None:
    cells = result.encoding.cells
    layer = Points(np.column_stack([cells.t, cells.yx]))
    layer.features = {"disagreement": np.zeros(4)}
    layer.metadata["interpdisc"] = {"head": "other", "disagreement": {"heads": ["a"]}}
    session = Session()
    session.set_model(bundled_model, "dense")
    session.cells_layer, session.encoding = layer, result.encoding
    session.classification = result
    rewrite_classes(session)
    assert "disagreement" not in layer.features
    assert layer.metadata["interpdisc"]["head"] == "dense"
    assert "disagreement" not in layer.metadata["interpdisc"]
