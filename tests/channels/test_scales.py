"""Parameters with a number for each channel go with their channels: layer scales, shifts, slopes of a PReLU."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from tests.channels.carry_out import carry_out, masked
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.judge import judge
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.prunable import free_channels, removed_entries
from yolo_prune_check.channels.removal import find_removal


class Gamma(nn.Module):
    """A parameter of some shape, and what is done with it."""

    def __init__(self, shape: tuple[int, ...], use: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.gamma, self.use = nn.Parameter(torch.rand(shape) + 0.5), use

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.use(x, self.gamma)


class Net(nn.Module):
    """What is tried, between two convolutions."""

    def __init__(self, between: nn.Module) -> None:
        super().__init__()
        self.first, self.between, self.last = nn.Conv2d(3, 16, 3, 4, 1), between, nn.Conv2d(16, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.last(self.between(self.first(x)))
        return result


def last(x: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    return (x.permute(0, 2, 3, 1) * gamma).permute(0, 3, 1, 2)


def slopes(count: int) -> nn.PReLU:
    prelu = nn.PReLU(count)
    nn.init.uniform_(prelu.weight, 0.1, 0.9)
    return prelu


SCALES: dict[str, Callable[[], nn.Module]] = {
    "channels last": lambda: Gamma((16,), last),
    "of three axes": lambda: Gamma((16, 1, 1), lambda x, gamma: x * gamma),
    "of four axes": lambda: Gamma((1, 16, 1, 1), lambda x, gamma: gamma * x),
    "in place": lambda: Gamma((1, 16, 1, 1), lambda x, gamma: x.mul_(gamma)),
    "a number for each pixel too": lambda: Gamma((16, 8, 8), lambda x, gamma: x * gamma),
    "added": lambda: Gamma((1, 16, 1, 1), lambda x, gamma: x + gamma),
    "subtracted": lambda: Gamma((1, 16, 1, 1), lambda x, gamma: gamma - x),
    "scaled residual": lambda: Gamma((16, 1, 1), lambda x, gamma: x + gamma * x.sin()),
    "slopes": lambda: slopes(16),
    "one slope": lambda: slopes(1),
}


@pytest.mark.parametrize("name", SCALES)
def test_numbers_go_with_their_channels(name: str) -> None:
    torch.manual_seed(0)
    model = Net(SCALES[name]()).double().eval()
    graph = ChannelGraph.trace(model, imgsz=32)
    plan = Plan([Step("first", [1, 2, 3, 7, 9, 10])], "group")
    removal = find_removal(graph, plan)
    assert (removal.hazards, removal.layers["last"].inputs.tolist()) == ((), [1, 2, 3, 7, 9, 10])
    small, image = carry_out(model, removal), torch.rand(1, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(small(image), masked(model, removal, graph.imgsz)(image), rtol=0, atol=1e-12)
    prediction = predict(graph, plan)
    assert (prediction.verdict, prediction.failure) == ("safe", None)
    assert prediction.params == sum(parameter.numel() for parameter in small.parameters())
    lost = removed_entries(graph, free_channels(graph))
    inside = [entries.all() for parameter, entries in lost.items() if parameter.startswith("between")]
    assert inside == ([] if name == "one slope" else [True])


FROZEN: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "divided by": (lambda: Gamma((1, 16, 1, 1), lambda x, gamma: x / gamma), "div"),
    "made of a parameter": (lambda: Gamma((1, 16, 1, 1), lambda x, gamma: x * (1 + gamma)), "mul"),
    "used twice": (lambda: Gamma((1, 16, 1, 1), lambda x, gamma: x * gamma + gamma), "mul"),
}


@pytest.mark.parametrize("name", FROZEN)
def test_other_uses_freeze(name: str) -> None:
    make, operator = FROZEN[name]
    graph = ChannelGraph.trace(Net(make()).eval(), imgsz=32)
    plan = Plan([Step("first", range(8))], "group")
    assert find_removal(graph, plan).stays.all()
    assert [hazard.message for hazard in predict(graph, plan).hazards if hazard.code == "frozen-channel"] == [
        f"8 of 16 channels cannot be removed: {operator} in between needs them"
    ]


def test_a_lone_cut_breaks_at_the_slopes() -> None:
    """PyTorch's own words."""
    model = Net(slopes(16)).eval()
    failure = judge(ChannelGraph.trace(model, imgsz=32), Plan([Step("first", range(8))], "local")).failure
    assert failure is not None
    with pytest.raises(RuntimeError) as raised:
        model.between(torch.rand(1, 8, 8, 8))
    assert (failure.module, failure.message) == ("between", str(raised.value).splitlines()[0])
