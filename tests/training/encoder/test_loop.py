from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_interpdisc.models.tcvae import TCVAEConfig
from napari_interpdisc.training.encoder.loop import fit_tcvae
from napari_interpdisc.training.encoder.settings import PatchSource

from .conftest import TINY, TINY_ROTATING, short


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_the_loss_falls(sources: list[PatchSource]) -> None:
    lines: list[dict[str, float]] = []
    model = fit_tcvae(sources, short(60, learning_rate=5e-3), lines.append)
    assert [line["step"] for line in lines] == list(range(5, 61, 5))
    assert lines[-1]["reconstruction"] < 0.7 * lines[0]["reconstruction"]
    assert all(np.isfinite(list(line.values())).all() for line in lines)
    assert not model.training


def test_the_same_seed_gives_the_same_weights(sources: list[PatchSource]) -> None:
    first = weights(fit_tcvae(sources, short(4)))
    torch.manual_seed(99)  # whatever ran before must not matter
    second = weights(fit_tcvae(sources, short(4)))
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = weights(fit_tcvae(sources, short(4, seed=1)))
    assert not torch.equal(first["encoder.0.weight"], other["encoder.0.weight"])


@pytest.mark.parametrize("network", [TINY, TINY_ROTATING], ids=["plain", "rotating"])
def test_resuming_from_a_checkpoint_is_bit_identical(
    sources: list[PatchSource], tmp_path: Path, network: TCVAEConfig
) -> None:
    class Interrupted(Exception):
        pass

    def stop(line: dict[str, float]) -> None:
        if line["step"] == 10:
            raise Interrupted

    asked = short(15, checkpoint_every=4, network=network)
    whole = weights(fit_tcvae(sources, asked))
    path = tmp_path / "run.pt"
    with pytest.raises(Interrupted):
        fit_tcvae(sources, asked, stop, path)
    assert torch.load(path, weights_only=True)["step"] == 8
    torch.manual_seed(99)
    lines: list[dict[str, float]] = []
    resumed = weights(fit_tcvae(sources, asked, lines.append, path))
    assert [line["step"] for line in lines] == [10, 15]
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert [file.name for file in tmp_path.iterdir()] == ["run.pt"]


def test_a_finished_run_is_not_run_again(sources: list[PatchSource], tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    first = weights(fit_tcvae(sources, short(3), checkpoint=path))
    lines: list[dict[str, float]] = []
    again = weights(fit_tcvae(sources, short(3), lines.append, path))
    assert lines == []
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_patches_of_no_weight_are_never_drawn(sources: list[PatchSource]) -> None:
    """Weights decide what is drawn: the other patches are white, and change nothing."""
    weight = np.r_[np.ones(6), np.zeros(6)]
    spoilt = []
    for source in sources:
        patches = source.patches.copy()
        patches[6:] = 255
        spoilt.append(PatchSource(source.name, patches, source.field, weight))
    kept = [PatchSource(s.name, s.patches, s.field, weight) for s in sources]
    first, second = (weights(fit_tcvae(s, short(3))) for s in (kept, spoilt))
    assert all(torch.equal(first[name], second[name]) for name in first)
