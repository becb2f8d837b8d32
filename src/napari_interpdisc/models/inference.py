"""The encoder's network as it runs fastest: the same function, fewer passes over memory."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_interpdisc._types import Precision
from napari_interpdisc.models.tcvae import TCVAE

BATCH = 128
"""Crops that run through the network at once: what they take fits into caches.

On an AMD EPYC, float32 takes 1.5 times as long for each of 256 crops."""


MOST_WORKERS = 8
"""Threads on which batches are worked on side by side, at most."""


_LENT = Lock()
_lent: list[int] = []
"""Torch's number of threads before anybody changed it, once for each who has."""


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Let torch have so many threads, and as many as before when the last who asked has left.

    The number is one for the whole program: two who each put back what they found would end with
    what the first had set.
    """
    with _LENT:
        _lent.append(_lent[0] if _lent else torch.get_num_threads())
        torch.set_num_threads(number)
    try:
        yield
    finally:
        with _LENT:
            before = _lent.pop()
            if not _lent:
                torch.set_num_threads(before)


def set_threads(number: int) -> None:
    """Let torch have so many threads in this thread: each asks for its own on some systems."""
    torch.set_num_threads(number)


def _threads() -> int:
    """Torch's number of threads, as it is when nobody changes it."""
    with _LENT:
        return _lent[0] if _lent else torch.get_num_threads()


@contextmanager
def side_by_side_threads(device: torch.device) -> Iterator[tuple[int, int]]:
    """Share torch's threads out among batches: how many batches at once, and threads for each.

    Small convolutions do not fill several cores: two batches on a thread each are faster than one
    on two threads. Elsewhere torch has as many threads as before, and here too afterwards. A GPU
    takes one batch at a time.
    """
    before = _threads()
    workers = min(before, MOST_WORKERS) if device.type == "cpu" else 1
    each = before // workers
    with torch_threads(each):
        yield workers, each


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 natively, so that it is faster than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.get_device_capability(device) >= (8, 0))
    if device.type != "cpu":
        return False
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(native is not None and native())


def used_precision(precision: Precision, device: torch.device) -> Precision:
    """What ``auto`` means on a device; the others mean themselves."""
    if precision != "auto":
        return precision
    return "bfloat16" if has_bfloat16(device) else "float32"


class FastEncoder(nn.Module):
    """Posterior means and log-variances of normalised crops, as :meth:`TCVAE.encode` gives them.

    BatchNorm is a part of the convolutions' weights. Latents differ by rounding: below 1e-5 in
    float32, and by about 0.01 in bfloat16 (standard deviations of the prior).

    Parameters
    ----------
    encoder
        In eval mode. It is not changed.
    dtype
        float32 or bfloat16.
    """

    def __init__(self, encoder: TCVAE, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self._whole, self._dtype = [encoder], dtype  # a list: the encoder is no part of this
        layers: list[nn.Module] = []
        for layer in encoder.encoder:
            if isinstance(layer, nn.BatchNorm2d):
                convolution = layers.pop()
                assert isinstance(convolution, nn.Conv2d)
                layers.append(fuse_conv_bn_eval(convolution, layer))
            else:
                layers.append(layer)
        network = nn.Sequential(*layers)
        # what was not fused is the encoder's own, which keeps its type
        self.layers = copy.deepcopy(network).to(dtype).eval().requires_grad_(False)
        for weight in self.layers.parameters():
            if weight.ndim == 4:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances, each (N, L) float32, of crops (N, 1, S, S) float32."""
        seen = self._whole[0].seen(crops).to(self._dtype)
        seen = seen.contiguous(memory_format=torch.channels_last)
        both = self.layers(seen).float()
        mean, log_variance = both.chunk(2, dim=1)
        return mean, log_variance
