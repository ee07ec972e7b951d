"""Operators that shift or mix entries along an axis, used along the one on which channels lie."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.channels.carry_out import carry_out, masked
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.removal import find_removal

Operator = Callable[[torch.Tensor], torch.Tensor]


class Between(nn.Module):
    """An operator between two convolutions."""

    def __init__(self, operator: Operator) -> None:
        super().__init__()
        self.first, self.last, self.operator = nn.Conv2d(3, 16, 3, 4, 1), nn.Conv2d(16, 8, 1), operator

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.last(self.operator(self.first(x)))
        return result


def flat(operator: Operator) -> Operator:
    """Channels last: what pools a line pools them."""
    return lambda x: operator(x.flatten(2).transpose(1, 2)).transpose(1, 2).unsqueeze(-1)


def turned(operator: Operator) -> Operator:
    """Channels where an image has its columns."""
    return lambda x: operator(x.transpose(1, 3)).transpose(1, 3)


ACROSS: dict[str, tuple[Operator, str]] = {
    "shift": (lambda x: F.pad(x, (0, 0, 0, 0, 1, -1)), "constant_pad_nd"),
    "average": (flat(lambda x: F.avg_pool1d(x, 3, 1, 1)), "avg_pool2d"),
    "maximum": (turned(lambda x: F.max_pool2d(x, (1, 3), 1, (0, 1))), "max_pool2d_with_indices"),
    "adaptive": (turned(lambda x: F.adaptive_avg_pool2d(x, (2, 16))), "adaptive_avg_pool2d"),
    "nearest": (turned(lambda x: F.interpolate(x, size=(2, 16))), "upsample_nearest2d"),
    "reflection": (turned(lambda x: F.pad(x, (1, -1, 0, 0), mode="reflect")), "reflection_pad2d"),
}


@pytest.mark.parametrize("name", ACROSS)
def test_what_acts_across_channels_freezes_them(name: str) -> None:
    operator, target = ACROSS[name]
    graph = ChannelGraph.trace(Between(operator).double().eval(), imgsz=32)
    removal = find_removal(graph, Plan([Step("first", range(8))], "group"))
    assert removal.stays.all()
    assert [hazard.message for hazard in removal.hazards] == [
        f"8 of 16 channels cannot be removed: {target} in model needs them"
    ]


BESIDE: dict[str, Operator] = {
    "pad": lambda x: F.pad(x, (1, 0, 2, -1)),
    "pad of no channels": lambda x: F.pad(x, (1, 1, 0, 0, 0, 0)),
    "pool": lambda x: F.avg_pool2d(x, 3, 1, 1),
    "pool of rows": lambda x: F.max_pool1d(x.flatten(2), 2).unsqueeze(-1),
    "upsample": lambda x: F.interpolate(x, scale_factor=2.0, mode="bilinear"),
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_acts_beside_channels_passes_them(name: str) -> None:
    model = Between(BESIDE[name]).double().eval()
    graph = ChannelGraph.trace(model, imgsz=32)
    removal = find_removal(graph, Plan([Step("first", range(2, 10))], "group"))
    assert removal.hazards == ()
    image = torch.rand(1, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        got, expected = carry_out(model, removal)(image), masked(model, removal, graph.imgsz)(image)
    assert torch.allclose(got, expected, rtol=0, atol=1e-12)
