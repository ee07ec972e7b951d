"""Heads and conv groups of which nothing less than all can go, and what cannot go for their sake."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.groups import Levels
from yolo_prune_check.select.ranked import Groups

Whole = tuple[int, ...]
"""Numbers of dependency groups that go only together, ascending."""


@dataclass
class WholeParts:
    """What of a model goes as a whole or not at all.

    Attributes:
        of: By group, the head or conv group that it stands in, if nothing less can go.
        stuck: Groups that always stay: frozen ones, those of a head or conv group that holds one of these and must keep
            all it has, and -1.
        levels: By number, the balances that hold by that alone: each block keeps all, or goes with its unit.
    """

    of: dict[int, Whole]
    stuck: set[int]
    levels: dict[int, Levels] = field(default_factory=dict)

    def with_all(self, groups: Iterable[int]) -> Whole:
        """These groups, and all that go only with them: one may reach into another."""
        return tuple(sorted({other for group in groups for other in self.of.get(group, (group,))}))

    def goes_or_stays(self, block: Groups) -> bool:
        """Whether all of a block stays, or all of it goes."""
        groups = {*block.tolist()}
        return groups <= self.stuck or groups <= {*self.of.get(min(groups), ())}


def find_whole_parts(graph: ChannelGraph) -> WholeParts:
    """What the balances of a model leave no choice about.

    Where one block keeps all it has, or goes as a whole, every other block of its balance keeps all, too, or goes with
    its unit. So heads are found by the constant row that stands in their balance.
    """
    found = WholeParts({}, {-1, *graph.partition.frozen})
    seen = None
    while seen != (seen := (len(found.stuck), dict(found.of))):
        for number, level in enumerate(graph.partition.levels):
            if any(map(found.goes_or_stays, level.blocks)):
                found.levels[number] = level
        blocks = [np.unique(level.blocks).tolist() for level in found.levels.values()]
        needed = frozenset(found.with_all(group for groups in blocks for group in groups))
        for level in found.levels.values():
            for number, block in enumerate(level.blocks):
                _follow(found, block, None if level.units is None else level.units[number], needed)
    return found


def _follow(found: WholeParts, block: Groups, unit: Groups | None, needed: frozenset[int]) -> None:
    """Note that a block stays or goes with its unit.

    It is said to stay where others of its unit may go one by one, which else could go only with it: so do the heads
    that hold what the groups of a convolution make.

    Args:
        found: What is known so far; changed in place.
        block: Its groups.
        unit: Those that go with it, if it may go.
        needed: All groups of such blocks, of every balance.
    """
    own = {*block.tolist()}
    if own <= found.stuck:
        return
    whole = found.with_all(own if unit is None else own.union(unit.tolist()))
    if unit is None or not needed.issuperset(whole) or not found.stuck.isdisjoint(whole):
        found.stuck.update(found.with_all(own))
    else:
        found.of.update(dict.fromkeys(whole, whole))
