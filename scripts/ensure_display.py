"""See to the system libraries that a napari window needs, and to Xvfb to show it in.

PyQt6's wheels bring Qt but not the libraries of the X server and of OpenGL. Where some are missing,
install them if this account may (Debian or a kin of it, root), else print the one line that does.

Run before the tests by tox, and with ``--no-xvfb`` before the demo where there is a screen.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-glx.so.0": "libxcb-glx0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}
"""What PyQt6's QtGui, QtWidgets and xcb platform plugin link to, and its Debian package."""

PROGRAMS = {"Xvfb": "xvfb", "xvfb-run": "xvfb", "xauth": "xauth"}
"""A virtual screen; xvfb-run calls xauth, which Debian's xvfb only recommends."""

BROWSER = "chromium-headless-shell"
"""Debian's package, and the program in it: the test of the report opens it, and is skipped without.

Other systems call it otherwise, so nothing fails if it cannot be had.
"""

RENDERER = "libgl1-mesa-dri"
"""Mesa's software renderer: OpenGL on a machine without a graphics card."""


def missing_packages(*, xvfb: bool) -> list[str]:
    """Return Debian's packages of what is not on this machine."""
    packages = {package for name, package in LIBRARIES.items() if not _loads(name)}
    if not any(_drivers()):
        packages.add(RENDERER)
    if xvfb:
        packages |= {package for name, package in PROGRAMS.items() if not shutil.which(name)}
    return sorted(packages)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _drivers() -> Iterable[Path]:
    """Find Mesa's renderers: one file a driver, or one library for all from Mesa 24.2 on."""
    for folder in (Path("/usr/lib"), Path("/usr/lib64")):
        yield from folder.glob("**/dri/swrast_dri.so")
        yield from folder.glob("**/libgallium-*.so")


def install(packages: list[str]) -> None:
    """Install Debian packages, or raise SystemExit with the line that does."""
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    line = f"sudo apt-get update && sudo {' '.join(command)}"
    if not shutil.which("apt-get"):
        raise SystemExit(
            "The libraries of these Debian packages are missing; install what your system calls "
            f"them: {' '.join(packages)}"
        )
    if os.geteuid() != 0:
        raise SystemExit(f"System libraries of a napari window are missing; run:\n    {line}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    # A source that is out of reach does not matter as long as the packages are found in another.
    subprocess.run(["apt-get", "update"], env=environment, check=False)
    if subprocess.run(command, env=environment, check=False).returncode != 0:
        raise SystemExit(f"apt-get could not install what is missing; run:\n    {line}")


def try_browser() -> None:
    """Install the browser if this account may, and go on without it if that fails."""
    if shutil.which(BROWSER) or shutil.which("chromium"):
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        print(f"Without {BROWSER} the test that opens the report in a browser is skipped.")
        return
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update"], env=environment, check=False)
    command = ["apt-get", "install", "-y", "--no-install-recommends", BROWSER]
    subprocess.run(command, env=environment, check=False)


def main() -> None:
    """Install what is missing, and look again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-xvfb", action="store_true", help="there is a screen: no Xvfb needed")
    xvfb = not parser.parse_args().no_xvfb
    if sys.platform != "linux":  # Qt's wheels are complete elsewhere, and there is a screen
        return
    if packages := missing_packages(xvfb=xvfb):
        install(packages)
        if still := missing_packages(xvfb=xvfb):
            raise SystemExit(f"Still missing after the installation: {' '.join(still)}")
    if xvfb:  # for the tests
        try_browser()


if __name__ == "__main__":
    main()
