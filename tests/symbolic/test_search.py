from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from napari_interpdisc.errors import Cancelled, InvalidInput
from napari_interpdisc.symbolic import search as module
from napari_interpdisc.symbolic.search import balanced_sample, engines
from napari_interpdisc.symbolic.settings import SearchSettings

QUICK = SearchSettings(engine="operon", generations=5, individuals=100)
RNG = np.random.default_rng(0)
Z = RNG.normal(size=(200, 3))
Y = np.where(Z[:, 0] + Z[:, 1] ** 2 > 0.5, 1.0, -1.0)
NAMES = ["z3", "z7", "z17"]


def test_the_seed_decides_and_nothing_else() -> None:
    first = engines["operon"].search(Z, Y, NAMES, QUICK)
    assert engines["operon"].search(Z, Y, NAMES, QUICK) == first
    other = QUICK.model_copy(update={"seed": 1})
    assert engines["operon"].search(Z, Y, NAMES, other) != first


def test_a_search_is_stopped() -> None:
    long = SearchSettings(engine="operon", generations=100_000)
    with pytest.raises(Cancelled):
        engines["operon"].search(Z, Y, NAMES, long, cancelled=lambda: True)


def test_functions_that_operon_lacks() -> None:
    settings = SearchSettings(engine="operon", unary_operators=("cube", "exp"))
    with pytest.raises(InvalidInput, match="Operon does not search with cube"):
        engines["operon"].search(Z, Y, NAMES, settings)


@pytest.mark.parametrize("name", ["operon", "pysr"])
def test_arrays_that_cannot_be_searched(name: str) -> None:
    search = engines[name].search  # type: ignore[index]
    with pytest.raises(InvalidInput, match="do not fit each other"):
        search(Z, Y, NAMES[:2], QUICK)
    with pytest.raises(InvalidInput, match="NaN or infinite"):
        search(np.full_like(Z, np.nan), Y, NAMES, QUICK)
    with pytest.raises(InvalidInput, match="Both classes need cells"):
        search(Z, np.ones_like(Y), NAMES, QUICK)


def test_a_sample_keeps_the_rare_class() -> None:
    y = np.where(np.arange(5000) % 50 == 0, 1.0, -1.0)
    rows, weight = balanced_sample(y, 1000, 0)
    assert len(rows) == 1000
    assert (y[rows] > 0).sum() == 100
    assert weight[y[rows] > 0].sum() == pytest.approx(weight[y[rows] < 0].sum())
    assert weight.mean() == pytest.approx(1)
    np.testing.assert_array_equal(rows, balanced_sample(y, 1000, 0)[0])
    assert len(balanced_sample(y[:60], 1000, 0)[0]) == 60
    even, _ = balanced_sample(np.where(np.arange(3000) % 2 == 0, 1.0, -1.0), 1000, 0)
    assert len(even) == 1000


def test_versions_and_reasons_need_no_import() -> None:
    code = (
        "import sys; from napari_interpdisc.symbolic.search import engines; "
        "print([e.version and e.available() for e in engines.values()] and "
        "[m for m in ('pysr', 'juliacall', 'pyoperon', 'napari') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert all(engine.version for engine in engines.values())
    assert engines["operon"].available() is None


def test_without_julia_the_user_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "julia_is_present", lambda: False)
    assert "choose the engine 'operon'" in str(engines["pysr"].available())
    monkeypatch.setattr(module, "julia_is_present", lambda: True)
    assert engines["pysr"].available() is None


def test_settings_are_checked() -> None:
    for wrong in ({"engine": "gplearn"}, {"max_size": 1}, {"speed": 3}):
        with pytest.raises(ValidationError):
            SearchSettings.model_validate(wrong)
