"""The models that can be chosen."""

from dataclasses import replace

from napari_interpdisc.models.store import load_model
from napari_interpdisc.widgets.classify.widget import ClassifyWidget
from napari_interpdisc.widgets.session import Session


def test_another_model_drops_the_cells(widget: ClassifyWidget, session: Session) -> None:
    widget.load(replace(load_model(), name="other", sha256="other", encoder_sha256="other"))
    assert session.classification is None
    assert widget.model.currentText() == "other"
    assert "run the Cells widget again" in widget.status.text()
    widget.model.setCurrentIndex(0)
    widget.model.activated.emit(0)
    assert session.model.name == "h2b"
