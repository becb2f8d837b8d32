"""The command line: what it writes, and one sentence and an exit code for each thing amiss."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_interpdisc import __version__, cli
from napari_interpdisc.models.cell_model import LatentMeaning, NamedHead
from napari_interpdisc.models.familiarity import measure_familiarity
from napari_interpdisc.models.formula import FormulaHead, parse_formula
from napari_interpdisc.models.store import (
    BUNDLED,
    installed_models,
    load_model,
    replace_heads,
    save_model,
)
from napari_interpdisc.nuclei.diameter import diameter_from_labels
from napari_interpdisc.number_text import percent
from napari_interpdisc.simulate.movie import SimulationSettings, simulate_movie

STACKS = ("original", "reconstruction", "perturbed", "perturbation", "perturbed_reconstruction")


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs ``interpdisc`` with these words, in this process."""

    def call(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["interpdisc", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        return Outcome(code, *capsys.readouterr())

    return call


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with movie.tif, masks.tif and tracks.csv of a small simulated movie."""
    made = simulate_movie(SimulationSettings(shape=(5, 110, 240), cells=6, dividing=1, seed=1))
    for name, data in (("movie.tif", made.image), ("masks.tif", made.labels)):
        tifffile.imwrite(tmp_path / name, data, photometric="minisblack", metadata={"axes": "TYX"})
    made.cells.to_frame().to_csv(tmp_path / "tracks.csv", index=False)
    return tmp_path


@pytest.fixture
def classify(run: Run, files: Path) -> Run:
    """Return a function that classifies the files, with options besides."""

    def call(*words: object, **changed: object) -> Outcome:
        given = {"image": "movie.tif", "tracks": "tracks.csv", "out": "out.csv"} | changed
        paths = {name: files / str(value) for name, value in given.items()}
        return run(
            "classify", paths["image"], "--tracks", paths["tracks"], "--out", paths["out"], *words
        )

    return call


def sentence(outcome: Outcome, folder: Path) -> str:
    """The one sentence of a fault; nothing was written for it, nor left half-written."""
    assert outcome.code == 1
    text = outcome.err.strip().removeprefix("Error:").strip()
    assert "Traceback" not in text
    assert text.endswith(".")
    assert "\n" not in text
    assert not [p for p in folder.iterdir() if p.name.startswith((".", "out"))]
    return text


# -- what is written ---------------------------------------------------------------------------


def test_classify_writes_a_row_per_cell_and_the_settings(classify: Run, files: Path) -> None:
    done = classify("--labels", files / "masks.tif")
    assert done.code == 0, done.err
    table, cells = pd.read_csv(files / "out.csv"), pd.read_csv(files / "tracks.csv")
    flags = ["reconstruction_error", "latent_norm", "unfamiliar", "touches_edge"]
    latents = [f"z_{i}" for i in range(32)]
    assert list(table) == ["t", "y", "x", "track_id", "class", "score", *flags, *latents]
    assert f"{table['touches_edge'].sum()} may be cut by the edge of the image" in done.out
    pd.testing.assert_frame_equal(table[["t", "track_id"]], cells[["t", "track_id"]])
    note = json.loads((files / "out.json").read_text())
    measured = diameter_from_labels(tifffile.imread(files / "masks.tif"))
    assert note["diameter"] == pytest.approx(measured)
    assert note["image"].endswith("movie.tif")
    assert note["labels"].endswith("masks.tif")
    assert note["rows"] == len(cells)
    assert {"python", "torch", "napari-interpdisc"} <= set(note["versions"])
    assert len(note["model_sha256"]) == 64
    assert str(len(cells)) in done.out
    assert not [p for p in files.iterdir() if p.name.startswith(".")]


def test_classify_to_parquet(classify: Run, files: Path) -> None:
    assert classify("--diameter", 28, out="out.parquet").code == 0
    assert "class" in pd.read_parquet(files / "out.parquet")
    assert json.loads((files / "out.json").read_text())["diameter"] == 28


def test_the_same_call_gives_the_same_table(classify: Run, files: Path) -> None:
    classify("--diameter", 28)
    first = (files / "out.csv").read_bytes()
    classify("--diameter", 28)
    assert (files / "out.csv").read_bytes() == first


def test_a_channel_can_be_chosen(classify: Run, files: Path) -> None:
    image = tifffile.imread(files / "movie.tif")
    both = np.stack([np.zeros_like(image), image], 1)
    tifffile.imwrite(files / "two.tif", both, metadata={"axes": "TCYX"}, imagej=True)
    np.save(files / "two.npy", both)
    assert classify("--diameter", 28, "--channel", 1, image="two.tif", out="a.csv").code == 0
    axis = ("--channel", 1, "--channel-axis", 1)
    assert classify("--diameter", 28, *axis, image="two.npy", out="b.csv").code == 0
    assert classify("--diameter", 28, out="c.csv").code == 0
    tables = [pd.read_csv(files / f"{name}.csv") for name in "abc"]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    pd.testing.assert_frame_equal(tables[0], tables[2])
    assert "choose one, from 0 to 1" in sentence(classify(image="two.tif"), files)
    told = sentence(classify("--diameter", 28, "--channel", 0, image="two.tif"), files)
    assert "is constant" in told


def test_exchanged_x_and_y(classify: Run, files: Path) -> None:
    cells = pd.read_csv(files / "tracks.csv")
    cells.rename(columns={"y": "x", "x": "y"}).to_csv(files / "swapped.csv", index=False)
    told = sentence(classify("--diameter", 28, tracks="swapped.csv"), files)
    assert "--swap-xy" in told
    assert classify("--diameter", 28, "--swap-xy", tracks="swapped.csv").code == 0
    pd.testing.assert_frame_equal(pd.read_csv(files / "out.csv")[["y", "x"]], cells[["y", "x"]])


def test_a_model_folder_and_a_head_by_name(classify: Run, files: Path) -> None:
    shutil.copytree(BUNDLED / "h2b", files / "mine")
    done = classify("--diameter", 28, "--model", files / "mine", "--head", "dense")
    assert done.code == 0
    assert json.loads((files / "out.json").read_text())["head"] == "dense"


@pytest.mark.parametrize("space", ["image", "latent"])
def test_attack(run: Run, files: Path, space: str) -> None:
    out = files / "attack"
    words = ["attack", files / "movie.tif", "--tracks", files / "tracks.csv", "--out", out]
    words += ["--space", space, "--epsilon", 1, "--diameter", 28, "--freeze", "3,17"]
    done = run(*words)
    assert done.code == 0, done.err
    table = pd.read_csv(out / "attack.csv")
    n = len(pd.read_csv(files / "tracks.csv"))
    assert len(table) == n
    assert {"class_before", "class_after", "score_before", "score_after", "flipped"} <= set(table)
    flipped = table["class_before"] != table["class_after"]
    np.testing.assert_array_equal(table["flipped"], flipped)
    note = json.loads((out / "attack.json").read_text())
    assert note["attack"]["epsilon"] == 1
    assert note["attack"]["frozen_latents"] == [3, 17]
    assert set(note["flipped_share"]) == {"fgsm", "pgd", "random"}
    assert note["flipped_share"]["fgsm"] == pytest.approx(flipped.mean())
    assert all(f"{name} " in done.out for name in ("fgsm", "pgd", "random"))
    pictures = {name: tifffile.imread(out / f"{name}.tif") for name in STACKS}
    assert {p.dtype for p in pictures.values()} == {np.dtype(np.float32)}
    assert {p.shape for p in pictures.values()} == {(n, 64, 64)}
    base = pictures["original" if space == "image" else "reconstruction"]
    np.testing.assert_allclose(pictures["perturbed"] - base, pictures["perturbation"], atol=1e-4)
    if space == "image":
        assert np.abs(pictures["perturbation"]).max() == pytest.approx(1, abs=1e-5)
    assert "not empty" in run(*words).err  # nothing is overwritten


def test_stacks_follow_the_rows_of_the_table(run: Run, files: Path) -> None:
    """Work goes by frame; the tracks file goes by track."""
    for name, tracks in (("a", "tracks.csv"), ("b", "reversed.csv")):
        cells = pd.read_csv(files / "tracks.csv")
        cells.iloc[::-1].to_csv(files / "reversed.csv", index=False)
        words = ("attack", files / "movie.tif", "--tracks", files / tracks, "--diameter", 28)
        assert run(*words, "--out", files / name).code == 0
    first, last = (tifffile.imread(files / name / "original.tif") for name in "ab")
    np.testing.assert_array_equal(first, last[::-1])


def test_random_signs_differ_from_cell_to_cell(run: Run, files: Path) -> None:
    words = ("attack", files / "movie.tif", "--tracks", files / "tracks.csv", "--diameter", 28)
    done = run(*words, "--out", files / "attack", "--method", "random", "--epsilon", 0.5)
    assert done.code == 0, done.err
    signs = np.sign(tifffile.imread(files / "attack" / "perturbation.tif"))
    assert len(np.unique(signs.reshape(len(signs), -1), axis=0)) == len(signs)


def test_detected_cells_can_be_classified(run: Run, files: Path) -> None:
    out = files / "found.csv"
    done = run("detect", files / "movie.tif", "--diameter", 28, "--out", out)
    assert done.code == 0, done.err
    found, truth = pd.read_csv(out), pd.read_csv(files / "tracks.csv")
    assert list(found.columns) == ["t", "y", "x", "track_id"]
    assert len(found) == pytest.approx(len(truth), rel=0.2)
    assert json.loads((files / "found.json").read_text())["diameter"] == 28
    words = ("--tracks", out, "--diameter", 28, "--out", files / "classes.csv")
    assert run("classify", files / "movie.tif", *words).code == 0
    assert len(pd.read_csv(files / "classes.csv")) == len(found)


def test_detecting_in_a_constant_image(run: Run, files: Path) -> None:
    np.save(files / "flat.npy", np.full((50, 50), 7))
    done = run("detect", files / "flat.npy", "--out", files / "found.csv")
    assert done.code == 1
    assert "constant" in done.err
    assert not (files / "found.csv").exists()


def test_models(run: Run) -> None:
    short, long = run("models"), run("models", "--long")
    assert short.code == long.code == 0
    for name, folder in installed_models().items():
        note = json.loads((folder / "config.json").read_text())
        assert name in short.out
        assert load_model(name, device="cpu").sha256[:12] in short.out
        assert str(folder) in long.out
        assert all(head["summary"] in long.out for head in note["heads"])


def test_classify_tells_of_cells_unlike_the_training_data(classify: Run, files: Path) -> None:
    assert classify("--diameter", 28).code == 0
    right = pd.read_csv(files / "out.csv")
    latents = right.filter(regex="^z_").to_numpy()
    model = load_model(device="cpu")
    known = measure_familiarity(right["reconstruction_error"], latents)
    made = replace_heads(replace(model, familiarity=known), "known", model.heads, "# known")
    save_model(made, files / "known")

    done = classify("--diameter", 28, "--model", files / "known")
    assert done.code == 0
    assert "look unlike" not in done.err
    wrong = classify("--diameter", 60, "--model", files / "known")
    assert wrong.code == 0, wrong.err
    table = pd.read_csv(files / "out.csv")
    flagged = table["unfamiliar"]
    assert flagged.mean() > 0.5
    share = percent(flagged.mean())
    assert f"flagged: {flagged.sum()} ({share}) unlike the training data" in wrong.out
    inside = percent(flagged[~table["touches_edge"]].mean())
    assert f"{inside} of the cells inside the image look unlike those that 'known'" in wrong.err
    assert "(60 px was used)" in wrong.err
    note = json.loads((files / "out.json").read_text())
    assert note["unfamiliar_share"] == pytest.approx(flagged.mean(), abs=1e-4)


@pytest.fixture
def named(tmp_path: Path) -> tuple[Path, int, int, int]:
    """Return a model folder with two names, a pair of latents, and a formula of the three."""
    model = load_model(device="cpu")
    size, a, b = model.by_importance()[:3]
    meanings = [LatentMeaning("", f"texture, ρ = 0.{i}") for i in range(model.n_latents)]
    meanings[size] = LatentMeaning("size", "area, ρ = −0.97")
    meanings[a] = LatentMeaning("elongation_a", "elongation, ρ = 0.8")
    formula = parse_formula(f"(z{a}**2 + z{b}**2)*exp(z{size}) - 4.8")
    head = NamedHead("rule", FormulaHead([formula]), ("Interphase", "Metaphase"), "of a test")
    model = replace(model, meanings=tuple(meanings), orientation_pairs=((a, b),))
    save_model(replace_heads(model, "named", {"rule": head}, "# named"), tmp_path / "named")
    return tmp_path / "named", size, a, b


def test_models_tells_latents_by_name_and_why(run: Run, named: tuple[Path, int, int, int]) -> None:
    folder, size, a, b = named
    told = run("models", "--long", "--model", folder).out
    assert f"Metaphase: (elongation_a_z{a}**2 + z{b}**2)*exp(size_z{size}) - 4.8 ≥ 0" in told
    assert f"z{size} size: area, ρ = −0.97" in told
    assert f"z{a} elongation_a: elongation, ρ = 0.8" in told
    assert f"z{b} unnamed: texture, ρ = 0.{b}" in told
    assert f"z{a}² + z{b}² stays when the cell rotates" in told
    used = ", ".join(sorted((f"z{size} size", f"z{a} elongation_a", f"z{b}"), key=number_of))
    assert f"uses 3 latents: {used}" in told


def number_of(label: str) -> int:
    return int(label.split(maxsplit=1)[0].removeprefix("z"))


def test_a_formula_in_a_model_folder_may_have_names(named: tuple[Path, int, int, int]) -> None:
    folder, size, _, b = named
    config = folder / "config.json"
    note = json.loads(config.read_text("utf-8"))
    wanted = load_model(folder, device="cpu").head().head.formulas
    note["heads"][0]["formulas"] = [f"(elongation_a**2 + z{b}**2)*exp(size_z{size}) - 4.8"]
    config.write_text(json.dumps(note), "utf-8")
    assert load_model(folder, device="cpu").head().head.formulas == wanted


def test_latents_are_frozen_by_name(
    run: Run, files: Path, named: tuple[Path, int, int, int]
) -> None:
    folder, size, _, b = named
    words = ["attack", files / "movie.tif", "--tracks", files / "tracks.csv", "--model", folder]
    words += ["--out", files / "attack", "--space", "latent", "--diameter", 28]
    assert run(*words, "--freeze", f"size,z{b}").code == 0
    note = json.loads((files / "attack" / "attack.json").read_text())
    assert set(note["attack"]["frozen_latents"]) == {size, b}


def test_version(run: Run) -> None:
    assert run("--version").out.strip() == __version__


# -- what can be amiss -------------------------------------------------------------------------


def change_tracks(files: Path, change: Callable[[pd.DataFrame], object]) -> None:
    table = pd.read_csv(files / "tracks.csv")
    table[["y", "x"]] = table[["y", "x"]].astype(float)
    change(table)
    table.to_csv(files / "tracks.csv", index=False)


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("x", 5000.0, "lie outside the image of 110 by 240 px"),
        ("y", -3.0, "lie outside the image"),
        ("t", 5, "the image has 5 frames (0 to 4)"),
        ("t", -1, "times are frame numbers"),
        ("y", np.nan, "NaN or infinite coordinates"),
        ("x", np.inf, "NaN or infinite coordinates"),
    ],
)
def test_bad_coordinates(classify: Run, files: Path, column: str, value: float, told: str) -> None:
    change_tracks(
        files, lambda table: table.__setitem__(column, table[column].where(table.index > 0, value))
    )
    assert told in sentence(classify("--diameter", 28), files)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("t,y,x,track_id\n", "holds no cells"),
        ("t,row,col\n0,1,2\n", "has no column for y and x"),
        ("t,y,x\n0,one,2\n", "not numbers"),
        ("t,y,x\n0.5,10,20\n", "whole and not negative"),
    ],
)
def test_bad_tables(classify: Run, files: Path, text: str, told: str) -> None:
    (files / "tracks.csv").write_text(text)
    assert told in sentence(classify("--diameter", 28), files)


def rgb() -> Any:
    return np.zeros((60, 80, 3), np.uint8), {"photometric": "rgb"}


def z_stack() -> Any:
    return np.ones((4, 60, 80), np.uint16), {"metadata": {"axes": "ZYX"}, "imagej": True}


def constant() -> Any:
    return np.full((5, 110, 240), 7, np.uint16), {"photometric": "minisblack"}


def holed(value: float) -> Any:
    image = np.random.default_rng(0).normal(size=(5, 110, 240)).astype(np.float32)
    image[0, 3, 4] = value
    return image, {"photometric": "minisblack"}


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (rgb, "is an RGB image"),
        (z_stack, "is a 3D stack"),
        (constant, "is constant (every pixel is 7)"),
        (lambda: holed(np.nan), "NaN or infinite pixels"),
        (lambda: holed(np.inf), "NaN or infinite pixels"),
    ],
)
@pytest.mark.parametrize("diameter", ["28", "auto"])
def test_bad_images(
    classify: Run, files: Path, make: Callable[[], Any], told: str, diameter: str
) -> None:
    pixels, how = make()
    tifffile.imwrite(files / "movie.tif", pixels, **how)
    assert told in sentence(classify("--diameter", diameter), files)


def test_an_image_that_is_none(classify: Run, files: Path) -> None:
    (files / "movie.tif").write_bytes(b"")
    assert "cannot be read as an image" in sentence(classify(), files)
    assert "There is no file" in sentence(classify(image="other.tif"), files)


def test_tracks_that_are_not_there(classify: Run, files: Path) -> None:
    assert "There is no file" in sentence(classify(tracks="other.csv"), files)
    (files / "tracks.txt").write_text("")
    assert "not a kind of track file" in sentence(classify(tracks="tracks.txt"), files)


@pytest.mark.parametrize(
    ("diameter", "told"),
    [
        ("0", "A nuclear diameter of 0 px"),
        ("-5", "A nuclear diameter of -5 px"),
        ("90000", "between 3 and 500"),
        ("nan", "A nuclear diameter of nan px"),
        ("wide", "'wide' is no diameter"),
    ],
)
def test_bad_diameters(classify: Run, files: Path, diameter: str, told: str) -> None:
    assert told in sentence(classify(f"--diameter={diameter}"), files)


def test_labels_of_another_movie(classify: Run, files: Path) -> None:
    tifffile.imwrite(
        files / "short.tif", np.ones((2, 110, 240), np.uint8), photometric="minisblack"
    )
    assert "shape" in sentence(classify("--labels", files / "short.tif"), files)


def test_labels_without_objects(classify: Run, files: Path) -> None:
    empty = np.zeros((5, 110, 240), np.uint8)
    tifffile.imwrite(files / "empty.tif", empty, photometric="minisblack")
    assert "hold no object" in sentence(classify("--labels", files / "empty.tif"), files)


def test_unknown_models_and_heads(classify: Run, files: Path) -> None:
    assert "There is no model 'h3b'" in sentence(classify("--model", "h3b"), files)
    assert "has no head 'nose'" in sentence(classify("--head", "nose"), files)


def test_damaged_models(classify: Run, files: Path) -> None:
    shutil.copytree(BUNDLED / "h2b", files / "mine")
    weights = files / "mine" / "weights.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert "SHA-256 differs" in sentence(classify("--model", files / "mine"), files)
    weights.write_bytes(data[:1000])
    assert "truncated or changed" in sentence(classify("--model", files / "mine"), files)


def test_places_that_cannot_be_written(classify: Run, files: Path) -> None:
    assert "does not exist" in sentence(classify(out="nowhere/a.csv"), files)
    assert "end the file name in .csv or .parquet" in sentence(classify(out="cells.xlsx"), files)
    (files / "folder.csv").mkdir()
    assert "is a folder" in sentence(classify(out="folder.csv"), files)


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's here")
def test_no_permission(classify: Run, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:  # to whom everything is permitted

        def refused(*_: object, **__: object) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr("tempfile.TemporaryFile", refused)
    (files / "locked").mkdir(mode=0o500)
    assert "you have no permission there" in sentence(classify(out="locked/a.csv"), files)


def test_a_full_disk(classify: Run, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(pd.DataFrame, "to_csv", full)
        assert "the disk is full" in sentence(classify("--diameter", 28), files)


def test_a_full_disk_during_an_attack(
    run: Run, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    words = ("attack", files / "movie.tif", "--tracks", files / "tracks.csv", "--diameter", 28)
    assert "the disk is full" in sentence(run(*words, "--out", files / "out"), files)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="place cannot be reserved here")
def test_a_disk_too_small_for_the_stacks(
    run: Run, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told before the work: writing into a mapped hole of a full disk would kill the process."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    words = ("attack", files / "movie.tif", "--tracks", files / "tracks.csv", "--diameter", 28)
    assert "the disk is full" in sentence(run(*words, "--out", files / "out"), files)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--freeze", "3,nose"), "is no list of latents"),
        (("--freeze", "3,40"), "Latent 40 cannot be frozen"),
        (("--freeze", ",".join(map(str, range(32)))), "All latents are frozen"),
        (("--epsilon", "-1"), "give 0 to 8"),
        (("--epsilon", "nan"), "give 0 to 8"),
    ],
)
def test_attacks_that_cannot_be(run: Run, files: Path, words: tuple[str, str], told: str) -> None:
    call = ("attack", files / "movie.tif", "--tracks", files / "tracks.csv", "--diameter", 28)
    assert told in sentence(run(*call, "--out", files / "out", *words), files)


def test_what_can_be_checked_is_checked_before_the_image_is_read(
    classify: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unread(*_: object) -> None:
        pytest.fail("the image was read")

    monkeypatch.setattr("napari_interpdisc.frames.Frames.frame", unread)
    for words in (("--head", "nose"), ("--model", "h3b"), ("--diameter", "0")):
        assert classify(*words).code == 1
    assert classify(out="nowhere/a.csv").code == 1
    assert classify(tracks="other.csv").code == 1


@pytest.mark.parametrize(
    "words",
    [
        ("classify",),
        ("classify", "movie.tif", "--out", "a.csv"),
        ("dance",),
        ("models", "--wide"),
        ("attack", "a.tif", "--tracks", "b.csv", "--out", "c", "--space", "outer"),
        ("classify", "a.tif", "--tracks", "b.csv", "--out", "c.csv", "--channel", "red"),
    ],
)
def test_misuse_is_2(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words).code == 2


# -- as a process of its own -------------------------------------------------------------------


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "napari_interpdisc.cli", *map(str, words)]


def test_exit_codes_of_the_process(files: Path) -> None:
    bad = command("classify", files / "no.tif", "--tracks", files / "tracks.csv", "--out", "a.csv")
    done = subprocess.run(bad, capture_output=True, text=True, cwd=files, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "There is no file" in done.stderr
    misuse = subprocess.run(command("dance"), capture_output=True, check=False)
    assert misuse.returncode == 2


def test_help_is_quick() -> None:
    """Neither torch nor napari nor Qt is imported to print a help text."""
    code = (
        "import sys; from napari_interpdisc import cli; sys.argv = ['interpdisc', '--help']\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'napari', 'qtpy', 'pandas', 'skimage', 'captum'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"
    assert "classify" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's here")
@pytest.mark.parametrize("name", ["classify", "attack"])
def test_ctrl_c_leaves_nothing_half_written(files: Path, name: str) -> None:
    """Interrupted at the first progress report, in the midst of the work."""
    words = [name, files / "movie.tif", "--tracks", files / "tracks.csv", "--diameter", "28"]
    words += ["--out", files / ("out.csv" if name == "classify" else "out")]
    code = f"""
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background ignores it
from napari_interpdisc import cli, crops
from napari_interpdisc.scrutiny import movie_attack
plain = crops.iter_crops
def slow(*args, **kwargs):
    for item in plain(*args, **kwargs):
        yield item
        print("working", flush=True)
        time.sleep(60)
crops.iter_crops = movie_attack.iter_crops = slow
sys.argv = {["interpdisc", *map(str, words)]!r}
cli.main()
"""
    before = sorted(files.iterdir())
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert sorted(files.iterdir()) == before


def test_a_reader_that_goes_away_is_no_fault(files: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{' '.join(command('models', '--long'))} | head -c 1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
