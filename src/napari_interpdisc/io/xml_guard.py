"""XML from strangers: no definitions of entities, which can grow without end or name a file."""

from __future__ import annotations

from pathlib import Path
from xml.parsers import expat

from napari_interpdisc.errors import InvalidInput

PIECE = 1 << 16
"""Bytes that are read at a time; the definitions stand before the first element."""


class _Started(Exception):
    """The first element is there: no definition comes after it."""


def check_xml(data: Path | str | bytes, source: str | None = None) -> None:
    """Refuse XML with a document type definition; nothing else is looked at.

    TrackMate and OME write none. In a definition, ten entities of ten others each make a few
    kilobytes into gigabytes, and an external one makes a parser read another file.

    Parameters
    ----------
    data
        The file, or the text itself.
    source
        What the text is called in the message; the file's own name if left out.

    Raises
    ------
    InvalidInput
        If it has a document type definition.
    """
    named = source or str(data)

    def refuse(*_: object) -> None:
        raise InvalidInput(
            f"{named} has a document type definition (DOCTYPE), which can make a small file "
            "endless; export it again, or remove the definition."
        )

    def started(*_: object) -> None:
        raise _Started

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = started
    try:
        if isinstance(data, Path):
            with data.open("rb") as file:
                while piece := file.read(PIECE):
                    parser.Parse(piece)
        else:
            parser.Parse(data)
    except (_Started, expat.ExpatError, OSError, ValueError) as fault:
        if isinstance(fault, InvalidInput):
            raise
        return  # whoever reads it says what is wrong with it
