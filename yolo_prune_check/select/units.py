"""What can be pruned alone: dependency groups that are alike, with those of which equally many must stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
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
from yolo_prune_check.select.whole_parts import Whole, WholeParts, find_whole_parts


@dataclass(frozen=True)
class Cell:
    """Rows of dependency groups, of which the same share goes as of every other cell of a unit.

    Attributes:
        rows: [parts, groups]. A row goes as a whole; it is one group, or those of a head or conv group of which nothing
            less can go.
        layers: Of each row, those that have channels in it.
    """

    rows: Groups
    layers: tuple[frozenset[str], ...]

    def least(self, worth: NDArray[np.float64], share: Decimal) -> Groups:
        """The groups of the least important rows; every layer keeps one row, so that none is emptied.

        Args:
            worth: [groups].
            share: Of the rows.
        """
        wanted = share_of(len(self.rows), share)
        left = Counter(name for names in self.layers for name in names)
        gone = list[int]()
        for row in np.argsort(worth[self.rows].sum(1), kind="stable").tolist():
            if len(gone) < wanted and all(left[name] > 1 for name in self.layers[row]):
                left.subtract(self.layers[row])
                gone.append(row)
        return self.rows[gone].ravel()


@dataclass(frozen=True)
class Unit:
    """Dependency groups that can be pruned without any other.

    Attributes:
        name: Its first layer, with a number if that has channels in an earlier unit, too, and is the first there.
        layers: All layers that have channels in them, in the order of the graph.
        cells: The groups in parts, from each of which the same share goes: those of the same layers that stand in the
            same pieces of splits, heads or conv groups, of which equally many must stay; and the heads of one
            attention, or conv groups of one convolution, of which nothing less can go.
    """

    name: str
    layers: tuple[str, ...]
    cells: tuple[Cell, ...]

    @property
    def size(self) -> int:
        """How many dependency groups there are."""
        return sum(cell.rows.size for cell in self.cells)

    @property
    def whole_parts(self) -> int:
        """How many heads or conv groups there are that can go, and of which nothing less can."""
        return sum(len(cell.rows) for cell in self.cells if cell.rows.shape[1] > 1)

    def whole_parts_in(self, groups: Groups) -> int:
        """How many of these are among some groups."""
        return sum(int(np.isin(cell.rows, groups).all(1).sum()) for cell in self.cells if cell.rows.shape[1] > 1)

    def least(self, worth: NDArray[np.float64], ratio: float) -> Groups:
        """Of every cell the least important, a share of its rows: of a larger share, these and more.

        Args:
            worth: [groups].
            ratio: The share, of which the decimal that was written counts; below 1.
        """
        share = Decimal(repr(ratio))
        return np.concatenate([np.empty(0, dtype=np.int64), *(cell.least(worth, share) for cell in self.cells)])


def units_of(graph: ChannelGraph) -> tuple[Unit, ...]:
    """All units, in the order of the graph: no group that can go is in two, or in none."""
    bundles = list(free_bundles(graph))
    layers = [frozenset(member.layer for member in bundle.members) for _, bundle in bundles]
    whole_parts = find_whole_parts(graph)
    places = _places(graph, whole_parts)
    unit_of = _tied(bundles_of_groups={int(g): i for i, (ns, _) in enumerate(bundles) for g in ns}, graph=graph)
    by_layers = dict[frozenset[str], int]()
    found = dict[int, dict[int, frozenset[str]]]()
    for index, names in enumerate(layers):  # bundles of the same layers are one, wherever something stands between
        first = by_layers.setdefault(names, unit_of[index])
        if first != unit_of[index]:
            unit_of = [first if unit == unit_of[index] else unit for unit in unit_of]
    for unit, (numbers, _), names in zip(unit_of, bundles, layers, strict=True):
        layers_of = {group: names for group in numbers.tolist() if group not in whole_parts.stuck}
        if layers_of:
            found.setdefault(unit, {}).update(layers_of)
    return tuple(_named(_unit(graph, layers_of, whole_parts, places) for layers_of in found.values()))


def _named(units: Iterable[Unit]) -> Iterator[Unit]:
    seen = dict[str, int]()
    for unit in units:
        first = unit.layers[0]
        seen[first] = seen.get(first, 0) + 1
        yield replace(unit, name=first if seen[first] == 1 else f"{first} #{seen[first]}")


def _unit(
    graph: ChannelGraph,
    layers_of: Mapping[int, frozenset[str]],
    whole_parts: WholeParts,
    places: Mapping[int, frozenset[int]],
) -> Unit:
    cells = dict[tuple[frozenset[str], frozenset[int], frozenset[int], int], list[Whole]]()
    levels_of = _levels_of(whole_parts)
    for row in dict.fromkeys(whole_parts.with_all([group]) for group in layers_of):
        there = frozenset[int]().union(*(places.get(group, frozenset()) for group in row))
        levels = frozenset[int]().union(*(levels_of.get(group, frozenset()) for group in row))
        alike = frozenset[str]() if row[0] in whole_parts.of else layers_of[row[0]]  # heads are, whatever fills them
        cells.setdefault((alike, levels, there, len(row)), []).append(row)
    names = frozenset[str]().union(*layers_of.values())
    return Unit(
        "",
        tuple(name for name in graph.layers if name in names),
        tuple(
            Cell(
                np.array(rows, dtype=np.int64),
                tuple(frozenset[str]().union(*(layers_of[group] for group in row)) for row in rows),
            )
            for rows in cells.values()
        ),
    )


def _levels_of(whole_parts: WholeParts) -> dict[int, frozenset[int]]:
    """By group that goes as a whole, the balances that it stands in: those of one attention are alike."""
    found = dict[int, set[int]]()
    for number, level in whole_parts.levels.items():
        for group in level.groups.tolist():
            if group in whole_parts.of:
                found.setdefault(group, set()).add(number)
    return {group: frozenset(numbers) for group, numbers in found.items()}


def _places(graph: ChannelGraph, whole_parts: WholeParts) -> dict[int, frozenset[int]]:
    """By group, in which blocks it stands of which equally many must stay; blocks are counted over all of these."""
    found = dict[int, set[int]]()
    number = 0
    for index, level in enumerate(graph.partition.levels):
        if index in whole_parts.levels:  # equal by themselves
            continue
        for row in level.blocks:
            for group in np.unique(row[row >= 0]).tolist():
                found.setdefault(group, set()).add(number)
            number += 1
    return {group: frozenset(numbers) for group, numbers in found.items()}


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
