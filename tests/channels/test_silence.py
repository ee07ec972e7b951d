"""Execution ``group`` must not change the function: a removed channel is silent where a weight reads it, or stays."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from benchmarks.zoo import randomise_norms
from tests.channels.carry_out import carry_out, masked
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.removal import find_removal

Between = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
HALF = Plan([Step("first.0", range(4))], "group")


def block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.SiLU())


class Through(nn.Module):
    """Something between a layer and the layer that reads it."""

    def __init__(self, between: Between) -> None:
        super().__init__()
        self.first, self.single, self.last = block(3, 8), block(3, 1), nn.Conv2d(8, 4, 1)
        self.between = between

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.last(self.between(self.first(x), self.single(x)))
        return result


class Gated(nn.Module):
    """Squeeze and excitation: the gate is 0.5 where it is silent, and multiplies what is silent with it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.gate, self.last = block(3, 8), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x)
        gate = self.gate(y.mean((2, 3), keepdim=True)).sigmoid()
        result: torch.Tensor = self.last(y * gate)
        return result


class Behind(nn.Module):
    """A batch norm that is not the layer's own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.other, self.norm, self.last = block(3, 8), block(3, 4), nn.BatchNorm2d(12), nn.Conv2d(12, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.last(self.norm(torch.cat([self.first(x), self.other(x)], 1)).relu())
        return result


def ready(model: nn.Module) -> nn.Module:
    randomise_norms(model, seed=0)
    return model.double().eval()


REVIVED: dict[str, tuple[Between, str]] = {
    "add a number": (lambda y, _: y + 1, "add in model"),
    "add one channel": (lambda y, one: y + one, "add in model"),
    "subtract a mean": (lambda y, one: y - one.mean(1, keepdim=True), "sub in model"),
    "subtracted from": (lambda y, _: 1 - y, "rsub in model"),
    "sigmoid": (lambda y, _: y.sigmoid(), "sigmoid in model"),
    "exp": (lambda y, _: y.exp(), "exp in model"),
    "cos": (lambda y, _: (y * 2).cos().flip(3), "cos in model"),
    "softplus": (lambda y, _: nn.functional.softplus(y), "softplus in model"),
    "clamp": (lambda y, _: y.clamp(0.1), "clamp in model"),
    "maximum": (lambda y, one: torch.maximum(y, one), "maximum in model"),
    "quotient": (lambda y, _: y / y, "div in model"),
    "padding": (lambda y, _: nn.functional.pad(y, (1, 1), value=1.0), "constant_pad_nd in model"),
    "after a view": (lambda y, _: (y.flatten(2) + 1).view(y.shape), "add in model"),
    "half of a concat": (lambda y, _: torch.cat([a + 1 for a in y.chunk(2, 1)], 1), "add in model"),
}
KEPT_SILENT: dict[str, Between] = {
    "times a number": lambda y, _: y * 3,
    "times one channel": lambda y, one: y * one,
    "divided by one channel": lambda y, one: y / (one.abs() + 1),
    "abs of a tanh": lambda y, _: y.tanh().abs(),
    "clamp at 0": lambda y, _: y.clamp(0, 6),
    "add itself": lambda y, _: y + y * y,
    "add nothing": lambda y, _: y + 0,
    "pool": lambda y, _: nn.functional.max_pool2d(y, 3, 1, 1),
    "square": lambda y, _: y**2,
}


@pytest.mark.parametrize("name", REVIVED)
def test_what_is_not_zero_when_it_is_read_stays(name: str) -> None:
    between, operator = REVIVED[name]
    graph = ChannelGraph.trace(ready(Through(between)), imgsz=16)
    prediction = predict(graph, HALF)
    assert [hazard.code for hazard in prediction.hazards if hazard.severity == "error"] == ["frozen-channel"]
    assert prediction.verdict == "unsafe"
    assert find_removal(graph, HALF).stays.all()
    assert operator in next(hazard.message for hazard in prediction.hazards if hazard.code == "frozen-channel")


@pytest.mark.parametrize("model", [*(Through(between) for between in KEPT_SILENT.values()), Gated(), Behind()])
def test_what_stays_zero_goes_and_nothing_changes(model: nn.Module) -> None:
    whole = ready(model)
    graph = ChannelGraph.trace(whole, imgsz=16)
    removal = find_removal(graph, HALF)
    assert removal.hazards == ()
    assert len(removal.layers["first.0"].outputs) == 4
    image = torch.rand(1, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        got, expected = carry_out(whole, removal)(image), masked(whole, removal, 16)(image)
    assert float((got - expected).abs().max()) <= 1e-9 * float(expected.abs().max())
