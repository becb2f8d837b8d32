"""How long each dock takes to open as the first one: ``python benchmarks/opening.py``.

A process for each, since the first dock imports what all need. Needs a display, such as that of
``xvfb-run -a``. The dock must be there at once, and its widget within 2 s on a quiet machine; the
window must answer meanwhile.
"""

from __future__ import annotations

import subprocess
import sys
import time


def open_first(name: str) -> str:
    """Open one widget from the menu of a new viewer, and say how long that took."""
    import napari
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer(show=True)
    until = time.monotonic() + 1
    while time.monotonic() < until:
        QApplication.processEvents()
    began = time.monotonic()
    _, dock = viewer.window.add_plugin_dock_widget("napari-interpdisc", name)
    QApplication.processEvents()
    there, longest = time.monotonic() - began, 0.0
    while dock.widget is None:
        last = time.monotonic()
        time.sleep(0.005)
        QApplication.processEvents()
        longest = max(longest, time.monotonic() - last)
    QApplication.processEvents()
    ready = time.monotonic() - began
    viewer.close()
    return f"{name:18} {1000 * there:7.0f} ms {ready:9.2f} s {1000 * longest:10.0f} ms"


def main() -> None:
    """Open each widget in a process of its own."""
    from npe2 import PluginManifest

    manifest = PluginManifest.from_distribution("napari-interpdisc")
    print(f"{'first dock':18} {'in sight':>10} {'ready':>11} {'longest pause':>13}")
    for widget in manifest.contributions.widgets or ():
        command = [sys.executable, __file__, widget.display_name]
        told = subprocess.run(command, check=True, capture_output=True, text=True)
        print(told.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    print(open_first(sys.argv[1])) if len(sys.argv) > 1 else main()
