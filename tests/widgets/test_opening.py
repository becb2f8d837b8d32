from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from napari.layers import Tracks
from qtpy.QtWidgets import QFileDialog

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.io.geff_files import track_edges, write_geff
from napari_interpdisc.io.layer_files import write_layer
from napari_interpdisc.widgets.canvas.layers import frames_from_layer
from napari_interpdisc.widgets.columns_form import ColumnsForm
from napari_interpdisc.widgets.opening import add_cells, open_cells, open_geff

CELLS = pd.DataFrame({"track_id": [1, 1], "t": [0, 1], "y": [2.0, 3.0], "x": [4.0, 5.0]})


def test_tables_and_stores_are_opened_from_the_menu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    CELLS.to_csv(tmp_path / "found.csv", index=False)
    write_geff(tmp_path / "a.geff", CELLS, ["t", "y", "x"], track_edges([1, 1], [0, 1]), {})
    viewer = ViewerModel()
    chosen = {"getOpenFileName": (str(tmp_path / "found.csv"), ""), "getExistingDirectory": ""}
    for name in ("getOpenFileName", "getExistingDirectory"):
        monkeypatch.setattr(QFileDialog, name, lambda *_, name=name: chosen[name])
    open_cells(viewer)
    open_geff(viewer)  # cancelled
    assert [layer.name for layer in viewer.layers] == ["found"]
    chosen |= {"getOpenFileName": ("", ""), "getExistingDirectory": str(tmp_path / "a.geff")}
    open_cells(viewer)
    open_geff(viewer)
    assert [layer.name for layer in viewer.layers] == ["found", "a"]
    for layer in viewer.layers:
        assert isinstance(layer, Tracks)
        np.testing.assert_array_equal(layer.data, CELLS.to_numpy())


@pytest.mark.usefixtures("qapp")
def test_what_is_wrong_with_a_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ColumnsForm, "exec", lambda form: False)  # the form is closed
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InvalidInput, match="no column for y and x"):
        add_cells(ViewerModel(), tmp_path / "a.csv")


@pytest.mark.usefixtures("qapp")
def test_a_form_asks_for_columns_that_are_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"t": "Bild", "y": "hoch", "x": "quer", "track_id": "Spur"}
    CELLS.rename(columns=names).to_csv(tmp_path / "a.csv", index=False)

    def answered(form: ColumnsForm) -> bool:
        for role, name in names.items():
            form.columns[role].setCurrentText(name)
        return True

    monkeypatch.setattr(ColumnsForm, "exec", answered)
    layer, taken = add_cells(ViewerModel(), tmp_path / "a.csv")
    np.testing.assert_array_equal(layer.data, CELLS.to_numpy())
    assert "1 track from 'Spur'" in taken.sentence


def test_a_calibrated_image_settles_positions_in_micrometres(tmp_path: Path) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(
        np.ones((2, 40, 40)), scale=(1, 0.5, 0.5), units=("s", "um", "um"), name="movie"
    )
    renamed = CELLS.rename(columns={"y": "y [um]", "x": "x [um]"})
    renamed.to_csv(tmp_path / "a.csv", index=False)
    layer, taken = add_cells(viewer, tmp_path / "a.csv", image, frames_from_layer(image))
    assert "y from 'y [um]' in µm ÷ 0.5" in taken.sentence
    np.testing.assert_allclose(layer.data[:, 2:], CELLS[["y", "x"]].to_numpy() / 0.5)
    np.testing.assert_allclose(layer.scale[-2:], 0.5)


def test_a_saved_layer_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    features = pd.DataFrame({"ok": [True, False]})
    write_layer(path, "points", np.array([[0, 1, 2], [0, 3, 4.0]]), {"features": features})
    layer, _ = add_cells(ViewerModel(), path)
    assert layer.features["ok"].tolist() == [True, False]
