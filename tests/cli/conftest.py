"""The command line, run in this process, and the files of a small simulated movie."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import tifffile

from napari_interpdisc import cli
from napari_interpdisc.models.cell_model import LatentMeaning, NamedHead
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.store import load_model, replace_heads, save_model
from napari_interpdisc.simulate.movie import SimulatedMovie, SimulationSettings, simulate_movie


class Outcome(NamedTuple):
    """Exit code, and what was printed on standard output and standard error."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs ``interpdisc`` with these words, in this process."""

    def call(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["interpdisc", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        return Outcome(code, *capsys.readouterr())

    return call


def simulated(folder: Path, settings: SimulationSettings) -> SimulatedMovie:
    """Write movie.tif and masks.tif of a simulated movie, and return it."""
    made = simulate_movie(settings)
    for name, data in (("movie.tif", made.image), ("masks.tif", made.labels)):
        tifffile.imwrite(folder / name, data, photometric="minisblack", metadata={"axes": "TYX"})
    return made


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with movie.tif, masks.tif and tracks.csv of a small simulated movie."""
    made = simulated(tmp_path, SimulationSettings(shape=(5, 110, 240), cells=6, dividing=1, seed=1))
    made.cells.to_frame().to_csv(tmp_path / "tracks.csv", index=False)
    return tmp_path


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Return a folder as that of ``files``, with cells enough to tell where real cells are."""
    settings = SimulationSettings(shape=(5, 160, 320), cells=8, dividing=0.5, seed=2)
    simulated(tmp_path, settings).cells.to_frame().to_csv(tmp_path / "tracks.csv", index=False)
    return tmp_path


@pytest.fixture
def named(tmp_path: Path) -> tuple[Path, int, int, int]:
    """Return a model folder with two names, a pair of latents, and a formula of the three."""
    model = load_model(device="cpu")
    size, a, b = model.by_importance()[:3]
    meanings = [LatentMeaning("", f"texture, ρ = 0.{i}") for i in range(model.n_latents)]
    meanings[size] = LatentMeaning("size", "area, ρ = −0.97")
    meanings[a] = LatentMeaning("elongation_a", "elongation, ρ = 0.8")
    formula = parse_formula(f"(z{a}**2 + z{b}**2)*exp(z{size}) - 4.8")
    head = NamedHead("rule", FormulaHead([formula]), ("Interphase", "Metaphase"), "of a test")
    model = replace(model, meanings=tuple(meanings), orientation_pairs=((a, b),))
    save_model(replace_heads(model, "named", {"rule": head}, "# named"), tmp_path / "named")
    return tmp_path / "named", size, a, b


def sentence(outcome: Outcome, folder: Path) -> str:
    """The one sentence of a fault; nothing was written for it, nor left half-written."""
    assert outcome.code == 1
    text = outcome.err.strip().removeprefix("Error:").strip()
    assert "Traceback" not in text
    assert text.endswith(".")
    assert "\n" not in text
    assert not [p for p in folder.iterdir() if p.name.startswith((".", "out"))]
    return text


def refused(run: Run, told: str, *words: object) -> None:
    """Check that a command is refused with one sentence that holds ``told``, and nothing besides.

    What a command may say before it is what it took for what.
    """
    code, out, err = run(*words)
    assert code == 1, (out, err)
    assert all(": t from" in line or line.startswith("image: ") for line in out.splitlines()), out
    assert told in " ".join(err.split()), err
    assert err.count("\n") == 1
