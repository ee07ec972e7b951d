"""A plan for a whole model: which dependency groups go, for a share of the channels or of the multiply-accumulates."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.layers import layers_of
from yolo_prune_check.select.clustered import clustered
from yolo_prune_check.select.criteria import score
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.ranked import Groups, ranked, uniform
from yolo_prune_check.select.survivors import NOTES, Grouping
from yolo_prune_check.select.worth import group_worth, groups_of

Scope = Literal["group", "global"]
"""The same share of every bundle of dependency groups, or one ranking of all."""

FLOOR: Final = 0.1
"""The share of every layer's channels that a global ranking leaves, unless told otherwise."""

_HALVINGS = 16  # of the share of groups that go, to come near a share of the multiply-accumulates


def plan_everywhere(
    evidence: Evidence,
    graph: ChannelGraph,
    criterion: str,
    *,
    scope: Scope,
    ratio: float | None = None,
    macs_cut: float | None = None,
    floor: float = FLOOR,
    round_to: int | None = None,
    grouping: Grouping = NOTES,
) -> Plan:
    """Remove the least important of what can go, by ``group``.

    A dependency group is worth the sum of what its channels are; see ``group_worth``. ``separability`` by
    ``group`` keeps one of each cluster instead; see ``clustered``. Nothing is emptied, and what is frozen stays. With
    `ratio` the share removed is rounded, halves up, and is the decimal that was written: 0.145 of 100 is 15, although
    the nearest binary number is a little less. With `macs_cut` as many go as it takes to save at least that share of
    the multiply-accumulates, as predicted for the plan with all that it gives back.

    Args:
        evidence: The model and its images.
        graph: Its graph.
        criterion: One of ``CRITERIA``.
        scope: ``group``: the same share of every bundle; ``global``: the least important, wherever they are.
        ratio: Share of the dependency groups to remove, above 0 and below 1; of this and `macs_cut` one is given.
        macs_cut: Share of the multiply-accumulates to save, above 0 and below 1.
        floor: With ``global``, the share of every layer's channels that stays at least.
        round_to: As in ``Plan``.
        grouping: How ``separability`` clusters, by ``group``.

    Raises:
        UserError: The criterion applies to no layer, as ``gamma`` in a fused model, or cannot be used with this model
            or data; or less can be saved than `macs_cut`.
    """
    if (ratio is None) == (macs_cut is None):
        raise ValueError("either ratio or macs_cut is given")
    if criterion == "separability" and scope == "group":
        ranking, worth = clustered(evidence, graph, grouping)
    else:
        layers = [layer for layer in layers_of(evidence.model) if layer.name in graph.layers]
        worth = group_worth(graph, score(criterion, evidence, layers), criterion)
        ranking = ranked(graph, worth, floor) if scope == "global" else uniform(graph, worth)

    def plan(share: Decimal) -> Plan:
        return plan_without(graph, ranking(share), worth, round_to=round_to)

    if macs_cut is None:
        return plan(Decimal(repr(ratio)))
    return saving(graph, plan, macs_cut)


def plan_without(graph: ChannelGraph, groups: Groups, worth: NDArray[np.float64], *, round_to: int | None) -> Plan:
    """The plan that removes dependency groups, and gives back the most worthy first."""
    gone = np.zeros(graph.partition.count, dtype=np.bool_)
    gone[groups] = True
    steps = []
    for name in graph.layers:
        own = groups_of(graph, name)
        if gone[own].any():
            steps.append(Step(name, np.flatnonzero(~gone[own]).tolist(), worth[own].tolist()))
    return Plan(steps, "group", round_to=round_to)


def saving(graph: ChannelGraph, plan: Callable[[Decimal], Plan], macs_cut: float) -> Plan:
    """The smallest of a row of ever larger plans that saves at least a share of the multiply-accumulates.

    Args:
        graph: Of the untouched model.
        plan: For any share of what can go, from 0 to 1, the plan without it.
        macs_cut: The share to save, above 0 and below 1.

    Raises:
        UserError: Less can be saved.
    """
    wanted = Decimal(repr(macs_cut))
    whole = graph.predict_many([Plan()])[0].macs or 0

    def saved(candidate: Plan) -> Decimal:
        return 1 - Decimal(graph.predict_many([candidate])[0].macs or 0) / max(whole, 1)

    few, many = Decimal(0), Decimal(1)
    found = plan(many)
    most = saved(found)
    if most < wanted:
        raise UserError(
            "so much cannot be saved",
            value=f"{wanted:%} of the multiply-accumulates",
            hint=f"At most {most:.1%} can go so.",
        )
    for _ in range(_HALVINGS):
        middle = (few + many) / 2
        candidate = plan(middle)
        if saved(candidate) < wanted:
            few = middle
        else:
            many, found = middle, candidate
    return found
