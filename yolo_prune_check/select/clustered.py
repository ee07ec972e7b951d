"""Separability for a whole model: of every bundle of dependency groups, one of each cluster stays."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.model.layers import layers_of
from yolo_prune_check.select.activations import collect
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.ranked import Groups, Ranking, free_bundles
from yolo_prune_check.select.survivors import Clustering, profile, side_by_side
from yolo_prune_check.select.weights import silent_channels

_PERPLEXITY = 10.0  # as specs have it unless they say otherwise


def clustered(evidence: Evidence, graph: ChannelGraph) -> Ranking:
    """The groups that go for a share: of every bundle the same, rounded down, and one of each cluster stays.

    A dependency group is described by what all of its channels tell apart. Where no layer of a bundle has activations,
    its last groups go. Unlike in a ranking, what goes for a larger share need not contain what goes for a smaller one.

    Args:
        evidence: The untouched model and its images.
        graph: Its graph.

    Raises:
        UserError: As ``collect``, or fewer than two classes have two objects each.
    """
    layers = [layer for layer in layers_of(evidence.model) if layer.name in graph.layers]
    found = collect(evidence, layers, every=False)
    profiles = {
        layer.name: profile(found.values[layer.name], found.labels, silent=silent_channels(evidence.model, layer))
        for layer in layers
        if layer.name in found.values
    }
    bundles: list[tuple[Groups, Clustering | None]] = []
    for numbers, bundle in free_bundles(graph):
        parts = [
            profiles[member.layer].part(member.start, member.stop)
            for member in bundle.members
            if member.layer in profiles
        ]
        points = Clustering(side_by_side(parts), perplexity=_PERPLEXITY, seed=evidence.seed) if parts else None
        bundles.append((numbers, points))

    def gone(share: Decimal) -> Groups:
        lost = [np.empty(0, dtype=np.int64)]
        for numbers, points in bundles:
            count = len(numbers) - int(share * len(numbers))
            if count == 0:
                lost.append(numbers)
            elif points is None:
                lost.append(numbers[count:])
            elif count < len(numbers):
                lost.append(np.delete(numbers, points.survivors(count).keep))
        return np.concatenate(lost)

    return gone
