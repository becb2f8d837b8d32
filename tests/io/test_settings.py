"""Settings from TOML files: one sentence for each thing amiss."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.settings import LARGEST, checked_settings, read_settings


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    steps: int = Field(10, ge=1)


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    folds: int = Field(5, ge=2)
    inner: Inner = Inner()


class Fitting(BaseModel):
    low: int = 1
    high: int = 2

    @model_validator(mode="after")
    def _in_order(self) -> Fitting:
        if self.low > self.high:
            raise ValueError("low is more than high")
        return self


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, "utf-8")
    return path


def test_what_is_left_out_keeps_its_default(tmp_path: Path) -> None:
    path = written(tmp_path, "[inner]\nsteps = 3\n")
    assert read_settings(path, Outer) == Outer(folds=5, inner=Inner(steps=3))
    assert read_settings(str(written(tmp_path, "")), Outer) == Outer()


def test_what_was_chosen_wins_over_the_file(tmp_path: Path) -> None:
    assert read_settings(written(tmp_path, "folds = 3"), Outer, folds=7).folds == 7


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("folds = " + "[" * 5000 + "]" * 5000, "is nested too deeply to be read."),
        ("fold = 3", "'fold' that cannot be used: it is not known; there are folds, inner."),
        (
            "[inner]\nstep = 3",
            "'inner.step' that cannot be used: it is not known; there are ste",
        ),
        ("folds = 1", "'folds' that cannot be used: Input should be greater than or equal to 2"),
        ("folds = 'three'", "'folds' that cannot be used"),
        ("inner = 3", "'inner' that cannot be used"),
        ("folds = ", "is not a TOML file"),
        ("folds: 3", "is not a TOML file"),
        ("folds = 3\nfolds = 4", "is not a TOML file"),
    ],
)
def test_each_fault_is_one_sentence_that_names_the_file(
    tmp_path: Path, text: str, told: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InvalidInput) as caught:
        read_settings(path, Outer)
    sentence = str(caught.value)
    assert told in sentence
    assert sentence.startswith(str(path))
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"^There is no file .*; check the path\.$"):
        read_settings(tmp_path / "none.toml", Outer)
    with pytest.raises(InvalidInput, match="is a folder, where a TOML file is expected"):
        read_settings(tmp_path, Outer)
    (tmp_path / "large.toml").write_bytes(b"#" * (LARGEST + 1))
    with pytest.raises(InvalidInput, match="is larger than 4 MiB"):
        read_settings(tmp_path / "large.toml", Outer)
    if os.name == "posix":
        with pytest.raises(InvalidInput, match="/dev/zero is a device"):
            read_settings("/dev/zero", Outer)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="is not a TOML file"):
        read_settings(tmp_path / "bytes.toml", Outer)


def test_values_from_elsewhere_are_checked_alike() -> None:
    values: dict[str, Any] = {"folds": 4, "inner": {"steps": 0}}
    with pytest.raises(InvalidInput, match=r"^The request has a setting 'inner\.steps'"):
        checked_settings(values, Outer, "The request")
    assert values == {"folds": 4, "inner": {"steps": 0}}


def test_settings_that_do_not_fit_together_are_told_in_the_words_of_the_model() -> None:
    with pytest.raises(
        InvalidInput, match=r"^The request cannot be used: low is more than high\.$"
    ):
        checked_settings({"low": 3}, Fitting, "The request")
