"""How cells were read is shown to the user of the viewer."""

from __future__ import annotations

from napari.utils.notifications import notification_manager

from napari_interpdisc.cells import Taken
from napari_interpdisc.widgets.notices import tell


def test_one_line_and_a_warning_for_each_thing_to_look_at() -> None:
    before = len(notification_manager.records)
    tell(Taken("a.csv: t from 'Frame'", ("2 rows are left out.",)))
    tell(Taken())
    shown = [(str(n.severity), n.message) for n in notification_manager.records[before:]]
    assert shown == [("info", "a.csv: t from 'Frame'"), ("warning", "2 rows are left out.")]
