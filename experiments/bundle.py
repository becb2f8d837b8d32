r"""Make the bundled model: an encoder that ``interpdisc train-encoder`` trained, and its heads.

The whole way, from a clone with the data of ``experiments/fetch_data.py``::

    interpdisc train-encoder --sources experiments/bundle/sources.toml --data experiments/data \
        --settings experiments/bundle/encoder.toml --epochs 26 --patience 0 --out runs/encoder
    python experiments/bundle.py --encoder runs/encoder --out runs/heads --seeds 1
    python experiments/flags.py store --model runs/heads --without jurkat \
        --preface experiments/bundle/preface.md --out runs/h2b

The second command names the latents, fits the heads of ``experiments/bundle/heads.toml`` by the
recipe, tests them on held-out plates and on other movies, and writes the model folder with its card
and pictures. Heads learn from MitoCheck's labels, from those of the Jurkat and of the RPE1 and U2OS
cells, from nuclei of still frames that were labelled here, and from unlabelled nuclei of other
frames, as interphase: each laboratory as much as the others, and from those that their task names.
``--final`` adds the second test set, which is to be looked at once. The third command measures what
is familiar anew, without the cells of a flow cytometer, and begins the card.

``--model h2b`` in place of ``--encoder`` keeps the encoder of an installed model, with what is
known of its training, names its latents anew and fits its heads: then the second command is enough.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.progress import Progress

from confidences import reliabilities
from napari_interpdisc import load_model, save_model
from napari_interpdisc.discovery.card import calibration_section, model_of_tasks, table
from napari_interpdisc.discovery.quality import measure
from napari_interpdisc.discovery.tasks import HeadTasks, TaskResult, answer_tasks
from napari_interpdisc.figures.encoder import draw_losses, draw_reconstructions, draw_traversals
from napari_interpdisc.figures.reliability import draw_reliability
from napari_interpdisc.io.settings import read_settings
from napari_interpdisc.models.cell_model import CellModel, class_index
from napari_interpdisc.models.store import resolve
from napari_interpdisc.number_text import mean_sd
from napari_interpdisc.scrutiny.naming import study_latents
from napari_interpdisc.scrutiny.properties import measure_crops
from napari_interpdisc.scrutiny.rotation import find_rotating_pairs
from napari_interpdisc.training.encoder.log import read_log
from other_movies import (
    DATA,
    DSB2018,
    SECOND,
    SOURCES,
    LabelledPatches,
    dsb2018,
    jurkat,
    micronuclei,
    mitocheck,
    other_cells,
    other_nuclei,
    some_of_each,
)

WHOLE = ("Interphase", "Elongated", "Large", "Metaphase")
"""MitoCheck's labels of nuclei in one piece; the others cannot be measured as one."""

SHOWN = ("Interphase", "Prometaphase", "Metaphase", "MetaphaseAlignment", "Anaphase", "Apoptosis")
INTERPHASE = ("Interphase", "Elongated", "Large", "Binuclear", "Folded", "Polylobed")
"""MitoCheck's labels of nuclei in interphase, whatever their shape."""

OTHERS = ("jurkat", "micronuclei", "nuclei_frames", DSB2018)
"""Where heads learn from beside MitoCheck."""

OTHER_NUCLEI = "other nuclei: share called Interphase"

LIMITS = """## Limits

- Heads of more than two classes generalise less well than heads of two.
- Of nuclei of many other cell types, nearly all in interphase, heads call some metaphase: elongated
  ones, blurred ones of tissue, and such that a frame cuts (*Elsewhere*, the last column). The
  `-strict` heads call fewest so. Take one of them for a mitotic index, and look at the cells that
  it calls metaphase.
- Cells in suspension, as a flow cytometer sees them, are unlike the others. `dense-cytometer` and
  `states-cytometer` learned from them. The other heads of two classes miss a part of their
  metaphases, and `formula-plain` nearly all; `states` and `mitosis` fail.
- Overexposed metaphases are smooth, as interphase nuclei are. `dense`, `sparse`, `formula` and
  `sparse-plain` learned from such cells and miss a sixth to a third of them. The others did not,
  and miss a third. Expose less, or use the image before its contrast was stretched.
- HeLa cells dominate the labelled data.
- The diameter must be about right: the training varied it by ± 25 %.
- Latents share mirror images: a cell and its mirror image differ in the sign of some latents alone.
- Confidences are meant for classes that are equally frequent. Calibration tells how right they are.
"""


def named(model: CellModel, cells: LabelledPatches) -> CellModel:
    """Name the latents by what they follow in cells with whole nuclei, plates drawn again."""
    rows = np.flatnonzero(np.isin(cells.labels, WHOLE))
    patches, plates = cells.patches.take(rows), cells.groups[rows]
    crops = patches.crops(model.crop_size)
    pairs = find_rotating_pairs(model, patches.pixels)
    study = study_latents(model.encode(crops)[0], measure_crops(crops), plates, pairs)
    return replace(model, meanings=study.meanings, orientation_pairs=study.orientation_pairs)


def elsewhere(
    model: CellModel, results: list[TaskResult], places: dict[str, LabelledPatches]
) -> list[str]:
    """Markdown table of balanced accuracies on cells of other movies, over seeds."""
    latents = {
        name: model.encode(cells.patches.crops(model.crop_size))[0]
        for name, cells in places.items()
    }
    rows = []
    for result in results:
        for kind, name in result.task.names.items():
            row = [f"`{name}`"]
            for place, cells in places.items():
                # the labels of other movies are the names of classes
                classes = list(result.task.classes)
                target = np.array([classes.index(c) if c in classes else -1 for c in cells.labels])
                known = target >= 0
                group = np.unique(cells.groups[known], return_inverse=True)[1]
                z = torch.from_numpy(latents[place][known])
                found = []
                for one in result.found:
                    with torch.inference_mode():
                        called = class_index(one.heads[kind].head(z).numpy())
                    found.append(measure(target[known], called, group, len(classes)))
                low, high = found[0].interval
                told = mean_sd([one.balanced_accuracy for one in found])
                row.append(f"{told} [{low:.2f}, {high:.2f}]")
            rows.append(row)
    return table(("head", *places), rows)


def false_calls(results: list[TaskResult], labels: np.ndarray) -> list[str]:
    """Markdown table: share of held-out cells of each label that are not called the first class."""
    shown = [
        label
        for label in dict.fromkeys(labels.tolist())
        if label in ("Interphase", "Elongated", "Large", "Binuclear", "Folded", "Polylobed")
    ]
    rows = []
    for result in results:
        for kind, name in result.task.names.items():
            called = result.found[0].heads[kind].predicted
            rows.append([f"`{name}`", *(f"{(called[labels == s] > 0).mean():.3f}" for s in shown)])
    return table(("head", *shown), rows)


def other_laboratories(data: Path, without: Sequence[str] = ()) -> dict[str, LabelledPatches]:
    """Labelled cells that heads learn from beside MitoCheck's, as far as the data is there."""
    made = {
        "jurkat": ("jurkat_crops.npz", lambda: some_of_each(jurkat(data, 0))),
        "micronuclei": ("micronuclei/cells.csv", lambda: some_of_each(micronuclei(data))),
        "nuclei_frames": ("nuclei_frames", lambda: some_of_each(other_nuclei(data, 0), 800)),
        DSB2018: ("nuclei_frames", lambda: dsb2018(data, 0)),
    }
    return {
        name: make()
        for name, (file, make) in made.items()
        if name not in without and (data / file).exists()
    }


def test_cells(data: Path, final: bool, without: Sequence[str]) -> dict[str, LabelledPatches]:
    """Labelled cells that no head was fitted on, as far as the data is there.

    Both halves of the still frames, if heads learn ``without`` them.
    """
    files = {"hela_ctc": "hela_ctc", "hela_20x": "hela_20x_movie.tif", SECOND: "hela_ctc"}
    wanted = (*SOURCES, SECOND) if final else SOURCES
    found = {name: other_cells(data, name) for name in wanted if (data / files[name]).exists()}
    if (data / "jurkat_crops.npz").exists():
        found["jurkat, held out"] = jurkat(data, 1)
    if (data / "nuclei_frames").exists():
        found[f"{DSB2018}, held out"] = dsb2018(data, None if DSB2018 in without else 1)
        found[OTHER_NUCLEI] = other_nuclei(data, 1)
    return found


@dataclass(frozen=True)
class Made:
    """A bundled model, and what it was made of and tested on.

    Attributes
    ----------
    model
        The model with its heads.
    tasks, results
        What was asked, and what was found.
    cells
        MitoCheck's cells, which heads were fitted on and tested on by plate.
    places
        Cells that no head was fitted on.
    """

    model: CellModel
    tasks: HeadTasks
    results: list[TaskResult]
    cells: LabelledPatches
    places: dict[str, LabelledPatches]


def make(
    encoder: Path | str, out: Path, data: Path, tasks: HeadTasks, name: str, seeds: int, *,
    without: Sequence[str], final: bool,
) -> Made:  # fmt: skip
    """Name the latents of a trained encoder, fit and test its heads, and write the model folder.

    Parameters
    ----------
    encoder
        Run of ``interpdisc train-encoder``, or the name of an installed model.
    out
        Model folder to write.
    data
        Folder of the data.
    tasks
        What the heads are asked.
    name
        Name of the model.
    seeds
        Number of seeds; the heads of the first are kept.
    without
        Other laboratories that heads do not learn from.
    final
        Whether to test on the second test set.
    """
    strange = {name for task in tasks.task for name in task.also or ()} - set(OTHERS)
    if strange:
        raise SystemExit(f"There are no labels of {min(strange)}; give {', '.join(OTHERS)}.")
    wanted = {label for task in tasks.task for own in task.classes.values() for label in own}
    cells = mitocheck(data, sorted(wanted))
    if isinstance(encoder, str):
        model = named(load_model(encoder, device="cpu"), cells)
        model = replace(model, card=model.card[: model.card.index("## Heads")])
    else:
        model = named(load_model(encoder / "model", device="cpu"), cells)
    also = other_laboratories(data, without)
    with Progress(transient=True) as bar:
        shown = bar.add_task("heads", total=None)
        results = answer_tasks(
            cells.patches, cells.labels, cells.groups, model, tasks, range(seeds),
            lambda done, total: bar.update(shown, completed=done, total=total),
            also={name: (own.patches, own.labels) for name, own in also.items()},
        )  # fmt: skip
    places = test_cells(data, final, without)
    more = ["## Elsewhere", ""]
    more += ["Cells on which no head was fitted: mean and standard deviation"]
    more += ["over seeds, and the interval of the first seed by cell.", ""]
    more += elsewhere(model, results, places) if places else ["Not measured: no data."]
    more += ["", "Share of held-out interphase cells of each shape that are called otherwise", ""]
    more += ["(first seed):", "", *false_calls(results, cells.labels), ""]
    confidences = reliabilities(model, results, cells, places)
    more += [*calibration_section(confidences), "", LIMITS]
    made = model_of_tasks(model, results, name, "\n".join(more))
    save_model(made, out)
    some = cells.patches.take(np.flatnonzero(np.isin(cells.labels, SHOWN)))
    names = cells.labels[np.isin(cells.labels, SHOWN)]
    draw_reconstructions(out / "reconstructions.png", made, some.crops(made.crop_size), names)
    draw_traversals(out / "traversals.png", made)
    draw_reliability(out / "reliability.png", confidences)
    if isinstance(encoder, str):
        shutil.copyfile(resolve(encoder) / "losses.png", out / "losses.png")
    else:
        draw_losses(out / "losses.png", list(read_log(encoder / "log.csv")))
    return Made(made, tasks, results, cells, places)


def main() -> None:
    """Parse, fit, test, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--encoder", type=Path, help="run of train-encoder")
    which.add_argument("--model", help="installed model whose encoder is kept")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--name", default="h2b", help="name of the model")
    parser.add_argument("--heads", type=Path, default=Path(__file__).parent / "bundle/heads.toml")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--without", action="append", default=[], choices=OTHERS, help="labels that are left out"
    )
    parser.add_argument("--final", action="store_true", help="test on the second set too")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    tasks = read_settings(args.heads, HeadTasks)
    made = make(
        args.model or args.encoder, args.out, args.data, tasks, args.name, args.seeds,
        without=args.without, final=args.final,
    )  # fmt: skip
    print(made.model.card)
    print("wrote", args.out)


if __name__ == "__main__":
    main()
