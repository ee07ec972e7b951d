"""What can be pruned alone: dependency groups that are alike, with those of which equally many must stay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.removal import find_removal
from yolo_prune_check.select.ranked import Groups, free_bundles
from yolo_prune_check.select.ranking import share_of

Whole = tuple[int, ...]
"""Numbers of dependency groups that go only together."""


@dataclass(frozen=True)
class Unit:
    """Dependency groups that can be pruned without any other.

    Attributes:
        name: Its first layer, with a number if that has channels in an earlier unit, too, and is the first there.
        layers: All layers that have channels in them, in the order of the graph.
        cells: The groups in parts, from each of which the same share goes: those of the same layers that stand in the
            same pieces of splits, heads or conv groups, of which equally many must stay. [parts, groups]: a row goes as
            a whole; it is one group, or those of a head or conv group of which nothing less can go.
    """

    name: str
    layers: tuple[str, ...]
    cells: tuple[Groups, ...]

    @property
    def size(self) -> int:
        """How many dependency groups there are."""
        return sum(cell.size for cell in self.cells)

    @property
    def wholes(self) -> int:
        """How many heads or conv groups there are of which nothing less can go."""
        return sum(len(cell) for cell in self.cells if cell.shape[1] > 1)

    def least(self, worth: NDArray[np.float64], ratio: float) -> Groups:
        """Of every cell the least important, a share of its rows: of a larger share, these and more.

        Args:
            worth: [groups].
            ratio: The share, of which the decimal that was written counts; below 1.
        """
        share = Decimal(repr(ratio))
        ranked = (cell[np.argsort(worth[cell].sum(1), kind="stable")] for cell in self.cells)
        least = (each[: share_of(len(each), share)].ravel() for each in ranked)
        return np.concatenate([np.empty(0, dtype=np.int64), *least])


def units_of(graph: ChannelGraph) -> tuple[Unit, ...]:
    """All units, in the order of the graph: no group that can go is in two, or in none."""
    bundles = list(free_bundles(graph))
    layers = [frozenset(member.layer for member in bundle.members) for _, bundle in bundles]
    wholes = _wholes(graph)
    places = _places(graph, wholes)
    unit_of = _tied(bundles_of_groups={int(g): i for i, (ns, _) in enumerate(bundles) for g in ns}, graph=graph)
    by_layers = dict[frozenset[str], int]()
    found = dict[int, list[int]]()
    for index, names in enumerate(layers):  # bundles of the same layers are one, wherever something stands between
        first = by_layers.setdefault(names, unit_of[index])
        if first != unit_of[index]:
            unit_of = [first if unit == unit_of[index] else unit for unit in unit_of]
    for index, unit in enumerate(unit_of):
        found.setdefault(unit, []).append(index)
    units = [_unit(graph, [(bundles[i][0], layers[i]) for i in members], wholes, places) for members in found.values()]
    return tuple(_named(units))


def _named(units: Iterable[Unit]) -> Iterator[Unit]:
    seen = dict[str, int]()
    for unit in units:
        first = unit.layers[0]
        seen[first] = seen.get(first, 0) + 1
        yield replace(unit, name=first if seen[first] == 1 else f"{first} #{seen[first]}")


def _unit(
    graph: ChannelGraph,
    members: Sequence[tuple[Groups, frozenset[str]]],
    wholes: Mapping[int, Whole],
    places: Mapping[int, frozenset[int]],
) -> Unit:
    layers_of = {group: layers for numbers, layers in members for group in numbers.tolist()}
    cells = dict[tuple[frozenset[str], frozenset[int], int], list[Whole]]()
    for row in dict.fromkeys(wholes.get(group, (group,)) for group in layers_of):
        layers = frozenset[str]().union(*(layers_of[group] for group in row))
        there = frozenset[int]().union(*(places.get(group, frozenset()) for group in row))
        cells.setdefault((layers, there, len(row)), []).append(row)
    names = frozenset[str]().union(*layers_of.values())
    arrays = tuple(np.array(cell, dtype=np.int64) for cell in cells.values())
    return Unit("", tuple(name for name in graph.layers if name in names), arrays)


def _wholes(graph: ChannelGraph) -> dict[int, Whole]:
    """By group, the head or conv group that it stands in, if nothing less can go."""
    found = dict[int, Whole]()
    for level in graph.partition.levels:
        if level.units is None or not level.only_whole:
            continue
        for row in level.units:
            own = {*row.tolist()}
            if -1 in own or not graph.partition.frozen.keys().isdisjoint(own):
                continue
            whole = tuple(sorted(own.union(*(found.get(group, ()) for group in own))))  # one may reach into another
            found.update(dict.fromkeys(whole, whole))
    return found


def _places(graph: ChannelGraph, wholes: Mapping[int, Whole]) -> dict[int, frozenset[int]]:
    """By group, in which blocks it stands of which equally many must stay; blocks are counted over all of these.

    Where each unit is in what goes as a whole, all of it stays or none: such blocks are equal by themselves.
    """
    found = dict[int, set[int]]()
    number = 0
    for level in graph.partition.levels:
        if level.units is not None and all(_is_within(row, wholes) for row in level.units):
            continue
        for row in level.blocks:
            for group in np.unique(row[row >= 0]).tolist():
                found.setdefault(group, set()).add(number)
            number += 1
    return {group: frozenset(numbers) for group, numbers in found.items()}


def _is_within(row: Groups, wholes: Mapping[int, Whole]) -> bool:
    """Whether all of a head or conv group is in what goes as a whole; one that always stays counts as such."""
    return -1 in row or {*row.tolist()} <= {*wholes.get(int(row[0]), ())}


def _tied(*, bundles_of_groups: Mapping[int, int], graph: ChannelGraph) -> list[int]:
    """For each bundle a number that it shares with those of which equally many must stay."""
    count = len(set(bundles_of_groups.values()))
    left, right = list[int](), list[int]()
    for level in graph.partition.levels:
        own = sorted({bundles_of_groups[group] for group in level.groups.tolist() if group in bundles_of_groups})
        left += own[:1] * (len(own) - 1)
        right += own[1:]
    ones = np.ones(len(left), dtype=np.int8)
    _, label = connected_components(coo_array((ones, (left, right)), shape=(count, count)), directed=False)
    numbers: list[int] = label.tolist()
    return numbers


def settled(graph: ChannelGraph, plan: Plan) -> Plan:
    """A plan by ``group`` that names all that goes, in the order of the graph, and is as if nothing was given back."""
    kept = find_removal(graph, plan).kept
    return Plan([Step(name, kept[name]) for name in graph.layers if name in kept], "group")


def union(parts: Iterable[Groups]) -> Groups:
    """All groups of several parts, sorted."""
    found: Groups = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *parts]))
    return found
