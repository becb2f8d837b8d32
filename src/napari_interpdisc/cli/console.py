"""Standard output and standard error, whatever they are: any encoding, a closed pipe, or nothing.

What a command writes to a file is its result; what it prints tells of it. A console that cannot
show a character, or that is gone, must not cost the result.
"""

from __future__ import annotations

import codecs
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from napari_interpdisc.errors import printable

PLAIN_LETTERS = {
    "≥": ">=", "≤": "<=", "−": "-", "–": "-", "—": "-", "…": "...", "·": "*", "×": "x", "±": "+/-",
    "→": "->", "√": "sqrt", "∞": "inf", "²": "^2", "³": "^3", "µ": "u", "μ": "u", "°": " deg",
    "α": "alpha", "β": "beta", "δ": "delta", "Δ": "Delta", "ε": "epsilon", "θ": "theta",
    "κ": "kappa", "λ": "lambda", "ρ": "rho", "σ": "sigma", "φ": "phi", "Σ": "Sigma", "•": "*",
    "“": '"', "”": '"', "‘": "'", "’": "'", "₀": "0", "₁": "1", "₂": "2", "⁶": "^6", "⚠": "!",
}  # fmt: skip
"""What stands for a character that a console has no code for."""

PLAIN = "interpdisc-plain"
"""Name under which :func:`in_plain_letters` is known to Python's codecs."""


def in_plain_letters(fault: UnicodeError) -> tuple[str | bytes, int]:
    r"""What to write for characters that an encoding lacks: ``>=`` for ``≥``, ``e`` for ``é``.

    Others, and undecoded bytes of names of files, are written as escapes: ``\u540d``.
    """
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    found = []
    for character in fault.object[fault.start : fault.end]:
        letters = unicodedata.normalize("NFKD", character)
        base = "".join(c for c in letters if c.isascii())
        escaped = character.encode("unicode_escape").decode("ascii")
        found.append(PLAIN_LETTERS.get(character) or base or escaped)
    return "".join(found), fault.end


codecs.register_error(PLAIN, in_plain_letters)


class PatientStream:
    """A stream whose reader may go away, as ``head`` does: what is written then goes nowhere.

    All else is done by the stream itself.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text; return its length."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._let_go()
            return len(text)

    def flush(self) -> None:
        """Write what is held back."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._let_go()

    def _let_go(self) -> None:
        """Lead everything to nowhere from now on, also what Python writes as it ends."""
        to_nowhere(self._stream)


def to_nowhere(stream: TextIO) -> None:
    """Connect a stream to the null device."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def open_missing() -> None:
    """Connect standard streams that were closed, as by ``>&-``, to the null device.

    The next file that is opened would take their place, and be printed into.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # the lowest free number is taken, which is this one
            os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


@contextmanager
def patient_streams() -> Iterator[None]:
    """Within it, whatever is printed is shown as well as the console can, or goes nowhere."""
    open_missing()
    before = sys.stdout, sys.stderr
    for stream in before:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=PLAIN)
    sys.stdout, sys.stderr = (PatientStream(stream) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def console(stderr: bool = False, width: int | None = None) -> Console:
    """A console of rich that makes no pictures of words such as ``:warning:``."""
    return Console(stderr=stderr, width=width, emoji=False)


def plain(text: str) -> str:
    """Text in which rich finds no markup, and a terminal no commands."""
    return escape(printable(text))


def say(*lines: str, to: Console | None = None) -> None:
    """Print lines as they are: no markup, no colours of numbers, no wrapping."""
    where = to or console()
    for line in lines:
        for part in line.split("\n"):
            where.print(Text(printable(part)), soft_wrap=True, highlight=False)


def note(text: str) -> None:
    """Print a note on standard error."""
    _tell("Note:", "yellow", text)


def tell_fault(text: str) -> None:
    """Print what was wrong on standard error."""
    _tell("Error:", "red", text)


def _tell(word: str, colour: str, text: str) -> None:
    told = Text.assemble((word, colour), " ", printable(text))
    console(stderr=True).print(told, soft_wrap=True)
