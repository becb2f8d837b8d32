"""The public names: all importable, none of them imported before it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import napari_interpdisc


@pytest.mark.parametrize("name", napari_interpdisc.__all__)
def test_every_public_name_is_where_its_module_is(name: str) -> None:
    value = getattr(napari_interpdisc, name)
    if name != "__version__":
        assert value.__name__ == name
        assert value.__module__.startswith("napari_interpdisc.")
        assert value.__doc__


def test_all_and_places_agree() -> None:
    assert {*napari_interpdisc._PLACES, "__version__"} == set(napari_interpdisc.__all__)
    assert dir(napari_interpdisc) == sorted(napari_interpdisc.__all__)


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = napari_interpdisc.nonsense
    with pytest.raises(ImportError):
        exec("from napari_interpdisc import nonsense")


def test_the_package_alone_imports_neither_qt_nor_torch() -> None:
    code = (
        "import sys, napari_interpdisc; from napari_interpdisc import CellTable, Frames; "
        "print([m for m in ('torch', 'qtpy', 'napari', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version_is_that_of_the_distribution() -> None:
    assert napari_interpdisc.__version__[0].isdigit()


def test_import_is_light() -> None:
    heavy = {"PyQt6", "captum", "magicgui", "napari", "qtpy", "superqt", "torch"}
    code = f"import sys, napari_interpdisc; print(*({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
