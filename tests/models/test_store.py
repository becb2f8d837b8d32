"""Every way in which a model folder can be wrong, each told in one sentence."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_interpdisc.crop_measures import BANDS
from napari_interpdisc.errors import InvalidInput, InvalidModel
from napari_interpdisc.models.cell_model import CellModel, NamedHead, TrainingMovie
from napari_interpdisc.models.familiarity import measure_familiarity
from napari_interpdisc.models.heads import DenseHead
from napari_interpdisc.models.store import (
    BUNDLED,
    DEFAULT_MODEL,
    installed_models,
    load_model,
    replace_heads,
    resolve,
    save_model,
)
from napari_interpdisc.models.tcvae import TCVAE, TCVAEConfig

from ..killing import killed_at_each_step
from ..mutations.model_folder import CHANGES, mutate_model

WEIGHTS = "weights.safetensors"


def fault(folder: Path) -> str:
    """Sentence with which the folder is refused."""
    with pytest.raises(InvalidModel) as caught:
        load_model(folder, "cpu")
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change ``config.json``."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def sign(folder: Path) -> None:
    """Make the hashes those of the files, as whoever tampers with them could."""
    digests = {
        n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in (WEIGHTS, "card.md")
    }
    edit(folder, lambda c: c.update(sha256=digests))


def edit_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Change the weights, keeping the hash right."""
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS)
    sign(folder)


def test_round_trip(tiny: CellModel, folder: Path) -> None:
    back = load_model(folder, "cpu")
    crops = np.random.default_rng(0).normal(size=(5, 1, 64, 64)).astype(np.float32)
    latents, log_variances = tiny.encode(crops)
    np.testing.assert_array_equal(back.encode(crops)[0], latents)
    np.testing.assert_array_equal(back.encode(crops)[1], log_variances)
    np.testing.assert_array_equal(back.decode(latents), tiny.decode(latents))
    for name in ("two", "three"):
        np.testing.assert_array_equal(back.score(latents, name), tiny.score(latents, name))
        assert back.head(name).classes == tiny.head(name).classes
        assert back.head(name).summary == tiny.head(name).summary
    assert list(back.heads) == ["two", "three"]
    assert (back.name, back.card, back.model_diameter) == ("tiny", "# a card", 28.0)
    np.testing.assert_allclose(back.latent_kl, tiny.latent_kl)
    np.testing.assert_allclose(back.latent_sd, tiny.latent_sd)
    assert back.by_importance()[0] == 5
    assert back.sha256 == hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()


def test_movies_that_heads_were_trained_on_are_stored(tiny: CellModel, tmp_path: Path) -> None:
    movies = (
        TrainingMovie("a.tif", 80, 25.7, "segmentation"),
        TrainingMovie("b.tif", 9, 30.0, "detection"),
    )
    trained = replace_heads(tiny, "mine", tiny.heads, "# mine", movies)
    save_model(trained, tmp_path / "mine")
    back = load_model(tmp_path / "mine", "cpu")
    assert back.movies == movies
    assert back.sha256 == trained.sha256 == replace_heads(tiny, "x", tiny.heads, "").sha256
    assert replace_heads(back, "other", tiny.heads, "").movies == (), "they are of the old heads"


def test_texture_and_turning_latents_are_stored(tiny: CellModel, tmp_path: Path) -> None:
    config = TCVAEConfig(
        latents=6, widths=(2, 2, 2, 2), hidden=4, texture=True, rotating=(0, 1), crop_size=32
    )
    save_model(replace(tiny, encoder=TCVAE(config), heads={}), tmp_path / "grained")
    back = load_model(tmp_path / "grained", "cpu")
    assert back.encoder.config == config
    assert back.has_texture
    z = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)
    assert back.decode(z).shape == (300, 1, 32, 32)
    found = back.decode_texture(z)
    assert found.shape == (300, 1, 16, 16)
    whole = back.encoder.decode_with_texture(torch.from_numpy(z))[1]
    np.testing.assert_allclose(
        found[:, 0, 0, 0], whole[:, 0, :2, :2].mean((1, 2)).detach(), rtol=1e-4, atol=1e-6
    )
    crops = np.zeros((3, 1, 32, 32), np.float32)
    np.testing.assert_allclose(back.texture_of(crops), np.full((3, 1, 16, 16), 0.1), rtol=1e-5)


def test_texture_is_not_made_up(tiny: CellModel) -> None:
    with pytest.raises(InvalidInput, match="'tiny' does not predict local contrast"):
        tiny.decode_texture(np.zeros((1, 6)))


def test_storing_twice_gives_the_same_bytes(tiny: CellModel, folder: Path) -> None:
    save_model(tiny, folder.with_name("again"))
    for name in (WEIGHTS, "card.md", "config.json"):
        assert (folder / name).read_bytes() == (folder.with_name("again") / name).read_bytes()


def test_a_loaded_model_is_ready_for_inference(folder: Path) -> None:
    model = load_model(folder, "cpu")
    assert not model.encoder.training
    assert not any(p.requires_grad for p in model.encoder.parameters())


def test_every_bundled_model_loads() -> None:
    assert DEFAULT_MODEL in installed_models()
    for name, folder in installed_models().items():
        model = load_model(name, "cpu")
        assert folder.parent == BUNDLED
        assert model.card
        assert np.isfinite(model.latent_kl).all()


def test_the_bundled_model_has_the_papers_layers() -> None:
    """But its heads read 12 invariant latents of the cell and the radii of 7 pairs."""
    model = load_model(device="cpu")
    assert (model.n_latents, model.crop_size) == (32, 64)
    assert model.head().head.layers == (19, 16, 16, 16, 1)
    for named in model.heads.values():
        assert model.subject_of(named.name) == "reads latents of the cell alone"
    assert model.head().classes == ("Interphase", "Metaphase")


def test_neighbours_stand_still_as_the_latents_of_the_cell_are_traversed() -> None:
    """The light around the cell does not move at all, and it moves with its own latents."""
    model = load_model(device="cpu")
    own = model.n_cell_latents
    z = np.zeros((2 * model.n_latents, model.n_latents), np.float32)
    for latent in range(model.n_latents):
        z[2 * latent : 2 * latent + 2, latent] = -2, 2
    light = (model.decode_whole(z) - model.decode(z)).reshape(model.n_latents, 2, -1)
    np.testing.assert_allclose(
        light[:own], np.broadcast_to(light[0, 0], light[:own].shape), atol=1e-5
    )
    moved = np.abs(light[own:, 1] - light[own:, 0]).mean(1)
    assert (moved > 0.02).all()
    # nor does the cell move with the latents of its surroundings
    cell = model.decode(z).reshape(model.n_latents, 2, -1)
    np.testing.assert_array_equal(cell[own:, 0], cell[own:, 1])


def test_a_changed_file_is_named_by_its_hash(folder: Path) -> None:
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (folder / WEIGHTS).write_bytes(data)
    assert re.search(rf"{WEIGHTS} is not the file .* SHA-256 differs", fault(folder))


def test_a_changed_card_is_a_changed_model(folder: Path) -> None:
    (folder / "card.md").write_text("# better than it is")
    assert "card.md is not the file" in fault(folder)


def test_truncated_weights(folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[: len(data) // 2])
    assert f"{WEIGHTS} is not the file" in fault(folder)
    sign(folder)  # even with a hash to match
    assert f"{WEIGHTS} is not a readable safetensors file" in fault(folder)


@pytest.mark.parametrize("name", [WEIGHTS, "card.md"])
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"{name} is missing" in fault(folder)


def test_a_folder_without_config_is_no_model(tmp_path: Path) -> None:
    assert "is not a model folder" in fault(tmp_path)


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(InvalidModel, match=r"no model 'h3b'.*h2b"):
        resolve("h3b")


def test_config_that_is_no_json(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    assert "config.json is no JSON" in fault(folder)


@pytest.mark.parametrize("version", [0, 7, "1", None])
def test_another_schema(folder: Path, version: object) -> None:
    edit(folder, lambda c: c.update(schema_version=version))
    assert f"schema version {version}" in fault(folder)


def test_config_that_is_a_list(folder: Path) -> None:
    (folder / "config.json").write_text("[]")
    assert "schema version None" in fault(folder)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda c: c.pop("model_diameter"), "model_diameter"),
        (lambda c: c.update(model_diameter=-1), "model_diameter"),
        (lambda c: c.update(code="import os"), "code"),
        (lambda c: c.update(heads=[{}]), "heads.0.name"),
        (lambda c: c["heads"][0].update(kind="pickle"), "heads.0.kind"),
        (lambda c: c["encoder"].update(crop_size=40), "encoder.crop_size"),
    ],
)
def test_a_fault_in_the_config_is_located(
    folder: Path, change: Callable[[dict[str, Any]], object], place: str
) -> None:
    edit(folder, change)
    assert f"'{place}'" in fault(folder)


def test_a_head_that_does_not_fit_the_latents(folder: Path) -> None:
    edit(folder, lambda c: c["heads"][0].update(layers=[7, 4, 1]))
    assert "head 'two' from 7 latents" in fault(folder)


def test_a_head_that_does_not_fit_its_classes(folder: Path) -> None:
    edit(folder, lambda c: c["heads"][0].update(classes=["a", "b", "c"]))
    assert "3 classes need 6 and 3" in fault(folder)


def test_latent_statistics_of_another_length(folder: Path) -> None:
    edit(folder, lambda c: c.update(latent_kl=[1.0]))
    assert "1 values of latent_kl for 6 latents" in fault(folder)


def test_a_tensor_of_another_shape(folder: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["heads.two.network.0.weight"] = torch.zeros(4, 7)

    edit_tensors(folder, change)
    assert "'heads.two.network.0.weight' of shape (4, 7)" in fault(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(folder: Path, value: float) -> None:
    edit_tensors(folder, lambda t: t["heads.two.network.0.bias"].fill_(value))
    assert "NaN or infinite values in 'heads.two.network.0.bias'" in fault(folder)


def test_a_missing_tensor(folder: Path) -> None:
    edit_tensors(folder, lambda t: t.pop("heads.two.network.0.bias"))
    assert "lacks the tensor 'heads.two.network.0.bias'" in fault(folder)


@pytest.mark.parametrize(
    ("name", "told"),
    [("heads.two.extra", "unknown tensor 'heads.two.extra'"), ("spare", "unknown tensor 'spare'")],
)
def test_a_tensor_too_many(folder: Path, name: str, told: str) -> None:
    edit_tensors(folder, lambda t: t.update({name: torch.zeros(1)}))
    assert told in fault(folder)


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "a/b"])
def test_no_file_outside_the_folder_is_read(folder: Path, name: str) -> None:
    (folder.parent / "secret").write_text("x")
    edit(folder, lambda c: c["sha256"].update({name: "0" * 64}))
    assert f"outside the model folder ('{name}')" in fault(folder)


@pytest.mark.parametrize("name", [WEIGHTS, "card.md"])
def test_a_file_without_a_hash(folder: Path, name: str) -> None:
    edit(folder, lambda c: c["sha256"].pop(name))
    assert f"gives no hash for {name}" in fault(folder)


def test_an_unknown_head_lists_what_there_is(folder: Path) -> None:
    with pytest.raises(InvalidModel, match=r"no head 'four'; it has two, three\."):
        load_model(folder, "cpu").head("four")


def test_nothing_is_overwritten(tiny: CellModel, folder: Path) -> None:
    with pytest.raises(InvalidModel, match="already exists"):
        save_model(tiny, folder)


def test_a_full_disk_leaves_nothing(
    tiny: CellModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InvalidModel, match="the disk is full"):
        save_model(tiny, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_save_that_was_killed_is_in_the_way_of_no_other(tiny: CellModel, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.rmtree(folder, ignore_errors=True)
    for _ in killed_at_each_step(
        lambda: save_model(tiny, folder), lambda: shutil.rmtree(folder, ignore_errors=True)
    ):
        if not folder.exists():
            save_model(tiny, folder)
        assert load_model(folder, "cpu").encoder_sha256 == tiny.encoder_sha256
        assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_a_head_of_an_unknown_kind_is_not_stored(tiny: CellModel, tmp_path: Path) -> None:
    class Rule:
        kind = "rule"
        n_weights = expression_size = 0
        used_latents = ()

        def __call__(self, latents: torch.Tensor) -> torch.Tensor:
            return latents[:, :1]

    heads = {"rule": NamedHead("rule", Rule(), ("a", "b"))}
    odd = CellModel(
        "odd", "", tiny.encoder, heads, 28.0, tiny.latent_kl, tiny.latent_sd, device=tiny.device
    )
    with pytest.raises(InvalidModel, match="kind that cannot be stored"):
        save_model(odd, tmp_path / "odd")


@pytest.fixture
def knowing(tiny: CellModel, tmp_path: Path) -> tuple[CellModel, Path]:
    """A model that knows its training data, and the folder that it was stored in."""
    draw = np.random.default_rng(0)
    known = measure_familiarity(
        draw.normal(size=(500, 6)), draw.normal(size=(500, len(BANDS))), [27.0], [0.2], [-4.0]
    )
    model = replace(tiny, familiarity=known)
    save_model(model, tmp_path / "knowing")
    return model, tmp_path / "knowing"


def test_what_is_familiar_comes_back(knowing: tuple[CellModel, Path]) -> None:
    model, path = knowing
    assert load_model(path, "cpu").familiarity == model.familiarity


def test_a_folder_of_schema_3_knows_nothing_of_its_training_data(folder: Path) -> None:
    old = {"levels": [0.5, 0.995], "reconstruction_error": [0.1, 0.5], "latent_norm": [4, 6]}
    edit(folder, lambda c: c.update(schema_version=3, familiarity=old))
    assert load_model(folder, "cpu").familiarity is None


@pytest.mark.parametrize(
    ("where", "change", "told"),
    [
        ("latents", {"mean": [0.0] * 5}, "a density of latents that is not one of 6 measures"),
        ("spectra", {"mean": [0.0] * 6}, "a density of spectra that is not one of 7 measures"),
        ("latents", {"whitening": [[1.0]] * 6}, "not one of 6 measures"),
        ("latents", {"distances": [3.0] + [1.0] * 8}, "quantiles of familiar latents that do not"),
        ("spectra", {"distances": [1.0]}, "or not as many of each"),
        ("spectra", {"levels": [0.5, 0.9, 1.0]}, "at 'familiarity.spectra.levels.2'"),
        ("spectra", {"levels": [0.5] * 9}, "quantiles of familiar spectra that do not rise"),
        ("latents", {"distances": [1.0] * 9}, "quantiles of familiar latents that do not rise"),
        ("latents", {"distances": [float(k) for k in range(9)]}, "that are not above 0"),
        ("latents", {"whitening": [[0.0] * 6] * 6}, "a whitening of familiar latents of 0 or"),
        ("latents", {"whitening": [[-2e6] * 6] * 6}, "or beyond ± 1e+06"),
        ("spectra", {"mean": [-2e6] * 7}, "a mean of familiar spectra beyond ± 1e+06"),
    ],
)
def test_faults_of_what_is_familiar(
    knowing: tuple[CellModel, Path], where: str, change: dict[str, Any], told: str
) -> None:
    edit(knowing[1], lambda c: c["familiarity"][where].update(change))
    assert told in fault(knowing[1])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"diameter": 0.5}, "a familiar diameter of 0.5 px"),
        ({"diameter": 65.0}, "measure 1 to"),
        ({"noise": -0.1}, "a familiar noise of -0.1 outside 0 to 1000"),
        ({"noise": 2e3}, "a familiar noise of 2000"),
        ({"fineness": -101.0}, "a familiar fineness of -101 beyond ± 100"),
        ({"fineness": None}, "at 'familiarity.fineness'"),
    ],
)
def test_numbers_that_no_training_data_gives(
    knowing: tuple[CellModel, Path], change: dict[str, Any], told: str
) -> None:
    edit(knowing[1], lambda c: c["familiarity"].update(change))
    assert told in fault(knowing[1])


def test_the_form_of_familiarity_is_that_of_the_schema(folder: Path) -> None:
    old = {"levels": [0.5, 0.995], "reconstruction_error": [0.1, 0.5], "latent_norm": [4, 6]}
    edit(folder, lambda c: c.update(familiarity=old))
    assert "has the quantiles of schema 3 as its familiarity" in fault(folder)
    old["levels"] = ["high"]
    edit(folder, lambda c: c.update(schema_version=3, familiarity=old))
    assert "has a fault at 'familiarity.levels.0'" in fault(folder)
    edit(folder, lambda c: c.update(schema_version=4))
    assert "has a fault at 'familiarity.latents'" in fault(folder)
    edit(folder, lambda c: c.update(familiarity=[1]))
    assert "has a fault at 'familiarity'" in fault(folder)


@pytest.mark.parametrize("name", ["latent_kl", "latent_sd"])
@pytest.mark.parametrize(
    ("value", "told"),
    [(-1.0, "values of {} that are negative"), (np.nan, "holds NaN"), (np.inf, "holds Infinity")],
)
def test_latent_statistics_that_cannot_be(folder: Path, name: str, value: float, told: str) -> None:
    edit(folder, lambda c: c[name].__setitem__(0, value))
    assert told.format(name) in fault(folder)


def test_cells_that_are_copies_make_a_model_that_loads(tiny: CellModel, tmp_path: Path) -> None:
    known = measure_familiarity(
        np.zeros((5, 6)), np.repeat(np.eye(2, len(BANDS)), 3, 0), [27.0], [0.2], [-4.0]
    )
    save_model(replace(tiny, familiarity=known), tmp_path / "copies")
    assert load_model(tmp_path / "copies", "cpu").familiarity == known


def test_heads_that_read_radii_are_stored(tiny: CellModel, tmp_path: Path) -> None:
    torch.manual_seed(0)
    heads = {
        "dense": NamedHead("dense", DenseHead((5, 3, 1), pairs=((4, 5),)), ("a", "b")),
        "plain": NamedHead("plain", DenseHead((6, 3, 1)), ("a", "b")),
    }
    model = replace(tiny, heads=heads)
    save_model(model, tmp_path / "radii")
    back = load_model(tmp_path / "radii", "cpu")
    z = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)
    for name in heads:
        np.testing.assert_array_equal(back.score(z, name), model.score(z, name))
    config = tmp_path / "radii" / "config.json"
    note = json.loads(config.read_text("utf-8"))
    note["heads"][0]["pairs"] = [[3, 2]]
    config.write_text(json.dumps(note), "utf-8")
    assert load_model(tmp_path / "radii", "cpu").sha256 != back.sha256, "another rule"
    for pairs, told in (([[4, 6]], "each once"), ([[4, 4]], "each once"), ([], "latents")):
        note["heads"][0]["pairs"] = pairs
        config.write_text(json.dumps(note), "utf-8")
        with pytest.raises(InvalidModel, match=told):
            load_model(tmp_path / "radii", "cpu")


@pytest.mark.skipif(os.name != "posix", reason="pipes, sockets and devices are POSIX's here")
@pytest.mark.parametrize("seed", range(5 * len(CHANGES)))
def test_a_folder_that_was_changed_is_read_or_refused_in_one_sentence(
    folder: Path, seed: int
) -> None:
    """Seeds in thousands are tried by hand."""
    mutate_model(folder, seed)
    try:
        model = load_model(folder, "cpu")
    except InvalidModel as refused:
        text = str(refused)
        assert text.isprintable()
        assert text.endswith(".")
        return
    latents = model.encode(np.random.default_rng(0).normal(size=(9, 1, 64, 64)))[0]
    assert np.isfinite(latents).all()
    assert all(np.isfinite(model.score(latents, name)).all() for name in model.heads)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "a\nb"}, "cannot be stored: holds a control character, at 'name'"),
        ({"model_diameter": 1.0}, "cannot be stored: Input should be greater .* 'model_diameter'"),
        ({"model_diameter": 999.0}, "has a model diameter of 999 px"),
    ],
)
def test_what_could_not_be_loaded_is_not_stored(
    tiny: CellModel, tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidModel, match=told):
        save_model(replace(tiny, **change), tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_class_with_a_name_like_a_book_is_told_before_it_is_stored(tiny: CellModel) -> None:
    head = NamedHead("h", DenseHead((6, 1)), ("x" * 201, "b"))
    with pytest.raises(InvalidModel, match=r"at most 200 characters, at 'classes\.0'"):
        replace_heads(tiny, "mine", {"h": head}, "")


def test_no_more_memory_than_the_file_itself_is_taken(folder: Path) -> None:
    """An encoder of 137 million weights is declared, and is not in the file."""
    edit(folder, lambda c: c["encoder"].update(widths=[2, 2, 2, 512], crop_size=256, hidden=1024))
    before = torch.get_rng_state()
    assert "of shape (2, 2, 4, 4); config.json asks for (512, 2, 4, 4)" in fault(folder)
    assert torch.equal(torch.get_rng_state(), before), "no weight was drawn"
