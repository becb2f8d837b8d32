"""Settings from TOML files, checked against the model that describes them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.guarded_files import check_kind, size_text

LARGEST = 2**22
"""Bytes that a file of settings may have."""

Settings = TypeVar("Settings", bound=BaseModel)


def read_settings(path: str | Path, kind: type[Settings], **chosen: Any) -> Settings:
    """Read settings of one kind from a TOML file; what it leaves out keeps its default.

    Parameters
    ----------
    path
        The file.
    kind
        Pydantic model of the settings.
    chosen
        Values that win over those of the file.

    Raises
    ------
    InvalidInput
        If the file is missing, a device or too large, is no TOML, is nested too deeply, or holds an
        unknown setting or a value out of range.
    """
    try:
        check_kind(path, "a TOML file", pipes=True)
        with Path(path).open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise InvalidInput(f"{path} is larger than {size_text(LARGEST)}; settings are not.")
        found = tomllib.loads(data.decode("utf-8"))
    except FileNotFoundError:
        raise InvalidInput(f"There is no file {path}; check the path.") from None
    except OSError as fault:
        raise InvalidInput(f"{path} cannot be read: {fault.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise InvalidInput(f"{path} is not a TOML file ({fault}).") from None
    except RecursionError:
        raise InvalidInput(f"{path} is nested too deeply to be read.") from None
    return checked_settings({**found, **chosen}, kind, str(path))


def checked_settings(values: Mapping[str, Any], kind: type[Settings], source: str) -> Settings:
    """Settings of one kind from plain values.

    Raises
    ------
    InvalidInput
        If a setting is unknown or out of range; the sentence names it, and ``source``.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as fault:
        first = fault.errors()[0]
        where, told = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden" and (known := _known(kind, first["loc"][:-1])):
            told = f"it is not known; there are {', '.join(known)}"
        subject = f"{source} has a setting '{where}' that" if where else source
        raise InvalidInput(f"{subject} cannot be used: {told}.") from None


def _known(kind: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """Names of the settings in a group; none if the place is not one of groups alone."""
    for name in place:
        field = kind.model_fields.get(str(name))
        inner = None if field is None else field.annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        kind = inner
    return list(kind.model_fields)
