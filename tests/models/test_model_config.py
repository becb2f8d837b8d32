"""What a stored model may hold: beyond it, one sentence before anything is allocated."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from napari_interpdisc.errors import InvalidModel
from napari_interpdisc.models.limits import LARGEST_FILE
from napari_interpdisc.models.model_config import parse_config
from napari_interpdisc.models.store import BUNDLED

Change = Callable[[dict[str, Any]], object]


def config_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "config.json").read_text("utf-8"))


def told(config: Any) -> str:
    with pytest.raises(InvalidModel) as caught:
        parse_config(json.dumps(config).encode(), Path("config.json"))
    text = str(caught.value)
    assert re.fullmatch(r"config\.json [^\n]*\.", text)
    return text


def head(**changes: Any) -> Change:
    return lambda config: config["heads"][0].update(changes)


def encoder(**changes: Any) -> Change:
    return lambda config: config["encoder"].update(changes)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (encoder(crop_size=1600), "at 'encoder.crop_size'"),
        (encoder(crop_size=256, widths=[64, 8, 8, 8]), "are too large together"),
        (encoder(hidden=10**18), "at 'encoder.hidden'"),
        (encoder(widths=[2, 2, 2, 2**40]), "at 'encoder.widths.3'"),
        (encoder(latents=257), "at 'encoder.latents'"),
        (encoder(window=1e30), "at 'encoder.window'"),
        (lambda c: c.update(model_diameter=1e-6), "at 'model_diameter'"),
        (lambda c: c.update(model_diameter=300), "crops of 64 px need one of 4 to 256 px"),
        (lambda c: c.update(heads=c["heads"] * 101), "at 'heads'"),
        (lambda c: c["heads"].append(c["heads"][0]), "two heads of the name 'two'"),
        (head(classes=["round", "round"]), "two classes of the name 'round'"),
        (head(classes=["a", "a "]), "two classes of the name 'a '"),
        (head(classes=[str(k) for k in range(101)]), "at 'heads.0.classes'"),
        (head(layers=[6, 10**9, 1]), "at 'heads.0.layers.1'"),
        (head(layers=[6] * 17), "at 'heads.0.layers'"),
        (head(kind="formula", formulas=["z0" + " " * 2000]), "at 'heads.0.formulas.0'"),
        (head(name="\x1b[31m"), "at 'heads.0.name': holds a control character"),
        (head(classes=["a", "b\0"]), "at 'heads.0.classes.1': holds a control character"),
        (head(summary="x\x07"), "at 'heads.0.summary': holds a control character"),
        (head(encoder_sha256="é"), "at 'heads.0.encoder_sha256'"),
        (head(encoder_sha256=""), "does not say which encoder head 'two' was trained with"),
        (lambda c: c.update(name="x" * 201), "at 'name'"),
        (lambda c: c.update(name="\ud800"), "half a character"),
        (lambda c: c["sha256"].update({"notes.txt": "0" * 64}), "'notes.txt', which is no file of"),
        (lambda c: c.update({"k" * 5000: 1}), "kkk': Extra inputs"),
        (lambda c: c.update(schema_version=True), "schema version True"),
        (lambda c: c.update(latent_kl=[10**400] * 6), "at 'latent_kl.0'"),
    ],
)
def test_what_no_model_holds(folder: Path, change: Change, fault: str) -> None:
    config = config_of(folder)
    change(config)
    assert fault in told(config)


def test_the_bundled_models_are_far_within_the_limits() -> None:
    for path in BUNDLED.glob("*/config.json"):
        for name, most in LARGEST_FILE.items():
            assert (path.parent / name).stat().st_size < most / 10
        assert parse_config(path.read_bytes(), path).heads
