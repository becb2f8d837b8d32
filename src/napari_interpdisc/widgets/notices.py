"""What was taken for what, shown where napari shows its notifications."""

from __future__ import annotations

from napari.utils.notifications import show_error, show_info, show_warning

from napari_interpdisc.cells import Taken


def tell(taken: Taken) -> None:
    """Show how cells were read: one line, and a warning for each thing to look at."""
    if taken.sentence:
        show_info(taken.sentence)
    for note in taken.notes:
        show_warning(note)


def tell_fault(fault: Exception) -> None:
    """Show a fault that napari would replace with a sentence of its own."""
    show_error(str(fault))
