"""What carrying a plan out does to a model's parameters, abstractly."""

from __future__ import annotations

from dataclasses import dataclass, field

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.interpret import Scatter
from yolo_prune_check.channels.parameters import masked, shrunk
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.tensors import Tensor
from yolo_prune_check.errors import UnavailableError


@dataclass(frozen=True)
class Changes:
    """What a plan changes.

    Attributes:
        parameters: Changed parameters by qualified name.
        scattered: Values whose channels an adapter puts back to their places.
    """

    parameters: dict[str, Tensor] = field(default_factory=dict)
    scattered: dict[int, Scatter] = field(default_factory=dict)


def carry_out(graph: ChannelGraph, plan: Plan) -> Changes:
    """Carry a plan out on the abstract parameters.

    Raises:
        UserError: The plan does not fit the model.
    """
    graph.check(plan)
    if plan.execution == "group":
        raise UnavailableError("execution `group` cannot be predicted in this version", hint="Use `mask` or `local`.")
    changes = Changes()
    for name, keep in plan.kept().items():
        layer = graph.layers[name]
        if len(keep) == layer.out_channels:
            continue
        if plan.execution == "mask":
            changes.parameters.update(masked(graph.parameters, layer, keep, plan.mask))
            continue
        changes.parameters.update(shrunk(graph.parameters, layer, keep))
        if plan.execution == "adapter":
            changes.scattered[layer.emission] = Scatter(keep, layer.out_channels)
    return changes
