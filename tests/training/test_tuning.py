from __future__ import annotations

from pathlib import Path

import numpy as np
import optuna
import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.training.rigl import SparseTraining
from napari_interpdisc.training.tuning import SparsityTuning, tune_density

SMALL = SparseTraining(hidden=(5,))
QUICK = SparsityTuning(low=0.05, high=0.8, trials=3, steps=120, restarts=1)


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
