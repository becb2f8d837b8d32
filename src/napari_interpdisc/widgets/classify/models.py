"""The models that can be chosen in a viewer: the installed ones, and what was loaded. No Qt."""

from __future__ import annotations

from pathlib import Path

from napari_interpdisc.models.cell_model import CellModel
from napari_interpdisc.models.store import installed_models
from napari_interpdisc.widgets.parts.wording import UNSAVED

Source = str | Path | CellModel


class KnownModels:
    """Names of models in the order of the box, and where each comes from.

    The source of a model is its name until it is loaded, and the model itself from then on.
    """

    def __init__(self) -> None:
        self._models: list[tuple[str, Source]] = [(name, name) for name in installed_models()]

    def __len__(self) -> int:
        return len(self._models)

    @property
    def names(self) -> list[str]:
        """Names, in order."""
        return [name for name, _ in self._models]

    def source(self, place: int) -> Source:
        """What to load for the model at ``place``."""
        return self._models[place][1]

    def rename(self, before: CellModel, saved: CellModel) -> None:
        """Put a model that was saved in the place of what it was before, if that is known."""
        for i, (_, source) in enumerate(self._models):
            if isinstance(source, CellModel) and source.sha256 == before.sha256:
                self._models[i] = (saved.name, saved)

    def place_of(self, model: CellModel) -> int:
        """Position of a model, which is added if it is not there."""
        for i, (name, source) in enumerate(self._models):
            if isinstance(source, CellModel):
                if source.sha256 == model.sha256:
                    return i
                if source.name == model.name == UNSAVED:  # one formula after the other was tried
                    self._models[i] = (name, model)
                    return i
            elif name == model.name:
                self._models[i] = (name, model)
                return i
        self._models.append((model.name, model))
        return len(self._models) - 1
