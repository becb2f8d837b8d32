"""How right the confidences of heads are: by plate, and on the labelled cells of other movies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from napari_interpdisc.discovery.recipe import head_logits
from napari_interpdisc.discovery.reliability import Reliability, reliability
from napari_interpdisc.discovery.tasks import TaskResult
from napari_interpdisc.models.cell_model import CellModel, class_probabilities
from other_movies import LabelledPatches

BY_PLATE = "by plate"


def reliabilities(
    model: CellModel,
    results: Sequence[TaskResult],
    cells: LabelledPatches,
    places: Mapping[str, LabelledPatches],
) -> dict[str, dict[str, Reliability]]:
    """Reliability of each head of the first seed, by plate and on the cells of each place.

    By plate, logits are those of heads that did not see a cell's plate. Elsewhere, they are those
    of the heads that are kept. Places without a cell of a head's classes are left out.

    Parameters
    ----------
    model
        Whose encoder is used.
    results
        What was found for each task, on ``cells``.
    cells
        The cells that heads were tested on by plate.
    places
        Labelled cells that no head was fitted on; their labels are the names of classes.
    """
    latents = {
        place: model.encode(own.patches.crops(model.crop_size))[0] for place, own in places.items()
    }
    found: dict[str, dict[str, Reliability]] = {}
    for result in results:
        classes = list(result.task.classes)
        for kind, name in result.task.names.items():
            fitted = result.found[0].heads[kind]
            known = result.target >= 0
            told = class_probabilities(fitted.logits[known])
            found[name] = {BY_PLATE: reliability(told, result.target[known], cells.groups[known])}
            for place, own in places.items():
                target = np.array([classes.index(c) if c in classes else -1 for c in own.labels])
                known = target >= 0
                if known.any():
                    told = class_probabilities(head_logits(fitted.head, latents[place][known]))
                    found[name][place] = reliability(told, target[known], own.groups[known])
    return found
