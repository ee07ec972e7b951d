"""A plan for a whole model: the same share of every bundle of dependency groups."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Literal

import numpy as np
from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.layers import Layer, layers_of
from yolo_prune_check.select import criteria

Criterion = Literal["l1", "gamma", "random"]


def plan_everywhere(
    model: nn.Module, graph: ChannelGraph, criterion: Criterion, ratio: float, *, seed: int, round_to: int | None
) -> Plan:
    """Remove the least important of what can go, by ``group``, the share ``ratio`` of each bundle, rounded down.

    The share is the decimal that was written: 0.29 of 100 is 29, although the nearest binary number is a little less.

    A dependency group is worth the sum of what its channels are, each layer's scores as shares of its largest; layers
    to which the criterion does not apply say nothing. Nothing is emptied, and what is frozen stays.

    Args:
        model: An Ultralytics model.
        graph: Its graph.
        criterion: Needs no data.
        ratio: Above 0, below 1.
        seed: Of ``random``.
        round_to: As in ``Plan``.

    Raises:
        UserError: The criterion applies to no layer, as ``gamma`` in a fused model.
    """
    scores = _scores(model, graph, criterion, seed)
    if not scores:
        raise UserError(
            f"the criterion {criterion} applies to no layer of this model",
            hint="A fused model has no BatchNorm. Choose by l1, or load the unfused model.",
        )
    stays = {name: np.ones(layer.out_channels, dtype=np.bool_) for name, layer in graph.layers.items()}
    for group in graph.groups:
        if group.frozen is not None:
            continue
        worth = np.zeros(group.size)
        for member in group.members:
            if member.layer in scores:
                worth += scores[member.layer][member.start : member.stop]
        least = np.argsort(worth, kind="stable")[: int(Decimal(repr(ratio)) * group.size)]
        for member in group.members:
            stays[member.layer][member.start + least] = False
    steps = [
        Step(name, np.flatnonzero(kept).tolist(), scores[name].tolist() if name in scores else None)
        for name, kept in stays.items()
        if not kept.all()
    ]
    return Plan(steps, "group", round_to=round_to)


def _scores(model: nn.Module, graph: ChannelGraph, criterion: Criterion, seed: int) -> dict[str, criteria.Scores]:
    """Of each layer to which the criterion applies, as shares of its largest."""
    rules: dict[Criterion, Callable[[Layer], criteria.Scores]] = {
        "l1": lambda layer: criteria.l1(model, layer),
        "gamma": lambda layer: criteria.gamma(model, layer),
        "random": lambda layer: criteria.random(layer, seed),
    }
    found = {}
    for layer in layers_of(model):
        if layer.name in graph.layers and (criterion != "gamma" or layer.norm is not None):
            scores = rules[criterion](layer)
            found[layer.name] = scores / (np.abs(scores).max(initial=0) or 1.0)
    return found
