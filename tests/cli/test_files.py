"""Every file that a command takes is known as read or written, and no result replaces an input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest

from napari_interpdisc.cli import app
from napari_interpdisc.cli.files import MODELS, READ, WRITTEN, check_results, inputs_of
from napari_interpdisc.errors import InvalidInput

from .conftest import Run

COMMANDS = {
    str(one.name): one.callback for one in app.app.registered_commands if one.callback is not None
}


def arguments(command: Callable[..., None]) -> dict[str, tuple[str, str]]:
    """Type and place holder of each argument of a command, as text."""
    found = {}
    for name, hint in get_type_hints(command, include_extras=True).items():
        (told,) = getattr(hint, "__metadata__", (None,))
        found[name] = (str(getattr(hint, "__origin__", hint)), str(getattr(told, "metavar", "")))
    found.pop("return", None)
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_that_names_a_file_is_known(name: str) -> None:
    """Whoever adds an option with a path says in ``cli/files.py`` which of the two it is."""
    given = arguments(COMMANDS[name])
    paths = {one for one, (kind, _) in given.items() if "Path" in kind}
    folders = {one for one, (_, metavar) in given.items() if "DIR" in metavar or metavar == "MODEL"}
    assert paths | folders, name
    assert paths <= READ | WRITTEN
    assert folders <= MODELS
    assert not READ & WRITTEN


PAIRS = [
    (name, read, written)
    for name, command in COMMANDS.items()
    for written in sorted(WRITTEN & arguments(command).keys())
    for read in sorted((READ | MODELS) & arguments(command).keys())
]


def test_no_result_takes_the_place_of_an_input(tmp_path: Path) -> None:
    path = tmp_path / "here"
    path.mkdir()
    assert len(PAIRS) > 80
    for name, read, written in PAIRS:
        kind = arguments(COMMANDS[name])[read][0]
        if read == "frames" and "int" in kind:
            continue  # a number, of demo
        one: Any = str(path) if read in MODELS else path
        given = {read: [one] if "list" in kind else one, written: path}
        with pytest.raises(InvalidInput, match=r"would replace .*here, which is read here"):
            check_results(given)
        check_results({**given, written: tmp_path / "other"})


def test_a_model_by_name_is_no_folder(tmp_path: Path) -> None:
    assert list(inputs_of({"model": "h2b", "start": "x" * 5000})) == []
    check_results({"model": "h2b", "out": Path("h2b")})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").touch()
    with pytest.raises(InvalidInput, match=r"would be among the files of .*mine"):
        check_results({"model": str(tmp_path / "mine"), "out": tmp_path / "mine" / "new.json"})


def test_files_that_a_table_of_movies_names_are_inputs(tmp_path: Path) -> None:
    table = tmp_path / "movies.csv"
    table.write_text("image,cells,labels\na.tif,a.csv,\nb.tif,../b.csv,masks.tif\n")
    names = {path.relative_to(tmp_path).as_posix() for path in inputs_of({"movies": table})}
    assert names == {"movies.csv", "a.tif", "a.csv", "b.tif", "../b.csv", "masks.tif"}
    with pytest.raises(InvalidInput, match=r"would replace .*masks\.tif"):
        check_results({"movies": table, "out": tmp_path / "masks.tif"})


def test_data_sets_that_a_list_names_are_inputs(tmp_path: Path) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(
        '[[source]]\nname = "a"\ncrops = "a.npz"\ndiameter = 28\n'
        '[[source]]\nname = "b"\nframes = "b/*.tif"\n'
    )
    given = {"sources": file, "data": tmp_path / "data"}
    names = [path.relative_to(tmp_path).as_posix() for path in inputs_of(given)]
    assert names == ["sources.toml", "data", "data/a.npz", "data/b/*.tif"]
    with pytest.raises(InvalidInput, match=r"among the files of .*b/\*\.tif"):
        check_results({"sources": file, "out": tmp_path / "b" / "run.tif"})


def test_two_results_need_two_places(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"--csv and --figure are both .*a\.csv; give each"):
        check_results({"csv": tmp_path / "a.csv", "figure": tmp_path / "b" / ".." / "a.csv"})


def test_a_command_refuses_before_it_begins(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "crops.npz"
    np.savez(path, images=np.zeros((3, 8, 8)))
    before = path.read_bytes()
    code, _, err = run("table1", "--data", path, "--out", path)
    assert (code, err.count("\n")) == (1, 1)
    assert "would replace" in err
    assert path.read_bytes() == before
