"""The steps of thousands of plans as arrays, one row for each step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from itertools import chain
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.program import BoolArray

IntArray = NDArray[np.int64]
Words = NDArray[np.uint64]


class Layers:
    """A graph's layers as arrays.

    Attributes:
        names: ``[L]``, their names.
        positions: Position by name.
        totals: ``[L]``, channels.
        head: ``[L]``, whether the head decodes the layer's channels.
    """

    def __init__(self, graph: ChannelGraph) -> None:
        """Pack the layers of a graph."""
        self.names = tuple(graph.layers)
        self.positions = {name: position for position, name in enumerate(self.names)}
        self.totals = np.array([layer.out_channels for layer in graph.layers.values()], dtype=np.int64)
        self.head = np.array([name in graph.head_layers for name in self.names], dtype=np.bool_)


class Steps:
    """The steps of some plans as arrays.

    Attributes:
        numbers: ``[P]``, which of all plans these are.
        plan: ``[S]``, for each step the position of its plan in ``numbers``.
        layer: ``[S]``, its layer by position in the graph.
        width: ``[S]``, channels that stay.
        cut: ``[S]``, whether channels go.
        spoils: ``[S]``, whether the step alone makes the plan unsafe: no channel stays, or the head decodes the layer.
        repeats: ``[P]``, whether a plan names a layer twice.
    """

    def __init__(self, graph: ChannelGraph, plans: Sequence[Plan], numbers: Sequence[int]) -> None:
        """Pack the steps of the plans of these numbers.

        Raises:
            UserError: A step does not fit the model.
        """
        chosen = [plans[number] for number in numbers] if len(numbers) < len(plans) else plans
        table = graph.verdicts.table
        totals = table.totals
        self.names = table.names
        self.numbers = np.array(numbers)
        self._plans = chosen
        rows = zip(*map(attrgetter("layers", "counts", "highest"), chosen), strict=True)
        layers, counts, highest = rows if chosen else ((), (), ())
        length = np.fromiter(map(len, layers), np.int64, len(chosen))
        self._fill(np.repeat(np.arange(len(chosen)), length))
        try:
            places = map(table.positions.__getitem__, chain.from_iterable(layers))
            self.layer = np.fromiter(places, np.int64, len(self.plan))
        except KeyError:
            _refuse(graph, chosen)
            raise
        self.width = _joined(counts, len(self.plan))
        if (_joined(highest, len(self.plan)) >= totals[self.layer]).any():
            _refuse(graph, chosen)
        self.cut = self.width < totals[self.layer]
        self.spoils = self.cut & ((self.width == 0) | table.head[self.layer])
        order = np.sort(self.plan * len(totals) + self.layer)
        self.repeats = np.zeros(len(chosen), dtype=np.bool_)
        self.repeats[order[1:][order[1:] == order[:-1]] // len(totals)] = True

    def _fill(self, plan: IntArray) -> None:
        self.plan = plan
        counts = np.bincount(plan, minlength=len(self.numbers))
        self._filled = counts > 0
        self._starts = (np.cumsum(counts) - counts)[self._filled]

    def only(self, flags: BoolArray) -> Steps:
        """The steps that are flagged, of the same plans."""
        some = copy(self)
        some.layer, some.width = self.layer[flags], self.width[flags]
        some.cut, some.spoils = self.cut[flags], self.spoils[flags]
        some._fill(self.plan[flags])
        return some

    @property
    def keeps(self) -> Iterable[tuple[int, ...]]:
        """For each step, the channels that stay."""
        return map(attrgetter("keep"), chain.from_iterable(map(attrgetter("steps"), self._plans)))

    def used(self) -> Iterable[tuple[str, bool]]:
        """For each layer of the graph its name and whether a step cuts it."""
        used = np.zeros(len(self.names), dtype=np.bool_)
        used[self.layer[self.cut]] = True
        return zip(self.names, used.tolist(), strict=True)

    def any_of(self, flags: BoolArray) -> BoolArray:
        """For each plan, whether one of its steps is flagged."""
        found = np.zeros(len(self.numbers), dtype=np.bool_)
        found[self.plan[flags]] = True
        return found

    def least(self, numbers: IntArray, default: int) -> IntArray:
        """For each plan, the least number of its steps."""
        found = np.full(len(self.numbers), default, dtype=np.int64)
        if len(self._starts):
            found[self._filled] = np.minimum.reduceat(numbers, self._starts)
        return found

    def total(self, numbers: IntArray) -> IntArray:
        """For each plan, the sum of its steps' numbers."""
        found = np.zeros(len(self.numbers), dtype=np.int64)
        if len(self._starts):
            found[self._filled] = np.add.reduceat(numbers, self._starts)
        return found

    def union(self, words: Words) -> Words:
        """For each plan, the union of its steps' bit sets, ``[P, W]`` from ``[S, W]``."""
        found = np.zeros((len(self.numbers), words.shape[1]), dtype=np.uint64)
        if len(self._starts):
            found[self._filled] = np.bitwise_or.reduceat(words, self._starts, axis=0)
        return found


def _joined(rows: Sequence[tuple[int, ...]], count: int) -> IntArray:
    return np.fromiter(chain.from_iterable(rows), np.int64, count)


def _refuse(graph: ChannelGraph, plans: Sequence[Plan]) -> None:
    """Raise for the first plan that does not fit the model."""
    for plan in plans:
        graph.check(plan)
