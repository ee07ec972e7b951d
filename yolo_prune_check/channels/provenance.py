"""Which layers' channels a value holds, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from yolo_prune_check.channels.layers import GraphLayer
from yolo_prune_check.channels.program import Op, Program
from yolo_prune_check.channels.rules import ACTIVATIONS, NORMS, POOLS, UPSAMPLES

_SAME = frozenset({"detach", "alias", "clone", "contiguous", "_to_copy"})
_PASSING = ACTIVATIONS | NORMS | POOLS | UPSAMPLES | _SAME
_TYING = frozenset({"add", "sub", "mul", "div"})
_CUTTING = frozenset({"chunk", "split", "split_with_sizes"})


@dataclass(frozen=True)
class ChannelRange:
    """Channels ``start`` to ``stop`` (exclusive) of a layer."""

    layer: str
    start: int
    stop: int

    def __str__(self) -> str:
        return f"{self.layer}[{self.start}:{self.stop}]"


@dataclass(frozen=True)
class Segment:
    """Neighbouring channels of a value; more than one source where an elementwise operator tied them."""

    length: int
    sources: tuple[tuple[str, int], ...]

    def cut(self, start: int, stop: int) -> Segment:
        """Part of the segment."""
        return Segment(stop - start, tuple((layer, first + start) for layer, first in self.sources))

    @property
    def ranges(self) -> tuple[ChannelRange, ...]:
        """The sources as ranges."""
        return tuple(ChannelRange(layer, first, first + self.length) for layer, first in self.sources)


Segments = tuple[Segment, ...]


@dataclass(frozen=True)
class Frozen:
    """Channels that flow into an operator behind which they are no longer told apart."""

    op: Op
    ranges: tuple[ChannelRange, ...]


@dataclass(frozen=True)
class Provenance:
    """Origin of every value's channels.

    Attributes:
        segments: By value; a value that is missing holds no layer's channels (the image, or a frozen one).
        frozen: Where channels are lost from sight.
    """

    segments: dict[int, Segments]
    frozen: tuple[Frozen, ...]


def trace_provenance(program: Program, layers: Mapping[str, GraphLayer]) -> Provenance:
    """Follow every layer's channels through the program."""
    made_by = {layer.op: layer for layer in layers.values()}
    segments: dict[int, Segments] = {}
    frozen: list[Frozen] = []
    for op in program.ops:
        known = [segments[value] for value in op.inputs if value in segments]
        layer = made_by.get(op.index)
        if layer is not None:
            segments[op.outputs[0]] = (Segment(layer.out_channels, ((layer.name, 0),)),)
            continue
        if not known:
            continue
        results = _follow(op, segments, program)
        if results is None:
            ranges = tuple(dict.fromkeys(part for item in known for segment in item for part in segment.ranges))
            frozen.append(Frozen(op, ranges))
            continue
        segments.update(zip(op.outputs, results, strict=False))
    return Provenance(segments, tuple(frozen))


def _follow(op: Op, segments: Mapping[int, Segments], program: Program) -> Sequence[Segments] | None:
    if op.target in _PASSING:
        return [segments[op.inputs[0]]]
    if op.target in _TYING:
        return _tie(op, segments, program)
    shape = program.values[op.outputs[0]].shape
    if op.target == "cat" and len(shape) == 4 and _axis(op, 1, 4) == 1:
        parts = [segments.get(value) for value in op.inputs]
        if any(part is None for part in parts):
            return None
        return [tuple(segment for part in parts if part is not None for segment in part)]
    if op.target in _CUTTING and len(shape) == 4 and _axis(op, 2, 4) == 1:
        return _cut(segments[op.inputs[0]], [program.values[value].shape[1] for value in op.outputs])
    return None


def _axis(op: Op, position: int, rank: int) -> int:
    axis = op.args[position] if len(op.args) > position else 0
    return int(axis) % rank


def _tie(op: Op, segments: Mapping[int, Segments], program: Program) -> Sequence[Segments] | None:
    operands = [segments[value] for value in op.inputs if value in segments]
    shapes = {program.values[value].shape[1:2] for value in op.inputs if value in segments}
    if len(operands) == 1 and len(op.inputs) == 1:
        return operands
    if len(operands) != 2 or len(shapes) != 1:
        return None
    return [merge(*operands)]


def merge(first: Segments, second: Segments) -> Segments:
    """Segments of an elementwise result: cut at both operands' borders, with both operands' sources."""
    merged: list[Segment] = []
    left, right = list(first), list(second)
    while left and right:
        length = min(left[0].length, right[0].length)
        a, b = left[0].cut(0, length), right[0].cut(0, length)
        merged.append(Segment(length, tuple(dict.fromkeys((*a.sources, *b.sources)))))
        for side in (left, right):
            head = side.pop(0)
            if head.length > length:
                side.insert(0, head.cut(length, head.length))
    return tuple(merged)


def _cut(source: Segments, sizes: Sequence[int]) -> list[Segments]:
    pieces: list[Segments] = []
    rest = list(source)
    for size in sizes:
        piece: list[Segment] = []
        while size:
            head = rest.pop(0)
            taken = min(size, head.length)
            piece.append(head.cut(0, taken))
            if head.length > taken:
                rest.insert(0, head.cut(taken, head.length))
            size -= taken
        pieces.append(tuple(piece))
    return pieces
