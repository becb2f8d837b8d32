"""The three kinds of work on an image, one after the other, and each again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc import pipeline
from napari_interpdisc.batch.inputs import Item, find_items
from napari_interpdisc.batch.plan import Plan
from napari_interpdisc.batch.run_folder import ImageFolder, read_note
from napari_interpdisc.experiment import parts
from napari_interpdisc.experiment.parts import cells_of_block, classify_block, finish, prepare


@pytest.fixture
def item(plan: Plan) -> Item:
    return find_items(plan.images)[0]


def test_from_an_image_to_its_parts(item: Item, plan: Plan, tmp_path: Path) -> None:
    folder = ImageFolder(tmp_path, item.name, item.well)
    ready = prepare(item, plan, tmp_path)
    assert not ready.fault
    assert ready.data["state"] == "ready"
    assert [number for number, _ in ready.data["blocks"]] == [0, 1, 2]
    note = read_note(folder.prepared)
    assert note is not None
    cells = cells_of_block(folder, note, 1)
    assert set(cells.t.tolist()) == {2, 3}
    assert cells.taken.tracked

    done = [classify_block(item, plan, tmp_path, number) for number in (0, 2)]
    assert [one.cells for one in done] == [n for k, n in ready.data["blocks"] if k != 1]
    assert finish(item, plan, tmp_path).data == {"state": "incomplete"}
    assert prepare(item, plan, tmp_path).data["blocks"] == [(1, len(cells))]
    classify_block(item, plan, tmp_path, 1)
    assert finish(item, plan, tmp_path).data == {"state": "finished"}
    assert not folder.scratch.exists()
    assert len(list(folder.final.iterdir())) == 3
    assert prepare(item, plan, tmp_path).data["state"] == "finished"


def test_a_part_without_its_note_is_not_finished(item: Item, plan: Plan, tmp_path: Path) -> None:
    folder = ImageFolder(tmp_path, item.name, item.well)
    prepare(item, plan, tmp_path)
    classify_block(item, plan, tmp_path, 0)
    assert len(prepare(item, plan, tmp_path).data["blocks"]) == 2
    part = folder.parts / "part-000000.parquet"
    part.write_bytes(part.read_bytes()[:-1])
    assert len(prepare(item, plan, tmp_path).data["blocks"]) == 3
    classify_block(item, plan, tmp_path, 0)
    folder.block(0).unlink()
    assert len(prepare(item, plan, tmp_path).data["blocks"]) == 3


@pytest.mark.parametrize("at", ["write_note", "rmtree"])
def test_stopped_in_the_midst_of_finishing(
    item: Item, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """After the parts were moved and before the note is there, and after that."""
    folder = ImageFolder(tmp_path, item.name, item.well)
    prepare(item, plan, tmp_path)
    for number in range(3):
        classify_block(item, plan, tmp_path, number)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(*((parts, at) if at == "write_note" else (parts.shutil, at)), stop)
    with pytest.raises(KeyboardInterrupt):
        finish(item, plan, tmp_path)
    monkeypatch.undo()
    assert folder.final.exists()
    assert folder.note.exists() == (at == "rmtree")
    again = prepare(item, plan, tmp_path)
    if at == "write_note":
        assert (again.data["state"], again.data["blocks"]) == ("ready", [])
        assert not folder.final.exists()  # no data set has what is not finished
        assert finish(item, plan, tmp_path).data == {"state": "finished"}
    else:
        assert again.data["state"] == "finished"
    assert len(list(folder.final.iterdir())) == 3
    assert not folder.scratch.exists()


def test_an_image_that_is_changed_while_it_is_read(item: Item, plan: Plan, tmp_path: Path) -> None:
    prepare(item, plan, tmp_path)
    for number in range(3):
        classify_block(item, plan, tmp_path, number)
    with item.image.open("ab") as file:
        file.write(b"more")
    assert "changed while it was read" in finish(item, plan, tmp_path).fault


def test_faults_of_any_kind_are_sentences(
    item: Item, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(item, plan, tmp_path)
    for fault, told in (
        (MemoryError(), "not enough memory"),
        (RuntimeError("odd\nmore"), "RuntimeError: odd."),
        (OSError(28, "No space left on device"), "The disk is full"),
    ):

        def fail(*_: object, fault: BaseException = fault, **__: object) -> None:
            raise fault

        monkeypatch.setattr(pipeline, "encode_cells", fail)
        found = classify_block(item, plan, tmp_path, 0)
        assert told in found.fault
        assert found.stop == isinstance(fault, OSError)
        assert found.fault.endswith(".")


def test_what_most_blocks_warn_of_is_told(item: Item) -> None:
    blocks = [
        {"cells": 5, "warnings": [["blur", "few"]]},
        {"cells": 9, "warnings": [["blur", "many"], ["noise", "one"]]},
        {"cells": 1, "warnings": []},
    ]
    assert parts._warnings(blocks) == ["many"]


def test_the_model_runs_on_one_thread() -> None:
    import torch

    before = torch.get_num_threads()
    try:
        assert parts.model_of("h2b") is parts.model_of("h2b")
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    assert np.isfinite(before)
