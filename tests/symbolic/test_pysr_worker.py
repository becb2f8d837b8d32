from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_interpdisc.models.formula import parse_formula
from napari_interpdisc.symbolic.pysr_worker import (
    iterations_told,
    missing_julia,
    pysr_keywords,
    read_hall_of_fame,
)
from napari_interpdisc.symbolic.search import engines
from napari_interpdisc.symbolic.settings import SearchSettings
from napari_interpdisc.symbolic.worker import EngineMissing

HALL_OF_FAME = """Complexity,Loss,Equation
1,0.69314718,"0.0"
3,0.5243,"z3 + -0.25"
6,0.31872,"(z17 * z17) + (z21 - 1.5f-3)"
7,0.20415,"square(z17) + (square(z21) - exp(z3))"
9,0.1985,"((z17 ^ 2.0) * 1.25e0) - max(z3, z7)"
11,NaN,"log(z3)"
13,0.19
"""


def test_keywords_are_those_of_the_installed_pysr(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("pysr")
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).with_name("sr.py").read_text("utf-8"))
    (cls,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "PySRRegressor")
    functions = {n.name: n.args for n in cls.body if isinstance(n, ast.FunctionDef)}
    known = {
        name: {a.arg for a in (*functions[name].args, *functions[name].kwonlyargs)}
        for name in ("__init__", "fit")
    }
    assert set(pysr_keywords(SearchSettings(), tmp_path)) <= known["__init__"]
    assert {"weights", "variable_names"} <= known["fit"]


def test_a_search_is_reproducible_and_small_enough_for_pysr(tmp_path: Path) -> None:
    keywords = pysr_keywords(SearchSettings(seed=4, max_size=3), tmp_path)
    assert keywords["deterministic"]
    assert keywords["parallelism"] == "serial"
    assert keywords["random_state"] == 4
    assert keywords["maxsize"] == 7
    assert keywords["batching"] is False


def test_a_hall_of_fame_is_read() -> None:
    """Torn and infinite lines are left out; Julia's powers and numbers become ours."""
    found = read_hall_of_fame(HALL_OF_FAME)
    assert [c["size"] for c in found] == [1, 3, 6, 7, 9]
    texts = [str(c["expression"]) for c in found]
    assert texts[2] == "(z17 * z17) + (z21 - 1.5e-3)"
    assert texts[4] == "((z17 ** 2.0) * 1.25e0) - max(z3, z7)"
    assert parse_formula(texts[3]).used_latents == (3, 17, 21)
    assert found[3]["loss"] == pytest.approx(0.20415)
    assert read_hall_of_fame("") == []


def test_iterations_from_what_pysr_prints() -> None:
    log = "Progress: 3 / 600 total iterations (0.5%)\nx\nProgress: 12 / 600 total iterations (2%)"
    assert iterations_told(log) == (12, 600)
    assert iterations_told("Precompiling 1 / 3") is None


def test_one_sentence_for_a_missing_julia() -> None:
    text = missing_julia(Exception("could not\nfind Julia"))
    assert text.startswith("PySR needs Julia, which is neither installed nor could be downloaded")
    assert "(could not find Julia)" in text
    assert "'operon'" in text
    assert "(Exception)" in missing_julia(Exception())


def test_the_worker_module_imports_nothing_that_must_come_after_pysr() -> None:
    code = (
        "import sys, napari_interpdisc.symbolic.pysr_worker; "
        "print([m for m in ('numpy', 'torch', 'pysr', 'juliacall') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def circle() -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    z = np.random.default_rng(0).normal(size=(300, 2))
    return z, np.where((z**2).sum(1) > 1, 1.0, -1.0)


def test_the_true_failure_without_julia(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Julia is there or could be fetched, juliapkg is told to use neither."""
    if engines["pysr"].available() is None:
        pytest.skip("Julia is installed")
    monkeypatch.setenv("PYTHON_JULIAPKG_OFFLINE", "yes")
    with pytest.raises(EngineMissing, match=r"^PySR needs Julia.*choose the engine 'operon'\.$"):
        engines["pysr"].search(*circle(), ["z3", "z7"], SearchSettings())


@pytest.mark.slow
def test_pysr_finds_a_rule() -> None:
    reason = engines["pysr"].available()
    if reason is not None:
        pytest.skip(reason)
    settings = SearchSettings(max_size=9, iterations=5, populations=5)
    found = engines["pysr"].search(*circle(), ["z3", "z7"], settings)
    assert min(c.loss for c in found) < 0.2
    assert all(parse_formula(c.expression) for c in found)
