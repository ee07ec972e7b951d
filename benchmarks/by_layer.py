"""A plan that takes the same share of every layer, by what is known of it alone: what `scope: layer` chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial

import numpy as np

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.model.layers import Layer, layers_of
from yolo_prune_check.select.activations import collect
from yolo_prune_check.select.criteria import score
from yolo_prune_check.select.everywhere import saving
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.ranking import Scores, best, share_of
from yolo_prune_check.select.survivors import NOTES, Clustering, profile
from yolo_prune_check.select.worth import groups_of

Keep = Callable[[int], Iterable[int]]
"""From a number of channels of a layer to those that stay."""


def plan_by_layer(evidence: Evidence, graph: ChannelGraph, criterion: str, macs_cut: float) -> Plan:
    """Remove by ``group`` what each layer can spare, and with it what is tied to that, until enough MACs are saved."""
    layers = [layer for layer in layers_of(evidence.model) if _is_free(graph, layer)]
    keep = _of_clusters(evidence, layers) if criterion == "separability" else _of_scores(evidence, layers, criterion)

    def plan(share: Decimal) -> Plan:
        kept = ((layer, layer.out_channels - share_of(layer.out_channels, share)) for layer in layers)
        steps = [Step(layer.name, keep[layer.name](count)) for layer, count in kept if count < layer.out_channels]
        return Plan(steps, "group")

    return saving(graph, plan, macs_cut)


def _is_free(graph: ChannelGraph, layer: Layer) -> bool:
    return layer.name in graph.layers and not set(groups_of(graph, layer.name).tolist()) & set(graph.partition.frozen)


def _of_scores(evidence: Evidence, layers: list[Layer], criterion: str) -> dict[str, Keep]:
    return {name: partial(_best, scores) for name, scores in score(criterion, evidence, layers).items()}


def _best(scores: Scores, count: int) -> Iterable[int]:
    return best(scores, count, last=np.zeros(len(scores), dtype=np.bool_))


def _of_clusters(evidence: Evidence, layers: list[Layer]) -> dict[str, Keep]:
    found = collect(evidence, layers)
    profiles = {name: profile(values, found.labels) for name, values in found.values.items()}
    return {name: partial(_survivors, Clustering(own, NOTES, seed=evidence.seed)) for name, own in profiles.items()}


def _survivors(clustering: Clustering, count: int) -> Iterable[int]:
    return clustering.survivors(count).keep
