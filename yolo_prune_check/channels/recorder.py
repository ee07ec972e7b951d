"""Collect what a running model does: values, operators and module calls."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from operator import index
from types import CodeType, FrameType
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from yolo_prune_check.channels.aten import Schema
from yolo_prune_check.channels.naming import RunningNames
from yolo_prune_check.channels.program import FloatArray, ModuleCall, Op, Program, Ref, Value
from yolo_prune_check.channels.rules import CONVOLUTIONS, FACTORIES, RULES
from yolo_prune_check.channels.sizes import (
    Arithmetic,
    Attribute,
    Axis,
    Dim,
    Expression,
    as_size,
    compared,
    has_axis,
    mark_computed,
    measured,
    sized,
)
from yolo_prune_check.channels.source import assertion, line_of, place, user_frame
from yolo_prune_check.channels.trees import PLAIN, integers_in, sized_in, tensors_in
from yolo_prune_check.channels.unchanged import Overwritten
from yolo_prune_check.channels.unheard import Read, attributes_unheard_in, unheard_in
from yolo_prune_check.channels.viewed import MEETING, VIEWING, Viewed, follows
from yolo_prune_check.channels.weights import filter_of, numbers_of, vectors_of

_SMALL = 65536  # entries of a constant that are worth keeping
_END = 2**63 - 1  # where a slice without an end ends
_CASTS = frozenset({"_to_copy", "clone"})
_PARTS = frozenset({"slice", "select"})  # views that a write goes through, and that have an inverse


class Recorder:
    """Collects values, operators and module calls while a model runs."""

    def __init__(self, naming: RunningNames) -> None:
        """Nothing has run yet."""
        self.naming = naming
        self.names = naming.first
        self.parameters: dict[int, str] = {}
        self.sizes: dict[str, int] = {}
        self.tied: dict[int, list[str]] = {}
        for module, owner in self.names.items():
            prefix = f"{owner}." if owner else ""
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    self._call(parameter, prefix + name)
                    self.sizes[prefix + name] = parameter.numel()
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    self._call(buffer, prefix + name)
        self.values: list[Value] = []
        self.ids: dict[int, int] = {}
        self.derived: set[int] = set()
        self.written = Overwritten()
        self.casts: list[torch.Tensor] = []
        self.visited: set[str] = set()  # parameters that constants were computed from
        self.viewed: dict[int, Viewed] = {}  # by id of the view
        self.elsewhere: set[str] = set()  # parameters of which something is made that the program does not hold
        self.fresh: set[int] = set()  # memory of constants that the pass made
        self.alive: list[torch.Tensor] = []  # ids are memory addresses: no tensor may die while they are in use
        self.ops: list[Op] = []
        self.calls: list[ModuleCall] = []
        self.stack: list[str] = []
        self.starts: list[int] = []
        self.image = 0
        self.storages: dict[int, list[int]] = {}
        self.held: dict[int, FloatArray] = {}
        self.parts: dict[int, tuple[torch.Tensor, str, Any]] = {}
        self.composite = False
        self.computed: set[tuple[str, str]] = set()
        self.chunk: tuple[int, int] | None = None
        self.dims: list[int] | None = None
        self.unpacked: int | None = None
        self.enough: int | None = None
        self.copying = False
        self.bounds: list[Any] = []

    def _call(self, tensor: torch.Tensor, name: str) -> None:
        first = self.parameters.setdefault(id(tensor), name)
        if first != name:
            self.tied.setdefault(id(tensor), [first]).append(name)

    def add(self, tensor: torch.Tensor, *, derived: bool) -> int:
        """A number for a tensor; ``derived`` if it depends on the image."""
        value = Value(len(self.values), tuple(map(index, tensor.shape)), self.parameters.get(id(tensor)), derived)
        self.values.append(value)
        self.ids[id(tensor)] = value.id
        self.alive.append(tensor)
        self.storages.setdefault(_memory(tensor), []).append(value.id)
        if derived:
            self.derived.add(id(tensor))
        return value.id

    def value_of(self, tensor: torch.Tensor) -> int:
        """The number of a tensor; a new one is a constant."""
        if self.tied and id(tensor) in self.tied and id(tensor) not in self.derived:
            return self._tied_value(tensor)
        found = self.ids.get(id(tensor))
        return self.add(tensor, derived=False) if found is None else found

    def _tied_value(self, tensor: torch.Tensor) -> int:
        """The number of a tensor that several modules hold: to each of them it is a parameter of its own."""
        names = self.tied[id(tensor)]
        running = self.stack[-1] if self.stack else ""
        name = next((name for name in names if name.rpartition(".")[0] == running), names[0])
        for value in self.storages.get(_memory(tensor), ()):
            if self.values[value].parameter == name:
                return value
        self.parameters[id(tensor)] = name
        return self.add(tensor, derived=False)

    def is_derived(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor depends on the image."""
        return id(tensor) in self.derived

    def is_parameter(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor is a parameter or buffer of the model."""
        return id(tensor) in self.parameters

    @contextmanager
    def module_calls(self) -> Iterator[None]:
        """Keep the stack of running modules; hooks on all modules at once, so that none is left on the model."""
        before = register_module_forward_pre_hook(self._enter)
        after = register_module_forward_hook(self._leave)
        try:
            yield
        finally:
            before.remove()
            after.remove()

    @contextmanager
    def comparisons(self) -> Iterator[None]:
        """Hear of every comparison of sizes, and of every size that becomes a fraction."""
        hearing, measuring = compared.set(self.record_comparison), measured.set(self.record_number)
        try:
            yield
        finally:
            compared.reset(hearing)
            measured.reset(measuring)

    def _enter(self, module: nn.Module, args: Any) -> None:
        running = self.stack[-1] if self.stack else ""
        name = self.naming.of(module, running)
        self.stack.append(running if name is None else name)  # what is no part of the model runs as its caller
        self.starts.append(len(self.ops))
        kind: Any = type(module)  # mypy takes a module's class for unhashable
        for read, code in attributes_unheard_in(kind):
            self._unheard_attribute(module, read, code)

    def _unheard_attribute(self, module: nn.Module, read: Read, code: CodeType) -> None:
        found: Any = module
        for name in read.path:
            found = getattr(found, name, None)
        for size in found if isinstance(found, (list, tuple)) else (found,):
            if isinstance(size, Dim):
                mark_computed(size.expression)
                self.record_unheard(size.expression, index(size), code, read.used)

    def record_unheard(self, size: Expression, number: int, code: CodeType, line: int) -> None:
        """Add a size that a line of code computes with, which its number does not hear of."""
        if not self.composite and has_axis(size):
            self._append("size_as_number", (size, number, line_of(code.co_filename, line)), {}, [], [])

    def read(self, tensor: torch.Tensor, frame: FrameType) -> None:
        """Hear of a shape that code reads: what it does with that unheard is recorded."""
        for read in unheard_in(frame.f_code):
            if read.line == frame.f_lineno and not read.path:
                for axis in read.axes(tensor.ndim):
                    number = int(tensor.size(axis))
                    self.record_unheard(Axis(self.value_of(tensor), axis), number, frame.f_code, read.used)

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        name, first = self.stack.pop(), self.starts.pop()
        if module not in self.names:
            return
        inputs = self._derived_in(args[0] if len(args) == 1 else args)
        single = self.value_of(output) if isinstance(output, torch.Tensor) else None
        leaf = not module._modules
        kind: Any = type(module)  # mypy takes a module's class for unhashable
        returned = self._derived_in(output)
        sized = self._sized(output, single) if leaf else None
        stop = len(self.ops)
        call = ModuleCall(name, inputs, single, first, stop, leaf, kind.__name__, _family(kind), returned, sized)
        self.calls.append(call)

    def _sized(self, output: Any, single: int | None) -> int | None:
        if single is not None:
            return single if self.values[single].shape else None  # asking the tensor would be heard of
        shown = sized_in(output)
        return None if shown is None else self.value_of(shown)

    def _derived_in(self, tree: Any) -> tuple[int, ...]:
        """Numbers of the tensors among a module's arguments or results that depend on the image."""
        if isinstance(tree, torch.Tensor):
            return (self.ids[id(tree)],) if id(tree) in self.derived else ()
        return tuple([self.ids[id(t)] for t in tensors_in(tree) if id(t) in self.derived])

    def before(self, schema: Schema, args: Any, kwargs: Any) -> None:
        """Hear of an ATen call that is about to run: one that writes into what was there before must be undone.

        What a constant holds is noted before it is written into.
        """
        self.keep(schema, args, kwargs)
        written = schema.written(args, kwargs)
        if written is not None and not self.composite and id(written) not in self.derived:
            if id(written) in self.parameters:
                return
            for value in self._aliases(written):
                other = self.alive[value]
                if value not in self.held and other.numel() <= _SMALL:
                    self.held[value] = numbers_of(other)

    def keep(self, schema: Schema, args: Any, kwargs: Any) -> None:
        """Keep what an ATen call writes into, so that it can be put back; what the image made is the pass's own."""
        for position, name in schema.writes:
            written = args[position] if position < len(args) else kwargs.get(name)
            for tensor in tensors_in((written,)):
                if id(tensor) not in self.derived and _memory(tensor) not in self.fresh:
                    self.written.keep(tensor)
        if schema.is_batch_norm and args[5]:  # it updates the statistics
            for tensor in tensors_in(args[3:5]):
                self.written.keep(tensor)

    def record(self, schema: Schema, args: Any, kwargs: Any, output: Any) -> None:
        """Add an ATen call whose result depends on the image; all others are constants."""
        if self.composite:
            return
        tensors = tensors_in((args, kwargs)) if kwargs else tensors_in(args)
        target, in_place = schema.target, schema.in_place
        written = schema.written(args, kwargs)
        if self.dims is not None and target in FACTORIES:
            self._made(target, args, kwargs, output)
            return
        if self.derived.isdisjoint(map(id, tensors)):
            if target in VIEWING and written is None and self._views(target, tensors[0], args, output):
                return
            for size in (*(self.dims or ()), *_parts(self.bounds)):
                self.use(size)
            self.visited.update(self.parameters[id(t)] for t in tensors if id(t) in self.parameters)
            if target in _CASTS and id(tensors[0]) in self.parameters:
                self._cast(tensors[0], output)
            else:
                self.note_elsewhere(tensors)
            if not schema.is_view:
                self.fresh.update(map(_memory, tensors_in(output)))
            if written is not None and id(written) not in self.parameters:
                for value in self._aliases(written):  # whoever reads them from now on reads other constants
                    del self.ids[id(self.alive[value])]
                self.ids.pop(id(written), None)  # nor is a cast copy the parameter any more
            elif target in _PARTS:
                self._viewed(target, args, args, output)
            return
        if self.viewed:
            self._meet(tensors, followed=target in MEETING and (written is None or id(written) in self.derived))
        if target in FACTORIES:  # takes only dtype and device from its operand
            return
        arguments = self._converted(args) if self.dims is None else self._arguments(args)
        if target == "split" and self.chunk is not None:
            count, axis = map(index, self.chunk)
            target, arguments, kwargs = "chunk", (arguments[0], count, axis), {}
        if target == "copy" and self.copying:
            kwargs = {**kwargs, "direct": True}
        if target in _PARTS:
            arguments = (*arguments[:2], *(self._bounded(args) or arguments[2:]))
            self._viewed(target, args, arguments, output)
        if written is not None:
            self._aliases(written)
        if written is not None and not in_place:  # where the result goes is no operand
            tensors = [tensor for tensor in tensors if tensor is not written]
            kwargs = {name: item for name, item in kwargs.items() if item is not written}
        self._append(target, arguments, self._converted(kwargs), tensors, tensors_in(output), in_place=in_place)
        if written is not None:
            self._overwritten(written)

    def record_composite(self, target: str, args: Any, kwargs: Any, output: Any) -> None:
        """Add a function whose ATen calls were not recorded."""
        tensors = tensors_in((args, kwargs))
        if output is tensors[0]:  # flatten and reshape return their operand where there is nothing to do
            return
        if self.viewed:
            self._meet(tensors, followed=False)
        self._append(target, self._converted(args), self._converted(kwargs), tensors, tensors_in(output))
        if target == "narrow":
            whole, axis, start, length = args
            self.parts[id(output)] = whole, "slice_scatter", self._converted((axis, start, start + length))

    def record_comparison(self, size: Dim, comparison: str, other: float, outcome: bool) -> None:
        """Add a comparison that an assertion of Python code asks for, or by which the code may choose its way."""
        left, right = as_size(size), as_size(other) if isinstance(other, int) else other
        if self.composite or not (has_axis(left) or has_axis(right)):
            return
        frame = sys._getframe(2)
        message = assertion(frame) if comparison == "==" and not isinstance(left, Attribute) else None
        if message is None:
            self._append("branch", (left, comparison, right, outcome, place(frame)), {}, [], [])
            return
        divisor = None
        if isinstance(left, Arithmetic) and left.operator == "%" and isinstance(left.right, int):
            divisor = left.right
        self._append("assert", (left, right, divisor, message), {}, [], [])

    def record_number(self, size: Dim) -> None:
        """Add a size that Python code made something else of: what it does with that is not known."""
        if not self.composite and has_axis(size.expression):
            self._append("size_as_number", (size.expression, index(size), place(user_frame())), {}, [], [])

    def use(self, size: Any) -> None:
        """Note that code does something with a number, or a constant, that is not known to follow the size."""
        if isinstance(size, Dim):
            mark_computed(size.expression)
            self.record_number(size)

    def _cast(self, tensor: torch.Tensor, output: torch.Tensor) -> None:
        """A parameter in another type of number is that parameter: autocast makes such copies."""
        self.ids[id(output)] = self.value_of(tensor)
        self.casts.append(output)  # ids are memory addresses

    def _views(self, target: str, source: torch.Tensor, args: Any, output: torch.Tensor) -> bool:
        """Keep a view of a one-dimensional parameter that follows it: it is an operator once the image meets it."""
        name = self._held_in(source)
        if (
            name is None
            or name not in self.sizes
            or id(source) in self.tied
            or (source.ndim != 1 and id(source) not in self.viewed)
        ):
            return False
        root = source
        while id(root) in self.viewed:
            root = self.viewed[id(root)].source
        parameter = self.value_of(root) if self.dims is not None else None
        if self.dims is not None and list(map(index, self.dims)) != integers_in(args[1:]):
            return False
        arguments = args if self.dims is None else (source, *self._arguments(args[1:]))
        if not follows(target, arguments, tuple(map(index, output.shape)), parameter):
            return False
        self.visited.add(name)
        self.viewed[id(output)] = Viewed(output, source, name, target, arguments)
        return True

    def _held_in(self, tensor: torch.Tensor) -> str | None:
        """The parameter that a tensor is, or a cast copy or a kept view of which it is."""
        view, value = self.viewed.get(id(tensor)), self.ids.get(id(tensor))
        if view is not None:
            return view.name
        return self.parameters.get(id(tensor)) if value is None else self.values[value].parameter

    def note_elsewhere(self, tensors: list[torch.Tensor]) -> None:
        """Note that something is made of parameters, or of views of them, that is not followed."""
        names = map(self._held_in, tensors)
        self.elsewhere.update(name for name in names if name is not None)

    def _meet(self, tensors: list[torch.Tensor], *, followed: bool) -> None:
        """The image meets views of parameters: the first time they become operators, where they can be followed."""
        for tensor in tensors:
            view = self.viewed.get(id(tensor))
            if view is None:
                continue
            if followed and view.name not in self.elsewhere and id(tensor) not in self.ids:
                self._append_view(view)
            else:
                self.elsewhere.add(view.name)

    def _append_view(self, view: Viewed) -> None:
        source = self.viewed.get(id(view.source))
        if source is not None and id(view.source) in self.ids:  # another view of it was met before
            self.elsewhere.add(view.name)
        elif source is not None:
            self._append_view(source)
        self._append(view.target, self._converted(view.args), {}, [view.source], [view.tensor], derived=False)

    def _made(self, target: str, args: Any, kwargs: Any, output: torch.Tensor) -> None:
        """Add a constant of as many entries as a size says, if that may count channels; else only that it was used."""
        dims = [size for size in self.dims or () if isinstance(size, Dim)]
        for size in dims:
            mark_computed(size.expression)
        made = target.removeprefix("new_")
        if made in RULES and any(self._may_count_channels(size.expression) for size in dims):
            arguments = self._arguments(args[1:] if target.startswith("new_") else args)
            if next(sized(arguments), None) is not None:  # else what was asked for is not what ATen was given
                self._append(made, arguments, {}, [], [output])
                return
        for size in dims:
            self.record_number(size)

    def _may_count_channels(self, size: Expression) -> bool:
        """Whether a size may be that of an axis of channels: heights and widths of pixels are none."""
        if isinstance(size, Arithmetic):
            parts = (part for part in (size.left, size.right) if not isinstance(part, int))
            return any(map(self._may_count_channels, parts))
        if not isinstance(size, Axis) or size.value == self.image:
            return False
        return len(self.values[size.value].shape) != 4 or size.axis == 1 or not self.values[size.value].derived

    def _append(
        self,
        target: str,
        args: Any,
        kwargs: Any,
        operands: list[torch.Tensor],
        results: list[torch.Tensor],
        *,
        in_place: bool = False,
        derived: bool = True,
    ) -> None:
        inputs = tuple([self.value_of(t) for t in operands])
        outputs = tuple([self.add(t, derived=derived) for t in results])
        module = self.stack[-1] if self.stack else ""
        unpacked, enough = (self.unpacked, self.enough) if len(outputs) > 1 else (None, None)
        self.ops.append(Op(len(self.ops), target, module, args, kwargs, inputs, outputs, in_place, unpacked, enough))

    def _viewed(self, target: str, args: Any, arguments: Any, output: torch.Tensor) -> None:
        """Note of which tensor another is a part."""
        whole = args[0]
        self.value_of(whole)
        if id(whole) not in self.derived:
            self.value_of(output)
        self.parts[id(output)] = whole, f"{target}_scatter", self._converted(arguments[1:])

    def _bounded(self, args: Any) -> tuple[Any, ...]:
        """Arguments of a slice or select, with the sizes that the index in Python code was computed from."""
        for number, item in enumerate(self.bounds):
            given = (item.start, item.stop, item.step) if isinstance(item, slice) else (item,)
            plain = [
                default if part is None else index(part) for part, default in zip(given, (0, _END, 1), strict=False)
            ]
            if plain == list(args[2:]) + [1] * (len(plain) - len(args[2:])):
                del self.bounds[: number + 1]
                return tuple(p if part is None else as_size(part) for part, p in zip(given, plain, strict=False))
        return ()

    def _aliases(self, tensor: torch.Tensor) -> tuple[int, ...]:
        """Values in the memory of a tensor, its own and that of the tensor that it is a view of included."""
        self.value_of(tensor)
        if tensor._base is not None:
            self.value_of(tensor._base)
        values = self.storages.get(_memory(tensor), ())  # a cast copy of a parameter has none of its own
        return tuple(value for value in values if self.ids.get(id(self.alive[value])) == value)

    def _overwritten(self, tensor: torch.Tensor) -> None:
        """Note that other tensors that share the memory of one that was written into have new contents as well."""
        others = {id(self.alive[value]): self.alive[value] for value in self._aliases(tensor)}
        del others[id(tensor)]
        part = tensor
        while id(part) in self.parts:
            whole, scatter, where = self.parts[id(part)]
            if others.pop(id(whole), None) is None:
                break
            operands = Ref(self.value_of(whole)), Ref(self.value_of(part))
            self._append(scatter, (*operands, *where), {}, [whole, part], [whole])
            part = whole
        for other in others.values():
            operands = Ref(self.value_of(other)), Ref(self.value_of(tensor))
            self._append("overwritten", operands, {}, [other, tensor], [other])

    def _arguments(self, args: Any) -> tuple[Any, ...]:
        symbolic = iter(self.dims or ())
        concrete = integers_in(args)
        matched = self.dims is not None and list(map(index, self.dims)) == concrete
        if not matched:
            for dim in self.dims or ():
                self.use(dim)
                owners = (self.values[axis.value].parameter for axis in sized(as_size(dim)))
                self.elsewhere.update(name for name in owners if name is not None)

        def convert(item: Any) -> Any:
            if isinstance(item, torch.Tensor):
                return Ref(self.value_of(item))
            if isinstance(item, (list, tuple)):
                return tuple(convert(part) for part in item)
            if isinstance(item, int) and not isinstance(item, bool):
                return as_size(next(symbolic)) if matched else index(item)
            return item

        return tuple(convert(item) for item in args)

    def _converted(self, item: Any) -> Any:
        kind = type(item)
        if kind in PLAIN:
            return item
        if isinstance(item, torch.Tensor):
            return Ref(self.value_of(item))
        if isinstance(item, dict):
            return {name: self._converted(part) for name, part in item.items()}
        if isinstance(item, (list, tuple)):
            if PLAIN.issuperset(map(type, item)):  # strides, paddings
                return tuple(item)
            return tuple([part if type(part) in PLAIN else self._converted(part) for part in item])
        return as_size(item) if isinstance(item, int) else item

    def _unvisited(self) -> tuple[str, ...]:
        """Modules of whose parameters the pass read none."""
        read = {self.values[value].parameter for op in self.ops for value in op.inputs} | self.visited
        ran = {call.name for call in self.calls}
        tied = {name: names for names in self.tied.values() for name in names}
        unvisited = []
        for module, owner in self.names.items():
            if owner in ran:
                continue
            held = [name for name, parameter in module._parameters.items() if parameter is not None]
            names = [f"{owner}.{name}" if owner else name for name in held]
            if names and read.isdisjoint(other for name in names for other in tied.get(name, [name])):
                unvisited.append(owner)
        return tuple(unvisited)

    def program(self, output: Any) -> Program:
        """Everything that was recorded.

        Args:
            output: What the model returned.
        """
        vectors, filters, constants = {}, {}, {}
        filtering = {op.inputs[1] for op in self.ops if op.target in CONVOLUTIONS or op.target == "linear"}
        for value in self.values:
            if value.derived:
                continue
            tensor = self.alive[value.id]
            if value.parameter is not None and tensor.ndim == 1:
                vectors[value.parameter] = tensor
            elif value.parameter is not None and value.id in filtering:
                filters[value.parameter] = filter_of(tensor)
            elif value.id in self.held:
                constants[value.id] = self.held[value.id]
            elif tensor.numel() <= _SMALL:
                constants[value.id] = numbers_of(tensor)
        outputs = tuple(self.ids[id(t)] for t in tensors_in(output) if self.is_derived(t))
        return Program(
            tuple(self.values),
            tuple(self.ops),
            tuple(self.calls),
            self.image,
            outputs,
            vectors_of(vectors),
            filters,
            constants,
            self.sizes,
            frozenset(self.computed),
            {name: names[0] for names in self.tied.values() for name in names},
            self._unvisited(),
            frozenset(self.elsewhere),
        )


def _memory(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


@cache
def _family(kind: type[nn.Module]) -> tuple[str, ...]:
    """A class and those that it inherits from, by qualified name."""
    return tuple(f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__)


def _parts(bounds: list[Any]) -> Iterator[Any]:
    """Numbers of an index."""
    for item in bounds:
        yield from (item.start, item.stop, item.step) if isinstance(item, slice) else (item,)
