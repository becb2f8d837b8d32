"""Marks of processes, and temporary folders that go with them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from napari_interpdisc import processes
from napari_interpdisc.processes import is_dead, machine, own_mark, started


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that takes the place of the machine's for temporary files."""
    monkeypatch.setattr(processes, "system_temporary", lambda: tmp_path)
    monkeypatch.setattr(processes, "_OWN", {})
    return tmp_path


def ended() -> int:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        pass
    return process.pid


def test_own_process_lives() -> None:
    assert not is_dead(own_mark())


def test_a_process_that_ended_is_dead() -> None:
    assert is_dead(f"{ended()}-0-{machine()}")


@pytest.mark.skipif(sys.platform != "linux", reason="starts of processes are told on Linux")
def test_a_younger_process_of_the_same_id_is_another() -> None:
    pid, start, _ = own_mark().split("-")
    assert started(int(pid)) == int(start) > 0
    assert is_dead(f"{pid}-{int(start) - 1}-{machine()}")
    assert not is_dead(f"{pid}-0-{machine()}")


def test_processes_of_other_machines_are_not_judged() -> None:
    assert not is_dead(f"{ended()}-0-00000000")
    assert not is_dead("no mark")


def test_scratch_folders_of_dead_processes_are_removed(temporary: Path) -> None:
    dead = temporary / f"interpdisc-{ended()}-0-{machine()}-abc"
    foreign = temporary / f"interpdisc-{ended()}-0-00000000-abc"
    kept = temporary / "interpdisc-kept-abc"
    for folder in (dead, foreign, kept):
        folder.mkdir()
        (folder / "file").write_text("1")
    own = processes.scratch_folder()
    assert own == processes.scratch_folder()
    assert own.parent == temporary
    assert sorted(temporary.iterdir()) == sorted([foreign, kept, own])


@pytest.mark.skipif(sys.platform == "win32", reason="links")
def test_a_link_is_not_followed(temporary: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "file").write_text("1")
    (temporary / f"interpdisc-{ended()}-0-{machine()}-abc").symlink_to(elsewhere)
    assert processes.sweep_scratch() == 0
    assert (elsewhere / "file").exists()


def test_temporary_files_of_all_go_together(temporary: Path) -> None:
    before = tempfile.gettempdir()
    with processes.temporary_files_together() as folder:
        with tempfile.NamedTemporaryFile(delete=False) as file:
            assert Path(file.name).parent == folder
        assert os.environ["TMPDIR"] == str(folder)
        assert folder.parent == temporary
    assert list(temporary.iterdir()) == []
    assert tempfile.gettempdir() == before
