"""``interpdisc report``: the file that it writes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from .conftest import Run, sentence


def test_report_of_a_movie(run: Run, many: Path) -> None:
    cells = pd.read_csv(many / "tracks.csv")
    cells["label"] = cells["state"].replace({"interphase": "Interphase", "metaphase": "Metaphase"})
    cells.to_csv(many / "labelled.csv", index=False)
    out = many / "report.html"
    words = ["report", "h2b", "--image", many / "movie.tif", "--cells", many / "labelled.csv"]
    words += ["--labels", many / "masks.tif", "--head", "formula-strict", "--out", out]
    done = run(*words)
    assert done.code == 0, done.err
    page = out.read_text("utf-8")
    assert "labelled cells of this report" in page
    assert str(many / "movie.tif") in page
    assert "already exists" in run(*words).err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "report.pdf"], "is no HTML file"),
        (["--out", "no/report.html"], "does not exist"),
        (["--out", "report.html", "--image", "movie.tif"], "go together"),
        (["--out", "report.html", "--label-column", "state"], "There are no cells yet"),
        (["--out", "report.html", "--head", "nobody"], "no head 'nobody'"),
    ],
)
def test_refuses(
    run: Run, many: Path, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(many)
    assert said in sentence(run("report", "h2b", *words), many)
