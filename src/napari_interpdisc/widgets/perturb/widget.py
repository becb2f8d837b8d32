"""The *Perturb* dock widget: attacks on cells, and the smallest change of one."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QTabBar, QVBoxLayout, QWidget

from napari_interpdisc.widgets.canvas.compat import unwrapped
from napari_interpdisc.widgets.canvas.picking import connect_picking
from napari_interpdisc.widgets.parts.controls import ScrolledPage
from napari_interpdisc.widgets.parts.rule_view import RuleView, rule_part
from napari_interpdisc.widgets.parts.workers import Work
from napari_interpdisc.widgets.perturb.attack_panel import AttackPanel
from napari_interpdisc.widgets.perturb.change_panel import ChangePanel
from napari_interpdisc.widgets.session import session_of

TABS = {
    "Attack": "Move pixels or latents by ε against the class, and lay the result over the cells",
    "Smallest change": "Why this cell? The smallest change, among real cells, of its class",
}


class PerturbWidget(QWidget):  # type: ignore[misc]
    """Ask what changes the class of a cell: an attack of size ε, or the smallest change.

    Parameters
    ----------
    napari_viewer
        The viewer whose cells are perturbed.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        viewer = unwrapped(napari_viewer)
        self.session = session_of(napari_viewer)
        connect_picking(napari_viewer, self.session)
        # of this widget, which is what a dock lets go of
        self.attack_work, self.change_work = Work(self), Work(self)
        self.attack = AttackPanel(viewer, self.session, self.attack_work)
        self.change = ChangePanel(viewer, self.session, self.change_work)
        self.rule = RuleView(self.session)
        self.tabs = QTabBar()
        for k, (name, tip) in enumerate(TABS.items()):
            self.tabs.addTab(name)
            self.tabs.setTabToolTip(k, tip)
        self.tabs.setToolTip("What to ask")
        self.tabs.setExpanding(True)
        self.tabs.setDrawBase(False)
        self.attack.setToolTip(TABS["Attack"])
        self.change.setToolTip(TABS["Smallest change"])

        page = QWidget()
        layout = QVBoxLayout(page)
        # not stacked: the page is as high as the part that is shown
        for part in (self.tabs, self.attack, self.change):
            layout.addWidget(part)
        layout.addWidget(rule_part(self.rule))
        layout.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(ScrolledPage(page))
        self.tabs.currentChanged.connect(self._tab_changed)
        self._tab_changed(0)

    def _tab_changed(self, tab: int) -> None:
        self.attack.setVisible(tab == 0)
        self.change.setVisible(tab == 1)
