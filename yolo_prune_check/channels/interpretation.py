"""What became of every value of a traced program when it ran on abstract tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from yolo_prune_check.channels.prediction import Mismatch
from yolo_prune_check.channels.program import Op, Program
from yolo_prune_check.channels.tensors import Tensor


@dataclass
class Interpretation:
    """What became of every value.

    Attributes:
        tensors: Abstract tensors of the values; after ``rerun`` of those alone that changed.
        failure: Where the program broke, or None.
        stopped: Index of the operator at which the run ended early, because it broke or has no rule; else None.
        unknown: Why nothing is known from ``stopped`` on: the operator there has no rule and was given another shape
            than when traced, or Python code goes another way.
        broadcasts: Operators that broadcast an axis that they did not broadcast when traced.
        absent: Results that do not exist under the plan: the second piece of a chunk of a single channel. One of
            them has a tensor all the same where the code that takes it takes another piece instead.
        follows: Whether the code that takes pieces from the end is followed where there are fewer of them.
        unclear: Values of which only the shape is known: an operator without a rule was given something that does not
            vary everywhere, or they were computed from what it made.
        touched: Indices of the operators that were given something new, in order (``rerun`` only).
        unruled: Indices of the operators that have no rule, or one that does not reproduce what was traced.
        base: The run that this one is compared with (``rerun`` only).
        made_by: Index of the operator that makes each value (``rerun`` only).
        replaced: Operators that ran with other arguments than when traced, by index.
    """

    tensors: dict[int, Tensor]
    failure: Mismatch | None = None
    stopped: int | None = None
    unknown: str | None = None
    broadcasts: list[Op] = field(default_factory=list)
    absent: set[int] = field(default_factory=set)
    follows: bool = True
    unclear: set[int] = field(default_factory=set)
    touched: list[int] = field(default_factory=list)
    unruled: set[int] = field(default_factory=set)
    base: Interpretation | None = None
    made_by: Mapping[int, int] = field(default_factory=dict)
    replaced: Mapping[int, Op] = field(default_factory=dict)

    def get(self, value: int) -> Tensor | None:
        """Tensor of a value; None if execution does not get there."""
        found = self.tensors.get(value)
        if found is not None or self.base is None or value in self.absent:
            return found
        if self.stopped is not None and self.made_by.get(value, -1) >= self.stopped:
            return None
        return self.base.tensors.get(value)

    def tensor(self, value: int) -> Tensor:
        """Tensor of a value that execution gets to."""
        found = self.get(value)
        if found is None:
            raise KeyError(value)
        return found

    def is_unclear(self, value: int) -> bool:
        """Whether nothing but a value's shape is known."""
        if value in self.tensors or self.base is None:
            return value in self.unclear
        return self.base.is_unclear(value)

    def piece(self, op: Op, value: int) -> int:
        """Position of a result of an operator; of one that does not exist, that of the result read in its place."""
        if value in self.absent:
            return sum(output not in self.absent for output in op.outputs) - 1
        return op.outputs.index(value)

    def ran(self, op: Op) -> bool:
        """Whether execution gets past this operator."""
        return all(value in self.absent or self.get(value) is not None for value in op.outputs)


def spread_over(program: Program, op: Op, lookup: Callable[[int], Tensor], output: Tensor) -> int:
    """Size that an operand's axis of size 1 is spread over where the traced sizes were equal; 0 where none is."""
    out, traced = output.shape, program.values[op.outputs[0]].shape
    for value in op.inputs:
        shape = lookup(value).shape
        if shape != out:
            aligned = zip(shape[::-1], out[::-1], program.values[value].shape[::-1], traced[::-1], strict=False)
            for have, want, before, after in aligned:
                if have != want and before == after:
                    return want
    return 0
