"""Masked channels that a norm which is not their layer's own gives a voice again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Execution, MaskKind, Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.confirm import confirm


class LastNorm(nn.Module):
    """A layer norm over the channels of a feature map."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return result


class Beside(nn.Module):
    """A batch norm behind a concat."""

    def __init__(self) -> None:
        super().__init__()
        self.other, self.norm = nn.Conv2d(16, 4, 1), nn.BatchNorm2d(20)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.norm(torch.cat([self.other(x), x], 1))[:, 4:]
        return result


class Net(nn.Module):
    """What is tried, between two convolutions."""

    def __init__(self, *between: nn.Module) -> None:
        super().__init__()
        self.first, self.between, self.last = nn.Conv2d(3, 16, 3, 4, 1), nn.Sequential(*between), nn.Conv2d(16, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.last(self.between(self.first(x)))
        return result


def net(*between: nn.Module) -> Net:
    """With norms as training leaves them: a freshly built one has no shift."""
    torch.manual_seed(0)
    model = Net(*between).double().eval()
    for module in model.modules():
        for name in ("weight", "bias", "running_mean"):
            if not isinstance(module, nn.Conv2d) and getattr(module, name, None) is not None:
                nn.init.uniform_(getattr(module, name), 0.5, 1.5)
    return model


FOREIGN: dict[str, tuple[Callable[[], Net], str]] = {
    "group norm": (lambda: net(nn.GroupNorm(4, 16)), "native_group_norm in between.0"),
    "instance norm": (lambda: net(nn.InstanceNorm2d(16, affine=True)), "native_batch_norm in between.0"),
    "layer norm": (lambda: net(LastNorm()), "native_layer_norm in between.0.norm"),
    "behind an activation": (lambda: net(nn.ReLU(), nn.BatchNorm2d(16)), "native_batch_norm in between.1"),
    "behind a pool": (lambda: net(nn.MaxPool2d(2), nn.BatchNorm2d(16)), "native_batch_norm in between.1"),
    "behind a concat": (lambda: net(Beside()), "native_batch_norm in between.0.norm"),
}


@pytest.mark.parametrize("execution", ["mask", "adapter"])
@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_norm_revives_masked_channels(name: str, execution: Execution) -> None:
    make, operator = FOREIGN[name]
    model = make()
    plan = Plan([Step("first", range(6))], execution)
    prediction = predict(ChannelGraph.trace(model, imgsz=32), plan)
    assert prediction.verdict == "safe"
    assert [(hazard.code, hazard.severity, hazard.layer, hazard.message) for hazard in prediction.hazards][:1] == [
        ("revived-by-norm", "warning", "first", f"10 masked channels speak again behind {operator}")
    ]
    assert prediction.layers["last"].active_in == 16
    if execution == "mask":  # which alone is carried out
        assert confirm(model, plan, prediction).agrees


def test_norms_that_revive_the_same_channels_are_counted() -> None:
    prediction = predict(ChannelGraph.trace(net(Twice()), imgsz=32), Plan([Step("first", range(6))]))
    assert [hazard.message for hazard in prediction.hazards] == [
        "10 masked channels speak again behind native_batch_norm in between.0.left, and behind another norm"
    ]


class Twice(nn.Module):
    """Two batch norms that read the same activations."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.BatchNorm2d(16), nn.BatchNorm2d(16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.relu()
        result: torch.Tensor = self.left(x) + self.right(x)
        return result


@pytest.mark.parametrize("mask", ["silent", "weights"])
def test_a_layers_own_norm_revives_nothing(mask: MaskKind) -> None:
    graph = ChannelGraph.trace(net(nn.BatchNorm2d(16), nn.ReLU()), imgsz=32)
    prediction = predict(graph, Plan([Step("first", range(8))], "mask", mask))
    assert {hazard.code for hazard in prediction.hazards} == ({"phantom-channel"} if mask == "weights" else set())


def test_a_norm_that_shifts_nothing_revives_nothing() -> None:
    model = Net(nn.ReLU(), nn.BatchNorm2d(16)).eval()  # as it is built: a mean and a shift of 0
    assert predict(ChannelGraph.trace(model, imgsz=32), Plan([Step("first", range(8))])).hazards == ()
