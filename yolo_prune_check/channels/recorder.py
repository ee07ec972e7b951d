"""Which of the ATen calls and functions that run become operators of the program, and with which arguments."""

from __future__ import annotations

from collections.abc import Iterator
from operator import index
from typing import Any

import torch

from yolo_prune_check.channels.aten import Schema
from yolo_prune_check.channels.module_calls import ModuleCalls
from yolo_prune_check.channels.naming import RunningNames
from yolo_prune_check.channels.parameter_views import MEETING, VIEWING, ParameterViews
from yolo_prune_check.channels.rules import FACTORIES, RULES
from yolo_prune_check.channels.size_uses import SizeUses
from yolo_prune_check.channels.sizes import Arithmetic, Axis, Dim, Expression, mark_computed, sized
from yolo_prune_check.channels.spelling import Spelling
from yolo_prune_check.channels.tape import Tape
from yolo_prune_check.channels.trees import tensors_in
from yolo_prune_check.channels.written_memory import WrittenMemory

_CASTS = frozenset({"_to_copy", "clone"})
_PARTS = frozenset({"slice", "select"})  # views that a write goes through, and that have an inverse


class Recorder:
    """Collects what a running model does.

    Attributes:
        tape: Values and operators.
        uses: What code does with sizes besides.
        modules: Calls of modules.
        views: Copies and views of parameters.
        memory: What is written into.
        computed: Attributes that code computes with, by module and name.
    """

    def __init__(self, naming: RunningNames) -> None:
        """Nothing has run yet."""
        self.tape = Tape(naming.first)
        self.uses = SizeUses(self.tape)
        self.modules = ModuleCalls(self.tape, naming, self.uses.enter)
        self._spelling = Spelling(self.tape, self.uses)
        self.views = ParameterViews(self.tape, self._spelling)
        self.memory = WrittenMemory(self.tape, self._spelling)
        self.computed: set[tuple[str, str]] = set()

    def record(self, schema: Schema, args: Any, kwargs: Any, output: Any) -> None:
        """Add an ATen call whose result depends on the image; all others are constants."""
        tape, called, spelled = self.tape, self.tape.called, self._spelling.of
        if called.composite:
            return
        tensors = tensors_in((args, kwargs)) if kwargs else tensors_in(args)
        target, in_place = schema.target, schema.in_place
        written = schema.written(args, kwargs)
        if called.dims is not None and target in FACTORIES:
            self._made(target, args, kwargs, output)
            return
        if tape.derived.isdisjoint(map(id, tensors)):
            self._constant(schema, args, tensors, written, output)
            return
        if self.views.viewed:
            self.views.meet(tensors, followed=target in MEETING and (written is None or id(written) in tape.derived))
        if target in FACTORIES:  # takes only dtype and device from its operand
            return
        arguments = spelled(args) if called.dims is None else self._spelling.with_sizes(args)
        if target == "split" and called.chunk is not None:
            count, axis = map(index, called.chunk)
            target, arguments, kwargs = "chunk", (arguments[0], count, axis), {}
        if target == "copy" and called.copying:
            kwargs = {**kwargs, "direct": True}
        if target in _PARTS:
            arguments = (*arguments[:2], *(self._spelling.bounds_of(args) or arguments[2:]))
            self.memory.part(target, args, arguments, output)
        if written is not None:
            self.memory.aliases(written)
        if written is not None and not in_place:  # where the result goes is no operand
            tensors = [tensor for tensor in tensors if tensor is not written]
            kwargs = {name: item for name, item in kwargs.items() if item is not written}
        tape.append(target, arguments, spelled(kwargs), tensors, tensors_in(output), in_place=in_place)
        if written is not None:
            self.memory.spread(written)

    def _constant(
        self, schema: Schema, args: Any, tensors: list[torch.Tensor], written: torch.Tensor | None, output: Any
    ) -> None:
        """Note an ATen call whose result depends on no image."""
        tape, target = self.tape, schema.target
        if target in VIEWING and written is None and self.views.view(target, tensors[0], args, output):
            return
        for size in (*(tape.called.dims or ()), *_parts(tape.called.bounds)):
            self.uses.use(size)
        tape.visited.update(tape.parameters[id(t)] for t in tensors if id(t) in tape.parameters)
        if target in _CASTS and id(tensors[0]) in tape.parameters:
            self.views.cast(tensors[0], output)
        else:
            self.views.note_elsewhere(tensors)
        if not schema.is_view:
            self.memory.made(tensors_in(output))
        if written is not None and id(written) not in tape.parameters:
            self.memory.forget(written)
        elif target in _PARTS:
            self.memory.part(target, args, args, output)

    def record_composite(self, target: str, args: Any, kwargs: Any, output: Any) -> None:
        """Add a function whose ATen calls were not recorded."""
        spelled, tensors = self._spelling.of, tensors_in((args, kwargs))
        if output is tensors[0]:  # flatten and reshape return their operand where there is nothing to do
            return
        if self.views.viewed:
            self.views.meet(tensors, followed=False)
        self.tape.append(target, spelled(args), spelled(kwargs), tensors, tensors_in(output))
        if target == "narrow":
            self.memory.narrowed(args, output)

    def _made(self, target: str, args: Any, kwargs: Any, output: torch.Tensor) -> None:
        """Add a constant of as many entries as a size says, if that may count channels; else only that it was used."""
        dims = [size for size in self.tape.called.dims or () if isinstance(size, Dim)]
        for size in dims:
            mark_computed(size.expression)
        made = target.removeprefix("new_")
        if made in RULES and any(self._may_count_channels(size.expression) for size in dims):
            arguments = self._spelling.with_sizes(args[1:] if target.startswith("new_") else args)
            if next(sized(arguments), None) is not None:  # else what was asked for is not what ATen was given
                self.tape.append(made, arguments, {}, [], [output])
                return
        for size in dims:
            self.uses.record_number(size)

    def _may_count_channels(self, size: Expression) -> bool:
        """Whether a size may be that of an axis of channels: heights and widths of pixels are none."""
        if isinstance(size, Arithmetic):
            parts = (part for part in (size.left, size.right) if not isinstance(part, int))
            return any(map(self._may_count_channels, parts))
        if not isinstance(size, Axis) or size.value == self.tape.image:
            return False
        value = self.tape.values[size.value]
        return len(value.shape) != 4 or size.axis == 1 or not value.derived


def _parts(bounds: list[Any]) -> Iterator[Any]:
    """Numbers of an index."""
    for item in bounds:
        yield from (item.start, item.stop, item.step) if isinstance(item, slice) else (item,)
