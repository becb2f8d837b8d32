"""The Classify widget in a viewer, and six cells of two tracks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_interpdisc.cells import CellTable
from napari_interpdisc.pipeline import Classification, Encoding
from napari_interpdisc.widgets.canvas.layers import frames_from_layer
from napari_interpdisc.widgets.classify.widget import ClassifyWidget
from napari_interpdisc.widgets.session import Session, session_of

from ...conftest import known_within
from ...earlier_heads import model_with_earlier_heads
from ..conftest import put_up

KNOWN = known_within(5.0)


bundled_model = model_with_earlier_heads


@pytest.fixture
def viewer(make_viewer: Callable[..., Any]) -> Any:
    made = make_viewer(show=True)
    made.add_image(np.random.default_rng(0).random((3, 60, 80)), name="movie")
    return made


@pytest.fixture
def widget(viewer: Any, qtbot: Any) -> ClassifyWidget:
    made = ClassifyWidget(viewer)
    put_up(viewer, made, "Classify", qtbot)
    return made


@pytest.fixture
def session(viewer: Any, widget: ClassifyWidget) -> Session:
    """Two cells in three frames: the first goes through mitosis."""
    found = session_of(viewer)
    model, image = found.model, viewer.layers["movie"]
    cells = CellTable.from_arrays(
        [0, 0, 1, 1, 2, 2], [[20, 20], [40, 60]] * 3, [1, 2] * 3, source="cells"
    )
    z = np.zeros((6, model.n_latents), np.float32)
    z[3, 0] = 9
    errors, cut = np.zeros(6, np.float32), np.arange(6) > 3
    encoding = Encoding(cells, z, errors, 20.0, model.name, model.encoder_sha256, cut, KNOWN)
    named = model.head()
    scores = np.array([[-4], [-0.1], [2], [5], [3], [-1]], np.float32)
    result = Classification(
        encoding, named.name, named.classes, scores, {"classes": [*named.classes]}
    )
    viewer.dims.set_current_step(0, 0)
    found.set_result(image, None, None, frames_from_layer(image), result)
    return found


def counts(widget: ClassifyWidget) -> list[tuple[str, str]]:
    return [(here.text(), everywhere.text()) for here, everywhere in widget.legend.counts]
