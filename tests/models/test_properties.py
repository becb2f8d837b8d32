"""Properties that heads may read, how they are standardised, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.formula import FUNCTIONS
from napari_interpdisc.models.properties import (
    AREA_UM2,
    DEFAULT_PROPERTIES,
    DIRECTED,
    NO_PROPERTIES,
    PROPERTIES,
    READABLE,
    HeadProperties,
    check_properties,
    column_title,
    mean_of,
    missing_properties,
    title_of,
    unit_of,
)

TWO = HeadProperties(("area", "solidity"), (600.0, 0.9), (100.0, 0.05))


def test_no_name_of_a_property_can_be_a_latent_or_a_function() -> None:
    for name in PROPERTIES:
        assert name.isidentifier()
        assert name not in FUNCTIONS
        assert not name.lstrip("z").isdigit()


def test_what_changes_with_rotation_or_may_be_missing_is_not_readable() -> None:
    assert {"offset_x", "elongation_cos", "crowding_y"} <= set(DIRECTED)
    assert not set(READABLE) & {*DIRECTED, "neighbour_distance"}
    # by default the nucleus alone matters
    assert not set(DEFAULT_PROPERTIES) & {"crowding", "neighbours", "satellite", "brightness"}


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("area", "area"), "'area' is given twice"),
        (("offset_x",), "changes as the cell rotates"),
        (("neighbour_distance",), "missing for a cell without neighbours"),
        (("size",), "There is no property 'size'"),
        (("mean_of_GFP",), "depends on exposure and staining"),
    ],
)
def test_names_that_are_refused(names: tuple[str, ...], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        check_properties(names)


@pytest.mark.parametrize(
    ("centre", "scale", "told"),
    [
        ((1.0,), (1.0, 1.0), "finite centre and scale"),
        ((1.0, np.nan), (1.0, 1.0), "finite centre and scale"),
        ((1.0, 1.0), (1.0, 0.0), "must be above 0"),
    ],
)
def test_centre_and_scale_that_are_refused(
    centre: tuple[float, ...], scale: tuple[float, ...], told: str
) -> None:
    with pytest.raises(InvalidInput, match=told):
        HeadProperties(("area", "solidity"), centre, scale)


def test_centre_and_scale_are_those_of_the_training_cells() -> None:
    found = HeadProperties.of_cells(("area", "texture"), np.array([[1.0, 5], [3, 5]]), "labels")
    assert found.centre == (2.0, 5.0)
    assert found.scale == (1.0, 1.0)  # what is the same for all cells is 0 to a head
    assert found.way == "labels"


def test_values_are_standardised_and_others_refused() -> None:
    z = torch.zeros(1, 3)
    known = TWO.standardised(torch.tensor([[700.0, 0.8]]), z)
    assert known is not None
    assert known[0].tolist() == pytest.approx([1.0, -2.0], abs=1e-5)
    for wrong in (None, torch.zeros(1, 3), torch.zeros(2, 2)):
        with pytest.raises(InvalidInput, match="reads measured properties"):
            TWO.standardised(wrong, z)
    assert NO_PROPERTIES.standardised(None, z) is None
    with pytest.raises(InvalidInput, match="reads measured properties"):
        NO_PROPERTIES.standardised(torch.zeros(1, 2), z)


def test_columns_come_in_the_heads_order() -> None:
    given = {"solidity": np.array([0.5]), "texture": np.array([9.0]), "area": np.array([7.0])}
    assert TWO.columns(given).tolist() == [[7.0, 0.5]]
    with pytest.raises(InvalidInput, match="solidity of these cells was not measured"):
        TWO.columns({"area": np.array([7.0])})
    with pytest.raises(InvalidInput, match="area, solidity of these cells were not"):
        TWO.columns(None)


def test_what_the_names_stand_for_is_told_with_units() -> None:
    assert TWO.told(["area"]) == (
        "area = (measured − 600) / 100, in px², measured in nuclei found by the built-in "
        "segmentation."
    )
    assert "solidity" in TWO.told()
    assert NO_PROPERTIES.told() == ""


def test_missing_rows_and_titles() -> None:
    rows = np.array([[1.0, 2], [np.nan, 2], [1, np.inf]])
    assert missing_properties(rows).tolist() == [False, True, True]
    assert not missing_properties(np.zeros((2, 0))).any()
    assert [column_title(n) for n in ("area", "solidity", "offset_y", AREA_UM2)] == [
        "nucleus_area_px2", "nucleus_solidity", "nucleus_offset_y_px", "nucleus_area_um2",
    ]  # fmt: skip
    mean = mean_of("GFP")
    assert (column_title(mean), title_of(mean), unit_of(mean)) == (
        "nucleus_mean_of_GFP", "mean of GFP", "grey levels",
    )  # fmt: skip
    assert (title_of(AREA_UM2), unit_of(AREA_UM2)) == ("area", "µm²")
