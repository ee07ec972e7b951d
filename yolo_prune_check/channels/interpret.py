"""Run a traced program on abstract tensors: shapes and channel states instead of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from yolo_prune_check.channels.prediction import Mismatch
from yolo_prune_check.channels.program import Op, Program, Ref
from yolo_prune_check.channels.rules import RULES
from yolo_prune_check.channels.sizes import Arithmetic, Axis, evaluate
from yolo_prune_check.channels.tensors import Breaks, Tensor, varying


@dataclass
class Interpretation:
    """What became of every value.

    Attributes:
        tensors: Abstract tensor of each value that was reached.
        failure: Where the program broke, or None.
        failed_at: Index of the operator that broke.
        broadcasts: Operators that broadcast an axis that they did not broadcast when traced.
        unknown: An operator without a rule that was given another shape than when traced; nothing after it is known.
        absent: Results that do not exist under the plan: the second piece of a chunk of a single channel.
    """

    tensors: dict[int, Tensor]
    failure: Mismatch | None = None
    failed_at: int | None = None
    broadcasts: list[Op] = field(default_factory=list)
    unknown: Op | None = None
    absent: set[int] = field(default_factory=set)

    def ran(self, op: Op) -> bool:
        """Whether execution gets past this operator."""
        return all(value in self.tensors for value in op.outputs)


def interpret(
    program: Program,
    parameters: Mapping[str, Tensor],
    *,
    ops: Iterable[Op] | None = None,
    given: Mapping[int, Tensor] | None = None,
) -> Interpretation:
    """Run the operators in order until one breaks.

    Args:
        program: The traced pass.
        parameters: Abstract parameters by qualified name, as the plan leaves them.
        ops: The operators to run; all by default.
        given: Tensors to start from; by default the image.
    """
    start = {program.image: varying(program.values[program.image].shape)} if given is None else dict(given)
    result = Interpretation(start)
    for op in program.ops if ops is None else ops:
        operands = {index: _operand(program, index, result.tensors, parameters) for index in op.inputs}
        rule = RULES.get(op.target)
        try:
            if rule is None:
                outputs: Any = _unruled(op, operands, program)
            else:
                arguments = [_argument(item, operands, result.tensors, program) for item in op.args]
                outputs = rule(*arguments, **{k: v for k, v in op.kwargs.items() if not isinstance(v, Ref)})
        except Breaks as broken:
            result.failure = Mismatch(op.module, broken.kind, broken.expected, broken.got, broken.message)
            result.failed_at = op.index
            return result
        if outputs is None:
            result.unknown = op
            return result
        if _broadcasts(op, operands, program):
            result.broadcasts.append(op)
        pieces = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
        for position, index in enumerate(op.outputs):
            # A chunk of a short axis has fewer pieces; code that goes on with "the last one" gets the last there is.
            result.tensors[index] = pieces[min(position, len(pieces) - 1)]
            if position >= len(pieces):
                result.absent.add(index)
    return result


def _operand(program: Program, index: int, tensors: Mapping[int, Tensor], parameters: Mapping[str, Tensor]) -> Tensor:
    value = program.values[index]
    if value.parameter is not None:
        return parameters[value.parameter]
    found = tensors.get(index)
    return Tensor(value.shape, program.constants.get(index)) if found is None else found


def _argument(item: Any, operands: Mapping[int, Tensor], tensors: Mapping[int, Tensor], program: Program) -> Any:
    if isinstance(item, Ref):
        return operands[item.value]
    if isinstance(item, tuple):
        return tuple(_argument(part, operands, tensors, program) for part in item)
    if isinstance(item, (Axis, Arithmetic)):
        return evaluate(item, lambda value, axis: _size(value, axis, tensors, program))
    return item


def _size(value: int, axis: int, tensors: Mapping[int, Tensor], program: Program) -> int:
    found = tensors.get(value)
    return (program.values[value].shape if found is None else found.shape)[axis]


def _unruled(op: Op, operands: Mapping[int, Tensor], program: Program) -> tuple[Tensor, ...] | None:
    if any(tensor.shape != program.values[index].shape for index, tensor in operands.items()):
        return None
    return tuple(varying(program.values[index].shape) for index in op.outputs)


def _broadcasts(op: Op, operands: Mapping[int, Tensor], program: Program) -> bool:
    """Whether an axis of size 1 meets a larger one where the traced sizes were equal."""
    if op.target not in {"add", "sub", "mul", "div"} or len(op.inputs) != 2:
        return False
    shapes = [operands[index].shape for index in op.inputs]
    traced = [program.values[index].shape for index in op.inputs]
    return shapes[0] != shapes[1] and traced[0] == traced[1]
