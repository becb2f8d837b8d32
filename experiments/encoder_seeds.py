"""Encoders of several seeds: heads by plate, on other laboratories, and when surroundings change.

``python experiments/encoder_seeds.py --run RUN0 --run RUN1 --run RUN2 --data ../shared/data``
names the latents of each encoder, fits the heads of ``experiments/bundle/heads.toml`` on MitoCheck
and on other laboratories, and tests them: on held-out plates, on cells of other laboratories, and
with the first rows of the scorecard. What was found of a run is kept in its folder, and its model
with the heads too; ``--tag`` keeps apart what was found with other options. A run may be the name
of an installed model: its folder is then ``runs/NAME``. Tables of means and standard deviations
over encoders are written to ``--out``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from bundle import OTHERS, Made, make
from napari_interpdisc import load_model
from napari_interpdisc.discovery.quality import balanced
from napari_interpdisc.discovery.recipe import head_logits
from napari_interpdisc.discovery.tasks import HeadTasks, TaskResult
from napari_interpdisc.io.settings import read_settings
from napari_interpdisc.models.cell_model import CellModel, class_index
from napari_interpdisc.number_text import mean_sd
from napari_interpdisc.scrutiny.score_tests import ScorecardSettings
from napari_interpdisc.scrutiny.scorecard import score_all
from napari_interpdisc.scrutiny.scorers import HeadScorer, SharedEncoder
from napari_interpdisc.scrutiny.segmented import segment_cells
from napari_interpdisc.training.encoder.settings import ACTIVE_KL
from other_movies import DATA, LabelledPatches

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "cell_encoder"
HEADS = Path(__file__).parent / "bundle" / "heads.toml"
TESTS = {
    "background": "surroundings replaced by background",
    "others": "surroundings of another cell, 1 × as bright",
    "nucleus 1 px away": "another nucleus 1 px away",
    "rotation": "24 rotations by any angle",
    "centroid ± 2 px": "centroid ± 2 px",
    "SNR 10": "noise at an SNR of 10",
}
"""Columns of the table, and the tests of the scorecard that they show."""

MOST_SCORED = 600
"""Most cells of a question that are put through these tests, drawn with seed 0."""

MANY = ("states", "states-sparse", "states-cytometer", "mitosis", "mitosis-plain")
"""Heads of more than two classes."""

PLACES = (
    "by plate", "hela_ctc", "hela_20x", "jurkat, held out", "dsb2018, held out", "hela_ctc_second",
)  # fmt: skip


def confusion(target: np.ndarray, called: np.ndarray, n: int) -> np.ndarray:
    """(n, n) cells by class and by what they are called; without those of no class."""
    known = target >= 0
    pairs = np.bincount(target[known] * n + called[known], minlength=n * n)
    return pairs.reshape(n, n)


def accuracy_rows(
    model: CellModel, result: TaskResult, places: dict[str, LabelledPatches]
) -> list[tuple[str, str, float]]:
    """(head, what, value): balanced accuracy and recall of each class, by plate and elsewhere."""
    rows, classes = [], list(result.task.classes)
    latents = {p: model.encode(cells.patches.crops())[0] for p, cells in places.items()}
    for kind, head in result.task.names.items():
        fitted = result.found[0].heads[kind]
        found = {"by plate": confusion(result.target, fitted.predicted, len(classes))}
        for place, cells in places.items():
            target = np.array([classes.index(c) if c in classes else -1 for c in cells.labels])
            called = class_index(head_logits(fitted.head, latents[place]))
            found[place] = confusion(target, called, len(classes))
        for place, table in found.items():
            rows.append((head, place, float(balanced(table))))
            for k, name in enumerate(classes):
                if table[k].sum():
                    rows.append((head, f"{place}: {name}", float(table[k, k] / table[k].sum())))
    return rows


@dataclass(frozen=True)
class OfSome:
    """A head that is asked about some of the tested cells alone.

    Attributes
    ----------
    head
        The head.
    asked
        (N,) which of the tested cells.
    """

    head: HeadScorer
    asked: np.ndarray

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.head.model

    @property
    def name(self) -> str:
        """Name of the head."""
        return self.head.name

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes of the head."""
        return self.head.classes

    def score(self, crops: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Logits of crops, NaN for the cells that are not asked about."""
        assert rows is not None
        scores = self.head.score(crops, rows)
        scores[~self.asked[rows]] = np.nan
        return scores


def scorecard_rows(
    model: CellModel, cells: LabelledPatches, tasks: HeadTasks
) -> list[tuple[str, str, float]]:
    """(head, what, value): share of calls that change, of a head's own classes."""
    rows = []
    settings = ScorecardSettings(
        brightness=(1.0,), distances=(1.0,), snr=(10.0,), shifts=(2.0,), diameters=(), blurs=(),
        gradients=(), shortcut=False, simulated=0,
    )  # fmt: skip
    for task in tasks.task:
        target = task.target(cells.labels)
        known = np.flatnonzero(target >= 0)
        known = np.sort(np.random.default_rng(0).permutation(known)[:MOST_SCORED])
        segmentation = segment_cells(cells.patches.take(known))
        labelled = target[known][segmentation.rows] == [*task.classes].index("Metaphase")
        encoder = SharedEncoder(model)
        heads = [HeadScorer(encoder, name) for name in task.names.values()]
        scorers = [*heads, *(OfSome(head, labelled) for head in heads)]
        cards = score_all(segmentation, cells.groups[known], scorers, model.crop_size, settings)
        for k, card in enumerate(cards):
            for what, test in TESTS.items():
                row = next(r for r in card.rows if r.name == test)
                if k >= len(heads):
                    rows.append((card.head, f"{what}: labelled Metaphase", row.changed))
                    continue
                rows.append((card.head, what, row.changed))
                for name, share in row.of_class.items():
                    rows.append((card.head, f"{what}: {name}", share))
    return rows


def names_rows(model: CellModel) -> list[tuple[str, str, float]]:
    """(latent, what, value) of the encoder, and which latents its two-class rules use."""
    active = np.flatnonzero(model.latent_kl > ACTIVE_KL)
    unnamed = [i for i in active if not model.latent_name(int(i))]
    return [
        ("encoder", "active latents", float(len(active))),
        ("encoder", "active latents of the surroundings", float(sum(map(model.is_around, active)))),
        ("encoder", "active latents without a name", float(len(unnamed))),
    ]


def measured(made: Made, scores: bool) -> pd.DataFrame:
    """Everything that is measured on one encoder and its heads."""
    rows = names_rows(made.model)
    for result in made.results:
        rows += accuracy_rows(made.model, result, made.places)
    if scores:
        rows += scorecard_rows(made.model, made.cells, made.tasks)
    return pd.DataFrame(rows, columns=["head", "what", "value"])


def told(table: pd.DataFrame, whats: list[str], percent: bool) -> list[str]:
    """Lines of a Markdown table: heads, and the mean and standard deviation over encoders."""
    kept = [what for what in whats if (table["what"] == what).any()]
    if not kept:
        return []
    lines = ["| head | " + " | ".join(kept) + " |", "|---" * (1 + len(kept)) + "|"]
    for head, part in table[table["what"].isin(kept)].groupby("head", sort=False):
        values = [part[part["what"] == what]["value"] for what in kept]
        shown = [
            (mean_sd((100 * v).tolist(), 1) if percent else mean_sd(v.tolist())) if len(v) else "–"
            for v in values
        ]
        lines.append(f"| `{head}` | {' | '.join(shown)} |")
    return [*lines, ""]


def report(table: pd.DataFrame, runs: int) -> str:
    """All tables as Markdown."""
    lines = [f"Balanced accuracy, {runs} encoder{'s' * (runs > 1)}:", ""]
    lines += told(table, list(PLACES), percent=False)
    changed = told(table, list(TESTS), percent=True)
    if changed:
        lines += ["Calls that change (%):", "", *changed]
    for word in ("called", "labelled"):
        name = "Metaphase" if word == "called" else "labelled Metaphase"
        own = table[table["what"].isin([f"{what}: {name}" for what in TESTS])]
        if len(own):
            short = own.assign(what=own["what"].str.removesuffix(f": {name}"))
            lines += [f"The same, of the cells {word} Metaphase (%):", ""]
            lines += told(short, list(TESTS), percent=True)
    many = table[table["head"].isin(MANY)]
    classes = ("Interphase", "Prometaphase", "Metaphase", "Anaphase", "Apoptosis")
    for place in PLACES:
        part = told(many, [f"{place}: {name}" for name in classes], percent=False)
        if len(part) > 3:
            lines += [f"Recall, {place}:", "", *part]
    own = table[table["head"] == "encoder"]
    for what, part in own.groupby("what", sort=False):
        lines.append(f"- {what}: {mean_sd(part['value'].tolist(), 1)}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Parse, measure what is not known yet, and tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", action="append", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--tag", default="seeds", help="name of the tables")
    parser.add_argument(
        "--without", action="append", default=[], choices=OTHERS, help="labels that are left out"
    )
    parser.add_argument("--without-scorecard", action="store_true")
    parser.add_argument(
        "--skip", action="append", default=[], metavar="HEAD", help="question that is left out"
    )
    parser.add_argument("--final", action="store_true", help="test on the second set too")
    args = parser.parse_args()
    torch.set_num_threads(1)
    tasks = read_settings(HEADS, HeadTasks)
    kept_tasks = [t for t in tasks.task if not {*t.names.values()} & {*args.skip}]
    asked = tasks.model_copy(update={"task": tuple(kept_tasks)})
    tables = []
    for given in args.run:
        run = given if given.exists() else Path("runs") / given
        kept = run / f"{args.tag}.csv"
        if not kept.exists():
            encoder = run if (run / "model").exists() else load_model(str(given)).name
            run.mkdir(parents=True, exist_ok=True)
            made = make(
                encoder, run / args.tag, args.data, asked, "h2b", 1, without=args.without,
                final=args.final,
            )  # fmt: skip
            found = measured(made, not args.without_scorecard)
            found.to_csv(kept.with_suffix(".partial"), index=False)
            kept.with_suffix(".partial").replace(kept)
        tables.append(pd.read_csv(kept).assign(run=run.name))
    table = pd.concat(tables, ignore_index=True)
    args.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(args.out / f"{args.tag}.csv", index=False, float_format="%.4f")
    text = report(table, len(args.run))
    (args.out / f"{args.tag}.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
