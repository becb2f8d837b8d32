"""Plans: what a TOML file may say, and one sentence for each thing amiss."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from napari_interpdisc.batch.plan import Plan, differences, plan_text, read_plan
from napari_interpdisc.errors import InvalidInput

SHORTEST = '[images]\npattern = "m/{name}.tif"\ncells = "t/{name}.csv"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "PLAN.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_commented_plan_is_one_and_every_choice_in_it_is_known(tmp_path: Path) -> None:
    text = plan_text("MINE.toml")
    assert "interpdisc run MINE.toml --dry-run" in text
    assert read_plan(written(tmp_path, text)).images.pattern == f"{tmp_path}/movies/{{name}}.tif"
    # each line that is a choice is taken once, with those that exclude it left out
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    chosen = [line for line in lines if " = " in line or line.startswith("[")]
    others = ("table", "plate", "cells = ", "cells_label", "pattern", "splits", "labels")
    free = "\n".join(line for line in chosen if not line.startswith(others))
    values = tomllib.loads(free + "\n")
    values["images"] |= {"pattern": "{name}.tif", "cells": "{name}.csv"}
    plan = Plan.model_validate(values)
    assert plan.cells.keep_numbers == ("area",)
    assert plan.tracks.minutes_per_frame == 5
    named = {line.partition(" = ")[0] for line in chosen if " = " in line}
    known = {"out", "frames_per_block", "anndata"}
    for section in ("images", "reading", "cells", "model", "tracks"):
        known |= set(Plan.model_fields[section].annotation.model_fields)  # type: ignore[union-attr]
    assert known - named == {"channel_pattern", "swap_xy", "change_cost"}


def test_paths_are_those_seen_from_here(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    plan = read_plan(written(tmp_path, SHORTEST + '[model]\nname = "mine"\n'))
    assert plan.out == tmp_path / "results"
    assert plan.images.cells == f"{tmp_path.as_posix()}/t/{{name}}.csv"
    assert plan.model.name == str(tmp_path / "mine")
    plate = read_plan(written(tmp_path, '[images]\nplate = "p.zarr"\ncells_label = "n"'))
    assert plate.images.plate == tmp_path / "p.zarr"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'images' that cannot be used"),
        ("[images]\ncells = 'a'", "'images' that cannot be used: give one of pattern, table and"),
        (SHORTEST + "plate = 'p'", "pattern and plate are given"),
        ("[images]\npattern = 'a'", "give either cells or cells_label"),
        (SHORTEST + "cells_label = 'n'", "give either cells or cells_label"),
        (
            "[images]\ntable = 'm.csv'\ncells = 'a'",
            "leave cells out: the columns of the table",
        ),
        (
            SHORTEST + "[reading]\ndiametre = 3",
            "'reading.diametre' that cannot be used: it is not known; there are dia",
        ),
        (SHORTEST + "[reading]\ndiameter = 0", "reading.diameter = 0; give pixels above 0"),
        (SHORTEST + "[model]\nprecision = 'half'", "'model.precision' that cannot be used"),
        ("frames_per_block = 0\n" + SHORTEST, "'frames_per_block' that cannot be used"),
        ("[images\n", "is not a TOML file"),
    ],
)
def test_what_is_amiss_is_told_with_file_and_setting(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InvalidInput) as fault:
        read_plan(path)
    assert told in str(fault.value)
    assert str(path) in str(fault.value)
    assert str(fault.value).endswith(".")


def test_only_what_changes_results_is_decisive() -> None:
    images = {"pattern": "a/{n}.tif", "cells": "a/{n}.csv"}
    plan = Plan.model_validate({"images": images})
    moved = Plan.model_validate({"images": {**images, "missing": "skip"}, "out": "other"})
    assert plan.decisive() == moved.decisive()
    other = Plan.model_validate({"images": images, "model": {"head": "sparse"}})
    assert differences(plan.decisive(), other.decisive()) == ["model.head: None → 'sparse'"]


def test_differences_tell_what_came_and_went() -> None:
    before, now = {"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 1, "c": 5}, "e": 4}
    assert differences(before, now) == ["a.c: 2 → 5", "d: 3 → None", "e: None → 4"]
