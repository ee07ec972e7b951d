"""Complete what symmetry would give back: partner channels that have to go as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.groups import Levels
from yolo_prune_check.channels.leveling import level
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.program import BoolArray
from yolo_prune_check.channels.provenance import Ids
from yolo_prune_check.channels.removal import named_by

_ROUNDS = 50
"""Passes over all balances after which a completion is given up; one pass leads to the next where balances share."""

_Whole = Literal["never", "emptied", "uneven"]
"""Which blocks of a conv group or attention head let all of it go, instead of having their losses matched."""

_WAYS: tuple[_Whole, ...] = ("never", "emptied", "uneven")


def complete(graph: ChannelGraph, plan: Plan) -> Plan | None:
    """A plan under ``group`` of which nothing would go, with the fewest partner channels found by which all of it goes.

    Where equally many channels must stay in each block, the others lose those at the offsets of the block that loses
    most; or the whole conv group or attention head goes to which that block belongs. Channels are named in the steps
    that there are, as far as these name their layers, and else in further steps behind them.

    Returns:
        The completed plan, or None if the plan is not a ``no-op`` for symmetry's sake, or cannot be completed safely.
    """
    asked = _given_back(graph, plan)
    if asked is None:
        return None
    found: dict[bytes, BoolArray] = {}
    has_units = any(item.units is not None for item in graph.partition.levels)
    for whole in _WAYS if has_units else _WAYS[:1]:  # they differ only in what they do with units
        gone = _completed(graph, asked, whole)
        if gone is not None:
            found.setdefault(gone.tobytes(), gone)
    for gone in sorted(found.values(), key=lambda groups: int(groups[graph.partition.label].sum())):  # stable
        completed = _extended(graph, plan, gone & ~asked)
        if graph.verdicts.of(completed)[0] == "safe":
            return completed
    return None


def _given_back(graph: ChannelGraph, plan: Plan) -> BoolArray | None:
    """The groups that a plan asks for, if all of them can go, and none does: each is kept for symmetry."""
    partition = graph.partition
    asked = np.zeros(partition.count, dtype=np.bool_)
    asked[partition.label[named_by(graph, plan)]] = True
    if not asked.any() or asked[list(partition.frozen)].any():
        return None
    stays = ~asked
    level(stays, partition.levels)
    return asked if stays.all() else None


def _completed(graph: ChannelGraph, asked: BoolArray, whole: _Whole) -> BoolArray | None:
    """The groups that go when each balance is kept by removing more; None if that takes what cannot go."""
    gone = np.append(asked, False)  # behind the groups, at -1, what belongs to none: it never goes, and cannot
    frozen = np.zeros(len(gone), dtype=np.bool_)
    frozen[list(graph.partition.frozen)] = frozen[-1] = True
    matched = [0] * len(graph.partition.levels)  # how many of its groups were gone when a balance was last matched
    for _ in range(_ROUNDS):
        before = np.count_nonzero(gone)
        for number, item in enumerate(graph.partition.levels):
            lost = int(np.count_nonzero(gone[item.groups]))
            if lost == matched[number]:
                continue
            matched[number] = lost
            if not _match(item, gone, frozen, whole):
                return None
        if np.count_nonzero(gone) == before:
            return gone[:-1]
    return None


def _match(item: Levels, gone: BoolArray, frozen: BoolArray, whole: _Whole) -> bool:
    """Remove as many from every block of a balance as from the one that loses most; whether that is possible."""
    if item.units is not None and whole != "never":
        kept = (~gone[item.blocks]).sum(1)
        short = kept == 0 if whole == "emptied" else kept < kept.max()
        taken = item.units[short & (item.units >= 0).all(1)]
        if frozen[taken].any():
            return False
        gone[taken] = True
    blocks = item.blocks if item.units is None else item.blocks[~gone[item.units].all(1)]
    lost = gone[blocks]
    counts = lost.sum(1)
    for number, row in enumerate(blocks):
        shortest = int(counts.argmax())
        missing = int(counts[shortest] - counts[number])
        if not missing:
            continue
        partners = _partners(row, missing, ~(lost[number] | frozen[row]), lost[shortest])
        if partners is None:
            return False
        gone[partners] = True
        lost = gone[blocks]
        counts = lost.sum(1)
    return True


def _partners(row: Ids, missing: int, free: BoolArray, first: BoolArray) -> Ids | None:
    """Groups of a block that take at least so many entries from it, those at certain offsets first; None if too few.

    Of a group that stands in several places all go.
    """
    offsets = np.flatnonzero(free)
    groups = row[offsets[np.argsort(~first[offsets], kind="stable")]]
    _, found, times = np.unique(groups, return_index=True, return_counts=True)
    order = np.argsort(found)
    taken = np.cumsum(times[order])
    needed = int(np.searchsorted(taken, missing)) + 1
    return groups[found[order[:needed]]] if needed <= len(taken) else None


def _extended(graph: ChannelGraph, plan: Plan, groups: BoolArray) -> Plan:
    """The plan with one channel more of each of these groups."""
    more: dict[str, set[int]] = {}
    for channel in _named_for(graph, plan.layers, groups).tolist():
        layer, index = graph.provenance.channels.layer_of(channel)
        more.setdefault(layer, set()).add(index)
    steps = list(plan.steps)
    for layer, indices in more.items():
        if layer in plan.layers:
            first = plan.layers.index(layer)
            steps[first] = Step(layer, set(steps[first].keep) - indices, steps[first].scores)
        else:
            steps.append(Step(layer, set(range(graph.layers[layer].out_channels)) - indices))
    return plan.with_steps(steps)


def _named_for(graph: ChannelGraph, layers: Sequence[str], groups: BoolArray) -> Ids:
    """Of each group the first channel, if possible one of these layers, ascending."""
    label, channels = graph.partition.label, graph.provenance.channels
    there = np.zeros(channels.total, dtype=np.bool_)
    for name in layers:
        there[channels.span(name)] = True
    members = np.flatnonzero(groups[label])
    members = members[np.argsort(~there[members], kind="stable")]
    _, first = np.unique(label[members], return_index=True)
    return np.sort(members[first])
