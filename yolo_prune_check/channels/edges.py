"""Edges: from a producing layer's channels to each operator that consumes them. Junctions: where edges meet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from yolo_prune_check.channels.heads import home_of, is_inside
from yolo_prune_check.channels.layers import GraphLayer
from yolo_prune_check.channels.prediction import EdgeKind
from yolo_prune_check.channels.program import Op, Program, Ref
from yolo_prune_check.channels.provenance import ChannelRange, Provenance
from yolo_prune_check.channels.rules import POOLS, UPSAMPLES

_JUNCTIONS: Mapping[str, tuple[EdgeKind, str]] = {
    "cat": ("concat", "cat"),
    "chunk": ("split", "split"),
    "split": ("split", "split"),
    "split_with_sizes": ("split", "split"),
    "add": ("residual", "add"),
}
_AXIS: Mapping[str, int] = {"cat": 1, "chunk": 2, "split": 2, "split_with_sizes": 2}
_CONSUMERS: Mapping[str, EdgeKind] = {
    **dict.fromkeys(POOLS, "pool"),
    **dict.fromkeys(UPSAMPLES, "upsample"),
    "linear": "linear",
    "matmul": "attention",
    "bmm": "attention",
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


@dataclass(frozen=True)
class Junction:
    """A concat, split or residual operator on feature maps."""

    operator: str
    kind: EdgeKind
    op: Op
    ports: tuple[Port, ...]


def find_junctions(program: Program) -> tuple[Junction, ...]:
    """All concats and splits of feature maps along the channel axis, and adds of two of them, in execution order."""
    seen: Counter[str] = Counter()
    junctions = []
    for op in program.ops:
        known = _JUNCTIONS.get(op.target)
        if known is None or any(len(program.values[value].shape) != 4 for value in (*op.inputs, *op.outputs)):
            continue
        if not (_tensors(op) == 2 if op.target == "add" else _axis(op) == 1):
            continue
        kind, name = known
        junctions.append(Junction(operator_name(op.module, name, seen), kind, op, _ports(op)))
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


def _tensors(op: Op) -> int:
    return sum(isinstance(item, Ref) for item in op.args)


def _axis(op: Op) -> int:
    position = _AXIS[op.target]
    axis = op.args[position] if len(op.args) > position else op.kwargs.get("dim", 0)
    return int(axis) % 4


def _ports(op: Op) -> tuple[Port, ...]:
    sides = [(f"in{i}", value) for i, value in enumerate(op.inputs)]
    sides += [(f"out{i}", value) for i, value in enumerate(op.outputs)]
    return tuple(Port(name, value) for name, value in sides)


def find_edges(
    program: Program,
    layers: Mapping[str, GraphLayer],
    provenance: Provenance,
    junctions: tuple[Junction, ...],
) -> tuple[Edge, ...]:
    """Every edge, in execution order of the consumers."""
    joined = {junction.op.index: (junction.operator, junction.kind) for junction in junctions}
    reading = {consumer.op.index: consumer.weight.removesuffix(".weight") for consumer in provenance.consumers}
    frozen = {item.op.index for item in provenance.frozen}
    home = home_of(program)
    names = operator_names(program, layers, junctions)
    edges: list[Edge] = []
    for op in program.ops:
        layer = layers.get(reading.get(op.index, ""))
        consumer, kind = names[op.index], _CONSUMERS.get(op.target)
        if layer is not None:
            consumer, kind = layer.name, _convolution_kind(layer)
        elif op.index in joined:
            consumer, kind = joined[op.index]
        elif kind is None and op.index in reading:
            kind = "direct"
        elif op.index in frozen:
            kind = "head" if is_inside(op, home) else "frozen"
        if kind is not None:
            for port, value in enumerate(op.inputs):
                edges += _from_value(value, provenance, consumer, kind, port)
    return tuple(edges)


def _convolution_kind(layer: GraphLayer) -> EdgeKind:
    return "depthwise" if layer.depthwise else "direct"


def _from_value(value: int, provenance: Provenance, consumer: str, kind: EdgeKind, port: int) -> Iterator[Edge]:
    position = 0
    for segment in provenance.segments[value]:
        for part in segment.ranges:
            yield Edge(part, consumer, kind, port, position)
        position += segment.length
