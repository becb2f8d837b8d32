"""The models that can be chosen."""

from dataclasses import replace

from napari_interpdisc.models.store import load_model
from napari_interpdisc.widgets.classify.widget import ClassifyWidget
from napari_interpdisc.widgets.parts.wording import UNSAVED
from napari_interpdisc.widgets.session import Session


def test_another_model_drops_the_cells(widget: ClassifyWidget, session: Session) -> None:
    widget.load(replace(load_model(), name="other", sha256="other", encoder_sha256="other"))
    assert session.classification is None
    assert widget.model.currentText() == "other"
    assert "run the Cells widget again" in widget.status.text()
    widget.model.setCurrentIndex(0)
    widget.model.activated.emit(0)
    assert session.model.name == "h2b"


def test_a_model_that_was_saved_has_its_name_in_the_box(
    widget: ClassifyWidget, session: Session
) -> None:
    found = replace(load_model(), name=UNSAVED, sha256="found")
    session.set_model(found)
    assert widget.model.currentText() == UNSAVED
    saved = replace(found, name="mine", sha256="saved")
    session.model_saved.emit(found, saved)
    session.set_model(saved)
    names = [widget.model.itemText(i) for i in range(widget.model.count())]
    assert names == ["h2b", "mine", "Open folder …"]
    assert widget.model.currentText() == "mine"
