"""What the tools of annotating share. No Qt here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.discover.annotations import Annotations
from napari_interpdisc.widgets.session import Session


class AnnotationTool:
    """Something that works on the annotations of one viewer, and tells what it did.

    Parameters
    ----------
    viewer, session, annotations
        What it works on.
    say
        Told one sentence, and whether it is a fault.
    """

    def __init__(
        self,
        viewer: Any,
        session: Session,
        annotations: Annotations,
        say: Callable[[str, bool], None],
    ) -> None:
        self._viewer = unwrapped(viewer)
        self._session = session
        self._annotations = annotations
        self._say = say
        self._set_up()

    def _set_up(self) -> None:
        """Make what is the tool's own."""
