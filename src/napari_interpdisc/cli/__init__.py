"""``interpdisc``: the command line. One file a command: parse, call, print; nothing is computed."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; see :func:`napari_interpdisc.cli.app.main`."""
    try:
        # imported here: it takes a part of a second, in which Ctrl-C may come already
        from napari_interpdisc.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("Cancelled.\n")
        sys.exit(130)
