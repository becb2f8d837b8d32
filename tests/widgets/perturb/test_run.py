"""What a perturbation is asked for, from the words of the window."""

from __future__ import annotations

import pytest

from napari_interpdisc.errors import InvalidInput
from napari_interpdisc.models.cell_model import LatentMeaning, latent_names
from napari_interpdisc.widgets.perturb.run import frozen_from_text


@pytest.mark.parametrize(
    ("text", "frozen"), [("", ()), ("3,17", (3, 17)), ("z_3; Z17 3", (3, 17)), (" ", ())]
)
def test_frozen_latents_as_they_are_written(text: str, frozen: tuple[int, ...]) -> None:
    assert frozen_from_text(text, 32) == frozen


def test_latents_are_frozen_by_name() -> None:
    names = latent_names([LatentMeaning("size"), LatentMeaning(), LatentMeaning("texture")])
    assert frozen_from_text("size, 4 texture_z2", 32, names) == (0, 2, 4)
    with pytest.raises(InvalidInput, match=r"'Size' is not a latent.*or by name"):
        frozen_from_text("Size", 32, names)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("3, x", "'x' is not a latent"),
        ("1.5", "'1.5' is not a latent"),
        ("-1", "'-1' is not a latent"),
        ("32", "Latent 32 cannot be frozen"),
        ("0 1", None),
    ],
)
def test_other_words_are_refused(text: str, sentence: str | None) -> None:
    with pytest.raises(InvalidInput, match=sentence or "All latents are frozen"):
        frozen_from_text(text, 32 if sentence else 2)
