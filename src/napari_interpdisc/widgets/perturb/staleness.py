"""Whether a result still belongs to what the session shows. No Qt here."""

from __future__ import annotations

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.widgets.session import Session


def why_stale(
    session: Session,
    model: CellModel,
    head: str | None,
    frame: int | None = None,
    shown: int | None = None,
) -> str:
    """One sentence on why a result is not about what is shown now; empty if it is.

    A model that was saved under another name is the same one, as long as encoder and head are.

    Parameters
    ----------
    session
        What is chosen now.
    model, head
        What made the result.
    frame, shown
        Frame of the result, and the one that the viewer shows; None if it does not matter.
    """
    now = session.model
    if not now.scores_as(model, session.head_name, head):
        name, name_now = model.head(head).name, now.head(session.head_name).name
        if now.encoder_sha256 == model.encoder_sha256 and name_now != name:
            return f"Stale: the head is now '{name_now}'. Do it again."
        return f"Stale: the model is now '{now.name}'. Do it again."
    if frame is not None and shown is not None and shown != frame:
        return f"Stale: the viewer shows frame {shown}. Do it again, or go back to frame {frame}."
    return ""
