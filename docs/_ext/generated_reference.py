"""Reference pages made from the code: the commands of a typer application, and settings.

Two directives::

    {commands} napari_interpdisc.cli.app:app
    {settings} napari_interpdisc.discovery.recipe:Recipe

The first writes a section for each command. The second writes a table of the fields of a pydantic
model, and one for each model that is a field of it.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any, get_args, get_origin

from docutils import nodes
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

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
        from typer.main import get_command

        group = get_command(imported(self.arguments[0]))
        return [self.of_command(f"{group.name} {k}", c) for k, c in group.commands.items()]

    def of_command(self, name: str, command: Any) -> nodes.section:
        """Return what one command does, takes and is called with."""
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option"]
        call = " ".join([name, *(p.human_readable_name for p in arguments), "[OPTIONS]"])
        rows = [
            (nodes.literal("", _spelling(p)), p.help or "", _default_of(p))
            for p in (*arguments, *options)
            if not getattr(p, "hidden", False)
        ]
        return self.section(
            name,
            name.replace(" ", "-"),
            nodes.paragraph("", command.help or ""),
            nodes.literal_block(call, call, language="text"),
            table(("option", "meaning", "default"), rows),
        )


def _spelling(parameter: Any) -> str:
    """Return how an option is written: its names, and what follows them."""
    if parameter.param_type_name == "argument":
        return str(parameter.human_readable_name)
    text = " / ".join([*parameter.opts, *parameter.secondary_opts])
    if parameter.is_flag:
        return text
    choices = getattr(parameter.type, "choices", None)
    value = parameter.metavar or ("|".join(map(str, choices)) if choices else "")
    return f"{text} {value or str(parameter.type.name).upper()}"


def _default_of(parameter: Any) -> nodes.Node | str:
    if parameter.required:
        return "required"
    value = parameter.default
    if value in (None, "", False, ()) or callable(value):
        return "–"
    return nodes.literal("", str(value))


class Settings(GeneratedSections):
    """A section for a pydantic model, and one for each model that it holds."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        model = imported(self.arguments[0])
        return [self.of_model(kind, path, model) for kind, path in _with_inner(model)]

    def of_model(self, kind: type[BaseModel], path: str, outer: type[BaseModel]) -> nodes.section:
        """Return the table of one model's fields."""
        rows = []
        for name, info in kind.model_fields.items():
            if not list(_models_in(info)):
                where = nodes.literal("", name)
                rows.append((where, info.title or "", _default(info), _bounds(info)))
        what = nodes.paragraph("", _first_line(kind))
        head = ("setting", "meaning", "default", "allowed")
        title = f"[{path}]" if path else outer.__name__
        label = f"{outer.__name__}-{path}".rstrip("-").replace(".", "-").lower()
        return self.section(title, label, what, table(head, rows))


def _with_inner(kind: type[BaseModel], path: str = "") -> Iterator[tuple[type[BaseModel], str]]:
    """Yield a model and the models in its fields, with their place in a TOML file."""
    yield kind, path
    for name, info in kind.model_fields.items():
        for inner in _models_in(info):
            yield from _with_inner(inner, f"{path}.{name}".lstrip("."))


def _models_in(info: FieldInfo) -> Iterator[type[BaseModel]]:
    union = get_origin(info.annotation) is types.UnionType
    for kind in get_args(info.annotation) if union else (info.annotation,):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield kind


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")


def _default(info: FieldInfo) -> nodes.Node:
    value = info.get_default(call_default_factory=True)
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, tuple):
        text = str(list(value)).replace("'", '"')
    elif isinstance(value, str):
        text = f'"{value}"'
    else:
        text = str(value)
    return nodes.literal("", text)


def _bounds(info: FieldInfo) -> str:
    found = [
        f"{sign} {getattr(limit, name):g}"
        for limit in info.metadata
        for name, sign in BOUNDS
        if getattr(limit, name, None) is not None
    ]
    return ", ".join(found)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives."""
    app.add_directive("commands", Commands)
    app.add_directive("settings", Settings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
