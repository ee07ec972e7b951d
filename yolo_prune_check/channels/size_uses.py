"""What Python code does with sizes besides handing them to operators: compares them, computes with their numbers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from operator import index
from types import CodeType, FrameType
from typing import Any

import torch
from torch import nn

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
)
from yolo_prune_check.channels.source import assertion, line_of, place, user_frame
from yolo_prune_check.channels.tape import Tape
from yolo_prune_check.channels.unheard import attributes_unheard_in, unheard_in


class SizeUses:
    """Adds to a tape what code does with sizes."""

    def __init__(self, tape: Tape) -> None:
        """Nothing has run yet."""
        self._tape = tape

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear of every comparison of sizes, and of every size that becomes a fraction."""
        hearing, measuring = compared.set(self._compare), measured.set(self.record_number)
        try:
            yield
        finally:
            compared.reset(hearing)
            measured.reset(measuring)

    def enter(self, module: nn.Module) -> None:
        """Hear of a module that begins to run: what its code does unheard with sizes that it holds is recorded."""
        kind: Any = type(module)  # mypy takes a module's class for unhashable
        for read, code in attributes_unheard_in(kind):
            found: Any = module
            for name in read.path:
                found = getattr(found, name, None)
            for size in found if isinstance(found, (list, tuple)) else (found,):
                if isinstance(size, Dim):
                    mark_computed(size.expression)
                    self._record_unheard(size.expression, index(size), code, read.used)

    def read(self, tensor: torch.Tensor, frame: FrameType) -> None:
        """Hear of a shape that code reads: what it does with that unheard is recorded."""
        for read in unheard_in(frame.f_code):
            if read.line == frame.f_lineno and not read.path:
                for axis in read.axes(tensor.ndim):
                    number = int(tensor.size(axis))
                    self._record_unheard(Axis(self._tape.value_of(tensor), axis), number, frame.f_code, read.used)

    def _record_unheard(self, size: Expression, number: int, code: CodeType, line: int) -> None:
        """Add a size that a line of code computes with, which its number does not hear of."""
        if not self._tape.called.composite and has_axis(size):
            self._tape.append("size_as_number", (size, number, line_of(code.co_filename, line)), {}, [], [])

    def _compare(self, size: Dim, comparison: str, other: float, outcome: bool) -> None:
        """Add a comparison that an assertion of Python code asks for, or by which the code may choose its way."""
        left, right = as_size(size), as_size(other) if isinstance(other, int) else other
        if self._tape.called.composite or not (has_axis(left) or has_axis(right)):
            return
        frame = sys._getframe(2)
        message = assertion(frame) if comparison == "==" and not isinstance(left, Attribute) else None
        if message is None:
            self._tape.append("branch", (left, comparison, right, outcome, place(frame)), {}, [], [])
            return
        divisor = None
        if isinstance(left, Arithmetic) and left.operator == "%" and isinstance(left.right, int):
            divisor = left.right
        self._tape.append("assert", (left, right, divisor, message), {}, [], [])

    def record_number(self, size: Dim) -> None:
        """Add a size that Python code made something else of: what it does with that is not known."""
        if not self._tape.called.composite and has_axis(size.expression):
            self._tape.append("size_as_number", (size.expression, index(size), place(user_frame())), {}, [], [])

    def use(self, size: Any) -> None:
        """Note that code does something with a number, or a constant, that is not known to follow the size."""
        if isinstance(size, Dim):
            mark_computed(size.expression)
            self.record_number(size)
