"""The logs of an encoder's training: ``log.csv``, and event files that TensorBoard reads."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from napari_interpdisc.writing import write_whole

TAGS = {
    "reconstruction": "loss/reconstruction",
    "texture": "loss/texture",
    "around": "loss/around",
    "guided": "loss/guided",
    "drift": "loss/drift",
    "kl": "loss/kl",
    "total_correlation": "loss/total_correlation",
    "active_latents": "latents/active",
    "held_out_loss": "held_out/loss",
    "held_out_reconstruction": "held_out/reconstruction",
    "held_out_kl": "held_out/kl",
    "held_out_total_correlation": "held_out/total_correlation",
    "seconds": "time/seconds",
}
"""Columns of the CSV, and their names in TensorBoard; ``kl_z3`` becomes ``latents/kl_z3``."""


def tag_of(column: str) -> str:
    """Name in TensorBoard of a column of the CSV."""
    return TAGS.get(column, f"latents/{column}")


class EncoderLog:
    """Writes every line at once to ``log.csv`` and to TensorBoard's event files.

    Lines of a stopped run that are newer than its checkpoint are dropped, since they will be
    written again; the event files are then made anew from the CSV.

    Parameters
    ----------
    folder
        Folder of the run; it exists.
    until
        Last step whose lines are kept: the checkpoint's; 0 to begin.
    """

    def __init__(self, folder: Path, until: int = 0) -> None:
        # it takes a while to import
        from tensorboardX import SummaryWriter

        self.path = folder / "log.csv"
        events = folder / "tensorboard"
        self.rows = [row for row in read_log(self.path) if row["step"] <= until]
        for old in events.glob("events.out.tfevents.*"):
            old.unlink()
        self._writer = SummaryWriter(str(events))
        write_whole(self.path, self._write_all)
        self._writer.flush()

    def __enter__(self) -> EncoderLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()

    def _write_all(self, partial: Path) -> None:
        with partial.open("w", newline="", encoding="utf-8") as file:
            if self.rows:
                csv.writer(file).writerow(self.rows[0])
            for row in self.rows:
                self._write(file, row)

    def add(self, row: dict[str, float]) -> None:
        """Append one line; NaN leaves a field empty."""
        with self.path.open("a", newline="", encoding="utf-8") as file:
            if not self.rows:
                csv.writer(file).writerow(row)
            self._write(file, row)
        self.rows.append(row)
        self._writer.flush()

    def _write(self, file: object, row: dict[str, float]) -> None:
        values = ["" if math.isnan(v) else repr(v) for v in row.values()]
        csv.writer(file).writerow(values)  # type: ignore[arg-type]
        for name, value in row.items():
            if name != "step" and math.isfinite(value):
                self._writer.add_scalar(tag_of(name), value, int(row["step"]))


def read_log(path: Path) -> Iterator[dict[str, float]]:
    """Whole lines of a ``log.csv``, if there is one; a line that was cut short ends them."""
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8") as file:
        text = file.read()
    lines = text[: text.rfind("\n") + 1].splitlines()
    for line in csv.DictReader(lines):
        found = {k: float(v) if v else math.nan for k, v in line.items()}
        yield {k: int(v) if k in ("step", "active_latents") else v for k, v in found.items()}
