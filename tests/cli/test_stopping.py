"""A command that is stopped says so, and what is kept; no worker outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from napari_interpdisc.cli.stopping import Terminated, keeps, stoppable, told_stop

from ..conftest import alive

HERE = Path(__file__).parent


def test_ctrl_c_and_sigterm_have_codes_of_their_own() -> None:
    assert told_stop(KeyboardInterrupt()) == (
        "Cancelled; nothing unfinished was left behind.",
        130,
    )
    assert told_stop(Terminated("a.csv is kept.")) == ("Stopped by SIGTERM; a.csv is kept.", 143)


def test_what_is_kept_is_told_by_the_innermost() -> None:
    def stopped() -> None:
        with keeps("all is kept."), keeps("a checkpoint is kept."):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="a checkpoint is kept"):
        stopped()


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's here")
def test_sigterm_unwinds_the_work() -> None:
    before = signal.getsignal(signal.SIGTERM)
    undone = []

    def work() -> None:
        with stoppable():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(60)
            finally:
                undone.append(True)

    with pytest.raises(Terminated):
        work()
    assert undone == [True]
    assert signal.getsignal(signal.SIGTERM) is before


POOL = """
import sys
from pathlib import Path
import typer
from napari_interpdisc.cli import app
from napari_interpdisc.batch.units import run_units
import stand_in_sleeper

def pool(out: Path) -> None:
    units = {out / f"{k}.json": (str(out), k) for k in range(4)}
    list(run_units(stand_in_sleeper.sleep, units, 2))

if __name__ == "__main__":
    app.app.command("pool")(pool)
    app.main()
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's here")
@pytest.mark.parametrize(
    ("sent", "code", "told"),
    [
        (signal.SIGTERM, 143, "Stopped by SIGTERM; nothing unfinished was left behind."),
        (signal.SIGKILL, -9, ""),
    ],
)
def test_workers_end_with_their_command(
    tmp_path: Path, sent: signal.Signals, code: int, told: str
) -> None:
    """Also while other code holds the interpreter, where no thread of a worker can run."""
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    out.mkdir()
    scratch.mkdir()
    script = tmp_path / "script.py"
    script.write_text(POOL)
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, str(script), "pool", str(out)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(scratch)},
    )
    deadline = time.monotonic() + 120
    while len(list(out.glob("*.pid"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = [int(file.read_text()) for file in out.glob("*.pid")]
    assert len(workers) == 2
    process.send_signal(sent)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err
    assert told in err
    deadline = time.monotonic() + 30
    while any(alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in workers)
    if sent is signal.SIGTERM:
        assert list(scratch.iterdir()) == []
