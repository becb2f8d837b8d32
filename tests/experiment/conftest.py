"""A small experiment: two simulated movies with tracks, a broken one, and its plan."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import tifffile

from napari_interpdisc.batch.plan import Plan, read_plan
from napari_interpdisc.simulate.movie import SimulationSettings, simulate_movie

PLAN = """\
frames_per_block = 2
[images]
pattern = "movies/{well}_{name}.tif"
cells = "tracks/{well}_{name}.csv"
[reading]
diameter = 22
[tracks]
minutes_per_frame = 5
"""


@pytest.fixture(scope="session")
def _source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("experiment")
    for name in ("movies", "tracks"):
        (folder / name).mkdir()
    for k, name in enumerate(("A1_0", "B2_0")):
        settings = SimulationSettings(shape=(5, 80, 100), cells=2, dividing=1, seed=k)
        made = simulate_movie(settings)
        tifffile.imwrite(
            folder / "movies" / f"{name}.tif", made.image,
            photometric="minisblack", metadata={"axes": "TYX"},
        )  # fmt: skip
        made.cells.to_frame().to_csv(folder / "tracks" / f"{name}.csv", index=False)
    (folder / "PLAN.toml").write_text(PLAN)
    return folder


@pytest.fixture
def lab(tmp_path: Path, _source: Path) -> Path:
    """Return a folder with PLAN.toml, movies and tracks."""
    return Path(shutil.copytree(_source, tmp_path / "lab"))


@pytest.fixture
def plan(lab: Path) -> Plan:
    """Return the plan of ``lab``."""
    return read_plan(lab / "PLAN.toml")


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


Break = Callable[[], None]


@pytest.fixture
def break_one(lab: Path) -> Break:
    """Return a function that adds a movie that cannot be read."""

    def call() -> None:
        (lab / "movies" / "C3_0.tif").write_bytes(b"II*\0 no image")
        shutil.copy(lab / "tracks" / "A1_0.csv", lab / "tracks" / "C3_0.csv")

    return call
