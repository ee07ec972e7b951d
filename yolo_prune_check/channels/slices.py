"""The edges, sorted by what takes them in: each operand, slice by slice, and where the slice comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from yolo_prune_check.channels.edges import Edge, operator_names
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.prediction import EdgeKind
from yolo_prune_check.channels.program import Op
from yolo_prune_check.channels.provenance import ChannelRange
from yolo_prune_check.channels.rules import ACTIVATIONS, NORMS

_LOOKED_THROUGH = ACTIVATIONS | NORMS | {"detach", "alias", "clone", "contiguous", "_to_copy"}


@dataclass(frozen=True)
class Through:
    """The operator that hands a slice over: an operand of a concat, a piece of a chunk, a residual add.

    Attributes:
        operator: As it is named in edges.
        port: ``in1`` of a concat, ``out1`` of a split, else empty.
        start: Where the slice begins in that operand or piece.
        stop: Where it ends.
    """

    operator: str
    port: str
    start: int
    stop: int

    def __str__(self) -> str:
        return f"{self.operator} {self.port}[{self.start}:{self.stop}]" if self.port else self.operator


@dataclass(frozen=True)
class Slice:
    """Neighbouring channels of one operand of one consumer.

    Attributes:
        consumer: Layer name, or ``module:operator``.
        kind: What the consumer does with them.
        port: Position among the consumer's tensor operands.
        start: First channel of the slice, in the operand.
        stop: Channel after its last.
        producers: The channels that it holds; more than one range where an add ties them.
        through: The operator that hands it over; None where it comes from the producing layer itself.
    """

    consumer: str
    kind: EdgeKind
    port: int
    start: int
    stop: int
    producers: tuple[ChannelRange, ...]
    through: Through | None


def slices_of(graph: ChannelGraph) -> tuple[Slice, ...]:
    """All edges as slices of their consumers' operands, in the order of the edges."""
    names = operator_names(graph.program, graph.layers, graph.junctions)
    called = {name: graph.program.ops[index] for index, name in names.items()}
    makers = {value: op for op in graph.program.ops for value in op.outputs}
    merged: dict[tuple[str, int, int, int], list[Edge]] = {}
    for edge in graph.edges:
        length = edge.producer.stop - edge.producer.start
        merged.setdefault((edge.consumer, edge.port, edge.position, length), []).append(edge)
    slices: list[Slice] = []
    for (consumer, port, start, length), edges in merged.items():
        producers = tuple(dict.fromkeys(edge.producer for edge in edges))
        whole = Slice(consumer, edges[0].kind, port, start, start + length, producers, None)
        slices += _handed_over(whole, called[consumer], graph, makers, names)
    return tuple(slices)


def _handed_over(
    whole: Slice, op: Op, graph: ChannelGraph, makers: Mapping[int, Op], names: Mapping[int, str]
) -> Iterator[Slice]:
    """The slice with the operator that it comes from; cut where two operands of a concat meet."""
    values = graph.program.values
    value = op.inputs[whole.port]
    maker = makers.get(value)
    while maker is not None and maker.target in _LOOKED_THROUGH:
        value = maker.inputs[0]
        maker = makers.get(value)
    if maker is None or names[maker.index] in graph.layers:
        yield whole
        return
    name = names[maker.index]
    if len(maker.outputs) > 1:
        piece = f"out{maker.outputs.index(value)}"
        yield _part(whole, whole.start, whole.stop, Through(name, piece, whole.start, whole.stop))
    elif maker.target == "cat" and any(junction.op is maker for junction in graph.junctions):
        begin = 0
        for port, operand in enumerate(maker.inputs):
            end = begin + values[operand].shape[1]
            start, stop = max(whole.start, begin), min(whole.stop, end)
            if start < stop:
                yield _part(whole, start, stop, Through(name, f"in{port}", start - begin, stop - begin))
            begin = end
    else:
        yield _part(whole, whole.start, whole.stop, Through(name, "", whole.start, whole.stop))


def _part(whole: Slice, start: int, stop: int, through: Through) -> Slice:
    shift, length = start - whole.start, stop - start
    producers = tuple(
        ChannelRange(part.layer, part.start + shift, part.start + shift + length) for part in whole.producers
    )
    return Slice(whole.consumer, whole.kind, whole.port, start, stop, producers, through)
