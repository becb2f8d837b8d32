"""What fine-tuning changed, told by correlations and a regression."""

from __future__ import annotations

import numpy as np

from napari_interpdisc.training.encoder.report import column_correlation, ridge_r2


def test_correlation_and_regression_of_latents(rng: np.random.Generator) -> None:
    x = rng.normal(size=(400, 3))
    y = np.column_stack([2 * x[:, 0] + 1, -x[:, 1], np.ones(400)])
    np.testing.assert_allclose(column_correlation(x, y), [1, -1, 0], atol=1e-9)
    rotated = x @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    r2 = ridge_r2(x[:300], rotated[:300], x[300:], rotated[300:])
    assert (r2 > 0.999).all()
    noise = rng.normal(size=(400, 2))
    assert (ridge_r2(x[:300], noise[:300], x[300:], noise[300:]) < 0.1).all()
    assert ridge_r2(x[:300], y[:300], x[300:], y[300:])[2] == 0
