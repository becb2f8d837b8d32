"""Compare heads on the cells in the window, on a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QWidget

from napari_interpdisc._types import Progress
from napari_interpdisc.widgets.parts.workers import Work
from napari_interpdisc.widgets.session import Session

if TYPE_CHECKING:
    from napari_interpdisc.discovery.rashomon import Member, RashomonSet


class Comparison:
    """Asks heads what they call every cell, and hands that to the session.

    A result for cells or a head that were replaced meanwhile is dropped.

    Parameters
    ----------
    parent
        Widget that asks.
    session
        Whose cells are compared.
    leads
        Whether a result replaces that of another one.
    """

    def __init__(self, parent: QWidget, session: Session, leads: bool = False) -> None:
        self._session, self._leads = session, leads
        self._known: tuple[object, object, RashomonSet] | None = None
        self.work = Work(parent)

    def start(
        self,
        of: object,
        members: Callable[[], Sequence[Member]],
        classes: tuple[str, ...],
        failed: Callable[[str], None],
    ) -> None:
        """Compare heads; nothing happens without cells.

        Parameters
        ----------
        of
            What the heads are of: those of the same, and of the same cells, are compared once.
        members, classes
            A function that gives the heads, and what they tell apart.
        failed
            Told one sentence if there is nothing to compare.
        """
        session = self._session
        encoding, model, head = session.encoding, session.model, session.head_name
        if encoding is None:
            return
        if self._known is not None and self._known[0] is encoding and self._known[1] == of:
            session.set_compared(self._known[2])
            return
        latents, measured = encoding.latents, encoding.properties

        def compare(_: Progress) -> RashomonSet:
            from napari_interpdisc.discovery.rashomon import rashomon_set

            return rashomon_set(members(), classes, latents, 1.0, measured)

        def done(found: RashomonSet) -> None:
            now = (session.encoding, session.model, session.head_name)
            self._known = (encoding, of, found)
            same = now[0] is encoding and now[1] is model and now[2] == head
            if same and (self._leads or session.compared is None):
                session.set_compared(found)

        self.work.start(compare, done, failed)
