from __future__ import annotations

from pathlib import Path

import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.calibration import of_ome
from napari_interpdisc.io.tracks import read_cells
from napari_interpdisc.io.xml_guard import check_xml

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE T [<!ENTITY a "ha">'
    + "".join(
        f'<!ENTITY {new} "{f"&{old};" * 10}">'
        for old, new in zip("abcdefghi", "bcdefghij", strict=True)
    )
    + "]><{root}>&j;</{root}>"
)

OUTSIDE = '<!DOCTYPE T [<!ENTITY a SYSTEM "file:///etc/passwd">]><{root}>&a;</{root}>'


@pytest.mark.parametrize("text", [LAUGHS, OUTSIDE, '<!DOCTYPE T SYSTEM "http://x/y"><{root}/>'])
@pytest.mark.parametrize("root", ["TrackMate", "Tracks"])
def test_definitions_of_entities_are_refused(tmp_path: Path, text: str, root: str) -> None:
    path = tmp_path / "tracks.xml"
    path.write_text(text.replace("{root}", root))
    with pytest.raises(InvalidInput, match="DOCTYPE"):
        read_cells(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
def test_the_encoding_hides_nothing(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "tracks.xml"
    path.write_text("<!DOCTYPE T []><T/>", encoding)
    with pytest.raises(InvalidInput, match="DOCTYPE"):
        check_xml(path)


def test_metadata_of_images_too() -> None:
    with pytest.raises(InvalidInput, match=r"^OME metadata of the image .*DOCTYPE"):
        of_ome(LAUGHS.replace("{root}", "OME"))


@pytest.mark.parametrize("text", ["<T/>", "", "no XML", "<!-- <!DOCTYPE --><T/>", "<T><T></T>"])
def test_other_xml_is_left_to_its_reader(text: str) -> None:
    check_xml(text)
