"""Seeded changes of texts: formulas, TOML, JSON, tables of text, and command lines."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from .kinds import Draw, damage_file, pick
from .model_folder import DEEP, VALUES

LEAVES = (
    "z0", "z1", "z5", "size", "area", "1", "0", "-0.0", "1e-300", "1e6", "0.1", "2.5", "z6", "z31",
    "z-1", "z", "1e300", "1e400", "0x10", "1_000", "1j", "nan", "inf", "True", "None", "'a'", "()",
    "z0.real", "…", "z₀", "ｚ０", "__import__('os')", "z0[0]", "lambda: 0", "(z1 := 1)", "2**63",
    "10**400", "e",
)  # fmt: skip

FUNCTIONS = (
    "exp", "log", "sqrt", "square", "cube", "abs", "sin", "cos", "tanh", "inv", "neg", "eval",
    "open", "max", "z0",
)  # fmt: skip

EXPONENTS = ("2", "3", "0.5", "-1", "8", "9", "-8", "0", "1/2", "z0", "1e9", "-0.0", "(2)", "2**2")

WORDS = (
    "", " ", "-", "--", "0", "-1", "1", "1e9", "1e400", "nan", "inf", "0.5", "1e-9", "auto", "é",
    "名", "\x1b[31m", "\udcff", "[/x]", "a,b", "a=b", "t=t,y=y", "y=x,x=y", ",", "=", ">", "A>B>A",
    "1:0", "0:1", "9:99999999999999999999", "../../etc/passwd", "/dev/null", "/dev/zero", "/", ".",
    "..", "no.csv", "model", "movie.tif", "tracks.csv", "labels.tif", "dense", "two", "max",
    "centroid", "px", "um", "T", "C", "Z", "-2", "99999999999999999999", "x" * 5000, "(", "*", "?",
    "[", "(a+)+$",
)  # fmt: skip
"""Words in the place of values on a command line."""


def expression(draw: Draw, depth: int = 0) -> str:
    """A formula; one in a few has something that none may have."""
    what = draw.random()
    if depth > 6 or what < 0.25:
        return str(pick(draw, LEAVES[:12] if draw.random() < 0.98 else LEAVES))
    inner = expression(draw, depth + 1)
    if what < 0.5:
        name = pick(draw, FUNCTIONS[:11] if draw.random() < 0.97 else FUNCTIONS)
        return f"{name}({inner})"
    if what < 0.6:
        return f"({inner})**{pick(draw, EXPONENTS)}"
    if what < 0.65:
        return f"-{inner}"
    sign = pick(draw, ("+", "-", "*", "/") if draw.random() < 0.97 else ("%", "//", "@", "<", ","))
    return f"({inner} {sign} {expression(draw, depth + 1)})"


def change_formula(path: Path, draw: Draw) -> str:
    """Write a formula: one that is drawn, long, deep, or with characters that are lost."""
    what = pick(draw, ("drawn",) * 6 + ("lost", "lost", "long", "deep", "sum", "power", "signs"))
    text = expression(draw)
    if what == "lost":
        for at in draw.integers(len(text), size=2):
            text = (
                text[: int(at)] + pick(draw, ("", "(", ")", "*", "\0", "\n", "é")) + text[at + 1 :]
            )
    elif what == "long":
        text = " + ".join([text] * int(draw.integers(2, 3000)))
    elif what == "deep":
        n = int(draw.integers(10, 5000))
        text = "exp(" * n + text + ")" * n
    elif what == "sum":
        names = [f"{draw.normal():.3g}*z{k % 6}" for k in range(int(draw.integers(2, 60)))]
        text = f"({' + '.join(names)})**{pick(draw, EXPONENTS)}"
    elif what == "power":
        text = "**".join([f"({text})", *(pick(draw, EXPONENTS) for _ in range(3))])
    elif what == "signs":
        text = "-" * int(draw.integers(2, 1900)) + text
    path.write_text(text, "utf-8")
    return f"{what} {text[:60]!r}"


def change_toml(path: Path, draw: Draw) -> str:
    """Change a line of a TOML file, or damage its bytes."""
    lines = path.read_text("utf-8").splitlines()
    what = pick(draw, ("value",) * 6 + ("drop", "twice", "add", "bytes", "deep", "bom"))
    settings = [k for k, line in enumerate(lines) if "=" in line and not line.startswith("#")]
    k = int(pick(draw, settings))
    if what == "bytes":
        return damage_file(path, draw)
    if what == "value":
        name = lines[k].partition("=")[0]
        lines[k] = f"{name}= {toml_of(pick(draw, VALUES))}"
    elif what == "drop":
        del lines[k]
    elif what == "twice":
        lines.insert(k, lines[k])
    elif what == "add":
        lines.insert(
            k, f"{pick(draw, ('spare', 'a.b', 'seed', ''))} = {toml_of(pick(draw, VALUES))}"
        )
    elif what == "deep":
        lines.insert(k, f"deep = {DEEP}")
    text = "\n".join(lines)
    path.write_bytes(text.encode("utf-8-sig" if what == "bom" else "utf-8", "surrogatepass"))
    return f"{what} {lines[min(k, len(lines) - 1)][:60]!r}"


def toml_of(value: Any) -> str:
    """A value as TOML, or as JSON where that is near enough to be tried."""
    return str(value) if isinstance(value, float) else json.dumps(value)


def change_json(path: Path, draw: Draw) -> str:
    """Replace or drop a value anywhere in a JSON file, or damage its bytes."""
    if draw.random() < 0.2:
        return damage_file(path, draw)
    if draw.random() < 0.05:
        path.write_text(DEEP, "utf-8")
        return "deep"
    found = json.loads(path.read_text("utf-8"))
    holder, key = found, pick(draw, sorted(found))
    while isinstance(holder[key], dict | list) and holder[key] and draw.random() < 0.7:
        holder = holder[key]
        key = pick(draw, sorted(holder) if isinstance(holder, dict) else range(len(holder)))
    if draw.random() < 0.2:
        del holder[key]
        told = f"drop {key}"
    else:
        value = pick(draw, VALUES)
        holder[key], told = value, f"{key} = {str(value)[:40]!r}"
    path.write_text(json.dumps(found), "utf-8")
    return told


def change_table(path: Path, draw: Draw) -> str:
    """Change a cell, a name or the form of a table of text, or damage its bytes."""
    rows = [line.split(",") for line in path.read_text("utf-8").splitlines()]
    what = pick(draw, ("cell",) * 5 + ("column", "name", "drop", "swap", "twice", "sign", "bytes"))
    at, k = int(draw.integers(1, len(rows))), int(draw.integers(len(rows[0])))
    numbers = (
        "", "nan", "inf", "-1", "-0.4", "0.5", "1e19", "1e300", "9223372036854775807", "1e400",
        "9223372036854775808", "99999999999999999999999", "1,5", "1;5", "x", "é", "0x1", "1_0",
        '"', "\x00", "True", "1e-320", "2026-01-01", "00:00:10", "=1+1", "\x1b[31m", "x" * 200_000,
    )  # fmt: skip
    if what == "bytes":
        return damage_file(path, draw)
    value = str(pick(draw, numbers))
    if what == "cell":
        rows[at][k] = value
    elif what == "column":
        rows = [rows[0], *([*row[:k], value, *row[k + 1 :]] for row in rows[1:])]
    elif what == "name":
        rows[0][k] = pick(draw, ("", "x", "t", "frame", "Time [s]", "track_id", "\x1b[31m", "name"))
    elif what == "drop":
        rows = [row[:k] + row[k + 1 :] for row in rows]
    elif what == "swap":
        rows[at], rows[0] = rows[0], rows[at]
    elif what == "twice":
        rows.insert(at, rows[at])
    mark = pick(draw, (";", "\t", " ", "|")) if what == "sign" else ","
    path.write_text("\n".join(mark.join(row) for row in rows), "utf-8")
    return f"{what} {rows[0][k % len(rows[0])][:20] if rows[0] else ''} {value[:30]!r}"


def change_words(path: Path, draw: Draw) -> str:
    """Change words of the command line in a file: drop, double, replace, add or exchange some."""
    words = shlex.split(pick(draw, path.read_text("utf-8").splitlines()))
    for _ in range(int(pick(draw, (1, 1, 1, 2, 3)))):
        k = int(draw.integers(1, len(words)))
        what = pick(draw, ("drop", "replace", "replace", "replace", "add", "swap"))
        options = [j for j in range(1, len(words)) if words[j].startswith("--")]
        if draw.random() < 0.7:  # the value of an option; that of a result stays
            options = [j for j in options if j + 1 < len(words) and words[j] != "--out"]
            if options:
                words[int(pick(draw, options)) + 1] = pick(draw, WORDS)
        elif what == "drop" and len(words) > 2:
            del words[k]
        elif what == "add":
            words.insert(k, pick(draw, WORDS))
        elif what == "swap":
            other = int(draw.integers(1, len(words)))
            words[k], words[other] = words[other], words[k]
        else:
            # the place of a result stays: what a user asks for there is written
            values = [j for j in range(1, len(words)) if words[j - 1] != "--out"]
            words[int(pick(draw, values))] = pick(draw, WORDS)
    path.write_text(json.dumps(words), "utf-8")
    return " ".join(words)[:200]
