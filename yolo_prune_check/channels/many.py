"""Verdicts on thousands of plans at once, on arrays with one row for each step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from operator import attrgetter
from typing import overload

import numpy as np

from yolo_prune_check.channels.emptied import AT_A_TIME
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.judge import judge
from yolo_prune_check.channels.packed import Steps
from yolo_prune_check.channels.plan import Execution, MaskKind, Plan
from yolo_prune_check.channels.prediction import Failing, Prediction, Verdict, runs
from yolo_prune_check.channels.program import BoolArray
from yolo_prune_check.channels.repair import find_repair


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
        self._first = np.full((len(self.plans), 2), -1)  # layer, by position, and width at which the plan breaks
        for (execution, mask), numbers in _by_kind(self.plans):
            if execution == "local":
                rest = self._local(Steps(graph, self.plans, numbers))
            elif execution == "mask":
                rest = self._mask(Steps(graph, self.plans, numbers), mask)
            elif execution == "adapter":
                rest = self._adapter(Steps(graph, self.plans, numbers))
            else:
                rest = self._group(numbers)
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
        layer, width = self._first[number].tolist()
        if layer >= 0:
            verdicts = self._graph.verdicts
            return partial(verdicts.failure, verdicts.table.names[layer], width)
        if self.plans[number].execution == "mask" or not self.unsafe[number]:
            return runs
        return lambda: judge(self._graph, self.plans[number]).failure

    def _mask(self, steps: Steps, mask: MaskKind) -> Iterable[int]:
        """Verdicts by mask; the numbers of the plans that are left to be looked at one by one."""
        silences = [self._graph.verdicts.silence(name, mask) if used else None for name, used in steps.used()]
        clean = np.array([found is not None and found.clean for found in silences])[steps.layer]
        dirty = np.array([found is not None and found.dirty for found in silences])[steps.layer]
        lively = np.array([found is not None and found.lively for found in silences])[steps.layer]
        wrong = steps.cut & (steps.spoils | dirty)
        unclear = steps.cut & ~((clean & lively) | wrong)
        self.unsafe[steps.numbers] = steps.any_of(wrong) | ~steps.any_of(steps.cut)
        return map(int, steps.numbers[steps.any_of(unclear) | steps.repeats])

    def _adapter(self, steps: Steps) -> Iterable[int]:
        """Verdicts by adapter; the numbers of the plans that are left to be looked at one by one."""
        fits = np.array([not used or self._graph.verdicts.adapts(name) for name, used in steps.used()])
        self.unsafe[steps.numbers] = steps.any_of(steps.spoils) | ~steps.any_of(steps.cut)
        return map(int, steps.numbers[steps.any_of(steps.cut & ~fits[steps.layer]) | steps.repeats])

    def _group(self, numbers: Sequence[int]) -> Iterable[int]:
        """Verdicts by group; the numbers of the plans that are left to be looked at one by one."""
        plain = [number for number in numbers if self.plans[number].is_plain]
        for start in range(0, len(plain), AT_A_TIME):
            steps = Steps(self._graph, self.plans, plain[start : start + AT_A_TIME])
            self.unsafe[steps.numbers] = self._graph.verdicts.by_group.unsafe(steps)
        return (number for number in numbers if not self.plans[number].is_plain)

    def _local(self, steps: Steps) -> Iterable[int]:
        """Verdicts by local; the numbers of the plans that are left to be looked at one by one."""
        spoiled = steps.any_of(steps.spoils)
        unsafe = spoiled | ~steps.any_of(steps.cut)
        rest = steps.only(steps.cut & ~spoiled[steps.plan])
        table = _Outlines(self._graph, rest)
        first = rest.least(table.stop, len(self._graph.program.ops))
        touched = table.touched & table.up_to[first[rest.plan]]
        together, own = rest.union(touched), rest.union(table.own)
        common = np.bitwise_count(together).sum(1) < rest.total(np.bitwise_count(touched).sum(1))
        passed = (together & own & table.up_to[np.maximum(first - 1, 0)] & ~table.at[first]).any(1)
        words = (own & table.at[first]).any(1)  # it breaks in a layer that is itself cut, which changes the message
        breaks = table.breaks & (table.stop == first[rest.plan])
        broken = rest.any_of(breaks)
        exact = common | passed | steps.repeats | (rest.any_of(table.splits) & ~broken)
        self.unsafe[steps.numbers] = unsafe | broken | rest.any_of(table.wrong)
        plain = breaks & ~(exact | words)[rest.plan]
        self._first[steps.numbers[rest.plan[plain]]] = np.stack([rest.layer, rest.width], axis=1)[plain]
        return map(int, steps.numbers[exact])


def _by_kind(plans: Sequence[Plan]) -> Iterable[tuple[tuple[Execution, MaskKind], Sequence[int]]]:
    """The numbers of the plans of each execution and, for ``mask``, each kind."""
    kinds = list(map(attrgetter("execution", "mask"), plans))
    if len(found := set(kinds)) == 1:
        return [(found.pop(), range(len(plans)))]
    numbers: dict[tuple[Execution, MaskKind], list[int]] = {}
    for number, (execution, mask) in enumerate(kinds):
        numbers.setdefault((execution, mask if execution == "mask" else "silent"), []).append(number)
    return numbers.items()


class _Outlines:
    """What single steps do as arrays, one row for each step.

    Attributes:
        stop: ``[S]``, operator at which the step alone ends.
        breaks: ``[S]``, whether it breaks there.
        wrong: ``[S]``, whether it is silently wrong.
        splits: ``[S]``, whether it runs through a split.
        touched: ``[S, W]``, bit set of operators.
        own: ``[S, W]``, bit of the layer's own convolution.
        up_to: ``[N + 1, W]``, for each operator the bits up to and including it.
        at: ``[N + 1, W]``, for each operator its bit.
    """

    def __init__(self, graph: ChannelGraph, steps: Steps) -> None:
        """Look up steps that cut their layers."""
        count = len(graph.program.ops)
        words = count // 64 + 1
        at = np.zeros((count + 1, words), dtype=np.uint64)
        number = np.arange(count + 1)
        at[number, number // 64] = np.uint64(1) << (number % 64).astype(np.uint64)
        self.at, self.up_to = at, np.bitwise_or.accumulate(at, axis=0)
        verdicts, names = graph.verdicts, steps.names
        generals = [verdicts.general(name).widths if used else range(0) for name, used in steps.used()]
        start, stop = (np.array([getattr(widths, end) for widths in generals]) for end in ("start", "stop"))
        alike = (start[steps.layer] <= steps.width) & (steps.width < stop[steps.layer])
        codes = steps.layer + np.where(alike, start[steps.layer], steps.width) * len(names)
        used = np.zeros(codes.max(initial=0) + 1, dtype=np.bool_)
        used[codes] = True
        index = (np.cumsum(used) - 1)[codes]
        different = np.flatnonzero(used).tolist()
        outlines = [verdicts.outline(names[code % len(names)], code // len(names)) for code in different]
        self.stop = np.array([outline.stop for outline in outlines], dtype=np.int64)[index]
        self.breaks = np.array([outline.breaks for outline in outlines], dtype=np.bool_)[index]
        self.wrong = np.array([outline.wrong for outline in outlines], dtype=np.bool_)[index]
        self.splits = np.array([outline.splits for outline in outlines], dtype=np.bool_)[index]
        packed = b"".join(outline.touched.to_bytes(words * 8, "little") for outline in outlines)
        self.touched = np.frombuffer(packed, dtype="<u8").reshape(-1, words)[index]
        ops = np.array([layer.op for layer in graph.layers.values()])
        self.own = at[ops[steps.layer]]
