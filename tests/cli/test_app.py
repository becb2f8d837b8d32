"""The command line as a whole: exit codes, help, interruption, and a process of its own."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from napari_interpdisc import __version__, cli

from .conftest import Run


def test_version(run: Run) -> None:
    assert run("--version").out.strip() == __version__


@pytest.mark.parametrize(
    "words",
    [
        ("classify",),
        ("classify", "movie.tif", "--out", "a.csv"),
        ("dance",),
        ("models", "--wide"),
        ("attack", "a.tif", "--tracks", "b.csv", "--out", "c", "--space", "outer"),
        ("classify", "a.tif", "--tracks", "b.csv", "--out", "c.csv", "--channel", "red"),
    ],
)
def test_misuse_is_2(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words).code == 2


def test_a_pattern_that_the_shell_replaced(run: Run, tmp_path: Path) -> None:
    files = [tmp_path / f"t{k}.tif" for k in range(3)]
    for file in files:
        file.touch()
    done = run("classify", *files, "--tracks", "b.csv", "--out", "c.csv")
    assert done.code == 2
    assert "3 files were given where one image is expected" in done.err
    assert f"give the folder {tmp_path}, or the pattern in quotes: '{tmp_path}/*.tif'" in done.err


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "napari_interpdisc.cli", *map(str, words)]


def test_exit_codes_of_the_process(files: Path) -> None:
    bad = command("classify", files / "no.tif", "--tracks", files / "tracks.csv", "--out", "a.csv")
    done = subprocess.run(bad, capture_output=True, text=True, cwd=files, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "There is no file" in done.stderr
    misuse = subprocess.run(command("dance"), capture_output=True, check=False)
    assert misuse.returncode == 2


def test_help_is_quick() -> None:
    """Neither torch nor napari nor Qt is imported to print a help text."""
    code = (
        "import sys; from napari_interpdisc import cli; sys.argv = ['interpdisc', '--help']\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'napari', 'qtpy', 'pandas', 'skimage', 'captum'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"
    assert "classify" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's here")
@pytest.mark.parametrize("name", ["classify", "attack"])
def test_ctrl_c_leaves_nothing_half_written(files: Path, name: str) -> None:
    """Interrupted at the first progress report, in the midst of the work."""
    words = [name, files / "movie.tif", "--tracks", files / "tracks.csv", "--diameter", "28"]
    words += ["--out", files / ("out.csv" if name == "classify" else "out")]
    code = f"""
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background ignores it
from napari_interpdisc import cli, crops
plain = crops.iter_cells
def slow(*args, **kwargs):
    for item in plain(*args, **kwargs):
        yield item
        print("working", flush=True)
        time.sleep(5)  # longer than the start, shorter than the wait below
crops.iter_cells = slow
sys.argv = {["interpdisc", *map(str, words)]!r}
cli.main()
"""
    before = sorted(files.iterdir())
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert "working\n" in iter(process.stdout.readline, "")  # after what was taken for what
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip() == "Cancelled; nothing unfinished was left behind."
    assert sorted(files.iterdir()) == before


def test_ctrl_c_during_the_first_imports_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted:
        """Ctrl-C comes while the application is imported."""

        def find_spec(self, name: str, *_: object) -> None:
            if name == "napari_interpdisc.cli.app":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "napari_interpdisc.cli.app", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 130
    assert capsys.readouterr().err == "Cancelled.\n"


def test_the_entry_point_imports_little() -> None:
    """What is imported before ``main`` runs can still end in a traceback after Ctrl-C."""
    code = "import sys, napari_interpdisc.cli; print(*{'typer', 'rich', 'numpy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_reader_that_goes_away_is_no_fault(files: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{' '.join(command('models', '--long'))} | head -c 1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr


def test_every_interrupted_command_says_so(
    run: Run, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_interpdisc.models.store.load_model", interrupted)
    code, out, err = run(
        "scorecard", "h2b", "--image", files / "movie.tif", "--cells", files / "tracks.csv",
        "--out", files / "out",
    )  # fmt: skip
    assert (code, out) == (130, "")
    assert err == "Cancelled; nothing unfinished was left behind.\n"


def test_a_result_is_kept_where_there_is_room(
    run: Run, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the folder could not be written to any more when the work was done."""
    spare = files / "spare"
    spare.mkdir()
    monkeypatch.setattr("napari_interpdisc.writing.system_temporary", lambda: spare)
    rename = os.replace

    def refused(partial: Path, target: Path) -> None:
        if Path(target).parent == files:
            raise OSError(errno.ENOSPC, "full")
        rename(partial, target)

    monkeypatch.setattr(os, "replace", refused)
    code, out, err = run(
        "detect", files / "movie.tif", "--diameter", "28", "--out", files / "cells.csv"
    )
    (kept,) = spare.glob("*/cells.csv")
    assert code == 4
    assert out.splitlines()[-1] == str(kept)
    assert "the disk is full; free some space. The result was kept in " in err
    assert str(kept) in err
    assert len(kept.read_text().splitlines()) > 5
    assert kept.with_suffix(".json").exists()
    assert not (files / "cells.csv").exists()
