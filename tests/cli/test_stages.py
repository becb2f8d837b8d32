from __future__ import annotations

import pytest

from napari_interpdisc.cli.stages import Stages
from napari_interpdisc.discovery.stages import FormulasFound, StageBegan


def test_stages_are_printed_as_they_begin(capsys: pytest.CaptureFixture[str]) -> None:
    with Stages() as stages:
        stages.progress(1, 2)  # before any stage: nothing to show
        stages(StageBegan("dense", 0, 600, 6))
        stages.progress(300, 1200)
        stages(StageBegan("formula", 600, 1200, 6))
        stages(FormulasFound(()))
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        "stage: Dense heads (6 trainings)",
        "stage: Formulas (6 trainings)",
        "0 formulas were found; held-out groups now test them",
    ]
    assert shown.err == ""
