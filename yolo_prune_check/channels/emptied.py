"""Verdicts on plans by execution ``group``, many at once: what cannot go, and whether a layer is left with nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.groups import Levels
from yolo_prune_check.channels.leveling import level
from yolo_prune_check.channels.packed import IntArray, Steps
from yolo_prune_check.channels.program import BoolArray

AT_A_TIME = 256
"""Plans for which the groups that stay are held in one array."""


class GroupVerdicts:
    """Which plans are unsafe under ``group``."""

    def __init__(self, graph: ChannelGraph) -> None:
        """Pack the dependency groups of a graph."""
        partition, channels = graph.partition, graph.provenance.channels
        self._label = partition.label
        self._totals = graph.verdicts.table.totals
        self._starts = np.array([channels.span(name).start for name in graph.layers], dtype=np.int64)
        self._frozen = np.zeros(partition.count, dtype=np.bool_)
        self._frozen[list(partition.frozen)] = True
        self._alone, self._entangled = _entanglement(partition.levels, partition.count)
        self._in_entangled = np.zeros(partition.count, dtype=np.bool_)
        for item in self._entangled:
            self._in_entangled[item.groups[item.groups >= 0]] = True
        lines = _least(_lines(graph))
        self._lines = np.array([*chain.from_iterable(lines)], dtype=np.int64)
        self._begins = np.cumsum([0, *map(len, lines[:-1])])

    def unsafe(self, steps: Steps) -> BoolArray:
        """For each plan, ``[P]``: whether it asks for what cannot go, empties a layer or changes nothing."""
        plan, group = self._asked(steps)
        stays = np.ones((len(steps.numbers), len(self._frozen)), dtype=np.bool_)
        stays[plan, group] = False
        stuck = np.zeros(len(stays), dtype=np.bool_)
        stuck[plan[self._frozen[group]]] = True
        if stuck.all():
            return stuck
        asked = np.zeros(len(self._frozen), dtype=np.bool_)
        asked[group] = True
        for item in self._alone:
            if asked[item.free].any():
                item.level(stays)
        if asked[self._in_entangled].any():
            for row in np.flatnonzero(~stuck & ~stays[:, self._in_entangled].all(1)).tolist():
                level(stays[row], self._entangled)
        empties: BoolArray = np.zeros(len(stays), dtype=np.bool_)
        if len(self._lines):
            empties = np.asarray(~np.logical_or.reduceat(stays[:, self._lines], self._begins, axis=1).all(1))
        return np.asarray(stuck | empties | stays.all(1))

    def _asked(self, steps: Steps) -> tuple[IntArray, IntArray]:
        """All channels that plans ask to remove: the plans' positions and the channels' groups."""
        widths = self._totals[steps.layer]
        ends = np.cumsum(widths)
        begins = ends - widths
        goes = np.ones(int(widths.sum()), dtype=np.bool_)
        kept = np.fromiter(chain.from_iterable(steps.keeps), np.int64, int(steps.width.sum()))
        goes[np.repeat(begins, steps.width) + kept] = False
        asked, step = np.flatnonzero(goes), np.repeat(np.arange(len(widths)), widths)[goes]
        return steps.plan[step], self._label[asked + (self._starts[steps.layer] - begins)[step]]


@dataclass(frozen=True)
class _Balance:
    """A balance that shares no group with another one, and in which none occurs twice.

    Attributes:
        blocks: ``[B, C]``, a row of group numbers for each block.
        fixed: ``[B, C]``, whether the entry always stays.
        free: The groups that do not.
    """

    blocks: IntArray
    fixed: BoolArray
    free: IntArray

    def level(self, stays: BoolArray) -> None:
        """As ``leveling.level`` for many plans at once: ``stays`` is ``[P, groups]``."""
        rows = np.flatnonzero(~stays[:, self.free].all(1))
        kept = stays[rows[:, None, None], self.blocks] | self.fixed
        number = kept.sum(2)
        missing = number.max(1, keepdims=True) - number
        back = ~kept & (np.cumsum(~kept, axis=2) <= missing[:, :, None])
        row, block, entry = np.nonzero(back)
        stays[rows[row], self.blocks[block, entry]] = True


def _entanglement(levels: tuple[Levels, ...], count: int) -> tuple[list[_Balance], tuple[Levels, ...]]:
    """The balances that can be levelled each for itself, and those that cannot."""
    users = np.zeros(count, dtype=np.int64)
    for item in levels:
        users[item.groups[item.groups >= 0]] += 1
    alone, entangled = [], []
    for item in levels:
        shared = (users[item.groups[item.groups >= 0]] > 1).any()
        if item.units is not None or not item.apart or shared:
            entangled.append(item)
        else:
            alone.append(_Balance(item.blocks, item.blocks < 0, item.groups[item.groups >= 0]))
    return alone, tuple(entangled)


def _lines(graph: ChannelGraph) -> Iterator[frozenset[int]]:
    """The groups of all that a layer makes or a weight reads, of those that could lose everything."""
    provenance, label = graph.provenance, graph.partition.label
    for name in graph.layers:
        yield frozenset(label[provenance.channels.of(name)].tolist())
    for consumer in provenance.consumers:
        if len(consumer.channels) and (consumer.channels >= 0).all():
            yield frozenset(label[consumer.channels].tolist())


def _least(lines: Iterable[frozenset[int]]) -> list[list[int]]:
    """The lines that contain no other one: as long as these keep something, all do."""
    least: list[list[int]] = []
    begun: dict[int, list[frozenset[int]]] = {}
    for line in sorted(set(lines), key=lambda found: (len(found), min(found))):
        inside = chain.from_iterable(begun.get(group, ()) for group in line)
        if not any(smaller <= line for smaller in inside):
            begun.setdefault(min(line), []).append(line)
            least.append(sorted(line))
    return least
