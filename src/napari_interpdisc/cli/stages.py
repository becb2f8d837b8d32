"""Stages of a training on the command line: a line for each, and a bar while it lasts."""

from __future__ import annotations

from contextlib import ExitStack
from time import monotonic
from typing import TYPE_CHECKING, Self

from napari_interpdisc._types import Progress, silent
from napari_interpdisc.cli.common import progress_bar, say

if TYPE_CHECKING:
    from napari_interpdisc.discovery.stages import Event, StageBegan


class Stages:
    """Prints stages as they begin, and heads as soon as they are tested.

    A context: the bar of the last stage ends with it.
    """

    def __init__(self) -> None:
        self._bar = ExitStack()
        self._show: Progress = silent
        self._stage: StageBegan | None = None
        self._began = monotonic()

    def __enter__(self) -> Self:
        """Start the clock."""
        self._began = monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bar."""
        self._bar.close()

    def progress(self, done: int, n: int) -> None:
        """Move the bar of the present stage."""
        if self._stage is not None:
            self._show(done - self._stage.first, self._stage.last - self._stage.first)

    def __call__(self, event: Event) -> None:
        """Print what happened."""
        from napari_interpdisc.discovery.stages import FormulasFound, HeadsTested, StageBegan

        match event:
            case StageBegan():
                self._bar.close()
                self._stage = event
                say(f"stage: {event.title} ({event.parts} trainings)")
                self._show = self._bar.enter_context(progress_bar(event.title))
            case FormulasFound(rows=rows):
                say(f"{len(rows)} formulas were found; held-out groups now test them")
            case HeadsTested(found=found):
                kind, fitted = list(found.heads.items())[-1]
                low, high = fitted.quality.interval
                say(
                    f"{kind} is ready after {monotonic() - self._began:.0f} s: held-out balanced "
                    f"accuracy {fitted.quality.balanced_accuracy:.3f} [{low:.3f}, {high:.3f}]"
                )
