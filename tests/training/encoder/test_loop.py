from __future__ import annotations

import errno
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.training.encoder.loop import check_checkpoint, draw_batch, fit_tcvae, shares
from napari_interpdisc.training.encoder.report import plain_crops
from napari_interpdisc.training.encoder.settings import EncoderTraining, PatchSource

from .conftest import GUIDED, TINY, TINY_ROTATING, noise_patches, outlined_source, short

OF_CELLS = {
    "network": GUIDED, "subject": "cell", "guide_weight": 1.0,
    "augmentation": {"surroundings": 0.5, "edge": 0.2},
}  # fmt: skip
"""Settings with all that is taught of cells: surroundings, guides, and the same cells again."""


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


@pytest.mark.parametrize(
    "changes",
    [{"network": TINY}, {"network": TINY_ROTATING}, OF_CELLS],
    ids=["plain", "rotating", "of cells"],
)
def test_resuming_from_a_checkpoint_is_bit_identical(
    sources: list[PatchSource], tmp_path: Path, changes: dict[str, object]
) -> None:
    class Interrupted(Exception):
        pass

    def stop(line: dict[str, float]) -> None:
        if line["step"] == 10:
            raise Interrupted

    if changes is OF_CELLS:
        sources = [outlined_source(seed=seed, share=1.0 + seed) for seed in (0, 1)]
    asked = short(15, checkpoint_every=4, **changes)
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


def test_surroundings_and_guides_are_learnt_and_logged() -> None:
    still = {"augmentation": {"shift": 0, "diameter": 0}, "around_weight": 1.0}
    lines: list[dict[str, float]] = []
    asked = short(80, learning_rate=5e-3, **{**OF_CELLS, **still})
    model = fit_tcvae([outlined_source()], asked, lines.append)
    for term in ("around", "guided", "reconstruction"):
        assert 0 < lines[-1][term] < 0.85 * lines[0][term], term
    assert model.around is not None
    lines = []
    fit_tcvae([outlined_source()], short(5), lines.append)
    assert not {"around", "guided"} & set(lines[0])


@pytest.mark.parametrize("changes", [{"network": TINY_ROTATING}, OF_CELLS])
def test_the_smallest_batch_is_trained_on(changes: dict[str, object]) -> None:
    """Of two crops, none is encoded twice at steps 17 to 32."""
    lines: list[dict[str, float]] = []
    model = fit_tcvae([outlined_source()], short(20, batch=2, **changes), lines.append)
    assert [line["drift"] > 0 for line in lines] == [True, True, True, False]
    assert all(value.isfinite().all() for value in model.state_dict().values())


@pytest.mark.parametrize(
    ("parts", "batch", "wanted"),
    [
        ((1, 1, 1), 256, [86, 85, 85]),
        ((2, 1, 1), 256, [128, 64, 64]),
        ((2, 1, 1, 1, 0.5), 256, [93, 47, 47, 46, 23]),
        ((1000, 1, 1), 16, [14, 1, 1]),
        ((1, 1000, 1), 3, [1, 1, 1]),
        ((3,), 16, [16]),
        ((1,) * 49, 98, [2] * 49),
    ],
)
def test_sources_fill_a_batch_in_proportion(
    parts: tuple[float, ...], batch: int, wanted: list[int]
) -> None:
    found = shares([replace(noise_patches("any", 4), share=part) for part in parts], batch)
    assert found == wanted
    assert sum(found) == batch


def test_no_source_is_left_out_of_a_batch() -> None:
    draw = np.random.default_rng(0)
    for _ in range(200):
        n = int(draw.integers(1, 9))
        batch = int(draw.integers(n, 40))
        parts = np.exp(draw.normal(0, 2, n))
        found = shares([replace(noise_patches("any", 2), share=p) for p in parts], batch)
        assert sum(found) == batch
        assert min(found) >= 1
        # as near to the proportion as whole numbers are, where no source is topped up
        exact = parts / parts.sum() * batch
        if exact.min() >= 1:
            assert np.abs(found - exact).max() < 1


def test_a_batch_keeps_patches_masks_and_outlines_together() -> None:
    """Each patch is of one number: its mask has the same, and odd ones have an outline."""
    made = []
    for first, share in ((0, 1.0), (100, 3.0)):
        number = np.arange(first, first + 20, dtype=np.uint8)
        pixels = np.repeat(number, 24 * 24).reshape(20, 24, 24)
        weight = (number % 4 < 2).astype(float)
        made.append(
            PatchSource("some", pixels, 20.0 + first, weight, pixels, number % 2 == 1, share)
        )
    batch = draw_batch(made, 16, np.random.default_rng(0))
    assert batch.patches.shape == (16, 1, 24, 24)
    numbers = (255 * batch.patches[:, 0, 0, 0]).round().long()
    assert (numbers < 100).tolist() == [True] * 4 + [False] * 12
    assert (numbers % 4 < 2).all()
    assert batch.fields.tolist() == [20.0] * 4 + [120.0] * 12
    assert batch.masks is not None
    assert torch.equal(batch.masks, batch.patches)
    assert batch.outlined is not None
    assert torch.equal(batch.outlined, numbers % 2 == 1)
    without = draw_batch([made[0], replace(made[1], masks=None, outlined=None)], 16,
                         np.random.default_rng(0))  # fmt: skip
    assert torch.equal(without.patches, batch.patches)
    assert without.masks is without.outlined is None


def refused(told: str, sources: list[PatchSource], settings: EncoderTraining) -> None:
    def any_progress(done: int, steps: int) -> None:
        pytest.fail("training began")

    with pytest.raises(InvalidInput, match=told) as caught:
        fit_tcvae(sources, settings, progress=any_progress)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")


def test_sources_without_masks_or_outlines_are_refused(sources: list[PatchSource]) -> None:
    known = outlined_source()
    asked = short(5, **OF_CELLS)
    refused("The cells of round have no masks, which subject", [known, *sources], asked)
    unsaid = replace(known, name="unsaid", outlined=None)
    refused("^unsaid does not say which of its masks are outlines", [known, unsaid], asked)
    unknown = replace(known, outlined=np.zeros(len(known.patches), bool))
    refused("No cell has a known outline", [unknown, unknown], asked)
    # one source with outlines is enough, and without guides they are not needed
    fit_tcvae([known, unknown], short(1, **OF_CELLS))
    fit_tcvae([unsaid], short(1, **{**OF_CELLS, "guide_weight": 0.0}))


@pytest.fixture
def checkpoint(tmp_path: Path, sources: list[PatchSource]) -> Path:
    """Return the checkpoint of a training of four steps."""
    path = tmp_path / "checkpoint.pt"
    fit_tcvae(sources, short(4, checkpoint_every=2), checkpoint=path)
    return path


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda state: state.pop("optimizer"), "it lacks 'optimizer'"),
        (lambda state: state.update(step=10**12), r"it is at step 1,000,000,000,000 of 4\)"),
        (lambda state: state.update(step=-1), "its step is '-1'"),
        (lambda state: state.update(step=2.5), "its step is '2.5'"),
    ],
)
def test_a_checkpoint_that_was_changed_is_refused(
    checkpoint: Path, change: Callable[[dict[str, object]], object], told: str
) -> None:
    state = torch.load(checkpoint, weights_only=True)
    change(state)
    torch.save(state, checkpoint)
    with pytest.raises(InvalidInput, match=told):
        check_checkpoint(checkpoint, short(4))


def test_a_checkpoint_that_was_cut_short_is_refused(checkpoint: Path) -> None:
    check_checkpoint(checkpoint, short(4))
    check_checkpoint(checkpoint.with_name("none.pt"), short(4))
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(InvalidInput, match=r"checkpoint\.pt cannot be used to resume"):
        check_checkpoint(checkpoint, short(4))


def test_weights_of_another_network_are_refused(
    checkpoint: Path, sources: list[PatchSource]
) -> None:
    state = torch.load(checkpoint, weights_only=True)
    state["model"].popitem()
    torch.save(state, checkpoint)
    with pytest.raises(InvalidInput, match="it does not fit the network"):
        fit_tcvae(sources, short(4), checkpoint=checkpoint)


def _with_moment(state: dict[str, Any], value: torch.Tensor) -> None:
    state["optimizer"]["state"][0]["exp_avg"] = value


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state["optimizer"]["state"].update({0: torch.zeros(9, dtype=torch.uint8)}),
        lambda state: _with_moment(state, torch.zeros(2)),
        lambda state: _with_moment(
            state, torch.full_like(state["optimizer"]["state"][0]["exp_avg"], math.nan)
        ),
        lambda state: state["best"].update(waited="x"),
        lambda state: state["best"].update(weights={"x": 1}),
    ],
)
def test_parts_of_a_checkpoint_that_do_not_fit_are_refused(
    checkpoint: Path, sources: list[PatchSource], change: Callable[[dict[str, Any]], object]
) -> None:
    state = torch.load(checkpoint, weights_only=True)
    change(state)
    torch.save(state, checkpoint)
    with pytest.raises(InvalidInput, match="it does not fit the network"):
        fit_tcvae(sources, short(4), checkpoint=checkpoint)


def test_a_full_disk_keeps_the_last_checkpoint(
    checkpoint: Path, sources: list[PatchSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = checkpoint.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InvalidInput, match="the disk is full"):
        fit_tcvae(sources, short(8, checkpoint_every=2), checkpoint=checkpoint)
    assert checkpoint.read_bytes() == before
    assert [path.name for path in checkpoint.parent.iterdir()] == [checkpoint.name]
