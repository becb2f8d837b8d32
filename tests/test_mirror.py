"""The tests mirror the package: what a module does is tested in the file of its name."""

from __future__ import annotations

from pathlib import Path

import napari_interpdisc

SOURCE = Path(napari_interpdisc.__file__).parent
TESTS = Path(__file__).parent

WITHOUT_TESTS_OF_THEIR_OWN: dict[str, str] = {}
"""Modules that need no file of tests, and why."""

OF_SEVERAL_MODULES = {
    "models/test_store_heads.py": "heads of stored models; the rest of a folder is in test_store",
    "widgets/test_end_to_end.py": "the dock widgets at work together",
}
"""Files of tests, in folders of the package, that are not the mirror of one module, and why."""


def modules() -> set[Path]:
    """Modules of the package, relative to it."""
    return {
        path.relative_to(SOURCE)
        for path in SOURCE.rglob("*.py")
        if path.name not in ("__init__.py", "__main__.py", "_version.py")
    }


def mirror(module: Path) -> Path:
    """File of the tests of a module, relative to the tests."""
    return module.with_name(f"test_{module.name.removeprefix('_')}")


def test_every_module_has_a_file_of_tests() -> None:
    missing = sorted(
        module.as_posix() for module in modules() if not (TESTS / mirror(module)).is_file()
    )
    assert missing == sorted(WITHOUT_TESTS_OF_THEIR_OWN)


def test_every_file_of_tests_in_a_folder_is_a_mirror() -> None:
    """Or it says why not; files in the root may be about the package as a whole."""
    known = {mirror(module) for module in modules()}
    apart = {
        path.relative_to(TESTS).as_posix()
        for path in TESTS.rglob("test_*.py")
        if path.relative_to(TESTS) not in known
        and path.parent != TESTS
        and not {"experiments", "scripts"} & {*path.parts}
    }
    assert apart == set(OF_SEVERAL_MODULES)
