"""Whatever the console is, a command ends with its result or one sentence."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_interpdisc.cli.console import (
    PLAIN,
    PLAIN_LETTERS,
    PatientStream,
    note,
    patient_streams,
    plain,
    say,
    tell_fault,
)

from .conftest import Run


def test_text_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """No markup, no colours, no little pictures, and no line is broken, however long."""
    long = "0.850 [0.75, 0.87] [red]z3[/red] :warning: " + "word " * 60
    say(long, "second\nthird")
    note("see [1] " + "word " * 60)
    tell_fault("[/x] was closed, and a\\[b] was not")
    out, err = capsys.readouterr()
    assert [line.rstrip() for line in out.splitlines()] == [long.rstrip(), "second", "third"]
    assert err.startswith("Note: see [1] word")
    assert err.endswith("\nError: [/x] was closed, and a\\[b] was not\n")
    assert err.count("\n") == 2
    assert plain("[red]") == r"\[red]"


def test_names_of_strangers_command_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    name = "\x1b]0;title\x07 \x9b31m \u202egnp [/x]"
    say(name)
    note(name)
    tell_fault(name)
    shown = r"\x1b]0;title\x07 \x9b31m \u202egnp [/x]"
    assert capsys.readouterr() == (f"{shown}\n", f"Note: {shown}\nError: {shown}\n")
    assert plain(name) == shown.replace("[/x]", r"\[/x]")


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", r"z^2 >= 0, -1, rho = 1 ... Zurich \u540d \udcff"),
        ("latin-1", r"z² >= 0, -1, rho = 1 ... Zürich \u540d \udcff"),
        ("cp1252", r"z² >= 0, -1, rho = 1 … Zürich \u540d \udcff"),
        ("utf-8", r"z² ≥ 0, −1, ρ = 1 … Zürich 名 \udcff"),
    ],
)
def test_what_an_encoding_lacks_is_written_in_plain_letters(encoding: str, shown: str) -> None:
    text = "z² ≥ 0, −1, ρ = 1 … Zürich 名 \udcff"
    assert text.encode(encoding, PLAIN).decode(encoding) == shown


def test_plain_letters_are_plain() -> None:
    assert all(text.isascii() for text in PLAIN_LETTERS.values())


def test_a_console_in_ascii_shows_rules(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii"))
    stream = sys.stdout
    assert run("models", "--long").code == 0
    assert sys.stdout is stream, "it was put back"
    assert b">= 0" in written.getvalue()


def test_a_reader_that_goes_away_costs_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as gone:
        stream = PatientStream(gone)
        assert stream.write("first\n") == 6
        assert stream.write("second\n") == 7
        stream.flush()
        assert stream.encoding == gone.encoding


def test_streams_that_are_none_lead_to_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with patient_streams():
        say("nobody reads this")
    assert sys.stdout is not None
    sys.stdout.close()


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (OSError(24, "Too many open files", "a.tif"), "go on: Too many open files (a.tif)."),
        (PermissionError(13, "Permission denied"), "go on: Permission denied."),
        (MemoryError(), "not enough memory"),
    ],
)
def test_what_the_system_refuses_is_one_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, fault: Exception, told: str
) -> None:
    def refuse() -> None:
        raise fault

    monkeypatch.setattr("napari_interpdisc.models.store.installed_models", refuse)
    code, out, err = run("models")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert told in err


@pytest.mark.skipif(os.name != "posix", reason="the shell is POSIX's here")
def test_a_process_in_a_bare_environment(files: Path) -> None:
    """No home, no UTF-8, few files, a reader that leaves, and then nobody to print to."""
    call = f"{sys.executable} -m napari_interpdisc.cli"
    classify = f"{call} classify movie.tif --tracks tracks.csv --diameter 28 --out"
    script = f"""
        ulimit -n 40
        {{ {classify} one.csv; echo "code $?" >&2; }} | head -c 1
        {classify} two.csv >&- 2>&- <&-; echo "code $?" >&2
        {call} models --model none; echo "code $?" >&2
        if [ -e /dev/full ]; then {call} --version > /dev/full; echo "code $?" >&2; fi
    """
    kept = {"PATH", "PYTHONPATH", "OMP_NUM_THREADS", "VIRTUAL_ENV", "LD_LIBRARY_PATH"}
    bare = {name: value for name, value in os.environ.items() if name in kept}
    bare |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "HOME": "/dev/null"}
    bare |= {"TMPDIR": "/nonexistent", "TERM": "dumb", "COLUMNS": "20", "NO_COLOR": "1"}
    done = subprocess.run(
        ["sh", "-c", script], cwd=files, env=bare, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    told = done.stderr.splitlines()
    codes = [line for line in told if line.startswith("code")]
    assert codes == ["code 0", "code 0", "code 1", "code 1"][: len(codes)]
    assert len(codes) >= 3
    assert sum("There is no model 'none'" in line for line in told) == 1
    assert (files / "one.csv").read_bytes() == (files / "two.csv").read_bytes()
