"""Module attributes that hold widths and that only another forward than the usual one reads.

Some of Ultralytics' modules have a second forward, which its exporter puts in the first one's place: C2f's
``forward_split`` cuts by its attribute ``c``, where ``forward`` cuts in two. A pruned model must export as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.removal import find_removal
from yolo_prune_check.prune.cuts import Attributes

SECOND = "forward_split"
"""Name of the second forward."""

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


@contextmanager
def second_forwards(model: nn.Module) -> Iterator[None]:
    """Put second forwards in the first ones' place, as the exporter does, and the first ones back at the end."""
    changed = [module for module in model.modules() if hasattr(module, SECOND)]
    before = [vars(module).get("forward") for module in changed]
    try:
        for module in changed:
            vars(module)["forward"] = getattr(module, SECOND)
        yield
    finally:
        for module, forward in zip(changed, before, strict=True):
            if forward is None:
                del vars(module)["forward"]
            else:
                vars(module)["forward"] = forward
