"""``interpdisc train-encoder``: what it writes, and what it refuses before any work."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_interpdisc.models.cell_model import NamedHead
from napari_interpdisc.models.heads import DenseHead
from napari_interpdisc.models.store import load_model, replace_heads, save_model
from napari_interpdisc.simulate.crops import CropSimulation, simulate_crops
from napari_interpdisc.simulate.movie import SimulationSettings

from .conftest import Run, simulated


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with movie.tif, cells.csv and crops.npz."""
    made = simulated(
        tmp_path,
        SimulationSettings(shape=(3, 200, 200), cells=8, dividing=0, crowding=0, seed=2),
    )
    table = made.cells.to_frame()
    table.to_csv(tmp_path / "cells.csv", index=False)
    strange = table.rename(columns={"t": "A", "y": "B", "x": "C", "track_id": "D"})
    strange.assign(A=strange.A + 1).to_csv(tmp_path / "strange.csv", index=False)
    images, _ = simulate_crops(30, 0, CropSimulation(neighbours=(0, 1)))
    np.savez(tmp_path / "crops.npz", images=images, plate=np.arange(30) // 5)
    return tmp_path


def movie(files: Path, *more: object) -> list[object]:
    return [
        "train-encoder", "--frames", files / "movie.tif", "--centroids", files / "cells.csv",
        "--diameter", 28, "--batch", 8, "--epochs", 1, "--device", "cpu", "--out", files / "run",
        *more,
    ]  # fmt: skip


def crops(files: Path, *more: object) -> list[object]:
    return [
        "train-encoder", "--crops", files / "crops.npz", "--diameter", 28, "--batch", 8,
        "--epochs", 1, "--device", "cpu", "--out", files / "run", *more,
    ]  # fmt: skip


def test_frames_and_crops_become_a_model_folder(run: Run, files: Path) -> None:
    words = movie(files, "--crops", files / "crops.npz", "--latents", 5)
    words[words.index(files / "cells.csv")] = files / "strange.csv"
    code, out, err = run(*words, "--columns", "t=A,y=B,x=C,track_id=D", "--first-frame", 1)
    assert (code, err) == (0, "")
    assert "t from 'A' (1…3, counted from 1), y from 'B', x from 'C'" in out
    # 24 cells in 8 tracks and 30 crops of 6 plates
    assert "46 cells to train on, 8 held out, from 2 sources; an epoch is 6 steps" in out
    line = next(line for line in out.splitlines() if line.startswith("epoch"))
    for told in ("reconstruction", "texture", "KL", "TC", "active latents", "held-out loss"):
        assert told in line, line
    assert "kept the weights of step 6" in out
    assert out.splitlines()[-1] == str(files / "run" / "model")
    model = load_model(files / "run" / "model", device="cpu")
    assert (model.name, model.n_latents, model.model_diameter) == ("run", 5, 28.0)
    assert model.has_texture
    assert f"interpdisc train-encoder --frames {files}" in model.card
    assert "8 of track" in model.card
    assert "6 of plate" in model.card

    # without a head it says so, wherever a head is needed
    code, out, _ = run("models", "--long", "--model", files / "run" / "model")
    assert code == 0
    assert "no head yet" in out
    arguments = (files / "movie.tif", "--tracks", files / "cells.csv", "--diameter", 28)
    chosen = ("--model", files / "run" / "model")
    for words in (
        ("classify", *arguments, *chosen, "--out", files / "t.csv"),
        ("attack", *arguments, *chosen, "--out", files / "a"),
    ):
        code, out, err = run(*words)
        assert (code, out) == (1, "")
        assert err.startswith("Error: Model 'run' has no head yet; train one with `interpdisc")
        assert err.count("\n") == 1

    # and with one it classifies
    head = NamedHead("any", DenseHead((5, 4, 1)), ("a", "b"))
    save_model(replace_heads(model, "mine", {"any": head}, "# mine"), files / "mine")
    code, _, err = run("classify", *arguments, "--model", files / "mine", "--out", files / "t.csv")
    assert (code, err) == (0, "")
    assert {"z_0", "z_4", "class"} <= set(pd.read_csv(files / "t.csv").columns)


def test_fine_tuning_prints_what_changed_and_resumes(
    run: Run, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_interpdisc.cli import train_encoder as command

    line = command._log_line

    def stop(*a: object) -> str:
        raise KeyboardInterrupt

    words = crops(files, "--start", "h2b", "--epochs", 2)
    monkeypatch.setattr(command, "_log_line", stop)
    code, out, err = run(*words)
    assert code == 130, err
    assert "the same command with --resume goes on" in err
    assert not (files / "run" / "model").exists()
    monkeypatch.setattr(command, "_log_line", line)
    code, out, err = run(*words)
    assert code == 1
    assert "already exists and is not empty" in err
    code, out, err = run(*words, "--resume", "--beta", 3)
    assert code == 1
    assert "was begun with beta 2.0, not 3.0" in err
    code, out, err = run(*words, "--resume")
    assert (code, err) == (0, "")
    for told in (
        "on held-out cells", "reconstruction error", "share out of distribution", "active latents",
        "kept their meaning", "A ridge regression", "Heads of 'h2b' read the old latents",
    ):  # fmt: skip
        assert told in out, told
    model = load_model(files / "run" / "model", device="cpu")
    assert not model.heads
    assert model.encoder_sha256 != load_model("h2b", device="cpu").encoder_sha256
    assert "Fine-tuning of h2b" in model.card
    code, _, err = run(*words, "--resume")
    assert code == 1
    assert "is finished; its model is" in err


def test_faults_are_told_before_any_training(
    run: Run, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "napari_interpdisc.training.encoder.run.fit_tcvae",
        lambda *a, **k: pytest.fail("training began"),
    )

    def refused(told: str, *words: object) -> None:
        code, out, err = run(*words)
        assert code == 1, (out, err)
        assert all(line.startswith("cells.csv: t from") for line in out.splitlines())
        assert told in " ".join(err.split()), err
        assert err.count("\n") == 1
        assert not (files / "run").exists()

    none = files / "none.tif"
    refused("Give --frames and --centroids", "train-encoder", "--out", files / "run")
    refused("each image needs its own cells", *movie(files, "--frames", none))
    refused("There is no file", *movie(files, "--frames", none, "--centroids", none))
    refused("There is no file", *crops(files, "--crops", files / "no.npz"))
    refused("--labels was given 2 times for 1", *movie(files, "--labels", none, "--labels", none))
    refused("--diameter was given 2 times for 1", *movie(files, "--diameter", 20))
    refused("'wide' is no diameter", *["wide" if w == 28 else w for w in movie(files)])
    refused("0 cannot be used for epochs", *movie(files, "--epochs", 0))
    refused("1 cannot be used for batch", *movie(files, "--batch", 1))
    refused("β of 0.5", *movie(files, "--beta", 0.5))
    refused("fewer than a batch of 256", *movie(files, "--batch", 256))
    refused("There is no model 'other'", *movie(files, "--start", "other"))
    refused("'h2b' has 32 latents, not 8", *movie(files, "--start", "h2b", "--latents", 8))
    refused("0 latents cannot be used", *movie(files, "--latents", 0))
    refused("is equivariant, not plain", *movie(files, "--start", "h2b", "--network", "plain"))
    refused("holds no run that could be resumed", *movie(files, "--resume"))
    refused("no array 'well'", *crops(files, "--group-column", "well"))
    refused("give it with --diameter", *["auto" if w == 28 else w for w in crops(files)])
    code, _, err = run(*crops(files)[:-1], files / "no" / "run")
    assert code == 1
    assert "does not exist" in err

    asked, cell = files / "cell.toml", 'subject = "cell"\nguide_weight = 1.0\n'
    for told, text, words in (
        ('guided latents need subject = "cell"', "guide_weight = 1.0", ()),
        ('surroundings need subject = "cell"', "[network]\naround = [2]", ()),
        ("the network has 32, 0 and 0 of them", cell, ()),
        (
            "This training cannot be used: guided latents need 6 invariant latents",
            cell + "[network]\nrotating = [2, 1]",
            ("--network", "plain"),
        ),
    ):
        asked.write_text(text)
        refused(told, *movie(files, "--settings", asked, *words))

    good = dict(np.load(files / "crops.npz"))
    for told, change in (
        ("NaN or infinite pixels", {"images": np.full((30, 64, 64), np.nan)}),
        ("(crops, rows, columns) is expected", {"images": good["images"][0]}),
        ("give images of at least 39 px", {"images": good["images"][:, :20]}),
        ("one value for each of the", {"plate": good["plate"][:4]}),
        ("holds 5 cells, too few", {k: v[:5] for k, v in good.items()}),
    ):
        np.savez(files / "crops.npz", **{**good, **change})
        refused(told, *crops(files))
    (files / "crops.npz").write_text("no archive")
    refused("cannot be read as an archive of plain NumPy arrays", *crops(files))

    pd.read_csv(files / "cells.csv").iloc[:0].to_csv(files / "cells.csv", index=False)
    refused("holds no cells", *movie(files))
    image = np.full((3, 200, 200), np.nan, np.float32)
    tifffile.imwrite(files / "movie.tif", image, photometric="minisblack", metadata={"axes": "TYX"})
    pd.DataFrame({"t": 0, "y": [50.0] * 20, "x": 50.0}).to_csv(files / "cells.csv", index=False)
    refused("20 cells have no pixels", *movie(files))


def test_an_archive_needs_no_groups(run: Run, files: Path) -> None:
    np.savez(files / "crops.npz", images=np.load(files / "crops.npz")["images"])
    code, out, err = run(*crops(files, "--latents", 3, "--precision", "float32", "--name", "small"),
                         "--network", "plain")  # fmt: skip
    assert (code, err) == (0, "")
    assert (
        "27 cells to train on, 3 held out, from 1 source; an epoch is 3 steps, cpu, float32" in out
    )
    record = json.loads((files / "run" / "settings.json").read_text("utf-8"))
    assert record["sources"][0]["groups"] == "30 of crop"
    model = load_model(files / "run" / "model", device="cpu")
    assert model.name == "small"
    assert not model.has_texture
    # a model that was just trained can be fine-tuned in turn
    save_model(model, files / "again")
    code, out, err = run(*crops(files, "--start", files / "again")[:-2], "--out", files / "run2",
                         "--start", files / "again")  # fmt: skip
    assert (code, err) == (0, "")
    assert "Heads of 'small'" in out


def test_outlines_come_from_the_labels_where_they_are_given(run: Run, files: Path) -> None:
    """In noise nobody finds a nucleus; a segmentation says where it is."""
    cells = pd.read_csv(files / "cells.csv")
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 200, (3, 200, 200)).astype(np.uint16)
    tifffile.imwrite(files / "noise.tif", noise, photometric="minisblack")
    masks = np.zeros((3, 200, 200), np.uint16)
    rows, cols = np.mgrid[:200, :200]
    for n, cell in enumerate(cells.itertuples(), 1):
        masks[cell.t][np.hypot(rows - cell.y, cols - cell.x) < 9] = n
    tifffile.imwrite(files / "masks.tif", masks, photometric="minisblack")
    words = [
        "train-encoder", "--frames", files / "noise.tif", "--centroids", files / "cells.csv",
        "--diameter", 28, "--start", "h2b", "--batch", 8, "--epochs", 1, "--device", "cpu",
        "--out", files / "run",
    ]  # fmt: skip
    code, _, err = run(*words)
    assert code == 1
    assert "No cell has a known outline" in err
    assert not (files / "run").exists()
    code, _, err = run(*words, "--labels", files / "masks.tif")
    assert code == 0, err
