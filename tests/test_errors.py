from __future__ import annotations

import sys

import pytest

from napari_interpdisc import cli, errors
from napari_interpdisc.errors import (
    Cancelled,
    InterpdiscError,
    InvalidInput,
    InvalidModel,
    MissingExtra,
    is_hidden,
    printable,
)


@pytest.mark.parametrize(
    ("fault", "usual"),
    [
        (InvalidInput, ValueError),
        (InvalidModel, ValueError),
        (MissingExtra, ImportError),
        (Cancelled, Exception),
    ],
)
def test_a_fault_is_ours_and_of_a_usual_kind(
    fault: type[InterpdiscError], usual: type[Exception]
) -> None:
    """Scripts may catch Python's own kind of error, or everything this package reports."""
    for kind in (InterpdiscError, usual):
        with pytest.raises(kind, match=r"^what was wrong$"):
            raise fault("what was wrong")


def test_to_stop_is_no_mistake_of_the_input() -> None:
    assert not issubclass(Cancelled, ValueError)
    assert not issubclass(InvalidModel, InvalidInput)


@pytest.mark.parametrize(
    "fault", [k for k in vars(errors).values() if isinstance(k, type) and k is not InterpdiscError]
)
def test_the_command_line_tells_each_in_its_sentence(
    fault: type[Exception], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def meet(**_: object) -> None:
        raise fault("What was wrong [at all].")

    monkeypatch.setattr("napari_interpdisc.cli.app.app", meet)
    monkeypatch.setattr(sys, "argv", ["interpdisc"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 1
    assert capsys.readouterr() == ("", "Error: What was wrong [at all].\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Métaphase ≥ 0, 名 [/x]", "Métaphase ≥ 0, 名 [/x]"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("a\nb\0", r"a\nb\x00"),
        ("\ud800 \x9b \u202egnp \u2028", r"\ud800 \x9b \u202egnp \u2028"),
    ],
)
def test_names_of_strangers_command_no_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown == str(InvalidInput(text))
    assert not any(map(is_hidden, shown))


def test_a_message_does_not_fill_the_screen() -> None:
    text = str(InvalidModel("start " + "x" * 100_000 + " end."))
    assert len(text) < 2100
    assert text.startswith("start")
    assert text.endswith("end.")
