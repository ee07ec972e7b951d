"""Numbers and constants that follow a channel count: what cannot go on with fewer channels is frozen, and named."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Execution, Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.confirm import confirm


class _Net(nn.Module):
    """A layer of 16 channels, and a last layer that takes what ``middle`` makes of them."""

    wide = 16

    def __init__(self) -> None:
        super().__init__()
        self.a, self.last = nn.Conv2d(3, 16, 1), nn.Conv2d(self.wide, 4, 1)
        self.c = 8
        self.layers = [nn.Identity() for _ in range(16)]

    def middle(self, y: torch.Tensor) -> torch.Tensor:
        """What each of the nets below has of its own."""
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.last(self.middle(self.a(x)))
        return result


class _NewZeros(_Net):
    wide = 32

    def middle(self, y: torch.Tensor) -> torch.Tensor:
        return torch.cat([y, y.new_zeros(y.shape)], 1)


class _ZerosOfAttribute(_Net):
    def middle(self, y: torch.Tensor) -> torch.Tensor:
        return y + torch.zeros(1, self.a.out_channels, 64, 64)


class _ZerosBesideSplit(_Net):
    def middle(self, y: torch.Tensor) -> torch.Tensor:
        first, second = y.split([self.c, self.c], 1)
        return torch.cat([first * second, torch.zeros(1, self.c, 64, 64)], 1)


class _ZerosOfWeight(_Net):
    def middle(self, y: torch.Tensor) -> torch.Tensor:
        return y + torch.ones(1, self.a.weight.shape[0], 1, 1)


class _Loops(_Net):
    def middle(self, y: torch.Tensor) -> torch.Tensor:
        for _ in range(y.shape[1] // 4):
            y = y * 1.5
        return y


class _LoopsOverName(_Net):
    def middle(self, y: torch.Tensor) -> torch.Tensor:
        _, c, _, _ = y.shape
        for _ in range(c // 4):
            y = y * 1.5
        return y


class _ScalesByAttribute(_Net):
    def middle(self, y: torch.Tensor) -> torch.Tensor:
        return y * self.a.out_channels**-0.5


class _ScalesByFloatOverAttribute(_Net):
    def middle(self, y: torch.Tensor) -> torch.Tensor:
        return y * (1.0 / self.a.out_channels)


class _ScalesByNextLayer(_Net):
    def middle(self, y: torch.Tensor) -> torch.Tensor:
        return y * self.last.in_channels**-0.5


class _ScalesByFloatTimes(_Net):
    def middle(self, y: torch.Tensor) -> torch.Tensor:
        c = y.size(1)
        scale = 0.5 * c
        return y * scale


class _ScalesByLog(_Net):
    def middle(self, y: torch.Tensor) -> torch.Tensor:
        return y * math.log2(y.shape[1])


class _ScalesByInt(_Net):
    def middle(self, y: torch.Tensor) -> torch.Tensor:
        return y * int(y.shape[1])


class _SumOfOnes(_Net):
    def middle(self, y: torch.Tensor) -> torch.Tensor:
        return y * torch.ones(y.shape[1]).sum()


class _Arange(_Net):
    def middle(self, y: torch.Tensor) -> torch.Tensor:
        return y * torch.arange(y.shape[1]).sum()


class _Full(_Net):
    def middle(self, y: torch.Tensor) -> torch.Tensor:
        return y * torch.full((1, 1, 1, 1), 1.0 / y.shape[1])


class _Numel(_Net):
    def middle(self, y: torch.Tensor) -> torch.Tensor:
        return y * (y.sum() / y.numel())


class _NumelScale(_Net):
    def middle(self, y: torch.Tensor) -> torch.Tensor:
        return y * (64.0 / y.numel())


class _Length(_Net):
    def middle(self, y: torch.Tensor) -> torch.Tensor:
        return y * len(y[0])


class _Text(_Net):
    def middle(self, y: torch.Tensor) -> torch.Tensor:
        scales = {"16": 2.0}
        return y * scales.get(str(y.shape[1]), 1.0)


class _Alpha(_Net):
    def middle(self, y: torch.Tensor) -> torch.Tensor:
        return torch.add(y, y, alpha=y.shape[1])


KINDS = [
    _NewZeros,
    _ZerosOfAttribute,
    _ZerosBesideSplit,
    _ZerosOfWeight,
    _Loops,
    _LoopsOverName,
    _ScalesByAttribute,
    _ScalesByFloatOverAttribute,
    _ScalesByNextLayer,
    _ScalesByFloatTimes,
    _ScalesByLog,
    _ScalesByInt,
    _SumOfOnes,
    _Arange,
    _Full,
    _Numel,
    _NumelScale,
    _Length,
    _Text,
    _Alpha,
]


@pytest.mark.parametrize("kind", KINDS)
def test_channels_behind_a_number_are_frozen(kind: type[_Net]) -> None:
    torch.manual_seed(0)
    model = kind().eval()
    plan = Plan([Step("a", range(8))], "group")
    graph = ChannelGraph.trace(model)
    prediction = predict(graph, plan)
    assert "frozen-channel" in {hazard.code for hazard in prediction.hazards}
    assert prediction.verdict == "unsafe"
    assert any(group.frozen for group in graph.groups if group.members[0].layer == "a")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("execution", ["local", "mask"])
def test_what_is_said_of_numbers_is_what_happens(kind: type[_Net], execution: Execution) -> None:
    torch.manual_seed(0)
    model = kind().eval()
    plan = Plan([Step("a", range(8))], execution)
    found = confirm(model, plan, predict(ChannelGraph.trace(model), plan))
    assert found.agrees, found.differences


def test_a_constant_of_as_many_channels_breaks_with_them() -> None:
    """``torch.cat([y, y.new_zeros(y.shape)], 1)`` of 8 channels has 16, not 24."""
    model = _NewZeros().eval()
    plan = Plan([Step("a", range(8))], "local")
    failure = predict(ChannelGraph.trace(model), plan).failure
    assert failure is not None
    assert "to have 32 channels, but got 16 channels instead" in failure.message


class _Spatial(_Net):
    """Numbers of what is no channel freeze none."""

    def middle(self, y: torch.Tensor) -> torch.Tensor:
        b, _, h, w = y.shape
        for _ in range(h // 4):
            y = y * (1.0 / w)
        y = y * torch.ones(b, 1, h, w) * y.new_ones(1, 1, h, w)
        return y * math.log(y.size(2)) * torch.arange(w).float()


def test_numbers_of_pixels_freeze_no_channels() -> None:
    model = _Spatial().eval()
    plan = Plan([Step("a", range(8))], "group")
    graph = ChannelGraph.trace(model)
    prediction = predict(graph, plan)
    assert prediction.verdict == "safe", prediction.hazards


def test_the_line_that_uses_a_number_is_named() -> None:
    graph = ChannelGraph.trace(_Loops().eval())
    group = next(group for group in graph.groups if group.members[0].layer == "a")
    assert group.frozen is not None
    assert "test_heard.py" in group.frozen
    assert "range(y.shape[1] // 4)" in group.frozen
