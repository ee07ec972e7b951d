"""Which removed channels are given back, so that pieces stay equally wide and widths are round."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.groups import Levels
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.program import BoolArray, FloatArray
from yolo_prune_check.channels.provenance import Ids


def turn_of(graph: ChannelGraph, plan: Plan) -> Ids | None:
    """For each dependency group its place in the order in which groups are given back; None where it is their number.

    The best come first. A group is worth the mean of what the plan's steps say of its channels, each layer's scores as
    shares of its largest, so that layers count alike; nothing where no step says anything. One that a step scores with
    minus infinity is given back last.
    """
    if all(step.scores is None for step in plan.steps):
        return None
    label, count = graph.partition.label, graph.partition.count
    total, known = np.zeros(count), np.zeros(count, dtype=np.int64)
    for step in plan.steps:
        if step.scores is not None:
            groups = label[graph.provenance.channels.of(step.layer)]
            np.add.at(total, groups, _shares(np.array(step.scores)))
            np.add.at(known, groups, 1)
    worth = total / np.maximum(known, 1)
    turn = np.empty(count, dtype=np.int64)
    turn[np.argsort(-worth, kind="stable")] = np.arange(count)
    return turn


def _shares(scores: FloatArray) -> FloatArray:
    largest = np.abs(scores[np.isfinite(scores)]).max(initial=0)
    return scores / largest if largest else scores


def level(stays: BoolArray, levels: tuple[Levels, ...], turn: Ids | None = None) -> None:
    """Give back groups until every block of each balance keeps equally many.

    Args:
        stays: For each dependency group, whether it stays; changed in place, never to False.
        levels: The balances.
        turn: For each group its place in the order in which groups are given back; None for ascending entries.
    """
    waiting = [item for item in levels if not stays[item.groups[item.groups >= 0]].all()]
    seen = [-1] * len(waiting)  # how many of its groups stayed when a balance was last looked at; only ever more do
    uneven = True
    while uneven:
        uneven = False
        for number, item in enumerate(waiting):
            staying = int(np.count_nonzero(stays[item.groups]))
            if staying == seen[number]:
                continue
            seen[number] = staying
            there = item.blocks if item.units is None else item.blocks[_kept(item.units, stays).any(1)]
            if _raise(there if turn is None else _in_turn(there, turn), stays, apart=item.apart):
                uneven = True


def _in_turn(blocks: Ids, turn: Ids) -> Ids:
    """The entries of each block in the order in which they are given back."""
    return np.take_along_axis(blocks, np.argsort(np.where(blocks < 0, -1, turn[blocks]), axis=1, kind="stable"), axis=1)


def _kept(blocks: Ids, stays: BoolArray) -> BoolArray:
    return np.where(blocks < 0, True, stays[blocks])


def _raise(blocks: Ids, stays: BoolArray, *, apart: bool) -> bool:
    """Give back the first entries of short blocks, until they are as long as the longest; whether any was short."""
    kept = _kept(blocks, stays)
    missing = kept.sum(1).max(initial=0) - kept.sum(1)
    if not missing.any():
        return False
    if apart:
        stays[blocks[~kept & (np.cumsum(~kept, axis=1) <= missing[:, None])]] = True
        return True
    for row in np.flatnonzero(missing).tolist():
        while (kept := _kept(blocks, stays))[row].sum() != kept.sum(1).max():
            stays[blocks[row][~kept[row]][0]] = True
    return True


def round_widths(graph: ChannelGraph, stays: BoolArray, multiple: int, turn: Ids | None) -> None:
    """Give back groups until layers, and what balances keep equal, are a multiple wide, or as wide as they were.

    Args:
        graph: The model's graph.
        stays: For each dependency group, whether it stays; level; changed in place, never to False.
        multiple: Number of channels.
        turn: As for ``level``, which is kept.
    """
    lines = [line if turn is None else _in_turn(line[None], turn)[0] for line in _lines(graph, multiple)]
    uneven = True
    while uneven:
        uneven = False
        for line in lines:
            kept = _kept(line, stays)
            goal = min(-(-int(kept.sum()) // multiple) * multiple, len(line))
            while kept.any() and kept.sum() < goal:
                stays[line[~kept][0]] = True  # one group may stand in several places
                kept, uneven = _kept(line, stays), True
        level(stays, graph.partition.levels, turn)


def _lines(graph: ChannelGraph, multiple: int) -> Iterator[Ids]:
    """The groups of every layer, and of every block of a balance that is as wide as that."""
    for name in graph.layers:
        yield graph.partition.label[graph.provenance.channels.of(name)]
    for item in graph.partition.levels:
        yield from item.blocks if item.blocks.shape[1] >= multiple else ()
