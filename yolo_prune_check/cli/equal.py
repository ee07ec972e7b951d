"""Blocks of channels of which equally many must stay: what `inspect` and `predict` say of halves, heads and groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.groups import Levels
from yolo_prune_check.channels.provenance import Balance, ChannelRange, Ids
from yolo_prune_check.channels.rules import CONVOLUTIONS


@dataclass(frozen=True)
class Block:
    """Channels that are counted together.

    Attributes:
        ranges: The channels.
        fixed: How many entries are counted besides, which always stay.
        groups: The dependency groups that hold the channels.
    """

    ranges: tuple[ChannelRange, ...]
    fixed: int
    groups: frozenset[int]


@dataclass(frozen=True)
class Equal:
    """Blocks of which equally many must stay, whichever.

    Attributes:
        operators: The operators that need it, in words.
        blocks: The blocks.
        units: The heads of an attention, or groups of a convolution, that may go as a whole: then only those that stay
            have to be equal. Empty where every block must stay.
        unit: What such a unit is called; empty where there are none.
        only: Whether nothing less than a unit can go.
    """

    operators: tuple[str, ...]
    blocks: tuple[Block, ...]
    units: tuple[Block, ...]
    unit: str
    only: bool

    @property
    def groups(self) -> frozenset[int]:
        """The dependency groups that hold any of the channels."""
        return frozenset().union(*(block.groups for block in self.blocks))

    @property
    def reach(self) -> frozenset[int]:
        """These, and those of the units that may go as a whole."""
        return self.groups.union(*(unit.groups for unit in self.units))


def equals_of(graph: ChannelGraph) -> tuple[Equal, ...]:
    """All of them, in execution order; those that ask the same of the same channels once.

    Blocks are left out that others keep equal anyway, such as an attention's keys, which go with its queries.
    """
    found: dict[tuple[frozenset[Block], frozenset[Block]], Equal] = {}
    pairs = zip(graph.provenance.balances, graph.partition.levels, strict=True)
    for balance, level in sorted(pairs, key=lambda pair: pair[0].op.index):
        item = _equal(graph, balance, level)
        if item is None:
            continue
        known = found.setdefault((_key(item.blocks), _key(item.units)), item)
        if item.operators[0] not in known.operators:
            operators = (*known.operators, *item.operators)
            found[_key(item.blocks), _key(item.units)] = replace(known, operators=operators)
    return tuple(found.values())


def linked(groups: frozenset[int], equals: Iterable[Equal]) -> list[Equal]:
    """The constraints on these dependency groups, and those that share groups with one of them, and so on."""
    others = list(equals)
    found = [item for item in others if not item.groups.isdisjoint(groups)]
    reached = frozenset[int]()
    while len(reached) < len(reached := reached.union(*(item.reach for item in found))):
        found = [item for item in others if item in found or not item.reach.isdisjoint(reached)]
    return found


def companions(item: Equal, equals: Iterable[Equal]) -> list[tuple[int, Block]]:
    """What else has to go with one of the units of ``item``: how many channels of which blocks."""
    unit, plain = item.units[0].groups, [other for other in equals if not other.units]
    waiting = [(len(block.groups & unit), other, block) for other in plain for block in other.blocks]
    waiting = [entry for entry in waiting if entry[0]]
    found: list[tuple[int, Block]] = []
    while waiting:
        count, equal, block = waiting.pop(0)
        for partner in equal.blocks:
            if partner == block or partner.groups & unit or (count, partner) in found:
                continue
            found.append((count, partner))
            waiting += [(count, other, partner) for other in plain if other != equal and partner in other.blocks]
    return found


def _equal(graph: ChannelGraph, balance: Balance, level: Levels) -> Equal | None:
    """A balance as people see it; None if it asks nothing, or of nothing that can go."""
    units = () if balance.units is None or level.units is None else tuple(_blocks(graph, balance.units, level.units))
    blocks = tuple(_blocks(graph, balance.blocks, level.blocks))
    only = level.only_whole
    if only:
        blocks = tuple(block for block in blocks if block.ranges)
    item = Equal(
        (level.operator,),
        blocks,
        tuple(unit for unit in units if unit.ranges),
        ("conv group" if balance.op.target in CONVOLUTIONS else "head") if units else "",
        only,
    )
    asks = len(blocks) > 1 or only
    return item if asks and not item.groups <= graph.partition.frozen.keys() else None


def _blocks(graph: ChannelGraph, rows: Ids, numbers: Ids) -> Iterator[Block]:
    """The blocks of a balance, those of the same groups once."""
    seen = set()
    for row, groups in zip(rows, numbers, strict=True):
        key = np.sort(groups).tobytes()
        if key not in seen:
            seen.add(key)
            there = row >= 0
            ranges = graph.provenance.channels.ranges(np.sort(row[there]))  # shuffled or not, they are only counted
            yield Block(ranges, int((~there).sum()), frozenset(groups[there].tolist()))


def _key(blocks: Sequence[Block]) -> frozenset[Block]:
    """Blocks by what they are of, not by which of the channels that go together stand for it."""
    return frozenset(replace(block, ranges=()) for block in blocks)
