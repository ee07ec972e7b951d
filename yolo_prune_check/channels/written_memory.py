"""Memory that a pass writes into: what must be put back, what constants held, and which tensors share it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from yolo_prune_check.channels.aten import Schema
from yolo_prune_check.channels.program import FloatArray, Ref
from yolo_prune_check.channels.spelling import Spelling
from yolo_prune_check.channels.tape import Tape, memory_of
from yolo_prune_check.channels.trees import tensors_in
from yolo_prune_check.channels.unchanged import Overwritten
from yolo_prune_check.channels.weights import numbers_of

SMALL = 65536
"""Entries of a constant that are worth keeping."""


class WrittenMemory:
    """Follows what ATen calls write into.

    Attributes:
        overwritten: What must be put back after the pass.
        held: By value, what a constant held before it was written into.
    """

    def __init__(self, tape: Tape, spelling: Spelling) -> None:
        """Nothing has run yet."""
        self._tape, self._spelling = tape, spelling
        self.overwritten = Overwritten()
        self.held: dict[int, FloatArray] = {}
        self._fresh: set[int] = set()  # memory of constants that the pass made
        self._parts: dict[int, tuple[torch.Tensor, str, Any]] = {}

    def before(self, schema: Schema, args: Any, kwargs: Any) -> None:
        """Hear of an ATen call that is about to run: one that writes into what was there before must be undone.

        What a constant holds is noted before it is written into.
        """
        self.keep(schema, args, kwargs)
        tape, written = self._tape, schema.written(args, kwargs)
        if written is not None and not tape.called.composite and id(written) not in tape.derived:
            if id(written) in tape.parameters:
                return
            for value in self.aliases(written):
                other = tape.alive[value]
                if value not in self.held and other.numel() <= SMALL:
                    self.held[value] = numbers_of(other)

    def keep(self, schema: Schema, args: Any, kwargs: Any) -> None:
        """Keep what an ATen call writes into, so that it can be put back; what the image made is the pass's own."""
        for position, name in schema.writes:
            written = args[position] if position < len(args) else kwargs.get(name)
            for tensor in tensors_in((written,)):
                if id(tensor) not in self._tape.derived and memory_of(tensor) not in self._fresh:
                    self.overwritten.keep(tensor)
        if schema.is_batch_norm and args[5]:  # it updates the statistics
            for tensor in tensors_in(args[3:5]):
                self.overwritten.keep(tensor)

    def made(self, tensors: Iterable[torch.Tensor]) -> None:
        """Note constants that the pass made in memory of its own: they need not be put back."""
        self._fresh.update(map(memory_of, tensors))

    def aliases(self, tensor: torch.Tensor) -> tuple[int, ...]:
        """Values in the memory of a tensor, its own and that of the tensor that it is a view of included."""
        tape = self._tape
        tape.value_of(tensor)
        if tensor._base is not None:
            tape.value_of(tensor._base)
        values = tape.storages.get(memory_of(tensor), ())  # a cast copy of a parameter has none of its own
        return tuple(value for value in values if tape.ids.get(id(tape.alive[value])) == value)

    def forget(self, tensor: torch.Tensor) -> None:
        """Note that a constant was written into: whoever reads what shares its memory reads other constants."""
        tape = self._tape
        for value in self.aliases(tensor):
            del tape.ids[id(tape.alive[value])]
        tape.ids.pop(id(tensor), None)  # nor is a cast copy the parameter any more

    def part(self, target: str, args: Any, arguments: Any, output: torch.Tensor) -> None:
        """Note of which tensor another is a part.

        Args:
            target: The operator that cut it out.
            args: What ATen was given.
            arguments: The same, as the program spells it.
            output: The part.
        """
        whole, tape = args[0], self._tape
        tape.value_of(whole)
        if id(whole) not in tape.derived:
            tape.value_of(output)
        self._parts[id(output)] = whole, f"{target}_scatter", self._spelling.of(arguments[1:])

    def narrowed(self, args: Any, output: torch.Tensor) -> None:
        """The same of the result of a ``narrow``."""
        whole, axis, start, length = args
        self._parts[id(output)] = whole, "slice_scatter", self._spelling.of((axis, start, start + length))

    def spread(self, tensor: torch.Tensor) -> None:
        """Note that other tensors that share the memory of one that was written into have new contents as well."""
        tape = self._tape
        others = {id(tape.alive[value]): tape.alive[value] for value in self.aliases(tensor)}
        del others[id(tensor)]
        part = tensor
        while id(part) in self._parts:
            whole, scatter, where = self._parts[id(part)]
            if others.pop(id(whole), None) is None:
                break
            operands = Ref(tape.value_of(whole)), Ref(tape.value_of(part))
            tape.append(scatter, (*operands, *where), {}, [whole, part], [whole])
            part = whole
        for other in others.values():
            operands = Ref(tape.value_of(other)), Ref(tape.value_of(tensor))
            tape.append("overwritten", operands, {}, [other, tensor], [other])
