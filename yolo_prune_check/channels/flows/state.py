"""What is known while channels are followed, and what every handler may ask of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from yolo_prune_check.channels.flows.head_axes import HeadAxes
from yolo_prune_check.channels.heads import home_of
from yolo_prune_check.channels.layers import GraphLayer
from yolo_prune_check.channels.parameter_views import VIEWING
from yolo_prune_check.channels.program import Op, Program, Ref
from yolo_prune_check.channels.provenance import Frozen, Ids, Provenance, Scale
from yolo_prune_check.channels.reshape import Form, along
from yolo_prune_check.channels.rules import CONVOLUTIONS, RULES
from yolo_prune_check.channels.silence import Silence
from yolo_prune_check.channels.sizes import Arithmetic, AttributeKey, Axis, attributes_in, evaluate, sized
from yolo_prune_check.channels.tensors import Tensor
from yolo_prune_check.channels.tensors import along as along_axis

WEIGHT = ".weight"

Results = Sequence["Ids | None"]


class Refused(Exception):
    """The operator does not run, or means something else, with fewer channels."""


@dataclass(frozen=True)
class Rows:
    """Rows of channels that must stay equally long.

    Attributes:
        op: The operator that asks it.
        rows: The rows.
        within: For each row a longer one of which it is cut, or itself: where that is part of an attention head which
            goes as a whole, the row is gone with it. None where every row must stay.
    """

    op: Op
    rows: Ids
    within: Ids | None


class Flow:
    """Origins of the values so far, and what the operators so far ask for their removal.

    Attributes:
        result: The origins, and what is known for certain.
        settled: Attributes that must stay what they are.
        changing: Attributes that the operator at hand allows to change.
        counts: By attribute, rows that are as long as it says.
        sums: By value and axis, a size that a sum of attributes holds, until a split takes the sum apart.
        loose: Other rows, of which some may go with an attention head.
        heads: Axes of attention heads.
        viewed: For each value that is a view of a parameter, that parameter's value.
        repeated: Indices of the calls of convolutions that are called several times.
        repeated_lines: By weight of such a convolution, the channels that its first call reads.
    """

    def __init__(self, result: Provenance, layers: Mapping[str, GraphLayer]) -> None:
        self.result = result
        self.program = result.program
        self.origins = result.origins
        self.entries = result.entries
        self.layers = {f"{name}{WEIGHT}": layer for name, layer in layers.items()}
        self.silence = Silence(self.program, self.entries)
        self.shared = _shared(self.program)
        self.viewed = _viewed(self.program)
        self.repeated = _repeated(self.program)
        self.repeated_lines: dict[str, Ids] = {}
        self.home = home_of(self.program)
        self.attributes = {item.key: item for op in self.program.ops for item in attributes_in(op.args)}
        self.settled = {key for key in self.attributes if self._is_settled(key)}
        self.counts: dict[AttributeKey, list[Rows]] = {}
        self.sums: dict[tuple[int, int], tuple[Op, Form, Ids]] = {}
        self.changing: set[AttributeKey] = set()
        self.loose: list[Rows] = []
        self.heads = HeadAxes(self.program, self.entries, self.origins.channel, result.channels.total, self.settled)

    def _is_settled(self, key: AttributeKey) -> bool:
        """Whether an attribute must stay: the pass computed with it, or it belongs to what makes the output."""
        inside = self.home is not None and (key[0] == self.home or key[0].startswith(f"{self.home}."))
        return inside or key[:2] in self.program.computed

    def counted(self, op: Op) -> list[Ids]:
        """Entries along the axes whose sizes are among the operator's arguments."""
        axes = {axis for item in op.args if not isinstance(item, Ref) for axis in sized(item)}
        found = [(self.entries.get(axis.value), axis.axis) for axis in axes]
        return [entries for entries, axis in found if entries is not None and entries.shape[axis] > 1]

    def freeze(self, op: Op, *found: Ids) -> None:
        """Note that the operator needs all these entries."""
        parts = [self.origins.channel(ids).reshape(-1) for ids in found]
        known = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *parts]))
        known = known[known >= 0]
        if len(known):
            self.result.frozen.append(Frozen(op, known))

    def shape_of(self, value: int) -> tuple[int, ...]:
        """Shape of a value in the traced pass."""
        return self.program.values[value].shape

    def along(self, value: int, axis: int) -> Ids:
        """Origins of a value's entries along the one axis along which they differ.

        Raises:
            Refused: They differ along another axis.
        """
        shape, found = self.shape_of(value), self.entries.get(value)
        if found is None:
            return np.full(shape[axis], -1)
        if any(n > 1 for i, n in enumerate(found.shape) if i != axis % len(shape)):
            raise Refused
        return np.broadcast_to(along(found, axis % len(shape)), (shape[axis],))

    def hear(self, *values: int) -> None:
        """A weight reads these values, which are multiplied: what is heard in all of them cannot be left out."""
        voices = [self.silence.voices.get(value) for value in values]
        for value, voice in zip(values, voices, strict=True):
            if voice is not None and None not in voices:
                self.freeze(voice.op, self.entries[value][voice.heard])

    def keep_shared(self, op: Op, *lines: Ids) -> None:
        """A parameter that several operators read stays as it is."""
        if any(self.program.values[value].parameter in self.shared for value in op.inputs):
            self.freeze(op, *lines)

    def scales(self, value: int) -> bool:
        """Whether a value is a parameter that may hold a number for each channel."""
        return self._parameter(value) in self.program.sizes

    def _parameter(self, value: int) -> str | None:
        return self.program.values[self.viewed.get(value, value)].parameter

    def scale(self, op: Op, value: int, axis: int, line: Ids) -> None:
        """Note that entries of a parameter, or of a view of one, go with the channels that they belong to."""
        name = self._parameter(value)
        assert name is not None
        line, axis = self.origins.channel(line), axis % len(self.shape_of(value))
        if name in self.shared or name in self.program.elsewhere:
            self.freeze(op, line)
        self.result.scales[name] = Scale(0 if value in self.viewed else axis, line)
        self.silence.going[value] = along_axis(line >= 0, axis, len(self.shape_of(value)))

    def same(self, op: Op, first: Ids, second: Ids) -> None:
        """Entries of two lines can only go together."""
        self.origins.tie(first, second)
        self.freeze(op, np.where((first < 0) != (second < 0), np.maximum(first, second), -1))

    def laid(self, value: int, rank: int) -> Ids | None:
        """Origins of a value that is broadcast to so many axes."""
        found = self.entries.get(value)
        return None if found is None else found.reshape((1,) * (rank - found.ndim) + found.shape)

    def arranged(self, op: Op) -> Results:
        """Apply the operator's own rule to the origins."""
        outputs = RULES[op.target](
            *self.converted(op.args, self.origins_of), **self.converted(op.kwargs, self.origins_of)
        )
        pieces = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
        return [None if piece.state is None else np.asarray(piece.state) for piece in pieces]

    def origins_of(self, value: int) -> Tensor:
        """A tensor whose state are a value's origins."""
        return Tensor(self.shape_of(value), self.entries.get(value))

    def converted(self, item: Any, tensor_of: Callable[[int], Tensor]) -> Any:
        """Arguments for a rule, given what stands for each value."""
        if isinstance(item, Ref):
            return tensor_of(item.value)
        if isinstance(item, tuple):
            return tuple(self.converted(part, tensor_of) for part in item)
        if isinstance(item, dict):
            return {name: self.converted(part, tensor_of) for name, part in item.items()}
        if isinstance(item, (Axis, Arithmetic)):
            return evaluate(item, lambda value, axis: self.shape_of(value)[axis])
        return item


def _shared(program: Program) -> frozenset[str | None]:
    """Parameters and buffers that more than one operator reads, or more than one module holds."""
    named = (program.values[value].parameter for op in program.ops for value in set(op.inputs))
    counts = Counter(name for name in named if name is not None)
    return frozenset(name for name, count in counts.items() if count > 1) | program.tied.keys()


def _viewed(program: Program) -> Mapping[int, int]:
    """For each value that is a view of a parameter, that parameter's value."""
    found: dict[int, int] = {}
    for op in program.ops:
        if op.target in VIEWING and not program.values[op.outputs[0]].derived:
            found[op.outputs[0]] = found.get(op.inputs[0], op.inputs[0])
    return found


def _repeated(program: Program) -> frozenset[int]:
    """Calls of convolutions whose weight and bias several calls read, and nothing else does."""
    readers: dict[str, list[Op]] = {}
    for op in program.ops:
        for name in {program.values[value].parameter for value in op.inputs} - {None}:
            readers.setdefault(str(name), []).append(op)
    found: set[int] = set()
    for name, ops in readers.items():
        parts = [[program.values[value].parameter for value in op.inputs[1:]] for op in ops]
        names = [part for part in parts[0] if part is not None]
        alike = all(op.target in CONVOLUTIONS and op.args[6:] == ops[0].args[6:] for op in ops)
        alike &= all(part == parts[0] for part in parts)
        own = all(part not in program.tied and len(readers[part]) == len(ops) for part in names)
        if len(ops) > 1 and names[:1] == [name] and len(names) == len(parts[0]) and alike and own:
            found |= {op.index for op in ops}
    return frozenset(found)


Handler = Callable[[Flow, Op], Results]
