"""Separability with all that is tied to a channel: of every bundle of dependency groups, one of each cluster stays."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.groups import Group
from yolo_prune_check.model.layers import Layer, layers_of
from yolo_prune_check.select.activations import Activations, collect
from yolo_prune_check.select.criteria import score
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.ranked import Groups, Ranking, free_bundles
from yolo_prune_check.select.ranking import share_of
from yolo_prune_check.select.survivors import PREFERENCES, Clustering, Grouping, Profile, profile, side_by_side
from yolo_prune_check.select.weights import silent_channels
from yolo_prune_check.select.worth import Worth, group_worth, in_full


def clustered(evidence: Evidence, graph: ChannelGraph, grouping: Grouping) -> tuple[Ranking, Worth]:
    """The groups that go for a share: of every bundle the same, and one of each cluster stays; and what each is worth.

    Unlike in a ranking, what goes for a larger share need not contain what goes for a smaller one. A bundle of which no
    layer has activations stays.

    Args:
        evidence: The untouched model and its images.
        graph: Its graph.
        grouping: How groups are clustered.

    Raises:
        UserError: As ``profiles_of``.
    """
    layers = [layer for layer in layers_of(evidence.model) if layer.name in graph.layers]
    present = {layer.name: range(layer.out_channels) for layer in layers}
    profiles, _ = profiles_of(evidence, graph, layers, grouping, present)
    preferred = preferences(evidence, graph, layers, grouping, present)
    bundles: list[tuple[Groups, Clustering]] = []
    for numbers, bundle in free_bundles(graph):
        described = described_by(bundle, profiles)
        if described is not None:
            bundles.append((numbers, Clustering(described, grouping, seed=evidence.seed)))

    def gone(share: Decimal) -> Groups:
        lost = [np.empty(0, dtype=np.int64)]
        for numbers, clustering in bundles:
            count = len(numbers) - share_of(len(numbers), share)
            if count < len(numbers):
                preference = None if preferred is None else preferred[numbers]
                lost.append(np.delete(numbers, clustering.survivors(count, preference).keep))
        return np.concatenate(lost)

    separation = {name: own.features.mean(axis=1) for name, own in profiles.items()}
    return gone, group_worth(graph, separation, "separability")


def profiles_of(
    evidence: Evidence,
    graph: ChannelGraph,
    layers: Sequence[Layer],
    grouping: Grouping,
    present: Mapping[str, Collection[int]],
) -> tuple[dict[str, Profile], Activations]:
    """How the channels of layers tell classes apart, and the activations that say so; those that are gone are zero.

    Args:
        evidence: The model as it is, and its images.
        graph: Of the untouched model.
        layers: Of the model as it is. Those that do not run, or make no map of the image, are left out.
        grouping: By which distance.
        present: By layer, the channels it has, in the numbering of the untouched model.

    Raises:
        UserError: As ``collect``, or fewer than two classes have two objects each.
    """
    found = collect(evidence, layers, every=False)
    profiles = {}
    for layer in layers:
        if layer.name in found.values:
            silent = silent_channels(evidence.model, layer)
            own = profile(found.values[layer.name], found.labels, distance=grouping.distance, silent=silent)
            profiles[layer.name] = own.among(list(present[layer.name]), graph.layers[layer.name].out_channels)
    return profiles, found


def described_by(bundle: Group, profiles: Mapping[str, Profile]) -> Profile | None:
    """What the groups of a bundle tell apart, each by all of its channels; None where none of its layers is known."""
    parts = [
        profiles[member.layer].of(slice(member.start, member.stop))
        for member in bundle.members
        if member.layer in profiles
    ]
    return side_by_side(parts) if parts else None


def preferences(
    evidence: Evidence,
    graph: ChannelGraph,
    layers: Sequence[Layer],
    grouping: Grouping,
    present: Mapping[str, Collection[int]],
) -> NDArray[np.float64] | None:
    """[groups]: by which of each cluster the one with the largest stays; None where it is the medoid.

    Args:
        evidence: The model as it is.
        graph: Of the untouched model.
        layers: Of the model as it is.
        grouping: Which one stays.
        present: By layer, the channels it has, in the numbering of the untouched model.

    Raises:
        UserError: ``gamma``, and no layer has a BatchNorm.
    """
    criterion = PREFERENCES[grouping.survivor]
    if criterion is None:
        return None
    return group_worth(graph, in_full(graph, score(criterion, evidence, layers), present), criterion)
