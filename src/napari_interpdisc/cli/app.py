"""The application: all commands, and what happens to faults."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from napari_interpdisc import __version__
from napari_interpdisc.cli.anatomy import anatomy
from napari_interpdisc.cli.attack import attack
from napari_interpdisc.cli.classify import classify
from napari_interpdisc.cli.console import console, patient_streams, say, tell_fault, to_nowhere
from napari_interpdisc.cli.counterfactual import counterfactual
from napari_interpdisc.cli.demo import demo
from napari_interpdisc.cli.detect import detect
from napari_interpdisc.cli.export import export
from napari_interpdisc.cli.figures import figures
from napari_interpdisc.cli.files import guards_inputs
from napari_interpdisc.cli.latents import latents
from napari_interpdisc.cli.models import models
from napari_interpdisc.cli.report import report
from napari_interpdisc.cli.run import run
from napari_interpdisc.cli.scorecard import scorecard
from napari_interpdisc.cli.stopping import stoppable, told_stop
from napari_interpdisc.cli.table1 import table1
from napari_interpdisc.cli.through_time import through_time
from napari_interpdisc.cli.train import train
from napari_interpdisc.cli.train_encoder import train_encoder
from napari_interpdisc.errors import InterpdiscError
from napari_interpdisc.processes import temporary_files_together
from napari_interpdisc.writing import KeptElsewhere, told_at_the_end

KEPT_ELSEWHERE = 4
"""Exit code of a command whose result is whole, but not where it was asked for."""

EXTRA = "Got unexpected extra argument"
"""Start of what typer says of words that it does not expect."""


def _several_files(words: list[str]) -> str:
    """What to say if the shell put many files in the place of a pattern; empty if it did not."""
    files = [Path(word) for word in words if Path(word).suffix and Path(word).is_file()]
    # the first is the image that is expected, and others may be values of options
    kinds = Counter((file.parent, file.suffix) for file in files)
    if not files or (most := kinds.most_common(1)[0])[1] < 2:
        return ""
    (folder, suffix), n = most
    return (
        f"{n} files were given where one image is expected, as the shell makes them of a pattern; "
        f"give the folder {folder}, or the pattern in quotes: '{folder}/*{suffix}'."
    )


class _Commands(TyperGroup):
    """All commands; one that is interrupted says so (typer alone ends it without a word)."""

    def invoke(self, ctx: Any) -> Any:
        words = [*getattr(ctx, "_protected_args", ()), *ctx.args]
        try:
            with told_at_the_end():
                return super().invoke(ctx)
        except Exception as fault:
            # typer has the class of this fault in a place of its own in every version
            said = getattr(fault, "message", "")
            hint = _several_files(words)
            if hint and isinstance(said, str) and said.startswith(EXTRA):
                fault.message = hint  # type: ignore[attr-defined]
            raise
        except KeyboardInterrupt as stop:
            told, code = told_stop(stop)
            say(told, to=console(stderr=True))
            raise typer.Exit(code) from None


app = typer.Typer(
    name="interpdisc",
    cls=_Commands,
    help="Classify, explain and perturb the cells of a movie.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # a wrong call is told in a sentence, not in a box
    pretty_exceptions_enable=False,
)
for command in (
    classify,
    detect,
    attack,
    models,
    demo,
    train_encoder,
    latents,
    train,
    table1,
    scorecard,
    counterfactual,
    report,
    figures,
    anatomy,
    export,
    through_time,
    run,
):
    app.command(command.__name__.replace("_", "-"))(guards_inputs(command))


def _version(wanted: bool) -> None:
    if wanted:
        say(__version__)
        raise typer.Exit


@app.callback()
def _common(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; the exit code is 0, 1 for a fault that can be mended, 2 for misuse.

    It is 4 if a result had to be written in another place than was asked for, 130 after Ctrl-C and
    143 after SIGTERM. ``interpdisc run`` has 3 as well, if some images failed.
    """
    with patient_streams():
        code = _run()
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except OSError as fault:  # such as a full disk that it was led to
            to_nowhere(sys.stdout)
            tell_fault(_of_system(fault))
            code = code or 1
    sys.exit(code)


def _run() -> int:
    """Run the command of the command line; return the exit code, with the fault told."""
    try:
        with stoppable(), temporary_files_together():
            app(standalone_mode=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt as stop:  # a second time, while the first was heeded
        return told_stop(stop)[1]
    except KeptElsewhere as fault:
        tell_fault(str(fault))
        return KEPT_ELSEWHERE
    except InterpdiscError as fault:
        tell_fault(str(fault))
        return 1
    except MemoryError:
        tell_fault("There is not enough memory for this; close other programs, or give less.")
        return 1
    except OSError as fault:
        tell_fault(_of_system(fault))
        return 1
    return 0


def _of_system(fault: OSError) -> str:
    """One sentence on what the operating system refused."""
    name = fault.filename if fault.filename is not None else ""
    about = f" ({name})" * bool(name)
    return f"The system refused to go on: {fault.strerror or str(fault).rstrip('.')}{about}."
