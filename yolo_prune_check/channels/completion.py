"""Complete what symmetry would give back: partner channels that have to go as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.groups import Levels
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.program import BoolArray
from yolo_prune_check.channels.provenance import Ids
from yolo_prune_check.channels.removal import level, named_by

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
    for whole in _WAYS:
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
    frozen = np.zeros(len(asked), dtype=np.bool_)
    frozen[list(graph.partition.frozen)] = True
    gone = asked.copy()
    for _ in range(_ROUNDS):
        before = int(gone.sum())
        for item in graph.partition.levels:
            if gone[item.groups[item.groups >= 0]].any() and not _match(item, gone, frozen, whole):
                return None
        if int(gone.sum()) == before:
            return gone
    return None


def _match(item: Levels, gone: BoolArray, frozen: BoolArray, whole: _Whole) -> bool:
    """Remove as many from every block of a balance as from the one that loses most; whether that is possible."""
    if item.units is not None and whole != "never":
        kept = (~_among(gone, item.blocks)).sum(1)
        short = kept == 0 if whole == "emptied" else kept < kept.max()
        taken = item.units[short & (item.units >= 0).all(1)]
        if frozen[taken].any():
            return False
        gone[taken] = True
    blocks = item.blocks if item.units is None else item.blocks[~_among(gone, item.units).all(1)]
    return all(_shorten(row, blocks, gone, frozen) for row in blocks)


def _shorten(row: Ids, blocks: Ids, gone: BoolArray, frozen: BoolArray) -> bool:
    """Remove from one block until it is no longer than the shortest, first at the offsets that are gone there."""
    lost = _among(gone, blocks)
    shortest = int(lost.sum(1).argmax())
    free = ~_among(gone, row) & ~_among(frozen, row) & (row >= 0)
    offsets = np.flatnonzero(free)
    partners_first = offsets[np.argsort(~lost[shortest][offsets], kind="stable")]
    for offset in partners_first.tolist():
        if _among(gone, row).sum() >= lost[shortest].sum():
            break
        gone[row[offset]] = True  # of a group that stands in several places all go
    return bool(_among(gone, row).sum() >= lost[shortest].sum())


def _among(flags: BoolArray, groups: Ids) -> BoolArray:
    """For each entry whether its group is flagged; what belongs to none is not."""
    return np.where(groups < 0, False, flags[groups])


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
            steps[first] = Step(layer, set(steps[first].keep) - indices)
        else:
            steps.append(Step(layer, set(range(graph.layers[layer].out_channels)) - indices))
    return Plan(steps, plan.execution, plan.mask)


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
