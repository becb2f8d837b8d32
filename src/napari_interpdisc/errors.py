"""The faults that a user can meet, each carried by one readable sentence."""

from __future__ import annotations

import unicodedata

LONGEST = 2000
"""Characters of a message; names of strangers may be longer, and are cut in the middle."""

HIDDEN = {"Cc", "Cs", "Zl", "Zp"}
"""Kinds of characters that command a terminal, break a line, or cannot be written."""

TURNS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
"""Characters that make text run from right to left, so that a name shows as another one."""


def is_hidden(character: str) -> bool:
    """Whether a character does something else than to be seen: ANSI escapes, NUL, line ends."""
    return unicodedata.category(character) in HIDDEN or ord(character) in TURNS


def printable(text: str) -> str:
    r"""Text that is safe to show, with hidden characters as escapes: ESC is ``\x1b``."""
    if text.isprintable():
        return text  # most texts
    return "".join(c.encode("unicode_escape").decode("ascii") if is_hidden(c) else c for c in text)


class InterpdiscError(Exception):
    """Base of every fault this package reports: the message says what was wrong and what to do.

    Names in it may come from a stranger's file: what is hidden in them is written as an escape.
    """

    def __init__(self, *args: object) -> None:
        told = (_message(arg) if isinstance(arg, str) else arg for arg in args)
        super().__init__(*told)


def _message(text: str) -> str:
    if len(text) > LONGEST:
        half = LONGEST // 2
        text = f"{text[:half]} … {text[-half:]}"
    return printable(text)


class InvalidInput(InterpdiscError, ValueError):
    """The images, centroids or settings that were given cannot be used as they are."""


class InvalidModel(InterpdiscError, ValueError):
    """A stored model is damaged, incomplete, or does not fit what it is used for."""


class MissingExtra(InterpdiscError, ImportError):
    """An optional package is needed and is not installed."""


class Cancelled(InterpdiscError):
    """The user stopped a running computation; nothing was changed."""
