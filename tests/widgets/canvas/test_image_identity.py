from __future__ import annotations

import dask.array as da
import numpy as np
from napari.layers import Image

from napari_interpdisc.widgets.canvas.image_identity import ImageIdentity, identify


def test_an_image_is_recognised_by_its_pixels(rng: np.random.Generator) -> None:
    movie = rng.integers(0, 4000, (4, 30, 40)).astype(np.uint16)
    own = identify(Image(movie, name="a"))
    assert (own.name, own.path, own.shape) == ("a", "", (4, 30, 40))
    assert own.is_same(identify(Image(da.from_array(movie.astype(np.float32), chunks=7))))
    assert own.is_same(identify(Image(movie.astype(">u2"), name="b")))
    assert own.is_same(identify(Image([movie, movie[:, ::2, ::2]], multiscale=True)))
    other = movie.copy()
    other[-1, 3, 4] += 1
    assert not own.is_same(identify(Image(other, name="a")))
    assert not own.is_same(identify(Image(movie[:, 1:], name="a")))
    assert identify(Image(movie[0])).is_same(identify(Image(movie[0].copy())))
    rgb = rng.integers(0, 255, (30, 40, 3)).astype(np.uint8)
    assert identify(Image(rgb, rgb=True)).shape == (30, 40, 3)


def test_an_image_that_cannot_be_read_is_recognised_by_its_file() -> None:
    """So that its annotations are kept all the same."""

    class Broken:
        shape, ndim, dtype = (4, 30, 40), 3, np.dtype(np.uint16)

        def __getitem__(self, at: object) -> np.ndarray:
            raise OSError("a bad sector")

    class Layer:
        name, multiscale, rgb, data = "a", False, False, Broken()

        class source:  # noqa: N801
            path = "/data/a.tif"

    found = identify(Layer())
    assert found.digest == ""
    assert found.is_same(ImageIdentity("b", "/data/a.tif", (4, 30, 40), "ab" * 32))
    assert not found.is_same(ImageIdentity("a", "", (4, 30, 40), ""))
