"""What a run would do: told of a sample, and nothing is written."""

from __future__ import annotations

from pathlib import Path

from napari_interpdisc.batch.plan import Plan
from napari_interpdisc.experiment.forecast import forecast

from .conftest import Break, contents


def test_a_dry_run_opens_some_images_and_writes_nothing(
    plan: Plan, lab: Path, break_one: Break
) -> None:
    break_one()
    before = contents(lab)
    told = forecast(plan, 2)
    assert contents(lab) == before
    assert not plan.out.exists()
    assert told[0] == "3 images, from A1_0 to C3_0"
    assert any(line.startswith("C3_0 would fail: ") for line in told)
    assert "with 2 workers" in told[-1]
    assert "by 2 of 3 images" in told[-1]


def test_nothing_is_known_if_no_image_can_be_opened(plan: Plan, lab: Path) -> None:
    for path in (lab / "movies").iterdir():
        path.write_bytes(b"")
    told = forecast(plan)
    assert told[-1] == "How long it would take is not known: no image could be opened."
    assert sum("would fail" in line for line in told) == 2
