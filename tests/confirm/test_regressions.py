"""Plans on which prediction and execution once disagreed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import pytest
import torch
from torch import nn

from benchmarks.zoo import build, randomise_norms
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Execution, MaskKind, Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.confirm import confirm


@lru_cache(maxsize=2)
def network(name: str) -> nn.Module:
    model = build(name)
    randomise_norms(model, 0)
    return model


@pytest.mark.parametrize(
    ("model", "execution", "mask", "steps"),
    [
        pytest.param(
            "yolov6n.yaml",
            "mask",
            "weights",
            {"model.4.0.conv": [60], "model.4.1.conv": [21], "model.19.2.conv": range(8), "model.27.0.conv": [79]},
            id="what varied was rounded away behind two layers that keep one channel",
        ),
        pytest.param(
            "yolov8n-pose-p6.yaml",
            "local",
            "silent",
            {"model.23.cv1.conv": [113]},
            id="a line unpacks two pieces of a chunk that has run and gave one",
        ),
        pytest.param(
            "mobilenet_v3_small",
            "local",
            "silent",
            {"features.4.block.2.fc2": [0], "features.5.block.2.fc1": range(64)},
            id="one channel of a gate is broadcast over the channels that it scales",
        ),
        pytest.param(
            "mobilenet_v3_small",
            "mask",
            "silent",
            {"features.4.block.2.fc2": range(8)},
            id="a silenced gate still lets half of everything through",
        ),
        pytest.param(
            "resnext50_32x4d",
            "mask",
            "weights",
            {"layer2.1.conv1": [1]},
            id="a conv group reads constants alone",
        ),
        pytest.param(
            "yoloe-26n-seg.yaml",
            "local",
            "silent",
            {"model.23.one2one_cv5.2.1.conv": [28], "model.23.cv5.2.1.conv": [6, 7, 10, 17, 23, 28, 29]},
            id="the break of another branch comes first",
        ),
        pytest.param(
            "yolov8n-world.yaml",
            "local",
            "silent",
            {"model.23.cv3.0.1.conv": range(40)},
            id="einsum takes its operands one by one",
        ),
        pytest.param(
            "yolov8n-world.yaml",
            "local",
            "silent",
            {"model.23.cv2.0.2": range(32)},
            id="more calls are made for two images than for one",
        ),
    ],
)
def test_prediction_and_execution_agree(
    model: str, execution: Execution, mask: MaskKind, steps: Mapping[str, Sequence[int]]
) -> None:
    net = network(model)
    graph = ChannelGraph.trace(net)
    plan = Plan([Step(layer, keep) for layer, keep in steps.items()], execution, mask)
    assert confirm(net, plan, predict(graph, plan)).differences == ()


class Tokens(nn.Module):
    """A linear layer on the pixels of a feature map, as in a transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.linear = nn.Linear(8, 16)
        self.b = nn.Sequential(nn.Conv2d(16, 8, 1), nn.BatchNorm2d(8), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.a(x)
        tokens = self.linear(x.flatten(2).transpose(1, 2)).relu()
        result: torch.Tensor = self.b(tokens.transpose(1, 2).reshape(-1, 16, *x.shape[2:]))
        return result


def test_what_a_linear_layer_makes_of_constants_is_constant() -> None:
    torch.manual_seed(0)
    model = Tokens().eval()
    randomise_norms(model, 0)
    plan = Plan([Step("a.0", [])], "mask", "weights")
    prediction = predict(ChannelGraph.trace(model, imgsz=32), plan)
    assert prediction.layers["b.0"].active_in is not None
    assert prediction.layers["b.0"].active_in < 16
    assert confirm(model, plan, prediction).agrees
