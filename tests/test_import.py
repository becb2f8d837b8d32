import subprocess
import sys

import napari_interpdisc


def test_import_is_light() -> None:
    heavy = {"PyQt6", "captum", "magicgui", "napari", "qtpy", "superqt", "torch"}
    code = f"import sys, napari_interpdisc; print(*({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_version_is_that_of_the_distribution() -> None:
    assert napari_interpdisc.__version__[0].isdigit()
