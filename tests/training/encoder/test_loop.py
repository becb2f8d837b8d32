from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_interpdisc.models.tcvae import TCVAEConfig
from napari_interpdisc.training.encoder.loop import fit_tcvae
from napari_interpdisc.training.encoder.report import plain_crops
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


def test_an_encoder_of_the_cell_learns_to_leave_out_its_neighbour(
    sources: list[PatchSource],
) -> None:
    """Blobs with a neighbour at the side: the decoder is asked for the central one."""
    rows, cols = np.mgrid[:48, :48] - 23.5
    own = np.exp(-(rows**2 + cols**2) / 60)
    side = np.exp(-((rows - 16) ** 2 + cols**2) / 30)
    made = []
    for blobs in sources:
        pixels = (blobs.patches + 200 * side).clip(0, 255).astype(np.uint8)
        masks = np.repeat((255 * (own > 0.1)).astype(np.uint8)[None], len(pixels), 0)
        made.append(replace(blobs, patches=pixels, masks=masks))
    network = TINY.model_copy(update={"window": 8.0})
    augmentation = {"surroundings": 0.5, "shift": 0, "diameter": 0}
    asked = short(
        80, learning_rate=5e-3, subject="cell", network=network, augmentation=augmentation
    )
    lines: list[dict[str, float]] = []
    model = fit_tcvae(made, asked, lines.append)
    assert lines[-1]["reconstruction"] < 0.7 * lines[0]["reconstruction"]
    plain = plain_crops(made, 32)
    with torch.inference_mode():
        shown = model.decode(model.encode(torch.from_numpy(plain))[0])
    rim = shown[:, 0, 26:, 12:20].mean()
    centre = shown[:, 0, 14:18, 14:18].mean()
    assert centre - rim > 1
    # and what it was shown has a neighbour there
    assert (plain[:, 0, 26:, 12:20].mean() - plain[:, 0, :6, 12:20].mean()) > 0.5
