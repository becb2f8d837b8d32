"""Reference pages made from the code: the commands of a typer application, and settings.

Two directives::

    {commands} napari_interpdisc.cli.app:app
    {settings} napari_interpdisc.discovery.recipe:Recipe

The first writes a section for each command. The second writes a table of the fields of a pydantic
model, and one for each model that is a field of it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any, Literal, get_args, get_origin, get_type_hints

from docutils import nodes
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer.models import ArgumentInfo, OptionInfo

Defaults = dict[str, Any]
BOUNDS = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"), ("multiple_of", "multiple of"))


def imported(path: str) -> Any:
    """Return the object at ``module:name``."""
    module, name = path.split(":")
    return getattr(import_module(module), name)


def table(head: Sequence[str], rows: Iterable[Sequence[nodes.Node | str]]) -> nodes.table:
    """Return a table of nodes or plain text."""
    group = nodes.tgroup(cols=len(head))
    group += [nodes.colspec(colwidth=1) for _ in head]
    group += nodes.thead("", _row(head))
    group += nodes.tbody("", *map(_row, rows))
    return nodes.table("", group)


def _row(cells: Iterable[nodes.Node | str]) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        inner = nodes.Text(cell) if isinstance(cell, str) else cell
        row += nodes.entry("", nodes.paragraph("", "", inner))
    return row


class GeneratedSections(SphinxDirective):
    """What both directives share: a path to the object, and sections that can be linked to."""

    required_arguments = 1
    final_argument_whitespace = False

    def section(self, title: str, label: str, *content: nodes.Node) -> nodes.section:
        """Return a section with a label that ``[](#label)`` finds."""
        section = nodes.section("", nodes.title("", "", nodes.literal("", title)), *content)
        section["names"].append(label)
        self.state.document.note_explicit_target(section)
        return section


class Commands(GeneratedSections):
    """A section for each command of a typer application."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        app = imported(self.arguments[0])
        commands = ((c.name or c.callback.__name__, c.callback) for c in app.registered_commands)
        return [self.of_command(f"{app.info.name} {name}", does) for name, does in commands]

    def of_command(self, name: str, does: Callable[..., None]) -> nodes.section:
        """Return what one command does, takes and is called with."""
        found = list(parameters(does))
        arguments = [spelling for spelling, *_, is_argument in found if is_argument]
        call = " ".join([name, *arguments, "[OPTIONS]"])
        rows = [(nodes.literal("", spelling), *rest) for spelling, *rest, _ in found]
        return self.section(
            name,
            name.replace(" ", "-"),
            nodes.paragraph("", (does.__doc__ or "").strip()),
            nodes.literal_block(call, call, language="text"),
            table(("option", "meaning", "default"), rows),
        )


def parameters(does: Callable[..., None]) -> Iterator[tuple[str, str, nodes.Node | str, bool]]:
    """Yield spelling, help and default of each parameter, and whether it is an argument."""
    hints = get_type_hints(does, include_extras=True)
    for name, parameter in inspect.signature(does).parameters.items():
        kind, info = get_args(hints[name])[:2]
        if isinstance(info, ArgumentInfo):
            yield info.metavar or name.upper(), info.help or "", "required", True
            continue
        own = f"--{name.replace('_', '-')}"
        # typer keeps the first spelling of an option in an annotation where a default would be
        given = (info.default, *(info.param_decls or ()))
        spellings = [text for text in given if isinstance(text, str) and text.startswith("-")]
        inner = [k for k in get_args(kind) or (kind,) if k is not type(None)]
        if get_origin(kind) is Literal:
            inner = [kind]
        if inner == [bool] and not spellings:
            spellings = [own, own.replace("--", "--no-", 1)]
        spelling = " / ".join(spellings or [own])
        if inner != [bool]:
            spelling += f" {info.metavar or _value(inner[0])}"
        default: nodes.Node | str = "–"
        if parameter.default is inspect.Parameter.empty:
            default = "required"
        elif parameter.default not in (None, "", False):
            default = nodes.literal("", str(parameter.default))
        yield spelling, (info.help or "") + _range(info), default, False


def _value(kind: Any) -> str:
    """Return what stands for a value: its choices, or its type."""
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    (item,) = get_args(kind) or (kind,)
    return str(item.__name__).upper()


def _range(info: OptionInfo) -> str:
    limits = (("≥", info.min), ("≤", info.max))
    found = [f"{sign} {limit:g}" for sign, limit in limits if limit is not None]
    return f" ({', '.join(found)})" if found else ""


class Settings(GeneratedSections):
    """A section for a pydantic model, and one for each model that it holds."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        model = imported(self.arguments[0])
        return [self.of_model(*found, model.__name__) for found in _with_inner(model)]

    def of_model(
        self, kind: type[BaseModel], path: str, defaults: Defaults, outer: str
    ) -> nodes.section:
        """Return the table of one model's fields."""
        rows = []
        for name, info in kind.model_fields.items():
            if not list(_models_in(info)):
                value = nodes.literal("", _toml(defaults[name])) if name in defaults else "required"
                rows.append((nodes.literal("", name), info.title or "", value, _bounds(info)))
        head = ("setting", "meaning", "default", "allowed")
        label = "-".join([outer, *filter(None, path.split("."))]).lower()
        what = nodes.paragraph("", _first_line(kind))
        return self.section(path or outer, label, what, *([table(head, rows)] if rows else []))


def _with_inner(
    kind: type[BaseModel], path: str = "", given: BaseModel | None = None
) -> Iterator[tuple[type[BaseModel], str, Defaults]]:
    """Yield a model and those in its fields, with their place in a TOML file and their defaults."""
    if given is None:
        fields = kind.model_fields.items()
        defaults = {n: i.get_default(call_default_factory=True) for n, i in fields}
        defaults = {n: v for n, v in defaults.items() if not kind.model_fields[n].is_required()}
    else:
        defaults = {name: getattr(given, name) for name in kind.model_fields}
    yield kind, path, defaults
    for name, info in kind.model_fields.items():
        for inner in _models_in(info):
            value = defaults.get(name)
            own = value if isinstance(value, inner) else None
            yield from _with_inner(inner, f"{path}.{name}".lstrip("."), own)


def _models_in(info: FieldInfo) -> Iterator[type[BaseModel]]:
    for kind in get_args(info.annotation) or (info.annotation,):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield kind


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")


def _toml(value: object) -> str:
    """Write a value as TOML does; None is "none"."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _bounds(info: FieldInfo) -> str:
    found = [
        f"{sign} {getattr(limit, name):.10g}"
        for limit in info.metadata
        for name, sign in BOUNDS
        if getattr(limit, name, None) is not None
    ]
    return ", ".join(found)


def short_signature(
    app: Sphinx, what: str, name: str, obj: Any, *_: object
) -> tuple[str, str | None] | None:
    """Write annotations as the source does: ``npt.NDArray[np.int64]``, not what it stands for."""
    if what not in ("class", "exception", "function", "method"):
        return None
    if isinstance(obj, type) and issubclass(obj, BaseModel):
        return "(**settings)", None
    try:
        found = inspect.signature(obj)
    except (TypeError, ValueError):
        return None
    parameters = [p for p in found.parameters.values() if p.name not in ("self", "cls")]
    shown = ", ".join(map(_parameter, parameters))
    returns = found.return_annotation
    return f"({shown})", returns if isinstance(returns, str) and returns != "None" else None


def _parameter(parameter: inspect.Parameter) -> str:
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    text = stars + parameter.name
    if isinstance(parameter.annotation, str):
        text += f": {parameter.annotation}"
    if parameter.default is parameter.empty:
        return text
    value = repr(parameter.default)
    plain = isinstance(parameter.default, str | int | float | tuple | None) and len(value) < 40
    return f"{text} = {value if plain else '...'}"


def one_name_each(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Give names that share a description one each, and keep colons from reading as types."""
    if what == "property" and lines:
        lines[0] = lines[0].replace(": ", " – ", 1)
    found: list[str] = []
    shared: list[str] = []
    for line in [*lines, ""]:
        if shared and not line.startswith("    "):
            names, about = shared[0].split(", "), shared[1:]
            found += [text for own in names for text in (own, *about)]
            shared = []
        if shared or NAMES.match(line):
            shared.append(line)
        else:
            found.append(line)
    lines[:] = found


NAMES = re.compile(r"\w+(, \w+)+$")
"""A line such as ``latents, log_variances``, of several parameters or attributes."""


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives, and short signatures."""
    app.add_directive("commands", Commands)
    app.add_directive("settings", Settings)
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-signature", short_signature)
    app.connect("autodoc-process-docstring", one_name_each, priority=400)  # before napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
