"""Follow every layer's channels through the program: one handler for each way in which operators treat them.

``rules.RULES`` decides what an operator makes of sizes and constants under any execution. ``_HANDLERS`` here, with
convolutions and ``_PASSING``, decides what execution ``group`` may remove: an operator that has a rule but no handler
freezes the channels that flow into it, and the groups name it and its module as the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from yolo_prune_check.channels.heads import home_of
from yolo_prune_check.channels.layers import GraphLayer
from yolo_prune_check.channels.program import Op, Program, Ref
from yolo_prune_check.channels.provenance import Balance, Channels, Consumer, Frozen, Ids, Origins, Provenance, Width
from yolo_prune_check.channels.reshape import Form, added, along, axis_groups, demand, form_of, linear, sized
from yolo_prune_check.channels.rules import CONVOLUTIONS, ELEMENTWISE, NORMS, POOLS, RULES, UPSAMPLES, activation
from yolo_prune_check.channels.rules.layout import SAME
from yolo_prune_check.channels.silence import Silence
from yolo_prune_check.channels.sizes import Arithmetic, AttributeKey, Axis, Size, attributes_in, evaluate
from yolo_prune_check.channels.tensors import Tensor

_WEIGHT = ".weight"
_VIEWS = frozenset({"view", "_unsafe_view", "reshape", "_reshape_alias", "flatten"})
_UNARY = frozenset(activation.RULES) - {"_prelu_kernel"}  # which has a number for each channel
_PADS = frozenset({"constant_pad_nd", "reflection_pad2d", "replication_pad2d"})
_PASSING = POOLS | UPSAMPLES | _UNARY | _PADS
_ARRANGING = frozenset({"unsqueeze", "squeeze", "repeat", "repeat_interleave", "flip", "pixel_unshuffle", *SAME})
_TYING = ELEMENTWISE
_REDUCING = frozenset({"sum", "mean", "amax", "amin"})
_SOFTMAX = frozenset({"_softmax", "softmax", "_log_softmax", "log_softmax"})
_MATMUL = frozenset({"matmul", "bmm", "mm"})
_SIZED = _VIEWS | {"split", "split_with_sizes", "expand"}
_WHOLE = 2**31 - 1  # an end of a slice from here on means "to the end"

Results = Sequence["Ids | None"]


def trace_provenance(program: Program, layers: Mapping[str, GraphLayer], unruled: Collection[int] = ()) -> Provenance:
    """Follow every layer's channels through the program.

    Args:
        program: The traced pass.
        layers: Its layers.
        unruled: Operators whose rule does not reproduce the trace: they freeze what flows into them.
    """
    channels = Channels(layers)
    flow = _Flow(Provenance(program, channels, Origins(channels.total)), layers, unruled)
    for op in program.ops:
        flow.follow(op)
    flow.settle()
    return flow.result


class _Refused(Exception):
    """The operator does not run, or means something else, with fewer channels."""


class _Flow:
    def __init__(self, result: Provenance, layers: Mapping[str, GraphLayer], unruled: Collection[int]) -> None:
        self.result = result
        self.unruled = unruled
        self.program = result.program
        self.origins = result.origins
        self.entries = result.entries
        self.layers = {f"{name}{_WEIGHT}": layer for name, layer in layers.items()}
        self.silence = Silence(self.program, self.entries)
        self.shared = _shared(self.program)
        self.home = home_of(self.program)
        self.attributes = {item.key: item for op in self.program.ops for item in attributes_in(op.args)}
        self.settled = {key for key in self.attributes if self._is_settled(key)}
        self.counts: dict[AttributeKey, list[tuple[Op, Ids]]] = {}
        self.sums: dict[tuple[int, int], tuple[Op, Form, Ids]] = {}
        self.changing: set[AttributeKey] = set()

    def _is_settled(self, key: AttributeKey) -> bool:
        """Whether an attribute must stay: the pass computed with it, or it belongs to what makes the output."""
        inside = self.home is not None and (key[0] == self.home or key[0].startswith(f"{self.home}."))
        return inside or key[:2] in self.program.computed

    def follow(self, op: Op) -> None:
        """Find the origins of an operator's results, and what it asks of its operands."""
        self.changing = set()
        self._follow(op)
        if self.attributes:
            self.settled |= {item.key for item in attributes_in(op.args)} - self.changing

    def _follow(self, op: Op) -> None:
        handler, counted = self._handler(op), self._counted(op)
        if handler is None and not counted:
            return
        try:
            if handler is None or (counted and op.target not in _SIZED):
                raise _Refused
            results = handler(op)
        except _Refused:
            self._freeze(op, *(self.entries[value] for value in op.inputs if value in self.entries), *counted)
            return
        for value, found in zip(op.outputs, results, strict=False):
            if found is not None and (found >= 0).any():
                self.entries[value] = found
        self.silence.follow(op, self._converted)

    def _handler(self, op: Op) -> Callable[[Op], Results] | None:
        if op.target in CONVOLUTIONS:
            return self._convolution
        if not any(value in self.entries for value in op.inputs):
            return None
        if op.index in self.unruled:
            return self._refuse
        if op.target in _PASSING:
            return self._pass
        return partial(_HANDLERS.get(op.target, _Flow._refuse), self)

    def settle(self) -> None:
        """Balance what one attribute counts, or freeze it where the attribute must stay what it is."""
        for op, form, rows in self.sums.values():  # no split takes the sum apart again
            self.settled |= form.keys()
            self._freeze(op, rows)
        for key, uses in self.counts.items():
            if key in self.settled:
                for op, rows in uses:
                    self._freeze(op, rows)
            else:
                rows = np.concatenate([rows for _, rows in uses])
                self.result.balances.append(Balance(uses[0][0], rows))
                self.result.widths[key] = Width(self.attributes[key], rows[0])

    def _counted(self, op: Op) -> list[Ids]:
        """Entries along the axes whose sizes are among the operator's arguments."""
        axes = {axis for item in op.args if not isinstance(item, Ref) for axis in sized(item)}
        found = [(self.entries.get(axis.value), axis.axis) for axis in axes]
        return [entries for entries, axis in found if entries is not None and entries.shape[axis] > 1]

    def _refuse(self, op: Op) -> Results:
        raise _Refused

    def _freeze(self, op: Op, *found: Ids) -> None:
        parts = [self.origins.channel(ids).reshape(-1) for ids in found]
        known = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *parts]))
        known = known[known >= 0]
        if len(known):
            self.result.frozen.append(Frozen(op, known))

    def _shape(self, value: int) -> tuple[int, ...]:
        return self.program.values[value].shape

    def _along(self, value: int, axis: int) -> Ids:
        """Origins of a value's entries along the one axis along which they differ.

        Raises:
            _Refused: They differ along another axis.
        """
        shape, found = self._shape(value), self.entries.get(value)
        if found is None:
            return np.full(shape[axis], -1)
        if any(n > 1 for i, n in enumerate(found.shape) if i != axis % len(shape)):
            raise _Refused
        return np.broadcast_to(along(found, axis % len(shape)), (shape[axis],))

    def _pass(self, op: Op) -> Results:
        found = self.entries.get(op.inputs[0])
        if found is None:
            raise _Refused
        shape, target = self._shape(op.inputs[0]), self._shape(op.outputs[0])
        if len(shape) != len(target) or any(n > 1 and n != target[i] for i, n in enumerate(found.shape)):
            raise _Refused
        return [found]

    def _convolution(self, op: Op) -> Results:
        source, weight = op.inputs[0], op.args[1]
        name = self.program.values[weight.value].parameter if isinstance(weight, Ref) else None
        groups, transposed = op.args[8], op.args[6]
        if name is None or (transposed and groups > 1):
            raise _Refused
        layer = self.layers.get(name)
        own = None if layer is None else self.result.channels.of(layer.name)
        try:
            line = self._along(source, 1)
        except _Refused:
            self._freeze(op, self.entries[source])
            line = np.full(self._shape(source)[1], -1)
        line = self.origins.channel(line)
        self._hear(source)
        self._keep_shared(op, line, *(() if own is None else (own,)))
        self.result.consumers.append(Consumer(name, op, 0 if transposed else 1, line))
        if groups > 1:
            if own is None:
                raise _Refused
            self._group(op, line.reshape(groups, -1), own.reshape(groups, -1))
        if own is None:
            return [None]
        return [own.reshape(1, -1, *(1 for _ in self._shape(source)[2:]))]

    def _group(self, op: Op, inputs: Ids, outputs: Ids) -> None:
        """A grouped convolution: its conv groups keep equally many inputs and outputs, or go as a whole."""
        if inputs.shape[1] > 1:
            self.result.balances.append(Balance(op, inputs, outputs))
            return
        fixed = inputs[:, 0] < 0
        if fixed.any():
            self._freeze(op, outputs[fixed])
        for copy in range(outputs.shape[1]):
            self.origins.tie(inputs[:, 0], outputs[:, copy])

    def _hear(self, *values: int) -> None:
        """A weight reads these values, which are multiplied: what is heard in all of them cannot be left out."""
        voices = [self.silence.voices.get(value) for value in values]
        for value, voice in zip(values, voices, strict=True):
            if voice is not None and None not in voices:
                self._freeze(voice.op, self.entries[value][voice.heard])

    def _keep_shared(self, op: Op, *lines: Ids) -> None:
        """A parameter that several operators read stays as it is."""
        if any(self.program.values[value].parameter in self.shared for value in op.inputs):
            self._freeze(op, *lines)

    def _same(self, op: Op, first: Ids, second: Ids) -> None:
        """Entries of two lines can only go together."""
        self.origins.tie(first, second)
        self._freeze(op, np.where((first < 0) != (second < 0), np.maximum(first, second), -1))

    def _linear(self, op: Op) -> Results:
        weight = op.args[1]
        name = self.program.values[weight.value].parameter if isinstance(weight, Ref) else None
        if name is None or op.inputs[0] not in self.entries:
            raise _Refused
        line = self.origins.channel(self._along(op.inputs[0], -1))
        self._hear(op.inputs[0])
        self._keep_shared(op, line)
        self.result.consumers.append(Consumer(name, op, 1, line))
        return [None]

    def _norm(self, op: Op) -> Results:
        line = self.origins.channel(self._along(op.inputs[0], 1))
        weight = op.args[1]
        name = self.program.values[weight.value].parameter if isinstance(weight, Ref) else None
        if name is None:
            raise _Refused
        self._keep_shared(op, line)
        self.result.norms[name.removesuffix(_WEIGHT)] = line
        return [self.entries[op.inputs[0]]]

    def _layer_norm(self, op: Op) -> Results:
        found, count = self.entries[op.inputs[0]], len(op.args[1])
        if any(n > 1 for n in found.shape[-count:]):
            raise _Refused
        return [found]

    def _softmax(self, op: Op) -> Results:
        found = self.entries[op.inputs[0]]
        if found.shape[op.args[1]] > 1:
            raise _Refused
        return [found]

    def _tie(self, op: Op) -> Results:
        """Elementwise: entries that meet go together; one that meets something of fixed size stays."""
        rank = len(self._shape(op.outputs[0]))
        operands = [(_padded(self._shape(value), rank), self._laid(value, rank)) for value in op.inputs]
        moving = {axis for _, found in operands if found is not None for axis, n in enumerate(found.shape) if n > 1}
        result = np.full((1,) * rank, -1)
        for shape, found in operands:
            if found is None:
                continue
            if all(shape[axis] > 1 for axis in moving):
                result = self.origins.union(result, found)
            elif found.size > 1:  # one entry meets several, of which only some may go
                self._freeze(op, found)
        for shape, found in operands:
            if any(shape[axis] > 1 and (found is None or found.shape[axis] == 1) for axis in moving):
                raise _Refused
            if found is not None and all(shape[axis] > 1 for axis in moving):
                self._freeze(op, np.where(np.broadcast_to(found, result.shape) < 0, result, -1))
        return [result]

    def _laid(self, value: int, rank: int) -> Ids | None:
        found = self.entries.get(value)
        return None if found is None else found.reshape((1,) * (rank - found.ndim) + found.shape)

    def _cat(self, op: Op) -> Results:
        axis = (op.args[1] if len(op.args) > 1 else 0) % len(self._shape(op.inputs[0]))
        return self._joined(op, axis, self._layout(op), lambda found: found)

    def _stack(self, op: Op) -> Results:
        rank = len(self._shape(op.inputs[0]))
        axis = (op.args[1] if len(op.args) > 1 else 0) % (rank + 1)
        return self._joined(op, axis, self._layout(op), lambda found: np.expand_dims(found, axis))

    def _joined(self, op: Op, axis: int, joined: Results, lay: Callable[[Ids], Ids]) -> Results:
        """A concat needs its operands to agree along every other axis: there, entries that meet go together."""
        operands = [self.entries.get(value) for value in op.inputs]
        laid = [None if found is None else lay(found) for found in operands]
        others = {i for found in laid if found is not None for i, n in enumerate(found.shape) if i != axis and n > 1}
        if not others:
            return joined
        if any(found is None or found.shape[axis] > 1 for found in laid):
            raise _Refused
        result = laid[0]
        for found in laid[1:]:
            if result is None or found is None or found.shape != result.shape:
                raise _Refused
            self._same(op, self.origins.channel(result).reshape(-1), self.origins.channel(found).reshape(-1))
            result = self.origins.union(result, found)
        return [result]

    def _chunk(self, op: Op) -> Results:
        axis = op.args[2] if len(op.args) > 2 else 0
        sizes = {self._shape(value)[axis] for value in op.outputs}
        return self._pieces(op, axis, follows=len(sizes) == 1 and len(op.outputs) == op.args[1])

    def _split(self, op: Op) -> Results:
        axis = op.args[2] if len(op.args) > 2 else 0
        total = self._shape(op.inputs[0])[axis]
        given = op.args[1] if isinstance(op.args[1], tuple) else (op.args[1],) * len(op.outputs)
        if self.entries[op.inputs[0]].shape[axis] > 1:
            forms = [form_of(size, self.settled) for size in given]
            if all(form is not None and list(form.values()) == [1] for form in forms):
                return self._measured(op, axis, [form for form in forms if form is not None])
        return self._pieces(op, axis, follows=all(self._share(size, op, axis, total) for size in given))

    def _measured(self, op: Op, axis: int, forms: Sequence[Form]) -> Results:
        """A split into sizes that module attributes hold."""
        axis %= self.entries[op.inputs[0]].ndim
        results = self._layout(op)
        for form, piece in zip(forms, results, strict=True):
            if piece is None:
                raise _Refused
            rows = self.origins.channel(np.moveaxis(piece, axis, -1)).reshape(-1, piece.shape[axis])
            self.changing |= form.keys()
            self.counts.setdefault(next(iter(form)), []).append((op, rows))
        if self.sums.get((op.inputs[0], axis), (op, {}, None))[1] == added(forms):
            del self.sums[op.inputs[0], axis]
        return results

    def _share(self, size: Size, op: Op, axis: int, total: int) -> bool:
        """Whether a piece's size is the same share of the axis whatever is removed from it."""
        known = linear(size, self.program, self.entries)
        if known is None or known[1] is None:
            return False
        counted = self.origins.channel(along(self.entries[known[1].value], known[1].axis))
        own = self.origins.channel(along(self.entries[op.inputs[0]], axis % len(self._shape(op.inputs[0]))))
        pieces = {self._shape(value)[axis] for value in op.outputs}
        return np.array_equal(counted, own) and pieces == {int(known[0] * total)}

    def _pieces(self, op: Op, axis: int, *, follows: bool) -> Results:
        found = self.entries[op.inputs[0]]
        axis %= found.ndim
        results = self._layout(op)
        if found.shape[axis] == 1:
            return results
        if not follows:
            raise _Refused
        pieces = [np.moveaxis(piece, axis, -1) for piece in results if piece is not None]
        rows = [self.origins.channel(piece).reshape(-1, piece.shape[-1]) for piece in pieces]
        self.result.balances.append(Balance(op, np.concatenate(rows)))
        return results

    def _slice(self, op: Op) -> Results:
        given = (*op.args[1:], *(0, None, None, 1)[len(op.args) - 1 :])
        axis, start, end, step = given[0], given[1], given[2], given[3]
        whole = start in (0, None) and (end is None or (isinstance(end, int) and end >= _WHOLE)) and step == 1
        if self.entries[op.inputs[0]].shape[axis] > 1 and not whole:
            raise _Refused
        return self._layout(op)

    def _taken(self, op: Op) -> Results:
        """Single entries of an axis, which must hold no channels."""
        axis = op.args[1] if len(op.args) > 1 else 0
        if self.entries[op.inputs[0]].shape[axis] > 1:
            raise _Refused
        return self._layout(op)

    def _permute(self, op: Op) -> Results:
        """Two axes of channels that change places: the outer one is taken to stay as long as it is."""
        found = self.entries[op.inputs[0]]
        places = np.arange(found.size).reshape(found.shape)
        moved = self._moved(op, places)
        axes = [axis for axis, n in enumerate(found.shape) if n > 1]
        if len(axes) > 1 and not (np.diff(moved.reshape(-1)) > 0).all():
            if len(axes) > 2:
                raise _Refused
            rows = self.origins.channel(np.moveaxis(found, axes[0], 0).reshape(found.shape[axes[0]], -1))
            for row in rows[1:]:
                self._same(op, rows[0], row)
        return self._layout(op)

    def _moved(self, op: Op, places: Ids) -> Ids:
        result = RULES[op.target](Tensor(places.shape, places), *op.args[1:])
        return np.asarray(result.state)

    def _view(self, op: Op) -> Results:
        source, output = op.inputs[0], op.outputs[0]
        if self.entries[source].size == 1 and self._shape(output)[1:2] != (1,):
            raise _Refused
        sizes = self._flattened(op) if op.target == "flatten" else op.args[1]
        asked = demand(self.program, self.entries, self.origins.channel, source, output, sizes, self.settled)
        if not asked.fits:
            raise _Refused
        self.result.balances.extend(Balance(op, rows) for rows in asked.balanced)
        for axis, form, rows in asked.counted:
            self.changing |= form.keys()
            if len(form) == 1 and set(form.values()) == {1}:
                self.counts.setdefault(next(iter(form)), []).append((op, rows))
            else:
                self.sums[output, axis] = op, form, rows
        return self._layout(op)

    def _flattened(self, op: Op) -> tuple[Size, ...]:
        """Target sizes of a flatten: every axis follows its own."""
        shape, target = self._shape(op.inputs[0]), self._shape(op.outputs[0])
        sizes: list[Size] = []
        for before, after in axis_groups(shape, target):
            sizes += [-1] * len(after) if len(before) != len(after) else [Axis(op.inputs[0], axis) for axis in before]
        return tuple(sizes)

    def _expand(self, op: Op) -> Results:
        found, target = self.entries[op.inputs[0]], self._shape(op.outputs[0])
        if any(n > 1 for n in found.shape):
            lead = len(target) - found.ndim
            for axis, n in enumerate(found.shape):
                if n > 1 and op.args[1][lead + axis] != -1:
                    known = linear(op.args[1][lead + axis], self.program, self.entries)
                    if known is None or known[1] is None or known[0] != 1:
                        raise _Refused
                    counted = self.origins.channel(along(self.entries[known[1].value], known[1].axis))
                    if not np.array_equal(counted, self.origins.channel(along(found, axis))):
                        raise _Refused
        return self._layout(op)

    def _reduce(self, op: Op) -> Results:
        found = self.entries[op.inputs[0]]
        given = op.args[1] if len(op.args) > 1 and op.args[1] is not None else tuple(range(found.ndim))
        axes = {axis % found.ndim for axis in (given if isinstance(given, tuple) else (given,))}
        if any(found.shape[axis] > 1 for axis in axes):
            raise _Refused
        keep = len(self._shape(op.outputs[0])) == found.ndim
        return [found if keep else found.reshape([n for axis, n in enumerate(found.shape) if axis not in axes])]

    def _matmul(self, op: Op) -> Results:
        """Entries along the contracted axis go together; rows of the left and columns of the right pass."""
        left, right = op.inputs[:2]
        if len(self._shape(left)) < 2 or len(self._shape(right)) < 2:
            raise _Refused
        rank = max(len(self._shape(left)), len(self._shape(right)))
        a, b = self._laid(left, rank), self._laid(right, rank)
        a = np.full((1,) * rank, -1) if a is None else a
        b = np.full((1,) * rank, -1) if b is None else b
        contracted, crossed = a.shape[-1], b.shape[-2]
        if contracted > 1 or crossed > 1:
            if a.shape[-2] > 1 or b.shape[-1] > 1:
                raise _Refused
            self._hear(left, right)
            first, second = np.broadcast_arrays(a[..., 0, :], b[..., :, 0])
            self._same(op, self.origins.channel(first).reshape(-1), self.origins.channel(second).reshape(-1))
            return [None]
        rows, columns = a[..., :, :1], b[..., :1, :]
        if rows.shape[-2] > 1 and columns.shape[-1] > 1:
            raise _Refused
        return [self._weighted(op, rows, columns)]

    def _weighted(self, op: Op, rows: Ids, columns: Ids) -> Ids:
        """Rows and columns of a product, of which one alone holds channels."""
        varied = [found for found in (rows, columns) if (found >= 0).any()]
        if len(varied) > 1:
            raise _Refused
        return varied[0] if varied else rows

    def _layout(self, op: Op) -> Results:
        """Apply the operator's own rule to the origins."""
        outputs = RULES[op.target](
            *self._converted(op.args, self._origins), **self._converted(op.kwargs, self._origins)
        )
        pieces = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
        return [None if piece.state is None else np.asarray(piece.state) for piece in pieces]

    def _origins(self, value: int) -> Tensor:
        return Tensor(self._shape(value), self.entries.get(value))

    def _converted(self, item: Any, tensor_of: Callable[[int], Tensor]) -> Any:
        """Arguments for a rule, given what stands for each value."""
        if isinstance(item, Ref):
            return tensor_of(item.value)
        if isinstance(item, tuple):
            return tuple(self._converted(part, tensor_of) for part in item)
        if isinstance(item, dict):
            return {name: self._converted(part, tensor_of) for name, part in item.items()}
        if isinstance(item, (Axis, Arithmetic)):
            return evaluate(item, lambda value, axis: self._shape(value)[axis])
        return item


def _shared(program: Program) -> frozenset[str | None]:
    """Parameters and buffers that more than one operator reads, or more than one module holds."""
    named = (program.values[value].parameter for op in program.ops for value in set(op.inputs))
    counts = Counter(name for name in named if name is not None)
    return frozenset(name for name, count in counts.items() if count > 1) | program.tied.keys()


def _padded(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    return (1,) * (rank - len(shape)) + shape


_HANDLERS: Mapping[str, Callable[[_Flow, Op], Results]] = {
    **dict.fromkeys(NORMS, _Flow._norm),
    **dict.fromkeys(_VIEWS, _Flow._view),
    **dict.fromkeys(_TYING, _Flow._tie),
    **dict.fromkeys(_REDUCING, _Flow._reduce),
    **dict.fromkeys(_SOFTMAX, _Flow._softmax),
    **dict.fromkeys(_MATMUL, _Flow._matmul),
    **dict.fromkeys(_ARRANGING, _Flow._layout),
    "native_layer_norm": _Flow._layer_norm,
    "linear": _Flow._linear,
    "cat": _Flow._cat,
    "stack": _Flow._stack,
    "chunk": _Flow._chunk,
    "split": _Flow._split,
    "split_with_sizes": _Flow._split,
    "slice": _Flow._slice,
    "narrow": _Flow._taken,
    "unsafe_split": _Flow._split,
    "unsafe_split_with_sizes": _Flow._split,
    "unbind": _Flow._taken,
    "select": _Flow._taken,
    "permute": _Flow._permute,
    "t": _Flow._permute,
    "transpose": _Flow._permute,
    "expand": _Flow._expand,
}
