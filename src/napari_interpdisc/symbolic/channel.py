"""The worker's end of a search: what it was asked, and how it answers.

Imports the standard library alone, because PySR must be imported before numpy and torch.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_interpdisc.batch.parent import end_with


class Channel:
    """JSON lines to the session that started this worker.

    What the engine itself prints is sent to standard error, so that it cannot break a line. The
    worker ends itself when that session is gone.

    Parameters
    ----------
    folder
        Holds ``request.json`` and ``arrays.npz``, and takes what the engine writes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.request: dict[str, Any] = json.loads((folder / "request.json").read_text("utf-8"))
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        end_with(self.request.get("parent", os.getppid()))

    def send(self, **message: object) -> None:
        """Write one line, at once."""
        self._out.write(json.dumps(message) + "\n")
        self._out.flush()

    def progress(self, done: int, of: int) -> None:
        """Tell how far the search is."""
        self.send(progress=done, of=of)

    def result(self, candidates: Sequence[Mapping[str, object]]) -> None:
        """Hand over the candidates; the last message."""
        self.send(result=list(candidates))

    def fault(self, kind: str, message: str) -> None:
        """Tell why there is no result; the last message."""
        self.send(fault=kind, message=message)


def main_channel() -> Channel:
    """The channel to the folder that the command line names."""
    return Channel(Path(sys.argv[1]))
