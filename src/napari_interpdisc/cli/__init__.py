"""``interpdisc``: the command line. One file a command: parse, call, print; nothing is computed."""

from napari_interpdisc.cli.app import main

__all__ = ["main"]
