"""The report: its sections for every kind of head, and the page in a browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc.errors import Cancelled, InvalidModel
from napari_interpdisc.models.cell_model import CellModel, NamedHead
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.properties import HeadProperties
from napari_interpdisc.models.store import replace_heads
from napari_interpdisc.report.build import (
    ReportCells,
    calibration_section,
    counterfactual_section,
    measured_for,
    quality_section,
    rashomon_section,
    rule_section,
    write_report,
)
from napari_interpdisc.report.page import Section

SECTIONS = (
    "In short",
    "The rule",
    "What it reads",
    "Accuracy on held-out groups",
    "Calibration",
    "Domain constraints",
    "Anatomy",
    "What would change the call",
    "Heads of this question that are about as good as the best",
    "Data, settings and hashes",
)


def sentences(section: Section) -> str:
    return "\n".join(block.text for block in section.blocks)


def kinds(section: Section) -> list[str]:
    return [block.kind for block in section.blocks]


def test_every_section_is_there_and_every_figure_explained(
    model: CellModel, cells: ReportCells, tmp_path: Path
) -> None:
    out = tmp_path / "report.html"
    seen: list[tuple[int, int]] = []
    write_report(out, model, "formula-strict", cells, lambda *d: seen.append(d))
    page = out.read_text("utf-8")
    assert re.findall(r"<h2>\d+\. (.*)</h2>", page) == list(SECTIONS)
    assert seen[-1] == (len(SECTIONS) - 1,) * 2
    assert model.sha256 in page
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page, re.S)
    assert len(captions) == page.count("<img ") >= 7
    assert all(caption.strip().endswith(".") for caption in captions)
    # nothing is asked for from outside
    assert set(re.findall(r'src="(data:image/[a-z+]+)', page)) == {
        "data:image/png",
        "data:image/svg+xml",
    }
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)


@pytest.mark.parametrize("head", ["sparse-strict", "dense", "states-sparse"])
def test_other_kinds_of_heads(
    model: CellModel, few: ReportCells, tmp_path: Path, head: str
) -> None:
    out = tmp_path / "report.html"
    write_report(out, model, head, few, simulated=0)
    page = out.read_text("utf-8")
    assert re.findall(r"<h2>\d+\. (.*)</h2>", page) == list(SECTIONS)
    if head == "dense":
        assert "it has no rule" in page
        assert "This is no rule." in page


@pytest.mark.parametrize("given", [True, False])
def test_a_head_that_reads_measured_properties(
    model: CellModel, few: ReportCells, tmp_path: Path, given: bool
) -> None:
    read = HeadProperties(("area", "solidity"), (600.0, 0.9), (100.0, 0.1))
    formula = parse_formula("0.3 - area - z2", 32, None, read.names)
    head = NamedHead("size", FormulaHead([formula], (), read), ("Interphase", "Metaphase"))
    measuring = replace(model, heads={"size": head, "dense": model.head("dense")})
    own = replace(few, measured=measured_for(measuring, few.crops))
    assert set(own.measured) == {"area", "solidity"}
    out = tmp_path / "report.html"
    write_report(out, measuring, "size", own if given else None, simulated=0)
    page = out.read_text("utf-8")
    assert re.findall(r"<h2>\d+\. (.*)</h2>", page) == list(SECTIONS)
    assert "It reads measured properties: area." in page
    assert "600" in page
    assert "Measured properties stay as they are." in page
    assert "needs a head that reads latents alone" in page, "of the anatomy"
    if given:
        assert "size reads area, solidity: these were measured anew" in page
        score = own.scores(measuring, "size")[:, 0]
        known = np.isfinite(score)
        assert 12 < known.sum() == np.isfinite(own.measured["area"]).sum()
        assert f"On the {known.sum()} labelled cells of this report" in page


def test_without_cells_what_needs_them_says_so(model: CellModel, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    write_report(out, model, "formula")
    page = out.read_text("utf-8")
    assert re.findall(r"<h2>\d+\. (.*)</h2>", page) == list(SECTIONS)
    assert page.count("Give cells to") >= 2
    assert "no density is drawn" in page


def test_the_rule_in_words_and_maths(model: CellModel, cells: ReportCells) -> None:
    section = rule_section(model, model.head("formula-strict"), cells)
    assert kinds(section).count("figure") == 1
    assert "Metaphase" in sentences(section)
    assert "nodes as an expression tree" in sentences(section)
    several = rule_section(model, model.head("states-sparse"), cells)
    assert kinds(several).count("figure") == 4
    assert "largest score" in sentences(several)


def test_cells_without_a_score_are_counted_apart(model: CellModel, cells: ReportCells) -> None:
    head = FormulaHead([parse_formula("log(z7)", model.n_latents)])
    named = NamedHead("log", head, ("Interphase", "Metaphase"))
    made = replace(model, heads={"log": named})
    n = int((cells.latents[:, 7] >= 0).sum())
    assert 0 < n < 60
    told = sentences(quality_section(named, cells, made))
    assert f"On the {n} labelled cells" in told
    assert f"{60 - n} more labelled cell" in told


def test_held_out_accuracy_is_what_is_stored(model: CellModel, cells: ReportCells) -> None:
    named = model.head("dense")
    evidence = named.evidence
    assert evidence is not None
    told = sentences(quality_section(named, None, model))
    assert f"Balanced accuracy {evidence.balanced_accuracy:.3f}" in told
    assert f"{evidence.cells} labelled cells of {evidence.groups} plates" in told
    with_cells = quality_section(named, cells, model)
    assert "On the 60 labelled cells of this report" in sentences(with_cells)
    assert "no score" not in sentences(with_cells)
    assert "figure" in kinds(with_cells)
    bare = quality_section(replace(named, evidence=None), None, model)
    assert "does not say how this head did" in sentences(bare)


def test_calibration_of_what_is_stored_and_of_given_cells(
    model: CellModel, cells: ReportCells
) -> None:
    named = model.head("dense")
    section = calibration_section(named, cells, model)
    rows = next(block.rows for block in section.blocks if block.kind == "table")
    assert [row[0] for row in rows] == ["held-out plates", "cells of this report"]
    none = calibration_section(replace(named, evidence=None), None, model)
    assert "does not say how right the confidences" in sentences(none)


def test_a_class_without_cells_is_told(model: CellModel, cells: ReportCells) -> None:
    called = model.score(cells.latents, "formula-strict")[:, 0] >= 0
    assert called.any()
    some = np.flatnonzero(~called)
    few = replace(
        cells,
        crops=cells.crops[some],
        latents=cells.latents[some],
        groups=cells.groups[some],
        names=[cells.names[i] for i in some],
    )
    section = counterfactual_section(model, model.head("formula-strict"), few)
    assert "No cell is called Metaphase, so there is none to start from." in sentences(section)
    assert kinds(section).count("figure") == 1


def test_other_heads_of_the_same_question(model: CellModel, cells: ReportCells) -> None:
    section = rashomon_section(model, model.head("dense-strict"), cells)
    names = [row[0] for block in section.blocks if block.kind == "table" for row in block.rows]
    assert set(names) <= {"dense-strict", "sparse-strict", "formula-strict"}
    named = replace(model.head("dense"), evidence=None)
    bare = replace_heads(model, "bare", {"dense": named}, "")
    assert "does not say how head" in sentences(rashomon_section(bare, named, None))


def test_a_head_that_is_not_about_as_good_is_told_so(model: CellModel) -> None:
    formula = model.head("formula")
    assert formula.evidence is not None
    own = formula.evidence.balanced_accuracy
    section = rashomon_section(model, formula, None)
    assert f"'formula' itself is not among them: {own:.3f}" in sentences(section)


def test_hostile_names_and_a_head_without_latents(
    model: CellModel, few: ReportCells, tmp_path: Path
) -> None:
    constant = FormulaHead([parse_formula("0.5")])
    classes = (r"$\frac$ <b>x</b>", "A$B$[/x]")
    named = NamedHead("$h$", constant, classes)
    strange = replace_heads(model, "<i>$m$</i>", {"$h$": named}, "# $x$ <script>")
    write_report(tmp_path / "a.html", strange, "$h$", few, simulated=0)
    page = (tmp_path / "a.html").read_text("utf-8")
    assert "This head uses no latent" in page
    assert "<script>" not in page
    used = replace(named, head=FormulaHead([parse_formula("z2 - 0.3")]))
    strange = replace_heads(model, "m", {"$h$": used}, "")
    write_report(tmp_path / "b.html", strange, "$h$", few, simulated=0)
    assert "A$B$[/x]" in (tmp_path / "b.html").read_text("utf-8")


def test_cancelling_leaves_no_file(model: CellModel, tmp_path: Path) -> None:
    def stop(done: int, _: int) -> None:
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_report(tmp_path / "report.html", model, "formula", None, stop)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InvalidModel, match="no head 'nobody'"):
        write_report(tmp_path / "report.html", model, "nobody")


def test_in_a_browser_without_error_or_request(
    model: CellModel, few: ReportCells, tmp_path: Path
) -> None:
    browser = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if browser is None:
        pytest.skip("no Chromium here (Debian: chromium-headless-shell)")
    out, log = tmp_path / "report.html", tmp_path / "net.json"
    write_report(out, model, "formula-strict", few, simulated=0)
    words = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    words += [f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={log}", "--dump-dom"]
    done = subprocess.run(
        [*words, out.as_uri()], capture_output=True, text=True, timeout=300, check=True
    )
    assert "What would change the call" in done.stdout
    assert not re.findall(r".*CONSOLE.*", done.stderr)
    events = json.loads(log.read_text("utf-8"))["events"]
    asked = {e["params"]["url"] for e in events if "url" in e.get("params", {})}
    assert {url for url in asked if not url.startswith(("file:", "data:", "chrome:"))} == set()
