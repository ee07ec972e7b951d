"""What a prediction says of nets whose operators are rare: nothing is said that is not known."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Execution, Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.prediction import Prediction
from yolo_prune_check.channels.rules import BROADCASTING, RULES
from yolo_prune_check.channels.tensors import Breaks, Tensor
from yolo_prune_check.confirm import Confirmation, confirm

Way = Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor]


class Net(nn.Module):
    """Two convolutions of one image, anything that joins them, and a third that reads the result."""

    def __init__(self, way: Way, width: int = 16) -> None:
        super().__init__()
        self.way = way
        self.a, self.b, self.h = nn.Conv2d(3, 16, 3, 4, 1), nn.Conv2d(3, 16, 3, 4, 1), nn.Conv2d(width, 8, 1)
        self.branches = nn.ModuleList(nn.Conv2d(4, 4, 1) for _ in range(4))
        self.linear = nn.Linear(16, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.h(self.way(self, self.a(x), self.b(x)))
        return result


def told(way: Way, kept: int, execution: Execution = "local", width: int = 16) -> tuple[Prediction, Confirmation]:
    torch.manual_seed(0)
    model = Net(way, width).eval()
    plan = Plan([Step("a", range(kept))], execution)
    prediction = predict(ChannelGraph.trace(model, 64), plan)
    return prediction, confirm(model, plan, prediction)


BROADCASTS: dict[str, Way] = {
    "maximum": lambda net, a, b: torch.maximum(a, b),
    "minimum": lambda net, a, b: torch.minimum(a, b),
    "max": lambda net, a, b: torch.max(a, b),
    "pow": lambda net, a, b: (b.abs() + 1) ** a,
    "rsub": lambda net, a, b: torch.rsub(a, b),
    "gt": lambda net, a, b: (b > a) * b,
    "where": lambda net, a, b: torch.where(b > 0, a, b),
    "masked_fill": lambda net, a, b: b.masked_fill(a > 0, 0.0),
    "expand": lambda net, a, b: a.expand_as(b) * 2,
    "add": lambda net, a, b: a + b,
    "tokens": lambda net, a, b: (a.flatten(2).transpose(1, 2) + b.flatten(2).transpose(1, 2)).mT.unflatten(2, (16, 16)),
}


@pytest.mark.parametrize("name", BROADCASTS)
def test_a_silent_broadcast_is_told_whatever_operator_makes_it(name: str) -> None:
    prediction, confirmation = told(BROADCASTS[name], 1)
    assert prediction.verdict == "unsafe"
    found = {(hazard.layer, hazard.message.split(" by ")[0]) for hazard in prediction.hazards if "broad" in hazard.code}
    assert found == {("(model)", "1 channel is broadcast over 16")}
    assert confirmation.differences == ()


def _result(rule: Callable[..., Any], *shapes: tuple[int, ...]) -> tuple[int, ...] | None:
    try:
        found = rule(*map(Tensor, shapes))
    except (Breaks, TypeError, ValueError, IndexError, AttributeError, KeyError):
        return None
    return found.shape if isinstance(found, Tensor) else None


@pytest.mark.parametrize("target", RULES)
def test_every_rule_that_spreads_an_axis_is_known_to(target: str) -> None:
    spreads = [
        shapes
        for count in (2, 3)
        for shapes in itertools.product([(1, 4), (1, 1)], repeat=count)
        if {(1, 1), (1, 4)} == set(shapes) and _result(RULES[target], *shapes) == (1, 4)
    ]
    spreads = [shapes for shapes in spreads if _result(RULES[target], *[(1, 4)] * len(shapes)) == (1, 4)]
    fits_all = all(_result(RULES[target], *shapes) is None for shapes in [((1, 4), (1, 3)), ((1, 4),) * 2 + ((1, 3),)])
    assert not (spreads and fits_all) or target in BROADCASTING


def test_hazards_are_told_once() -> None:
    prediction, _ = told(lambda net, a, b: torch.cat([a[:, i : i + 2] for i in range(0, 16, 2)], 1), 8)
    words = "slice runs without the removed channels, but what it makes of the others depends on them"
    assert [hazard.message for hazard in prediction.hazards if hazard.severity == "error"] == [words]
