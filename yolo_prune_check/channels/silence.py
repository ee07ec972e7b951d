"""Whether what stems from a removed channel is zero where a weight reads it, so that leaving it out changes nothing.

A removal takes parameters: filters, biases, entries of batch norms, also of one behind a concat, and of whatever else
holds a number for each channel. It must equal the model of full width in which just these are zero. Behind them a
removed channel is silent, and stays so through a pool or a SiLU; ``a + 1`` or a sigmoid gives it a voice, which a
product with another silent entry takes away again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from yolo_prune_check.channels.program import BoolArray, Op, Program
from yolo_prune_check.channels.provenance import Ids
from yolo_prune_check.channels.rules import CONVOLUTIONS, ELEMENTWISE, LAYOUT, NORMS, RULES
from yolo_prune_check.channels.tensors import Breaks, Tensor

_OWN = CONVOLUTIONS | NORMS  # what they add to a channel goes with it
_ARRANGING = LAYOUT - {"constant_pad_nd"}  # which may add a number that is not 0


@dataclass(frozen=True)
class Voice:
    """Entries of a value that are not zero once their channels are.

    Attributes:
        op: The first operator that gave one of them a voice.
        heard: Which ones; shaped like the value's origins.
    """

    op: Op
    heard: BoolArray


class Silence:
    """Follows what silent channels become."""

    def __init__(self, program: Program, entries: Mapping[int, Ids]) -> None:
        """Nothing is heard yet.

        Args:
            program: The traced pass.
            entries: Origins of the values' entries, filled in operator by operator.
        """
        self._program = program
        self._entries = entries
        self.voices: dict[int, Voice] = {}
        self.going: dict[int, BoolArray] = {}  # by value of a parameter, entries that go with channels

    def follow(self, op: Op, converted: Callable[[Any, Callable[[int], Tensor]], Any]) -> None:
        """Find which entries of an operator's results are heard.

        Args:
            op: The operator; its results' origins are known.
            converted: Turns its arguments into those of a rule, given what stands for each value.
        """
        results = [value for value in op.outputs if value in self._entries]
        voices = [self.voices[value] for value in op.inputs if value in self.voices]
        if not results or op.target in _OWN or (op.target in _ARRANGING and not voices):
            return
        first = voices[0].op if voices else op
        lone = self._lone(op, results)

        def silenced(value: int) -> Tensor:
            return Tensor(self._program.values[value].shape) if value in lone else self._silenced(value)

        try:
            found = RULES[op.target](*converted(op.args, silenced), **converted(op.kwargs, silenced))
        except Breaks:
            pieces: tuple[Tensor, ...] = tuple(Tensor(self._program.values[value].shape) for value in op.outputs)
        else:
            pieces = (found,) if isinstance(found, Tensor) else tuple(found)
        for value, piece in zip(op.outputs, pieces, strict=False):
            origins = self._entries.get(value)
            if origins is not None:
                heard = (origins >= 0) & ~_silent(piece, origins.shape)
                if heard.any():
                    self.voices[value] = Voice(first, heard)

    def _lone(self, op: Op, results: list[int]) -> set[int]:
        """Operands whose one channel meets several others: it does not go with any of them."""
        if op.target not in ELEMENTWISE or all(self._entries[value].size == 1 for value in results):
            return set()
        return {value for value in op.inputs if value in self._entries and self._entries[value].size == 1}

    def _silenced(self, value: int) -> Tensor:
        """A value as it is when all channels in it are silent."""
        shape, origins, voice = self._program.values[value].shape, self._entries.get(value), self.voices.get(value)
        if origins is None:
            going = self.going.get(value)
            return Tensor(shape) if going is None else Tensor(shape, np.where(going, 0.0, np.nan))
        heard = origins < 0 if voice is None else (origins < 0) | voice.heard
        return Tensor(shape, np.where(heard, np.nan, 0.0))


def _silent(piece: Tensor, shape: tuple[int, ...]) -> BoolArray:
    """Where a tensor is zero, in terms of entries that are alike along axes of size 1."""
    if piece.state is None:
        return np.zeros(shape, dtype=np.bool_)
    alike = tuple(axis for axis, n in enumerate(shape) if n == 1)
    return np.broadcast_to((piece.state == 0).all(alike, keepdims=True), shape)
