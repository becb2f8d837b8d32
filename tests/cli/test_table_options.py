from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from napari_interpdisc.cli.classify import classify
from napari_interpdisc.cli.reading import OPTIONS as OF_IMAGES
from napari_interpdisc.cli.reading import PLAIN, Reading, reads_images
from napari_interpdisc.cli.table_options import AS_IT_TELLS, OPTIONS, TableOptions, reads_tables
from napari_interpdisc.cli.train_encoder import train_encoder
from napari_interpdisc.errors import InvalidInput

given: dict[str, object] = {}


@reads_images
@reads_tables
def command(
    cells: Path | None = None,
    channel_axis: str | None = None,
    reading: Reading = PLAIN,
    table_options: TableOptions = AS_IT_TELLS,
) -> None:
    given.update(cells=cells, table_options=table_options)


def test_a_command_gets_the_options_and_not_their_class() -> None:
    names = list(inspect.signature(command).parameters)
    assert names == ["cells", "channel_axis", *OF_IMAGES, *OPTIONS]
    for real in (classify, train_encoder):
        assert set(OPTIONS) < set(inspect.signature(real).parameters)
    command(cells=Path("a.csv"), unit="um", pixel_size=0.5, swap_xy=True)
    assert given["table_options"] == TableOptions(True, unit="um", pixel_size=0.5)
    command()
    assert given["table_options"] == AS_IT_TELLS


def test_what_they_say_of_a_table(tmp_path: Path) -> None:
    options = TableOptions(columns="t=A,x=B", first_frame=1, frame_interval=60)
    asked = options.asked("plate", None)
    assert asked.columns == {"t": "A", "x": "B"}
    assert (asked.first_frame, asked.frame_interval, asked.unit) == (1, 60, "")
    assert asked.known == ("plate",)
    (tmp_path / "split.csv").write_text("parent_track_id,child_track_id\n1,2\n1,3\n")
    assert TableOptions(splits=tmp_path / "split.csv").asked().splits == {"2": "1", "3": "1"}
    with pytest.raises(InvalidInput, match="does not name columns"):
        TableOptions(columns="A").asked()


def test_options_of_a_table_without_a_table() -> None:
    with pytest.raises(InvalidInput, match="--columns, --first-frame: there is no table of cells"):
        command(columns="t=A", first_frame=0)
