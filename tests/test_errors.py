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
