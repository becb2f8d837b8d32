"""Files from strangers, read within limits: no pipe that blocks, no device, no endless file.

JSON is read strictly: what a reader would have to guess at is refused.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from napari_interpdisc.errors import InterpdiscError, InvalidInput

MOST_GROWTH = 200
"""How many times larger than its file an array may be, if it is large."""

GROWS_FROM = 2**30
"""Bytes up to which an array may be as large as it says."""

ENCRYPTED = 1
"""Bit of a member of an archive that is encrypted."""

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def size_text(n_bytes: int) -> str:
    """A number of bytes to read: ``4 MiB``."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:.3g} {unit}"
    return f"{n_bytes} bytes"


def read_file(path: Path, most: int, folder: Path | None = None) -> bytes:
    """Content of a plain file, whose kind and size are looked at before it is opened.

    Parameters
    ----------
    path
        The file.
    most
        Bytes that it may have.
    folder
        Where a file must lie to which ``path`` links; anywhere if left out.

    Raises
    ------
    InvalidInput
        If it is missing, no plain file, larger than ``most``, outside ``folder``, or unreadable.
    """
    try:
        if folder is not None and path.is_symlink():
            _check_inside(path, folder)
        about = check_kind(path, "a plain file")
        if about.st_size > most:
            raise InvalidInput(
                f"{path} has {size_text(about.st_size)}; at most {size_text(most)} are read."
            )
        with path.open("rb") as file:
            data = file.read(most + 1)  # it may have grown since
    except FileNotFoundError:
        raise InvalidInput(f"{path} is missing.") from None
    except (OSError, RuntimeError, ValueError) as fault:
        if isinstance(fault, InvalidInput):
            raise
        raise InvalidInput(f"{path} cannot be read: {_reason(fault)}.") from None
    if len(data) > most:
        raise InvalidInput(f"{path} grows while it is read; at most {size_text(most)} are read.")
    return data


def check_kind(path: str | Path, what: str, pipes: bool = False) -> os.stat_result:
    """Refuse what is no plain file: a device may never end, and a pipe may never begin.

    Parameters
    ----------
    path
        The file; it is not opened.
    what
        What is expected, for the sentence: ``a table``.
    pipes
        Whether a pipe will do, as a shell makes it of ``<(...)``.

    Returns
    -------
    What the system tells of it, such as its size.

    Raises
    ------
    InvalidInput
        If it is another kind of file.
    OSError
        If it is not there, or cannot be looked at.
    """
    about = os.stat(path)
    allowed = stat.S_ISREG(about.st_mode) or (pipes and stat.S_ISFIFO(about.st_mode))
    if not allowed:
        kind = KINDS.get(stat.S_IFMT(about.st_mode), "something else")
        raise InvalidInput(f"{path} is {kind}, where {what} is expected.")
    return about


def _check_inside(path: Path, folder: Path) -> None:
    target = path.resolve()
    if not target.is_relative_to(folder.resolve()):
        raise InvalidInput(
            f"{path} is a link out of its folder; put a copy of the file in its place."
        )


def _reason(fault: Exception) -> str:
    if getattr(fault, "errno", None) == errno.ELOOP or isinstance(fault, RuntimeError):
        return "it is a link that leads to itself"
    return getattr(fault, "strerror", None) or str(fault).rstrip(".")


@contextlib.contextmanager
def one_sentence(
    path: str | Path, what: str, advice: str = "copy or export it again"
) -> Iterator[None]:
    """Whatever a reader of a file raises within, as one sentence that names the file.

    Damage can make a library fail in more ways than can be listed. What this package raises stays.

    Parameters
    ----------
    path
        The file.
    what
        What it is read as: ``an image``.
    advice
        What to do.

    Raises
    ------
    InvalidInput
        In place of any other exception.
    """
    try:
        yield
    except InterpdiscError:
        raise
    except MemoryError:
        raise InvalidInput(
            f"{path} needs more memory than there is, if it is not damaged; give a part of it, or "
            "use a machine with more memory."
        ) from None
    except Exception as fault:
        text = str(fault).splitlines()[0].rstrip(".") if str(fault).strip() else ""
        told = text[:200] or type(fault).__name__
        raise InvalidInput(f"{path} cannot be read as {what} ({told}); {advice}.") from None


def check_growth(path: str | Path, n_bytes: int, stored: int) -> None:
    """Refuse what would grow out of proportion in memory, as damage or a bomb does.

    Parameters
    ----------
    path
        The file, or the part of it, for the sentence.
    n_bytes, stored
        Bytes in memory, and in the file.

    Raises
    ------
    InvalidInput
        If there are more than :data:`GROWS_FROM`, and more than :data:`MOST_GROWTH` times those
        that are stored.
    """
    if n_bytes > max(GROWS_FROM, MOST_GROWTH * stored):
        raise InvalidInput(
            f"{path} has {size_text(stored)} and asks for {size_text(n_bytes)} of memory, so it is "
            "damaged or empty; if its values are meant, store them without compression."
        )


def check_archive(path: Path) -> None:
    """Refuse a ZIP archive, such as an ``.npz`` file, that is encrypted or grows without measure.

    Raises
    ------
    InvalidInput
        If it is no plain file, a member is encrypted, or all of them are refused by
        :func:`check_growth`.
    OSError, zipfile.BadZipFile
        If it is no archive.
    """
    check_kind(path, "an archive")
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if any(member.flag_bits & ENCRYPTED for member in members):
        raise InvalidInput(f"{path} is encrypted; store it again without a password.")
    check_growth(path, sum(member.file_size for member in members), path.stat().st_size)


def strict_json(data: bytes, what: str) -> Any:
    """What JSON text holds; ``what`` begins the sentence if it cannot be read: a file's name.

    Raises
    ------
    InvalidInput
        If it is no JSON in UTF-8, gives a key twice, holds NaN, an infinite number or half a
        character, or is nested too deeply.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise InvalidInput(f"{what} gives '{twice[:100]}' twice.")
        return found

    def no_number(text: str) -> Any:
        raise InvalidInput(f"{what} holds {text}, which is no number.")

    try:
        text = data.decode("utf-8-sig")  # some editors of Windows write a mark
        found = json.loads(text, object_pairs_hook=once, parse_constant=no_number)
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except InvalidInput:
        raise
    except UnicodeDecodeError:
        raise InvalidInput(f"{what} is no text in UTF-8.") from None
    except UnicodeEncodeError:
        raise InvalidInput(f"{what} holds half a character (a lone surrogate).") from None
    except RecursionError:
        raise InvalidInput(f"{what} is nested too deeply to be read.") from None
    except ValueError as fault:
        raise InvalidInput(f"{what} is no JSON ({str(fault).split(';', 1)[0]}).") from None
    return found
