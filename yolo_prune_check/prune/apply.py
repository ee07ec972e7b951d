"""Carry a plan out on a copy of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.judge import judge
from yolo_prune_check.channels.network import network_in
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.removal import find_removal
from yolo_prune_check.errors import UserError
from yolo_prune_check.prune.adapter import adapt
from yolo_prune_check.prune.copied import copied
from yolo_prune_check.prune.cuts import Cuts
from yolo_prune_check.prune.group import remove
from yolo_prune_check.prune.local import shrink
from yolo_prune_check.prune.mask import MaskSet
from yolo_prune_check.prune.norms import norms_of
from yolo_prune_check.prune.reference import Reference
from yolo_prune_check.prune.silenced import reference_of
from yolo_prune_check.prune.tied import untie
from yolo_prune_check.prune.unread import unread_attributes

Norms = Mapping[str, str | None]


def prune(model: nn.Module, plan: Plan, *, graph: ChannelGraph | None = None, norms: Norms | None = None) -> nn.Module:
    """Carry a plan out.

    Args:
        model: The model; it is not changed. An Ultralytics ``YOLO`` stands for its network.
        plan: What to prune, and how.
        graph: Graph of this model, to check that the plan fits it; traced at 64 pixels if left out.
        norms: What ``norms_of`` found for this model and the plan's layers; found again if left out.

    Returns:
        A new module. After an unsafe plan by another execution than ``group`` it may not run, or be wrong: that is what
        ``predict`` is for. Under ``group`` it consists of the very classes of the model, and its width attributes are
        true.

    Raises:
        UserError: It is no model; the plan names a layer or channel that does not exist; or, under ``group``, it asks
            for what cannot be removed, leaves a layer with nothing, or removes nothing.
    """
    network = network_in(model, caller="prune")
    graph = graph or ChannelGraph.trace(network)
    if plan.execution == "group":
        _refuse_unsafe(graph, plan)
    return carry_out(network, plan, graph, norms)


def carry_out(model: nn.Module, plan: Plan, graph: ChannelGraph, norms: Norms | None = None) -> nn.Module:
    """Carry a plan out as far as it goes, whatever comes of it: what ``confirm`` looks at.

    Args:
        model: The network; it is not changed.
        plan: What to prune, and how. Under ``group``, what cannot be removed stays.
        graph: Its graph.
        norms: As for ``prune``.

    Raises:
        UserError: The plan names a layer or channel that does not exist.
    """
    graph.check(plan)
    pruned = copied(model)
    if plan.execution == "group":
        remove(pruned, cuts_of(model, plan, graph))
        return pruned
    if norms is None:
        norms = norms_of(pruned, plan.kept(), imgsz=graph.imgsz)
    if plan.execution == "mask":
        masks = MaskSet.from_plan(plan, norms)
        untie(pruned, masks)
        masks.apply(pruned)
    elif plan.execution == "adapter":
        adapt(pruned, plan, norms, imgsz=graph.imgsz)
    else:
        shrink(pruned, plan, norms)
    return pruned


def cuts_of(model: nn.Module, plan: Plan, graph: ChannelGraph) -> Cuts:
    """What a plan by ``group`` leaves of an untouched model's parameters and width attributes."""
    return Cuts.of(find_removal(graph, plan), unread_attributes(model, graph, plan))


def meant_by(model: nn.Module, plan: Plan, graph: ChannelGraph) -> Reference:
    """What the model must compute once a plan is carried out on it.

    Under ``group`` that is the model with all zeroed that goes, not only what the plan names. Which batch norm and
    which inputs belong to what goes is found by running the model.
    """
    if plan.execution == "group":
        return reference_of(model, cuts_of(model, plan, graph), imgsz=graph.imgsz)
    if plan.execution == "adapter":  # masked as well, so that gradients of the rest are those that it must have
        norms = norms_of(model, plan.kept(), imgsz=graph.imgsz)
        masked = carry_out(model, Plan(plan.steps, "mask"), graph, norms)
        return replace(Reference.of_plan(masked, plan), cut=partial(shrink, plan=plan, norms=norms))
    return Reference.of_plan(model, plan)


def _refuse_unsafe(graph: ChannelGraph, plan: Plan) -> None:
    wrong = [hazard for hazard in judge(graph, plan).hazards if hazard.severity == "error"]
    if wrong:
        first = wrong[0]
        raise UserError(
            f"the plan cannot be carried out by `group` ({first.code}): {first.message}",
            where=first.layer,
            hint="predict(graph, plan).repair is the smallest change that makes it safe.",
        )
