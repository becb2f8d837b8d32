"""A head taken apart: all of it together."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_interpdisc.errors import InvalidInput, InvalidModel
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.scrutiny.anatomy import (
    pair_of,
    part_panels,
    parts_of,
    slice_panels,
    strongest_pairs,
    take_apart,
    wholes_of,
)
from napari_interpdisc.scrutiny.anatomy_response import drawn_cells

from .conftest import rule


def with_rule(model: CellModel, *texts: str, classes: tuple[str, ...] = ("no", "yes")) -> CellModel:
    return replace(model, heads={"rule": rule(*texts, classes=classes)})


def test_a_sparse_head_is_sub_networks_and_a_trunk(h2b: CellModel) -> None:
    seen: list[tuple[int, int]] = []
    found = take_apart(h2b, "sparse", drawn_cells(h2b, 200), lambda *at: seen.append(at))
    assert found.graph is not None
    assert found.cut is not None
    names = [part.name for part in found.parts]
    assert names == [one.part.name for one in found.cut.sub_networks] + [
        "trunk of score of Metaphase"
    ]
    trunk = found.parts[-1]
    assert trunk.about == "all that two neurons carry to it"
    assert "sub-network" in trunk.inputs[0].label
    cells = found.cells.latents
    assert trunk.of_latents(cells) == pytest.approx(h2b.score(cells, "sparse")[:, 0], abs=3e-5)
    assert found.rule[-1].startswith("score of Metaphase = ")
    assert seen[-1] == (5, 5)
    assert {one.part for one in found.findings} == {*names, "score of Metaphase"}
    assert found.findings_of(trunk)[0].part == trunk.name


def test_a_formula_is_its_terms(h2b: CellModel) -> None:
    found = take_apart(h2b, "formula-strict", drawn_cells(h2b, 200))
    assert found.graph is None
    assert [part.name for part in found.parts] == ["term 1", "term 2", "term 3"]
    assert found.rule[0].startswith("score = 0.351*granularity_coarse_z2 + ")
    assert "times 42.5" in found.rule[0]


def test_what_is_kept_is_plain_json(h2b: CellModel) -> None:
    note = json.loads(json.dumps(take_apart(h2b, "sparse", drawn_cells(h2b, 50)).note()))
    assert note["model_sha256"] == h2b.sha256
    assert len(note["graph"]["edges"]) == 19
    assert note["graph"]["sub_networks"][0]["name"] == "sub-network 1"
    assert note["cells"] == {
        "n": 50, "real": False, "source": "the stored density of the training cells of h2b",
    }  # fmt: skip
    assert {"sentence", "tested", "holds", "number"} <= set(note["findings"][0])
    assert "graph" not in take_apart(h2b, "formula", drawn_cells(h2b, 50)).note()


def test_the_parts_are_there_without_a_test(h2b: CellModel) -> None:
    cells = drawn_cells(h2b, 50)
    fast, full = parts_of(h2b, "sparse", cells), take_apart(h2b, "sparse", cells)
    assert fast.findings == () != full.findings
    assert [one.name for one in fast.parts] == [one.name for one in full.parts]
    assert fast.rule == full.rule


def test_panels_go_through_the_selected_cell(h2b: CellModel) -> None:
    found = take_apart(h2b, "sparse", drawn_cells(h2b, 200))
    cell = found.cells.latents[3]
    parts = part_panels(found, h2b, cell)
    assert [len(one.response.ground.axes) for one in parts] == [1, 2, 2, 2]
    assert parts[0].response.value == pytest.approx(found.parts[0].of_latents(cell[None])[0])
    assert [len(one.traversals) for one in parts] == [1, 2, 2, 0]
    assert parts[0].title == "sub-network 1"
    slices = slice_panels(found, h2b, cell)
    assert len(slices) == 6
    score = float(h2b.score(cell[None], "sparse")[0, 0])
    for one in slices:
        assert one.response.value == pytest.approx(score, abs=1e-4)
        assert one.response.is_slice


def test_a_constant_has_no_panel_and_one_input_no_slice(h2b: CellModel) -> None:
    found = take_apart(with_rule(h2b, "z2**2 - 1"), cells=drawn_cells(h2b, 100))
    cell = found.cells.latents[0]
    assert len(found.parts) == 2
    assert len(part_panels(found, h2b, cell)) == 1
    assert slice_panels(found, h2b, cell) == []


def test_a_term_of_three_inputs_is_a_slice_over_its_strongest(h2b: CellModel) -> None:
    found = take_apart(with_rule(h2b, "z0*0.01*z2*z4 + exp(z0 + 3*z2 + 0.001*z4)"),
                       cells=drawn_cells(h2b, 200))  # fmt: skip
    panel = part_panels(found, h2b, found.cells.latents[0])[1]
    assert panel.response.is_slice
    assert {"z0 size", "z2 granularity_coarse"} == set(panel.response.labels)


def test_several_scores_have_a_slice_each(h2b: CellModel) -> None:
    model = with_rule(h2b, "z0", "z2 + z18**2 + z19**2", "-z0", classes=("a", "b", "c"))
    found = take_apart(model, cells=drawn_cells(h2b, 100))
    assert len(strongest_pairs(found)) == 3
    slices = slice_panels(found, model, found.cells.latents[0], [(0, 1)])
    assert [one.title for one in slices] == ["lead of a", "lead of b", "lead of c"]
    # exactly one class leads at each point
    leads = np.stack([one.response.values > 0 for one in slices])
    assert (leads.sum(0) == 1).all()


def test_pairs_are_named_by_latents(h2b: CellModel) -> None:
    (whole,) = wholes_of(h2b.head("sparse-strict"), h2b)
    assert pair_of(whole, (11, 19)) == (2, 3)
    with pytest.raises(InvalidInput, match="does not read z0; it reads z4 unevenness, z5"):
        pair_of(whole, (4, 0))
    with pytest.raises(InvalidInput, match="z18 and z19 are one input of the head"):
        pair_of(whole, (18, 19))


def test_what_cannot_be_taken_apart(h2b: CellModel) -> None:
    with pytest.raises(InvalidInput, match="'dense' has no sparse form"):
        take_apart(h2b, "dense")
    with pytest.raises(InvalidModel, match="has no head 'nothing'"):
        take_apart(h2b, "nothing")


def test_a_head_of_properties_is_not_taken_apart(measuring: CellModel) -> None:
    for attempt in (take_apart, lambda m, name: wholes_of(m.head(name), m)):
        with pytest.raises(
            InvalidInput,
            match="reads latents alone, and 'size' reads",
        ):
            attempt(measuring, "size")
