"""Two models timed against each other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from tests.small import SIZE, dense_digits, size_of, small_digits
from yolo_prune_check.confirm import latency as latency_module
from yolo_prune_check.confirm.latency import latency


class Clock:
    """Seconds that pass when somebody lets them."""

    now = 0.0


class Waits(nn.Module):
    """Takes a known time, longer at first, and very long once."""

    def __init__(self, name: str, seconds: float, calls: list[str], clock: Clock) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.name, self.seconds, self.calls, self.clock = name, seconds, calls, clock
        self.sizes: list[tuple[int, ...]] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.calls.append(self.name)
        self.sizes.append(tuple(images.shape))
        count = self.calls.count(self.name)
        self.clock.now += self.seconds + (0.05 if count <= 2 else 1.0 if count == 5 else 0)
        return images


def test_the_median_of_runs_that_alternate_after_a_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, calls = Clock(), list[str]()
    monkeypatch.setattr(latency_module, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    dense, pruned = Waits("dense", 0.02, calls, clock), Waits("pruned", 0.005, calls, clock)
    took = latency(dense, pruned, 32, batch=2, runs=4)
    assert took.dense_ms == pytest.approx(20)
    assert took.pruned_ms == pytest.approx(5)
    assert took.ratio == pytest.approx(0.25)
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
