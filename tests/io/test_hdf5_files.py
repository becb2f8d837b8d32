"""HDF5 on a disk that refuses: one fault, and a process that goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from napari_interpdisc.io.hdf5_files import hdf5_file

REFUSED = """
import resource, sys
from pathlib import Path
import numpy as np
from napari_interpdisc.io.hdf5_files import hdf5_file

def fill(path):
    with hdf5_file(path, "w") as (file, below):
        for k in range(40):
            below.check()
            file.create_dataset(f"a{k}", data=np.full(5000, float(k)), chunks=(1000,))

def change(path):
    with hdf5_file(path, "r+") as (file, below):
        del file["a3"]
        file["b"] = np.arange(100_000)

folder = Path(sys.argv[1])
fill(folder / "whole.h5")
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
for size in (0, 50, 3000, 300_000, 1_600_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    for work, name in ((fill, f"{size}.h5"), (change, "whole.h5")):
        try:
            work(folder / name)
        except OSError as fault:
            print(work.__name__, size, type(fault).__name__, fault.errno)
print("goes on")
"""
"""A process that may write files up to some size only: the system refuses the rest."""


def test_a_file_is_written_changed_and_read_by_h5py(tmp_path: Path) -> None:
    with hdf5_file(tmp_path / "a.h5", "w") as (file, _):
        for k in range(5):
            file.create_dataset(f"a{k}", data=np.full(5000, k), chunks=(1000,))
    with hdf5_file(tmp_path / "a.h5", "r+") as (file, below):
        del file["a3"]
        file["b"] = np.arange(7)
        below.check()
    with h5py.File(tmp_path / "a.h5", "r") as file:
        assert set(file) == {"a0", "a1", "a2", "a4", "b"}
        np.testing.assert_array_equal(file["a4"][:], np.full(5000, 4))
        np.testing.assert_array_equal(file["b"][:], np.arange(7))


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are of POSIX")
def test_a_disk_that_refuses_is_one_fault_and_no_crash(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", REFUSED, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[-1] == "goes on"
    told = {(word, int(size)) for word, size, *_ in map(str.split, lines[:-1])}
    assert told == {
        (word, n) for word in ("fill", "change") for n in (0, 50, 3000, 300_000, 1_600_000)
    }
    assert all(line.endswith(" OSError 27") for line in lines[:-1]), lines


def test_another_fault_stays_what_it_was(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="nothing"), hdf5_file(tmp_path / "a.h5", "w") as (file, _):
        file["nothing"]
    (tmp_path / "no.h5").write_text("no HDF5")
    with pytest.raises(OSError, match="signature"), hdf5_file(tmp_path / "no.h5", "r+"):
        pass
