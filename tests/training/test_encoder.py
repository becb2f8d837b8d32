from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_interpdisc.models.tcvae import TCVAEConfig
from napari_interpdisc.training.augment import Augmentation, normalise_tensor
from napari_interpdisc.training.encoder.loop import fit_tcvae
from napari_interpdisc.training.encoder.settings import EncoderTraining, PatchSource

TINY = TCVAEConfig(crop_size=32, latents=4, widths=(4, 4, 8, 8), hidden=16)
ROTATING = TINY.model_copy(update={"texture": True, "rotating": (0, 1)})
MILD = Augmentation(diameter=0.05, shift=0.5, blur=0.5, noise=0.05)


def settings(steps: int, **changes: object) -> EncoderTraining:
    given = {"steps": steps, "batch": 16, "warm_up": 5, "log_every": 5, "network": TINY}
    return EncoderTraining.model_validate({**given, **changes})


@pytest.fixture
def sources() -> list[PatchSource]:
    """Return two sources of blobs, round ones and long ones."""
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:48, :48] - 23.5
    made = []
    for name, stretch in (("round", 1.0), ("long", 2.0)):
        blobs = np.exp(-((rows / stretch) ** 2 + (cols * stretch) ** 2) / 60)
        noisy = 200 * blobs[None] + rng.normal(20, 4, (12, 48, 48))
        made.append(PatchSource(name, noisy.clip(0, 255).astype(np.uint8), 48.0, np.ones(12)))
    return made


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_the_loss_falls(sources: list[PatchSource]) -> None:
    lines: list[dict[str, float]] = []
    model = fit_tcvae(sources, settings(60, learning_rate=5e-3), lines.append)
    assert [line["step"] for line in lines] == list(range(5, 61, 5))
    assert lines[-1]["reconstruction"] < 0.7 * lines[0]["reconstruction"]
    assert all(np.isfinite(list(line.values())).all() for line in lines)
    assert not model.training


def test_the_same_seed_gives_the_same_weights(sources: list[PatchSource]) -> None:
    first = weights(fit_tcvae(sources, settings(4)))
    torch.manual_seed(99)  # whatever ran before must not matter
    second = weights(fit_tcvae(sources, settings(4)))
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = weights(fit_tcvae(sources, settings(4, seed=1)))
    assert not torch.equal(first["encoder.0.weight"], other["encoder.0.weight"])


@pytest.mark.parametrize("network", [TINY, ROTATING], ids=["plain", "rotating"])
def test_resuming_from_a_checkpoint_is_bit_identical(
    sources: list[PatchSource], tmp_path: Path, network: TCVAEConfig
) -> None:
    class Interrupted(Exception):
        pass

    def stop(line: dict[str, float]) -> None:
        if line["step"] == 10:
            raise Interrupted

    asked = settings(15, checkpoint_every=4, network=network)
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
    first = weights(fit_tcvae(sources, settings(3), checkpoint=path))
    lines: list[dict[str, float]] = []
    again = weights(fit_tcvae(sources, settings(3), lines.append, path))
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
    first, second = (weights(fit_tcvae(s, settings(3))) for s in (kept, spoilt))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_latents_learn_to_turn_with_the_crop(sources: list[PatchSource]) -> None:
    """A long blob's axis: a quarter rotation of the crop rotates (z2, z3) by a half."""
    lines: list[dict[str, float]] = []
    asked = settings(150, network=ROTATING, learning_rate=5e-3, augmentation=MILD)
    model = fit_tcvae(sources, asked, lines.append)
    assert lines[-1]["texture"] < lines[0]["texture"]
    patches = np.concatenate([s.patches for s in sources])[:, 8:-8, 8:-8]
    crops = normalise_tensor(torch.from_numpy(patches).float()[:, None])
    with torch.inference_mode():
        z, rotated = model.encode(crops)[0], model.encode(torch.rot90(crops, -1, (2, 3)))[0]
    n = len(z)
    quarter = torch.full((n,), math.pi / 2)
    wanted = model.rotate(z, quarter, torch.zeros(n, dtype=torch.bool))
    torch.testing.assert_close(wanted[:, 2:], -z[:, 2:], atol=1e-5, rtol=0)
    error = (rotated - wanted).square().mean()
    assert float(error) < 0.1 * float((rotated - z).square().mean())
    # it is the long ones that rotate
    length = z[:, 2:].norm(dim=1)
    assert float(length[12:].min()) > float(length[:12].max())


def test_without_consistency_drift_is_not_measured(sources: list[PatchSource]) -> None:
    lines: list[dict[str, float]] = []
    fit_tcvae(sources, settings(5, network=ROTATING, consistency=0), lines.append)
    assert lines[0]["drift"] == 0
