from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from napari_interpdisc.models.formula import parse_formula
from napari_interpdisc.symbolic.operon_worker import max_length, repeated, search
from napari_interpdisc.symbolic.settings import SearchSettings

FUNCTIONS = ("square", "exp", "log", "sqrt", "abs", "sin", "cos", "tanh")


def noisy(n: int = 200) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    z = rng.uniform(0.5, 2, size=(n, 3))
    return z, np.where(z[:, 0] / z[:, 1] - z[:, 2] + rng.normal(0, 0.3, n) > 0, 1.0, -1.0)


def test_expressions_mean_in_our_form_what_operon_measured() -> None:
    """The loss of the parsed text is the loss that Operon gives it, whatever the functions."""
    z, y = noisy()
    settings = SearchSettings(
        engine="operon", unary_operators=FUNCTIONS, generations=6, individuals=200
    )
    found = search(z, y, ["z5", "z0", "z31"], settings)
    latents = torch.zeros((len(z), 32), dtype=torch.float64)
    latents[:, [5, 0, 31]] = torch.from_numpy(z)
    used: set[str] = set()
    for candidate in found:
        values = parse_formula(str(candidate["expression"])).evaluate(latents).numpy()
        loss = float(((values - y) ** 2).mean() / y.var())
        assert loss == pytest.approx(float(str(candidate["loss"])), abs=2e-3)
        used |= {name for name in ("/", "-", *FUNCTIONS) if name in str(candidate["expression"])}
    assert len(used) > 5
    assert max(int(str(c["size"])) for c in found) <= max_length(settings)


def test_progress_counts_generations() -> None:
    seen: list[tuple[int, int]] = []
    settings = SearchSettings(engine="operon", generations=3, individuals=50)
    search(*noisy(60), ["z0", "z1", "z2"], settings, lambda *at: seen.append(at))
    assert seen[-1] == (3, 3)
    assert seen == sorted(seen)


def test_cells_of_a_rare_class_are_repeated() -> None:
    rows = repeated(np.array([0.5, 0.5, 0.5, 1.6]))
    np.testing.assert_array_equal(rows, [0, 1, 2, 3, 3, 3])
