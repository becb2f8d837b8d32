"""The npe2 manifest; `npe2 validate` checks neither imports by default nor menu ids at all."""

import pytest
from npe2 import PluginManifest


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_distribution("napari-interpdisc")


def test_every_command_can_be_imported(manifest: PluginManifest) -> None:
    manifest.validate_imports()


def test_menus_are_known_to_napari(manifest: PluginManifest) -> None:
    from napari._app_model.constants import MenuId

    known = {menu.value for menu in MenuId.contributables()}
    ours = {"napari/layers/classify", "napari/file/io_utilities"}
    assert set(manifest.contributions.menus) == ours
    assert set(manifest.contributions.menus) <= known


def test_every_widget_is_in_the_classify_menu(manifest: PluginManifest) -> None:
    widgets = {widget.command for widget in manifest.contributions.widgets or ()}
    menu = {item.command for item in manifest.contributions.menus["napari/layers/classify"]}
    assert widgets == menu
    assert len(widgets) == 10


def test_every_menu_and_widget_names_a_command(manifest: PluginManifest) -> None:
    contributions = manifest.contributions
    commands = {command.id for command in contributions.commands or ()}
    used = {widget.command for widget in contributions.widgets or ()}
    used |= {sample.command for sample in contributions.sample_data or ()}
    used |= {reader.command for reader in contributions.readers or ()}
    used |= {writer.command for writer in contributions.writers or ()}
    used |= {item.command for menu in contributions.menus.values() for item in menu}
    assert used == commands
