"""No convolution vanishes without a word: cast weights keep their names, and modules that never ran are listed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.confirm import confirm
from yolo_prune_check.errors import UserError


class _Autocast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm, self.last = nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            result: torch.Tensor = self.last(self.norm(self.a(x)))
        return result


def test_cast_weights_keep_their_names() -> None:
    graph = ChannelGraph.trace(_Autocast().eval())
    assert list(graph.layers) == ["a", "last"]
    assert graph.layers["a"].norm == "norm"
    assert graph.unvisited == ()
    plan = Plan([Step("a", range(4))], "local")
    found = confirm(_Autocast().eval(), plan, predict(graph, plan))
    assert found.agrees, found.differences


class _Auxiliary(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.head, self.aux = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 1), nn.Sequential(nn.Conv2d(8, 4, 1))

    def forward(self, x: torch.Tensor) -> object:
        y = self.a(x)
        return (self.head(y), self.aux(y)) if self.training else self.head(y)


def test_modules_that_never_ran_are_listed() -> None:
    graph = ChannelGraph.trace(_Auxiliary())
    assert list(graph.layers) == ["a", "head"]
    assert graph.unvisited == ("aux.0",)


@pytest.mark.parametrize("channels", [1, 4])
def test_the_image_has_the_channels_that_the_first_layer_takes(channels: int) -> None:
    graph = ChannelGraph.trace(nn.Sequential(nn.Conv2d(channels, 8, 3), nn.Conv2d(8, 4, 1)).eval())
    assert graph.program.values[graph.program.image].shape == (1, channels, 64, 64)


def test_the_hint_names_the_image_that_was_tried() -> None:
    with pytest.raises(UserError, match="1 x 3 x 64 x 64"):
        ChannelGraph.trace(nn.Sequential(nn.Conv2d(7, 8, 3)).eval())
