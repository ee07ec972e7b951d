"""Carry a plan out on a copy of the model."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.errors import UnavailableError
from yolo_prune_check.prune.local import shrink
from yolo_prune_check.prune.mask import MaskSet
from yolo_prune_check.prune.norms import norms_of


def prune(
    model: nn.Module,
    plan: Plan,
    *,
    graph: ChannelGraph | None = None,
    norms: Mapping[str, str | None] | None = None,
) -> nn.Module:
    """Carry a plan out.

    Args:
        model: The model; it is not changed.
        plan: What to prune, and how.
        graph: Graph of this model, to check that the plan fits it; traced at 64 pixels if left out.
        norms: What ``norms_of`` found for this model and the plan's layers; found again if left out.

    Returns:
        A new module. Under ``local`` it may not run: that is what ``predict`` is for.

    Raises:
        UserError: The plan names a layer or channel that does not exist.
        UnavailableError: Execution ``group`` or ``adapter``, which this version does not carry out.
    """
    graph = graph or ChannelGraph.trace(model)
    graph.check(plan)
    pruned = deepcopy(model)
    if norms is None:
        norms = norms_of(pruned, plan.kept(), imgsz=graph.imgsz)
    if plan.execution == "mask":
        MaskSet.from_plan(plan, norms).apply(pruned)
    elif plan.execution == "local":
        shrink(pruned, plan, norms)
    else:
        raise UnavailableError(
            f"execution `{plan.execution}` is declared but not carried out in this version",
            hint="Use `mask` or `local`.",
        )
    return pruned
