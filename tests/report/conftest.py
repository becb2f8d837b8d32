"""Simulated cells for a report, labelled by their shape."""

from __future__ import annotations

import numpy as np
import pytest

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.store import load_model
from napari_interpdisc.patches import patches_of_crops
from napari_interpdisc.report.build import ReportCells
from napari_interpdisc.scrutiny.segmented import segment_cells
from napari_interpdisc.simulate.crops import CropSimulation, simulate_crops


@pytest.fixture(scope="session")
def model() -> CellModel:
    return load_model(device="cpu")


def labelled_cells(model: CellModel, each: int) -> ReportCells:
    """Return cells, half of them long and small, labelled Metaphase."""
    parts = [
        simulate_crops(each, seed, CropSimulation(eccentricity=shape, neighbours=(0, 1)))[0]
        for seed, shape in ((0, (0.2, 0.6)), (1, (0.9, 0.95)))
    ]
    patches = patches_of_crops(np.concatenate(parts), 25.0, model.model_diameter, model.crop_size)
    crops = patches.crops(model.crop_size)
    labels = np.repeat(np.array(["Interphase", "Metaphase"], object), each)
    return ReportCells(
        crops,
        model.encode(crops)[0],
        np.arange(2 * each) // 3,
        [f"cell {i}" for i in range(2 * each)],
        {"crops": "simulated"},
        labels,
        segment_cells(patches, None, model.model_diameter, None),
    )


@pytest.fixture(scope="session")
def cells(model: CellModel) -> ReportCells:
    """Return 60 cells."""
    return labelled_cells(model, 30)


@pytest.fixture(scope="session")
def few(model: CellModel) -> ReportCells:
    """Return 24 cells, which are soon tested."""
    return labelled_cells(model, 12)
