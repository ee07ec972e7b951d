"""What carrying a plan out does to a model, abstractly."""

from __future__ import annotations

from dataclasses import dataclass, field

from yolo_prune_check.channels.adapted import adapted
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.interpret import Scatter
from yolo_prune_check.channels.parameters import masked, shrunk
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.program import Op
from yolo_prune_check.channels.removal import Removal, find_removal
from yolo_prune_check.channels.shrink import shrunk_ops, shrunk_parameters
from yolo_prune_check.channels.tensors import Tensor


@dataclass(frozen=True)
class Changes:
    """What a plan changes.

    Attributes:
        parameters: Changed parameters by qualified name.
        scattered: Values whose channels an adapter puts back to their places.
        narrow: Channels that module calls return before an adapter widens what they return, by the call's index.
        replaced: Operators whose arguments change, by index.
        removal: What goes under execution ``group``; None under the others.
    """

    parameters: dict[str, Tensor] = field(default_factory=dict)
    scattered: dict[int, Scatter] = field(default_factory=dict)
    narrow: dict[int, int] = field(default_factory=dict)
    replaced: dict[int, Op] = field(default_factory=dict)
    removal: Removal | None = None

    @property
    def regrouped(self) -> dict[str, int]:
        """New groups of grouped convolutions that lose channels, by layer."""
        if self.removal is None:
            return {}
        layers = self.removal.graph.layers
        return {name: cut.groups for name, cut in self.removal.layers.items() if layers[name].groups > 1}


def carry_out(graph: ChannelGraph, plan: Plan) -> Changes:
    """Carry a plan out on the abstract model.

    Raises:
        UserError: The plan does not fit the model.
    """
    if plan.execution == "group":
        removal = find_removal(graph, plan)
        return Changes(shrunk_parameters(graph, removal), replaced=shrunk_ops(graph, removal), removal=removal)
    graph.check(plan)
    changes = Changes()
    for name, keep in plan.kept().items():
        layer = graph.layers[name]
        if len(keep) == layer.out_channels:
            continue
        if plan.execution == "mask":
            changes.parameters.update(masked(graph.parameters, layer, keep, plan.mask))
            continue
        place = adapted(graph, layer) if plan.execution == "adapter" else None
        if plan.execution == "adapter" and place is None:
            continue  # it stays as it is, which is a hazard
        changes.parameters.update(shrunk(graph.parameters, layer, keep))
        if place is not None:
            changes.scattered.update(dict.fromkeys(place.values, Scatter(keep, layer.out_channels)))
            changes.narrow.update(dict.fromkeys(place.narrow, len(keep)))
    return changes
