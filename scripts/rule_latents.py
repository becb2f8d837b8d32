"""What the latents of the bundled rule mean: ``python scripts/rule_latents.py``.

On MitoCheck's Interphase, Elongated and Metaphase crops: rank correlation of z22 with the area of
the central nucleus and of z11² + z27² with its eccentricity (regionprops after Otsu's threshold),
and the correlation of each latent with itself and its partner after the elongated crops
(eccentricity above 0.8) are turned by 45° and 90°.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.ndimage import rotate
from scipy.stats import spearmanr

from napari_interpdisc.crops import normalise
from napari_interpdisc.discovery.baselines import shape_features
from napari_interpdisc.models.store import load_model
from nuclei_patches import labelled_crops

DATA = Path(__file__).parents[2] / "shared" / "data"
SIZE, PAIR = 22, (11, 27)


def main() -> None:
    """Encode, correlate, print."""
    model = load_model(device="cpu")
    crops, labels, _ = labelled_crops(DATA)
    crops = crops[np.isin(labels, ("Interphase", "Elongated", "Metaphase"))]
    z = model.encode(normalise(crops)[:, None])[0]
    area, eccentricity = shape_features(crops)[:, :2].T
    round_about = z[:, PAIR[0]] ** 2 + z[:, PAIR[1]] ** 2
    print(f"{len(crops)} crops")
    print(f"z{SIZE} and area: rho = {spearmanr(z[:, SIZE], area)[0]:.2f}")
    print(f"z11² + z27² and eccentricity: rho = {spearmanr(round_about, eccentricity)[0]:.2f}")
    long = eccentricity > 0.8
    for angle in (45, 90):
        turned = np.stack(
            [rotate(crop, angle, reshape=False, mode="nearest", order=1) for crop in crops[long]]
        )
        after = model.encode(normalise(turned)[:, None])[0]
        for a in PAIR:
            told = ", ".join(
                f"with z{b} before {np.corrcoef(after[:, a], z[long, b])[0, 1]:+.2f}" for b in PAIR
            )
            print(f"z{a} after {angle}°: {told}")


if __name__ == "__main__":
    main()
