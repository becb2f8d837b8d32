from __future__ import annotations

import torch

from napari_interpdisc.models.texture import blurred, texture


def test_texture_sees_grain_and_not_slopes() -> None:
    at = torch.arange(64, dtype=torch.float32)
    slope = (at / 32 - 1).expand(1, 1, 64, 64)
    grain = slope + torch.where((at[:, None] // 3 + at[None] // 3) % 2 == 0, 0.5, -0.5)
    halves = torch.where(at < 32, slope, grain)
    found = texture(halves)
    assert found.shape == (1, 1, 32, 32)
    assert float((found[..., 4:12] - 0.1).abs().max()) < 0.01  # its floor
    assert float(found[..., 20:28].min()) > 0.2


def test_each_crop_is_blurred_by_its_own() -> None:
    point = torch.zeros(2, 1, 17, 17)
    point[:, 0, 8, 8] = 1
    found = blurred(point, torch.tensor([1.0, 2.0]))[:, 0]
    torch.testing.assert_close(found.sum((1, 2)), torch.ones(2))
    ratio = found[:, 8, 9] / found[:, 8, 8]
    torch.testing.assert_close(ratio, torch.exp(torch.tensor([-0.5, -0.125])))
