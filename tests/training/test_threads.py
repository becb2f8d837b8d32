from __future__ import annotations

import pytest
import torch

from napari_interpdisc.training.threads import one_thread


def test_one_thread_inside_and_as_before_afterwards() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    seen = []

    def fail() -> None:
        with one_thread():
            seen.append(torch.get_num_threads())
            raise ValueError("stopped")

    try:
        with pytest.raises(ValueError, match="stopped"):
            fail()
        assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)
