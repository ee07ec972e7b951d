"""DESIGN facts 1 and 13, on the trained model: zeroing filters does not silence channels."""

from __future__ import annotations

import pytest
from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.confirm import confirm
from yolo_prune_check.model.addresses import find_layer
from yolo_prune_check.model.load import load_model


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    return load_model("yolov8n-digits")


@pytest.fixture(scope="module")
def graph(trained: nn.Module) -> ChannelGraph:
    return ChannelGraph.trace(trained, imgsz=128)


@pytest.mark.parametrize("address", ["1.0", "2.0", "4.0", "5.0"])
def test_weight_masks_leave_every_channel_emitting(trained: nn.Module, graph: ChannelGraph, address: str) -> None:
    layer = find_layer(trained, address)
    half = layer.out_channels // 2
    plan = Plan([Step(layer.name, range(half))], mask="weights")
    prediction = predict(graph, plan)
    result = confirm(trained, plan, prediction)
    assert result.agrees, result.differences
    assert result.observation.weight_norms[layer.name] == half
    assert result.observation.active[layer.name] == layer.out_channels
    assert {hazard.code for hazard in prediction.hazards} >= {"phantom-channel"}
    assert result.max_abs_error is not None
    assert result.max_abs_error > 1e-3


@pytest.mark.parametrize("address", ["1.0", "2.0", "4.0", "5.0"])
def test_silent_masks_silence(trained: nn.Module, graph: ChannelGraph, address: str) -> None:
    layer = find_layer(trained, address)
    half = layer.out_channels // 2
    plan = Plan([Step(layer.name, range(half))])
    result = confirm(trained, plan, predict(graph, plan))
    assert result.agrees, result.differences
    assert result.observation.weight_norms[layer.name] == result.observation.active[layer.name] == half
    assert result.max_abs_error == 0


def test_a_fresh_model_hides_its_phantoms() -> None:
    """BatchNorm without shift: nothing is emitted, and the prediction knows."""
    fresh = load_model("yolov8n.yaml")
    plan = Plan([Step("model.1.conv", range(16))], mask="weights")
    prediction = predict(ChannelGraph.trace(fresh), plan)
    assert prediction.verdict == "safe"
    assert confirm(fresh, plan, prediction).agrees
