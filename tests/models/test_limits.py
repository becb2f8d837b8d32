"""Names and texts of stored models."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from napari_interpdisc.models.limits import LONGEST_NAME, Digest, Name, Text


@pytest.mark.parametrize(
    "name",
    ["", "a\nb", "a\0", "\x1b[31m", "\x9b31m", "\u202egnp", "\u2028", "x" * (LONGEST_NAME + 1)],
)
def test_no_name(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(name)


@pytest.mark.parametrize("name", ["G1/S", "[/x]", "Métaphase", "名前", "x" * LONGEST_NAME, "a b"])
def test_names(name: str) -> None:
    assert TypeAdapter(Name).validate_python(name) == name


def test_a_text_may_have_lines_and_a_digest_has_64_digits() -> None:
    assert TypeAdapter(Text).validate_python("one\n\ttwo") == "one\n\ttwo"
    with pytest.raises(ValidationError, match="control character"):
        TypeAdapter(Text).validate_python("a\rb")
    with pytest.raises(ValidationError):
        TypeAdapter(Digest).validate_python("0" * 63)
