"""Plain modules that do what no stock model does, predicted and run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.judge import judge
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.confirm import confirm


class Shared(nn.Module):
    """A convolution and its batch norm, used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 1)
        self.twice, self.norm = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.norm(self.twice(self.first(x))))
        z = torch.relu(self.norm(self.twice(y)))
        result: torch.Tensor = self.last(y + z)
        return result


class TwoReaders(nn.Module):
    """A convolution that a batch norm and an add read, and one whose channels are chunked unevenly in three."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.grouped, self.last = nn.Conv2d(8, 8, 3, padding=1, groups=4), nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x)
        z = self.grouped(self.norm(y).relu() + y)
        a, b, c = z.chunk(3, 1)
        result: torch.Tensor = self.last(torch.cat((b, c, a), 1))
        return result


MODULES: tuple[type[nn.Module], ...] = (Shared, TwoReaders)
WAYS = (("local", "silent"), ("mask", "silent"), ("mask", "weights"))


@pytest.mark.parametrize("kind", MODULES)
def test_every_layer_alone(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    model = kind().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias)
            module.running_mean = torch.randn(module.num_features)
    graph = ChannelGraph.trace(model, 16)
    for name, layer in graph.layers.items():
        for count in range(1, layer.out_channels):
            for execution, mask in WAYS:
                plan = Plan([Step(name, range(count))], execution, mask)  # type: ignore[arg-type]  # literals
                prediction, judgement = predict(graph, plan), judge(graph, plan)
                assert (prediction.verdict, prediction.failure) == (judgement.verdict, judgement.failure)
                assert confirm(model, plan, prediction).differences == (), plan


class Weighted(nn.Module):
    """Returns its input in some way, times a weight that it has under two names."""

    def __init__(self, shown: Callable[[torch.Tensor], object]) -> None:
        super().__init__()
        self.weight = self.weight_again = nn.Parameter(torch.rand(8))
        self.shown = shown

    def forward(self, x: torch.Tensor) -> object:
        return self.shown(x * self.weight)


class Around(nn.Module):
    """A module that takes the pixels between two convolutions."""

    def __init__(self, inner: nn.Module, take: Callable[[Any], torch.Tensor]) -> None:
        super().__init__()
        self.first, self.inner, self.last = nn.Conv2d(3, 8, 1), inner, nn.Conv2d(8, 8, 1)
        self.take = take

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x).relu()
        pixels = self.take(self.inner(y.flatten(2).transpose(1, 2)))
        result: torch.Tensor = self.last(y + pixels.transpose(1, 2).reshape(y.shape))
        return result


@pytest.mark.parametrize(
    ("inner", "take"),
    [
        (nn.LSTM(8, 8, batch_first=True), lambda made: made[0]),
        (nn.LSTM(8, 4, 2, batch_first=True, bidirectional=True), lambda made: made[0]),
        (nn.GRU(8, 8, batch_first=True), lambda made: made[0]),
        (Weighted(lambda x: x), lambda made: made),
        (Weighted(lambda x: {"mean": x.mean(), "maps": [x, x[:, :3]]}), lambda made: made["maps"][0]),
        (Weighted(lambda x: (None, x)), lambda made: made[1]),
        (Weighted(lambda x: ([], x)), lambda made: made[1]),
        (Weighted(lambda x: x.sum()), lambda made: made.expand(1, 64, 8)),
    ],
    ids=["LSTM", "both ways", "GRU", "tensor", "dict", "None first", "nothing first", "number"],
)
def test_costs_are_torchinfo_s_whatever_a_module_returns(inner: nn.Module, take: Callable[[Any], torch.Tensor]) -> None:
    model = Around(inner, take).eval()
    graph = ChannelGraph.trace(model, 8)
    for plan in (Plan(), Plan([Step("first", range(4))]), Plan([Step("last", range(4))], "local")):
        prediction = predict(graph, plan)
        result = confirm(model, plan, prediction, graph=graph)
        assert result.differences == ()
        assert prediction.macs is not None


def test_a_module_that_takes_one_size_alone_is_confirmed_at_the_size_of_the_prediction() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 4, 1), nn.Flatten(), nn.Linear(4 * 16 * 16, 5))
    plan = Plan([Step("0", range(4))], "local")
    prediction = predict(ChannelGraph.trace(model.eval(), imgsz=16), plan)
    assert confirm(model, plan, prediction).agrees
