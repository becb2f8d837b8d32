from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import numpy as np
import optuna
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.training.rigl import SparseTraining
from napari_interpdisc.training.tuning import SparsityTuning, check_study, tune_density

SMALL = SparseTraining(hidden=(5,))
QUICK = SparsityTuning(low=0.05, high=0.8, trials=3, steps=60, restarts=1)


def cells(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    z = rng.standard_normal((90, 6)).astype(np.float32)
    return z, (z[:, 1] > 0).astype(np.int64), np.arange(90) // 3


def test_a_density_between_the_bounds_and_a_stored_study(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    z, y, group = cells(rng)
    storage = tmp_path / "study.db"
    density = tune_density(z[None], z, y, group, 2, QUICK, SMALL, storage)
    assert 0.05 <= density <= 0.8
    (name,) = optuna.get_all_study_names(f"sqlite:///{storage}")
    assert name.startswith("density-")
    study = optuna.load_study(study_name=name, storage=f"sqlite:///{storage}")
    assert len(study.trials) == 3
    assert study.best_params["density"] == density
    # the three that come first: both ends and the middle
    tried = sorted(t.params["density"] for t in study.trials)
    np.testing.assert_allclose(tried, [0.05, 0.2, 0.8])


def test_a_stored_study_is_resumed_and_a_complete_one_only_read(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    z, y, group = cells(rng)
    storage = tmp_path / "study.db"

    def stop(done: int, n: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune_density(z[None], z, y, group, 2, QUICK, SMALL, storage, progress=stop)
    seen: list[int] = []
    density = tune_density(
        z[None], z, y, group, 2, QUICK, SMALL, storage, progress=lambda done, n: seen.append(done)
    )
    assert seen == [2]
    again = tune_density(
        z[None], z, y, group, 2, QUICK, SMALL, storage, progress=lambda *_: pytest.fail("a trial")
    )
    assert again == density


def test_a_price_makes_it_sparser(rng: np.random.Generator) -> None:
    z, y, group = cells(rng)
    dear = QUICK.model_copy(update={"price": 0.05})
    assert tune_density(z[None], z, y, group, 2, dear, SMALL) < 0.4


def test_too_few_groups(rng: np.random.Generator) -> None:
    z, y, _ = cells(rng)
    with pytest.raises(InvalidInput, match="3 groups"):
        tune_density(z[None], z, y, np.zeros(90, np.int64), 2, QUICK, SMALL)


def test_other_data_have_a_study_of_their_own(rng: np.random.Generator, tmp_path: Path) -> None:
    storage = tmp_path / "study.db"
    once = QUICK.model_copy(update={"trials": 1})
    for _ in range(2):
        z, y, group = cells(rng)
        tune_density(z[None], z, y, group, 2, once, SMALL, storage)
    assert len(optuna.get_all_study_names(f"sqlite:///{storage}")) == 2


def test_a_study_can_begin_or_go_on(tmp_path: Path) -> None:
    storage = tmp_path / "study.db"
    assert check_study(storage) == storage
    storage.touch()
    assert check_study(storage) == storage
    storage.unlink()
    optuna.create_study(storage=f"sqlite:///{storage}", study_name="a")
    assert check_study(storage) == storage


def test_a_study_that_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    garbage, other, held = (tmp_path / f"{name}.db" for name in ("garbage", "other", "held"))
    garbage.write_bytes(b"no database at all")
    for path, table in ((other, "cats"), (held, "studies")):
        with contextlib.closing(sqlite3.connect(path)) as base:
            base.execute(f"CREATE TABLE {table} (a)")
    with pytest.raises(InvalidInput, match="it is no database; give another name"):
        check_study(garbage)
    with pytest.raises(InvalidInput, match="not one of Optuna's"):
        check_study(other)
    with contextlib.closing(sqlite3.connect(held, isolation_level=None)) as base:
        base.execute("BEGIN EXCLUSIVE")
        with pytest.raises(InvalidInput, match="another program holds it"):
            check_study(held)
    with pytest.raises(InvalidInput, match="does not exist; create it"):
        check_study(tmp_path / "no" / "study.db")
    with pytest.raises(InvalidInput, match="which is read here"):
        check_study(garbage, (garbage,))
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(other.read_bytes()[:60] + b"\xff" * 2000)
    with pytest.raises(InvalidInput, match="cannot be used for the study"):
        check_study(damaged)
