"""The shipped detector with every second channel of each free layer removed, of stock classes, built once."""

from __future__ import annotations

from functools import lru_cache

from torch import nn

from tests.channels.carry_out import carry_out
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.removal import find_removal
from yolo_prune_check.model.load import load_model
from yolo_prune_check.prune.apply import prune

SIZE = 64


@lru_cache
def dense_digits() -> nn.Module:
    return load_model("yolov8n-digits")


@lru_cache
def _graph() -> ChannelGraph:
    return ChannelGraph.trace(dense_digits(), imgsz=SIZE)


@lru_cache
def half_plan() -> Plan:
    free = [name for name in _graph().layers if name not in _graph().head_layers]
    return Plan([Step(name, range(0, _graph().layers[name].out_channels, 2)) for name in free], "group")


@lru_cache
def small_digits() -> nn.Module:
    """Pruned. Copy before changing it."""
    return prune(dense_digits(), half_plan(), graph=_graph())


@lru_cache
def stale_digits() -> nn.Module:
    """The same weights, in blocks of which C2f's still say that they are as wide as before."""
    return carry_out(dense_digits(), find_removal(_graph(), half_plan()))


def size_of(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
