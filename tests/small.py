"""The shipped detector with every second channel of each free layer removed, of stock classes, built once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from torch import nn

from tests.channels.carry_out import carry_out
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.removal import find_removal
from yolo_prune_check.model.load import load_model

SIZE = 64


@lru_cache
def dense_digits() -> nn.Module:
    return load_model("yolov8n-digits")


@lru_cache
def half_plan() -> Plan:
    graph = ChannelGraph.trace(dense_digits(), imgsz=SIZE)
    free = [name for name in graph.layers if name not in graph.head_layers]
    return Plan([Step(name, range(0, graph.layers[name].out_channels, 2)) for name in free], "group")


@lru_cache
def stale_digits() -> nn.Module:
    """With weights cut and what the modules say of their widths left as it was. Copy before changing it."""
    graph = ChannelGraph.trace(dense_digits(), imgsz=SIZE)
    return carry_out(dense_digits(), find_removal(graph, half_plan()))


@lru_cache
def small_digits() -> nn.Module:
    """With true widths. Copy before changing it."""
    from ultralytics.nn.modules import C2f

    from yolo_prune_check.prune.copied import copied

    model: Any = copied(stale_digits())
    for module in model.modules():
        if isinstance(module, C2f):
            module.c = module.cv1.conv.out_channels // 2
    return model


def size_of(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
