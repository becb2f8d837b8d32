"""Images of a plan, paired with their cells; what could be paired in two ways is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import zarr

from napari_interpdisc.batch.inputs import Item, find_items, fingerprint, relative
from napari_interpdisc.batch.plan import Images
from napari_interpdisc.errors import InvalidInput


def touched(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def found(folder: Path, **said: Any) -> list[Item]:
    for name in ("pattern", "cells", "labels", "splits"):
        if name in said:
            said[name] = f"{folder.as_posix()}/{said[name]}"
    for name in ("table", "plate"):
        if name in said:
            said[name] = folder / said[name]
    return find_items(Images(**said))


def test_a_field_pairs_images_with_cells_and_labels(tmp_path: Path) -> None:
    touched(
        tmp_path, "m/b.tif", "m/a.tif", "m/a.txt", "t/a.csv", "t/b.csv", "k/a-m.tif", "k/b-m.tif"
    )
    a, b = found(tmp_path, pattern="m/{name}.tif", cells="t/{name}.csv", labels="k/{name}-*.tif")
    assert (a.name, b.name) == ("a", "b")
    assert (a.image, a.cells) == (tmp_path / "m/a.tif", tmp_path / "t/a.csv")
    assert b.labels == tmp_path / "k/b-m.tif"
    assert a.splits is None
    assert a.files == [tmp_path / "m/a.tif", tmp_path / "t/a.csv", tmp_path / "k/a-m.tif"]


def test_tables_of_divisions(tmp_path: Path) -> None:
    touched(tmp_path, "a.tif", "a.csv", "a-splits.csv")
    said = {"pattern": "{x}.tif", "cells": "{x}.csv", "splits": "{x}-splits.csv"}
    (one,) = found(tmp_path, **said)
    (tmp_path / "m.csv").write_text("image,cells,splits\na.tif,a.csv,a-splits.csv\n")
    (two,) = found(tmp_path, table="m.csv")
    assert one.splits == two.splits == tmp_path / "a-splits.csv"
    assert one.files == two.files
    assert one.note(tmp_path)["splits"] == "a-splits.csv"


def test_wells_folders_brackets_and_suffixes(tmp_path: Path) -> None:
    touched(
        tmp_path, "p[1]/B2/f0.ome.tif", "p[1]/B2/f0.csv", "p[1]/C3/f0.ome.tif", "p[1]/C3/f0.csv"
    )
    first, second = found(
        tmp_path, pattern="p[1]/{well}/f{field}.ome.tif", cells="p[1]/{well}/{stem}.csv"
    )
    assert (first.name, first.well, first.field) == ("B2_0", "B2", "0")
    assert second.cells == tmp_path / "p[1]/C3/f0.csv"


def test_without_fields_names_come_from_the_path(tmp_path: Path) -> None:
    touched(tmp_path, "m/x/a.tif", "m/y/a.tif")
    with pytest.raises(InvalidInput, match="no field in braces"):
        found(tmp_path, pattern="m/*/a.tif", cells="m/x/a.csv")
    touched(tmp_path, "t/a.csv")
    with pytest.raises(InvalidInput, match="2 images have the same file of cells"):
        found(tmp_path, pattern="m/*/a.tif", cells="t/{stem}.csv")


@pytest.mark.parametrize(
    ("files", "pattern", "cells", "told"),
    [
        (
            ["a_b_c.tif"],
            "{x}_{y}.tif",
            "{x}.csv",
            "two ways (x = a, y = b_c; or x = a_b, y = c)",
        ),
        (["a.tif"], "{x}.png", "{x}.csv", "No file matches images.pattern"),
        (["a.tif"], "{x}.tif", "{y}.csv", "has the field {y}, which the images do not have"),
        (["a.tif"], "{x}.tif", "{x}.csv", "has no cells: there is no file"),
        (["a.tif", "b.tif"], "{x}.tif", "{x}.csv", "(2 of 2 images are like that)"),
        (["a.tif", "a1.csv", "a2.csv"], "{x}.tif", "{x}*.csv", "finds 2 files for"),
    ],
)
def test_what_cannot_be_paired(
    tmp_path: Path, files: list[str], pattern: str, cells: str, told: str
) -> None:
    touched(tmp_path, *files)
    with pytest.raises(InvalidInput) as fault:
        found(tmp_path, pattern=pattern, cells=cells)
    assert told in str(fault.value)


def test_a_field_that_stands_twice_has_one_text(tmp_path: Path) -> None:
    touched(tmp_path, "A/A.tif", "A/B.tif", "A.csv")
    (only,) = found(tmp_path, pattern="{w}/{w}.tif", cells="{w}.csv")
    assert only.image == tmp_path / "A/A.tif"


def test_images_without_cells_can_be_skipped(tmp_path: Path) -> None:
    touched(tmp_path, "a.tif", "b.tif", "b.csv")
    a, b = found(tmp_path, pattern="{x}.tif", cells="{x}.csv", missing="skip")
    assert "a.tif has no cells: there is no file" in a.fault
    assert not b.fault


def test_a_table_of_movies(tmp_path: Path) -> None:
    touched(tmp_path, "a.tif", "b.tif", "a.csv", "b.csv")
    table = tmp_path / "movies.csv"
    table.write_text(
        "image;cells;diameter;well;name\na.tif;a.csv;24,5;A1;first\nb.tif;b.csv;auto;;\n"
    )
    second, first = found(tmp_path, table="movies.csv")
    assert (first.name, first.well, first.diameter) == ("first", "A1", 24.5)
    assert (second.name, second.well, second.diameter) == ("b", "", "auto")
    table.write_text("image,cells\na.tif,c.csv\n")
    with pytest.raises(InvalidInput, match=r"names .*c.csv, which is not there; mend it, or set"):
        found(tmp_path, table="movies.csv")


def test_a_plate_with_tables_or_label_images(tmp_path: Path) -> None:
    plate = tmp_path / "p.zarr"
    zarr.open_group(plate, mode="w").attrs["ome"] = {"plate": {"wells": [{"path": "A/1"}]}}
    zarr.open_group(plate / "A" / "1", mode="w").attrs["ome"] = {
        "well": {"images": [{"path": "0"}, {"path": "1"}]}
    }
    (plate / "A/1/0/labels/nuclei").mkdir(parents=True)
    touched(tmp_path, "A-1-0.csv", "A-1-1.csv")
    one, two = found(tmp_path, plate="p.zarr", cells="{row}-{column}-{field}.csv")
    assert (one.name, one.well, one.field, one.image) == ("A1_0", "A1", "0", plate / "A/1/0")
    assert two.cells == tmp_path / "A-1-1.csv"
    first, second = found(tmp_path, plate="p.zarr", cells_label="nuclei", missing="skip")
    assert (first.cells, first.cells_label, first.fault) == (None, "nuclei", "")
    assert "has no label image labels/nuclei" in second.fault


def test_fingerprints_tell_changes(tmp_path: Path) -> None:
    touched(tmp_path, "a.csv", "s/0/c", "s/1")
    before = fingerprint([tmp_path / "a.csv", tmp_path / "s"])
    assert [one["size"] for one in before] == [5, 8]
    os.utime(tmp_path / "a.csv", (1, 1))
    assert fingerprint([tmp_path / "a.csv", tmp_path / "s"]) == before
    (tmp_path / "s/0/c").write_text("s/0/d")
    os.utime(tmp_path / "s/0/c", (1, 1))
    (tmp_path / "a.csv").write_text("b.csv")
    after = fingerprint([tmp_path / "a.csv", tmp_path / "s"])
    assert all(old != new for old, new in zip(before, after, strict=True))
    with pytest.raises(InvalidInput, match="There is no file"):
        fingerprint([tmp_path / "none"])


def test_large_files_are_told_by_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_interpdisc.batch.inputs.HASHED_BELOW", 3)
    touched(tmp_path, "a.tif")
    os.utime(tmp_path / "a.tif", ns=(7, 7))
    assert fingerprint([tmp_path / "a.tif"]) == [{"file": "a.tif", "size": 5, "mtime_ns": 7}]


def test_notes_are_seen_from_the_results(tmp_path: Path) -> None:
    item = Item("a", tmp_path / "m/a.tif", tmp_path / "a.csv")
    note = item.note(tmp_path / "out")
    assert (note["image"], note["cells"], note["labels"]) == ("../m/a.tif", "../a.csv", None)
    assert relative(tmp_path, tmp_path) == "."
