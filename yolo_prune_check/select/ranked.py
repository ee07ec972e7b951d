"""From what dependency groups are worth to those that go, for any share of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.groups import Group
from yolo_prune_check.select.ranking import share_of
from yolo_prune_check.select.worth import groups_of

Groups = NDArray[np.int64]
"""Numbers of dependency groups, as in ``graph.partition``."""
Ranking = Callable[[Decimal], Groups]
"""The groups that go, for a share of all that can, from 0 to 1."""


def free_bundles(graph: ChannelGraph) -> Iterator[tuple[Groups, Group]]:
    """The bundles of ``graph.groups`` that are not frozen, with the numbers of their groups."""
    start = 0
    for bundle in graph.groups:
        if bundle.frozen is None:
            yield np.arange(start, start + bundle.size), bundle
        start += bundle.size


def uniform(graph: ChannelGraph, worth: NDArray[np.float64]) -> Ranking:
    """Of every bundle the least important, the same share of each; nothing of infinite worth."""
    bundles = [
        numbers[np.argsort(worth[numbers], kind="stable")]
        for numbers, _ in free_bundles(graph)
        if np.isfinite(worth[numbers]).all()  # the groups of a bundle are in the same layers
    ]
    nothing = np.empty(0, dtype=np.int64)
    return lambda share: np.concatenate([nothing, *(each[: share_of(len(each), share)] for each in bundles)])


def ranked(graph: ChannelGraph, worth: NDArray[np.float64], floor: float, *, among: Groups | None = None) -> Ranking:
    """The least important of all, as long as every layer keeps the share `floor` of its channels, and one at least.

    Args:
        graph: The graph.
        worth: [groups]; what is infinitely worthy stays.
        floor: From 0 to 1.
        among: The groups that may go; by default all that are not frozen.

    Returns:
        For a share of those that may go as many of them as the floor lets go.
    """
    owners = _layers_of_groups(graph)
    room = {
        name: layer.out_channels - max(1, math.ceil(Decimal(repr(floor)) * layer.out_channels))
        for name, layer in graph.layers.items()
    }
    allowed = None if among is None else set(among.tolist())
    candidates = [
        group
        for group in np.argsort(worth, kind="stable").tolist()
        if group not in graph.partition.frozen and np.isfinite(worth[group]) and (allowed is None or group in allowed)
    ]
    order = list[int]()
    for group in candidates:
        own = owners[group]
        if any(room[name] < count for name, count in own.items()):
            continue
        for name, count in own.items():
            room[name] -= count
        order.append(group)
    numbers = np.array(order, dtype=np.int64)
    return lambda share: numbers[: share_of(len(candidates), share)]


def _layers_of_groups(graph: ChannelGraph) -> Mapping[int, Mapping[str, int]]:
    """For each group its channels in every layer, counted."""
    found: dict[int, dict[str, int]] = {}
    for name in graph.layers:
        for group in groups_of(graph, name).tolist():
            own = found.setdefault(group, {})
            own[name] = own.get(name, 0) + 1
    return found
