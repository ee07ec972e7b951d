"""Run a traced program on abstract tensors: shapes and channel states instead of numbers."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from yolo_prune_check.channels.interpretation import Interpretation, spread_over
from yolo_prune_check.channels.operands import Lookup, prepared, sized_values
from yolo_prune_check.channels.prediction import Mismatch
from yolo_prune_check.channels.program import Op, Program
from yolo_prune_check.channels.rules import (
    ACTIVATIONS,
    BROADCASTING,
    CONVOLUTIONS,
    ELEMENTWISE,
    NORMS,
    POOLS,
    RULES,
    SPLITS,
    UPSAMPLES,
)
from yolo_prune_check.channels.tensors import Breaks, Tensor, Unknown, varying

# What may read a piece that another stands for; not what copies it, which PyTorch also does to join it with others.
_READING_ALONE = ACTIVATIONS | CONVOLUTIONS | ELEMENTWISE | NORMS | POOLS | UPSAMPLES


@dataclass(frozen=True)
class Scatter:
    """Put channels back to their places in a wider tensor, silent ones between them: the adapter's operator."""

    keep: tuple[int, ...]
    total: int

    def __call__(self, x: Tensor) -> Tensor:
        shape = (x.shape[0], self.total, *x.shape[2:])
        axes = tuple(1 for _ in x.shape[2:]) if x.state is None else x.state.shape[2:]
        state = np.zeros((1, self.total, *axes))
        state[:, list(self.keep)] = np.nan if x.state is None else x.state
        return Tensor(shape, state)


@dataclass(frozen=True)
class Interpreter:
    """A traced program, ready to be run on abstract tensors."""

    program: Program

    def run(
        self,
        parameters: Mapping[str, Tensor],
        *,
        ops: Iterable[Op] | None = None,
        given: Mapping[int, Tensor] | None = None,
        unruled: Iterable[int] = (),
    ) -> Interpretation:
        """Run operators in order until one breaks.

        Args:
            parameters: Abstract parameters by qualified name.
            ops: The operators to run; all by default.
            given: Tensors to start from; by default the image.
            unruled: Operators whose rule is not to be used.
        """
        ops, unruled = self.program.ops if ops is None else tuple(ops), frozenset(unruled)
        result = self._run(parameters, ops, given, unruled, follows=True)
        if _is_open(result):
            return self._run(parameters, ops, given, unruled, follows=False)
        return result

    def _run(
        self,
        parameters: Mapping[str, Tensor],
        ops: Iterable[Op],
        given: Mapping[int, Tensor] | None,
        unruled: Iterable[int],
        *,
        follows: bool,
    ) -> Interpretation:
        program = self.program
        tensors = self._start(parameters)
        tensors |= {program.image: varying(program.values[program.image].shape)} if given is None else given
        result = Interpretation(tensors, unruled=set(unruled), follows=follows)

        def lookup(value: int) -> Tensor:
            found = tensors.get(value)
            return varying(program.values[value].shape) if found is None else found

        for op in ops:
            pieces = self._apply(op, lookup, result)
            if pieces is None:
                break
            tensors.update(pieces)
            if result.stopped is not None:
                break
        return result

    def run_untouched(self, parameters: Mapping[str, Tensor]) -> Interpretation:
        """Run the model as it was traced, and tell rules that do not reproduce the traced shapes.

        Whatever a rule cannot deal with, such as an argument that it does not know, makes its operator one without a
        rule: what flows into it is frozen, and it is listed.

        Args:
            parameters: Abstract parameters of the untouched model.
        """
        values = self.program.values
        tensors = self._start(parameters) | {self.program.image: varying(values[self.program.image].shape)}
        result = Interpretation(tensors, unruled={op.index for op in self.program.ops if op.target not in RULES})
        for op in self.program.ops:
            try:
                pieces = self._apply(op, tensors.__getitem__, result)
            except Exception:  # noqa: BLE001  # any at all: the operator is listed as unsupported then
                pieces = None
            if pieces is None or result.absent or any(made.shape != values[value].shape for value, made in pieces):
                result.unruled.add(op.index)
                result.failure = result.stopped = result.unknown = None
                result.absent.clear()
                pieces = [(value, varying(values[value].shape)) for value in op.outputs]
            if self._is_unclear(op, tensors.__getitem__, result):
                result.unclear.update(op.outputs)
            tensors.update(pieces)
        return result

    def _start(self, parameters: Mapping[str, Tensor]) -> dict[int, Tensor]:
        """Tensors that no operator makes."""
        return {
            value.id: parameters[value.parameter] if value.parameter is not None else self._constant(value.id)
            for value in self.program.values
            if not value.derived
        }

    def rerun(
        self,
        base: Interpretation,
        changed: Mapping[str, Tensor],
        *,
        given: Mapping[int, Tensor] | None = None,
        scattered: Mapping[int, Scatter] | None = None,
        replaced: Mapping[int, Op] | None = None,
        until: int | None = None,
    ) -> Interpretation:
        """Run again, with other parameters, whatever they have an effect on.

        Args:
            base: The full run to compare with.
            changed: Parameters that differ from that run's, by qualified name.
            given: Values that differ from that run's, whatever makes them.
            scattered: Values that are widened as soon as they are made.
            replaced: Operators that have other arguments than in that run, by index.
            until: Index of the last operator to run; all by default.

        Returns:
            The same as a full run would give, tensors that did not change being left to ``base``.
        """
        result = self._rerun(base, changed, given or {}, scattered, replaced or {}, until, follows=True)
        if _is_open(result):
            return self._rerun(base, changed, given or {}, scattered, replaced or {}, until, follows=False)
        return result

    def _rerun(
        self,
        base: Interpretation,
        changed: Mapping[str, Tensor],
        given: Mapping[int, Tensor],
        scattered: Mapping[int, Scatter] | None,
        replaced: Mapping[int, Op],
        until: int | None,
        *,
        follows: bool,
    ) -> Interpretation:
        tensors: dict[int, Tensor] = {}
        result = Interpretation(
            tensors, base=base, made_by=self.made_by, replaced=replaced, unruled=base.unruled, follows=follows
        )
        unchanged = base.tensors
        waiting: list[int] = []
        queued: set[int] = set()

        readers = self._readers

        def queue(value: int) -> None:
            for reader in readers.get(value, ()):
                if reader not in queued:
                    queued.add(reader)
                    heapq.heappush(waiting, reader)

        def lookup(value: int) -> Tensor:
            return tensors.get(value) or unchanged[value]

        for name, tensor in changed.items():
            value = self._parameter_values.get(name)
            if value is not None:
                tensors[value] = tensor
                queue(value)
        for value, tensor in given.items():
            tensors[value] = tensor
            queue(value)
        for index in replaced:
            if index not in queued:
                queued.add(index)
                heapq.heappush(waiting, index)
        while waiting and (until is None or waiting[0] <= until):
            op = self.program.ops[heapq.heappop(waiting)]
            result.touched.append(op.index)
            pieces = self._apply(op, lookup, result)
            if pieces is None:
                break
            unclear = self._is_unclear(op, lookup, result)
            if unclear:
                result.unclear.update(op.outputs)
            for value, tensor in pieces:
                if scattered and value in scattered:
                    tensor = scattered[value](tensor)
                forced = unclear or result.stopped is not None or value in result.absent
                if forced or not _same(tensor, unchanged[value]):
                    tensors[value] = tensor
                    queue(value)
            if result.stopped is not None:
                break
            for value in result.absent.intersection(op.outputs) if result.absent else ():
                queue(value)
        return result

    def _apply(self, op: Op, lookup: Lookup, result: Interpretation) -> list[tuple[int, Tensor]] | None:
        """Results of one operator; None where it does not run. The run ends where ``result.stopped`` is set."""
        if result.absent and not self._reads_as_traced(op, result):
            result.unknown, result.stopped = "it reads a piece that is missing", op.index
            return None
        rule = None if op.index in result.unruled else RULES.get(op.target)
        try:
            if rule is None:
                outputs: Any = self._unruled(op, lookup)
            else:
                other = result.replaced.get(op.index)
                positional, named = (self._arguments[op.index] if other is None else prepared(other))(lookup)
                outputs = rule(*positional, **named)
        except Breaks as broken:
            result.failure = Mismatch(op.module, broken.kind, broken.expected, broken.got, broken.message)
            result.stopped = op.index
            return None
        except Unknown as unknown:
            result.unknown, result.stopped = unknown.message, op.index
            return None
        if isinstance(outputs, Tensor):
            if op.target in BROADCASTING and spread_over(self.program, op, lookup, outputs):
                result.broadcasts.append(op)
            return [(op.outputs[0], outputs)]
        if len(outputs) < len(op.outputs):
            self._lacks(op, len(outputs), result)
            if result.stopped is None:
                return [*zip(op.outputs, outputs, strict=False), (op.outputs[-1], outputs[-1])]
        return list(zip(op.outputs, outputs, strict=False))

    def _lacks(self, op: Op, count: int, result: Interpretation) -> None:
        """A split of a short axis has fewer pieces: the operator runs, the code that takes them may not."""
        result.absent.update(op.outputs[count:])
        if result.follows and op.enough is not None and op.enough <= count and op.target in SPLITS:
            return
        result.stopped = op.index
        if op.unpacked is None:
            words = f"{op.target} gives {len(op.outputs)} pieces no longer but {count}"
            result.unknown = f"{words}: what the code does with so many is not known"
        else:
            message = f"not enough values to unpack (expected {op.unpacked}, got {count})"
            result.failure = Mismatch(op.module, "split", str(op.unpacked), str(count), message)

    def _reads_as_traced(self, op: Op, result: Interpretation) -> bool:
        """Whether an operator is given, for each piece that is missing, the last one there is.

        So it is where it reads the last piece, and none beside it: code that reads several may read a list of them.
        """
        missing = result.absent.intersection(op.inputs)
        if not missing:
            return True
        if op.in_place or op.target not in _READING_ALONE:
            return False
        for value in missing:
            pieces = self.program.ops[self.made_by[value]].outputs
            if value != pieces[-1] or set(pieces).intersection(op.inputs) != {value}:
                return False
        return True

    def _unruled(self, op: Op, lookup: Lookup) -> tuple[Tensor, ...]:
        values = self.program.values
        if any(lookup(index).shape != values[index].shape for index in op.inputs):
            raise Unknown(f"no rule for operator {op.target}: what it does with fewer channels is not known")
        return tuple(varying(values[index].shape) for index in op.outputs)

    def _is_unclear(self, op: Op, lookup: Lookup, result: Interpretation) -> bool:
        """Whether only the shapes of an operator's results are known."""
        if not result.unruled:
            return False
        if any(result.is_unclear(value) for value in op.inputs):
            return True
        values = self.program.values
        return op.index in result.unruled and any(
            values[value].derived and lookup(value).state is not None for value in op.inputs
        )

    def _constant(self, value: int) -> Tensor:
        shape, numbers = self.program.values[value].shape, self.program.constants.get(value)
        return Tensor(shape, numbers)

    @cached_property
    def _arguments(self) -> tuple[Callable[[Lookup], tuple[list[Any], dict[str, Any]]], ...]:
        return tuple(prepared(op) for op in self.program.ops)

    @cached_property
    def made_by(self) -> dict[int, int]:
        """Index of the operator that makes each value."""
        return {value: op.index for op in self.program.ops for value in op.outputs}

    @cached_property
    def _readers(self) -> dict[int, tuple[int, ...]]:
        """Operators that read each value, or its size."""
        found: dict[int, dict[int, None]] = {}
        for op in self.program.ops:
            for value in (*op.inputs, *sized_values(op.args), *sized_values(tuple(op.kwargs.values()))):
                found.setdefault(value, {})[op.index] = None
        return {value: tuple(ops) for value, ops in found.items()}

    def readers_of(self, parameter: str) -> int:
        """Number of operators that read a parameter."""
        return len(self._readers.get(self._parameter_values.get(parameter, -1), ()))

    @cached_property
    def _parameter_values(self) -> dict[str, int]:
        return {value.parameter: value.id for value in self.program.values if value.parameter is not None}


def _is_open(result: Interpretation) -> bool:
    """Whether pieces are missing and nothing breaks: what the code makes of those there are is not known then."""
    return bool(result.absent) and result.failure is None and result.follows


def _same(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape:
        return False
    x, y = a.state, b.state
    if x is None or y is None:
        return x is y
    return x.shape == y.shape and bool(((x == y) | ((x != x) & (y != y))).all())
