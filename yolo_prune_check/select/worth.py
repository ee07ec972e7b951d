"""What dependency groups are worth: the scores of their channels, added up over all layers that these are in."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.select.criteria import criterion_named
from yolo_prune_check.select.ranking import Scores, as_shares

Worth = NDArray[np.float64]
"""[groups], what each is worth; infinite of those that stay."""


def group_worth(graph: ChannelGraph, scores: Mapping[str, Scores], criterion: str) -> Worth:
    """What each dependency group is worth: the sum of what its channels are.

    Where the criterion's scores are not comparable between layers, each layer's count as shares of its largest. Layers
    that are not scored say nothing; a group that is in no other layer is infinitely worthy, so that it stays.

    Args:
        graph: The untouched model's.
        scores: By layer of it, [channels].
        criterion: Whose they are.

    Returns:
        [groups], by the group's number in ``graph.partition``.
    """
    comparable = criterion_named(criterion).comparable
    worth, known = np.zeros(graph.partition.count), np.zeros(graph.partition.count, dtype=np.bool_)
    for layer, own in scores.items():
        np.add.at(worth, groups_of(graph, layer), own if comparable else as_shares(own))
        known[groups_of(graph, layer)] = True
    worth[~known] = np.inf
    return worth


def groups_of(graph: ChannelGraph, layer: str) -> NDArray[np.int64]:
    """[channels] of a layer: the number of each one's dependency group."""
    numbers: NDArray[np.int64] = graph.partition.label[graph.provenance.channels.of(layer)]
    return numbers


def in_full(
    graph: ChannelGraph, scores: Mapping[str, Scores], present: Mapping[str, Collection[int]]
) -> dict[str, Scores]:
    """Scores of the channels that layers still have as scores of all that they had: 0 of what is gone.

    Args:
        graph: Of the untouched model.
        scores: By layer, [channels that it has].
        present: Which these are, in the numbering of the untouched model.
    """
    found = {}
    for layer, own in scores.items():
        found[layer] = np.zeros(graph.layers[layer].out_channels)
        found[layer][list(present[layer])] = own
    return found
