"""Run folders of an encoder's training: resumed to the bit, logged once, and a model in the end."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_interpdisc.errors import InvalidInput, InvalidModel
from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.store import load_model
from napari_interpdisc.models.tcvae import TCVAEConfig
from napari_interpdisc.training.encoder import run as run_module
from napari_interpdisc.training.encoder.data import EncoderSource, split_sources
from napari_interpdisc.training.encoder.held_out import HeldOutLoss
from napari_interpdisc.training.encoder.log import read_log
from napari_interpdisc.training.encoder.run import (
    check_run_folder,
    precision_of,
    run_training,
    training_settings,
)
from napari_interpdisc.training.encoder.settings import EncoderTraining
from napari_interpdisc.training.loss import centre_weight
from napari_interpdisc.writing import CannotWrite, KeptElsewhere, told_at_the_end

from .conftest import GUIDED, of_epochs, outlined_source, scalars, source

OF_CELLS = {
    "network": GUIDED, "subject": "cell", "guide_weight": 1.0,
    "augmentation": {"surroundings": 0.5},
}  # fmt: skip


def outlined(name: str = "cells", share: float = 1.0) -> EncoderSource:
    """Patches of ellipses with a neighbour at the side, and their outlines."""
    made = outlined_source(n=60)
    return EncoderSource(
        name, made.patches, made.field, np.arange(60) // 3, "track",
        masks=made.masks, outlined=made.outlined, share=share,
    )  # fmt: skip


class Interrupted(Exception):
    pass


def stop_at(step: int, kind: type[BaseException] = Interrupted) -> Callable[[int, int], None]:
    def progress(done: int, _: int) -> None:
        if done == step:
            raise kind

    return progress


def same(a: CellModel, b: CellModel) -> bool:
    first, second = a.encoder.state_dict(), b.encoder.state_dict()
    return all(torch.equal(first[name], second[name]) for name in first)


def without_time(folder: Path) -> list[list[tuple[str, float]]]:
    rows = read_log(folder / "log.csv")
    return [[(k, v) for k, v in row.items() if k != "seconds"] for row in rows]


@pytest.mark.parametrize(
    ("precision", "stops"),
    [("float32", (10, 13)), ("bfloat16", (7,))],
)
def test_a_stopped_run_goes_on_to_the_bit(
    tmp_path: Path, precision: str, stops: tuple[int, ...]
) -> None:
    asked = of_epochs(precision=precision)
    data = [source(), source("long", 40, 2.0, 1)]
    whole = run_training(data, asked, tmp_path / "whole")
    for i, stop in enumerate(stops):
        with pytest.raises(KeyboardInterrupt):
            run_training(
                data, asked, tmp_path / "parts", resume=i > 0,
                progress=stop_at(stop, KeyboardInterrupt),
            )  # fmt: skip
        torch.manual_seed(99 + i)
    assert not (tmp_path / "parts" / "model").exists()
    parts = run_training(data, asked, tmp_path / "parts", resume=True)
    assert same(whole.model, parts.model)
    assert repr(without_time(tmp_path / "whole")) == repr(without_time(tmp_path / "parts"))
    found = scalars(tmp_path / "parts")
    assert [step for step, _ in found["loss/kl"]] == [row["step"] for row in parts.lines]
    seconds = [row["seconds"] for row in parts.lines]
    assert seconds == sorted(seconds)


def test_a_run_that_was_killed_before_its_first_checkpoint(tmp_path: Path) -> None:
    whole = run_training([source()], of_epochs(2), tmp_path / "whole")
    with pytest.raises(Interrupted):
        run_training(
            [source()], of_epochs(2, checkpoint_every=100), tmp_path / "parts", progress=stop_at(5)
        )
    # a kill may cut a line short
    with (tmp_path / "parts" / "log.csv").open("a") as file:
        file.write("6,1.2")
    parts = run_training(
        [source()], of_epochs(2, checkpoint_every=100), tmp_path / "parts", resume=True
    )
    assert same(whole.model, parts.model)
    assert repr(without_time(tmp_path / "whole")) == repr(without_time(tmp_path / "parts"))


def test_the_callback_of_the_log_can_stop_the_work(tmp_path: Path) -> None:
    def refuse(row: dict[str, float]) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        run_training([source()], of_epochs(), tmp_path / "run", log=refuse)
    assert len(list(read_log(tmp_path / "run" / "log.csv"))) == 1
    assert not (tmp_path / "run" / "model").exists()


def test_training_stops_early_with_the_best_weights(tmp_path: Path) -> None:
    """A learning rate at which the loss soon rises: the state of the stop survives a resume."""
    asked = of_epochs(40, patience=3, learning_rate=0.05)
    whole = run_training([source()], asked, tmp_path / "whole")
    losses = [r["held_out_loss"] for r in whole.lines if not math.isnan(r["held_out_loss"])]
    best = int(np.argmin(losses))
    assert whole.lines[-1]["step"] < asked.steps
    assert len(losses) == best + 1 + 3
    assert whole.best["held_out_loss"] == min(losses) < losses[-1]
    _, held_out = split_sources([source()], asked.batch, asked.seed)
    weight = centre_weight(32, asked.radius, asked.rim)
    measured = HeldOutLoss(held_out, asked, weight, "cpu").measure(whole.model.encoder)
    assert measured["held_out_loss"] == pytest.approx(min(losses), rel=1e-4)
    last = int(whole.lines[-1]["step"])
    with pytest.raises(Interrupted):
        run_training([source()], asked, tmp_path / "parts", progress=stop_at(last - 2))
    parts = run_training([source()], asked, tmp_path / "parts", resume=True)
    assert same(whole.model, parts.model)
    assert parts.lines[-1]["step"] == last


def test_the_model_knows_its_latents_and_what_is_familiar(tmp_path: Path) -> None:
    run = run_training(
        [source()], of_epochs(10, learning_rate=5e-3), tmp_path / "run", name="mine",
        model_diameter=14.0, command="interpdisc train-encoder …",
    )  # fmt: skip
    model = load_model(tmp_path / "run" / "model", device="cpu")
    assert (model.name, model.model_diameter, model.n_latents) == ("mine", 14.0, 4)
    assert model.latent_kl.shape == model.latent_sd.shape == (4,)
    assert (model.latent_kl >= 0).all()
    assert model.familiarity is not None
    assert model.familiarity.expected < 0.05
    for told in (source().sha256, "train-encoder …", '"beta": 2.0', "20 of track", "| step |"):
        assert told in model.card, told
    assert sorted(f.name for f in (tmp_path / "run").iterdir()) == [
        "log.csv", "model", "settings.json", "tensorboard",
    ]  # fmt: skip
    assert run.report is None
    with pytest.raises(InvalidModel, match="Model 'mine' has no head yet; train one"):
        model.head()
    with pytest.raises(InvalidModel, match="has no head yet"):
        model.head("dense")


def test_fine_tuning_reports_what_changed(tmp_path: Path) -> None:
    start = run_training([source()], of_epochs(30, learning_rate=5e-3), tmp_path / "start").model
    tuned = run_training(
        [source(seed=5)],
        of_epochs(3, learning_rate=1e-4, ramp_beta=False, warm_up=2),
        tmp_path / "tuned",
        start=start,
    )
    report = tuned.report
    assert report is not None
    assert (report.before.reconstruction_error, report.crops) != (0, 0)
    assert report.before.out_of_distribution is not None
    active = np.flatnonzero(report.before.kl > 0.1)
    assert len(active) > 0
    # a few small steps change little
    assert (report.correlation[active] > 0.9).all()
    assert (report.ridge_r2[active] > 0.8).all()
    assert report.kept == list(active)
    text = (tmp_path / "tuned" / "report.md").read_text("utf-8")
    assert text == report.markdown()
    for told in (
        "Fine-tuning of start", "| share out of distribution |", "| total correlation (nats) |",
        "kept its meaning", "do not apply to 'tuned'",
        "A ridge regression on the old latents explains",
    ):  # fmt: skip
        assert told in text, told
        assert told in tuned.model.card, told
    assert not tuned.model.heads


def test_what_cannot_be_resumed_is_told(tmp_path: Path) -> None:
    asked, out = of_epochs(4), tmp_path / "run"
    with pytest.raises(Interrupted):
        run_training([source()], asked, out, progress=stop_at(5))
    before = {f: f.read_bytes() for f in out.rglob("*") if f.is_file()}

    def refused(told: str, data: EncoderSource, wanted: EncoderTraining, **more: object) -> None:
        with pytest.raises(InvalidInput, match=told) as caught:
            run_training([data], wanted, **{"out": out, "resume": True, **more})  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
        assert {f: f.read_bytes() for f in out.rglob("*") if f.is_file()} == before

    refused("already exists and is not empty", source(), asked, resume=False)
    refused("with beta 2.0, not 3.0", source(), of_epochs(4, beta=3.0))
    refused("with epochs 4, not 5", source(), of_epochs(5))
    refused("with seed 0, not 7", source(), of_epochs(4, seed=7))
    refused("begun on other cells", source(seed=9), asked)
    refused("begun on other cells", replace(source(), share=2.0), asked)
    refused("model_diameter 28.0, not 20.0", source(), asked, model_diameter=20.0)
    refused("no run that could be resumed", source(), asked, out=tmp_path / "none")
    note = out / "settings.json"
    known = json.loads(note.read_text("utf-8"))
    known["settings"] |= {"steps": 1, "evaluate_every": 0}
    note.write_text(json.dumps(known))
    with pytest.raises(InvalidInput, match="was begun with epochs 1, not 4"):
        run_training([source()], asked, out, resume=True)
    for text in ("{}", "[" * 100_000):
        note.write_text(text)
        with pytest.raises(InvalidInput, match="cannot be read; the run cannot be resumed"):
            run_training([source()], asked, out, resume=True)


def test_a_run_that_goes_on_is_not_resumed_by_a_second_one(tmp_path: Path) -> None:
    asked, out = of_epochs(4), tmp_path / "run"
    refused = []

    def second(done: int, total: int) -> None:
        if done == 5:
            for again in (
                lambda: check_run_folder(out, resume=True),
                lambda: run_training([source()], asked, out, resume=True),
            ):
                with pytest.raises(InvalidInput, match="is in use by another run") as caught:
                    again()
                refused.append(str(caught.value))

    model = run_training([source()], asked, out, progress=second).model
    assert len(refused) == 2
    assert same(model, run_training([source()], asked, tmp_path / "alone", name="run").model)


def test_a_finished_run_is_not_resumed(tmp_path: Path) -> None:
    run_training([source()], of_epochs(1), tmp_path / "run")
    with pytest.raises(InvalidInput, match="is finished; its model is"):
        run_training([source()], of_epochs(1), tmp_path / "run", resume=True)


def test_a_model_that_cannot_be_written_there_is_kept_elsewhere_with_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, save = tmp_path / "run", run_module.save_model

    def refused(model: CellModel, folder: Path) -> None:
        if folder == out / "model":
            raise CannotWrite(f"{folder} was not written: the disk is full; free some space.")
        save(model, folder)

    monkeypatch.setattr(run_module, "save_model", refused)
    made = []

    def work() -> None:
        with told_at_the_end():
            made.append(run_training([source()], of_epochs(2), out))

    with pytest.raises(KeptElsewhere, match=r"kept in .*model-"):
        work()
    assert made[0].folder.parent == out
    assert same(load_model(made[0].folder, "cpu"), made[0].model)
    assert (out / "checkpoint.pt").exists()


def test_data_that_cannot_be_used_are_refused_before_any_work(tmp_path: Path) -> None:
    def refused(told: str, data: list[EncoderSource], wanted: EncoderTraining) -> None:
        with pytest.raises(InvalidInput, match=told):
            run_training(data, wanted, tmp_path / "run")
        assert not (tmp_path / "run").exists()

    refused("no cells to train on", [], of_epochs())
    refused("fewer than a batch of 64", [source()], of_epochs(batch=64))
    refused("holds 4 cells, too few", [source(n=4)], of_epochs())
    refused("each of the 2 sources", [source(), source()], of_epochs(batch=2).model_copy(
        update={"batch": 1}))  # fmt: skip
    refused("of blobs have no masks", [outlined(), source()], of_epochs(**OF_CELLS))
    refused("does not say which", [replace(outlined(), outlined=None)], of_epochs(**OF_CELLS))
    refused("the network needs", [replace(source(), patches=source().patches[:, 4:])], of_epochs())
    with pytest.raises(InvalidInput, match="does not exist"):
        run_training([source()], of_epochs(), tmp_path / "no" / "run")
    start = run_training([source()], of_epochs(1), tmp_path / "start").model
    other = of_epochs(network=TCVAEConfig(crop_size=32, latents=5, widths=(4, 4, 8, 8), hidden=16))
    with pytest.raises(InvalidInput, match="has another network"):
        run_training([source()], other, tmp_path / "run", start=start)


def test_settings_follow_from_epochs() -> None:
    made = training_settings(1800, 100, batch=256, fine_tune=True)
    assert (made.evaluate_every, made.steps) == (7, 700)
    assert (made.learning_rate, made.ramp_beta, made.warm_up) == (3e-4, False, 20)
    made = training_settings(30_000, 200)
    assert (made.evaluate_every, made.steps, made.warm_up) == (117, 23_400, 500)
    assert (made.learning_rate, made.ramp_beta) == (1e-3, True)
    for told, changes in (
        ("0 cannot be used for epochs", {"epochs": 0}),
        ("1 cannot be used for batch", {"batch": 1}),
        ("-1 cannot be used for patience", {"patience": -1}),
        ("β of 0.5", {"beta": 0.5}),
        ("β of nan", {"beta": math.nan}),
        ("learning rate of 0 ", {"learning_rate": 0.0}),
    ):
        with pytest.raises(InvalidInput, match=told):
            training_settings(**{"patches": 100, "epochs": 5, **changes})  # type: ignore[arg-type]


def test_precision_follows_the_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    where = "napari_interpdisc.training.encoder.run._cpu_has_bfloat16"
    for has, wanted in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(where, lambda has=has: has)
        assert precision_of("auto", "cpu") == wanted
        assert precision_of("float32", "cpu") == "float32"
        assert precision_of("bfloat16", "cpu") == "bfloat16"


def test_a_run_of_cells_goes_on_to_the_bit_and_is_read_back(tmp_path: Path) -> None:
    """Surroundings, guides and shares: all of it follows from the settings and the checkpoint."""
    data, asked = [outlined(), outlined("often", 2.0)], of_epochs(3, **OF_CELLS)
    whole = run_training(data, asked, tmp_path / "whole")
    with pytest.raises(Interrupted):
        run_training(data, asked, tmp_path / "parts", progress=stop_at(7))
    torch.manual_seed(99)
    parts = run_training(data, asked, tmp_path / "parts", resume=True)
    assert same(whole.model, parts.model)
    assert repr(without_time(tmp_path / "whole")) == repr(without_time(tmp_path / "parts"))
    assert {"around", "guided"} <= set(whole.lines[0])
    assert parts.model.encoder.config == GUIDED
    z = torch.randn(2, GUIDED.latents)
    torch.testing.assert_close(
        parts.model.encoder.decode_around(z), whole.model.encoder.decode_around(z)
    )


def test_what_was_chosen_must_fit_to_the_file_of_settings() -> None:
    """A file asks for guided latents; the network comes from elsewhere."""
    base = EncoderTraining(**OF_CELLS)  # type: ignore[arg-type]
    assert training_settings(100, 5, base=base).network == GUIDED
    small = TCVAEConfig(crop_size=32, latents=5)
    with pytest.raises(InvalidInput, match=r"^This training cannot be used: guided latents need"):
        training_settings(100, 5, base=base, network=small)
