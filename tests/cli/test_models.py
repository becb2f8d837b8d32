"""``interpdisc models``: what is told of a model, its heads and its latents."""

from __future__ import annotations

import json
from pathlib import Path

from napari_interpdisc.models.store import (
    installed_models,
    load_model,
    save_model,
)

from ..earlier_heads import with_earlier_heads
from .conftest import Run


def test_models(run: Run) -> None:
    short, long = run("models"), run("models", "--long")
    assert short.code == long.code == 0
    for name, folder in installed_models().items():
        note = json.loads((folder / "config.json").read_text())
        assert name in short.out
        assert load_model(name, device="cpu").sha256[:12] in short.out
        assert str(folder) in long.out
        assert all(head["summary"] in long.out for head in note["heads"])


def test_models_tells_rules(run: Run, tmp_path: Path) -> None:
    save_model(with_earlier_heads(load_model("h2b", device="cpu")), tmp_path / "h2b")
    told = run("models", "--long", "--model", tmp_path / "h2b").out
    assert "Metaphase: 2.55*g1 - 1.35*g2 - 1.41*g3 + 2.45 ≥ 0" in told
    assert "g1 reads granularity_coarse_z2, unevenness_z4, granularity_fine_2_z5, size_and" in told
    assert "a dense network: there is no rule to read" in told


def test_models_tells_latents_by_name_and_why(run: Run, named: tuple[Path, int, int, int]) -> None:
    folder, size, a, b = named
    told = run("models", "--long", "--model", folder).out
    assert f"Metaphase: (elongation_a_z{a}**2 + z{b}**2)*exp(size_z{size}) - 4.8 ≥ 0" in told
    assert f"z{size} size: area, ρ = −0.97" in told
    assert f"z{a} elongation_a: elongation, ρ = 0.8" in told
    assert f"z{b} unnamed: texture, ρ = 0.{b}" in told
    assert f"z{a}² + z{b}² is invariant as the cell rotates" in told
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
