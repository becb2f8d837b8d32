"""What a run tests, and that it finds what the library finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_interpdisc._types import silent
from napari_interpdisc.cells import CellTable
from napari_interpdisc.cli.app import app
from napari_interpdisc.errors import Cancelled, InvalidInput, InvalidModel
from napari_interpdisc.figures.scorecard_folder import write_scorecard
from napari_interpdisc.models.cell_model import class_index
from napari_interpdisc.models.store import replace_heads
from napari_interpdisc.patches import label_crops, patch_side, patches_of_cells
from napari_interpdisc.scrutiny.composites import segment_cells
from napari_interpdisc.scrutiny.scorecard import ScorecardSettings, score_head
from napari_interpdisc.widgets.scorecard.run import (
    NO_CELLS,
    STEPS,
    Asked,
    ScorecardResult,
    ScorecardRun,
    carry_out,
    chosen_rows,
    key_of,
    plan,
)
from napari_interpdisc.widgets.session import Session

from ..conftest import CELLS, DIAMETER
from .conftest import HEADS, QUICK, masks, movie

Scene = SimpleNamespace


def test_cells_are_drawn_as_the_command_draws_them() -> None:
    cells = CellTable.from_arrays(np.arange(40) % 4, np.ones((40, 2)))
    rows = chosen_rows(cells, Asked(HEADS, which="random", most=10, seed=3))
    expected = np.random.default_rng(3).choice(np.arange(40), 10, replace=False)
    assert rows.tolist() == sorted(expected.tolist())
    few = chosen_rows(cells, Asked(HEADS, which="random", most=40))
    np.testing.assert_array_equal(few, np.arange(40))


def test_cells_of_a_frame_and_all_cells() -> None:
    cells = CellTable.from_arrays(np.arange(40) % 4, np.ones((40, 2)))
    # how many are drawn at most is about drawn cells alone
    rows = chosen_rows(cells, Asked(HEADS, which="frame", most=2, frame=1))
    np.testing.assert_array_equal(rows, np.arange(1, 40, 4))
    assert len(chosen_rows(cells, Asked(HEADS, which="all", most=2))) == 40


@pytest.mark.parametrize(
    ("n", "frame", "sentence"),
    [
        (3, 7, "no cells in the frame that is shown"),
        (3, None, "no cells in the frame that is shown"),
        (1, 0, "two cells at least, and the frame that is shown has one"),
    ],
)
def test_too_few_cells_in_a_frame(n: int, frame: int | None, sentence: str) -> None:
    cells = CellTable.from_arrays(np.zeros(n), np.ones((n, 2)))
    with pytest.raises(InvalidInput, match=sentence):
        chosen_rows(cells, Asked(HEADS, which="frame", frame=frame))


def test_one_cell_is_refused() -> None:
    with pytest.raises(InvalidInput, match="two cells at least, and there is one"):
        chosen_rows(CellTable.from_arrays([0], [(1, 1)]), Asked(HEADS))


def test_a_plan_has_what_the_session_has(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene(window=False)
    layer = scene.viewer.add_labels(masks(), name="masks")
    made = plan(scene.session, Asked(HEADS, layer, "frame", seed=4, frame=1), QUICK)
    assert made.encoding is scene.session.encoding
    assert made.rows.tolist() == [2, 3, 4]
    assert made.settings == QUICK.model_copy(update={"seed": 4})
    assert plan(scene.session, Asked(HEADS)).settings == ScorecardSettings()
    assert made.planes is layer.data
    assert made.about == {
        "image": "movie", "cells": "cells", "segmentation": "masks", "tested": "frame",
        "frame": 1, "group": "track_id", "diameter": DIAMETER,
    }  # fmt: skip


def test_cells_without_pixels_are_told(make_scene: Callable[..., Scene]) -> None:
    session = make_scene(window=False).session
    n = len(session.encoding.latents)
    session.encoding.no_pixels[n - 1] = "no pixels: a blank frame"
    made = plan(session, Asked(HEADS, which="all"))
    assert made.rows.tolist() == list(range(n - 1))
    assert made.left_out == "1 cell has no pixels (1 a blank frame); it is left out."
    assert made.about["left_out"] == made.left_out
    frame = int(session.encoding.cells.t[0])
    assert plan(session, Asked(HEADS, which="frame", frame=frame)).left_out == ""


def test_what_cannot_be_tested_is_refused_before_any_work(
    make_scene: Callable[..., Scene],
) -> None:
    with pytest.raises(InvalidInput, match=NO_CELLS):
        plan(Session(), Asked(HEADS))
    scene = make_scene(window=False)
    with pytest.raises(InvalidInput, match="at least one head"):
        plan(scene.session, Asked(()))
    with pytest.raises(InvalidModel, match="no head 'mine'"):
        plan(scene.session, Asked(("mine",)))
    short = scene.viewer.add_labels(masks()[:2], name="short")
    with pytest.raises(InvalidInput, match="'short' has shape"):
        plan(scene.session, Asked(HEADS, short))
    # half of the pixels, over the same field of view
    small = scene.viewer.add_labels(
        masks()[:, ::2, ::2], name="small", scale=scene.image.scale * (1, 2, 2)
    )
    with pytest.raises(InvalidInput, match="'small' has 60 by 65 px"):
        plan(scene.session, Asked(HEADS, small))


def test_labels_that_are_no_segmentation_are_refused_as_files_are(
    make_scene: Callable[..., Scene],
) -> None:
    scene = make_scene(window=False)
    inverted = scene.viewer.add_labels(np.where(masks() > 0, 0, 255), name="inverted")
    run = plan(scene.session, Asked(HEADS, inverted), QUICK)
    with pytest.raises(InvalidInput, match="255 fills more than half of a frame of 'inverted'"):
        carry_out(run, silent)


def test_a_run_finds_what_the_library_finds(a_run: ScorecardRun, found: ScorecardResult) -> None:
    model, cells = a_run.model, a_run.encoding.cells.take(a_run.rows)
    patches = patches_of_cells(a_run.frames, cells, DIAMETER, model.model_diameter)
    segmentation = segment_cells(patches, None, model.model_diameter)
    assert [card.head for card in found.cards] == list(HEADS)
    for card in found.cards:
        direct = score_head(segmentation, cells.track_id, model, card.head, a_run.settings)
        pd.testing.assert_frame_equal(card.to_frame(), direct.to_frame())
        assert card.sentences() == direct.sentences()
        assert (card.cells, card.left_out, card.groups) == (
            direct.cells, direct.left_out, direct.groups
        )  # fmt: skip
    np.testing.assert_array_equal(found.crops, patches.crops()[segmentation.rows])


def test_a_segmentation_is_used_where_there_is_one(a_run: ScorecardRun) -> None:
    planes = masks()
    planes[1, 88, 40] = 0
    planes[1][planes[1] == 2] = 0  # the cell of row 4 has no mask
    found = carry_out(replace(a_run, planes=planes, heads=HEADS[:1]), silent)
    model, cells = a_run.model, a_run.encoding.cells.take(a_run.rows)
    patches = patches_of_cells(a_run.frames, cells, DIAMETER, model.model_diameter)
    cut = label_crops(planes, cells, DIAMETER, model.model_diameter, patch_side())
    direct = score_head(
        segment_cells(patches, cut, model.model_diameter), cells.track_id, model, HEADS[0], QUICK
    )
    pd.testing.assert_frame_equal(found.cards[0].to_frame(), direct.to_frame())
    assert found.cards[0].left_out == 1
    assert {cell.row for cells in found.worst.values() for cell in cells} == {1, 2, 3, 5, 6}


def test_worst_cells_are_scored_as_the_model_scores_them(found: ScorecardResult) -> None:
    model, encoding = found.run.model, found.run.encoding
    changed = 0
    for card in found.cards:
        for row in card.rows:
            cells = found.worst[key_of(card, row)]
            assert len(cells) == len(row.worst)
            for cell, picture in zip(cells, row.worst_crops, strict=True):
                np.testing.assert_array_equal(cell.after, picture[0])
                own = model.score(encoding.latents[[cell.row]], card.head)[0]
                np.testing.assert_allclose(cell.scores, own, atol=1e-3)
                other = model.score(model.encode(picture[None])[0], card.head)
                np.testing.assert_allclose(cell.changed_scores, other[0], atol=1e-3)
                same = class_index(own[None])[0] == class_index(other)[0]
                assert cell.changes is not bool(same)
                changed += cell.changes
    assert changed, "some class changes, else nothing was tested here"


def test_progress_never_falls_and_ends_at_the_whole(a_run: ScorecardRun) -> None:
    seen: list[tuple[int, int]] = []
    carry_out(a_run, lambda *step: seen.append(step))
    done = [step[0] for step in seen]
    assert done == sorted(done)
    assert {step[1] for step in seen} == {STEPS}
    assert done[-1] == STEPS


@pytest.mark.parametrize("after", [1, 8, 40])
def test_progress_can_cancel_at_every_stage(a_run: ScorecardRun, after: int) -> None:
    left = iter(range(after))

    def cancel(*_: int) -> None:
        if next(left, None) is None:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        carry_out(a_run, cancel)


def test_no_reliable_mask_is_one_sentence(a_run: ScorecardRun) -> None:
    with pytest.raises(InvalidInput, match="None of 6 cells has a reliable mask"):
        carry_out(replace(a_run, planes=np.zeros((3, 120, 130), np.int32)), silent)


def test_results_say_what_has_changed_since(found: ScorecardResult) -> None:
    session = Session()
    model, encoding = found.run.model, found.run.encoding
    session.set_model(model, HEADS[0])
    assert found.stale(session) == "These results are of cells that are gone."
    assert not found.has_cells_of(session)
    session.encoding = encoding
    assert found.has_cells_of(session)
    assert found.stale(session) == found.untested(session) == ""
    session.set_model(model, "dense")
    assert found.stale(session) == ""
    assert found.untested(session) == "The present head 'dense' was not tested."
    other = replace_heads(model, "mine", {"dense": model.head("dense")}, "# mine")
    session.set_model(other)
    assert "model 'h2b' as it was" in found.stale(session)
    session.encoding = replace(encoding, diameter=21.0)
    assert "earlier cells" in found.stale(session)
    assert not found.has_cells_of(session)


def test_the_note_tells_model_heads_and_settings(found: ScorecardResult) -> None:
    note = found.note
    assert note["image"] == "movie"
    assert note["model_sha256"] == found.run.model.sha256
    assert note["heads"] == list(HEADS)
    assert note["settings"] == found.run.settings.model_dump(mode="json")


def test_the_folder_has_what_the_command_writes(a_run: ScorecardRun, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    found = carry_out(
        replace(a_run, heads=HEADS[:1], settings=ScorecardSettings(simulated=0)), silent
    )
    out = write_scorecard(
        tmp_path / "ours", found.cards, found.crops, found.note, names=found.names
    )
    assert out == tmp_path / "ours"

    # the same cells: all but the first
    tifffile.imwrite(tmp_path / "movie.tif", movie(), photometric="minisblack")
    table = pd.DataFrame(CELLS[1:], columns=["t", "y", "x", "track_id"])
    table.to_csv(tmp_path / "cells.csv", index=False)
    words = [
        "scorecard", "h2b", "--head", HEADS[0], "--image", "movie.tif", "--cells", "cells.csv",
        "--simulated", "0", "--diameter", f"{DIAMETER:g}", "--out", "theirs",
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    names = sorted(path.name for path in out.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "theirs").iterdir())
    ours, theirs = (pd.read_csv(tmp_path / name / "scorecard.csv") for name in ("ours", "theirs"))
    pd.testing.assert_frame_equal(ours, theirs)
    texts = [(tmp_path / name / "scorecard.md").read_text("utf-8") for name in ("ours", "theirs")]
    assert texts[0] == texts[1]
    notes = [
        json.loads((tmp_path / name / "scorecard.json").read_text("utf-8"))
        for name in ("ours", "theirs")
    ]
    for key in ("model", "model_sha256", "heads", "settings", "sentences"):
        assert notes[0][key] == notes[1][key]
