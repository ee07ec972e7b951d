"""Choosing the channels of layers by what they are worth with all that is tied to them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.model.layers import Layer, layers_of
from yolo_prune_check.select.choose import Choice, grouping_of, not_scored
from yolo_prune_check.select.clustered import described_by, preferences, profiles_of
from yolo_prune_check.select.criteria import score_any
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.ranking import best, keep_count
from yolo_prune_check.select.survivors import Clustering
from yolo_prune_check.select.weights import silent_channels
from yolo_prune_check.select.worth import Worth, group_worth, groups_of, in_full
from yolo_prune_check.spec.schema import HALF, Select

Present = Callable[[str], Collection[int]]
"""The channels that a layer still has, in the numbering of the untouched model."""
Channels = NDArray[np.int64]
"""Numbers of channels of a layer."""


def choose_with_ties(
    graph: ChannelGraph, evidence: Evidence, names: Sequence[str], select: Select, present: Present
) -> dict[str, Choice]:
    """Keep the best of each bundle of dependency groups that a layer has channels in, the same share of each.

    Bundles are not compared with each other: channels that more layers are tied to would look more important for that
    alone. What earlier steps took of a bundle counts; channels that were masked are kept last.

    Args:
        graph: Of the untouched model.
        evidence: The model to choose on, and its images: one pass over them serves all layers.
        names: The layers.
        select: Criterion and share.
        present: What the layers that are tied to these, and they themselves, still have.

    Returns:
        By layer, in the numbering of the untouched model.

    Raises:
        UserError: As ``score_any`` and ``profiles_of``; or nothing is said of a layer and what is tied to it.
    """
    tied = _tied_layers(graph, evidence, names)
    there = {layer.name: present(layer.name) for layer in tied}
    choose = _by_clusters if select.clusters else _by_worth
    return choose(graph, evidence, tied, names, select, there)


def _by_worth(
    graph: ChannelGraph,
    evidence: Evidence,
    tied: Sequence[Layer],
    names: Sequence[str],
    select: Select,
    present: Mapping[str, Collection[int]],
) -> dict[str, Choice]:
    worth = group_worth(graph, in_full(graph, score_any(select.criterion, evidence, tied), present), select.criterion)
    _require_scored(graph, worth, names, select.criterion)
    choices = {}
    for name, silent in _silent(graph, evidence, tied, names, present).items():
        own, kept = worth[groups_of(graph, name)], list[int]()
        for bundle, left, _ in _bundles_of(graph, name, present[name]):
            count = keep_count(len(bundle), select.share or HALF)
            kept += left[list(best(own[left], count, last=silent[left]))].tolist()
        choices[name] = _choice(kept, own, present[name], {"silent": int(silent.sum())})
    return choices


def _by_clusters(
    graph: ChannelGraph,
    evidence: Evidence,
    tied: Sequence[Layer],
    names: Sequence[str],
    select: Select,
    present: Mapping[str, Collection[int]],
) -> dict[str, Choice]:
    grouping = grouping_of(select)
    profiles, activations = profiles_of(evidence, graph, tied, grouping, present)
    preferred = preferences(evidence, graph, tied, grouping, present)
    starts = np.cumsum([0, *(bundle.size for bundle in graph.groups)])
    choices = {}
    for name in names:
        group, kept, why = groups_of(graph, name), list[int](), list[dict[str, Any]]()
        scores = np.zeros(len(group))
        for bundle, left, number in _bundles_of(graph, name, present[name]):
            described = described_by(graph.groups[number], profiles)
            if described is None:
                raise not_scored(name, select.criterion)
            count = None if select.share is None else keep_count(len(bundle), select.share)
            if count is not None and count >= len(left):
                kept += left.tolist()
                continue
            own = described.of(group[left] - starts[number])
            preference = None if preferred is None else preferred[group[left]]
            found = Clustering(own, grouping, seed=evidence.seed).survivors(count, preference)
            scores[left] = found.scores
            kept += left[list(found.keep)].tolist()
            why.append({"channels": len(left), **found.details})
        choices[name] = _choice(kept, scores, present[name], {"bundles": why, **activations.counts})
    return choices


def _require_scored(graph: ChannelGraph, worth: Worth, names: Sequence[str], criterion: str) -> None:
    """Refuse layers of which a criterion says nothing: neither of them nor of what is tied to them.

    Args:
        graph: Of the untouched model.
        worth: [groups].
        names: The layers.
        criterion: Whose worth it is.

    Raises:
        UserError: There is such a layer.
    """
    for name in names:
        if not np.isfinite(worth[groups_of(graph, name)]).all():
            raise not_scored(name, criterion)


def _choice(
    kept: Collection[int], worth: NDArray[np.float64], present: Collection[int], details: Mapping[str, Any]
) -> Choice:
    there = np.isin(np.arange(len(worth)), list(present))
    gone = {} if there.all() else {"gone": int((~there).sum())}
    scores = tuple(np.where(there, worth, -np.inf).tolist())
    return Choice(tuple(sorted(kept)), scores, {"k": len(kept), **details, **gone})


def _bundles_of(graph: ChannelGraph, layer: str, present: Collection[int]) -> list[tuple[Channels, Channels, int]]:
    """The channels of a layer by bundle of ``graph.groups``: all, those that are present, and the bundle's number."""
    sizes = [bundle.size for bundle in graph.groups]
    numbers = np.repeat(np.arange(len(sizes)), sizes)[groups_of(graph, layer)]
    found = []
    for number in np.unique(numbers).tolist():
        own = np.flatnonzero(numbers == number)
        found.append((own, own[np.isin(own, list(present))], number))
    return found


def _silent(
    graph: ChannelGraph,
    evidence: Evidence,
    tied: Sequence[Layer],
    names: Sequence[str],
    present: Mapping[str, Collection[int]],
) -> dict[str, NDArray[np.bool_]]:
    """By layer, [channels] of the untouched model: those that are zero everywhere."""
    own = {layer.name: layer for layer in tied}
    found = {name: silent_channels(evidence.model, own[name]).astype(np.float64) for name in names}
    return {name: silent.astype(np.bool_) for name, silent in in_full(graph, found, present).items()}


def _tied_layers(graph: ChannelGraph, evidence: Evidence, names: Sequence[str]) -> list[Layer]:
    """The layers of the model that have channels tied to those of some layers, these among them."""
    own = np.unique(np.concatenate([groups_of(graph, name) for name in names]))
    known = (layer for layer in layers_of(evidence.model) if layer.name in graph.layers)
    return [layer for layer in known if np.isin(groups_of(graph, layer.name), own).any()]
