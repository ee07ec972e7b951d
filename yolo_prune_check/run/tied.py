"""Choosing the channels of a layer by what they are worth with all that is tied to them."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.model.layers import Layer, layers_of
from yolo_prune_check.run.state import State
from yolo_prune_check.select.choose import Choice
from yolo_prune_check.select.criteria import score
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.ranking import best, keep_count
from yolo_prune_check.select.weights import silent_channels
from yolo_prune_check.select.worth import group_worth, groups_of
from yolo_prune_check.spec.schema import HALF, Select


def choose_with_ties(state: State, evidence: Evidence, layer: Layer, select: Select, *, untouched: bool) -> Choice:
    """Keep the best of each bundle of dependency groups that a layer has channels in, the same share of each.

    Bundles are not compared with each other: channels that more layers are tied to would look more important for that
    alone. What earlier steps took of a bundle counts; channels that were masked are kept last.

    Args:
        state: Of the scenario.
        evidence: The model to choose on.
        layer: As it is in the untouched model.
        select: Criterion and share.
        untouched: Whether the model to choose on is the untouched one.

    Returns:
        In the numbering of the untouched model.
    """
    graph, name, width = state.baseline.graph, layer.name, layer.out_channels
    own, bundles = groups_of(graph, name), _bundles_of(graph, name)
    layers = {known.name: known for known in layers_of(evidence.model) if known.name in graph.layers}
    tied = [known for known in layers.values() if np.isin(groups_of(graph, known.name), own).any()]
    there = {
        known.name: range(known.out_channels)
        if untouched
        else state.present(known.name, graph.layers[known.name].out_channels)
        for known in tied
    }
    scores = {
        each: _in_full(found, there[each], graph.layers[each].out_channels)
        for each, found in score(select.criterion, evidence, tied).items()
    }
    worth = group_worth(graph, scores, select.criterion)[own]
    silent = _in_full(silent_channels(evidence.model, layers[name]), there[name], width).astype(np.bool_)
    present, kept = np.isin(np.arange(width), list(there[name])), list[int]()
    for bundle in np.unique(bundles).tolist():
        left = np.flatnonzero((bundles == bundle) & present)
        count = keep_count(int((bundles == bundle).sum()), select.share or HALF)
        kept += left[list(best(worth[left], count, last=silent[left]))].tolist()
    details = {"k": len(kept), "silent": int(silent.sum())}
    if not present.all():
        details["gone"] = int((~present).sum())
    return Choice(tuple(sorted(kept)), tuple(np.where(present, worth, -np.inf).tolist()), details)


def _bundles_of(graph: ChannelGraph, layer: str) -> np.typing.NDArray[np.int64]:
    """[channels] of a layer: the number of each one's bundle in ``graph.groups``."""
    sizes = [bundle.size for bundle in graph.groups]
    numbers: np.typing.NDArray[np.int64] = np.repeat(np.arange(len(sizes)), sizes)[groups_of(graph, layer)]
    return numbers


def _in_full(
    values: np.typing.NDArray[np.generic], present: Collection[int], width: int
) -> np.typing.NDArray[np.float64]:
    """Numbers of the channels that are left as numbers of all: 0 of what is gone."""
    found = np.zeros(width)
    found[list(present)] = values
    return found
