"""Examples in the documentation run as they stand; its commands have the options they use."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import threadpoolctl

from napari_interpdisc import cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(python|sh)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def commands_in(block: str) -> list[list[str]]:
    """Words of each ``interpdisc`` line of a shell block, its continuation lines joined."""
    lines = block.replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("interpdisc")]


def run_command(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the command line in this process."""
    monkeypatch.setattr(sys, "argv", ["interpdisc", *words])
    code: object = 0
    try:
        cli.main()
    except SystemExit as end:
        code = end.code
    assert not code, words


def run_blocks(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every Python block and every command of a page, in their order."""
    names: dict[str, object] = {}
    for language, block in FENCE.findall(text):
        if language == "python":
            exec(compile(block, "<example>", "exec"), names)
        else:
            for words in commands_in(block):
                run_command(words, monkeypatch)


@pytest.fixture
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_in_folder")
def test_the_python_guide_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_blocks((DOCS / "how-to" / "python.md").read_text("utf-8"), monkeypatch)
    assert "track_id" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.usefixtures("_in_folder")
def test_the_tutorial_goes_from_a_movie_to_a_rule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with threadpoolctl.threadpool_limits(1):  # small problems: more threads only wait
        run_blocks((DOCS / "tutorial" / "movie-to-rule.md").read_text("utf-8"), monkeypatch)
    out = capsys.readouterr().out
    assert "Metaphase: " in out
    assert "≥ 0" in out
    assert (tmp_path / "mine.csv").exists()


@pytest.mark.usefixtures("_in_folder")
def test_tracks_of_trackmate_are_read_and_flagged_cells_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import pandas as pd
    import tifffile

    from napari_interpdisc import simulate_movie

    movie = simulate_movie()
    tifffile.imwrite(tmp_path / "movie.tif", movie.image)
    write_trackmate_spots(movie.cells.to_frame(), tmp_path / "spots.csv", 0.65)
    run_blocks((DOCS / "how-to" / "trackmate.md").read_text("utf-8"), monkeypatch)
    found, given = pd.read_csv("cells.csv"), movie.cells.to_frame()
    columns = ["t", "y", "x", "track_id"]
    pd.testing.assert_frame_equal(
        found[columns].iloc[:-1], given[columns], check_dtype=False, atol=0.01
    )
    assert found["track_id"].iloc[-1] not in set(given["track_id"])  # the spot without a track

    guide = (DOCS / "how-to" / "classify.md").read_text("utf-8")
    for language, block in FENCE.findall(guide):
        if language == "python":
            exec(compile(block, "classify.md", "exec"), {})
    told = capsys.readouterr().out.splitlines()
    # classes by whether a cell is flagged
    assert told[-1].startswith("Metaphase")
    assert "False" in told[-4]
    assert "True" in told[-4]


def write_trackmate_spots(cells: Any, path: Path, micrometres_per_pixel: float) -> None:
    """Write cells, and a spot of no track, as TrackMate 7 does: names, then three header rows."""
    header = [
        "LABEL,ID,TRACK_ID,QUALITY,POSITION_X,POSITION_Y,POSITION_Z,POSITION_T,FRAME",
        "Label,Spot ID,Track ID,Quality,X,Y,Z,T,Frame",
        "Label,Spot ID,Track ID,Quality,X,Y,Z,T,Frame",
        ",,,(quality),(micron),(micron),(micron),(sec),",
    ]
    rows = [
        f"ID{i},{i},{cell.track_id},5.0,{cell.x * micrometres_per_pixel:.4f},"
        f"{cell.y * micrometres_per_pixel:.4f},0.0,{cell.t * 300.0},{cell.t}"
        for i, cell in enumerate(cells.itertuples())
    ]
    loose = "ID9999,9999,,5.0,20.0,20.0,0.0,0.0,0"
    path.write_text("\n".join([*header, *rows, loose, ""]), "utf-8")


@pytest.mark.usefixtures("_in_folder")
def test_the_readme_example_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import tifffile

    from napari_interpdisc import simulate_movie

    tifffile.imwrite(tmp_path / "movie.tif", simulate_movie().image)
    blocks = FENCE.findall((ROOT / "README.md").read_text("utf-8"))
    (example,) = (block for language, block in blocks if language == "python")
    exec(compile(example, "README.md", "exec"), {})
    assert "track_id" in capsys.readouterr().out


def test_every_command_in_the_pages_has_its_options() -> None:
    reference = module_at(DOCS / "_ext" / "generated_reference.py")
    options = {
        command.name: {
            spelling.split(" ")[0]
            for row in reference.parameters(command.callback)
            for spelling in row[0].split(" / ")
        }
        for command in cli.app.app.registered_commands
    }
    seen = 0
    for page in (ROOT / "README.md", *DOCS.rglob("*.md")):
        for language, block in FENCE.findall(page.read_text("utf-8")):
            for words in commands_in(block) if language == "sh" else ():
                seen += 1
                used = {word for word in words[1:] if word.startswith("--")}
                assert used <= options[words[0]], f"{page.name}: interpdisc {' '.join(words)}"
    assert seen > 20


def module_at(path: Path) -> Any:
    """Import a module that is in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
