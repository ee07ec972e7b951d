"""Edges: from a producing layer's channels to each operator that consumes them. Junctions: where edges meet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from yolo_prune_check.channels.layers import GraphLayer
from yolo_prune_check.channels.prediction import EdgeKind
from yolo_prune_check.channels.program import Op, Program
from yolo_prune_check.channels.provenance import ChannelRange, Provenance, Segments
from yolo_prune_check.channels.rules import POOLS, UPSAMPLES

_JUNCTIONS: Mapping[str, tuple[EdgeKind, str]] = {
    "cat": ("concat", "cat"),
    "chunk": ("split", "split"),
    "split": ("split", "split"),
    "split_with_sizes": ("split", "split"),
    "add": ("residual", "add"),
}


@dataclass(frozen=True)
class Edge:
    """Channels of one layer that flow into one operator.

    Attributes:
        producer: The channels, of the layer that makes them.
        consumer: Layer name for a convolution, else ``module:operator``.
        kind: What the consumer does with them.
        port: Position among the consumer's tensor operands.
        position: Where in the operand's channels the range begins.
    """

    producer: ChannelRange
    consumer: str
    kind: EdgeKind
    port: int
    position: int


@dataclass(frozen=True)
class Port:
    """An operand (``in0``, …) or result (``out0``, …) of a junction."""

    name: str
    value: int
    producers: tuple[str, ...]


@dataclass(frozen=True)
class Junction:
    """A concat, split or residual operator on feature maps."""

    operator: str
    kind: EdgeKind
    op: Op
    ports: tuple[Port, ...]


def find_junctions(program: Program, provenance: Provenance) -> tuple[Junction, ...]:
    """All concats, splits and residual adds of feature maps along the channel axis, in execution order."""
    seen: Counter[str] = Counter()
    junctions = []
    for op in program.ops:
        known = _JUNCTIONS.get(op.target)
        values = (*op.inputs, *op.outputs)
        if known is None or any(len(program.values[value].shape) != 4 for value in values):
            continue
        if any(value not in provenance.segments for value in values):
            continue
        kind, name = known
        junctions.append(Junction(operator_name(op.module, name, seen), kind, op, _ports(op, provenance)))
    return tuple(junctions)


def operator_name(module: str, name: str, seen: Counter[str]) -> str:
    """``module:name``, with a counter from the second call in that module on."""
    base = f"{module}:{name}"
    seen[base] += 1
    return base if seen[base] == 1 else f"{base}#{seen[base]}"


def operator_names(program: Program, layers: Mapping[str, GraphLayer], junctions: Sequence[Junction]) -> dict[int, str]:
    """How edges name each operator, by its index: a layer by its name, all else ``module:operator``.

    Junctions keep their names; where a module runs other operators of the same name, they are counted after them.
    """
    names = {layer.op: layer.name for layer in layers.values()}
    names.update((junction.op.index, junction.operator) for junction in junctions)
    seen = Counter(junction.operator.partition("#")[0] for junction in junctions)
    for op in program.ops:
        if op.index not in names:
            word = "pool" if op.target in POOLS else "upsample" if op.target in UPSAMPLES else op.target
            names[op.index] = operator_name(op.module, word, seen)
    return names


def _ports(op: Op, provenance: Provenance) -> tuple[Port, ...]:
    sides = [(f"in{i}", value) for i, value in enumerate(op.inputs)]
    sides += [(f"out{i}", value) for i, value in enumerate(op.outputs)]
    return tuple(Port(name, value, _producers(provenance.segments[value])) for name, value in sides)


def _producers(segments: Segments) -> tuple[str, ...]:
    return tuple(dict.fromkeys(layer for segment in segments for layer, _ in segment.sources))


def find_edges(
    program: Program,
    layers: Mapping[str, GraphLayer],
    provenance: Provenance,
    junctions: tuple[Junction, ...],
) -> tuple[Edge, ...]:
    """Every edge, in execution order of the consumers."""
    by_op = {layer.op: layer for layer in layers.values()}
    joined = {junction.op.index: junction for junction in junctions}
    names = operator_names(program, layers, junctions)
    frozen = {item.op.index for item in provenance.frozen}
    edges: list[Edge] = []
    for op in program.ops:
        layer, junction = by_op.get(op.index), joined.get(op.index)
        if layer is not None:
            kind = _convolution_kind(layer)
        elif junction is not None:
            kind = junction.kind
        elif op.target in POOLS:
            kind = "pool"
        elif op.target in UPSAMPLES:
            kind = "upsample"
        elif op.index in frozen:
            kind = "head"
        else:
            continue
        for port, value in enumerate(op.inputs):
            edges += _from_value(value, provenance, names[op.index], kind, port)
    return tuple(edges)


def _convolution_kind(layer: GraphLayer) -> EdgeKind:
    return "depthwise" if layer.depthwise else "direct"


def _from_value(value: int, provenance: Provenance, consumer: str, kind: EdgeKind, port: int) -> list[Edge]:
    edges, position = [], 0
    for segment in provenance.segments.get(value, ()):
        edges += [Edge(part, consumer, kind, port, position) for part in segment.ranges]
        position += segment.length
    return edges
