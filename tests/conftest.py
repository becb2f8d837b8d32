"""What all tests share: seeded numbers, real microscopy, a watch on what a test leaves."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# Before torch is imported by anything; small tensors gain nothing from more, and processes that run
# beside each other wait for one another's threads.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")

import numpy as np
import pytest

from napari_interpdisc.crop_measures import BANDS
from napari_interpdisc.models.familiarity import Density, Familiarity

CLONE = Path(__file__).resolve().parents[1]
MICROSCOPY = [
    *(Path(folder) for folder in [os.environ.get("INTERPDISC_DATA")] if folder),
    CLONE / "experiments" / "data",
    CLONE.parent / "shared" / "data",
]
"""Folders of real microscopy, first come first served; the last is one for several clones."""

POOLED = ("zarr_io", "asyncio_", "tqdm_monitor", "Dummy-", "Dask-Offload")
"""Names of threads that stay with the process: zarr's two kinds, tqdm's watch, Qt's ("Dummy"), and
one of dask.distributed."""


def known_within(limit: float, n_latents: int = 32) -> Familiarity:
    """Training data that knows latents of a norm up to ``limit`` and all sensible spectra."""
    levels = (0.5, 0.9, 0.995)

    def around_zero(n: int, far: float) -> Density:
        unit = tuple(tuple(float(i == k) for k in range(n)) for i in range(n))
        return Density((0.0,) * n, unit, levels, (far / 3, far / 2, far))

    return Familiarity(
        around_zero(n_latents, limit), around_zero(len(BANDS), 40.0), 28.0, 1e9, -1e9
    )


WINDOWED = {"qtbot", "qapp", "qapp_cls", "make_napari_viewer", "make_scene"}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def microscopy() -> Callable[[str], Path]:
    """Find a file or folder of real microscopy by its path in ``experiments/data``."""

    def find(path: str) -> Path:
        for folder in MICROSCOPY:
            if (folder / path).exists():
                return folder / path
        pytest.skip(f"{path} is not on this machine; experiments/fetch_data.py fetches it")

    return find


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie that nobody waits for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        pass
    if Path("/proc/self").exists():
        return False
    try:  # elsewhere than on Linux
        os.kill(pid, 0)
    except OSError:
        return False
    return True


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    """Fail a test that leaves a thread or a napari worker running."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 5
    while (left := _running(before)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left, f"the test left threads running: {left}"


def _running(before: set[threading.Thread]) -> list[str]:
    kept = set(before)
    if dask := sys.modules.get("dask.threaded"):  # its pool stays for the next computation
        kept |= getattr(dask.default_pool, "_threads", set())
    names = [
        thread.name
        for thread in threading.enumerate()
        if thread not in kept and thread.is_alive() and not thread.name.startswith(POOLED)
    ]
    if qtcore := sys.modules.get("qtpy.QtCore"):
        pool = qtcore.QThreadPool.globalInstance()
        if pool is not None and not pool.waitForDone(0):
            names.append(f"{pool.activeThreadCount()} of Qt's thread pool")
    return names


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported: napari's fixture asks it after each test."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Say what is missing where Qt would only abort the process."""
    needs_window = WINDOWED & set(getattr(item, "fixturenames", ()))
    if needs_window and sys.platform == "linux":
        screens = ("DISPLAY", "WAYLAND_DISPLAY")
        if not any(os.environ.get(name) for name in screens):
            pytest.fail("this test opens a window; run: xvfb-run -a pytest", pytrace=False)
