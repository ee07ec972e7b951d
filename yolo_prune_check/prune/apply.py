"""Carry a plan out on a copy of the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.network import network_in
from yolo_prune_check.channels.plan import Execution, Plan
from yolo_prune_check.errors import UnavailableError
from yolo_prune_check.prune.copied import copied
from yolo_prune_check.prune.local import shrink
from yolo_prune_check.prune.mask import MaskSet
from yolo_prune_check.prune.norms import norms_of
from yolo_prune_check.prune.tied import untie

CARRIED_OUT: tuple[Execution, ...] = ("mask", "local")
"""Executions that this version carries out; all are predicted."""


def prune(
    model: nn.Module,
    plan: Plan,
    *,
    graph: ChannelGraph | None = None,
    norms: Mapping[str, str | None] | None = None,
) -> nn.Module:
    """Carry a plan out.

    Args:
        model: The model; it is not changed. An Ultralytics ``YOLO`` stands for its network.
        plan: What to prune, and how.
        graph: Graph of this model, to check that the plan fits it; traced at 64 pixels if left out.
        norms: What ``norms_of`` found for this model and the plan's layers; found again if left out.

    Returns:
        A new module. Under ``local`` it may not run: that is what ``predict`` is for.

    Raises:
        UserError: It is no model, or the plan names a layer or channel that does not exist.
        UnavailableError: Execution ``group`` or ``adapter``, which this version does not carry out.
    """
    network = network_in(model, caller="prune")
    check_carried_out([plan.execution])
    graph = graph or ChannelGraph.trace(network)
    graph.check(plan)
    pruned = copied(network)
    if norms is None:
        norms = norms_of(pruned, plan.kept(), imgsz=graph.imgsz)
    if plan.execution == "mask":
        masks = MaskSet.from_plan(plan, norms)
        untie(pruned, masks)
        masks.apply(pruned)
    else:
        shrink(pruned, plan, norms)
    return pruned


def check_carried_out(executions: Iterable[str]) -> None:
    """Refuse executions that this version only predicts.

    Raises:
        UnavailableError: There is one among these.
    """
    for execution in executions:
        if execution not in CARRIED_OUT:
            raise UnavailableError(
                f"execution `{execution}` is predicted but not carried out in this version",
                hint=f"Use {' or '.join(f'`{known}`' for known in CARRIED_OUT)}, or predict only.",
            )
