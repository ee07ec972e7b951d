"""Two models timed against each other."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch
from torch import nn

from tests.small import SIZE, dense_digits, size_of, small_digits
from yolo_prune_check.confirm.latency import latency


class Waits(nn.Module):
    """Takes a known time, and longer at first."""

    def __init__(self, name: str, seconds: float, calls: list[str]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.name, self.seconds, self.calls = name, seconds, calls
        self.sizes: list[tuple[int, ...]] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.calls.append(self.name)
        self.sizes.append(tuple(images.shape))
        time.sleep(self.seconds + (0.05 if self.calls.count(self.name) <= 2 else 0))
        return images


def test_the_median_of_runs_that_alternate_after_a_warm_up() -> None:
    calls: list[str] = []
    dense, pruned = Waits("dense", 0.02, calls), Waits("pruned", 0.005, calls)
    took = latency(dense, pruned, 32, batch=2, runs=4)
    assert took.dense_ms == pytest.approx(20, rel=0.5)
    assert took.pruned_ms == pytest.approx(5, rel=0.9)
    assert took.ratio == took.pruned_ms / took.dense_ms < 0.8
    assert (took.batch, took.runs, took.device) == (2, 4, "cpu")
    assert took.threads == torch.get_num_threads()
    pairs = [set(calls[at : at + 2]) for at in range(0, len(calls), 2)]
    assert pairs == [{"dense", "pruned"}] * len(pairs)
    assert len(pairs) > 4
    assert {pair[0] for pair in zip(calls[::2], calls[1::2], strict=True)} == {"dense", "pruned"}, "each goes first"
    assert set(dense.sizes) == {(2, 3, 32, 32)}


def test_a_smaller_detector_is_faster_and_both_stay_as_they_were() -> None:
    dense: Any = dense_digits()
    dense.train()
    try:
        assert size_of(small_digits()) < size_of(dense) / 3
        assert latency(dense, small_digits(), SIZE, runs=5).ratio < 1
        assert all(module.training for module in dense.modules())
    finally:
        dense.eval()
