"""When a result is no longer about what is shown."""

from __future__ import annotations

from dataclasses import replace

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.widgets.perturb.staleness import why_stale
from napari_interpdisc.widgets.session import Session


def test_a_result_is_stale_by_model_head_or_frame(bundled_model: CellModel) -> None:
    session = Session()
    session.set_model(bundled_model)
    default = bundled_model.head().name
    assert why_stale(session, bundled_model, None) == ""
    assert why_stale(session, bundled_model, default, 3, 3) == ""
    # a frame that the viewer does not tell is no other frame
    assert why_stale(session, bundled_model, default, 3, None) == ""
    assert "shows frame 4. Do it again, or go back to frame 3" in why_stale(
        session, bundled_model, default, 3, 4
    )
    session.set_model(bundled_model, "formula")
    assert why_stale(session, bundled_model, None) == (
        "Stale: the head is now 'formula'. Do it again."
    )
    saved = replace(bundled_model, name="saved", sha256="e" * 64)
    session.set_model(saved, default)
    assert why_stale(session, bundled_model, default) == ""
    other = replace(bundled_model, name="other", encoder_sha256="f" * 64)
    session.set_model(other, default)
    assert "the model is now 'other'" in why_stale(session, bundled_model, default)
