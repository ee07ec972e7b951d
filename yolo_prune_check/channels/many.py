"""Verdicts on thousands of plans at once, on arrays with one row for each step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import overload

import numpy as np
from numpy.typing import NDArray

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.judge import judge
from yolo_prune_check.channels.plan import Execution, MaskKind, Plan, Step
from yolo_prune_check.channels.prediction import Failing, Prediction, Verdict, runs
from yolo_prune_check.channels.program import BoolArray
from yolo_prune_check.channels.repair import find_repair

IntArray = NDArray[np.int64]
Words = NDArray[np.uint64]


class Predictions(Sequence[Prediction]):
    """Predictions of many plans: verdicts are known at once, the rest of a prediction when it is asked for.

    Attributes:
        plans: The plans.
        unsafe: ``[len(plans)]``, whether each one's verdict is ``unsafe``.
    """

    def __init__(self, graph: ChannelGraph, plans: Iterable[Plan]) -> None:
        """Find all verdicts.

        Raises:
            UserError: A plan does not fit the model.
        """
        self.plans = tuple(plans)
        self._graph = graph
        self.unsafe: BoolArray = np.ones(len(self.plans), dtype=np.bool_)
        self._failing: dict[int, Failing] = {}
        self._breaks: list[tuple[str, int]] = []  # layers and widths that break
        self._first = np.full(len(self.plans), -1)  # which of them the plan breaks in
        for (execution, mask), numbers in _by_kind(self.plans):
            if execution == "local":
                rest = self._local(_Steps(graph, self.plans, numbers))
            elif execution == "mask":
                rest = self._mask(_Steps(graph, self.plans, numbers), mask)
            else:
                rest = numbers
            for number in rest:
                verdict, self._failing[number] = graph.verdicts.of(self.plans[number])
                self.unsafe[number] = verdict == "unsafe"

    def __len__(self) -> int:
        return len(self.plans)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> list[Prediction]: ...
    def __getitem__(self, index: int | slice) -> Prediction | list[Prediction]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        verdict: Verdict = "unsafe" if self.unsafe[number] else "safe"
        judging, repairing = partial(judge, self._graph), partial(find_repair, self._graph)
        return Prediction(self.plans[number], self._graph.imgsz, verdict, self._failing_of(number), judging, repairing)

    def _failing_of(self, number: int) -> Failing:
        if number in self._failing:
            return self._failing[number]
        if self._first[number] >= 0:
            return partial(self._graph.verdicts.failure, *self._breaks[self._first[number]])
        if self.plans[number].execution == "mask":
            return runs
        return lambda: judge(self._graph, self.plans[number]).failure

    def _mask(self, steps: _Steps, mask: MaskKind) -> Iterable[int]:
        """Verdicts by mask; the numbers of the plans that are left to be looked at one by one."""
        silences = [self._graph.verdicts.silence(name, mask) if used else None for name, used in steps.used()]
        clean = np.array([found is not None and found.clean for found in silences])[steps.layer]
        dirty = np.array([found is not None and found.dirty for found in silences])[steps.layer]
        lively = np.array([found is not None and found.lively for found in silences])[steps.layer]
        wrong = steps.cut & (steps.spoils | dirty)
        unclear = steps.cut & ~((clean & lively) | wrong)
        self.unsafe[steps.numbers] = steps.any_of(wrong) | ~steps.any_of(steps.cut)
        return map(int, steps.numbers[steps.any_of(unclear) | steps.repeats])

    def _local(self, steps: _Steps) -> Iterable[int]:
        """Verdicts by local; the numbers of the plans that are left to be looked at one by one."""
        table = _Outlines(self._graph, steps)
        last = len(self._graph.program.ops)
        stop = np.where(steps.cut, table.stop, last)
        first = steps.least(stop, last)
        reach = table.up_to[first[steps.plan]]
        touched = np.where(steps.cut[:, None], table.touched & reach, 0)
        together = steps.union(touched)
        common = np.bitwise_count(together).sum(1) < steps.total(np.bitwise_count(touched).sum(1))
        own = steps.union(np.where(steps.cut[:, None], table.own, 0))
        passed = (together & own & table.up_to[np.maximum(first - 1, 0)] & ~table.at[first]).any(1)
        words = (own & table.at[first]).any(1)  # it breaks in a layer that is itself cut, which changes the message
        breaks = table.breaks & steps.cut & (stop == first[steps.plan])
        exact = common | passed | steps.repeats | (steps.any_of(steps.cut & table.splits) & ~steps.any_of(breaks))
        wrong = steps.cut & (steps.spoils | table.wrong)
        self.unsafe[steps.numbers] = steps.any_of(breaks | wrong) | ~steps.any_of(steps.cut)
        plain = breaks & ~(exact | words)[steps.plan]
        self._breaks = table.steps
        self._first[steps.numbers[steps.plan[plain]]] = table.index[plain]
        return map(int, steps.numbers[exact])


class _Steps:
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
        positions = {name: position for position, name in enumerate(graph.layers)}
        totals = np.array([layer.out_channels for layer in graph.layers.values()])
        lists = [plans[number].steps for number in numbers]
        steps = [step for found in lists for step in found]
        if any(step.layer not in positions for step in steps):
            _refuse(graph, steps)
        self.names = tuple(graph.layers)
        self.numbers = np.array(numbers)
        self.counts = np.array([len(found) for found in lists])
        self.plan = np.repeat(np.arange(len(numbers)), self.counts)
        self.layer = np.array([positions[step.layer] for step in steps], dtype=np.int64)
        self.width = np.array([len(step.keep) for step in steps], dtype=np.int64)
        if (
            np.array([step.keep[-1] if step.keep else -1 for step in steps], dtype=np.int64) >= totals[self.layer]
        ).any():
            _refuse(graph, steps)
        self.cut = self.width < totals[self.layer]
        head = np.array([name in graph.head_layers for name in graph.layers])
        self.spoils = self.cut & ((self.width == 0) | head[self.layer])
        order = np.sort(self.plan * len(totals) + self.layer)
        self.repeats = np.zeros(len(numbers), dtype=np.bool_)
        self.repeats[order[1:][order[1:] == order[:-1]] // len(totals)] = True
        self._filled = self.counts > 0
        self._starts = (np.cumsum(self.counts) - self.counts)[self._filled]

    def used(self) -> Iterable[tuple[str, bool]]:
        """For each layer of the graph its name and whether a step cuts it."""
        used = np.zeros(len(self.names), dtype=np.bool_)
        used[self.layer[self.cut]] = True
        return zip(self.names, used.tolist(), strict=True)

    def any_of(self, flags: BoolArray) -> BoolArray:
        """For each plan, whether one of its steps is flagged."""
        found = np.zeros(len(self.counts), dtype=np.bool_)
        found[self.plan[flags]] = True
        return found

    def least(self, numbers: IntArray, default: int) -> IntArray:
        """For each plan, the least number of its steps."""
        found = np.full(len(self.counts), default, dtype=np.int64)
        if len(self._starts):
            found[self._filled] = np.minimum.reduceat(numbers, self._starts)
        return found

    def total(self, numbers: IntArray) -> IntArray:
        """For each plan, the sum of its steps' numbers."""
        found = np.zeros(len(self.counts), dtype=np.int64)
        if len(self._starts):
            found[self._filled] = np.add.reduceat(numbers, self._starts)
        return found

    def union(self, words: Words) -> Words:
        """For each plan, the union of its steps' bit sets, ``[P, W]`` from ``[S, W]``."""
        found = np.zeros((len(self.counts), words.shape[1]), dtype=np.uint64)
        if len(self._starts):
            found[self._filled] = np.bitwise_or.reduceat(words, self._starts, axis=0)
        return found


def _by_kind(plans: Sequence[Plan]) -> Iterable[tuple[tuple[Execution, MaskKind], Sequence[int]]]:
    """The numbers of the plans of each execution and kind of mask."""
    kinds = [(plan.execution, plan.mask) for plan in plans]
    if len(found := set(kinds)) == 1:
        return [(found.pop(), range(len(plans)))]
    numbers: dict[tuple[Execution, MaskKind], list[int]] = {}
    for number, kind in enumerate(kinds):
        numbers.setdefault(kind, []).append(number)
    return numbers.items()


def _refuse(graph: ChannelGraph, steps: Sequence[Step]) -> None:
    """Raise for the first step that does not fit the model."""
    for step in steps:
        graph.check(Plan([step]))


class _Outlines:
    """What single steps do as arrays, one row for each step; rows of steps that cut nothing mean nothing.

    Attributes:
        steps: The different steps: layers and widths.
        index: ``[S]``, which of them it is.
        stop: ``[S]``, operator at which the step alone ends.
        breaks: ``[S]``, whether it breaks there.
        wrong: ``[S]``, whether it is silently wrong.
        splits: ``[S]``, whether it runs through a split.
        touched: ``[S, W]``, bit set of operators.
        own: ``[S, W]``, bit of the layer's own convolution.
        up_to: ``[N + 1, W]``, for each operator the bits up to and including it.
        at: ``[N + 1, W]``, for each operator its bit.
    """

    def __init__(self, graph: ChannelGraph, steps: _Steps) -> None:
        count = len(graph.program.ops)
        words = count // 64 + 1
        at = np.zeros((count + 1, words), dtype=np.uint64)
        number = np.arange(count + 1)
        at[number, number // 64] = np.uint64(1) << (number % 64).astype(np.uint64)
        self.at, self.up_to = at, np.bitwise_or.accumulate(at, axis=0)
        codes = np.where(steps.cut, steps.layer + steps.width * len(steps.names), 0)
        used = np.zeros(codes.max(initial=0) + 1, dtype=np.bool_)
        used[codes] = True
        self.index = (np.cumsum(used) - 1)[codes]
        codes = np.flatnonzero(used)
        names = steps.names
        self.steps = [(names[code % len(names)], code // len(names)) for code in codes.tolist()]
        outlines = [graph.verdicts.outline(name, width) for name, width in self.steps]
        self.stop = np.array([outline.stop for outline in outlines], dtype=np.int64)[self.index]
        self.breaks = np.array([outline.breaks for outline in outlines], dtype=np.bool_)[self.index]
        self.wrong = np.array([outline.wrong for outline in outlines], dtype=np.bool_)[self.index]
        self.splits = np.array([outline.splits for outline in outlines], dtype=np.bool_)[self.index]
        packed = b"".join(outline.touched.to_bytes(words * 8, "little") for outline in outlines)
        self.touched = np.frombuffer(packed, dtype="<u8").reshape(-1, words)[self.index]
        ops = np.array([layer.op for layer in graph.layers.values()])
        self.own = at[ops[steps.layer]]
