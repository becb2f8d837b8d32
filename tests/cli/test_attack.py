"""``interpdisc attack``: the table and stacks that it writes, and what it refuses."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_interpdisc.scrutiny.movie_attack import AttackCounts
from napari_interpdisc.writing import CannotWrite

from .conftest import Run, sentence

STACKS = ("original", "reconstruction", "perturbed", "perturbation", "perturbed_reconstruction")


@pytest.fixture
def few(files: Path) -> Path:
    """Return the folder of ``files`` with a third of the cells: each is attacked in three ways."""
    cells = pd.read_csv(files / "tracks.csv")
    cells.iloc[::3].to_csv(files / "tracks.csv", index=False)
    return files


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


def test_stacks_follow_the_rows_of_the_table(run: Run, few: Path) -> None:
    """Work goes by frame; the tracks file goes by track."""
    for name, tracks in (("a", "tracks.csv"), ("b", "reversed.csv")):
        cells = pd.read_csv(few / "tracks.csv")
        cells.iloc[::-1].to_csv(few / "reversed.csv", index=False)
        words = ("attack", few / "movie.tif", "--tracks", few / tracks, "--diameter", 28)
        assert run(*words, "--out", few / name).code == 0
    first, last = (tifffile.imread(few / name / "original.tif") for name in "ab")
    np.testing.assert_array_equal(first, last[::-1])


def test_random_signs_differ_from_cell_to_cell(run: Run, few: Path) -> None:
    words = ("attack", few / "movie.tif", "--tracks", few / "tracks.csv", "--diameter", 28)
    done = run(*words, "--out", few / "attack", "--method", "random", "--epsilon", 0.5)
    assert done.code == 0, done.err
    signs = np.sign(tifffile.imread(few / "attack" / "perturbation.tif"))
    assert len(np.unique(signs.reshape(len(signs), -1), axis=0)) == len(signs)


def test_towards_a_class(run: Run, files: Path) -> None:
    words = ("attack", files / "movie.tif", "--tracks", files / "tracks.csv", "--diameter", 28)
    done = run(*words, "--out", files / "attack", "--space", "latent", "--to", "Metaphase")
    assert done.code == 0, done.err
    table = pd.read_csv(files / "attack" / "attack.csv")
    already = (table["class_before"] == "Metaphase").sum()
    assert f"of {len(table) - already} cells to Metaphase" in done.out
    assert (f"{already} cells are called Metaphase already" in done.out) == (already > 0)
    note = json.loads((files / "attack" / "attack.json").read_text())
    assert note["attack"]["target"] == "Metaphase"
    assert note["attacked_cells"] == len(table) - already


def test_latents_are_frozen_by_name(
    run: Run, files: Path, named: tuple[Path, int, int, int]
) -> None:
    folder, size, _, b = named
    words = ["attack", files / "movie.tif", "--tracks", files / "tracks.csv", "--model", folder]
    words += ["--out", files / "attack", "--space", "latent", "--diameter", 28]
    assert run(*words, "--freeze", f"size,z{b}").code == 0
    note = json.loads((files / "attack" / "attack.json").read_text())
    assert set(note["attack"]["frozen_latents"]) == {size, b}


def test_a_full_disk_during_an_attack(run: Run, few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    words = ("attack", few / "movie.tif", "--tracks", few / "tracks.csv", "--diameter", 28)
    assert "the disk is full" in sentence(run(*words, "--out", few / "out"), few)


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
        (("--to", "Telophase"), "no class 'Telophase'; it has Interphase, Metaphase"),
        (("--epsilon", "-1"), "give 0 to 8"),
        (("--epsilon", "nan"), "give 0 to 8"),
    ],
)
def test_attacks_that_cannot_be(run: Run, files: Path, words: tuple[str, str], told: str) -> None:
    call = ("attack", files / "movie.tif", "--tracks", files / "tracks.csv", "--diameter", 28)
    assert told in sentence(run(*call, "--out", files / "out", *words), files)


def test_a_folder_that_is_refused_at_the_end_is_kept_elsewhere(
    run: Run, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = files / "attack"

    def attacked(*given: Any) -> AttackCounts:
        place = next(one for one in given if isinstance(one, Path))
        if place == out:
            raise CannotWrite(f"{place} was not written: the disk is full; free some space.")
        place.mkdir()
        return AttackCounts({"fgsm": 1}, 2)

    monkeypatch.setattr("napari_interpdisc.scrutiny.movie_attack.attack_movie", attacked)
    words = ("attack", files / "movie.tif", "--tracks", files / "tracks.csv", "--diameter", 28)
    code, told, err = run(*words, "--out", out)
    (kept,) = files.glob("attack-*")
    assert code == 4
    assert told.splitlines()[-2:] == ["fgsm     flips  50.0% of 2 cells", str(kept)]
    assert err.endswith(f"the disk is full; free some space. The result was kept in {kept}.\n")
