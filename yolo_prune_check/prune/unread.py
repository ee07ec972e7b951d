"""Module attributes that hold widths and that only a second forward reads."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.removal import find_removal
from yolo_prune_check.prune.cuts import Attributes
from yolo_prune_check.prune.second import SECOND, second_forwards

_known: WeakKeyDictionary[ChannelGraph, ChannelGraph] = WeakKeyDictionary()


def unread_attributes(model: nn.Module, graph: ChannelGraph, plan: Plan) -> Attributes:
    """What these attributes hold after a plan by ``group``, by module and attribute.

    Args:
        model: The untouched model; its second forwards are traced, once for each graph, and it is left as it was.
        graph: Its graph.
        plan: The plan.
    """
    if not any(hasattr(module, SECOND) for module in model.modules()):
        return {}
    other = _known.get(graph)
    if other is None:
        with second_forwards(model):
            other = _known[graph] = ChannelGraph.trace(model, imgsz=graph.imgsz)
    return find_removal(other, plan).attributes
