"""What runs in training alone keeps the channels that it reads: else the small model could not be trained."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.models import graph_of, stock
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.judge import judge
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.confirm.proof import prove
from yolo_prune_check.prune.apply import carry_out, meant_by


class Auxiliary(nn.Module):
    """Has a second head for training; one of two layers feeds it."""

    def __init__(self, images: int = 1) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 4, 1)
        self.aux, self.images = nn.Sequential(nn.Conv2d(8, 8, 1), nn.Conv2d(8, 4, 1)), images

    def forward(self, x: torch.Tensor) -> object:
        y = self.a(x)
        z = self.head(self.b(y))
        if not self.training:
            return z
        if len(x) < self.images:
            raise ValueError("too few images to train on")
        return z, self.aux(y)


def test_channels_that_training_reads_stay() -> None:
    graph = ChannelGraph.trace(Auxiliary(), imgsz=8)
    assert [(reader.operator, [str(part) for part in reader.channels]) for reader in graph.training] == [
        ("the training-only layer aux.0", ["a[0:8]"])
    ]
    plan = Plan([Step("a", range(6))], "group")
    for found in (predict(graph, plan), judge(graph, plan), graph.predict_many([plan])[0]):
        assert [hazard.message for hazard in found.hazards if hazard.code == "frozen-channel"] == [
            "2 of 8 channels cannot be removed: the training-only layer aux.0 needs them"
        ]
    assert predict(graph, Plan([Step("b", range(6))], "group")).verdict == "safe"
    assert predict(graph, Plan([Step("a", range(6))], "mask")).verdict == "safe"


def test_a_model_that_cannot_be_traced_as_in_training_is_traced_all_the_same() -> None:
    graph = ChannelGraph.trace(Auxiliary(images=2), imgsz=8)
    assert (graph.unvisited, graph.training) == (("aux.0", "aux.1"), ())


def test_the_model_is_left_in_its_mode() -> None:
    model = Auxiliary().train()
    model.head.eval()
    before = [module.training for module in model.modules()]
    ChannelGraph.trace(model, imgsz=8)
    assert [module.training for module in model.modules()] == before


@pytest.mark.parametrize(
    ("name", "layer", "reader"),
    [
        ("yolo26n-seg.yaml", "model.16.cv2.conv", "model.23.proto.semseg.0.conv"),
        ("yolo26n-pose.yaml", "model.23.cv4.0.1.conv", "model.23.cv4_sigma.0"),
    ],
)
def test_a_small_model_of_this_kind_can_be_trained(name: str, layer: str, reader: str) -> None:
    model, graph = stock(name), graph_of(name)
    refused = predict(graph, Plan([Step(layer, range(8))], "group"))
    assert refused.verdict == "unsafe"
    assert any(hazard.message.endswith(f"the training-only layer {reader} needs them") for hazard in refused.hazards)
    plan = Plan([Step("model.1.conv", range(16)), Step("model.23.cv3.0.0.0.conv", range(32))], "group")
    rows = prove(meant_by(model, plan, graph), carry_out(model, plan, graph), (64,))
    assert [row for row in rows if not row.passed] == []
