"""Kinds of input that the fuzz run knows: models, texts, sessions, checkpoints and simple files."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from .kinds import Draw, Kind, copy, damage_file, pick
from .model_folder import mutate_model
from .texts import change_formula, change_json, change_table, change_toml, change_words

READ = ("classify", "movie.tif", "--tracks", "tracks.csv", "--diameter", "28")
OUT = ("--out", "../out/o.csv")
TINY = ("--model", "model")

PLAN = """
out = "../out/results"
frames_per_block = 20
[images]
pattern = "movie.tif"
cells = "tracks.csv"
missing = "refuse"
[reading]
diameter = 28
channel = 0
series = 0
[cells]
first_frame = 0
unit = "px"
pixel_size = 0.65
keep_numbers = ["area"]

[model]
name = "model"
head = "two"
precision = "float32"
[tracks]
order = "round > flat > round"
strict = false
minutes_per_frame = 5
"""

RECIPE = """
kinds = ["dense", "formula"]
folds = 2
seed = 0
augmented = 1
rotations = 1
curve = false
max_latents = 3
properties = ["area"]
[augmentation]
edge = 0.2
gradient = 0.4
[dense]
steps = 30
[sparse]
steps = 60
restarts = 1
[search]
generations = 5
"""

SOURCES = """
[[source]]
name = "one"
frames = "masked*.tif"
image_channel = 0
mask_channel = 1
small_often = 1.0
smallest_diameter = 10.0
[[source]]
name = "two"
crops = "crops.npz"
diameter = 28
label = "label"
group = "plate"
leave_out = ["c"]
often = ["b"]
share = 1.0
"""

TRAINING = """
steps = 4
batch = 8
warm_up = 1
seed = 0
learning_rate = 0.001
beta = 2
[network]
crop_size = 64
latents = 4
widths = [2, 2, 2, 2]
hidden = 4
"""

LINES = f"""
{" ".join((*READ, *OUT, *TINY))} --head two --channel 0 --unit px --first-frame 0
{" ".join((*READ, *OUT, *TINY))} --columns t=t,y=y,x=x --time-axis T --series 0
{" ".join((*READ, *OUT, *TINY))} --labels labels.tif --properties --mean-of 0
{" ".join((*READ, *OUT, *TINY))} --reconstruction-error --precision float32 --delta 0.1
detect movie.tif --diameter 28 --link --reach 1 --divisions --out ../out/o.csv --channel 0
attack movie.tif --tracks tracks.csv --diameter 28 --model model --head two --out ../out/a --to flat
attack movie.tif --tracks tracks.csv --diameter 28 --model model --out ../out/a --freeze 1,2
models --model model --long
through-time --results results.csv --out ../out/t --order round>flat --event flat --reach 2
through-time --results results.csv --out ../out/t --align score --strict --change-cost 2
counterfactual movie.tif --tracks tracks.csv --cell 1:0 --model model --out ../out/c --diameter 28
train --image movie.tif --cells tracks.csv --recipe no.toml --label-column label --out ../out/m
train-encoder --frames movie.tif --centroids no.csv --epochs 1 --batch 8 --out ../out/e
table1 --data no.npz --out ../out/t --seeds 1 --engine operon
run plan.toml --dry-run --workers 1
""".strip()
"""Command lines to begin with; those of trainings lack a file, so that none begins."""


def formula_use() -> None:
    """Read a formula, and do all that is done with one."""
    import torch

    from napari_interpdisc.models.formula import FormulaHead, parse_formula

    with Path("formula.txt").open(encoding="utf-8", newline="") as file:
        formula = parse_formula(file.read(), 6, {"size": 2}, ("area",))
    for one in (formula, formula.simplified()):
        assert one.latex()
        assert one.show()
        assert one.size > 0
        assert parse_formula(one.text, 6, {}, ("area",)).size > 0
    draw = torch.Generator().manual_seed(0)
    latents, area = torch.randn(16, 6, generator=draw), torch.randn(16, 1, generator=draw)
    formula.evaluate(latents, measured=area)
    FormulaHead([parse_formula("z0 - 1", 6)]).forward(latents)


def recipe_use() -> None:
    """Read the settings of a training of heads."""
    from napari_interpdisc.discovery.recipe import Recipe
    from napari_interpdisc.io.settings import read_settings

    read_settings("recipe.toml", Recipe)


def training_use() -> None:
    """Read the settings of a training of an encoder."""
    from napari_interpdisc.io.settings import read_settings
    from napari_interpdisc.training.encoder.settings import EncoderTraining

    read_settings("training.toml", EncoderTraining)


def sources_use() -> None:
    """Cut the patches that a list of sources names."""
    from napari_interpdisc.training.encoder.sources import read_sources

    read_sources(Path("sources.toml"), Path(), 28.0, 64)


def session_use() -> None:
    """Open a session, and classify its cells."""
    from napari_interpdisc.models.store import load_model
    from napari_interpdisc.pipeline import classify_encoding
    from napari_interpdisc.session_folder import open_session

    found = open_session("session", lambda role, path: None)
    classify_encoding(found.encoding, load_model("model", "cpu"), "two")


def _training() -> tuple[Any, Any]:
    from napari_interpdisc.models.tcvae import TCVAEConfig
    from napari_interpdisc.training.encoder.settings import EncoderTraining, PatchSource

    network = TCVAEConfig(crop_size=16, latents=4, widths=(2, 2, 2, 2), hidden=4)
    asked = {"steps": 3, "batch": 8, "warm_up": 1, "log_every": 1, "network": network}
    pixels = np.random.default_rng(0).integers(0, 255, (12, 24, 24)).astype(np.uint8)
    source = PatchSource("noise", pixels, 24.0, np.ones(12))
    return EncoderTraining.model_validate({**asked, "checkpoint_every": 2}), source


def checkpoint_use() -> None:
    """Go on from a checkpoint."""
    from napari_interpdisc.training.encoder.loop import check_checkpoint, fit_tcvae

    settings, source = _training()
    check_checkpoint(Path("checkpoint.pt"), settings)
    # a training that goes on writes its checkpoint anew
    own = shutil.copyfile("checkpoint.pt", "../out/checkpoint.pt")
    fit_tcvae([source], settings, checkpoint=Path(own))


def change_checkpoint(path: Path, draw: Draw) -> str:
    """Replace or drop a part of a checkpoint, or damage its bytes."""
    import torch

    if draw.random() < 0.3:
        return damage_file(path, draw)
    state = torch.load(path, weights_only=True)
    name = pick(draw, sorted(state))
    values = (
        None, 0, -1, 10**12, 10**30, 2.5, float("nan"), "", "x", "{}", "[]", '{"state": 1}', [], {},
        {"weights": None}, {"x": 1}, {0: 1}, torch.zeros(2), torch.zeros(0, dtype=torch.uint8),
        torch.full((5056,), 255, dtype=torch.uint8), torch.full((3,), float("nan")), True,
    )  # fmt: skip
    inner = state[name]
    if isinstance(inner, dict) and inner and draw.random() < 0.6:
        holder, key = inner, pick(draw, sorted(inner))
        deeper = holder[key]
        if isinstance(deeper, dict) and deeper and draw.random() < 0.7:
            holder, key = deeper, pick(draw, sorted(deeper))
            if isinstance(holder[key], dict) and draw.random() < 0.7:
                holder, key = holder[key], pick(draw, sorted(holder[key]))
    else:
        holder, key = state, name
    value = holder[key]
    if isinstance(value, torch.Tensor) and value.is_floating_point() and draw.random() < 0.5:
        value.fill_(pick(draw, (float("nan"), float("inf"), 3e38, 0.0)))
        told = "odd numbers"
    elif draw.random() < 0.2:
        del holder[key]
        told = "dropped"
    else:
        holder[key] = pick(draw, values)
        told = repr(holder[key])[:40]
    torch.save(state, path)
    return f"{name}, {key}: {told}"


def change_model(path: Path, draw: Draw) -> str:
    """Change a model folder in one way."""
    return mutate_model(path, int(draw.integers(2**31)))


def change_run(path: Path, draw: Draw) -> str:
    """Change a note, or damage a file, of the results of a whole experiment."""
    notes = sorted(path.rglob("*.json"))
    if draw.random() < 0.6:
        note = pick(draw, notes)
        return f"{note.name}: {change_json(note, draw)}"
    return damage_file(path, draw)


def experiment_use() -> None:
    """Go on with a whole experiment; its results are copied to where they are written."""
    from napari_interpdisc.cli.app import main

    copy(Path("results"), Path("../out/results"))
    sys.argv = ["interpdisc", "run", "plan.toml", "--workers", "1"]
    main()


def layer_use() -> None:
    """Open the saved layer that is there."""
    from napari_interpdisc.io.layer_files import is_saved_layer, read_layer

    for name in ("layer.csv", "masks.parquet", "nodes.geff"):
        if Path(name).exists() and is_saved_layer(name):
            read_layer(name)


def kept_use() -> None:
    """Read labelled cells that were kept."""
    from napari_interpdisc.discovery.kept_cells import read_kept

    read_kept("kept.npz")


def encoder_run_use() -> None:
    """Resume a training of an encoder, whose settings were noted."""
    from napari_interpdisc.training.encoder.run import run_training

    copy(Path("run"), Path("../out/run"))
    settings, sources = _encoder_run()
    run_training(sources, settings, Path("../out/run"), resume=True)


def _encoder_run() -> tuple[Any, Any]:
    from napari_interpdisc.models.tcvae import TCVAEConfig
    from napari_interpdisc.training.encoder.data import EncoderSource
    from napari_interpdisc.training.encoder.run import training_settings

    network = TCVAEConfig(crop_size=16, latents=4, widths=(2, 2, 2, 2), hidden=4)
    pixels = np.random.default_rng(0).integers(0, 255, (40, 24, 24)).astype(np.uint8)
    source = EncoderSource("noise", pixels, 24.0, np.arange(40), "track")
    return training_settings(36, 1, batch=16, network=network, patience=0), [source]


def line_use() -> None:
    """Run the command line in a file."""
    from napari_interpdisc.cli.app import main

    sys.argv = ["interpdisc", *json.loads(Path("words.txt").read_text("utf-8"))]
    main()


def make_movie(folder: Path, **settings: Any) -> tuple[Any, Any]:
    """Write ``movie.tif`` of a simulated movie, and ``tracks.csv`` of its labelled cells.

    Returns the movie, and the table. ``settings`` are those of the simulation.
    """
    import tifffile

    from napari_interpdisc.simulate.movie import SimulationSettings, simulate_movie

    made = simulate_movie(SimulationSettings(seed=1, **settings))
    tifffile.imwrite(
        folder / "movie.tif", made.image, photometric="minisblack", metadata={"axes": "TYX"}
    )
    table = made.cells.to_frame()
    table["label"] = ["a" if k % 2 else "b" for k in table["track_id"]]
    table.to_csv(folder / "tracks.csv", index=False)
    return made, table


def make_inputs(folder: Path) -> None:
    """Write a movie, its cells in several forms, a model, and what was made of them."""
    import pandas as pd
    import tifffile
    import zarr

    from napari_interpdisc.discovery.kept_cells import write_kept
    from napari_interpdisc.discovery.movies import LabelledMovie
    from napari_interpdisc.frames import Frames
    from napari_interpdisc.io.layer_files import write_layer
    from napari_interpdisc.io.results import write_table
    from napari_interpdisc.models.store import save_model
    from napari_interpdisc.patches import patches_of_cells
    from napari_interpdisc.pipeline import classify
    from napari_interpdisc.session_folder import SavedSession, save_session
    from napari_interpdisc.training.encoder.loop import fit_tcvae

    made, table = make_movie(folder, shape=(7, 160, 180), cells=4, dividing=0.5)
    axes = {"axes": "TYX"}
    gray = "minisblack"
    packed = {"compression": "zlib", "tile": (64, 64), "ome": True, "metadata": axes}
    tifffile.imwrite(folder / "packed.ome.tif", made.image, photometric=gray, **packed)
    tifffile.imwrite(folder / "labels.tif", made.labels, photometric=gray, metadata=axes)
    masked = np.stack([made.image[0], made.labels[0].astype(np.uint16)])
    tifffile.imwrite(folder / "masked.tif", masked, photometric=gray, metadata={"axes": "CYX"})
    zarr.save_array(str(folder / "movie.zarr"), made.image)
    np.save(folder / "movie.npy", made.image)
    table.to_parquet(folder / "tracks.parquet", index=False)
    crops = np.random.default_rng(0).integers(0, 255, (12, 64, 64)).astype(np.uint8)
    labels = np.repeat(["a", "b"], 6)
    np.savez_compressed(folder / "crops.npz", images=crops, label=labels, plate=np.arange(12))
    model = tiny_model()
    save_model(model, folder / "model")
    result = classify(Frames(made.image), made.cells, model, 28.0, "two")
    write_table(result.to_frame(), result.settings, folder / "results.csv")
    marks = pd.DataFrame({"t": [0], "y": [5.0], "x": [6.0], "track_id": [1], "class": ["round"]})
    saved = SavedSession(result.encoding, model.sha256, "two", {}, marks)
    save_session(folder / "session", saved)
    settings, source = _training()
    fit_tcvae([source], settings, checkpoint=folder / "checkpoint.pt")
    write_layer(folder / "layer.csv", "points", made.cells.yx, {"name": "cells"})
    write_layer(folder / "masks.parquet", "labels", made.labels, {"name": "masks"})
    rows = np.column_stack([made.cells.track_id, made.cells.t, made.cells.yx])
    write_layer(folder / "nodes.geff", "tracks", rows, {"name": "tracks", "graph": {}})
    patches = patches_of_cells(Frames(made.image), made.cells, 28.0)
    names = np.array(["a", "b"] * len(made.cells))[: len(made.cells)]
    groups = made.cells.track_id.astype(str)
    write_kept(folder / "kept.npz", [LabelledMovie("m", patches, names, groups, 28.0, "set", 28.0)])
    for name, text in (
        ("plan.toml", PLAN), ("recipe.toml", RECIPE), ("sources.toml", SOURCES),
        ("training.toml", TRAINING), ("words.txt", LINES), ("formula.txt", "z0 - 1"),
    ):  # fmt: skip
        (folder / name).write_text(text, "utf-8")
    _finished_run(folder)
    _stopped_run(folder / "run")


def _finished_run(folder: Path) -> None:
    """Carry out the plan, and leave its results among the inputs."""
    from napari_interpdisc.batch.plan import read_plan
    from napari_interpdisc.experiment.run import run_plan

    plan = read_plan(folder / "plan.toml")
    run_plan(plan.model_copy(update={"out": folder / "results"}))


def _stopped_run(folder: Path) -> None:
    from napari_interpdisc.training.encoder.run import run_training

    def stop(row: Any) -> None:
        raise KeyboardInterrupt

    settings, sources = _encoder_run()
    try:
        run_training(sources, settings, folder, log=stop)
    except KeyboardInterrupt:
        return


def tiny_model() -> Any:
    """An untrained model of six latents, with a head of each kind."""
    import torch

    from napari_interpdisc.models.cell_model import CellModel, NamedHead
    from napari_interpdisc.models.formula import FormulaHead, parse_formula
    from napari_interpdisc.models.heads import DenseHead, SparseHead
    from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig

    torch.manual_seed(0)
    sparse = SparseHead((6, 3, 1))
    sparse.masks[0][0, [1, 4]] = True
    sparse.masks[1][0, 0] = True
    sparse.weights[0].data[0, [1, 4]] = torch.tensor([1.5, -0.5])
    sparse.weights[1].data[0, 0] = 2.0
    rule = FormulaHead([parse_formula("z1*(z4**2 - 0.5)", 6)], [0.5])
    three = FormulaHead([parse_formula(text, 6) for text in ("z0", "-z1", "exp(z2) - 1")])
    two = ("round", "flat")
    heads = [
        NamedHead("two", DenseHead((6, 4, 1)), two, "a summary"),
        NamedHead("three", three, ("a", "b", "c")),
        NamedHead("sparse", sparse, two),
        NamedHead("formula", rule, two),
    ]
    return CellModel(
        name="tiny",
        sha256="",
        encoder=TCVAE(TCVAEConfig(latents=6, widths=(2, 2, 2, 2), hidden=4)),
        heads={head.name: head for head in heads},
        model_diameter=28.0,
        latent_kl=np.arange(6) / 10,
        latent_sd=np.full(6, 0.5),
        card="# a card",
        device=torch.device("cpu"),
    )


MOVIE = ("movie.tif", "tracks.csv", "model")
TIME = ("through-time", "--results", "results.csv", "--out", "../out/t")
OF_MODEL = (
    (*READ, *TINY, *OUT),
    ("models", *TINY, "--long"),
    (*READ, *TINY, "--out", "../out/o.parquet", "--reconstruction-error"),
)


def classified(image: str = "movie.tif", tracks: str = "tracks.csv") -> tuple[str, ...]:
    """Words that classify an image."""
    given = ("classify", image, "--tracks", tracks, "--diameter", "28")
    return (*given, *TINY, *OUT)


def detected(image: str) -> tuple[str, ...]:
    """Words that find nuclei."""
    return ("detect", image, "--diameter", "28", *OUT)


KINDS = (
    Kind("model", "model", change_model, OF_MODEL, ("movie.tif", "tracks.csv"), weight=5),
    Kind("formula", "formula.txt", change_formula, (formula_use,), weight=4),
    Kind("recipe", "recipe.toml", change_toml, (recipe_use,)),
    Kind("training", "training.toml", change_toml, (training_use,)),
    Kind("plan", "plan.toml", change_toml, (("run", "plan.toml", "--dry-run"),), MOVIE, weight=1.5),
    Kind("sources", "sources.toml", change_toml, (sources_use,), ("masked.tif", "crops.npz")),
    Kind("settings", "results.json", change_json, (TIME,), ("results.csv",), weight=1.5),
    Kind("results", "results.csv", change_table, (TIME,), ("results.json",)),
    Kind("session", "session", damage_file, (session_use,), ("model",)),
    Kind("session-note", "session/session.json", change_json, (session_use,), ("session", "model")),
    Kind("checkpoint", "checkpoint.pt", change_checkpoint, (checkpoint_use,), weight=1.5),
    Kind("words", "words.txt", change_words, (line_use,), (*MOVIE, "labels.tif", "results.csv",
         "results.json", "plan.toml"), weight=4),
    Kind("tiff", "movie.tif", damage_file, (classified(), detected("movie.tif")), MOVIE[1:]),
    Kind("tiff-packed", "packed.ome.tif", damage_file, (classified("packed.ome.tif"),), MOVIE[1:]),
    Kind("zarr", "movie.zarr", damage_file, (classified("movie.zarr"),), MOVIE[1:]),
    Kind("npy", "movie.npy", damage_file, (classified("movie.npy"),), MOVIE[1:]),
    Kind("crops", "crops.npz", damage_file, (sources_use,), ("masked.tif", "sources.toml")),
    Kind("masked", "masked.tif", damage_file, (sources_use,), ("sources.toml", "crops.npz")),
    Kind("experiment", "results", change_run, (experiment_use,), (*MOVIE, "plan.toml")),
    Kind("layer", "layer.csv", change_table, (layer_use,), ("layer.json",)),
    Kind("layer-note", "layer.json", change_json, (layer_use,), ("layer.csv",)),
    Kind("layer-pixels", "masks.labels.tif", damage_file, (layer_use,), ("masks.parquet",)),
    Kind("layer-table", "masks.parquet", damage_file, (layer_use,), ("masks.labels.tif",)),
    Kind("layer-store", "nodes.geff", damage_file, (layer_use,)),
    Kind("kept", "kept.npz", damage_file, (kept_use,)),
    Kind("encoder-run", "run/settings.json", change_json, (encoder_run_use,), ("run",)),
    Kind("table", "tracks.csv", change_table, (classified(),), ("movie.tif", "model"), weight=2),
    Kind("parquet", "tracks.parquet", damage_file, (classified(tracks="tracks.parquet"),),
         ("movie.tif", "model")),
)  # fmt: skip
"""What is changed, and what is done with it."""
