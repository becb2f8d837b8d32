from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from napari_interpdisc.cli.classify import classify
from napari_interpdisc.cli.reading import OPTIONS, PLAIN, Reading, reads_images
from napari_interpdisc.errors import InvalidInput

given: dict[str, object] = {}


@reads_images
def command(image: Path | None = None, channel_axis: str | None = None, reading: Reading = PLAIN):  # type: ignore[no-untyped-def]
    given.update(image=image, reading=reading)


def test_a_command_gets_the_options_and_not_their_class() -> None:
    names = list(inspect.signature(command).parameters)
    assert names == ["image", "channel_axis", *OPTIONS]
    assert set(OPTIONS) < set(inspect.signature(classify).parameters)
    command(image=Path("m.tif"), z="mid", series=1)
    assert given["reading"] == Reading(z="mid", series=1)
    assert Reading(z="mid").note() == {"z": "mid"}


def test_options_of_an_image_without_an_image() -> None:
    with pytest.raises(InvalidInput, match="--time-axis, --z: there is no image"):
        command(time_axis="0", z="max")
