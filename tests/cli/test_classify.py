"""``interpdisc classify``: the table that it writes, and one sentence for each thing amiss."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_interpdisc.io.geff_files import read_node_table
from napari_interpdisc.models.familiarity import Density
from napari_interpdisc.models.store import (
    BUNDLED,
    load_model,
    replace_heads,
    save_model,
)
from napari_interpdisc.nuclei.diameter import diameter_from_labels
from napari_interpdisc.number_text import percent

from .conftest import Outcome, Run, sentence


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


def test_classify_writes_a_row_per_cell_and_the_settings(classify: Run, files: Path) -> None:
    done = classify("--labels", files / "masks.tif")
    assert done.code == 0, done.err
    table, cells = pd.read_csv(files / "out.csv"), pd.read_csv(files / "tracks.csv")
    flags = ["latent_norm", "surprise", "unfamiliar", "touches_edge"]
    flags += ["flag"]
    latents = [f"z_{i}" for i in range(32)]
    made = ["class", "score", "confidence", "model", "head", "diameter"]
    assert list(table) == [*cells, *made, *flags, *latents]
    assert list(cells)[:4] == ["t", "y", "x", "track_id"]
    pd.testing.assert_frame_equal(table[list(cells)], cells)  # whatever else it has
    np.testing.assert_allclose(table["confidence"], 1 / (1 + np.exp(-table["score"].abs())), 1e-4)
    assert set(table["model"]) == {"h2b"}
    assert set(table["head"]) == {"dense"}
    assert f"{table['touches_edge'].sum()} may be cut by the edge of the image" in done.out
    pd.testing.assert_frame_equal(table[["t", "track_id"]], cells[["t", "track_id"]])
    note = json.loads((files / "out.json").read_text())
    measured = diameter_from_labels(tifffile.imread(files / "masks.tif"))
    assert note["diameter"] == pytest.approx(measured)
    assert set(table["diameter"]) == {note["diameter"]}
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


def test_classify_into_geff_stores(classify: Run, files: Path) -> None:
    """A new store of other cells; of a store, a copy with the results in it."""
    assert classify("--diameter", 28, out="a.geff").code == 0
    assert classify("--diameter", 28, tracks="a.geff", out="b.geff").code == 0
    assert classify("--diameter", 28, out="plain.csv").code == 0
    table = pd.read_csv(files / "plain.csv")
    for name in ("a.geff", "b.geff"):
        nodes, about = read_node_table(files / name)
        assert nodes["class"].tolist() == table["class"].tolist()
        np.testing.assert_allclose(nodes["score"], table["score"], atol=1e-5)
        assert about["head"] == "dense"
    assert "would replace" in sentence(classify(tracks="a.geff", out="a.geff"), files)
    assert "a copy of btrack's file" in sentence(classify(tracks="a.geff", out="b.h5"), files)


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
    assert "no pixels: blank frame" in told


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


def test_classify_tells_of_cells_unlike_the_training_data(classify: Run, files: Path) -> None:
    assert classify("--diameter", 28).code == 0
    right = pd.read_csv(files / "out.csv")
    latents = right.filter(regex="^z_").to_numpy()
    model = load_model(device="cpu")
    assert model.familiarity is not None
    known = replace(model.familiarity, latents=Density.of(latents))
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
    ],
)
def test_bad_coordinates(classify: Run, files: Path, column: str, value: float, told: str) -> None:
    change_tracks(
        files, lambda table: table.__setitem__(column, table[column].where(table.index > 0, value))
    )
    assert told in sentence(classify("--diameter", 28), files)


def test_a_table_of_a_stranger(classify: Run, files: Path) -> None:
    """What was taken for what is told, and stands beside the result; nothing of it is lost."""
    cells = pd.read_csv(files / "tracks.csv")[["t", "y", "x", "track_id"]]
    assert classify("--diameter", 28, out="plain.csv").code == 0
    plain = pd.read_csv(files / "plain.csv")
    foreign = pd.DataFrame(
        {
            "Image": cells["t"] + 1, "Row": cells["y"] * 0.5, "Column": cells["x"] * 0.5,
            "Cell name": "c" + cells["track_id"].astype(str), "class": "mine",
        }
    )  # fmt: skip
    again = classify("--diameter", 28, tracks="plain.csv", out="again.csv")
    assert "columns of plain.csv are results of an earlier run: they are replaced" in again.err
    assert list(pd.read_csv(files / "again.csv")) == list(plain)
    foreign.loc[0, "Row"] = np.nan
    foreign.to_csv(files / "foreign.tsv", index=False, sep="\t", encoding="utf-16")
    told = sentence(classify("--diameter", 28, tracks="foreign.tsv"), files)
    assert "(it has Image, Row, Column, Cell name, class); name its columns with --columns" in told
    done = classify(
        "--diameter", 28, "--columns", "t=Image,y=Row,x=Column,track_id=Cell name",
        "--unit", "um", "--pixel-size", 0.5, tracks="foreign.tsv", out="b.csv",
    )  # fmt: skip
    assert done.code == 0, done.err
    line = "foreign.tsv: t from 'Image' (1…5, counted from 1), y from 'Row' in µm ÷ 0.5"
    assert line in done.out
    assert f"1 of {len(cells)} rows of 'foreign.tsv' have no position" in done.err
    assert "'Cell name' keeps the names" in done.err
    table = pd.read_csv(files / "b.csv")
    same = ["t", "y", "x", "class", "score"]
    pd.testing.assert_frame_equal(table[same], plain[same].iloc[1:].reset_index(drop=True))
    assert set(table["class_in_file"]) == {"mine"}
    assert table["Cell name"].tolist() == foreign["Cell name"].tolist()[1:]
    assert "'class' of foreign.tsv is 'class_in_file' in the table" in done.err
    note = json.loads((files / "b.json").read_text("utf-8"))
    assert note["taken"][0].startswith(line)
    assert len(note["taken"]) == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("t,y,x,track_id\n", "holds no cells"),
        ("t,row,col\n0,a,b\n", "has no column for y and x"),
        ("t,y,x\n0,one,2\n", "not numbers"),
        ("t,y,x\n0.5,10,20\n", "whole and not negative"),
    ],
)
def test_bad_tables(classify: Run, files: Path, text: str, told: str) -> None:
    (files / "tracks.csv").write_text(text)
    assert told in sentence(classify("--diameter", 28), files)


def rgb() -> Any:
    colours = np.zeros((60, 80, 3), np.uint8)
    colours[5, 5, 1] = 1
    return colours, {"photometric": "rgb"}


def z_stack() -> Any:
    return np.ones((4, 60, 80), np.uint16), {"metadata": {"axes": "ZYX"}, "imagej": True}


def constant() -> Any:
    return np.full((5, 110, 240), 7, np.uint16), {"photometric": "minisblack"}


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (rgb, "is an RGB image"),
        (z_stack, "is a z-stack of 4 planes"),
        (constant, "blank"),
    ],
)
@pytest.mark.parametrize("diameter", ["28", "auto"])
def test_bad_images(
    classify: Run, files: Path, make: Callable[[], Any], told: str, diameter: str
) -> None:
    pixels, how = make()
    tifffile.imwrite(files / "movie.tif", pixels, **how)
    assert told in sentence(classify("--diameter", diameter), files)


@pytest.mark.parametrize("diameter", ["28", "auto"])
def test_a_blank_frame_costs_its_own_cells(classify: Run, files: Path, diameter: str) -> None:
    assert classify("--diameter", 28, out="whole.csv").code == 0
    image = tifffile.imread(files / "movie.tif")
    image[2] = 7
    tifffile.imwrite(files / "movie.tif", image, photometric="minisblack")
    done = classify("--diameter", diameter)
    assert done.code == 0, done.err
    table, whole = pd.read_csv(files / "out.csv"), pd.read_csv(files / "whole.csv")
    blank = table["t"] == 2
    assert set(table["flag"][blank]) == {"no pixels: blank frame"}
    assert table.loc[blank, ["class", "score", "z_0"]].isna().all(axis=None)
    assert f"{blank.sum()} cells have no pixels ({blank.sum()} blank frame)" in done.err
    if diameter == "28":
        # other batches round otherwise
        pd.testing.assert_frame_equal(
            table[~blank], whole[~blank], check_dtype=False, atol=1e-5, rtol=1e-5
        )


def test_an_image_that_is_none(classify: Run, files: Path) -> None:
    (files / "movie.tif").write_bytes(b"")
    assert "is empty (0 bytes)" in sentence(classify(), files)
    assert "There is no file" in sentence(classify(image="other.tif"), files)


def test_tracks_that_are_not_there(classify: Run, files: Path) -> None:
    assert "There is no file" in sentence(classify(tracks="other.csv"), files)
    (files / "tracks.docx").write_text("")
    assert "not a kind of track file" in sentence(classify(tracks="tracks.docx"), files)


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
        files / "short.tif", tifffile.imread(files / "masks.tif")[:2], photometric="minisblack"
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
    assert "end it in .csv, .parquet, .geff" in sentence(classify(out="cells.xlsx"), files)
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


@pytest.mark.parametrize("out", ["tracks.csv", "masks.csv"])
def test_inputs_are_not_replaced(classify: Run, files: Path, out: str) -> None:
    shutil.copy(files / "masks.tif", files / "masks.json")
    before = {p.name: p.read_bytes() for p in files.iterdir()}
    told = sentence(classify("--labels", files / "masks.json", out=out), files)
    assert "which is read here; choose another name" in told
    assert {p.name: p.read_bytes() for p in files.iterdir()} == before


def test_a_json_file_of_others_is_kept(classify: Run, files: Path) -> None:
    (files / "table.json").write_text('{"mine": 1}')
    told = sentence(classify("--diameter", 28, out="table.csv"), files)
    assert "did not write" in told
    assert (files / "table.json").read_text() == '{"mine": 1}'


def test_disagreement_of_heads_is_a_column(classify: Run, files: Path) -> None:
    done = classify("--diameter", 28, "--disagreement", "--delta", 0.04)
    assert done.code == 0, done.err
    table = pd.read_csv(files / "out.csv")
    model = load_model(device="cpu")
    evidence = model.head("dense").evidence
    assert evidence is not None
    best = evidence.balanced_accuracy
    assert f"of the best balanced accuracy ({best:.3f}); they agree on" in done.out
    note = json.loads((files / "out.json").read_text("utf-8"))
    assert note["disagreement"]["delta"] == 0.04
    names = note["disagreement"]["heads"]
    assert {"dense", "sparse", "formula"} <= set(names)
    z = table[[f"z_{i}" for i in range(32)]].to_numpy(np.float32)
    votes = np.mean([model.score(z, name)[:, 0] >= 0 for name in names], 0)
    np.testing.assert_allclose(table["disagreement"], np.minimum(votes, 1 - votes), atol=1e-6)
    assert note["confidence"].startswith("calibrated on held-out plates, ECE")
    (files / "out.csv").unlink()
    (files / "out.json").unlink()
    alone = classify("--diameter", 28, "--disagreement", "--delta", 0)
    assert "there is dense alone; give --delta 0.02" in sentence(alone, files)
    without = classify("--diameter", 28, "--disagreement", "--head", "formula")
    assert "give --delta 0.04 to compare 'formula' with it" in sentence(without, files)


def test_disagreement_needs_evidence_of_each_head(
    classify: Run, files: Path, tmp_path: Path
) -> None:
    model = load_model(device="cpu")
    bare = replace(model.head(), evidence=None)
    save_model(replace_heads(model, "bare", {bare.name: bare}, ""), tmp_path / "bare")
    told = sentence(classify("--model", tmp_path / "bare", "--disagreement"), files)
    assert "'bare' does not say how head 'dense' did on held-out groups" in told
    assert "give --disagreement with it" in sentence(classify("--delta", 0.1), files)


def test_precision_and_reconstruction_error_are_asked_for(classify: Run, files: Path) -> None:
    assert classify(out="exact.csv").code == 0
    assert classify("--precision", "bfloat16", "--reconstruction-error").code == 0
    exact, found = pd.read_csv(files / "exact.csv"), pd.read_csv(files / "out.csv")
    assert found["reconstruction_error"].between(0, 10).all()
    assert "reconstruction_error" not in exact
    away = (found["score"] - exact["score"]).abs()
    assert 0 < away.max() < 1
    note = json.loads((files / "out.json").read_text())
    assert note["precision"] == "bfloat16"


def test_means_of_channels_are_columns(classify: Run, files: Path) -> None:
    movie = tifffile.imread(files / "movie.tif")
    both = np.stack([movie, np.full_like(movie, 7)], 1)
    tifffile.imwrite(files / "both.tif", both, photometric="minisblack", metadata={"axes": "TCYX"})
    given = {"image": "both.tif"}
    done = classify("--labels", files / "masks.tif", "--channel", 0, "--mean-of", "all", **given)
    assert done.code == 0, done.err
    table, note = pd.read_csv(files / "out.csv"), json.loads((files / "out.json").read_text())
    assert note["properties"] == dict.fromkeys(
        ["nucleus_mean_of_channel_0", "nucleus_mean_of_channel_1"], "grey levels"
    )
    masks, known = tifffile.imread(files / "masks.tif"), table["nucleus_mean_of_channel_0"].notna()
    assert known.sum() > 3
    np.testing.assert_allclose(table["nucleus_mean_of_channel_1"][known], 7, atol=1e-4)
    for _, cell in table[known].iterrows():
        t = int(cell["t"])
        label = masks[t, round(cell["y"]), round(cell["x"])]
        if label:
            own = movie[t][masks[t] == label].mean()
            assert cell["nucleus_mean_of_channel_0"] == pytest.approx(own, rel=0.01)


def test_channels_that_cannot_be_measured(classify: Run, files: Path) -> None:
    assert sentence(classify("--mean-of", "0,2"), files) == (
        "movie.tif has 1 channel, counted from 0, and --mean-of asks for 2; if one of its axes is "
        "channels, name it with --channel-axis."
    )
    (files / "movie.tif").unlink()  # the form is judged before anything is read
    told = sentence(classify("--mean-of", "GFP"), files)
    assert told.endswith("such as 0,2, or all, not 'GFP'.")


def test_measured_properties_are_columns_with_units(classify: Run, files: Path) -> None:
    done = classify(
        "--properties", "--labels", files / "masks.tif", "--pixel-size", 0.5, "--unit", "px"
    )
    assert done.code == 0, done.err
    assert "properties: measured in the given segmentation" in done.out
    table, note = pd.read_csv(files / "out.csv"), json.loads((files / "out.json").read_text())
    assert note["properties"]["nucleus_area_px2"] == "px²"
    assert note["properties"]["nucleus_area_um2"] == "µm²"
    assert note["properties_measured"] == "in the given segmentation"
    known = table["nucleus_area_px2"].notna()
    assert known.any()
    # of the masks, which have pixels of 0.25 µm²
    masks = tifffile.imread(files / "masks.tif")
    for _, cell in table[known].iterrows():
        plane = masks[int(cell["t"])]
        label = plane[round(cell["y"]), round(cell["x"])]
        if label:
            own = 0.25 * (plane == label).sum()
            assert cell["nucleus_area_um2"] == pytest.approx(own, rel=0.1)
    assert list(table)[-32:] == [f"z_{i}" for i in range(32)]
